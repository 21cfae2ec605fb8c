"""Sales groups: members, admins with chosen rights, and how soon these are felt, over HTTP against the running system."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest

from embedded.stack import Stack
from services.contracts.groups import MOST_ADMINS
from tests.api import Client, Headquarters, Team, eventually, expect, unique

EVERY_RIGHT = ["assign_tasks", "change_rights", "manage_members", "see_customers", "see_work"]


@pytest.fixture(scope="module")
def team(headquarters: Headquarters) -> Team:
    return headquarters.team()


@pytest.fixture
def group(team: Team) -> str:
    return str(team.admin.post("/v1/groups", {"name": unique("组")})["id"])


def ask(stack: Stack, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.owner_url("identity")) as connection:
        return connection.execute(query, values).fetchall()  # type: ignore[arg-type]


def kind(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json()["type"]).removeprefix("urn:qudao:problem:")


def id_of(person: Client) -> str:
    return str(person.user["id"])


def put_member(who: Client, group: str, person: Client) -> httpx.Response:
    return who.request("PUT", f"/v1/groups/{group}/members/{id_of(person)}")


def put_admin(who: Client, group: str, person: Client, *rights: str) -> httpx.Response:
    return who.request("PUT", f"/v1/groups/{group}/admins/{id_of(person)}", {"rights": list(rights)})


def remove(who: Client, group: str, part: str, person: Client) -> httpx.Response:
    return who.request("DELETE", f"/v1/groups/{group}/{part}/{id_of(person)}")


def sees(who: Client, customer: str) -> Callable[[], bool]:
    return lambda: who.request("GET", f"/v1/customers/{customer}").status_code == 200


def at_once(*tasks: Callable[[], Any]) -> list[Any]:
    start = threading.Barrier(len(tasks))

    def run(task: Callable[[], Any]) -> Any:
        start.wait()
        return task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(run, tasks))


# --- groups


def test_a_group_is_made_renamed_listed_and_dissolved(stack: Stack, team: Team) -> None:
    name, key = unique("组"), unique("key")
    answer = team.admin.request("POST", "/v1/groups", {"name": name}, Idempotency_Key=key)
    made = expect(201, answer)
    assert made["agency_id"] == team.agency_id
    assert (made["name"], made["members"], made["admins"], made["is_dissolved"]) == (name, [], [], False)
    assert (answer.headers["Location"], answer.headers["ETag"]) == (f"/v1/groups/{made['id']}", '"1"')
    assert expect(201, team.admin.request("POST", "/v1/groups", {"name": name}, Idempotency_Key=key)) == made
    assert kind(team.admin.request("POST", "/v1/groups", {"name": name})) == (409, "name-taken")
    path = f"/v1/groups/{made['id']}"
    renamed = expect(200, team.admin.request("PATCH", path, {"name": f"{name}二"}, If_Match='"1"'))
    assert (renamed["name"], renamed["version"]) == (f"{name}二", 2)
    assert kind(team.admin.request("PATCH", path, {"name": "x"}, If_Match='"1"')) == (412, "version-conflict")
    assert team.admin.request("PATCH", path, {"name": "x"}).status_code == 428
    expect(200, put_member(team.admin, made["id"], team.rep))
    listed = [each["id"] for each in team.rep.pages(f"/v1/groups?person_id={id_of(team.rep)}", limit=1)]
    assert made["id"] in listed

    dissolved = expect(200, team.admin.request("POST", f"{path}/dissolve"))

    assert dissolved["is_dissolved"]
    assert expect(200, team.admin.request("POST", f"{path}/dissolve"))["version"] == dissolved["version"]
    refused = [
        put_member(team.admin, made["id"], team.colleague),
        put_admin(team.admin, made["id"], team.rep, "see_work"),
        remove(team.admin, made["id"], "members", team.rep),
        team.admin.request("PATCH", path, {"name": "x"}, If_Match=f'"{dissolved["version"]}"'),
    ]
    assert {kind(each) for each in refused} == {(409, "group-dissolved")}
    assert made["id"] not in {each["id"] for each in team.admin.pages("/v1/groups")}
    assert made["id"] in {each["id"] for each in team.admin.pages("/v1/groups?dissolved=true")}
    assert team.admin.post("/v1/groups", {"name": f"{name}二"})["id"] != made["id"]
    told = "SELECT version, name FROM outbox WHERE aggregate_id = %s ORDER BY 1"
    assert ask(stack, told, made["id"]) == [(each, "group_changed") for each in range(1, dissolved["version"] + 1)]
    audited = "SELECT count(*) FROM audit WHERE subject_id = %s AND result = 'done'"
    assert ask(stack, audited, made["id"]) == [(dissolved["version"] + 1,)]


def test_groups_of_another_agency_are_not_there(headquarters: Headquarters, team: Team, group: str) -> None:
    other = headquarters.team()
    for who in (other.admin, other.rep):
        assert who.request("GET", f"/v1/groups/{group}").status_code == 404
        assert put_member(who, group, who).status_code == 404
        assert put_admin(who, group, who, "see_work").status_code == 404
        assert remove(who, group, "members", who).status_code == 404
        assert group not in {each["id"] for each in who.pages("/v1/groups")}
    assert other.admin.request("POST", f"/v1/groups/{group}/dissolve").status_code == 404
    assert other.admin.request("POST", "/v1/groups", {"name": "x", "agency_id": team.agency_id}).status_code == 404
    assert put_member(team.admin, group, other.rep).status_code == 404
    assert put_admin(headquarters.admin, group, other.rep, "see_work").status_code == 404
    shown = headquarters.admin.get(f"/v1/groups/{group}")
    assert (shown["version"], shown["members"], shown["admins"]) == (1, [], [])


def test_an_auditor_reads_groups_and_changes_none(headquarters: Headquarters, team: Team, group: str) -> None:
    auditor = headquarters.person("auditor", team.department_id)
    assert auditor.get(f"/v1/groups/{group}")["id"] == group
    writes = [
        auditor.request("POST", "/v1/groups", {"name": "x"}),
        auditor.request("POST", f"/v1/groups/{group}/dissolve"),
        put_member(auditor, group, team.rep),
        put_admin(auditor, group, team.rep, "see_work"),
    ]
    assert {kind(each) for each in writes} == {(403, "permission-denied")}


@pytest.mark.parametrize("rights", [[], ["fly"], "see_work", None])
def test_rights_that_make_no_sense_are_refused(team: Team, group: str, rights: Any) -> None:
    answer = team.admin.request("PUT", f"/v1/groups/{group}/admins/{id_of(team.rep)}", {"rights": rights})
    assert kind(answer) == (422, "invalid-request")
    assert answer.json()["errors"][0]["pointer"].startswith("/rights")


# --- who may change what


def test_an_admin_of_a_group_does_what_his_rights_say_and_no_more(team: Team, group: str) -> None:
    rep, colleague = team.rep, team.colleague
    assert kind(put_member(rep, group, colleague)) == (403, "right-missing")
    expect(200, put_admin(team.admin, group, rep, "manage_members"))
    shown = expect(200, put_member(rep, group, colleague))
    assert [member["person_id"] for member in shown["members"]] == [id_of(colleague)]
    assert shown["admins"] == [{"person_id": id_of(rep), "person_name": rep.user["display_name"], "rights": ["manage_members"]}]
    assert expect(200, put_member(rep, group, colleague))["version"] == shown["version"]  # as it was
    assert kind(put_admin(rep, group, colleague, "manage_members")) == (403, "right-missing")
    assert kind(rep.request("POST", f"/v1/groups/{group}/dissolve")) == (403, "permission-denied")
    expect(200, remove(rep, group, "members", colleague))
    assert remove(rep, group, "members", colleague).status_code == 404
    expect(200, remove(rep, group, "admins", rep))  # his own
    assert kind(put_member(rep, group, colleague)) == (403, "right-missing")


def test_nobody_gives_or_takes_more_in_a_group_than_he_has_himself(stack: Stack, team: Team, group: str) -> None:
    first, second, third = team.rep, team.colleague, team.neighbour
    expect(200, put_admin(team.admin, group, first, "change_rights", "see_work"))
    expect(200, put_admin(team.admin, group, second, "see_customers"))
    before = ask(stack, "SELECT person_id, rights FROM group_admin WHERE group_id = %s ORDER BY 1", group)
    refused = [
        put_admin(first, group, third, "see_customers"),
        put_admin(first, group, second, "see_work"),  # it would take what he does not have
        remove(first, group, "admins", second),
        put_admin(first, group, first, "see_work"),
        put_admin(first, group, first, *EVERY_RIGHT),
    ]
    assert {kind(each) for each in refused} == {(403, "above-your-rights")}
    assert ask(stack, "SELECT person_id, rights FROM group_admin WHERE group_id = %s ORDER BY 1", group) == before
    expect(200, put_admin(first, group, third, "see_work"))
    expect(200, put_admin(first, group, third, "change_rights"))
    expect(200, remove(first, group, "admins", third))


def test_two_admins_who_take_each_others_rights_at_once_do_not_both(team: Team) -> None:
    both = [team.rep, team.colleague]
    for _ in range(6):
        group = team.admin.post("/v1/groups", {"name": unique("组")})["id"]
        for one in both:
            expect(200, put_admin(team.admin, group, one, "change_rights"))
        answers = at_once(
            lambda g=group: remove(both[0], g, "admins", both[1]), lambda g=group: remove(both[1], g, "admins", both[0])
        )
        assert sorted(answer.status_code for answer in answers) == [200, 403]
        assert len(team.admin.get(f"/v1/groups/{group}")["admins"]) == 1


def test_members_are_added_at_once_and_all_are_there(headquarters: Headquarters, team: Team, group: str) -> None:
    people = [headquarters.add_user("rep", team.department_id)["id"] for _ in range(8)]
    answers = at_once(*(lambda p=person: team.admin.request("PUT", f"/v1/groups/{group}/members/{p}") for person in people))
    assert {answer.status_code for answer in answers} == {200}
    shown = team.admin.get(f"/v1/groups/{group}")
    assert {member["person_id"] for member in shown["members"]} == set(people)
    assert shown["version"] == 9


def test_a_group_takes_active_colleagues_and_so_many_admins(headquarters: Headquarters, team: Team, group: str) -> None:
    gone = headquarters.add_user("rep", team.department_id)
    expect(200, headquarters.admin.request("POST", f"/v1/users/{gone['id']}/disable"))
    for part, body in (("members", None), ("admins", {"rights": ["see_work"]})):
        answer = team.admin.request("PUT", f"/v1/groups/{group}/{part}/{gone['id']}", body)
        assert kind(answer) == (409, "user-not-active")
    body = {"rights": ["see_work"]}
    for _ in range(MOST_ADMINS):
        person = headquarters.add_user("rep", team.department_id)["id"]
        expect(200, team.admin.request("PUT", f"/v1/groups/{group}/admins/{person}", body))
    assert kind(put_admin(team.admin, group, team.rep, "see_work")) == (409, "group-is-full")


# --- what is seen


def test_who_looks_after_a_group_sees_what_its_members_hold_until_he_or_they_are_removed(
    headquarters: Headquarters, stack: Stack, team: Team, group: str
) -> None:
    office = headquarters.department(team.agency_id)["id"]
    admin, member = headquarters.person("rep", office), team.neighbour
    customer = member.entered()
    is_seen = sees(admin, customer)
    assert not is_seen()
    expect(200, put_admin(team.admin, group, admin, "see_customers"))
    assert not is_seen()
    expect(200, put_member(team.admin, group, member))
    eventually(is_seen, seconds=1)
    assert customer in {line["id"] for line in admin.pages("/v1/customers?of=visible")}
    assert customer not in {line["id"] for line in admin.pages("/v1/customers?of=mine")}
    assert admin.request("PATCH", f"/v1/customers/{customer}", {"needs": "x"}, If_Match='"1"').status_code == 404
    assert admin.act(customer, "release", reason="no_need").status_code == 404

    expect(200, remove(team.admin, group, "members", member))
    eventually(is_seen, seconds=1, until=lambda seen: not seen)
    expect(200, put_member(team.admin, group, member))
    eventually(is_seen, seconds=1)
    expect(200, put_admin(team.admin, group, admin, "see_work"))
    eventually(is_seen, seconds=1, until=lambda seen: not seen)
    expect(200, put_admin(team.admin, group, admin, *EVERY_RIGHT))
    eventually(is_seen, seconds=1)
    expect(200, team.admin.request("POST", f"/v1/groups/{group}/dissolve"))
    eventually(is_seen, seconds=1, until=lambda seen: not seen)
    assert sees(member, customer)()


def test_see_work_shows_days_and_with_the_customers_their_notes(headquarters: Headquarters, team: Team, group: str) -> None:
    office = headquarters.department(team.agency_id)["id"]
    admin, member = headquarters.person("rep", office), team.neighbour
    customer = member.entered()
    expect(201, member.note(customer, maturity=1))

    def days() -> set[str]:
        return {line["id"] for line in admin.pages("/v1/days")}

    expect(200, put_member(team.admin, group, member))
    expect(200, put_admin(team.admin, group, admin, "see_work"))
    eventually(days, seconds=2, until=lambda people: id_of(member) in people)
    assert id_of(team.colleague) not in days()
    assert admin.request("GET", f"/v1/customers/{customer}/notes").status_code == 404
    expect(200, put_admin(team.admin, group, admin, "see_customers", "see_work"))
    path = f"/v1/customers/{customer}/notes"
    eventually(lambda: admin.request("GET", path).status_code, seconds=1, until=lambda status: status == 200)
    assert [note["content"] for note in admin.pages(path)] == ["谈了合作"]


def test_nobody_adds_to_his_group_whom_he_would_come_to_see_himself(headquarters: Headquarters, team: Team, group: str) -> None:
    supervisor, member = team.supervisor, team.neighbour
    customer = member.entered()
    expect(200, put_admin(team.admin, group, supervisor, "manage_members", "see_customers"))
    assert kind(put_member(supervisor, group, member)) == (403, "above-your-rights")
    expect(200, put_member(supervisor, group, team.colleague))  # of his own department
    assert not sees(supervisor, customer)()
    expect(200, put_member(team.admin, group, member))
    eventually(sees(supervisor, customer), seconds=1)


def test_nobody_shows_to_another_admin_of_his_group_whom_he_does_not_see_himself(
    headquarters: Headquarters, team: Team, group: str
) -> None:
    office = headquarters.department(team.agency_id)["id"]
    seeing, adding = headquarters.person("rep", office), headquarters.person("supervisor", team.department_id)
    member = team.neighbour
    customer = member.entered()
    expect(200, put_admin(team.admin, group, seeing, "see_customers"))
    expect(200, put_admin(team.admin, group, adding, "manage_members"))

    assert kind(put_member(adding, group, member)) == (403, "above-your-rights")
    expect(200, put_member(adding, group, team.colleague))  # whom he sees himself

    assert not sees(seeing, customer)()
    expect(200, put_admin(team.admin, group, seeing, "assign_tasks"))
    expect(200, put_member(adding, group, member))  # nobody comes to see him


def test_who_leaves_while_he_is_added_to_a_group_is_in_it_no_more(
    headquarters: Headquarters, stack: Stack, team: Team, group: str
) -> None:
    gone = headquarters.add_user("rep", team.department_id)["id"]
    with psycopg.connect(stack.owner_url("identity")) as owner, ThreadPoolExecutor(2) as pool:
        owner.execute(IN_THE_WAY, [group])
        adding = pool.submit(team.admin.request, "PUT", f"/v1/groups/{group}/members/{gone}")
        eventually(lambda: waiting(stack), until=lambda count: count == 1)
        leaving = pool.submit(headquarters.admin.request, "POST", f"/v1/users/{gone}/leaving", {})
        eventually(lambda: leaving.done() or waiting(stack) == 2)
        owner.rollback()
        expect(202, leaving.result())
        assert adding.result().status_code in (200, 409)
    assert gone not in {member["person_id"] for member in team.admin.get(f"/v1/groups/{group}")["members"]}


def waiting(stack: Stack) -> int:
    """Those of identity who wait for a lock, as only its own user sees."""
    query = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with psycopg.connect(stack.database_url("identity")) as connection:
        return connection.execute(query).rowcount


IN_THE_WAY = """
    INSERT INTO outbox (id, name, aggregate_id, version, agency_id, actor, request_id, occurred_at, data)
    VALUES (gen_random_uuid(), 'group_changed', %s, 2, gen_random_uuid(), 'a test', 'a test', clock(), '{}')
"""
"""As long as it is not committed, who tells of the second version of this group waits."""


def test_a_right_in_a_group_explains_itself(team: Team, headquarters: Headquarters, group: str) -> None:
    office = headquarters.department(team.agency_id)["id"]
    admin, member = headquarters.person("rep", office), team.neighbour
    customer = member.entered()
    expect(200, put_member(team.admin, group, member))
    expect(200, put_admin(team.admin, group, admin, "see_customers"))
    path = f"/v1/access/explain?action=customer:read&object=customer:{customer}&user={id_of(admin)}"
    told = eventually(lambda: team.admin.get(path), until=lambda told: told["is_allowed"])
    assert "group_grants" in {reason["code"] for reason in told["reasons"] if reason["counts"]}


def test_who_may_not_see_as_much_by_his_departments_ceiling_looks_after_no_group(
    headquarters: Headquarters, team: Team, group: str
) -> None:
    low = {"agency_id": team.agency_id, "name": unique("部"), "ceiling": ["rep"]}
    rep = headquarters.add_user("rep", team.admin.post("/v1/departments", low)["id"])["id"]
    path = f"/v1/groups/{group}/admins/{rep}"
    refused = team.admin.request("PUT", path, {"rights": ["see_customers"]})
    assert kind(refused) == (403, "above-ceiling")
    expect(200, team.admin.request("PUT", path, {"rights": ["manage_members"]}))


def test_a_passport_with_twenty_groups_stays_small(headquarters: Headquarters, stack: Stack, team: Team) -> None:
    admin = headquarters.person("supervisor", team.department_id)
    for _ in range(20):
        group = team.admin.post("/v1/groups", {"name": unique("组")})["id"]
        expect(200, put_admin(team.admin, group, admin, *EVERY_RIGHT))
    member = team.neighbour
    customer = member.entered()
    expect(200, put_member(team.admin, group, member))
    eventually(sees(admin, customer), seconds=1)
