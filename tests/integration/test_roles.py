"""Several roles, roles that administrators make, supervisors, and on whose records each scope counts; over HTTP."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx
import psycopg
import pytest

from embedded.stack import Stack
from tests.api import Client, Headquarters, Team, eventually, expect, unique

SELLING = [
    {"permission": "collision:check", "scope": "agency"},
    {"permission": "customer:claim", "scope": "own"},
    {"permission": "customer:create", "scope": "own"},
    {"permission": "customer:update", "scope": "own"},
    {"permission": "user:read", "scope": "agency"},
]


@pytest.fixture(scope="module")
def team(headquarters: Headquarters) -> Team:
    return headquarters.team()


@pytest.fixture(scope="module")
def rivals(headquarters: Headquarters) -> Team:
    return headquarters.team()


def told(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json().get("type", "")).removeprefix("urn:qudao:problem:")


def ask(stack: Stack, query: str, *values: Any, service: str = "identity") -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.owner_url(service)) as connection:
        return connection.execute(query, values).fetchall()  # type: ignore[arg-type]


def reading(scope: str, *departments: str) -> dict[str, Any]:
    return {"permission": "customer:read", "scope": scope} | ({"department_ids": departments} if departments else {})


def make(who: Client, *grants: dict[str, Any], **fields: Any) -> httpx.Response:
    return who.request("POST", "/v1/roles", {"name": unique("岗"), "grants": [*SELLING, *grants]} | fields)


def made(who: Client, *grants: dict[str, Any], **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = expect(201, make(who, *grants, **fields))
    return found


def change(who: Client, role: dict[str, Any], **changes: Any) -> httpx.Response:
    version = who.get(f"/v1/roles/{role['id']}")["version"]
    return who.request("PATCH", f"/v1/roles/{role['id']}", changes, If_Match=f'"{version}"')


def edit(who: Client, user_id: str, **changes: Any) -> httpx.Response:
    version = who.get(f"/v1/users/{user_id}")["version"]
    return who.request("PATCH", f"/v1/users/{user_id}", changes, If_Match=f'"{version}"')


def at_once(*asks: Callable[[], httpx.Response]) -> list[httpx.Response]:
    start = Barrier(len(asks))

    def run(each: Callable[[], httpx.Response]) -> httpx.Response:
        start.wait()
        return each()

    with ThreadPoolExecutor(len(asks)) as pool:
        return list(pool.map(run, asks))


def permissions(who: Client) -> dict[str, str]:
    found: dict[str, str] = who.get("/v1/me")["permissions"]
    return found


# --- several roles


def test_several_roles_count_wherever_one_of_them_does(headquarters: Headquarters, team: Team) -> None:
    both = headquarters.person(roles=["auditor", "rep"], department_id=team.department_id)
    assert both.user["roles"] == ["auditor", "rep"]
    assert permissions(both)["customer:read"] == "agency"
    assert permissions(both)["customer:claim"] == "own"
    customer = team.neighbour.entered()
    assert both.get(f"/v1/customers/{customer}")["id"] == customer
    assert both.act(customer, "release", reason="no_need").status_code == 404


def test_roles_are_given_once_each_and_ten_at_most(headquarters: Headquarters, team: Team) -> None:
    user = headquarters.add_user(roles=["rep", "rep", "supervisor"], department_id=team.department_id)
    assert user["roles"] == ["rep", "supervisor"]
    body = {"login": unique("u"), "department_id": team.department_id}
    for roles in ([], ["rep"] * 11, ["boss"], [None], "rep", ["00000000-0000-7000-8000-000000000000"]):
        assert told(team.admin.request("POST", "/v1/users", body | {"roles": roles})) == (422, "invalid-request")
    assert told(team.admin.request("POST", "/v1/users", body | {"role": "rep"})) == (422, "invalid-request")
    unknown = team.admin.request("POST", "/v1/users", body | {"roles": ["rep", "00000000-0000-7000-8000-000000000000"]})
    assert unknown.json()["errors"][0]["pointer"] == "/roles/1"


# --- roles that are made


def test_a_role_is_made_shown_changed_and_archived(stack: Stack, team: Team) -> None:
    answer = make(team.admin, reading("department"), duties="跟单", skills="会说英语", performance_standard="每天十个电话")
    role = expect(201, answer)
    assert answer.headers["Location"] == f"/v1/roles/{role['id']}"
    assert (role["version"], role["is_built_in"], role["is_common"], role["agency_id"]) == (1, False, False, team.agency_id)
    assert (role["duties"], role["skills"], role["performance_standard"]) == ("跟单", "会说英语", "每天十个电话")
    assert {"permission": "customer:read", "scope": "department", "department_ids": []} in role["grants"]
    assert team.rep.get(f"/v1/roles/{role['id']}") == role
    changed = expect(200, change(team.admin, role, name=unique("新"), duties=None))
    assert (changed["version"], changed["duties"], changed["grants"]) == (2, None, role["grants"])
    stale = team.admin.request("PATCH", f"/v1/roles/{role['id']}", {"duties": "x"}, If_Match='"1"')
    assert told(stale) == (412, "version-conflict")
    team.admin.post(f"/v1/roles/{role['id']}/archive", None, status=200)
    assert told(change(team.admin, role, duties="x")) == (409, "role-archived")
    assert told(team.admin.request("POST", f"/v1/roles/{role['id']}/archive")) == (409, "role-archived")
    assert role["id"] not in [each["id"] for each in team.admin.pages("/v1/roles")]
    assert role["id"] in [each["id"] for each in team.admin.pages("/v1/roles?archived=true", limit=2)]
    assert told(edit(team.admin, team.rep.user["id"], roles=[role["id"]])) == (422, "invalid-request")
    events = ask(stack, "SELECT version, name FROM outbox WHERE aggregate_id = %s ORDER BY 1", role["id"])
    assert events == [(1, "role_changed"), (2, "role_changed"), (3, "role_changed")]
    audited = ask(stack, "SELECT operation, result FROM audit WHERE subject_id = %s ORDER BY id", role["id"])
    assert audited == [(f"identity.{name}_role", "done") for name in ("create", "update", "archive")]


def test_built_in_roles_stand_first_in_the_list_and_are_read_only(team: Team) -> None:
    listed = [each["id"] for each in team.rep.pages("/v1/roles", limit=4)]
    assert listed[:6] == ["agency_admin", "auditor", "manager", "rep", "subsystem_admin", "supervisor"]
    rep = team.rep.get("/v1/roles/rep")
    assert (rep["is_built_in"], rep["agency_id"]) == (True, None)
    assert {"permission": "customer:claim", "scope": "own", "department_ids": []} in rep["grants"]
    assert team.admin.request("PATCH", "/v1/roles/rep", {"name": "x"}, If_Match='"1"').status_code == 422
    assert team.rep.request("GET", "/v1/roles/boss").status_code == 422


def test_the_same_key_makes_one_role(team: Team) -> None:
    body = {"name": unique("岗"), "grants": SELLING}
    twice = [team.admin.post("/v1/roles", body, Idempotency_Key="make-a-role") for _ in range(2)]
    assert twice[0] == twice[1]
    assert told(team.admin.request("POST", "/v1/roles", body)) == (409, "name-taken")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"grants": []}, "/grants"),
        ({"grants": [reading("own"), reading("agency")]}, "/grants"),
        ({"grants": [{"permission": "customer:claim", "scope": "department"}]}, "/grants/0"),
        ({"grants": [{"permission": "person:read", "scope": "all"}]}, "/grants/0"),
        ({"grants": [reading("listed")]}, "/grants/0"),
        ({"grants": [reading("everywhere")]}, "/grants/0/scope"),
        ({"grants": [{"permission": "fly", "scope": "own"}]}, "/grants/0/permission"),
        ({"name": " "}, "/name"),
        ({"is_common": True}, "/is_common"),
        ({"grants": [reading("listed", "00000000-0000-7000-8000-000000000000")]}, "/grants/0/department_ids"),
    ],
)
def test_a_bad_role_is_refused_where_it_is_wrong(team: Team, body: dict[str, Any], pointer: str) -> None:
    refused = team.admin.request("POST", "/v1/roles", {"name": unique("岗"), "grants": SELLING} | body)
    assert told(refused) == (422, "invalid-request")
    assert pointer in [error["pointer"] for error in refused.json()["errors"]]


def test_a_change_of_a_role_is_felt_in_open_sessions_within_a_second(
    stack: Stack, headquarters: Headquarters, team: Team
) -> None:
    role = made(team.admin, reading("own"))
    who = headquarters.person(roles=[role["id"]], department_id=team.department_id)
    customer = team.colleague.entered()
    assert who.request("GET", f"/v1/customers/{customer}").status_code == 404
    expect(200, change(team.admin, role, grants=[*SELLING, reading("department")]))
    headers = {"Authorization": f"Bearer {who.token}"}
    for url in stack.gateway_urls:
        see = lambda u=url: httpx.get(f"{u}/v1/customers/{customer}", headers=headers).status_code  # noqa: E731
        eventually(see, seconds=1, until=lambda status: status == 200)
    expect(200, change(team.admin, role, grants=[*SELLING, reading("own")]))
    for url in stack.gateway_urls:
        see = lambda u=url: httpx.get(f"{u}/v1/customers/{customer}", headers=headers).status_code  # noqa: E731
        eventually(see, seconds=1, until=lambda status: status == 404)


def test_people_of_a_made_role_hold_customers_as_it_says(stack: Stack, headquarters: Headquarters, team: Team) -> None:
    role = made(team.admin, reading("own"))
    holder = headquarters.add_user(roles=[role["id"]], department_id=team.department_id)
    customer = team.rep.entered()
    path = f"/v1/customers/{customer}/transfer"
    moved = eventually(
        lambda: team.supervisor.request("POST", path, {"to": holder["id"], "reason": "other"}),
        until=lambda answer: answer.status_code != 503,
    )
    assert moved.status_code == 200, moved.text
    # whoever has the role holds none any more once it does not say so
    expect(200, change(team.admin, role, grants=[reading("own")]))
    told_so = "SELECT abilities FROM person WHERE id = %s"
    eventually(lambda: ask(stack, told_so, holder["id"], service="customers"), until=lambda found: found == [([],)])
    other = team.rep.entered()
    refused = team.supervisor.request("POST", f"/v1/customers/{other}/transfer", {"to": holder["id"], "reason": "other"})
    assert told(refused) == (409, "receiver-unfit")


def test_a_role_that_counts_on_managed_departments_needs_some(headquarters: Headquarters, team: Team) -> None:
    role = made(team.admin, reading("own"))
    body = {"login": unique("u"), "department_id": team.department_id, "roles": [role["id"]]}
    refused = team.admin.request("POST", "/v1/users", body | {"managed_department_ids": [team.other_department_id]})
    assert told(refused) == (422, "managed-departments-missing")
    user = team.admin.post("/v1/users", body)
    managed = [*SELLING, reading("managed")]
    assert told(change(team.admin, role, grants=managed)) == (422, "managed-departments-missing")
    expect(200, edit(team.admin, user["id"], roles=["rep"]))
    expect(200, change(team.admin, role, grants=managed))
    assert told(edit(team.admin, user["id"], roles=[role["id"]])) == (422, "managed-departments-missing")
    overseer = headquarters.person(
        roles=[role["id"]], department_id=team.department_id, managed_department_ids=[team.other_department_id]
    )
    assert overseer.request("GET", f"/v1/customers/{team.neighbour.entered()}").status_code == 200


def test_a_role_that_somebody_has_is_not_archived_even_at_the_same_moment(headquarters: Headquarters, team: Team) -> None:
    for _ in range(5):
        role = made(team.admin)
        body = {"login": unique("u"), "department_id": team.department_id, "roles": [role["id"]]}
        given, archived = at_once(
            lambda b=body: headquarters.admin.request("POST", "/v1/users", b),
            lambda r=role: team.admin.request("POST", f"/v1/roles/{r['id']}/archive"),
        )
        assert sorted((given.status_code, archived.status_code)) in ([200, 422], [201, 409])
        if archived.status_code == 409:
            assert told(archived) == (409, "role-in-use")
            assert [each["id"] for each in team.admin.pages(f"/v1/users?role={role['id']}")] == [given.json()["id"]]


def test_of_eight_editors_of_a_role_none_overwrites_another(team: Team) -> None:
    role = made(team.admin)
    answers = at_once(*(lambda n=number: change(team.admin, role, duties=f"第{n}") for number in range(8)))
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) <= {200, 412}
    assert team.admin.get(f"/v1/roles/{role['id']}")["version"] == 1 + statuses.count(200)


# --- nobody gives more than he has


def test_roles_of_others_are_not_there(stack: Stack, team: Team, rivals: Team) -> None:
    role = made(team.admin)
    for who in (rivals.admin, rivals.rep):
        assert told(who.request("GET", f"/v1/roles/{role['id']}")) == (404, "not-found")
        assert role["id"] not in [each["id"] for each in who.pages("/v1/roles")]
    path = f"/v1/roles/{role['id']}"
    assert told(rivals.admin.request("PATCH", path, {"duties": "x"}, If_Match='"1"')) == (404, "not-found")
    assert told(rivals.admin.request("POST", f"{path}/archive")) == (404, "not-found")
    assert told(edit(rivals.admin, rivals.rep.user["id"], roles=[role["id"]])) == (422, "invalid-request")
    assert told(make(rivals.admin, agency_id=team.agency_id)) == (404, "not-found")
    for who in (team.rep, team.supervisor, team.manager):
        assert told(make(who)) == (403, "permission-denied")
    assert ask(stack, "SELECT version FROM role WHERE id = %s", role["id"]) == [(1,)]


def test_roles_of_headquarters_are_given_everywhere_and_made_there_alone(headquarters: Headquarters, team: Team) -> None:
    common = made(headquarters.admin, reading("department"))
    assert common["is_common"]
    assert common["id"] in [each["id"] for each in team.admin.pages("/v1/roles")]
    who = headquarters.person(roles=[common["id"]], department_id=team.department_id)
    assert who.request("GET", f"/v1/customers/{team.rep.entered()}").status_code == 200
    path = f"/v1/roles/{common['id']}"
    assert told(team.admin.request("PATCH", path, {"duties": "x"}, If_Match='"1"')) == (403, "above-your-rights")
    assert told(team.admin.request("POST", f"{path}/archive")) == (403, "above-your-rights")
    office = headquarters.admin.get("/v1/me")["department_id"]
    local = headquarters.person("agency_admin", office)
    assert told(local.request("PATCH", path, {"duties": "x"}, If_Match='"1"')) == (403, "above-your-rights")
    assert told(make(local)) == (403, "above-your-rights")
    assert edit(team.admin, team.colleague.user["id"], roles=["rep", common["id"]]).status_code == 200


def test_nobody_writes_into_a_role_what_he_could_not_give(headquarters: Headquarters, team: Team) -> None:
    for grant in (
        reading("all"),
        {"permission": "agency:create", "scope": "all"},
        {"permission": "user:create", "scope": "all"},
        {"permission": "collision:configure", "scope": "all"},
    ):
        assert told(make(team.admin, *([] if grant["permission"] == "user:read" else [grant]))) == (403, "above-your-rights")
        refused = make(headquarters.admin, grant, agency_id=team.agency_id)
        assert told(refused) == (403, "above-your-rights"), "only headquarters' roles count on all agencies"
    everywhere = made(headquarters.admin, reading("all"))
    assert told(edit(headquarters.admin, team.rep.user["id"], roles=[everywhere["id"]])) == (403, "above-your-rights")


def test_a_clerk_appoints_nobody_who_may_more_than_he(headquarters: Headquarters, team: Team) -> None:
    of_people = [{"permission": f"user:{action}", "scope": "agency"} for action in ("create", "update", "disable")]
    clerk = made(team.admin, *of_people, reading("own"))
    reading_all = made(team.admin, reading("agency"))
    who = headquarters.person(roles=[clerk["id"]], department_id=team.department_id)
    seller = made(team.admin)
    body = {"login": unique("u"), "department_id": team.department_id}
    assert who.request("POST", "/v1/users", body | {"roles": [seller["id"]]}).status_code == 201
    for role in ("supervisor", "agency_admin", "auditor", reading_all["id"]):
        refused = who.request("POST", "/v1/users", body | {"login": unique("u"), "roles": [role]})
        assert told(refused) == (403, "above-your-rights")
    assert told(edit(who, team.supervisor.user["id"], display_name="owned")) == (403, "above-your-rights")
    assert told(who.request("POST", f"/v1/users/{team.admin.user['id']}/disable")) == (403, "above-your-rights")
    assert told(edit(who, who.user["id"], department_id=team.other_department_id)) == (403, "own-account")


def test_a_clerk_moves_nobody_into_his_own_sight_or_below_who_may_more(headquarters: Headquarters, team: Team) -> None:
    of_people = [{"permission": f"user:{action}", "scope": "agency"} for action in ("create", "update")]
    clerk = made(team.admin, *of_people, reading("department"))
    leader = made(team.admin, {"permission": "day:read", "scope": "subordinates"})
    seller = made(team.admin)
    who = headquarters.person(roles=[clerk["id"]], department_id=team.department_id)
    lead = headquarters.add_user(roles=[leader["id"]], department_id=team.other_department_id)
    user = headquarters.add_user(roles=[seller["id"]], department_id=team.other_department_id)
    into_sight, below = edit(who, user["id"], department_id=team.department_id), edit(who, user["id"], supervisor_id=lead["id"])
    assert (told(into_sight), into_sight.json()["permission"]) == ((403, "above-your-rights"), "customer:read")
    assert (told(below), below.json()["permission"]) == ((403, "above-your-rights"), "day:read")
    expect(200, edit(team.admin, user["id"], supervisor_id=lead["id"]))
    expect(200, edit(team.admin, user["id"], department_id=team.department_id))
    expect(200, edit(who, user["id"], department_id=team.other_department_id))


def test_nobody_changes_his_own_rights(headquarters: Headquarters, team: Team) -> None:
    admin = headquarters.person("agency_admin", team.department_id)
    for changes in (
        {"roles": ["agency_admin", "auditor"]},
        {"department_id": team.other_department_id},
        {"supervisor_id": team.rep.user["id"]},
    ):
        assert told(edit(admin, admin.user["id"], **changes)) == (403, "own-account")
    assert edit(admin, admin.user["id"], display_name="新名").status_code == 200


# --- supervisors


def test_a_supervisor_is_of_the_agency_and_below_nobody_whom_he_supervises(
    headquarters: Headquarters, team: Team, rivals: Team
) -> None:
    top, middle, bottom = (headquarters.add_user("rep", team.department_id) for _ in range(3))
    assert expect(200, edit(team.admin, middle["id"], supervisor_id=top["id"]))["supervisor_id"] == top["id"]
    expect(200, edit(team.admin, bottom["id"], supervisor_id=middle["id"]))
    assert [each["id"] for each in team.admin.pages(f"/v1/users?supervisor_id={middle['id']}")] == [bottom["id"]]
    for supervisor in (bottom["id"], top["id"], middle["id"]):
        assert told(edit(team.admin, top["id"], supervisor_id=supervisor)) == (422, "supervisor-unfit")
    for stranger in (rivals.rep.user["id"], "00000000-0000-7000-8000-000000000000"):
        assert told(edit(headquarters.admin, top["id"], supervisor_id=stranger)) == (422, "supervisor-unfit")
    assert expect(200, edit(team.admin, middle["id"], supervisor_id=None))["supervisor_id"] is None
    new = {"login": unique("u"), "department_id": team.department_id, "roles": ["rep"], "supervisor_id": top["id"]}
    assert team.admin.post("/v1/users", new)["supervisor_id"] == top["id"]
    assert told(team.admin.request("POST", "/v1/users", new | {"supervisor_id": rivals.rep.user["id"]})) == (
        422,
        "supervisor-unfit",
    )


def test_two_who_put_each_other_above_themselves_make_no_circle(headquarters: Headquarters, team: Team) -> None:
    people = [headquarters.add_user("rep", team.department_id) for _ in range(3)]
    for _ in range(5):
        answers = at_once(
            *(lambda n=number: edit(team.admin, people[n]["id"], supervisor_id=people[(n + 1) % 3]["id"]) for number in range(3))
        )
        assert [answer.status_code for answer in answers].count(422) == 1
        for person in people:
            expect(200, edit(team.admin, person["id"], supervisor_id=None))


# --- on whose records


class Firm:
    """An agency: a lead with a chain of two below him in other departments, and a colleague in each department."""

    def __init__(self, headquarters: Headquarters) -> None:
        self.agency_id = headquarters.agency()["id"]
        self.upper, self.aside, self.far = (headquarters.department(self.agency_id)["id"] for _ in range(3))
        below = {"agency_id": self.agency_id, "name": unique("部"), "parent_id": self.upper}
        self.below = headquarters.admin.post("/v1/departments", below)["id"]
        self.admin = headquarters.person("agency_admin", self.far)
        self.roles = [made(self.admin, reading("own")), made(self.admin, reading("own"))]
        of_lead = {"roles": [role["id"] for role in self.roles]}
        self.lead = headquarters.person(department_id=self.upper, **of_lead)
        first = headquarters.person("rep", self.aside, supervisor_id=self.lead.user["id"])
        self.sellers = {
            "lead": self.lead,
            "first": first,
            "second": headquarters.person("rep", self.far, supervisor_id=first.user["id"]),
            "upper": headquarters.person("rep", self.upper),
            "below": headquarters.person("rep", self.below),
            "aside": headquarters.person("rep", self.aside),
        }
        self.customers = {who.entered(): name for name, who in self.sellers.items()}
        headquarters.team().rep.entered()

    def read_by(self, word: str, *reads: dict[str, Any]) -> set[str]:
        """Whose customers the lead finds in his list, in the count and one by one, which all say the same; of words that
        his passport says by now."""
        for role, grant in zip(self.roles, [*reads, reading("own")], strict=False):
            expect(200, change(self.admin, role, grants=[*SELLING, grant]))
        time.sleep(0.6)  # the word may be that of the passport before
        eventually(lambda: permissions(self.lead)["customer:read"], seconds=2, until=lambda said: said == word)
        shown = {n for id_, n in self.customers.items() if self.lead.request("GET", f"/v1/customers/{id_}").status_code == 200}
        listed = [self.customers[each["id"]] for each in self.lead.pages("/v1/customers?of=visible", limit=2)]
        assert sorted(listed) == sorted(shown)
        assert self.lead.get("/v1/customers/count?of=visible")["count"] == len(shown)
        return shown


@pytest.fixture(scope="module")
def firm(headquarters: Headquarters) -> Firm:
    return Firm(headquarters)


SUBORDINATES, EVERYBODY = {"lead", "first", "second"}, {"lead", "first", "second", "upper", "below", "aside"}


@pytest.mark.parametrize(
    ("scope", "seen"),
    [
        ("own", {"lead"}),
        ("subordinates", SUBORDINATES),
        ("department_alone", {"lead", "upper"}),
        ("department", {"lead", "upper", "below"}),
        ("agency", EVERYBODY),
    ],
)
def test_each_scope_shows_whose_it_names(firm: Firm, scope: str, seen: set[str]) -> None:
    assert firm.read_by(scope, reading(scope)) == seen


def test_listed_departments_count_with_those_below_and_with_what_is_ones_own(firm: Firm) -> None:
    assert firm.read_by("listed + own", reading("listed", firm.aside)) == {"lead", "first", "aside"}
    assert firm.read_by("listed + own", reading("listed", firm.upper, firm.far)) == {"lead", "upper", "below", "second"}


@pytest.mark.parametrize(
    ("scopes", "word", "seen"),
    [
        (("subordinates", "department_alone"), "department_alone + subordinates", SUBORDINATES | {"upper"}),
        (("subordinates", "department"), "department + subordinates", SUBORDINATES | {"upper", "below"}),
        (("department", "department_alone"), "department", {"lead", "upper", "below"}),
        (("subordinates", "agency"), "agency", EVERYBODY),
    ],
)
def test_two_roles_together_show_what_each_of_them_does(firm: Firm, scopes: tuple[str, str], word: str, seen: set[str]) -> None:
    assert firm.read_by(word, *map(reading, scopes)) == seen


def test_a_scope_together_with_listed_departments_shows_both(firm: Firm) -> None:
    seen = firm.read_by("listed + subordinates", reading("listed", firm.below), reading("subordinates"))
    assert seen == SUBORDINATES | {"below"}


def test_who_is_no_longer_below_somebody_is_out_of_his_sight(headquarters: Headquarters, firm: Firm) -> None:
    assert firm.read_by("subordinates", reading("subordinates"), reading("own")) == SUBORDINATES
    first = firm.sellers["first"].user["id"]
    expect(200, edit(firm.admin, first, supervisor_id=None))
    customer = next(id_ for id_, name in firm.customers.items() if name == "second")
    see = lambda: firm.lead.request("GET", f"/v1/customers/{customer}").status_code  # noqa: E731
    eventually(see, until=lambda status: status == 404)
    expect(200, edit(firm.admin, first, supervisor_id=firm.lead.user["id"]))
    eventually(see, until=lambda status: status == 200)
