"""Ways from one right to another that nobody has given; over HTTP."""

from typing import Any

import httpx
import pytest

from tests.api import PASSWORD, Client, Headquarters, Team, eventually, expect, unique

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


def told(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json().get("type", "")).removeprefix("urn:qudao:problem:")


def of(permission: str, scope: str = "agency") -> dict[str, str]:
    return {"permission": permission, "scope": scope}


def make(who: Client, *grants: dict[str, Any]) -> httpx.Response:
    return who.request("POST", "/v1/roles", {"name": unique("岗"), "grants": grants})


def made(who: Client, *grants: dict[str, Any]) -> str:
    return str(expect(201, make(who, *grants))["id"])


def change(who: Client, path: str, **changes: Any) -> httpx.Response:
    version = who.get(path)["version"]
    return who.request("PATCH", path, changes, If_Match=f'"{version}"')


def user(who: Client) -> str:
    return f"/v1/users/{who.user['id']}"


def make_token(who: Client, *permissions: str) -> httpx.Response:
    return who.request("POST", "/v1/me/tokens", {"name": unique("p"), "permissions": permissions, "days": 1, "current": PASSWORD})


# --- programs


@pytest.mark.parametrize(
    "permission", ["grant:give", "group:manage", "member:configure", "role:manage", "user:leave", "user:restore", "user:update"]
)
def test_no_program_gives_rights_opens_accounts_hands_over_or_is_told_secrets(team: Team, permission: str) -> None:
    assert told(make_token(team.admin, permission)) == (422, "not-for-tokens")


@pytest.mark.parametrize("permission", ["agency:freeze", "field:configure"])
def test_no_program_shuts_an_agency_out_or_opens_fields(headquarters: Headquarters, permission: str) -> None:
    assert told(make_token(headquarters.admin, permission)) == (422, "not-for-tokens")


def test_a_program_of_who_lacks_a_second_factor_does_nothing_either(headquarters: Headquarters) -> None:
    team = headquarters.team()
    program = Client(team.admin.http, expect(201, make_token(team.admin, "user:read"))["secret"])
    assert program.request("GET", "/v1/users").status_code == 200
    expect(200, team.admin.request("PUT", "/v1/settings/login", {"factor_roles": ["agency_admin"]}, If_Match='"0"'))
    eventually(lambda: program.request("GET", "/v1/users").status_code, seconds=2, until=lambda status: status == 401)


# --- accounts


def test_nobody_resets_the_password_of_who_was_granted_more_than_he_could_give(headquarters: Headquarters, team: Team) -> None:
    of_clerks = made(team.admin, *SELLING, of("user:create"), of("user:reset"))
    clerk = headquarters.person(roles=[of_clerks], department_id=team.department_id)
    seller = made(team.admin, *SELLING)
    plain, trusted = (headquarters.person(roles=[seller], department_id=team.department_id) for _ in range(2))
    customer = team.neighbour.entered()
    team.admin.post(f"{user(trusted)}/grants", {"permission": "customer:read", "department_id": team.other_department_id})
    eventually(lambda: trusted.request("GET", f"/v1/customers/{customer}").status_code, until=lambda status: status == 200)
    assert told(clerk.request("POST", f"{user(trusted)}/password-reset")) == (403, "above-your-rights")
    explained = team.admin.get(f"/v1/access/explain?user={clerk.user['id']}&action=user:reset&object=user:{trusted.user['id']}")
    assert not explained["is_allowed"]
    assert clerk.request("POST", f"{user(plain)}/password-reset").status_code == 201
    group = team.admin.post("/v1/groups", {"name": unique("组")})["id"]
    expect(200, team.admin.request("PUT", f"/v1/groups/{group}/admins/{plain.user['id']}", {"rights": ["see_customers"]}))
    assert told(clerk.request("POST", f"{user(plain)}/password-reset")) == (403, "above-your-rights")
    assert team.admin.request("POST", f"{user(trusted)}/password-reset").status_code == 201


def test_nobody_changes_by_what_he_logs_in_without_his_password(team: Team) -> None:
    for changes in ({"email": f"{unique('e')}@example.com"}, {"staff_no": unique("9")}):
        assert told(change(team.admin, user(team.admin), **changes)) == (403, "own-account")
        assert change(team.admin, user(team.rep), **changes).status_code == 200
    assert change(team.admin, user(team.admin), display_name="新名", email=None).status_code == 200


def test_who_left_and_comes_back_has_neither_grants_nor_groups(headquarters: Headquarters, team: Team) -> None:
    leaver = headquarters.person("rep", team.department_id)
    customer = team.neighbour.entered()
    team.admin.post(f"{user(leaver)}/grants", {"permission": "customer:read", "department_id": team.other_department_id})
    group = f"/v1/groups/{team.admin.post('/v1/groups', {'name': unique('组')})['id']}"
    expect(200, team.admin.request("PUT", f"{group}/members/{leaver.user['id']}"))
    expect(200, team.admin.request("PUT", f"{group}/admins/{leaver.user['id']}", {"rights": ["see_customers"]}))
    leaving = team.admin.post(f"{user(leaver)}/leaving", {}, status=202)
    eventually(lambda: team.admin.get(f"/v1/leavings/{leaving['id']}")["status"], seconds=60, until=lambda said: said == "done")
    expect(200, team.admin.request("POST", f"{user(leaver)}/restore"))
    assert team.admin.get(f"{user(leaver)}/grants")["items"] == []
    shown = team.admin.get(group)
    assert (shown["members"], shown["admins"], shown["version"]) == ([], [], 4)
    again = leaver.log_in(leaver.user["login"], PASSWORD)
    assert again.request("GET", f"/v1/customers/{customer}").status_code == 404


# --- roles


def test_who_adds_users_makes_no_role_with_more_than_sellers_have(headquarters: Headquarters, team: Team) -> None:
    clerks = made(team.admin, *SELLING, of("role:manage"), of("user:create"), of("customer:read", "own"))
    clerk = headquarters.person(roles=[clerks], department_id=team.department_id)
    for permission in ("audit:read", "access:explain", "collaborator:manage", "customer:assign", "handoff:create"):
        assert told(make(clerk, of(permission))) == (403, "above-your-rights")
    assert told(make(clerk, of("customer:update"))) == (403, "above-your-rights")
    assert make(clerk, *SELLING, of("audit:read", "own")).status_code == 201
    assert make(team.admin, of("customer:update", "department")).status_code == 201


def test_nobody_writes_into_a_role_that_he_has_himself(headquarters: Headquarters, team: Team) -> None:
    role = made(team.admin, of("user:read"))
    admin = headquarters.person(roles=["agency_admin", role], department_id=team.department_id)
    more = [of("user:read"), of("customer:update")]
    assert told(change(admin, f"/v1/roles/{role}", grants=more)) == (403, "own-account")
    assert change(admin, f"/v1/roles/{role}", duties="管人").status_code == 200
    assert change(team.admin, f"/v1/roles/{role}", grants=more).status_code == 200


def test_a_common_role_is_headquarters_whatever_little_it_grants(headquarters: Headquarters, team: Team) -> None:
    role = made(headquarters.admin, of("profile:read", "own"))
    local = headquarters.person("agency_admin", headquarters.admin.get("/v1/me")["department_id"])
    for who in (team.admin, local):
        assert told(change(who, f"/v1/roles/{role}", name=unique("岗"))) == (403, "above-your-rights")
        assert told(who.request("POST", f"/v1/roles/{role}/archive")) == (403, "above-your-rights")
    assert told(make(local, of("profile:read", "own"))) == (403, "above-your-rights")


def test_nobody_brings_grants_or_rights_in_groups_below_a_ceiling(headquarters: Headquarters, team: Team) -> None:
    body = {"agency_id": team.agency_id, "name": unique("部"), "ceiling": ["rep"]}
    low = team.admin.post("/v1/departments", body)["id"]
    granted, leading, plain = (headquarters.person("rep", team.department_id) for _ in range(3))
    team.admin.post(f"{user(granted)}/grants", {"permission": "customer:read", "department_id": team.other_department_id})
    group = team.admin.post("/v1/groups", {"name": unique("组")})["id"]
    expect(200, team.admin.request("PUT", f"/v1/groups/{group}/admins/{leading.user['id']}", {"rights": ["see_customers"]}))
    for who in (granted, leading):
        assert told(change(team.admin, user(who), department_id=low)) == (403, "above-ceiling")
        assert told(change(team.admin, user(who), other_department_ids=[low])) == (403, "above-ceiling")
    assert change(team.admin, user(plain), department_id=low).status_code == 200


def test_nobody_moves_or_merges_departments_with_grants_or_rights_in_groups_below_a_ceiling(headquarters: Headquarters) -> None:
    team = headquarters.team()
    body = {"agency_id": team.agency_id, "name": unique("部"), "ceiling": ["rep", "agency_admin"]}
    low = team.admin.post("/v1/departments", body)["id"]
    body = {"agency_id": team.agency_id, "name": unique("部"), "ceiling": ["rep"]}
    lower = team.admin.post("/v1/departments", body)["id"]
    department, others = (headquarters.department(team.agency_id)["id"] for _ in range(2))
    granted, leading = headquarters.person("rep", department), headquarters.person("rep", others)
    grant = team.admin.post(f"{user(granted)}/grants", {"permission": "customer:read", "person_id": team.neighbour.user["id"]})
    group = team.admin.post("/v1/groups", {"name": unique("组")})["id"]
    expect(200, team.admin.request("PUT", f"/v1/groups/{group}/admins/{leading.user['id']}", {"rights": ["see_customers"]}))
    for each in (department, others):
        moved = team.admin.request("POST", f"/v1/departments/{each}/move", {"parent_id": lower})
        merged = team.admin.request("POST", f"/v1/departments/{each}/merge", {"into_id": lower})
        assert (told(moved), told(merged)) == ((403, "above-ceiling"), (403, "above-ceiling"))
        assert team.admin.request("POST", f"/v1/departments/{each}/move", {"parent_id": low}).status_code == 200
    expect(204, team.admin.request("DELETE", f"{user(granted)}/grants/{grant['id']}"))
    assert team.admin.request("POST", f"/v1/departments/{department}/move", {"parent_id": lower}).status_code == 200
