"""Entering, pools and changing hands over HTTP: what the ten cases do not show."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from embedded.stack import Stack
from tests.api import Client, Headquarters, brand, credit_code, digits, eventually, unique

DIVISIONS = Path(__file__).parent.parent.parent / "services/customers/collision/data/divisions.txt"


def company(word: str = "环") -> str:
    """A name that no other test enters."""
    return f"扬州{unique(word)}印花厂"


@pytest.fixture(scope="module")
def department(headquarters: Headquarters) -> str:
    return str(headquarters.department()["id"])


def patient(client: Client) -> Client:
    client.is_patient = True
    return client


@pytest.fixture(scope="module")
def rep(headquarters: Headquarters, department: str) -> Client:
    return patient(headquarters.person("rep", department))


@pytest.fixture(scope="module")
def colleague(headquarters: Headquarters, department: str) -> Client:
    return patient(headquarters.person("rep", department))


@pytest.fixture(scope="module")
def supervisor(headquarters: Headquarters, department: str) -> Client:
    return patient(headquarters.person("supervisor", department))


@pytest.fixture(scope="module")
def administrator(headquarters: Headquarters, department: str) -> Client:
    return patient(headquarters.person("agency_admin", department))


def enter(who: Client, name: str, **fields: Any) -> str:
    return str(who.post("/v1/customers", {"name": name, **fields})["customer_id"])


def pool(who: Client, kind: str) -> str:
    return next(str(found["id"]) for found in who.get("/v1/pools")["items"] if found["kind"] == kind)


def rows(stack: Stack, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.owner_url("customers")) as owner:
        return owner.execute(query, values).fetchall()  # type: ignore[arg-type]


# --- entering


def test_near_matches_are_entered_once_they_were_seen_and_judged(stack: Stack, rep: Client, colleague: Client) -> None:
    brand = unique("近")
    enter(rep, f"扬州市高邮市{brand}服装厂")
    body: dict[str, Any] = {"name": f"扬州市宝应县{brand}服装厂"}

    told = colleague.post("/v1/customers", body, status=409)
    assert (told["type"], told["outcome"]) == ("urn:qudao:problem:confirmation-needed", "needs_confirmation")
    near = [hit["ref"] for hit in told["hits"] if hit["effect"] == "near"]
    unseen = {"confirmation": {"seen": ["0" * 16], "reason": "another county"}}
    assert colleague.post("/v1/customers", body | unseen, status=409)["outcome"] == "needs_confirmation"

    entered = colleague.post("/v1/customers", body | {"confirmation": {"seen": near, "reason": "another county"}})
    assert entered["outcome"] == "created"
    kept = rows(stack, "SELECT reason, cardinality(seen) FROM review_item WHERE customer_id = %s", entered["customer_id"])
    assert kept == [("another county", 1)]


def test_a_confirmation_does_not_help_against_a_refusal(rep: Client, colleague: Client) -> None:
    name = company()
    enter(rep, name)
    refs = [hit["ref"] for hit in colleague.post("/v1/collision-checks", {"name": name}, status=200)["hits"]]
    body = {"name": name, "confirmation": {"seen": refs, "reason": "I want it"}, "claim": True}
    assert colleague.post("/v1/customers", body, status=409)["outcome"] == "refused"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "厂", "credit_code": "123"}, "/credit_code"),
        ({"name": "……"}, "/name"),
        ({"name": "有限公司"}, "/name"),
        ({"name": "扬州"}, "/name"),
        ({"name": "瑞丽服装厂", "website": "javascript:alert(1)"}, "/website"),
        ({"name": ""}, "/name"),
        ({}, "/name"),
    ],
)
def test_an_entry_that_cannot_be_checked_is_refused_with_the_place(rep: Client, body: Any, pointer: str) -> None:
    problem = rep.post("/v1/customers", body, status=422)
    assert [wrong["pointer"] for wrong in problem["errors"]] == [pointer]


@pytest.mark.parametrize("body", [{}, {"name": "环"}, {"phone": "none"}, {"city": "扬州"}, {"credit_code": "x"}])
def test_a_search_for_nothing_is_told_as_such(rep: Client, body: Any) -> None:
    assert rep.post("/v1/collision-checks", body, status=422)["type"] == "urn:qudao:problem:invalid-request"


def test_what_was_typed_for_ones_own_customer_is_met_from_then_on(rep: Client, colleague: Client) -> None:
    name, other_number = company(), f"0514-{digits()}"
    customer_id = enter(rep, name)
    bound = rep.post("/v1/customers", {"name": name.replace("厂", "有限公司"), "phone": other_number}, status=200)
    assert (bound["outcome"], bound["customer_id"]) == ("bound_to_yours", customer_id)
    by_number = colleague.post("/v1/collision-checks", {"phone": other_number}, status=200)
    assert by_number["verdict"]["verdict"] == "refused"
    assert rep.get(f"/v1/customers/{customer_id}")["bound_names"] == [name.replace("厂", "有限公司")]


def test_an_edit_forgets_nothing_that_was_bound(rep: Client, colleague: Client) -> None:
    name, other_number, code = company(), f"0514-{digits()}", credit_code()
    path = f"/v1/customers/{enter(rep, name)}"
    domain, alias = f"{unique('d')}.com", f"{brand()}服装厂"
    reached = {"website": f"www.{domain}", "email": f"office@mail.{domain}"}
    typed = {"name": name, "phone": other_number, "credit_code": code, "aliases": [alias], "province": "湖南", "city": "长沙"}
    rep.post("/v1/customers", {**typed, **reached}, status=200)
    other_name = name.replace("厂", "有限公司")
    rep.post("/v1/customers", {"name": other_name}, status=200)
    for change in ({"city": "扬州"}, {"aliases": [company("名")]}, {"fax": f"0514-{digits()}"}):
        version = rep.get(path)["version"]
        assert rep.request("PATCH", path, change, If_Match=f'"{version}"').status_code == 200
    for met in ({"phone": other_number}, {"credit_code": code}, {"name": other_name}):
        assert colleague.post("/v1/collision-checks", met, status=200)["verdict"]["verdict"] == "refused", met
    for field, text in reached.items():
        assert colleague.post("/v1/collision-checks", {field: text}, status=200)["hits"], text
    for city, verdict in (("长沙", "refused"), ("广州", "free")):
        told = colleague.post("/v1/collision-checks", {"name": alias, "city": city}, status=200)
        assert told["verdict"]["verdict"] == verdict, city
    assert set(rep.get(path)["bound_names"]) == {other_name, alias}


def test_what_was_typed_with_a_claim_is_kept(rep: Client, colleague: Client, administrator: Client) -> None:
    name, number = company(), f"0514-{digits()}"
    administrator.post(f"/v1/pools/{pool(administrator, 'public')}/customers", {"name": name})
    claimed = rep.post("/v1/customers", {"name": name, "phone": number, "claim": True}, status=200)
    assert claimed["outcome"] == "claimed"
    assert colleague.post("/v1/collision-checks", {"phone": number}, status=200)["verdict"]["verdict"] == "refused"


def test_one_company_is_not_handed_to_two_people_by_its_twins(
    headquarters: Headquarters, rep: Client, colleague: Client, supervisor: Client, administrator: Client
) -> None:
    name, public = company(), pool(administrator, "public")
    twins = [
        administrator.post(f"/v1/pools/{public}/customers", {"name": name, "keep_twin": "two registers"})["customer_id"]
        for _ in range(2)
    ]
    for twin in twins:
        assert rep.post(f"/v1/customers/{twin}/claim", None, status=200)["owner_id"] == rep.user["id"]
    for giver, to in ((supervisor, colleague), (headquarters.admin, headquarters.person())):
        refused = giver.post(f"/v1/customers/{twins[0]}/transfer", {"to": to.user["id"]}, status=409)
        assert refused["type"] == "urn:qudao:problem:held-elsewhere"


def test_a_frequent_name_is_met_in_its_own_city_among_hundreds_elsewhere(rep: Client, administrator: Client) -> None:
    own, agency = unique("常"), pool(administrator, "agency")
    lines = DIVISIONS.read_text(encoding="utf-8").splitlines()
    cities = [line.split()[1] for line in lines if line[4:6] == "00" and line[2:6] != "0000"][:230]
    with ThreadPoolExecutor(6) as threads:
        path = f"/v1/pools/{agency}/customers"
        made = list(threads.map(lambda city: administrator.request("POST", path, {"name": f"{city}{own}机械厂"}), cities))
    assert sum(answer.status_code == 201 for answer in made) > 205
    for city in cities[::29]:
        assert rep.post("/v1/customers", {"name": f"{city}{own}机械有限公司"}, status=409)["outcome"] == "refused", city


def test_a_twin_is_kept_only_by_who_manages_pools_and_says_why(administrator: Client, rep: Client) -> None:
    name = company()
    enter(rep, name)
    path = f"/v1/pools/{pool(administrator, 'public')}/customers"
    refused = administrator.post(path, {"name": name}, status=409)
    assert refused["verdict"]["reason"] == "held_by_colleague"
    assert administrator.post(path, {"name": name, "keep_twin": "old register"})["outcome"] == "created"
    assert rep.request("POST", path, {"name": company()}).status_code == 403
    both = rep.post("/v1/collision-checks", {"name": name}, status=200)
    assert both["fields"]["name"] == {"hits": 2, "is_more": False}


def test_an_edit_that_would_make_it_the_same_company_is_refused(rep: Client, colleague: Client) -> None:
    number = f"0514-{digits()}"
    enter(colleague, company(), phone=number)
    path = f"/v1/customers/{enter(rep, company())}"
    refused = rep.request("PATCH", path, {"fax": number}, If_Match='"1"')
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:qudao:problem:customer-collides")
    assert rep.get(path)["fax"] is None
    assert rep.request("PATCH", path, {"aliases": [company("名")], "is_key": True}, If_Match='"1"').status_code == 200


def test_an_alias_is_met_like_the_name(rep: Client, colleague: Client) -> None:
    alias = company("名")
    path = f"/v1/customers/{enter(rep, company())}"
    rep.request("PATCH", path, {"aliases": [alias]}, If_Match='"1"')
    assert colleague.post("/v1/customers", {"name": alias}, status=409)["outcome"] == "refused"
    rep.request("PATCH", path, {"aliases": []}, If_Match='"2"')
    assert colleague.post("/v1/customers", {"name": alias})["outcome"] == "created"


def test_editors_and_enterers_of_one_company_do_not_wait_for_each_other(rep: Client) -> None:
    """An edit locks keys and row in the order in which an entry does."""
    name = company()
    path = f"/v1/customers/{enter(rep, name)}"

    def act(number: int) -> int:
        if number % 2:
            return rep.request("POST", "/v1/customers", {"name": name}).status_code
        version = rep.get(path)["version"]
        return rep.request("PATCH", path, {"city": "扬州"}, If_Match=f'"{version}"').status_code

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(act, range(60)))
    assert set(statuses) <= {200, 412}


# --- changing hands


def test_the_whole_way_of_a_customer_stands_in_its_history(
    stack: Stack, rep: Client, colleague: Client, supervisor: Client, administrator: Client
) -> None:
    customer_id = enter(rep, company())
    path = f"/v1/customers/{customer_id}"
    assert rep.post(f"{path}/release", {"reason": "no_need", "comment": "已停产"}, status=200)["owner_id"] is None
    assert colleague.post(f"{path}/claim", None, status=409)["type"] == "urn:qudao:problem:not-claimable"
    administrator.post(f"{path}/open", None, status=200)
    assert colleague.post(f"{path}/claim", None, status=200)["owner_id"] == colleague.user["id"]
    assert rep.post(f"{path}/claim", None, status=409)["type"] == "urn:qudao:problem:not-in-pool"
    supervisor.post(f"{path}/transfer", {"to": rep.user["id"], "reason": "区域调整"}, status=200)
    supervisor.post(f"{path}/release", {"reason": "other"}, status=200)
    administrator.post(f"{path}/assign", {"to": colleague.user["id"]}, status=200)

    history = colleague.get(f"{path}/ownership")["items"]
    assert [each["cause"] for each in history] == [
        "enter", "release", "open", "claim", "transfer", "take_back", "assign",
    ]  # fmt: skip
    assert [each["holding"] for each in history] == list(range(1, 8))
    assert all(one["until"] == following["since"] for one, following in itertools.pairwise(history))
    assert (history[-1]["until"], history[-1]["owner_id"]) == (None, colleague.user["id"])
    assert history[1]["reason"] == "no_need: 已停产"

    def told() -> list[str]:
        entries = administrator.get(f"/v1/log?aggregate_id={customer_id}")["items"]
        return [entry["data"].get("cause", entry["name"]) for entry in entries][::-1]

    expected = ["customer_entered", *[each["cause"] for each in history[1:]]]
    eventually(told, until=lambda found: found == expected)


def test_stock_counts_what_is_held_through_every_change(
    stack: Stack, headquarters: Headquarters, department: str, administrator: Client
) -> None:
    one, other = headquarters.person("rep", department), headquarters.person("rep", department)
    ids = [enter(one, company()) for _ in range(4)]
    administrator.post(f"/v1/customers/{ids[0]}/transfer", {"to": other.user["id"]}, status=200)
    one.post(f"/v1/customers/{ids[1]}/release", {"reason": "no_budget"}, status=200)
    administrator.post(f"/v1/customers/{ids[1]}/assign", {"to": other.user["id"]}, status=200)
    counted = "SELECT s.held, (SELECT count(*) FROM customer WHERE owner_id = s.person_id) FROM stock AS s WHERE person_id = %s"
    assert rows(stack, counted, one.user["id"]) == [(2, 2)]
    assert rows(stack, counted, other.user["id"]) == [(2, 2)]


def test_customers_are_given_only_to_who_may_hold_them_and_is_within_reach(
    headquarters: Headquarters, rep: Client, supervisor: Client, administrator: Client
) -> None:
    stranger, auditor = headquarters.person(), headquarters.person("auditor", str(rep.user["department_id"]))
    path = f"/v1/customers/{enter(rep, company())}"
    assert supervisor.request("POST", f"{path}/transfer", {"to": stranger.user["id"]}).status_code == 404
    assert administrator.request("POST", f"{path}/transfer", {"to": stranger.user["id"]}).status_code == 404
    unfit = administrator.post(f"{path}/transfer", {"to": auditor.user["id"]}, status=409)
    assert unfit["type"] == "urn:qudao:problem:receiver-unfit"
    again = administrator.post(f"{path}/transfer", {"to": rep.user["id"]}, status=409)
    assert again["type"] == "urn:qudao:problem:already-theirs"
    assert rep.get(path)["holding"] == 1


def test_headquarters_gives_a_customer_to_another_agency_and_the_walls_move_with_it(
    stack: Stack, headquarters: Headquarters, rep: Client
) -> None:
    elsewhere = headquarters.person()
    name = company()
    customer_id = enter(rep, name, phone="0514-2223334")
    path = f"/v1/customers/{customer_id}"
    headquarters.admin.post(f"{path}/transfer", {"to": elsewhere.user["id"]}, status=200)
    assert rep.request("GET", path).status_code == 404
    assert elsewhere.get(path)["name"] == name
    own = elsewhere.user["agency_id"]
    for table in ("customer_name", "collision_key"):
        found = rows(stack, f"SELECT DISTINCT agency_id::text FROM {table} WHERE customer_id = %s", customer_id)  # noqa: S608
        assert found == [(own,)], table
    assert [each["holding"] for each in elsewhere.get(f"{path}/ownership")["items"]] == [2]


def test_a_repeated_claim_is_told_as_the_first(rep: Client, administrator: Client) -> None:
    public, key = pool(administrator, "public"), unique("key")
    entered = administrator.post(f"/v1/pools/{public}/customers", {"name": company()})
    path = f"/v1/customers/{entered['customer_id']}/claim"
    answers = [rep.request("POST", path, Idempotency_Key=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].content == answers[1].content


def test_pools_show_what_may_be_claimed_without_how_to_reach_it(rep: Client, administrator: Client) -> None:
    public, agency = pool(administrator, "public"), pool(administrator, "agency")
    name = company()
    administrator.post(f"/v1/pools/{public}/customers", {"name": name, "phone": "13955556666", "contact_person": "王五"})
    listed = rep.request("GET", f"/v1/pools/{public}/customers")
    assert name in [each["name"] for each in listed.json()["items"]]
    assert "13955556666" not in listed.text
    assert "王五" not in listed.text
    assert rep.request("GET", f"/v1/pools/{agency}/customers").status_code == 404
    assert [each["kind"] for each in rep.get("/v1/pools")["items"]] == ["public"]


def test_attempts_are_kept_for_those_who_oversee_who_made_them(
    headquarters: Headquarters, rep: Client, colleague: Client, supervisor: Client
) -> None:
    name = company()
    enter(rep, name)
    colleague.post("/v1/customers", {"name": name, "phone": "0514-87654321"}, status=409)
    [attempt] = [each for each in supervisor.get("/v1/entry-attempts")["items"] if each["name"] == name]
    assert (attempt["outcome"], attempt["reason"], attempt["person_id"]) == (
        "refused", "held_by_colleague", colleague.user["id"],
    )  # fmt: skip
    assert attempt["phone"] == "0514****321"
    assert name not in [each["name"] for each in rep.get("/v1/entry-attempts")["items"]]
    elsewhere = headquarters.person("agency_admin")
    assert elsewhere.get("/v1/entry-attempts")["items"] == []
