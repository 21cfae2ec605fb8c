"""The first tour, over HTTP, against the embedded broker and a real RabbitMQ, with two replicas of every process."""

from collections.abc import Iterator

import pytest

from embedded.stack import Stack
from tests.api import PASSWORD, Client, Headquarters, eventually, expect, unique
from tests.brokers import make_broker
from tests.homes import made_home

EVERYTHING_TWICE = {"identity": 2, "customers": 2, "activities": 2, "rules": 2, "gateway": 2}


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Headquarters]:
    """On RabbitMQ: nearly everything else runs on the embedded broker."""
    broker = make_broker("rabbitmq", tmp_path_factory.mktemp("broker"))
    broker.start()
    try:
        with Stack(made_home(tmp_path_factory, "tour"), fast=True, replicas=EVERYTHING_TWICE, amqp_uri=broker.uri) as stack:
            yield Headquarters.set_up(stack.url, stack.setup_secret)
    finally:
        broker.stop()


def test_a_new_rep_enters_a_customer_writes_a_note_and_sees_his_day(tour: Headquarters) -> None:
    department = tour.department(tour.agency("扬州代理")["id"], "销售一部")
    assert department["name"] == "扬州代理销售一部"
    user = tour.add_user("rep", department["id"], "zhang.san")
    first = tour.admin.log_in("zhang.san", tour.one_time_code(user["id"]))
    refused = expect(403, first.request("GET", "/v1/customers"))
    assert refused["type"] == "urn:qudao:problem:password-change-required"
    first.choose_password(PASSWORD)
    rep = tour.admin.log_in("zhang.san", PASSWORD)

    entered = rep.post("/v1/customers", {"name": "扬州五环印花厂", "phone": "0514-2398577", "is_key": True})
    assert entered["outcome"] == "created"
    again = rep.post("/v1/customers", {"name": "扬州五环 印花厂"}, status=200)
    assert (again["outcome"], again["customer_id"]) == ("bound_to_yours", entered["customer_id"])
    assert [customer["name"] for customer in rep.get("/v1/customers")["items"]] == ["扬州五环印花厂"]
    note = {"method": "phone", "content": "谈了合作", "maturity": 2}
    assert rep.post(f"/v1/customers/{entered['customer_id']}/notes", note)["is_effective"] is True

    day = eventually(lambda: rep.get("/v1/me/day"), until=lambda day: day["contacts"]["value"] and day["stock"]["value"])
    assert {name: day[name]["value"] for name in ("stock", "entered", "new_key_customers", "effective_contacts")} == {
        "stock": 1,
        "entered": 1,
        "new_key_customers": 1,
        "effective_contacts": 1,
    }
    logged = eventually(lambda: tour.admin.get("/v1/log")["items"], until=lambda items: len(items) >= 11)
    administration = ["agency_added", "agency_added", "department_added", "department_added", "user_added", "user_added"]
    selling = ["contact_note_written", "customer_entered", "customer_updated", "entry_attempted", "allowance_set"]
    assert sorted(entry["name"] for entry in logged) == sorted(administration + selling)
    expect(204, rep.request("DELETE", "/v1/sessions/current"))
    assert rep.request("GET", "/v1/me").status_code == 401


def test_every_event_is_counted_once_with_two_replicas_of_everything(tour: Headquarters) -> None:
    rep = tour.person()

    customers = [rep.post("/v1/customers", {"name": unique("公司")})["customer_id"] for _ in range(20)]
    for customer_id in customers:
        rep.post(f"/v1/customers/{customer_id}/notes", {"method": "visit", "content": "见面", "maturity": 1})

    day = eventually(lambda: rep.get("/v1/me/day"), until=lambda day: day["effective_contacts"]["value"] >= 20)
    assert (day["stock"]["value"], day["entered"]["value"], day["contacts"]["value"]) == (20, 20, 20)


def test_a_log_in_with_a_wrong_password_is_refused_like_an_unknown_one(tour: Headquarters) -> None:
    wrong = {"login": "root", "password": "not the right one"}
    unknown = {"login": "nobody.here", "password": "not the right one"}
    anybody = Client(tour.admin.http)

    answers = [expect(401, anybody.request("POST", "/v1/sessions", body)) for body in (wrong, unknown)]

    assert answers[0]["type"] == answers[1]["type"] == "urn:qudao:problem:wrong-credentials"
    assert answers[0]["title"] == answers[1]["title"]
