"""Working on a customer together: collaborators whose rights end when they should, handoffs that come about once or never."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from embedded.stack import Stack
from services.contracts.permissions import abilities_of_built_in
from tests.api import PASSWORD, Client, Headquarters, Team, brand, company, digits, eventually, expect, unique
from tests.travel import REAL

SOMEBODY = "00000000-0000-7000-8000-000000000000"
EVERYTHING = ("note", "read", "update")


@pytest.fixture(scope="module")
def team(headquarters: Headquarters) -> Team:
    return headquarters.team()


@pytest.fixture(scope="module")
def rivals(headquarters: Headquarters) -> Team:
    return headquarters.team()


@pytest.fixture(scope="module")
def auditor(headquarters: Headquarters, team: Team) -> Client:
    return headquarters.person("auditor", team.department_id)


def slug(answer: Any) -> str:
    return str(answer.json().get("type", "")).removeprefix("urn:qudao:problem:")


def told(answer: Any) -> tuple[int, str]:
    return answer.status_code, slug(answer)


def rows(stack: Stack, query: str, *values: Any, service: str = "customers") -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.owner_url(service)) as owner:
        return owner.execute(query, values).fetchall()  # type: ignore[arg-type]


def share(who: Client, customer: str, whom: Client, *rights: str, **more: Any) -> httpx.Response:
    path = f"/v1/customers/{customer}/collaborators/{whom.user['id']}"
    return who.request("PUT", path, {"part": "support", "rights": rights or EVERYTHING} | more)


def shared(who: Client, customer: str, whom: Client, *rights: str, **more: Any) -> Any:
    return expect(200, share(who, customer, whom, *rights, **more))


def unshare(who: Client, customer: str, whom: Client) -> httpx.Response:
    return who.request("DELETE", f"/v1/customers/{customer}/collaborators/{whom.user['id']}")


def collaborators(who: Client, customer: str) -> list[Any]:
    found: list[Any] = who.get(f"/v1/customers/{customer}/collaborators")["items"]
    return found


def names(who: Client, customer: str) -> list[tuple[str, str]]:
    return [(one["person_id"], one["part"]) for one in collaborators(who, customer)]


def show(who: Client, customer: str) -> int:
    return who.request("GET", f"/v1/customers/{customer}").status_code


def edit(who: Client, customer: str, version: int = 1, **fields: Any) -> httpx.Response:
    return who.request("PATCH", f"/v1/customers/{customer}", fields or {"needs": "两台"}, If_Match=f'"{version}"')


def listed(who: Client, of: str) -> set[str]:
    return {line["id"] for line in who.pages(f"/v1/customers?of={of}")}


@contextmanager
def clock_at(stack: Stack, moment: str) -> Iterator[None]:
    """Inside, it is always this moment for customers."""
    with psycopg.connect(stack.owner_url("customers"), autocommit=True) as owner:
        owner.execute(REAL.replace("clock_timestamp()", f"''{moment}''::timestamptz"))  # type: ignore[arg-type]
        try:
            yield
        finally:
            owner.execute(REAL)


def in_ten_minutes() -> datetime:
    return datetime.now(UTC) + timedelta(minutes=10)


def together(*asks: Callable[[], httpx.Response]) -> list[httpx.Response]:
    start = Barrier(len(asks))

    def run(ask: Callable[[], httpx.Response]) -> httpx.Response:
        start.wait()
        return ask()

    with ThreadPoolExecutor(len(asks)) as pool:
        return list(pool.map(run, asks))


# --- what a collaborator sees and does


def test_a_collaborator_sees_the_customer_its_history_and_its_notes_until_he_is_removed(team: Team) -> None:
    customer = team.rep.entered(phone=f"0514-{digits()}")
    expect(201, team.rep.note(customer, maturity=1))
    reading = ("", "/ownership", "/notes", "/timeline", "/contacts", "/changes", "/collaborators")
    paths = [f"/v1/customers/{customer}{path}" for path in reading]
    assert {team.neighbour.request("GET", path).status_code for path in paths} == {404}

    given = shared(team.rep, customer, team.neighbour, "read", part="presales")

    assert given.pop("given_at")
    assert given == {
        "person_id": team.neighbour.user["id"],
        "person_name": team.neighbour.user["display_name"],
        "part": "presales",
        "rights": ["read"],
        "until": None,
        "given_by": team.rep.user["id"],
    }
    assert {team.neighbour.request("GET", path).status_code for path in paths} == {200}
    assert team.neighbour.get(paths[0]) == team.rep.get(paths[0])
    assert [one["person_id"] for one in collaborators(team.neighbour, customer)] == [team.neighbour.user["id"]]

    expect(204, unshare(team.rep, customer, team.neighbour))

    assert {team.neighbour.request("GET", path).status_code for path in paths} == {404}
    assert customer not in listed(team.neighbour, "shared")
    assert told(unshare(team.rep, customer, team.neighbour)) == (404, "not-found")


def test_what_is_shared_is_a_list_of_its_own(team: Team) -> None:
    who = team.headquarters.person("rep", team.department_id)
    first, second, third = (team.rep.entered(is_key=key) for key in (True, False, True))
    own = who.entered()
    for customer in (first, second, third):
        shared(team.rep, customer, who, "read")

    assert [line["id"] for line in who.pages("/v1/customers?of=shared", limit=2)] == [third, second, first]
    assert [line["id"] for line in who.pages("/v1/customers?of=shared&is_key=true")] == [third, first]
    assert [line["id"] for line in who.pages("/v1/customers?of=shared&sort=entered", limit=2)] == [first, second, third]
    beside = who.get(f"/v1/customers/{second}/neighbours?of=shared")
    assert (beside["previous_id"], beside["next_id"]) == (third, first)
    assert who.get("/v1/customers/count?of=shared")["count"] == 3
    for of in ("mine", "all", "visible"):
        assert listed(who, of) == {own}
    assert not listed(team.rep, "shared")


def test_who_oversees_a_department_finds_what_is_shared_with_him_from_another_one(team: Team) -> None:
    tag, own = unique("t"), brand(5)
    customer = team.neighbour.entered(f"扬州{own}机械厂", tags=[tag])
    for who in (team.supervisor, team.manager):
        shared(team.neighbour, customer, who)
        for asked in (f"tag={tag}", f"q={own}", f"tag={tag}&category=potential"):
            assert [line["id"] for line in who.pages(f"/v1/customers?of=shared&{asked}")] == [customer], asked
            assert who.get(f"/v1/customers/count?of=shared&{asked}")["count"] == 1, asked
            assert who.pages(f"/v1/customers?of=visible&{asked}") == []


def test_only_the_right_to_update_lets_a_collaborator_edit_and_only_what_he_has_read(team: Team) -> None:
    customer, number = team.rep.entered(), f"0514-{digits()}"
    taken = team.colleague.entered(phone=number)
    shared(team.rep, customer, team.neighbour, "read", "note")
    assert told(edit(team.neighbour, customer)) == (404, "not-found")
    shared(team.rep, customer, team.neighbour, "read", "update")

    changed = expect(200, edit(team.neighbour, customer, needs="三台", city="扬州"))

    assert (changed["version"], changed["needs"], changed["owner_id"]) == (2, "三台", team.rep.user["id"])
    assert told(edit(team.neighbour, customer, 1)) == (412, "version-conflict")
    assert told(edit(team.neighbour, customer, 2, phone=number)) == (409, "customer-collides")
    assert told(edit(team.neighbour, taken)) == (404, "not-found")
    path, person = f"/v1/customers/{customer}/contacts", {"name": "刘女士"}
    expect(200, team.neighbour.request("POST", path, person, If_Match='"2"'))
    shared(team.rep, customer, team.neighbour, "read", "note")
    assert told(team.neighbour.request("POST", path, person, If_Match='"3"')) == (404, "not-found")


def test_an_edit_by_a_collaborator_is_told_as_of_the_holders_department(stack: Stack, team: Team) -> None:
    customer = team.rep.entered()
    shared(team.rep, customer, team.neighbour)
    expect(200, edit(team.neighbour, customer))
    [(department, actor)] = rows(
        stack,
        "SELECT data ->> 'department_id', actor FROM outbox WHERE aggregate_id = %s AND name = 'customer_updated'",
        customer,
    )
    assert (department, actor) == (team.department_id, team.neighbour.user["id"])


def test_a_collaborator_does_with_a_customer_nothing_that_is_its_holders(team: Team) -> None:
    customer = team.rep.entered()
    shared(team.rep, customer, team.neighbour)

    assert told(team.neighbour.act(customer, "release", reason="no_need")) == (404, "not-found")
    assert told(share(team.neighbour, customer, team.colleague)) == (404, "not-found")
    assert told(share(team.neighbour, customer, team.neighbour)) == (404, "not-found")
    assert told(unshare(team.neighbour, customer, team.neighbour)) == (404, "not-found")
    assert told(offer(team.neighbour, customer, team.colleague)) == (404, "not-found")
    assert told(team.neighbour.act(customer, "transfer", to=team.neighbour.user["id"])) == (403, "permission-denied")


def test_a_collaborator_writes_notes_with_the_right_to_and_they_are_no_contact_of_the_holders(stack: Stack, team: Team) -> None:
    customer = team.pooled("public", source="web")
    expect(200, team.admin.act(customer, "assign", to=team.rep.user["id"]))
    shared(team.rep, customer, team.neighbour, "read", "update")
    assert told(team.neighbour.note(customer, maturity=1)) == (403, "not-the-owner")
    shared(team.rep, customer, team.neighbour, "read", "note", part="presales")

    note = expect(201, team.neighbour.note(customer, maturity=1, content="方案已发"))

    assert (note["part"], note["author_id"], note["is_effective"]) == ("presales", team.neighbour.user["id"], True)
    assert [one["id"] for one in team.rep.pages(f"/v1/customers/{customer}/notes")] == [note["id"]]
    eventually(lambda: team.neighbour.get("/v1/me/day")["effective_contacts"]["value"], until=lambda value: value == 1)
    assert [row["state"] for row in team.admin.pages("/v1/deadlines") if row["customer_id"] == customer] == ["open"]
    assert rows(stack, "SELECT FROM follow_up WHERE customer_id = %s", customer, service="activities") == []
    assert expect(201, team.rep.note(customer, maturity=0))["part"] is None
    eventually(
        lambda: [row["state"] for row in team.admin.pages("/v1/deadlines") if row["customer_id"] == customer],
        until=lambda states: states == ["met"],
    )
    expect(204, unshare(team.rep, customer, team.neighbour))
    assert told(team.neighbour.note(customer, maturity=1)) == (404, "not-found")


# --- when rights end


def test_rights_end_at_their_very_moment(stack: Stack, team: Team) -> None:
    customer, until = team.rep.entered(), in_ten_minutes()
    shared(team.rep, customer, team.neighbour, until=until.isoformat())

    with clock_at(stack, (until - timedelta(microseconds=1)).isoformat()):
        assert show(team.neighbour, customer) == 200
        assert customer in listed(team.neighbour, "shared")
        assert names(team.rep, customer) == [(team.neighbour.user["id"], "support")]
        expect(200, edit(team.neighbour, customer, 1))
        expect(201, team.neighbour.note(customer, maturity=1))
    with clock_at(stack, until.isoformat()):
        assert show(team.neighbour, customer) == 404
        assert customer not in listed(team.neighbour, "shared")
        assert names(team.rep, customer) == []
        assert told(edit(team.neighbour, customer, 2)) == (404, "not-found")
        assert told(team.neighbour.note(customer, maturity=1)) == (404, "not-found")
        assert told(unshare(team.rep, customer, team.neighbour)) == (404, "not-found")
        assert share(team.rep, customer, team.neighbour, until=until.isoformat()).status_code == 422


def test_what_has_ended_is_told_of_no_more_with_the_next_change(stack: Stack, team: Team) -> None:
    customer, until = team.rep.entered(), in_ten_minutes()
    shared(team.rep, customer, team.neighbour, "read", until=until.isoformat())
    with clock_at(stack, until.isoformat()):
        shared(team.rep, customer, team.colleague, "read")

    assert [[one["person_id"] for one in event["collaborators"]] for event in told_of_team(stack, customer)] == [
        [team.neighbour.user["id"]],
        [team.colleague.user["id"]],
    ]


def test_rights_rest_while_an_account_is_not_active(team: Team) -> None:
    customer = team.rep.entered()
    leaver = team.headquarters.person("rep", team.department_id)
    shared(team.rep, customer, leaver)
    path = f"/v1/users/{leaver.user['id']}"

    expect(200, team.admin.request("POST", f"{path}/disable"))

    assert leaver.request("GET", f"/v1/customers/{customer}").status_code == 401
    eventually(lambda: names(team.rep, customer), until=lambda found: found == [])
    assert told(share(team.rep, customer, leaver)) == (409, "receiver-unfit")
    expect(200, team.admin.request("POST", f"{path}/restore"))
    eventually(lambda: names(team.rep, customer), until=bool)
    assert show(leaver.log_in(leaver.user["login"], PASSWORD), customer) == 200


@pytest.mark.parametrize("way", ["release", "take back", "transfer", "kept and released"])
def test_rights_end_when_the_customer_changes_hands(team: Team, way: str) -> None:
    customer = team.rep.entered()
    shared(team.rep, customer, team.neighbour)
    if way == "release":
        expect(200, team.rep.act(customer, "release", reason="no_need"))
    elif way == "take back":
        expect(200, team.supervisor.act(customer, "release", reason="other"))
    else:
        keep = {"keep_collaborators": True} if way.startswith("kept") else {}
        expect(200, team.supervisor.act(customer, "transfer", to=team.colleague.user["id"], **keep))
        if keep:
            assert show(team.neighbour, customer) == 200
            expect(200, team.colleague.act(customer, "release", reason="no_need"))

    assert show(team.neighbour, customer) == 404
    assert customer not in listed(team.neighbour, "shared")


def test_who_is_kept_goes_on_with_the_new_holder_who_was_one_of_them(stack: Stack, team: Team) -> None:
    customer = team.rep.entered()
    until = in_ten_minutes().isoformat()
    shared(team.rep, customer, team.colleague, "read")
    shared(team.rep, customer, team.neighbour, until=until)
    to = {"to": team.colleague.user["id"], "keep_collaborators": True}
    expect(200, team.supervisor.act(customer, "transfer", **to))

    assert names(team.colleague, customer) == [(team.neighbour.user["id"], "support")]
    assert datetime.fromisoformat(collaborators(team.colleague, customer)[0]["until"]) == datetime.fromisoformat(until)
    assert show(team.rep, customer) == 404
    assert told(share(team.colleague, customer, team.colleague)) == (409, "already-theirs")
    assert [len(event["collaborators"]) for event in told_of_team(stack, customer)] == [1, 2, 1]


def test_over_agencies_nobody_is_kept(headquarters: Headquarters, team: Team, rivals: Team) -> None:
    customer = team.rep.entered()
    shared(team.rep, customer, team.neighbour)
    to = {"to": rivals.rep.user["id"], "keep_collaborators": True}
    expect(200, headquarters.admin.act(customer, "transfer", **to))

    assert names(rivals.rep, customer) == []
    assert show(team.neighbour, customer) == 404
    shared(rivals.rep, customer, rivals.colleague)
    assert names(rivals.rep, customer) == [(rivals.colleague.user["id"], "support")]


def test_who_is_removed_while_his_edit_waits_for_the_customer_does_not_get_it_in(stack: Stack, team: Team) -> None:
    customer = team.rep.entered()
    shared(team.rep, customer, team.neighbour)
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype IN ('tuple', 'transactionid') AND NOT granted"
    with psycopg.connect(stack.owner_url("customers")) as holder, ThreadPoolExecutor(1) as pool:
        holder.execute("SELECT FROM customer WHERE id = %s FOR UPDATE", [customer])
        answer = pool.submit(edit, team.neighbour, customer)
        eventually(lambda: rows(stack, waiting), until=lambda found: found == [(1,)])
        holder.execute("DELETE FROM collaborator WHERE customer_id = %s", [customer])
        holder.commit()
        assert told(answer.result()) == (404, "not-found")


# --- who may give rights to whom


def givers(team: Team, rivals: Team, auditor: Client) -> list[tuple[Client, int]]:
    """Everybody, and what he is told who tries to give something of the rep's customer away; 200 if he may."""
    may = (team.rep, team.supervisor, team.manager, team.admin, team.headquarters.admin)
    hidden = (team.colleague, team.neighbour, rivals.rep, rivals.supervisor, rivals.admin)
    return [*((who, 200) for who in may), *((who, 404) for who in hidden), (auditor, 403)]


def test_the_holder_and_who_oversees_him_give_rights_and_nobody_else(team: Team, rivals: Team, auditor: Client) -> None:
    customer, whom = team.rep.entered(), team.headquarters.person("rep", team.other_department_id)
    path = f"/v1/customers/{customer}/collaborators"
    for who, status in givers(team, rivals, auditor):
        assert share(who, customer, whom, "read").status_code == status
        shared(team.rep, customer, whom, "read")
        assert unshare(who, customer, whom).status_code == (204 if status == 200 else status)
        assert who.request("GET", path).status_code == (404 if status == 404 else 200)
    assert told(share(Client(team.rep.http), customer, whom)) == (401, "not-authenticated")


def test_nobody_gives_rights_to_himself_or_to_the_holder(team: Team, stack: Stack) -> None:
    customer = team.rep.entered()
    assert told(share(team.supervisor, customer, team.supervisor)) == (403, "own-rights")
    assert told(share(team.rep, customer, team.rep)) == (409, "already-theirs")
    assert told(share(team.supervisor, customer, team.rep)) == (409, "already-theirs")
    assert told(share(team.colleague, customer, team.colleague)) == (404, "not-found")
    refused = "SELECT DISTINCT new ->> 'refused' FROM audit WHERE actor = %s AND result = 'denied' AND new::text LIKE %s"
    assert rows(stack, refused, team.supervisor.user["id"], f"%{customer}%") == [("own-rights",)]
    assert told_of_team(stack, customer) == []


def test_people_of_another_agency_are_never_collaborators(headquarters: Headquarters, team: Team, rivals: Team) -> None:
    customer = team.rep.entered()
    for who in (team.rep, team.supervisor, team.admin):
        assert told(share(who, customer, rivals.rep)) == (404, "not-found")
    assert told(share(headquarters.admin, customer, rivals.rep)) == (409, "receiver-unfit")
    assert show(rivals.rep, customer) == 404
    assert names(team.rep, customer) == []


def test_a_right_gives_no_more_than_the_role_permits(team: Team, auditor: Client) -> None:
    customer = team.rep.entered()
    shared(team.rep, customer, auditor)
    assert told(edit(auditor, customer)) == (403, "permission-denied")
    assert told(auditor.note(customer, maturity=1)) == (403, "permission-denied")


def test_a_customer_in_a_pool_has_no_collaborators(team: Team) -> None:
    pooled = team.pooled("agency")
    assert told(share(team.admin, pooled, team.rep)) == (409, "not-held")
    assert told(offer(team.admin, pooled, team.rep)) == (409, "not-held")


@pytest.mark.parametrize(
    "body",
    [
        {"part": "support", "rights": []},
        {"part": "support", "rights": ["update"]},
        {"part": "support", "rights": ["read", "own"]},
        {"part": "holder", "rights": ["read"]},
        {"part": "support"},
        {"rights": ["read"]},
        {"part": "support", "rights": ["read"], "until": "2026-01-01T00:00:00Z"},
        {"part": "support", "rights": ["read"], "until": "2199-01-01T00:00:00"},
        {"part": "support", "rights": ["read"], "given_by": SOMEBODY},
    ],
)
def test_a_collaboration_of_another_form_is_refused(team: Team, body: Any) -> None:
    customer = team.rep.entered()
    path = f"/v1/customers/{customer}/collaborators/{team.neighbour.user['id']}"
    refused = team.rep.request("PUT", path, body)
    assert told(refused) == (422, "invalid-request")
    assert refused.json()["errors"][0]["pointer"]
    assert names(team.rep, customer) == []


def test_who_and_what_is_not_there_is_not_found(team: Team) -> None:
    customer = team.rep.entered()
    body = {"part": "support", "rights": ["read"]}
    assert told(team.rep.request("PUT", f"/v1/customers/{customer}/collaborators/{SOMEBODY}", body)) == (404, "not-found")
    assert told(team.rep.request("DELETE", f"/v1/customers/{customer}/collaborators/{SOMEBODY}")) == (404, "not-found")
    assert told(share(team.rep, SOMEBODY, team.neighbour)) == (404, "not-found")
    for path in ("acceptance", "withdrawal"):
        assert told(team.rep.request("POST", f"/v1/handoffs/{SOMEBODY}/{path}")) == (404, "not-found")
    assert told(team.rep.request("GET", f"/v1/handoffs/{SOMEBODY}")) == (404, "not-found")
    assert told(team.rep.act(customer, "handoffs", to=SOMEBODY, part="sales")) == (404, "not-found")


def told_of_team(stack: Stack, customer: str) -> list[Any]:
    """What the events say, in the order of their versions, which are contiguous."""
    query = (
        "SELECT version, data FROM outbox WHERE name = 'collaborators_changed' AND data ->> 'customer_id' = %s ORDER BY version"
    )
    found = rows(stack, query, customer)
    assert [version for version, _ in found] == list(range(1, len(found) + 1))
    return [data for _, data in found]


def test_every_change_is_told_in_full_and_audited_and_counted_once(stack: Stack, team: Team) -> None:
    customer = team.rep.entered()
    key, path = uuid4().hex, f"/v1/customers/{customer}/collaborators/{team.neighbour.user['id']}"
    body = {"part": "support", "rights": ["update", "read"]}
    answers = [team.rep.request("PUT", path, body, Idempotency_Key=key) for _ in range(3)]
    shared(team.rep, customer, team.colleague, "read", part="presales")
    for _ in range(2):
        expect(204, team.rep.request("DELETE", path, Idempotency_Key=key))

    assert len({answer.text for answer in answers}) == 1
    reading = {"person_id": team.colleague.user["id"], "part": "presales", "rights": ["read"], "until": None}
    updating = {"person_id": team.neighbour.user["id"], "part": "support", "rights": ["read", "update"], "until": None}
    both = sorted((reading, updating), key=lambda one: one["person_id"])
    assert [event["collaborators"] for event in told_of_team(stack, customer)] == [[updating], both, [reading]]
    audited = "SELECT operation, new -> 'collaborators' FROM audit WHERE subject_id = %s ORDER BY id"
    assert rows(stack, audited, customer)[1:] == [
        ("customers.put_collaborator", [updating]),
        ("customers.put_collaborator", both),
        ("customers.remove_collaborator", [reading]),
    ]
    assert team.rep.get(f"/v1/customers/{customer}")["version"] == 1
    assert told(team.rep.request("PUT", path, body | {"part": "other"}, Idempotency_Key=key)) == (422, "idempotency-key-reused")


def test_so_many_work_on_a_customer_and_no_more(stack: Stack, team: Team) -> None:
    customer = team.rep.entered()
    shared(team.rep, customer, team.neighbour)
    with psycopg.connect(stack.owner_url("customers")) as owner:
        owner.execute(
            "INSERT INTO collaborator SELECT customer_id, gen_random_uuid(), agency_id, part, rights, until, given_by, given_at"
            " FROM collaborator, generate_series(1, 49) WHERE customer_id = %s",
            [customer],
        )
    assert told(share(team.rep, customer, team.colleague)) == (409, "team-is-full")
    shared(team.rep, customer, team.neighbour, "read")
    with psycopg.connect(stack.owner_url("customers")) as owner:
        owner.execute("UPDATE collaborator SET until = clock() WHERE customer_id = %s AND person_id <> %s", [customer, SOMEBODY])
    shared(team.rep, customer, team.colleague)


def test_of_many_changes_at_once_each_is_counted(stack: Stack, team: Team) -> None:
    customer = team.rep.entered()
    whom = team.headquarters.people(6, team.department_id)

    answers = together(*(lambda one=one: share(team.rep, customer, one, "read") for one in whom))  # type: ignore[misc]

    assert {answer.status_code for answer in answers} == {200}
    assert {one["person_id"] for one in collaborators(team.rep, customer)} == {one.user["id"] for one in whom}
    assert [len(event["collaborators"]) for event in told_of_team(stack, customer)] == [1, 2, 3, 4, 5, 6]


# --- handoffs


def offer(who: Client, customer: str, to: Client, part: str = "account_manager", **more: Any) -> httpx.Response:
    return who.act(customer, "handoffs", to=to.user["id"], part=part, **more)


def offered(who: Client, customer: str, to: Client, part: str = "account_manager", **more: Any) -> str:
    return str(expect(201, offer(who, customer, to, part, **more))["id"])


def accept(who: Client, handoff: str, **headers: str) -> httpx.Response:
    return who.request("POST", f"/v1/handoffs/{handoff}/acceptance", **headers)


def refuse(who: Client, handoff: str, **body: Any) -> httpx.Response:
    return who.request("POST", f"/v1/handoffs/{handoff}/refusal", body or {"reason": "没有时间"})


def withdraw(who: Client, handoff: str) -> httpx.Response:
    return who.request("POST", f"/v1/handoffs/{handoff}/withdrawal")


def state_of(who: Client, handoff: str) -> str:
    return str(who.get(f"/v1/handoffs/{handoff}")["state"])


def owner_of(who: Client, customer: str) -> Any:
    return who.get(f"/v1/customers/{customer}")["owner_id"]


def told_of(stack: Stack, handoff: str) -> list[str]:
    query = "SELECT version, data ->> 'state' FROM outbox WHERE aggregate_id = %s AND name = 'handoff_changed' ORDER BY version"
    found = rows(stack, query, handoff)
    assert [version for version, _ in found] == list(range(1, len(found) + 1))
    return [state for _, state in found]


def test_what_is_offered_is_seen_by_the_receiver_and_changes_nothing_before_he_accepts(stack: Stack, team: Team) -> None:
    customer = team.rep.entered(name := company())
    answer = offer(team.rep, customer, team.colleague, note="合同已签", keep_as="presales")
    handoff = expect(201, answer)
    assert answer.headers["Location"] == f"/v1/handoffs/{handoff['id']}"
    assert (handoff["state"], handoff["name"], handoff["note"]) == ("open", name, "合同已签")
    waits = datetime.fromisoformat(handoff["expires_at"]) - datetime.fromisoformat(handoff["offered_at"])
    assert waits == timedelta(hours=72)
    [mine] = [one for one in team.colleague.pages("/v1/handoffs?of=mine&state=open") if one["id"] == handoff["id"]]
    assert mine == handoff
    assert (mine["from_name"], mine["to_name"]) == (team.rep.user["display_name"], team.colleague.user["display_name"])
    assert (owner_of(team.rep, customer), show(team.colleague, customer)) == (team.rep.user["id"], 404)

    accepted = expect(200, accept(team.colleague, handoff["id"]))

    assert (accepted["state"], accepted["closed_by"], accepted["version"]) == ("accepted", team.colleague.user["id"], 2)
    assert owner_of(team.colleague, customer) == team.colleague.user["id"]
    history = team.colleague.get(f"/v1/customers/{customer}/ownership")["items"]
    assert [(one["cause"], one["reason"]) for one in history] == [("enter", None), ("handoff", "account_manager")]
    assert history[0]["until"] == history[1]["since"]
    [kept] = collaborators(team.colleague, customer)
    assert (kept["person_id"], kept["part"], kept["rights"]) == (team.rep.user["id"], "presales", ["note", "read"])
    assert (show(team.rep, customer), customer in listed(team.rep, "shared")) == (200, True)
    assert told_of(stack, handoff["id"]) == ["open", "accepted"]
    assert customer in listed(team.colleague, "mine")


def test_without_a_part_to_keep_the_giver_has_nothing_left(team: Team) -> None:
    customer = team.rep.entered()
    shared(team.rep, customer, team.neighbour)
    expect(200, accept(team.colleague, offered(team.rep, customer, team.colleague, "sales")))
    assert (show(team.rep, customer), show(team.neighbour, customer)) == (404, 404)
    assert names(team.colleague, customer) == []


def test_collaborators_stay_where_the_offer_says_so(stack: Stack, team: Team) -> None:
    customer = team.rep.entered()
    for whom in (team.neighbour, team.colleague):
        shared(team.rep, customer, whom)
    handoff = offered(team.rep, customer, team.colleague, keep_as="other", keep_collaborators=True)
    expect(200, accept(team.colleague, handoff))
    assert set(names(team.colleague, customer)) == {(team.neighbour.user["id"], "support"), (team.rep.user["id"], "other")}
    assert told_of_team(stack, customer)


def test_who_accepts_the_support_becomes_a_collaborator_and_the_holder_stays(stack: Stack, team: Team) -> None:
    customer = team.rep.entered()
    handoff = offered(team.rep, customer, team.neighbour, "support")
    assert show(team.neighbour, customer) == 404

    expect(200, accept(team.neighbour, handoff))

    assert owner_of(team.neighbour, customer) == team.rep.user["id"]
    [one] = collaborators(team.rep, customer)
    assert (one["part"], one["rights"], one["until"]) == ("support", list(EVERYTHING), None)
    expect(200, edit(team.neighbour, customer))
    expect(201, team.neighbour.note(customer, maturity=1))
    assert len(team.rep.get(f"/v1/customers/{customer}/ownership")["items"]) == 1
    assert told_of(stack, handoff) == ["open", "accepted"]


def test_a_refusal_says_why_and_a_withdrawal_ends_it_and_another_may_be_offered(stack: Stack, team: Team) -> None:
    customer = team.rep.entered()
    first = offered(team.rep, customer, team.colleague)
    again = offer(team.rep, customer, team.neighbour)
    assert (told(again), again.json()["handoff_id"]) == ((409, "handoff-open"), first)

    refused = expect(200, refuse(team.colleague, first, reason="没有时间"))
    second = offered(team.rep, customer, team.neighbour)
    withdrawn = expect(200, withdraw(team.rep, second))

    assert (refused["state"], refused["reason"], refused["closed_by"]) == ("refused", "没有时间", team.colleague.user["id"])
    assert (withdrawn["state"], withdrawn["closed_by"]) == ("withdrawn", team.rep.user["id"])
    assert (told_of(stack, first), told_of(stack, second)) == (["open", "refused"], ["open", "withdrawn"])
    for handoff, receiver, state in ((first, team.colleague, "refused"), (second, team.neighbour, "withdrawn")):
        for answer in (accept(receiver, handoff), refuse(receiver, handoff), withdraw(team.rep, handoff)):
            assert (told(answer), answer.json()["state"]) == ((409, "handoff-closed"), state)
    assert owner_of(team.rep, customer) == team.rep.user["id"]
    third = offered(team.rep, customer, team.colleague)
    path = f"/v1/handoffs?of=given&customer_id={customer}"
    assert [one["id"] for one in team.rep.pages(path, limit=2)] == [third, second, first]


def test_a_handoff_lapses_when_the_customer_changes_hands(stack: Stack, team: Team) -> None:
    ways: list[Callable[[str], httpx.Response]] = [
        lambda customer: team.rep.act(customer, "release", reason="no_need"),
        lambda customer: team.supervisor.act(customer, "transfer", to=team.supervisor.user["id"]),
    ]
    for move in ways:
        customer = team.rep.entered()
        handoff = offered(team.rep, customer, team.colleague)
        expect(200, move(customer))

        assert state_of(team.colleague, handoff) == "lapsed"
        for answer in (accept(team.colleague, handoff), refuse(team.colleague, handoff), withdraw(team.rep, handoff)):
            assert told(answer) == (409, "handoff-lapsed")
        assert told_of(stack, handoff) == ["open", "lapsed"]


def test_a_handoff_of_another_holding_comes_to_nothing(stack: Stack, team: Team) -> None:
    customer = team.rep.entered()
    handoff = offered(team.rep, customer, team.colleague)
    with psycopg.connect(stack.owner_url("customers")) as owner:
        owner.execute("UPDATE handoff SET holding = 7 WHERE id = %s", [handoff])
    assert told(accept(team.colleague, handoff)) == (409, "handoff-lapsed")
    assert owner_of(team.rep, customer) == team.rep.user["id"]


def test_a_customer_that_another_agency_has_by_now_cannot_be_accepted(
    headquarters: Headquarters, team: Team, rivals: Team
) -> None:
    customer = team.rep.entered()
    handoff = offered(team.rep, customer, team.colleague)
    expect(200, headquarters.admin.act(customer, "transfer", to=rivals.rep.user["id"]))
    assert told(accept(team.colleague, handoff)) == (409, "handoff-lapsed")
    assert state_of(team.rep, handoff) == "lapsed"


def test_a_handoff_lapses_at_its_very_moment_and_is_told_of_soon_after(stack: Stack, team: Team) -> None:
    until = in_ten_minutes()
    customers = [team.rep.entered() for _ in range(2)]
    first, second = (offered(team.rep, customer, team.colleague, expires_at=until.isoformat()) for customer in customers)

    with clock_at(stack, (until - timedelta(microseconds=1)).isoformat()):
        assert state_of(team.colleague, first) == "open"
        expect(200, accept(team.colleague, first))
    with clock_at(stack, until.isoformat()):
        assert state_of(team.colleague, second) == "lapsed"
        assert second in {one["id"] for one in team.colleague.pages("/v1/handoffs?state=lapsed")}
        assert second not in {one["id"] for one in team.colleague.pages("/v1/handoffs?state=open")}
        assert told(accept(team.colleague, second)) == (409, "handoff-lapsed")
        eventually(lambda: told_of(stack, second), until=lambda states: states == ["open", "lapsed"])
    assert state_of(team.colleague, second) == "lapsed"
    assert owner_of(team.rep, customers[1]) == team.rep.user["id"]
    offered(team.rep, customers[1], team.colleague)


def test_a_full_stock_keeps_a_handoff_open_until_there_is_room(stack: Stack, team: Team) -> None:
    receiver = team.headquarters.person("rep", team.department_id)
    limit_stock(stack, team, receiver, 1)
    held, customer = receiver.entered(), team.rep.entered()
    handoff, support = offered(team.rep, customer, receiver), team.rep.entered()

    full = accept(receiver, handoff)

    assert (told(full), full.json()["limit"]) == ((409, "stock-is-full"), 1)
    assert (state_of(receiver, handoff), owner_of(team.rep, customer)) == ("open", team.rep.user["id"])
    expect(200, accept(receiver, offered(team.rep, support, receiver, "support")))
    expect(200, receiver.act(held, "release", reason="no_need"))
    expect(200, accept(receiver, handoff))
    assert receiver.get("/v1/customers/count")["count"] == 1


def limit_stock(stack: Stack, team: Team, person: Client, limit: int) -> None:
    """And waits until it binds."""
    body = {"subject": "person", "person_id": person.user["id"], "limit": limit}
    expect(200, team.admin.request("PUT", "/v1/policies/stock-limit", body))
    query = "SELECT allowed FROM stock WHERE person_id = %s"
    eventually(lambda: rows(stack, query, person.user["id"]), until=lambda found: found in ([], [(limit,)]))


def test_nobody_accepts_a_company_that_another_holds_under_another_record(team: Team) -> None:
    name = company()
    twins = [team.pooled("public", name, keep_twin="两家都登记") for _ in range(2)]
    for twin in twins:
        expect(200, team.rep.act(twin, "claim"))
    handoff = offered(team.rep, twins[0], team.colleague)

    assert told(accept(team.colleague, handoff)) == (409, "held-elsewhere")

    assert (state_of(team.colleague, handoff), owner_of(team.rep, twins[0])) == ("open", team.rep.user["id"])
    expect(200, team.rep.act(twins[1], "release", reason="other"))
    expect(200, accept(team.colleague, handoff))


def test_who_can_hold_no_customers_is_offered_none(team: Team, auditor: Client) -> None:
    customer = team.rep.entered()
    for unfit in (auditor, team.admin):
        assert told(offer(team.rep, customer, unfit)) == (409, "receiver-unfit")
    leaver = team.headquarters.person("rep", team.department_id)
    expect(200, team.admin.request("POST", f"/v1/users/{leaver.user['id']}/disable"))
    eventually(lambda: told(offer(team.rep, customer, leaver)), until=lambda answer: answer == (409, "receiver-unfit"))


def test_who_may_offer_answer_see_and_withdraw(team: Team, rivals: Team, auditor: Client) -> None:
    customer, receiver = team.rep.entered(), team.headquarters.person("rep", team.other_department_id)
    for who, status in givers(team, rivals, auditor):
        answer = offer(who, customer, receiver)
        assert answer.status_code == (201 if status == 200 else status)
        if status == 200:
            offerer = who.user.get("user_id") or who.user["id"]
            assert (answer.json()["offered_by"], answer.json()["from_id"]) == (offerer, team.rep.user["id"])
            expect(200, withdraw(who, answer.json()["id"]))

    handoff = offered(team.rep, customer, receiver)
    for who, status in givers(team, rivals, auditor):
        answers_nothing = 404 if "holds" in abilities_of_built_in(who.user.get("roles", ())) else 403
        assert (accept(who, handoff).status_code, refuse(who, handoff).status_code) == (answers_nothing, answers_nothing)
        assert who.request("GET", f"/v1/handoffs/{handoff}").status_code == (404 if status == 404 else 200)
        found = {one["id"] for one in who.pages(f"/v1/handoffs?of=visible&customer_id={customer}")}
        assert (handoff in found) == (status != 404)
        if status != 200:
            assert withdraw(who, handoff).status_code == status
    assert withdraw(receiver, handoff).status_code == 404
    assert receiver.get(f"/v1/handoffs/{handoff}")["state"] == "open"


def test_a_customer_is_offered_neither_to_its_holder_nor_to_oneself_nor_to_strangers(
    headquarters: Headquarters, team: Team, rivals: Team
) -> None:
    customer = team.rep.entered()
    assert told(offer(team.rep, customer, team.rep)) == (409, "already-theirs")
    assert told(offer(team.supervisor, customer, team.rep)) == (409, "already-theirs")
    assert told(offer(team.supervisor, customer, team.supervisor)) == (403, "own-rights")
    assert told(offer(team.rep, customer, rivals.rep)) == (404, "not-found")
    assert told(offer(headquarters.admin, customer, rivals.rep)) == (409, "receiver-unfit")
    assert team.rep.pages(f"/v1/handoffs?of=given&customer_id={customer}") == []


@pytest.mark.parametrize(
    "body",
    [
        {"part": "sales"},
        {"to": SOMEBODY},
        {"to": "nobody", "part": "sales"},
        {"to": SOMEBODY, "part": "presales"},
        {"to": SOMEBODY, "part": "sales", "keep_as": "sales"},
        {"to": SOMEBODY, "part": "sales", "note": ""},
        {"to": SOMEBODY, "part": "sales", "state": "accepted"},
    ],
)
def test_an_offer_of_another_form_is_refused(team: Team, body: Any) -> None:
    assert told(team.rep.act(team.rep.entered(), "handoffs", **body)) == (422, "invalid-request")


def test_an_offer_waits_neither_into_the_past_nor_for_ever_and_a_refusal_has_a_reason(team: Team) -> None:
    customer = team.rep.entered()
    for moment in ("2026-01-01T00:00:00Z", (datetime.now(UTC) + timedelta(days=31)).isoformat()):
        refused = offer(team.rep, customer, team.colleague, expires_at=moment)
        assert (told(refused), refused.json()["errors"][0]["pointer"]) == ((422, "invalid-request"), "/expires_at")
    handoff = offered(team.rep, customer, team.colleague)
    for body in ({"reason": ""}, {"reason": None}, {"why": "x"}):
        assert told(refuse(team.colleague, handoff, **body)) == (422, "invalid-request")
    assert told(team.colleague.request("GET", "/v1/handoffs?of=everybody")) == (422, "invalid-request")
    assert told(team.colleague.request("GET", "/v1/handoffs?cursor=x")) == (422, "invalid-cursor")


def test_the_same_command_again_is_answered_alike_and_done_once(stack: Stack, team: Team) -> None:
    customer, key = team.rep.entered(), uuid4().hex
    body = {"to": team.colleague.user["id"], "part": "sales"}
    path = f"/v1/customers/{customer}/handoffs"
    offers = [expect(201, team.rep.request("POST", path, body, Idempotency_Key=key)) for _ in range(2)]
    handoff = offers[0]["id"]
    accepted = [expect(200, accept(team.colleague, handoff, Idempotency_Key=key)) for _ in range(2)]
    again = expect(201, team.rep.request("POST", path, body, Idempotency_Key=key))

    assert offers == [again, again]
    assert accepted[0] == accepted[1]
    assert told_of(stack, handoff) == ["open", "accepted"]
    audited = "SELECT operation FROM audit WHERE subject_id = %s ORDER BY id"
    assert rows(stack, audited, handoff) == [("customers.offer_handoff",), ("customers.accept_handoff",)]


# --- at once


def check_history(stack: Stack, customer: str) -> list[str]:
    """The causes, of a history without gaps whose last stretch is the present state, with the stocks as counted."""
    stretches = rows(
        stack,
        "SELECT number, cause, held_from, held_until, owner_id, pool_id FROM ownership WHERE customer_id = %s ORDER BY number",
        customer,
    )
    assert [stretch[0] for stretch in stretches] == list(range(1, len(stretches) + 1))
    assert [stretch[3] for stretch in stretches] == [stretch[2] for stretch in stretches[1:]] + [None]
    now = rows(stack, "SELECT holding, owner_id, pool_id FROM customer WHERE id = %s", customer)
    assert now == [(stretches[-1][0], *stretches[-1][4:])]
    miscounted = """
        SELECT person_id FROM stock LEFT JOIN customer ON owner_id = person_id
        GROUP BY person_id, held HAVING held <> count(customer.id)
    """
    assert rows(stack, miscounted) == []
    return [stretch[1] for stretch in stretches]


def race(
    team: Team, other: Callable[[str, str], httpx.Response], times: int = 12
) -> Iterator[tuple[str, str, Sequence[httpx.Response]]]:
    """Acceptance and something else at the same moment, again and again."""
    for _ in range(times):
        customer = team.rep.entered()
        handoff = offered(team.rep, customer, team.colleague)
        yield customer, handoff, together(lambda h=handoff: accept(team.colleague, h), lambda c=customer, h=handoff: other(c, h))  # type: ignore[misc]


def test_accepted_and_withdrawn_at_once_is_one_of_them(stack: Stack, team: Team) -> None:
    for customer, handoff, answers in race(team, lambda _, handoff: withdraw(team.rep, handoff)):
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        accepted = answers[0]
        [lost] = [answer for answer in answers if answer.status_code == 409]
        is_accepted = accepted.status_code == 200
        assert (told(lost), lost.json()["state"]) == ((409, "handoff-closed"), "accepted" if is_accepted else "withdrawn")
        assert told_of(stack, handoff) == ["open", "accepted" if is_accepted else "withdrawn"]
        assert check_history(stack, customer) == ["enter", "handoff"][: 1 + is_accepted]


def test_accepted_and_released_at_once_is_one_of_them(stack: Stack, team: Team) -> None:
    for customer, handoff, (accepted, released) in race(team, lambda c, _: team.rep.act(c, "release", reason="no_need")):
        outcome = (told(accepted), told(released))
        assert outcome in (((200, ""), (404, "not-found")), ((409, "handoff-lapsed"), (200, "")))
        is_accepted = accepted.status_code == 200
        assert told_of(stack, handoff) == ["open", "accepted" if is_accepted else "lapsed"]
        assert check_history(stack, customer) == ["enter", "handoff" if is_accepted else "release"]


def test_accepted_twice_at_once_is_accepted_once(stack: Stack, team: Team) -> None:
    for customer, handoff, answers in race(team, lambda _, handoff: accept(team.colleague, handoff)):
        assert Counter(told(answer) for answer in answers) == {(200, ""): 1, (409, "handoff-closed"): 1}
        assert told_of(stack, handoff) == ["open", "accepted"]
        assert check_history(stack, customer) == ["enter", "handoff"]


def test_of_two_who_offer_at_once_one_offers(stack: Stack, team: Team) -> None:
    for _ in range(8):
        customer = team.rep.entered()
        answers = together(
            lambda c=customer: offer(team.rep, c, team.colleague),  # type: ignore[misc]
            lambda c=customer: offer(team.supervisor, c, team.neighbour),  # type: ignore[misc]
        )
        assert Counter(told(answer) for answer in answers) == {(201, ""): 1, (409, "handoff-open"): 1}
        assert rows(stack, "SELECT count(*) FROM handoff WHERE customer_id = %s", customer) == [(1,)]


def test_of_many_accepted_at_once_no_more_are_held_than_may_be(stack: Stack, team: Team) -> None:
    receiver = team.headquarters.person("rep", team.department_id)
    limit_stock(stack, team, receiver, 3)
    handoffs = [offered(team.rep, team.rep.entered(), receiver) for _ in range(8)]

    answers = together(*(lambda h=handoff: accept(receiver, h) for handoff in handoffs))  # type: ignore[misc]

    assert Counter(told(answer) for answer in answers) == {(200, ""): 3, (409, "stock-is-full"): 5}
    assert receiver.get("/v1/customers/count")["count"] == 3
    assert Counter(state_of(receiver, handoff) for handoff in handoffs) == {"accepted": 3, "open": 5}
