"""Row grants that end at their moment, and access that explains itself; over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from embedded.stack import Stack
from tests.api import Client, Headquarters, Team, eventually, expect, unique
from tests.travel import REAL, replace_clocks

NOBODY = "00000000-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def team(headquarters: Headquarters) -> Team:
    return headquarters.team()


@pytest.fixture(scope="module")
def rivals(headquarters: Headquarters) -> Team:
    return headquarters.team()


def told(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json().get("type", "")).removeprefix("urn:qudao:problem:")


def ask(stack: Stack, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.owner_url("identity")) as connection:
        return connection.execute(query, values).fetchall()  # type: ignore[arg-type]


@contextmanager
def clocks_at(stack: Stack, moment: datetime) -> Iterator[None]:
    replace_clocks(stack, REAL.replace("clock_timestamp()", f"''{moment.isoformat()}''::timestamptz"))
    try:
        yield
    finally:
        replace_clocks(stack, REAL)


def grant(who: Client, to: Client, permission: str = "customer:read", **about: Any) -> httpx.Response:
    return who.request("POST", f"/v1/users/{to.user['id']}/grants", {"permission": permission} | about)


def granted(who: Client, to: Client, permission: str = "customer:read", **about: Any) -> dict[str, Any]:
    found: dict[str, Any] = expect(201, grant(who, to, permission, **about))
    return found


def withdraw(who: Client, to: Client, grant_id: str) -> httpx.Response:
    return who.request("DELETE", f"/v1/users/{to.user['id']}/grants/{grant_id}")


def sees(who: Client, customer: str, url: str = "") -> int:
    return who.http.get(f"{url}/v1/customers/{customer}", headers={"Authorization": f"Bearer {who.token}"}).status_code


def listed(who: Client) -> set[str]:
    return {line["id"] for line in who.pages("/v1/customers?of=visible")}


# --- what a grant gives, and when it ends


def test_a_grant_on_a_person_counts_until_its_moment_and_not_at_it(stack: Stack, team: Team) -> None:
    theirs, others = team.rep.entered(), team.colleague.entered()
    until = datetime.now(UTC) + timedelta(minutes=10)
    given = granted(team.supervisor, team.neighbour, person_id=team.rep.user["id"], until=until.isoformat())
    assert (given["is_live"], given["given_by"]) == (True, team.supervisor.user["id"])
    for url in stack.gateway_urls:
        eventually(lambda u=url: sees(team.neighbour, theirs, u), seconds=1, until=lambda status: status == 200)
    assert listed(team.neighbour) & {theirs, others} == {theirs}
    with clocks_at(stack, until - timedelta(microseconds=1)):
        assert sees(team.neighbour, theirs) == 200
        eventually(
            lambda: team.neighbour.get("/v1/me")["permissions"]["customer:read"], until=lambda word: word == "listed + own"
        )
        with clocks_at(stack, until):
            assert sees(team.neighbour, theirs) == 404
            assert theirs not in listed(team.neighbour)
            assert team.neighbour.get(f"/v1/users/{team.neighbour.user['id']}/grants")["items"] == []
    kept = team.neighbour.get(f"/v1/users/{team.neighbour.user['id']}/grants?state=all")["items"]
    assert given["id"] in [each["id"] for each in kept]
    assert withdraw(team.supervisor, team.neighbour, given["id"]).status_code == 204


def test_a_grant_on_a_department_counts_with_those_below_and_in_all_that_it_permits(team: Team) -> None:
    headquarters = team.headquarters
    below = {"agency_id": team.agency_id, "name": unique("部"), "parent_id": team.department_id}
    leaf = headquarters.person("rep", headquarters.admin.post("/v1/departments", below)["id"])
    customer = leaf.entered()
    outsider = headquarters.person("rep", team.other_department_id)
    for permission in ("customer:read", "customer:transfer"):
        granted(team.supervisor, outsider, permission, department_id=team.department_id)
    eventually(lambda: sees(outsider, customer), seconds=2, until=lambda status: status == 200)
    moved = eventually(
        lambda: outsider.act(customer, "transfer", to=team.rep.user["id"], reason="other"),
        seconds=5,
        until=lambda answer: answer.status_code not in (403, 404, 503),
    )
    assert moved.status_code == 200, moved.text
    assert outsider.act(customer, "release", reason="no_need").status_code == 404


def test_a_withdrawn_grant_is_felt_within_a_second(stack: Stack, team: Team) -> None:
    customer, who = team.rep.entered(), team.headquarters.person("rep", team.other_department_id)
    given = granted(team.admin, who, person_id=team.rep.user["id"])
    for url in stack.gateway_urls:
        eventually(lambda u=url: sees(who, customer, u), seconds=2, until=lambda status: status == 200)
    assert withdraw(team.admin, who, given["id"]).status_code == 204
    for url in stack.gateway_urls:
        eventually(lambda u=url: sees(who, customer, u), seconds=1, until=lambda status: status == 404)
    assert withdraw(team.admin, who, given["id"]).status_code == 204, "once more changes nothing"
    events = ask(stack, "SELECT version, data->>'withdrawn_by' FROM outbox WHERE aggregate_id = %s ORDER BY 1", given["id"])
    assert events == [(1, None), (2, team.admin.user["id"])]
    done = "SELECT count(*) FROM audit WHERE subject_id = %s AND operation LIKE 'identity.%%_grant' AND result = 'done'"
    assert ask(stack, done, who.user["id"]) == [(3,)]


def test_the_same_key_gives_one_grant(team: Team) -> None:
    who = team.headquarters.person("rep", team.other_department_id)
    body = {"permission": "note:read", "person_id": team.rep.user["id"]}
    assert told(team.admin.request("POST", f"/v1/users/{who.user['id']}/grants", body)) == (422, "invalid-request")
    body["permission"] = "customer:read"
    twice = [team.admin.post(f"/v1/users/{who.user['id']}/grants", body, Idempotency_Key="same-key") for _ in range(2)]
    assert twice[0] == twice[1]
    assert len(who.get(f"/v1/users/{who.user['id']}/grants")["items"]) == 1


# --- who may give


def test_nobody_grants_what_he_does_not_hold_there_or_not_for_as_long(stack: Stack, team: Team) -> None:
    who, soon = team.headquarters.person("rep", team.other_department_id), datetime.now(UTC) + timedelta(hours=1)
    supervisor, rep, neighbour = team.supervisor, team.rep.user["id"], team.neighbour.user["id"]
    before = ask(stack, "SELECT count(*) FROM row_grant")
    assert told(grant(supervisor, who, person_id=neighbour)) == (403, "above-your-rights")
    assert told(grant(supervisor, who, department_id=team.other_department_id)) == (403, "above-your-rights")
    assert told(grant(supervisor, who, "customer:update", person_id=rep)) == (403, "above-your-rights")
    assert told(grant(team.rep, who, person_id=rep)) == (403, "permission-denied")
    assert told(grant(supervisor, supervisor, person_id=rep)) == (403, "own-account")
    assert ask(stack, "SELECT count(*) FROM row_grant") == before
    # who holds it for an hour gives it for an hour at most
    for permission in ("customer:read", "grant:give"):
        granted(team.admin, supervisor, permission, person_id=neighbour, until=soon.isoformat())
    give = lambda: supervisor.get("/v1/me")["permissions"]["grant:give"]  # noqa: E731
    eventually(give, seconds=2, until=lambda word: word == "department + listed")
    granted(supervisor, who, person_id=neighbour, until=soon.isoformat())
    later = (soon + timedelta(seconds=1)).isoformat()
    assert told(grant(supervisor, who, person_id=neighbour, until=later)) == (403, "above-your-rights")
    assert told(grant(supervisor, who, person_id=neighbour)) == (403, "above-your-rights")
    denied = "SELECT count(*) FROM audit WHERE actor = %s AND result = 'denied' AND new->>'refused' = 'above-your-rights'"
    assert ask(stack, denied, supervisor.user["id"]) == [(5,)]


def test_other_agencies_are_not_there(team: Team, rivals: Team) -> None:
    given = granted(team.admin, team.neighbour, person_id=team.rep.user["id"])
    assert told(grant(team.admin, rivals.rep, person_id=team.rep.user["id"])) == (404, "not-found")
    assert told(grant(team.admin, team.neighbour, person_id=rivals.rep.user["id"])) == (404, "not-found")
    assert told(grant(team.admin, team.neighbour, department_id=rivals.department_id)) == (404, "not-found")
    assert told(grant(team.headquarters.admin, team.neighbour, department_id=rivals.department_id)) == (404, "not-found")
    assert told(withdraw(rivals.admin, team.neighbour, given["id"])) == (404, "not-found")
    assert told(rivals.admin.request("GET", f"/v1/users/{team.neighbour.user['id']}/grants")) == (404, "not-found")
    assert told(team.colleague.request("GET", f"/v1/users/{team.neighbour.user['id']}/grants")) == (404, "not-found")
    assert withdraw(team.supervisor, team.neighbour, given["id"]).status_code == 204, "who may give there may withdraw"
    assert told(withdraw(team.admin, team.neighbour, NOBODY)) == (404, "not-found")


@pytest.mark.parametrize(
    "body",
    [
        {"permission": "customer:read"},
        {"permission": "customer:read", "person_id": NOBODY, "department_id": NOBODY},
        {"permission": "user:create", "person_id": NOBODY},
        {"permission": "fly", "person_id": NOBODY},
        {"permission": "customer:read", "person_id": NOBODY, "until": "tomorrow"},
        {"permission": "customer:read", "person_id": "me"},
    ],
)
def test_a_bad_grant_is_refused(team: Team, body: dict[str, Any]) -> None:
    assert told(team.admin.request("POST", f"/v1/users/{team.neighbour.user['id']}/grants", body)) == (422, "invalid-request")


def test_a_grant_ends_in_the_future_goes_to_active_people_and_there_are_twenty_at_most(team: Team) -> None:
    who, rep = team.headquarters.person("rep", team.other_department_id), team.rep.user["id"]
    past = grant(team.admin, who, person_id=rep, until="2026-01-01T00:00:00Z")
    assert told(past) == (422, "grant-ends")
    for _ in range(20):
        granted(team.admin, who, person_id=rep)
    assert told(grant(team.admin, who, person_id=rep)) == (409, "too-many-grants")
    team.admin.post(f"/v1/users/{who.user['id']}/disable", None, status=200)
    assert told(grant(team.admin, who, person_id=rep)) == (409, "user-not-active")


# --- access explains itself


def explain(who: Client, action: str, thing: str, user: str | None = None) -> Any:
    return who.get(f"/v1/access/explain?action={action}&object={thing}" + (f"&user={user}" if user else ""))


def codes(explained: Any) -> dict[str, bool]:
    return {reason["code"]: reason["counts"] for reason in explained["reasons"]}


def test_an_explanation_says_what_a_request_answers(team: Team, rivals: Team) -> None:
    """For everybody and every kind of object: as the request itself does, so the explanation says."""
    held, theirs = team.rep.entered(), rivals.rep.entered()
    shared = team.rep.entered()
    path = f"/v1/customers/{shared}/collaborators/{team.neighbour.user['id']}"
    expect(200, team.rep.request("PUT", path, {"part": "support", "rights": ["read"]}))
    given = team.colleague.entered()
    granted(team.admin, team.neighbour, person_id=team.colleague.user["id"])
    eventually(lambda: sees(team.neighbour, given), seconds=2, until=lambda status: status == 200)
    pool, user = team.pools["agency"], team.colleague.user["id"]
    people = (team.rep, team.colleague, team.neighbour, team.supervisor, team.manager, team.admin, rivals.admin)
    tries = [
        *((("customer:read", f"customer:{id_}"), ("GET", f"/v1/customers/{id_}", None)) for id_ in (held, theirs, shared, given)),
        (
            ("customer:transfer", f"customer:{held}"),
            ("POST", f"/v1/customers/{held}/transfer", {"to": team.rep.user["id"], "reason": "other"}),
        ),
        (("pool:read", f"pool:{pool}"), ("GET", f"/v1/pools/{pool}", None)),
        (("pool:manage", f"pool:{pool}"), ("PATCH", f"/v1/pools/{pool}", {"name": unique("池")})),
        (("user:read", f"user:{user}"), ("GET", f"/v1/users/{user}", None)),
        (("user:update", f"user:{user}"), ("PATCH", f"/v1/users/{user}", {"display_name": "同事"})),
        (
            ("user:update", f"user:{team.admin.user['id']}"),
            ("PATCH", f"/v1/users/{team.admin.user['id']}", {"display_name": "新"}),
        ),
        (("grant:read", f"user:{user}"), ("GET", f"/v1/users/{user}/grants", None)),
        (("day:read", f"user:{user}"), ("GET", f"/v1/people/{user}/day", None)),
    ]
    for who in people:
        for (action, thing), (method, address, body) in tries:
            answer = who.request(method, address, body, **({"If_Match": '"999"'} if method == "PATCH" else {}))
            said = explain(who, action, thing)
            assert said["is_allowed"] is (answer.status_code not in (403, 404)), (who.user, action, thing, answer.text, said)
            assert said["is_allowed"] is not bool(said["needed"])


def test_the_chain_names_role_path_grant_and_fields(team: Team, rivals: Team) -> None:
    customer = team.rep.entered()
    thing, neighbour = f"customer:{customer}", team.headquarters.person("rep", team.other_department_id)
    by_role = explain(team.headquarters.person("supervisor", team.department_id), "customer:read", thing)
    assert by_role["is_allowed"]
    assert codes(by_role) == {
        "account_active": True, "role_grants": True, "owner": False, "department_path": True, "field_policy": True,
    }  # fmt: skip
    role = next(reason for reason in by_role["reasons"] if reason["code"] == "role_grants")
    assert (role["details"]["key"], role["details"]["scope"]) == ("supervisor", "department")
    of_neighbour = explain(team.admin, "customer:read", thing, neighbour.user["id"])
    assert not of_neighbour["is_allowed"]
    assert codes(of_neighbour) == {"account_active": True, "role_grants": False, "owner": False, "department_path": False}
    assert team.rep.user["id"] in of_neighbour["needed"][0]
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    granted(team.admin, neighbour, person_id=team.rep.user["id"], until=until)
    by_grant = explain(team.admin, "customer:read", thing, neighbour.user["id"])
    assert by_grant["is_allowed"]
    assert codes(by_grant)["row_grant"]
    reason = next(reason for reason in by_grant["reasons"] if reason["code"] == "row_grant")
    assert datetime.fromisoformat(reason["details"]["until"]) == datetime.fromisoformat(until)
    assert codes(explain(team.admin, "customer:transfer", thing, neighbour.user["id"])) == {
        "account_active": True, "nothing_grants": False, "owner": False, "department_path": False,
    }  # fmt: skip
    team.admin.post(f"/v1/users/{neighbour.user['id']}/disable", None, status=200)
    shut = explain(team.admin, "customer:read", thing, neighbour.user["id"])
    assert (shut["is_allowed"], codes(shut)["account_not_active"]) == (False, False)


def test_of_a_frozen_agency_nobody_is_let_in_and_that_is_the_reason(headquarters: Headquarters) -> None:
    team = headquarters.team()
    thing = f"customer:{team.rep.entered()}"
    headquarters.admin.post(f"/v1/agencies/{team.agency_id}/freeze", None, status=200)
    frozen = explain(headquarters.admin, "customer:read", thing, team.rep.user["id"])
    assert (frozen["is_allowed"], codes(frozen)["agency_frozen"], codes(frozen)["owner"]) == (False, False, True)
    assert frozen["needed"] == ["an agency that is not frozen: headquarters thaws it"]


def test_who_does_not_see_an_object_learns_nothing_of_it(team: Team, rivals: Team) -> None:
    hidden = explain(rivals.rep, "customer:read", f"customer:{team.rep.entered()}")
    missing = explain(rivals.rep, "customer:read", f"customer:{NOBODY}")
    assert hidden["reasons"] == missing["reasons"]
    assert codes(hidden) == {"no_such_object": False}
    for thing in (f"user:{team.rep.user['id']}", f"department:{team.department_id}", f"pool:{team.pools['agency']}"):
        assert codes(explain(rivals.admin, "user:update" if "pool" not in thing else "pool:manage", thing)) == {
            "no_such_object": False
        }


def test_others_are_explained_to_who_administers_them_alone(team: Team, rivals: Team) -> None:
    question = f"/v1/access/explain?action=user:read&object=user:{team.rep.user['id']}"
    for who in (team.rep, team.supervisor, team.manager):
        refused = who.request("GET", f"{question}&user={team.colleague.user['id']}")
        assert told(refused) == (403, "permission-denied")
    assert told(rivals.admin.request("GET", f"{question}&user={team.rep.user['id']}")) == (404, "not-found")
    assert explain(team.admin, "user:read", f"user:{team.rep.user['id']}", team.colleague.user["id"])["is_allowed"]
    for bad in ("customer:me", "thing:" + NOBODY, "customer"):
        answer = team.rep.request("GET", f"/v1/access/explain?action=customer:read&object={bad}")
        assert told(answer) == (422, "invalid-request")
    wrong = team.rep.request("GET", f"/v1/access/explain?action=user:create&object=customer:{team.rep.entered()}")
    assert told(wrong) == (422, "invalid-request")
