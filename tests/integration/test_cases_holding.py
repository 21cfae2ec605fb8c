"""What a rep holds and does with it: cases 8 and 9 of the main job, and the way of a customer from hand to hand."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import psycopg
import pytest

from embedded.stack import Stack
from tests.api import Client, Headquarters, Team, company, eventually, expect

LIMIT = 3


@pytest.fixture(scope="module")
def team(headquarters: Headquarters) -> Team:
    return headquarters.team()


def slug(answer: Any) -> str:
    return str(answer.json().get("type", "")).removeprefix("urn:qudao:problem:")


def limit_stock(stack: Stack, team: Team, person: Client, limit: int) -> None:
    """And waits until it binds."""
    body = {"subject": "person", "person_id": person.user["id"], "limit": limit}
    expect(200, team.admin.request("PUT", "/v1/policies/stock-limit", body))
    person.check(name=company())  # nobody is counted before he is known

    def bound() -> Any:
        with psycopg.connect(stack.owner_url("customers")) as connection:
            return connection.execute("SELECT allowed FROM stock WHERE person_id = %s", [person.user["id"]]).fetchone()

    eventually(bound, until=lambda row: row in (None, (limit,)))


def ways_in(team: Team, rep: Client) -> dict[str, Any]:
    """Every way by which a customer comes to somebody, ready to be tried."""
    pooled, in_agency_pool, held = team.pooled("public"), team.pooled("agency"), team.colleague.entered()
    in_pool_by_name = company()
    team.pooled("public", in_pool_by_name)
    to = rep.user["id"]
    return {
        "enter": lambda: rep.enter(company()),
        "claim": lambda: rep.act(pooled, "claim"),
        "enter and claim": lambda: rep.enter(in_pool_by_name, claim=True),
        "assign": lambda: team.admin.act(in_agency_pool, "assign", to=to),
        "transfer": lambda: team.supervisor.act(held, "transfer", to=to),
    }


# --- 8: the stock


def test_a_full_stock_keeps_out_what_comes_in_any_way_and_a_release_lets_in_again(stack: Stack, team: Team) -> None:
    for way in ("enter", "claim", "enter and claim", "assign", "transfer"):
        rep = team.headquarters.person("rep", team.department_id)
        limit_stock(stack, team, rep, LIMIT)
        held = [rep.entered() for _ in range(LIMIT)]
        come_in = ways_in(team, rep)[way]

        refused = come_in()
        assert (refused.status_code, slug(refused)) == (409, "stock-is-full"), way
        assert (refused.json()["held"], refused.json()["limit"]) == (LIMIT, LIMIT)
        expect(200, rep.act(held[0], "release", reason="no_need"))

        assert come_in().status_code in (200, 201), way
        assert slug(rep.enter(company())) == "stock-is-full"
        assert rep.get("/v1/customers/count")["count"] == LIMIT


def test_the_limit_is_130_where_nobody_has_set_one(team: Team) -> None:
    rep = team.headquarters.person("rep", team.department_id)
    with ThreadPoolExecutor(8) as pool:
        assert {answer.status_code for answer in pool.map(lambda _: rep.enter(company()), range(130))} == {201}

    assert slug(rep.enter(company())) == "stock-is-full"

    assert rep.get("/v1/customers/count")["count"] == 130
    full = {"value": 130, "limit": 130, "minimum": None, "verdict": "full"}
    eventually(lambda: rep.get("/v1/me/day")["stock"], until=lambda stock: stock == full)
    [first, *_] = rep.get("/v1/customers?limit=1")["items"]
    expect(200, rep.act(first["id"], "release", reason="no_need"))
    assert rep.entered()


def test_a_bound_entry_takes_no_room(stack: Stack, team: Team) -> None:
    rep, name = team.headquarters.person("rep", team.department_id), company()
    limit_stock(stack, team, rep, 1)
    rep.entered(name)
    assert expect(200, rep.enter(name))["outcome"] == "bound_to_yours"
    assert rep.get("/v1/customers/count")["count"] == 1


def test_a_lowered_limit_takes_nothing_away_and_keeps_more_from_coming(stack: Stack, team: Team) -> None:
    rep = team.headquarters.person("rep", team.department_id)
    held = [rep.entered() for _ in range(3)]
    limit_stock(stack, team, rep, 1)
    for customer_id in held[:2]:
        assert slug(rep.enter(company())) == "stock-is-full"
        expect(200, rep.act(customer_id, "release", reason="no_need"))
    assert slug(rep.enter(company())) == "stock-is-full"
    assert rep.get("/v1/customers/count")["count"] == 1


def test_only_reps_supervisors_and_managers_hold_customers(team: Team) -> None:
    assert team.admin.enter(company()).status_code == 403
    pooled = team.pooled("agency")
    refused = team.admin.act(pooled, "assign", to=team.admin.user["id"])
    assert (refused.status_code, slug(refused)) == (409, "receiver-unfit")
    assert team.supervisor.entered()
    assert team.manager.entered()


# --- 9: notes

NOTES = [
    ({"maturity": 0}, False),
    ({"maturity": 1}, True),
    ({"maturity": 2}, True),
    ({"maturity": 9}, True),
    ({"maturity": 2, "not_reached": True}, False),
    ({"maturity": 2, "busy": True}, False),
    ({"maturity": 2, "busy": True, "not_reached": True}, False),
    ({"maturity": 0, "busy": True}, False),
]


@pytest.mark.parametrize(("fields", "is_effective"), NOTES)
def test_a_note_is_effective_by_what_it_says(team: Team, fields: dict[str, Any], is_effective: bool) -> None:
    customer_id = team.rep.entered()
    assert expect(201, team.rep.note(customer_id, **fields))["is_effective"] is is_effective
    assert [note["is_effective"] for note in team.rep.pages(f"/v1/customers/{customer_id}/notes")] == [is_effective]


@pytest.mark.parametrize("fields", [{}, {"maturity": None}, {"maturity": -1}, {"maturity": 10}, {"maturity": "high"}])
def test_a_note_without_a_maturity_is_refused(team: Team, fields: dict[str, Any]) -> None:
    customer_id = team.rep.entered()
    refused = team.rep.note(customer_id, **fields)
    assert (refused.status_code, slug(refused)) == (422, "invalid-request")
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/maturity"]
    assert team.rep.pages(f"/v1/customers/{customer_id}/notes") == []


def test_whether_a_note_is_effective_cannot_be_typed(team: Team) -> None:
    assert team.rep.note(team.rep.entered(), maturity=0, is_effective=True).status_code == 422


def test_effective_contacts_of_a_day_count_customers_and_not_notes(headquarters: Headquarters) -> None:
    rep = headquarters.person()
    first, second, third = (rep.entered() for _ in range(3))
    for customer_id, fields in ((first, {}), (first, {}), (second, {}), (third, {"busy": True})):
        expect(201, rep.note(customer_id, maturity=2, **fields))
    day = eventually(lambda: rep.get("/v1/me/day"), until=lambda day: day["effective_contacts"]["value"] == 2)
    assert (day["effective_contacts"]["minimum"], day["effective_contacts"]["verdict"]) == (35, "open")


def test_the_timeline_shows_notes_and_moves_in_their_order(team: Team) -> None:
    customer_id = team.rep.entered()
    expect(201, team.rep.note(customer_id, maturity=1))
    expect(200, team.supervisor.act(customer_id, "transfer", to=team.colleague.user["id"]))
    expect(201, team.colleague.note(customer_id, maturity=2))

    def told() -> list[str]:
        timeline = team.supervisor.pages(f"/v1/customers/{customer_id}/timeline", limit=2)
        moments = [entry["at"] for entry in timeline]
        assert moments == sorted(moments, reverse=True)
        return [entry["event"]["name"] if entry["event"] else "note" for entry in timeline][::-1]

    wanted = ["customer_entered", "note", "customer_moved", "note"]
    eventually(told, until=lambda names: [name for name in names if name != "contact_note_written"] == wanted)


# --- from hand to hand


def test_a_customers_way_from_hand_to_hand_is_told_without_gaps(team: Team) -> None:
    customer_id = team.rep.entered()
    path = f"/v1/customers/{customer_id}"
    steps = (
        (team.rep, "release", {"reason": "no_budget", "comment": "明年再谈"}),
        (team.admin, "open", {}),
        (team.colleague, "claim", {}),
        (team.supervisor, "transfer", {"to": team.rep.user["id"], "reason": "老客户"}),
        (team.supervisor, "release", {"reason": "other"}),
        (team.admin, "assign", {"to": team.colleague.user["id"]}),
    )
    for who, action, body in steps:
        expect(200, who.act(customer_id, action, **body))

    history = sorted(team.supervisor.pages(f"{path}/ownership", limit=2), key=lambda stretch: stretch["holding"])

    assert [stretch["holding"] for stretch in history] == list(range(1, 8))
    assert [stretch["cause"] for stretch in history][:5] == ["enter", "release", "open", "claim", "transfer"]
    assert history[5]["cause"] in ("release", "take_back")
    assert history[6]["cause"] == "assign"
    owners = [team.rep, None, None, team.colleague, team.rep, None, team.colleague]
    assert [stretch["owner_id"] for stretch in history] == [who and who.user["id"] for who in owners]
    assert [stretch["pool_kind"] for stretch in history] == [None, "agency", "public", None, None, "agency", None]
    assert all(earlier["until"] == later["since"] for earlier, later in pairwise(history))
    assert [stretch["until"] for stretch in history][-1] is None
    assert "no_budget" in history[1]["reason"]
    assert "明年再谈" in history[1]["reason"]


@pytest.mark.parametrize("body", [{}, {"reason": "because"}, {"reason": None}, {"comment": "x"}])
def test_a_release_needs_a_reason_of_the_list(team: Team, body: dict[str, Any]) -> None:
    customer_id = team.rep.entered()
    assert team.rep.request("POST", f"/v1/customers/{customer_id}/release", body).status_code == 422
    assert team.rep.get(f"/v1/customers/{customer_id}")["owner_id"] == team.rep.user["id"]


def test_a_released_customer_lies_in_the_agency_pool_and_cannot_be_claimed_from_there(team: Team) -> None:
    customer_id = team.rep.entered()
    assert expect(200, team.rep.act(customer_id, "release", reason="no_need"))["pool_id"] == team.pools["agency"]
    refused = team.colleague.act(customer_id, "claim")
    assert refused.status_code in (404, 409)
    assert team.admin.get(f"/v1/customers/{customer_id}")["owner_id"] is None


def test_what_lies_in_the_public_pool_is_listed_without_ways_to_reach_it(team: Team) -> None:
    customer_id = team.pooled("public", phone="0514-87654321", contact_person="刘女士")
    [listed] = [line for line in team.rep.pages(f"/v1/pools/{team.pools['public']}/customers") if line["id"] == customer_id]
    assert "87654321" not in str(listed)
    assert "刘女士" not in str(listed)


def test_a_transfer_stays_within_the_supervisors_department(team: Team) -> None:
    customer_id, to = team.rep.entered(), team.neighbour.user["id"]
    refused = team.supervisor.act(customer_id, "transfer", to=to)
    assert refused.status_code == 404
    assert expect(200, team.admin.act(customer_id, "transfer", to=to))["owner_id"] == to


def test_what_is_held_cannot_be_claimed_assigned_or_opened(team: Team) -> None:
    customer_id = team.rep.entered()
    for who, action, body in (
        (team.colleague, "claim", {}),
        (team.admin, "assign", {"to": team.colleague.user["id"]}),
        (team.admin, "open", {}),
    ):
        refused = who.act(customer_id, action, **body)
        assert (refused.status_code, slug(refused)) in ((409, "not-in-pool"), (404, "not-found")), action
    assert team.rep.get(f"/v1/customers/{customer_id}")["holding"] == 1


# --- web-registered members


def test_a_web_members_first_contact_is_counted_down_and_met_by_a_note(team: Team) -> None:
    member = team.pooled("agency", source="web")
    expect(200, team.admin.act(member, "assign", to=team.rep.user["id"]))

    def waiting() -> list[Any]:
        return [line for line in team.rep.get("/v1/me/day")["web_members"] if line["customer_id"] == member]

    [first] = eventually(waiting)
    assert 24 * 3600 - 60 < first["seconds_left"] <= 24 * 3600
    assert (first["state"], first["is_overdue"]) == ("open", False)
    listed = [line for line in team.supervisor.pages("/v1/deadlines?state=open") if line["customer_id"] == member]
    assert [line["owner_id"] for line in listed] == [team.rep.user["id"]]

    expect(201, team.rep.note(member, maturity=0, not_reached=True))

    eventually(waiting, until=lambda lines: lines == [])


def test_other_customers_have_no_deadline(team: Team) -> None:
    entered, pooled = team.rep.entered(), team.pooled("agency", source="exhibition")
    expect(200, team.admin.act(pooled, "assign", to=team.rep.user["id"]))
    member = team.pooled("agency", source="web")
    expect(200, team.admin.act(member, "assign", to=team.rep.user["id"]))
    with_deadline = eventually(
        lambda: {line["customer_id"] for line in team.rep.pages("/v1/deadlines")}, until=lambda ids: member in ids
    )
    assert not with_deadline & {entered, pooled}
