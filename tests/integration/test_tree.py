"""Agencies, departments and who is in them, over HTTP against the running system."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from random import Random
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from sqlalchemy import create_engine, make_url, select
from sqlalchemy.orm import Session

from embedded.stack import Stack
from ops.fsck import check
from ops.fsck.report import Finding
from services.contracts.base import SERVICES
from services.contracts.tree import MOST_LEVELS, DepartmentChanged
from services.directory.models import Department
from services.directory.queries import put_department
from tests.api import PASSWORD, Client, Headquarters, Team, company, digits, eventually, expect, unique

SIBLINGS = 6


@pytest.fixture(scope="module")
def admin(headquarters: Headquarters) -> Client:
    return headquarters.admin


@pytest.fixture(scope="module", autouse=True)
def whole(stack: Stack) -> Iterator[None]:
    """Whatever these tests have done: one forest under each agency, and the same in every copy."""
    yield
    urls = {service: stack.database_url(service) for service in SERVICES}
    about_the_tree = ("tree", "directory", "departments of people", "identity: as told", "allowances as decided")

    def findings() -> list[Finding]:
        """Not of what others have done on the same servers, which might never agree."""
        return [found for found in check(urls, wait=0).findings if any(part in found.invariant for part in about_the_tree)]

    assert eventually(findings, seconds=20, until=lambda found: found == []) == []


def ask(stack: Stack, service: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.owner_url(service)) as connection:
        return connection.execute(query, values).fetchall()  # type: ignore[arg-type]


def kind(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json()["type"]).removeprefix("urn:qudao:problem:")


def make(who: Client, agency: str, name: str | None = None, parent: str | None = None, **fields: Any) -> dict[str, Any]:
    body = {"agency_id": agency, "name": name or unique("部"), "parent_id": parent, **fields}
    found: dict[str, Any] = who.post("/v1/departments", body)
    return found


def department(who: Client, department_id: str) -> dict[str, Any]:
    found: dict[str, Any] = who.get(f"/v1/departments/{department_id}")
    return found


def act(who: Client, department_id: str, action: str, **body: Any) -> httpx.Response:
    return who.request("POST", f"/v1/departments/{department_id}/{action}", body or None)


def move(who: Client, department_id: str, parent_id: str | None) -> httpx.Response:
    return act(who, department_id, "move", parent_id=parent_id)


def edit(who: Client, path: str, **changes: Any) -> httpx.Response:
    version = who.get(path)["version"]
    return who.request("PATCH", path, changes, If_Match=f'"{version}"')


def at_once(*tasks: Callable[[], Any]) -> list[Any]:
    start = threading.Barrier(len(tasks))

    def run(task: Callable[[], Any]) -> Any:
        start.wait()
        return task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(run, tasks))


# --- agencies


def test_an_agency_is_renamed_and_its_departments_with_it(stack: Stack, admin: Client) -> None:
    name, new_name = unique("扬州"), unique("南京")
    agency = admin.post("/v1/agencies", {"name": name})
    path = f"/v1/agencies/{agency['id']}"
    first = make(admin, agency["id"], "一部")
    own = make(admin, agency["id"], name)
    already = make(admin, agency["id"], f"{new_name}二部")
    assert [each["name"] for each in (first, own, already)] == [f"{name}一部", name, f"{name}{new_name}二部"]

    answer = admin.request("PATCH", path, {"name": new_name}, If_Match='"1"')

    assert answer.headers["ETag"] == '"2"'
    assert expect(200, answer) == {
        "id": agency["id"],
        "version": 2,
        "name": new_name,
        "is_headquarters": False,
        "is_frozen": False,
    }
    listed = {each["id"]: each for each in admin.pages(f"/v1/departments?agency_id={agency['id']}")}
    assert {each["name"] for each in listed.values()} == {f"{new_name}一部", new_name, f"{new_name}二部"}
    assert {each["version"] for each in listed.values()} == {2}
    assert kind(admin.request("PATCH", path, {"name": "x"}, If_Match='"1"')) == (412, "version-conflict")
    assert admin.request("PATCH", path, {"name": "x"}).status_code == 428
    copied = "SELECT name FROM agency WHERE id = %s UNION ALL SELECT name FROM department WHERE id = %s"
    for service in ("customers", "activities", "rules"):
        eventually(
            lambda service=service: [name for (name,) in ask(stack, service, copied, agency["id"], first["id"])],
            until=lambda names: names == [new_name, f"{new_name}一部"],
        )


def test_a_name_that_would_meet_another_one_is_refused_and_nothing_is_renamed(admin: Client) -> None:
    name = unique("扬")
    agency = admin.post("/v1/agencies", {"name": name})
    make(admin, agency["id"], "州一部")
    other = make(admin, agency["id"], f"{name}州州一部")
    assert kind(edit(admin, f"/v1/agencies/{agency['id']}", name=admin.get("/v1/me")["agency_name"])) == (409, "name-taken")
    assert kind(edit(admin, f"/v1/departments/{other['id']}", name="州一部")) == (409, "name-taken")
    assert admin.get(f"/v1/agencies/{agency['id']}")["name"] == name
    assert department(admin, other["id"])["name"] == f"{name}州州一部"


def test_only_headquarters_renames_and_freezes_and_each_sees_its_own(stack: Stack, headquarters: Headquarters) -> None:
    team, other = headquarters.team(), headquarters.team()
    path = f"/v1/agencies/{team.agency_id}"
    for who in (team.rep, team.admin):
        assert who.get(path)["id"] == team.agency_id
        assert who.request("PATCH", path, {"name": "x"}, If_Match='"1"').status_code == 403
        assert who.request("POST", f"{path}/freeze").status_code == 403
    assert other.admin.request("GET", path).status_code == 404
    assert headquarters.admin.request("GET", f"/v1/agencies/{team.department_id}").status_code == 404
    assert headquarters.admin.get(path)["version"] == 1


def test_headquarters_cannot_be_frozen(admin: Client) -> None:
    own = admin.get("/v1/me")["agency_id"]
    assert kind(admin.request("POST", f"/v1/agencies/{own}/freeze")) == (409, "headquarters-stays")
    assert admin.get(f"/v1/agencies/{own}")["is_frozen"] is False


def test_nobody_of_a_frozen_agency_is_let_in_and_nothing_of_it_is_lost(stack: Stack, headquarters: Headquarters) -> None:
    team, admin = headquarters.team(), headquarters.admin
    rep, path = team.rep, f"/v1/agencies/{team.agency_id}"
    customer = rep.entered()
    in_pool = team.pooled("public")
    headers = {"Authorization": f"Bearer {rep.token}"}
    assert all(httpx.get(f"{url}/v1/me", headers=headers).status_code == 200 for url in stack.gateway_urls)

    key = unique("key")
    frozen = admin.post(f"{path}/freeze", None, status=200, Idempotency_Key=key)

    assert frozen["is_frozen"]
    for url in stack.gateway_urls:
        eventually(lambda u=url: httpx.get(f"{u}/v1/me", headers=headers).status_code, seconds=1, until=lambda s: s == 401)
    login = rep.user["login"]
    refused = rep.http.post("/v1/sessions", json={"login": login, "password": PASSWORD})
    assert kind(refused) == (403, "agency-frozen")
    wrong = rep.http.post("/v1/sessions", json={"login": login, "password": "not my password"})
    assert kind(wrong) == (401, "wrong-credentials")
    invited = headquarters.add_user("rep", team.department_id)
    code = headquarters.one_time_code(invited["id"])
    with_code = rep.http.post("/v1/sessions", json={"login": invited["login"], "password": code})
    assert kind(with_code) == (403, "agency-frozen")
    assert admin.get(f"/v1/customers/{customer}")["owner_id"] == rep.user["id"]
    assert admin.get(f"/v1/customers/{in_pool}")["pool_id"] == team.pools["public"]
    assert admin.post(f"{path}/freeze", None, status=200, Idempotency_Key=key) == frozen
    assert admin.post(f"{path}/freeze", None, status=200)["version"] == frozen["version"]  # as it was

    thawed = admin.post(f"{path}/thaw", None, status=200)
    assert (thawed["is_frozen"], thawed["version"]) == (False, 3)
    assert rep.request("GET", "/v1/me").status_code == 401  # the old session stays ended
    back = rep.log_in(login, PASSWORD)
    assert back.get(f"/v1/customers/{customer}")["owner_id"] == rep.user["id"]
    told = "SELECT name, version, data->>'change' FROM outbox WHERE aggregate_id = %s ORDER BY version"
    assert ask(stack, "identity", told, team.agency_id) == [
        ("agency_added", 1, None),
        ("agency_changed", 2, "frozen"),
        ("agency_changed", 3, "thawed"),
    ]


def test_who_logs_in_while_his_agency_is_frozen_is_out_afterwards(stack: Stack, headquarters: Headquarters) -> None:
    team, admin = headquarters.team(), headquarters.admin
    path, login = f"/v1/agencies/{team.agency_id}", team.rep.user["login"]
    body = {"login": login, "password": PASSWORD}

    def log_in() -> list[str]:
        answers = [team.rep.http.post("/v1/sessions", json=body) for _ in range(3)]
        return [answer.json()["token"] for answer in answers if answer.status_code == 201]

    *tokens, frozen = at_once(log_in, log_in, lambda: admin.request("POST", f"{path}/freeze"))
    expect(200, frozen)
    open_sessions = "SELECT count(*) FROM session JOIN person ON person.id = person_id WHERE login = %s AND ended_at IS NULL"
    assert ask(stack, "identity", open_sessions, login) == [(0,)]
    expect(200, admin.request("POST", f"{path}/thaw"))
    for token in chain.from_iterable(tokens):
        eventually(lambda t=token: Client(team.rep.http, t).request("GET", "/v1/me").status_code, until=lambda s: s == 401)


def test_a_frozen_agency_receives_no_web_registered_members(stack: Stack, headquarters: Headquarters) -> None:
    team, admin = headquarters.team(), headquarters.admin
    path, rep_id = f"/v1/territories/{team.agency_id}", team.rep.user["id"]
    eventually(lambda: admin.request("GET", path).status_code, until=lambda status: status == 200)
    expect(200, admin.request("PUT", path, {"places": ["540000"]}, If_Match='"0"'))

    def send() -> Any:
        member = {"name": company("拉萨"), "phone": f"0891-{digits()}", "province": "西藏", "city": "拉萨"}
        return admin.post("/v1/members", member)

    assert eventually(send, until=lambda member: member["person_id"])["person_id"] == rep_id
    frozen = "SELECT is_frozen FROM agency WHERE id = %s"
    expect(200, admin.request("POST", f"/v1/agencies/{team.agency_id}/freeze"))
    eventually(lambda: ask(stack, "customers", frozen, team.agency_id), until=lambda rows: rows == [(True,)])
    passed_over = send()
    assert (passed_over["agency_id"], passed_over["reason"]) == (admin.get("/v1/me")["agency_id"], "no_territory")


# --- departments


def test_a_department_has_a_kind_and_a_ceiling_and_is_shown(headquarters: Headquarters, admin: Client) -> None:
    agency = headquarters.agency()
    answer = admin.request(
        "POST",
        "/v1/departments",
        {"agency_id": agency["id"], "name": "苏州分公司", "kind": "branch", "ceiling": ["supervisor", "rep", "rep"]},
    )
    made = expect(201, answer)
    assert (made["kind"], made["ceiling"], made["status"], made["merged_into_id"]) == (
        "branch",
        ["rep", "supervisor"],
        "active",
        None,
    )
    assert answer.headers["Location"] == f"/v1/departments/{made['id']}"
    shown = admin.request("GET", answer.headers["Location"])
    assert (expect(200, shown), shown.headers["ETag"]) == (made, '"1"')
    plain = make(admin, agency["id"])
    assert (plain["kind"], plain["ceiling"]) == ("department", None)
    changed = expect(200, edit(admin, f"/v1/departments/{made['id']}", name="无锡分公司", kind="office"))
    assert (changed["name"], changed["kind"], changed["version"]) == (f"{agency['name']}无锡分公司", "office", 2)
    doubled = expect(200, edit(admin, f"/v1/departments/{made['id']}", name=changed["name"]))
    assert (doubled["name"], doubled["version"]) == (changed["name"], 2)  # as it was


@pytest.mark.parametrize(
    ("method", "path", "body", "pointer"),
    [
        ("POST", "", {"name": "x", "kind": "galaxy"}, "/kind"),
        ("POST", "", {"name": "x", "status": "frozen"}, "/status"),
        ("POST", "", {"name": "x", "path": "x"}, "/path"),
        ("PATCH", "", {"agency_id": "00000000-0000-0000-0000-000000000001"}, "/agency_id"),
        ("PATCH", "", {"name": None}, "/name"),
        ("POST", "/move", {}, "/parent_id"),
        ("POST", "/merge", {"into_id": "x"}, "/into_id"),
    ],
)
def test_bad_input_is_told_with_its_place(headquarters: Headquarters, method: str, path: str, body: Any, pointer: str) -> None:
    own = headquarters.admin.get("/v1/me")
    address = f"/v1/departments/{own['department_id']}{path}"
    if method == "POST" and not path:
        address, body = "/v1/departments", {"agency_id": own["agency_id"], **body}
    answer = headquarters.admin.request(method, address, body, If_Match='"1"')
    assert kind(answer) == (422, "invalid-request")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_tree_is_listed_level_by_level(headquarters: Headquarters, admin: Client) -> None:
    agency = headquarters.agency()["id"]
    top = [make(admin, agency)["id"] for _ in range(2)]
    below = [make(admin, agency, parent=top[0])["id"] for _ in range(3)]
    path = f"/v1/departments?agency_id={agency}"
    assert [each["id"] for each in admin.pages(f"{path}&is_top=true", limit=1)] == top
    assert [each["id"] for each in admin.pages(f"{path}&is_top=false")] == below
    assert [each["id"] for each in admin.pages(f"{path}&parent_id={top[0]}", limit=2)] == below
    expect(200, act(admin, top[1], "freeze"))
    assert [each["id"] for each in admin.pages(f"{path}&status=frozen")] == [top[1]]
    elsewhere = headquarters.person("agency_admin")
    assert elsewhere.pages(f"/v1/departments?parent_id={top[0]}") == []


def test_administrators_change_the_tree_of_their_own_agency_alone(stack: Stack, headquarters: Headquarters) -> None:
    team, other = headquarters.team(), headquarters.team()
    foreign, own = other.department_id, team.department_id
    before = ask(stack, "identity", "SELECT d::text FROM department AS d WHERE agency_id = %s ORDER BY id", other.agency_id)
    tries = [
        team.admin.request("GET", f"/v1/departments/{foreign}"),
        team.admin.request("PATCH", f"/v1/departments/{foreign}", {"name": "x"}, If_Match='"1"'),
        move(team.admin, foreign, None),
        move(team.admin, own, foreign),
        act(team.admin, foreign, "merge", into_id=other.other_department_id),
        act(team.admin, own, "merge", into_id=foreign),
        act(team.admin, foreign, "freeze"),
        act(team.admin, foreign, "thaw"),
        team.admin.request("POST", "/v1/departments", {"agency_id": team.agency_id, "name": "x", "parent_id": foreign}),
        move(headquarters.admin, own, foreign),  # nor does headquarters put it under another agency's
    ]
    assert {kind(answer) for answer in tries} == {(404, "not-found")}
    for who in (team.rep, team.supervisor, team.manager):
        writes = [move(who, own, None), act(who, own, "freeze"), act(who, own, "merge", into_id=team.other_department_id)]
        writes.append(who.request("PATCH", f"/v1/departments/{own}", {"name": "x"}, If_Match='"1"'))
        assert {kind(answer) for answer in writes} == {(403, "permission-denied")}
    after = ask(stack, "identity", "SELECT d::text FROM department AS d WHERE agency_id = %s ORDER BY id", other.agency_id)
    assert before == after
    assert department(team.admin, own)["version"] == 1
    expect(200, act(team.admin, own, "freeze"))
    expect(200, act(team.admin, own, "thaw"))


# --- moving


def test_a_department_moves_with_all_below_it_and_its_supervisor_follows_at_once(
    stack: Stack, headquarters: Headquarters, admin: Client
) -> None:
    team = headquarters.team()
    middle = make(admin, team.agency_id, parent=team.other_department_id)
    leaf = make(admin, team.agency_id, parent=middle["id"])
    rep = headquarters.person("rep", leaf["id"])
    customer = rep.entered()
    assert team.supervisor.request("GET", f"/v1/customers/{customer}").status_code == 404

    moved = expect(200, move(team.admin, middle["id"], team.department_id))

    assert moved["path"] == f"{team.department_id}.{middle['id']}"
    assert (moved["parent_id"], moved["version"]) == (team.department_id, 2)
    below = department(admin, leaf["id"])
    assert below["path"] == f"{moved['path']}.{leaf['id']}"
    assert below["version"] == 1
    seen = lambda: team.supervisor.request("GET", f"/v1/customers/{customer}").status_code  # noqa: E731
    eventually(seen, seconds=1, until=lambda status: status == 200)
    told = "SELECT count(*) FROM outbox WHERE aggregate_id IN (%s, %s) AND version > 1"
    assert ask(stack, "identity", told, middle["id"], leaf["id"]) == [(1,)]

    top = expect(200, move(team.admin, middle["id"], None))
    assert (top["parent_id"], top["path"]) == (None, middle["id"])
    eventually(seen, seconds=1, until=lambda status: status == 404)
    assert expect(200, move(team.admin, middle["id"], None))["version"] == 3  # as it was


def test_nothing_stands_below_itself_or_too_deep(headquarters: Headquarters, admin: Client) -> None:
    agency = headquarters.agency()["id"]
    chain = [make(admin, agency)["id"]]
    while len(chain) < MOST_LEVELS:
        chain.append(make(admin, agency, parent=chain[-1])["id"])
    body = {"agency_id": agency, "name": "x", "parent_id": chain[-1]}
    assert kind(admin.request("POST", "/v1/departments", body)) == (409, "tree-too-deep")
    assert kind(move(admin, chain[0], chain[-1])) == (409, "department-below-itself")
    assert kind(move(admin, chain[0], chain[0])) == (409, "department-below-itself")
    assert kind(act(admin, chain[0], "merge", into_id=chain[2])) == (409, "department-below-itself")
    assert kind(act(admin, chain[0], "merge", into_id=chain[0])) == (409, "department-below-itself")
    high = make(admin, agency)["id"]
    assert kind(move(admin, chain[0], high)) == (409, "tree-too-deep")
    expect(200, move(admin, chain[6], high))
    assert department(admin, chain[-1])["path"] == ".".join([high, *chain[6:]])


def test_two_moves_at_once_never_make_a_ring(headquarters: Headquarters, admin: Client) -> None:
    agency = headquarters.agency()["id"]
    for _ in range(SIBLINGS):
        one, other = make(admin, agency)["id"], make(admin, agency)["id"]
        answers = at_once(partial(move, admin, one, other), partial(move, admin, other, one))
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        paths = {each: department(admin, each)["path"].split(".") for each in (one, other)}
        assert sorted(len(path) for path in paths.values()) == [1, 2]


def test_what_is_added_below_a_department_while_it_moves_moves_with_it(headquarters: Headquarters, admin: Client) -> None:
    agency = headquarters.agency()["id"]
    target = make(admin, agency)["id"]
    for _ in range(SIBLINGS):
        moving = make(admin, agency)["id"]
        added, moved = at_once(partial(make, admin, agency, parent=moving), partial(move, admin, moving, target))
        expect(200, moved)
        assert department(admin, added["id"])["path"] == f"{target}.{moving}.{added['id']}"


def test_random_moves_at_once_leave_a_forest_that_all_copies_agree_on(stack: Stack, headquarters: Headquarters) -> None:
    agency, admin = headquarters.agency()["id"], headquarters.admin
    nodes = [make(admin, agency)["id"] for _ in range(8)]

    def shuffle(seed: int) -> list[int]:
        return [move(admin, nodes[(seed + i) % 8], nodes[(seed * 3 + i * 5 + 1) % 8]).status_code for i in range(8)]

    statuses = list(chain.from_iterable(at_once(*(partial(shuffle, seed) for seed in range(4)))))

    assert set(statuses) <= {200, 409}
    assert 200 in statuses
    rows = {each["id"]: each for each in admin.pages(f"/v1/departments?agency_id={agency}")}
    for row in rows.values():
        above = rows[row["parent_id"]]["path"] + "." if row["parent_id"] else ""
        assert row["path"] == above + row["id"]
        assert len(set(row["path"].split("."))) == row["path"].count(".") + 1
    paths = {row["id"]: row["path"].split(".") for row in rows.values()}
    copied = "SELECT id::text, ancestors::text[] FROM department WHERE agency_id = %s"
    for service in ("customers", "activities", "rules"):
        eventually(lambda s=service: dict(ask(stack, s, copied, agency)), until=lambda found: found == paths)


def place(department_id: UUID, version: int, *above: UUID) -> tuple[DepartmentChanged, int]:
    path = ".".join(map(str, (*above, department_id)))
    fields = {"agency_id": UUID(int=99), "parent_id": above[-1] if above else None, "name": "部", "path": path}
    return DepartmentChanged(department_id=department_id, change="moved", **fields), version


def test_a_copy_of_the_tree_is_the_same_in_whatever_order_it_hears_of_departments(stack: Stack) -> None:
    a, b, c, d = (UUID(int=number) for number in range(1, 5))
    # b below a, c below b, d on its own; then b out of a, a below c, and all of it below d
    history = [place(a, 1), place(b, 1, a), place(c, 1, a, b), place(d, 1)]
    history += [place(b, 2), place(a, 2, b, c), place(b, 3, d)]
    expected = {a: [d, b, c, a], b: [d, b], c: [d, b, c], d: [d]}
    engine = create_engine(make_url(stack.database_url("rules")).set(drivername="postgresql+psycopg"))
    shuffled = Random(7)
    with Session(engine) as session:
        for _ in range(150):
            for event, version in shuffled.sample(history, len(history)):
                put_department(session, event.department_id, event, version)
            copied = session.execute(select(Department.id, Department.ancestors).where(Department.id.in_(expected)))
            assert {id_: list(ancestors) for id_, ancestors in copied} == expected
            session.rollback()
    engine.dispose()


# --- merging and freezing


def test_a_merged_department_gives_everything_to_the_other_one_and_stays_as_a_sign(
    stack: Stack, headquarters: Headquarters
) -> None:
    team, admin = headquarters.team(), headquarters.admin
    old, new = team.department_id, team.other_department_id
    child = make(admin, team.agency_id, parent=old)
    leaf = make(admin, team.agency_id, parent=child["id"])
    both = headquarters.add_user("rep", new, other_department_ids=[old])
    third = make(admin, team.agency_id)["id"]
    guest = headquarters.add_user("rep", third, other_department_ids=[old])
    customer = team.rep.entered()
    manager, supervisor = team.manager, headquarters.person("supervisor", new)
    assert supervisor.request("GET", f"/v1/customers/{customer}").status_code == 404
    key = unique("key")

    merged = team.admin.post(f"/v1/departments/{old}/merge", {"into_id": new}, status=200, Idempotency_Key=key)

    assert {name: merged[name] for name in ("people", "departments", "managers")} == {
        "people": 4,
        "departments": 1,
        "managers": 1,
    }
    assert (merged["department"]["status"], merged["department"]["merged_into_id"]) == ("merged", new)
    assert team.admin.post(f"/v1/departments/{old}/merge", {"into_id": new}, status=200, Idempotency_Key=key) == merged
    assert department(admin, leaf["id"])["path"] == f"{new}.{child['id']}.{leaf['id']}"
    assert admin.get(f"/v1/users/{team.rep.user['id']}")["department_id"] == new
    assert admin.get(f"/v1/users/{both['id']}")["other_department_ids"] == []
    assert admin.get(f"/v1/users/{guest['id']}")["other_department_ids"] == [new]
    assert admin.get(f"/v1/users/{manager.user['id']}")["managed_department_ids"] == [new]
    assert admin.pages(f"/v1/users?department_id={old}") == []
    eventually(lambda: supervisor.request("GET", f"/v1/customers/{customer}").status_code, until=lambda s: s == 200)
    refused = [
        move(admin, old, None),
        act(admin, old, "freeze"),
        act(admin, old, "merge", into_id=third),
        act(admin, third, "merge", into_id=old),
        move(admin, third, old),
        edit(admin, f"/v1/departments/{old}", name="x"),
        edit(admin, f"/v1/users/{guest['id']}", department_id=old),
        admin.request("POST", "/v1/departments", {"agency_id": team.agency_id, "name": "x", "parent_id": old}),
        admin.request("POST", "/v1/users", {"login": unique("u"), "roles": ["rep"], "department_id": old}),
    ]
    assert {kind(answer) for answer in refused} == {(409, "department-merged")}
    assert all(answer.json()["merged_into_id"] == new for answer in refused)
    managing = {"roles": ["manager"], "managed_department_ids": [old]}
    assert kind(edit(admin, f"/v1/users/{guest['id']}", **managing)) == (422, "managed-departments-missing")
    name = department(admin, old)["name"]
    assert make(admin, team.agency_id, name)["name"] == name  # its name is free again
    audited = "SELECT new->>'merged_into_id', new->>'people' FROM audit WHERE operation LIKE '%%merge%%' AND subject_id = %s"
    assert ask(stack, "identity", audited, old) == [(new, "4")]


def test_roles_and_grants_that_name_a_merged_department_name_the_other_one_and_are_counted(
    stack: Stack, headquarters: Headquarters
) -> None:
    team = headquarters.team()
    old, new = team.department_id, team.other_department_id
    listed = [{"permission": each, "scope": "listed", "department_ids": [old]} for each in ("customer:read", "day:read")]
    role = team.admin.post("/v1/roles", {"name": unique("内勤"), "grants": listed})["id"]
    clerk = headquarters.person(role, make(team.admin, team.agency_id)["id"])
    guest = headquarters.person("rep", make(team.admin, team.agency_id)["id"])
    grant = {"permission": "customer:read", "department_id": old}
    path = f"/v1/users/{guest.user['id']}/grants"
    given = team.admin.post(path, grant)["id"]
    expect(204, team.admin.request("DELETE", f"{path}/{team.admin.post(path, grant)['id']}"))  # counts on nobody
    customer = team.neighbour.entered()

    merged = expect(200, act(team.admin, old, "merge", into_id=new))

    assert (merged["managers"], merged["grants"], merged["scopes"]) == (0, 1, 2)
    audited = "SELECT new->'grants', new->'scopes' FROM audit WHERE operation LIKE '%%merge%%' AND subject_id = %s"
    assert ask(stack, "identity", audited, old) == [(1, 2)]
    for who in (clerk, guest):
        eventually(lambda w=who: w.request("GET", f"/v1/customers/{customer}").status_code, until=lambda status: status == 200)
    shown = team.admin.get(f"/v1/roles/{role}")
    assert (shown["version"], shown["grants"][0]["department_ids"]) == (2, [new])
    assert {each["id"]: each["department_id"] for each in team.admin.pages(path)} == {given: new}


def test_what_would_count_on_nobody_of_a_merged_department_is_refused(headquarters: Headquarters) -> None:
    team = headquarters.team()
    old, new, guest = team.department_id, team.other_department_id, team.neighbour.user["id"]
    limit = {"subject": "department", "department_id": old, "limit": 7}
    expect(200, team.admin.request("PUT", "/v1/policies/stock-limit", limit))
    expect(200, act(team.admin, old, "merge", into_id=new))

    grant = {"permission": "customer:read", "department_id": old}
    granted = team.admin.request("POST", f"/v1/users/{guest}/grants", grant)
    limited = eventually(
        lambda: team.admin.request("PUT", "/v1/policies/stock-limit", limit), until=lambda answer: answer.status_code != 200
    )

    assert [(kind(each), each.json()["merged_into_id"]) for each in (granted, limited)] == [((409, "department-merged"), new)] * 2
    expect(200, team.admin.request("PUT", "/v1/policies/stock-limit", limit | {"limit": None}))  # what was set before goes


def test_a_grant_that_is_given_while_its_department_is_merged_is_on_the_other_one_or_refused(headquarters: Headquarters) -> None:
    team, admin = headquarters.team(), headquarters.admin
    guest = f"/v1/users/{headquarters.add_user('rep', team.department_id)['id']}/grants"
    for _ in range(SIBLINGS):
        old = make(admin, team.agency_id)["id"]
        merged, given = at_once(
            partial(act, admin, old, "merge", into_id=team.other_department_id),
            partial(admin.request, "POST", guest, {"permission": "customer:read", "department_id": old}),
        )
        assert expect(200, merged)["grants"] == (given.status_code == 201)
        assert given.status_code in (201, 409)
    assert {each["department_id"] for each in admin.pages(guest)} <= {team.other_department_id}


def test_nobody_comes_below_a_ceiling_with_more_than_it_allows(headquarters: Headquarters) -> None:
    team = headquarters.team()
    low = make(team.admin, team.agency_id, ceiling=["rep"])["id"]
    refused_too = {"agency_id": team.agency_id, "name": unique("部"), "ceiling": ["rep", str(UUID(int=7))]}
    wrong = team.admin.request("POST", "/v1/departments", refused_too)
    assert (kind(wrong), wrong.json()["errors"][0]["pointer"]) == ((422, "invalid-request"), "/ceiling/1")
    supervisor, rep = team.supervisor.user["id"], team.rep.user["id"]
    refused = [
        move(team.admin, team.department_id, low),
        act(team.admin, team.department_id, "merge", into_id=low),
        edit(team.admin, f"/v1/users/{supervisor}", department_id=low),
        edit(team.admin, f"/v1/users/{supervisor}", other_department_ids=[low]),
        edit(team.admin, f"/v1/users/{rep}", other_department_ids=[low], roles=["supervisor"]),
    ]
    assert {kind(answer) for answer in refused} == {(403, "above-ceiling")}
    expect(200, edit(team.admin, f"/v1/users/{rep}", other_department_ids=[low]))
    expect(200, move(team.admin, team.other_department_id, low))
    below = {"login": unique("u"), "roles": ["supervisor"], "department_id": team.other_department_id}
    assert kind(team.admin.request("POST", "/v1/users", below)) == (403, "above-ceiling")


def test_nobody_moves_a_department_into_his_own_sight(headquarters: Headquarters) -> None:
    team = headquarters.team()
    grants = [{"permission": "department:move", "scope": "agency"}, {"permission": "customer:read", "scope": "department"}]
    role = team.admin.post("/v1/roles", {"name": unique("编制"), "grants": grants})["id"]
    mover = headquarters.person(role, team.department_id)
    office = make(team.admin, team.agency_id)["id"]
    assert kind(move(mover, team.other_department_id, team.department_id)) == (403, "above-your-rights")
    expect(200, move(mover, team.other_department_id, office))
    assert department(team.admin, team.other_department_id)["path"] == f"{office}.{team.other_department_id}"


def test_a_role_that_is_given_while_a_department_comes_below_a_ceiling_is_refused_or_the_move_is(
    headquarters: Headquarters,
) -> None:
    team = headquarters.team()
    low = make(team.admin, team.agency_id, ceiling=["rep"])["id"]
    for _ in range(SIBLINGS):
        moving = make(team.admin, team.agency_id)["id"]
        user = headquarters.add_user("rep", make(team.admin, team.agency_id, parent=moving)["id"])
        given, moved = at_once(
            partial(edit, team.admin, f"/v1/users/{user['id']}", roles=["supervisor"]), partial(move, team.admin, moving, low)
        )
        assert sorted([given.status_code, moved.status_code]) == [200, 403]


def test_who_comes_while_a_department_is_merged_is_in_the_other_one_or_refused(headquarters: Headquarters) -> None:
    team, admin = headquarters.team(), headquarters.admin
    for _ in range(SIBLINGS):
        old, guest = make(admin, team.agency_id)["id"], headquarters.add_user("rep", team.department_id)
        body = {"login": unique("u"), "roles": ["rep"], "department_id": old}
        merged, added, joined = at_once(
            partial(act, admin, old, "merge", into_id=team.other_department_id),
            partial(admin.request, "POST", "/v1/users", body),
            partial(edit, admin, f"/v1/users/{guest['id']}", other_department_ids=[old]),
        )
        expect(200, merged)
        assert added.status_code in (201, 409)
        assert joined.status_code in (200, 409)
        assert admin.pages(f"/v1/users?department_id={old}") == []


def test_a_frozen_department_takes_nobody_and_its_people_go_on(headquarters: Headquarters, admin: Client) -> None:
    team = headquarters.team()
    rep, frozen = team.rep, team.department_id
    stranger = headquarters.add_user("rep", team.other_department_id)
    child = make(admin, team.agency_id, parent=frozen)["id"]

    assert expect(200, act(team.admin, frozen, "freeze"))["status"] == "frozen"

    refused = [
        move(admin, team.other_department_id, frozen),
        act(admin, team.other_department_id, "merge", into_id=frozen),
        edit(admin, f"/v1/users/{stranger['id']}", department_id=frozen),
        edit(admin, f"/v1/users/{stranger['id']}", other_department_ids=[frozen]),
        admin.request("POST", "/v1/departments", {"agency_id": team.agency_id, "name": "x", "parent_id": frozen}),
        admin.request("POST", "/v1/users", {"login": unique("u"), "roles": ["rep"], "department_id": frozen}),
    ]
    assert {kind(answer) for answer in refused} == {(409, "department-frozen")}
    rep.entered()
    expect(200, edit(admin, f"/v1/users/{rep.user['id']}", display_name="还在", department_id=frozen))
    expect(200, edit(admin, f"/v1/users/{stranger['id']}", roles=["manager"], managed_department_ids=[frozen]))
    expect(200, move(admin, child, None))
    expect(200, edit(admin, f"/v1/departments/{frozen}", name=unique("冻")))
    assert expect(200, act(team.admin, frozen, "thaw"))["status"] == "active"
    expect(200, edit(admin, f"/v1/users/{stranger['id']}", department_id=frozen))


# --- several departments


@pytest.fixture(scope="module")
def team(headquarters: Headquarters) -> Team:
    return headquarters.team()


def test_who_is_in_several_departments_is_a_colleague_in_each(headquarters: Headquarters, team: Team) -> None:
    admin = headquarters.admin
    office = make(admin, team.agency_id)["id"]
    body = [team.department_id, office, team.department_id]
    rep = headquarters.person("rep", office, other_department_ids=body)
    assert rep.user["other_department_ids"] == [team.department_id]  # each once, and home is not among them
    assert rep.get("/v1/me")["other_department_ids"] == [team.department_id]
    customer = rep.entered()
    seen = lambda: team.supervisor.request("GET", f"/v1/customers/{customer}").status_code  # noqa: E731
    eventually(seen, until=lambda status: status == 200)
    assert rep.user["id"] in {each["id"] for each in admin.pages(f"/v1/users?department_id={team.department_id}")}

    left = expect(200, edit(admin, f"/v1/users/{rep.user['id']}", other_department_ids=[]))
    assert left["other_department_ids"] == []
    eventually(seen, seconds=1, until=lambda status: status == 404)


def test_a_supervisor_of_several_departments_sees_the_people_of_each(headquarters: Headquarters, team: Team) -> None:
    admin = headquarters.admin
    office = make(admin, team.agency_id)["id"]
    below = make(admin, team.agency_id, parent=team.other_department_id)["id"]
    supervisor = headquarters.person("supervisor", office, other_department_ids=[team.other_department_id])
    rep = headquarters.person("rep", below)
    customer = rep.entered()
    assert supervisor.get(f"/v1/customers/{customer}")["id"] == customer
    assert customer in {row["id"] for row in supervisor.pages("/v1/customers?of=visible")}
    assert rep.user["id"] in {row["id"] for row in supervisor.pages("/v1/days")}
    expect(200, edit(admin, f"/v1/users/{supervisor.user['id']}", other_department_ids=[]))
    eventually(lambda: supervisor.request("GET", f"/v1/customers/{customer}").status_code, seconds=1, until=lambda s: s == 404)


def test_other_departments_are_of_the_own_agency_and_ten_at_most(headquarters: Headquarters, team: Team) -> None:
    foreign = headquarters.department()["id"]
    path = f"/v1/users/{team.rep.user['id']}"
    assert edit(headquarters.admin, path, other_department_ids=[foreign]).status_code == 404
    assert edit(headquarters.admin, path, other_department_ids=[foreign] * 11).status_code == 422
    assert edit(headquarters.admin, path, other_department_ids=None).status_code == 422
    body = {"login": unique("u"), "roles": ["rep"], "department_id": team.department_id, "other_department_ids": [foreign]}
    assert headquarters.admin.request("POST", "/v1/users", body).status_code == 404
    assert headquarters.admin.get(path)["other_department_ids"] == []
