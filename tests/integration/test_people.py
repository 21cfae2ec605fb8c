"""Users, their accounts and how they log in, over HTTP against the running system; its chores come every half second."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from time import perf_counter
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from psycopg import sql

from embedded.stack import Stack
from gateway.rpc import RpcClient
from services.contracts.errors import NotFound, PermissionDenied
from services.contracts.identity import LOGIN_RULE, SHOW_PERSON, PersonState, ShowPerson
from services.plumbing.passport import Signer
from tests.api import PASSWORD, Client, Headquarters, eventually, expect, unique
from tests.homes import made_home
from tests.logins import solve
from tests.travel import later

LEADERS_LOCK = 0x6C65_6164
AWAY = timedelta(days=91)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    replicas = {"identity": 2, "gateway": 2}
    home = made_home(tmp_path_factory, "people")
    with Stack(home, fast=True, replicas=replicas, env={"QUDAO_CHORES_EVERY": "0.5"}) as running:
        yield running


@pytest.fixture(scope="module")
def headquarters(stack: Stack) -> Headquarters:
    return Headquarters.set_up(stack.url, stack.setup_secret)


@pytest.fixture
def head_office(headquarters: Headquarters) -> str:
    """A department of headquarters."""
    return str(headquarters.admin.get("/v1/me")["department_id"])


def ask(stack: Stack, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.owner_url("identity")) as connection:
        return connection.execute(query, values).fetchall()  # type: ignore[arg-type]


def kind(problem: Any) -> str:
    return str(problem["type"]).removeprefix("urn:qudao:problem:")


def edit(who: Client, user_id: str, **changes: Any) -> httpx.Response:
    """Changes a user in the version that he has now."""
    version = who.get(f"/v1/users/{user_id}")["version"]
    return who.request("PATCH", f"/v1/users/{user_id}", changes, If_Match=f'"{version}"')


def log_in(who: Client, login: str, password: str, captcha: Any = None, url: str = "") -> httpx.Response:
    body = {"login": login, "password": password} | ({"captcha": captcha} if captcha else {})
    return who.http.post(f"{url}/v1/sessions", json=body)


def at_once(count: int, do: Callable[[int], Any]) -> list[Any]:
    start = threading.Barrier(count)

    def run(number: int) -> Any:
        start.wait()
        return do(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


# --- users


def test_a_login_is_free_until_somebody_has_it(headquarters: Headquarters) -> None:
    login = unique("u")
    assert headquarters.admin.get(f"/v1/logins/{login}") == {"login": login, "is_free": True}
    user = headquarters.add_user(login=login)
    assert headquarters.admin.get(f"/v1/logins/{login.upper()}") == {"login": login, "is_free": False}
    elsewhere = headquarters.person("agency_admin")
    assert elsewhere.get(f"/v1/logins/{user['login']}")["is_free"] is False
    assert headquarters.person().request("GET", f"/v1/logins/{login}").status_code == 403
    assert headquarters.admin.request("GET", "/v1/logins/x").status_code == 422


def full_width(text: str) -> str:
    """As an input method for Chinese types it."""
    return "".join(chr(ord(letter) + 0xFEE0) for letter in text)


def test_a_login_in_another_width_or_case_is_the_same_one(headquarters: Headquarters) -> None:
    person = headquarters.person(login=f"{unique('u')}.a@b")
    login, twin = person.user["login"], full_width(person.user["login"].upper())
    assert headquarters.admin.get(f"/v1/logins/{twin}") == {"login": login, "is_free": False}
    body = {"login": twin, "roles": ["rep"], "department_id": person.user["department_id"]}
    assert kind(headquarters.admin.request("POST", "/v1/users", body).json()) == "login-taken"
    assert log_in(person, twin, PASSWORD).status_code == 201
    assert fail(person, twin) == ["wrong-credentials"] * 5
    assert kind(log_in(person, login, PASSWORD).json()) == "captcha-required"  # counted alike


@pytest.mark.parametrize("hidden", ["\u200d", "\u200c", "\u0336", "\u3164", "\u202e"])
def test_a_login_with_something_hidden_in_it_is_refused_everywhere(headquarters: Headquarters, hidden: str) -> None:
    admin, login = headquarters.admin, f"root{hidden}"
    user = {"login": login, "roles": ["rep"], "department_id": admin.get("/v1/me")["department_id"]}
    first = {"login": login, "secret": "x", "agency_name": "x", "display_name": "x", "password": PASSWORD}
    answers = [
        admin.request("GET", f"/v1/logins/{login}"),
        admin.request("POST", "/v1/users", user),
        admin.request("POST", "/v1/setup", first),
        log_in(admin, login, PASSWORD),
    ]
    assert [(answer.status_code, kind(answer.json())) for answer in answers] == [(422, "invalid-request")] * 4
    [wrong] = answers[1].json()["errors"]
    assert (wrong["pointer"], wrong["detail"]) == ("/login", LOGIN_RULE)


def test_a_login_may_be_chinese(headquarters: Headquarters) -> None:
    login = unique("张三")
    assert headquarters.person(login=login).get("/v1/me")["login"] == login


def test_a_manager_oversees_departments_of_his_agency_and_nobody_else_does(stack: Stack, headquarters: Headquarters) -> None:
    home = headquarters.department()
    other, foreign = headquarters.department(home["agency_id"])["id"], headquarters.department()["id"]

    def add(role: str, *managed: str) -> httpx.Response:
        body = {"login": unique("u"), "roles": [role], "department_id": home["id"], "managed_department_ids": managed}
        return headquarters.admin.request("POST", "/v1/users", body)

    for refused in (add("manager"), add("manager", other, foreign), add("rep", other)):
        assert (refused.status_code, kind(refused.json())) == (422, "managed-departments-missing")
        assert refused.json()["detail"] == refused.json()["reason"]
    user = expect(201, add("manager", other, home["id"], other))
    assert user["managed_department_ids"] == [other, home["id"]]
    manager = headquarters.admin.log_in(user["login"], headquarters.one_time_code(user["id"]))
    assert manager.get("/v1/me")["managed_department_ids"] == user["managed_department_ids"]
    [(told,)] = ask(stack, "SELECT data FROM outbox WHERE aggregate_id = %s", user["id"])
    assert (told["managed_department_ids"], told["status"]) == (user["managed_department_ids"], "active")


def test_colleagues_see_a_user_and_other_agencies_do_not(headquarters: Headquarters) -> None:
    department = headquarters.department()["id"]
    user, colleague, stranger = (
        headquarters.add_user("rep", department),
        headquarters.person("rep", department),
        headquarters.person(),
    )
    path = f"/v1/users/{user['id']}"
    shown = colleague.request("GET", path)
    assert (shown.json(), shown.headers["ETag"]) == (user | {"locked_in_days": 91}, '"1"')
    assert stranger.request("GET", path).status_code == 404
    assert headquarters.admin.get(path) == shown.json()
    assert (user["status"], user["has_password"], user["last_login_at"]) == ("active", False, None)
    assert headquarters.admin.get(f"/v1/users/{colleague.user['id']}")["last_login_at"]


def test_users_are_listed_by_status_and_department(headquarters: Headquarters) -> None:
    home = headquarters.department()
    other = headquarters.department(home["agency_id"])["id"]
    here, gone, there = (headquarters.add_user("rep", department) for department in (home["id"], home["id"], other))
    admin = headquarters.person("agency_admin", other)
    expect(200, admin.request("POST", f"/v1/users/{gone['id']}/disable"))

    def listed(query: str) -> list[str]:
        return [user["id"] for user in admin.get(f"/v1/users?{query}")["items"]]

    assert listed(f"department_id={home['id']}") == [here["id"], gone["id"]]
    assert listed("status=disabled") == [gone["id"]]
    assert listed("status=active") == [here["id"], there["id"], admin.user["id"]]
    assert listed(f"status=active&department_id={other}") == [there["id"], admin.user["id"]]
    assert admin.request("GET", "/v1/users?status=lost").status_code == 422


def test_a_user_is_changed_in_the_version_that_was_read(stack: Stack, headquarters: Headquarters) -> None:
    home = headquarters.department()
    other, foreign = headquarters.department(home["agency_id"])["id"], headquarters.department()["id"]
    user = headquarters.add_user("rep", home["id"])
    path, admin = f"/v1/users/{user['id']}", headquarters.admin
    assert admin.request("PATCH", path, {"display_name": "韩梅梅"}).status_code == 428
    changed = admin.request("PATCH", path, {"display_name": "韩梅梅", "department_id": other}, If_Match='"1"')
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
    assert (changed.json()["display_name"], changed.json()["department_id"]) == ("韩梅梅", other)
    assert admin.request("PATCH", path, {"roles": ["supervisor"]}, If_Match='"1"').status_code == 412
    assert admin.request("PATCH", path, {"department_id": foreign}, If_Match='"2"').status_code == 404
    assert admin.request("PATCH", path, {"roles": None}, If_Match='"2"').status_code == 422
    assert admin.request("PATCH", path, {"roles": ["rep"]}, If_Match='"2"').json()["version"] == 2  # as he was
    assert admin.get(path)["roles"] == ["rep"]
    told = ask(stack, "SELECT version, name, data->>'display_name' FROM outbox WHERE aggregate_id = %s ORDER BY 1", user["id"])
    assert told == [(1, "user_added", user["login"]), (2, "user_changed", "韩梅梅")]
    audited = "SELECT old->>'display_name', new->>'display_name' FROM audit WHERE subject_id = %s ORDER BY at"
    assert ask(stack, audited, user["id"])[1:2] == [(user["login"], "韩梅梅")]


def test_twenty_editors_of_a_user_lose_no_update(stack: Stack, headquarters: Headquarters) -> None:
    user, admin = headquarters.add_user(), headquarters.admin
    statuses = at_once(20, lambda number: edit(admin, user["id"], display_name=f"名{number}").status_code)
    assert set(statuses) <= {200, 412}
    assert admin.get(f"/v1/users/{user['id']}")["version"] == 1 + statuses.count(200)
    versions = ask(stack, "SELECT version FROM outbox WHERE aggregate_id = %s ORDER BY 1", user["id"])
    assert [version for (version,) in versions] == list(range(1, 2 + statuses.count(200)))


def test_who_becomes_a_manager_needs_departments_and_who_stops_loses_them(headquarters: Headquarters) -> None:
    user = headquarters.add_user()
    refused = edit(headquarters.admin, user["id"], roles=["manager"])
    assert (refused.status_code, kind(refused.json())) == (422, "managed-departments-missing")
    managed = [user["department_id"]]
    assert expect(200, edit(headquarters.admin, user["id"], roles=["manager"], managed_department_ids=managed))["roles"] == [
        "manager"
    ]
    assert edit(headquarters.admin, user["id"], managed_department_ids=[]).status_code == 422
    assert expect(200, edit(headquarters.admin, user["id"], roles=["rep"]))["managed_department_ids"] == []


def test_a_change_of_role_is_felt_by_an_open_session_within_a_second(stack: Stack, headquarters: Headquarters) -> None:
    person = headquarters.person()
    headers = {"Authorization": f"Bearer {person.token}"}

    def may_add_users(url: str) -> bool:
        return "user:create" in httpx.get(f"{url}/v1/me", headers=headers).json()["permissions"]

    assert not any(may_add_users(url) for url in stack.gateway_urls)
    expect(200, edit(headquarters.admin, person.user["id"], roles=["agency_admin"]))
    for url in stack.gateway_urls:
        eventually(lambda u=url: may_add_users(u), seconds=1)


# --- nobody rises above himself


ROW = "SELECT p::text FROM person AS p WHERE id = %s"
DENIALS = "SELECT operation, new->>'refused' FROM audit WHERE actor = %s AND result = 'denied' ORDER BY id"


def attack(attacker: Client, user_id: str) -> list[tuple[int, str]]:
    """Everything that an administrator could do to a user."""
    path = f"/v1/users/{user_id}"
    tries = [
        attacker.request("PATCH", path, {"roles": ["rep"]}, If_Match='"1"'),
        attacker.request("PATCH", path, {"display_name": "owned"}, If_Match='"1"'),
        *(attacker.request("POST", f"{path}/{what}") for what in ("disable", "restore", "password-reset", "one-time-code")),
    ]
    return [(answer.status_code, kind(answer.json())) for answer in tries]


def test_an_agency_admin_of_headquarters_touches_no_subsystem_administrator(
    stack: Stack, headquarters: Headquarters, head_office: str
) -> None:
    attacker, victim = headquarters.person("agency_admin", head_office), headquarters.admin.user["user_id"]
    before = ask(stack, ROW, victim)
    assert attack(attacker, victim) == [(403, "above-your-rights")] * 6
    assert ask(stack, ROW, victim) == before
    assert {refused for _, refused in ask(stack, DENIALS, attacker.user["id"])} == {"above-your-rights"}
    assert headquarters.admin.get("/v1/me")["roles"] == ["subsystem_admin"]


def test_an_agency_admin_finds_nobody_of_another_agency(stack: Stack, headquarters: Headquarters) -> None:
    attacker, victim = headquarters.person("agency_admin"), headquarters.person()
    before = ask(stack, ROW, victim.user["id"])
    assert attack(attacker, victim.user["id"]) == [(404, "not-found")] * 6
    assert ask(stack, ROW, victim.user["id"]) == before
    assert ask(stack, DENIALS, attacker.user["id"])[0] == ("identity.update_user", "out-of-scope")
    assert attack(victim, attacker.user["id"]) == [(403, "permission-denied")] * 6


def test_nobody_makes_himself_a_subsystem_administrator(stack: Stack, headquarters: Headquarters, head_office: str) -> None:
    admin = headquarters.person("agency_admin", head_office)
    before = ask(stack, ROW, admin.user["id"])
    refused = edit(admin, admin.user["id"], roles=["subsystem_admin"])
    assert (refused.status_code, kind(refused.json())) == (403, "above-your-rights")
    elsewhere = headquarters.person()
    assert edit(headquarters.admin, elsewhere.user["id"], roles=["subsystem_admin"]).status_code == 403
    assert ask(stack, ROW, admin.user["id"]) == before


# --- accounts


def test_a_disabled_user_is_out_within_a_second_and_comes_back_when_restored(stack: Stack, headquarters: Headquarters) -> None:
    person = headquarters.person()
    login, path = person.user["login"], f"/v1/users/{person.user['id']}"
    headers = {"Authorization": f"Bearer {person.token}"}
    assert all(httpx.get(f"{url}/v1/me", headers=headers).status_code == 200 for url in stack.gateway_urls)

    assert headquarters.admin.post(f"{path}/disable", None, status=200)["status"] == "disabled"
    for url in stack.gateway_urls:
        eventually(lambda u=url: httpx.get(f"{u}/v1/me", headers=headers).status_code, seconds=1, until=lambda s: s == 401)
    right, wrong = log_in(person, login, PASSWORD), log_in(person, login, "not my password")
    assert (right.status_code, kind(right.json())) == (wrong.status_code, kind(wrong.json())) == (401, "wrong-credentials")
    assert right.json().keys() == wrong.json().keys()
    reset = headquarters.admin.request("POST", f"{path}/password-reset")
    assert (reset.status_code, kind(reset.json())) == (409, "user-not-active")

    assert headquarters.admin.post(f"{path}/disable", None, status=200)["version"] == 2  # as he was
    assert headquarters.admin.post(f"{path}/restore", None, status=200)["status"] == "active"
    assert log_in(person, login, PASSWORD).status_code == 201
    assert person.request("GET", "/v1/me").status_code == 401  # the old session stays ended
    told = "SELECT version, data->>'change', data->>'status' FROM outbox WHERE aggregate_id = %s ORDER BY 1"
    assert ask(stack, told, person.user["id"])[1:] == [(2, "disabled", "disabled"), (3, "restored", "active")]


def test_a_code_of_before_opens_no_restored_account(headquarters: Headquarters) -> None:
    user = headquarters.add_user()
    code, path = headquarters.one_time_code(user["id"]), f"/v1/users/{user['id']}"
    headquarters.admin.post(f"{path}/disable", None, status=200)
    assert log_in(headquarters.admin, user["login"], code).status_code == 401
    headquarters.admin.post(f"{path}/restore", None, status=200)
    assert log_in(headquarters.admin, user["login"], code).status_code == 401
    assert log_in(headquarters.admin, user["login"], headquarters.one_time_code(user["id"])).status_code == 201


def test_nobody_disables_or_resets_himself(headquarters: Headquarters) -> None:
    for admin in (headquarters.admin, headquarters.person("agency_admin")):
        own_id = admin.get("/v1/me")["id"]
        for what in ("disable", "password-reset"):
            refused = admin.request("POST", f"/v1/users/{own_id}/{what}")
            assert (refused.status_code, kind(refused.json())) == (403, "own-account")
        assert admin.get(f"/v1/users/{own_id}")["status"] == "active"


def test_a_reset_ends_password_and_sessions_and_gives_a_code(stack: Stack, headquarters: Headquarters) -> None:
    department = headquarters.department()["id"]
    person, admin = headquarters.person("rep", department), headquarters.person("agency_admin", department)
    path, key = f"/v1/users/{person.user['id']}/password-reset", unique("key")

    reset = admin.post(path, None, Idempotency_Key=key)

    eventually(lambda: person.request("GET", "/v1/me").status_code, seconds=1, until=lambda status: status == 401)
    assert log_in(person, person.user["login"], PASSWORD).status_code == 401
    assert admin.post(path, None, Idempotency_Key=key) == reset
    again = person.log_in(person.user["login"], reset["code"])
    assert again.request("GET", "/v1/users").status_code == 403  # first a password
    again.choose_password("quite another secret")
    assert log_in(person, person.user["login"], reset["code"]).status_code == 401
    assert log_in(person, person.user["login"], "quite another secret").status_code == 201
    told = "SELECT data->>'change' FROM outbox WHERE aggregate_id = %s AND version = 2"
    assert ask(stack, told, person.user["id"]) == [("password_reset",)]


# --- inactivity


@contextmanager
def without_leader(stack: Stack) -> Iterator[None]:
    """Nobody does identity's chores: the leader's lock is ours."""
    with psycopg.connect(stack.owner_url("identity"), autocommit=True) as ours:
        waiting = threading.Thread(target=lambda: ours.execute("SELECT pg_advisory_lock(%s)", [LEADERS_LOCK]))
        waiting.start()
        with psycopg.connect(stack.admin_url, autocommit=True) as admin:
            ends = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND application_name = 'leader'"
            admin.execute(ends, [ours.info.dbname])
        waiting.join(10)
        assert not waiting.is_alive()
        yield


def test_who_has_been_away_for_long_is_locked_until_an_administrator_restores_him(
    stack: Stack, headquarters: Headquarters
) -> None:
    department = headquarters.department()["id"]
    person, invited = headquarters.person("rep", department), headquarters.add_user("rep", department)
    login, path = person.user["login"], f"/v1/users/{person.user['id']}"
    status = "SELECT status FROM person WHERE id = %s"

    with without_leader(stack), later(stack, AWAY):  # the log-in itself refuses, before the chore has come
        refused = log_in(person, login, PASSWORD)
        assert (refused.status_code, kind(refused.json())) == (403, "account-locked")
        assert kind(log_in(person, login, "not my password").json()) == "wrong-credentials"
        assert ask(stack, status, person.user["id"]) == [("active",)]

    with later(stack, AWAY):
        eventually(lambda: ask(stack, status, invited["id"]), seconds=60, until=lambda rows: rows == [("locked",)])
        admin = headquarters.admin.log_in("root", PASSWORD)  # he was added first, and the chore has passed him by
        locked = admin.get(f"/v1/users?status=locked&department_id={department}")["items"]
        assert [user["id"] for user in locked] == [person.user["id"], invited["id"]]
        assert kind(log_in(person, login, PASSWORD).json()) == "account-locked"
        assert admin.request("POST", f"{path}/password-reset").status_code == 409
        assert admin.request("POST", f"/v1/users/{invited['id']}/one-time-code").status_code == 409
        assert admin.post(f"{path}/restore", None, status=200)["status"] == "active"
        back = person.log_in(login, PASSWORD)
        assert back.get("/v1/me")["login"] == login
        assert ask(stack, status, headquarters.admin.user["user_id"]) == [("active",)]

    told = "SELECT version, data->>'change' FROM outbox WHERE aggregate_id = %s ORDER BY 1"
    assert ask(stack, told, person.user["id"])[1:] == [(2, "locked"), (3, "restored")]


def test_an_administrator_who_is_away_is_locked_when_another_one_is_there(
    stack: Stack, headquarters: Headquarters, head_office: str
) -> None:
    other = headquarters.person("subsystem_admin", head_office)
    with ExitStack() as travel:
        with without_leader(stack):  # asked while nobody is there yet, the chore would not ask again on the same day
            travel.enter_context(later(stack, 2 * AWAY))
            admin = headquarters.admin.log_in("root", PASSWORD)
        path = f"/v1/users/{other.user['id']}"
        # one by one, and all who are away
        eventually(lambda: admin.get(path)["status"], seconds=60, until=lambda status: status == "locked")
        assert kind(log_in(other, other.user["login"], PASSWORD).json()) == "account-locked"
        admin.post(f"{path}/restore", None, status=200)
        assert log_in(other, other.user["login"], PASSWORD).status_code == 201
        expect(200, edit(admin, other.user["id"], roles=["rep"]))


# --- the last administrator


def test_an_administrator_stays_though_another_one_was_only_invited(headquarters: Headquarters, head_office: str) -> None:
    invited = headquarters.add_user("subsystem_admin", head_office)
    refused = edit(headquarters.admin, headquarters.admin.user["user_id"], roles=["rep"])
    assert (refused.status_code, kind(refused.json())) == (409, "last-administrator")
    headquarters.admin.post(f"/v1/users/{invited['id']}/disable", None, status=200)


def test_two_administrators_who_demote_each_other_at_once_leave_one(
    stack: Stack, headquarters: Headquarters, head_office: str
) -> None:
    both = [headquarters.admin, headquarters.person("subsystem_admin", head_office)]
    ids = [admin.get("/v1/me")["id"] for admin in both]

    def demote(number: int, versions: list[int]) -> int:
        path = f"{stack.gateway_urls[number]}/v1/users/{ids[1 - number]}"
        headers = {"Authorization": f"Bearer {both[number].token}", "If-Match": f'"{versions[1 - number]}"'}
        return httpx.patch(path, json={"roles": ["agency_admin"]}, headers=headers, timeout=20).status_code

    for _ in range(8):
        versions = [both[0].get(f"/v1/users/{user_id}")["version"] for user_id in ids]
        statuses = at_once(2, partial(demote, versions=versions))
        assert statuses.count(200) == 1, statuses
        assert set(statuses) <= {200, 403, 409}  # 403 when the other one was quicker by more than a moment
        winner, loser = statuses.index(200), 1 - statuses.index(200)
        expect(200, edit(both[winner], ids[loser], roles=["subsystem_admin"]))
        eventually(lambda who=both[loser]: "agency:create" in who.get("/v1/me")["permissions"], seconds=2)
    expect(200, edit(headquarters.admin, ids[1], roles=["rep"]))


def test_the_last_administrator_of_an_agency_may_go_though_not_by_himself(headquarters: Headquarters) -> None:
    admin = headquarters.person("agency_admin")
    refused = edit(admin, admin.user["id"], roles=["rep"])
    assert (refused.status_code, kind(refused.json())) == (403, "own-account")
    assert expect(200, edit(headquarters.admin, admin.user["id"], roles=["rep"]))["roles"] == ["rep"]


# --- guessing


def fail(who: Client, login: str, times: int = 5) -> list[str]:
    return [kind(log_in(who, login, f"guess number {number}").json()) for number in range(times)]


def draw(who: Client) -> dict[str, Any]:
    drawn: dict[str, Any] = who.post("/v1/captchas", None)
    assert drawn["image"].startswith("data:image/png;base64,")
    return drawn


def test_after_five_failures_a_log_in_takes_a_captcha_which_counts_once(stack: Stack, headquarters: Headquarters) -> None:
    person = headquarters.person()
    login = person.user["login"]
    assert fail(person, login) == ["wrong-credentials"] * 5

    refused = log_in(person, login, PASSWORD)
    assert (refused.status_code, kind(refused.json())) == (403, "captcha-required")
    wrong = draw(person)
    assert kind(log_in(person, login, PASSWORD, {"id": wrong["id"], "answer": "?????"}).json()) == "captcha-required"
    assert kind(log_in(person, login, PASSWORD, solve(stack, wrong)).json()) == "captcha-required"  # spent by the wrong answer
    solved = solve(stack, draw(person))
    assert log_in(person, login, PASSWORD, solved, url=stack.gateway_urls[1]).status_code == 201
    used = log_in(person, login, PASSWORD, solved)
    assert (used.status_code, kind(used.json())) == (403, "captcha-required")

    assert fail(person, login, 4) == ["wrong-credentials"] * 4  # forgotten by the success
    assert log_in(person, login, PASSWORD).status_code == 201


def test_who_fails_with_a_captcha_as_well_waits_and_ever_longer(stack: Stack, headquarters: Headquarters) -> None:
    person, nobody = headquarters.person(), unique("nobody")
    login = person.user["login"]

    def told(typed: str, password: str = "a guess") -> tuple[str, int]:
        answer = log_in(person, typed, password, solve(stack, draw(person)))
        return kind(answer.json()), int(answer.headers.get("Retry-After", 0))

    for typed in (login, nobody):
        fail(person, typed)
        assert told(typed)[0] == "wrong-credentials"
        for password in ("a guess", PASSWORD):
            refused, seconds = told(typed, password)
            assert refused == "too-many-failures"
            assert 50 < seconds <= 65
    with later(stack, timedelta(seconds=61)):
        assert [told(typed)[0] for typed in (login, nobody)] == ["wrong-credentials"] * 2
        assert [told(typed)[0] for typed in (login, nobody)] == ["too-many-failures"] * 2
    with later(stack, timedelta(seconds=121)):
        assert told(login)[0] == "too-many-failures"
    with later(stack, timedelta(seconds=185)):
        assert kind(log_in(person, login, PASSWORD).json()) == "captcha-required"
        assert log_in(person, login, PASSWORD, solve(stack, draw(person))).status_code == 201


def test_failures_are_forgotten_after_a_day(stack: Stack, headquarters: Headquarters) -> None:
    person = headquarters.person()
    fail(person, person.user["login"])
    with later(stack, timedelta(hours=23)):
        assert log_in(person, person.user["login"], PASSWORD).status_code == 403
    with later(stack, timedelta(hours=25)):
        assert log_in(person, person.user["login"], PASSWORD).status_code == 201


def test_a_login_that_nobody_has_is_treated_like_one_that_somebody_has(stack: Stack, headquarters: Headquarters) -> None:
    nobody, person = unique("nobody"), headquarters.person()
    assert fail(person, nobody, 6) == fail(person, person.user["login"], 6)
    answers = [log_in(person, login, "one more guess").json() for login in (nobody, person.user["login"])]
    for answer in answers:
        del answer["instance"], answer["request_id"]
    assert answers[0] == answers[1]
    assert kind(log_in(person, nobody, "x", solve(stack, draw(person))).json()) == "wrong-credentials"
    rows = ask(stack, "SELECT f::text FROM login_failures AS f")
    assert rows
    assert not [row for (row,) in rows if nobody in row or person.user["login"] in row]


def test_of_twenty_guesses_at_once_no_more_are_told_than_of_few(stack: Stack, headquarters: Headquarters) -> None:
    person = headquarters.person()
    login = person.user["login"]

    def guess(number: int) -> str:
        body = {"login": login, "password": f"guess number {number}"}
        while True:
            answer = httpx.post(f"{stack.gateway_urls[number % 2]}/v1/sessions", json=body, timeout=20)
            if answer.status_code != 503:  # too many at once for the threads that hash
                return kind(answer.json())

    fail(person, login, 4)
    told = at_once(20, guess)
    assert sorted(told) == ["captcha-required"] * 19 + ["wrong-credentials"]


def test_a_right_password_that_comes_last_of_many_guesses_is_not_told(stack: Stack, headquarters: Headquarters) -> None:
    """Its own look at the failures may be older than the one that has filled the measure meanwhile."""
    person = headquarters.person()
    fail(person, person.user["login"], 4)
    with hold_failures(stack) as count_the_fifth, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(log_in, person, person.user["login"], PASSWORD)
        count_the_fifth()
        assert kind(answer.result().json()) == "captcha-required"


@contextmanager
def hold_failures(stack: Stack) -> Iterator[Callable[[], None]]:
    """Holds the lock of the latest failures; what is given counts a fifth one once somebody waits for it, and lets him go on."""
    [(digest,)] = ask(stack, "SELECT login_digest FROM login_failures WHERE last_at <= clock() ORDER BY last_at DESC LIMIT 1")
    waiting = (
        "SELECT FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) WHERE NOT l.granted AND a.datname = current_database()"
    )
    fifth = "UPDATE login_failures SET in_a_row = 5, last_at = clock() WHERE login_digest = %s"
    with psycopg.connect(stack.owner_url("identity")) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended('login ' || %s, 0))", [digest])

        def count_the_fifth() -> None:
            eventually(lambda: ask(stack, waiting))
            other.execute(fifth, [digest])
            other.commit()

        yield count_the_fifth


def test_failures_and_captchas_are_kept_for_a_day(stack: Stack, headquarters: Headquarters) -> None:
    person = headquarters.person()
    log_in(person, unique("nobody"), "x", solve(stack, draw(person)))
    count = "SELECT (SELECT count(*) FROM login_failures), (SELECT count(*) FROM used_captcha)"
    with later(stack, timedelta(hours=25)):
        for _ in range(20):  # each takes ten of the old ones with it
            log_in(person, unique("nobody"), "x", solve(stack, draw(person)))
            [(failures, captchas)] = ask(stack, count)
        assert failures == 20
        assert captchas == 20


def test_all_refusals_take_the_time_of_a_hash(headquarters: Headquarters) -> None:
    """A quick answer would tell which logins exist."""
    person, disabled = headquarters.person(), headquarters.person()
    headquarters.admin.post(f"/v1/users/{disabled.user['id']}/disable", None, status=200)
    invited = headquarters.add_user()

    def quickest(login: str) -> float:
        times = []
        for number in range(4):
            began = perf_counter()
            assert log_in(person, login, f"guess number {number}").status_code == 401
            times.append(perf_counter() - began)
        return min(times)

    known = quickest(person.user["login"])
    for other in (unique("nobody"), disabled.user["login"], invited["login"]):
        assert quickest(other) > known / 2


@pytest.mark.parametrize("captcha", [{"id": "forged", "answer": "ACDEF"}, {"id": "", "answer": "A"}, {"id": "é", "answer": "A"}])
def test_a_captcha_that_is_none_is_refused_before_the_password_is_tried(headquarters: Headquarters, captcha: Any) -> None:
    assert log_in(headquarters.admin, "root", PASSWORD, captcha).status_code in (403, 422)


# --- the current password


def change(who: Client, current: str | None, new: str = "quite another secret") -> httpx.Response:
    return who.request("PUT", "/v1/me/password", {"new": new} | ({"current": current} if current else {}))


def test_a_new_password_takes_the_current_one(headquarters: Headquarters) -> None:
    person = headquarters.person()
    wrong, missing = change(person, "not my password"), change(person, None)
    for refused in (wrong, missing):
        assert (refused.status_code, kind(refused.json())) == (403, "current-password-wrong")
        assert "www-authenticate" not in refused.headers
    assert "`current`" in missing.json()["detail"]
    assert person.request("GET", "/v1/me").status_code == 200
    assert log_in(person, person.user["login"], PASSWORD).status_code == 201


def test_who_guesses_the_password_in_an_open_session_loses_it_after_five(stack: Stack, headquarters: Headquarters) -> None:
    thief = headquarters.person()
    login = thief.user["login"]
    elsewhere = headquarters.admin.log_in(login, PASSWORD)
    assert [change(thief, f"guess number {n}").status_code for n in range(5)] == [403] * 5

    right = change(thief, PASSWORD)

    assert (right.status_code, kind(right.json())) == (401, "session-forfeited")
    assert right.headers["www-authenticate"] == "Bearer"
    assert thief.request("GET", "/v1/me").status_code == 401
    assert elsewhere.request("GET", "/v1/me").status_code == 200
    ended = "SELECT new->>'refused' FROM audit WHERE actor = %s AND result = 'denied' ORDER BY at"
    refusals = [refused for (refused,) in ask(stack, ended, thief.user["id"])]
    assert refusals == ["current-password-wrong"] * 5 + ["session-forfeited"]
    opened = log_in(thief, login, PASSWORD)
    assert change(Client(thief.http, opened.json()["token"]), PASSWORD).status_code == 200


def test_failed_log_ins_of_strangers_cost_nobody_his_session(headquarters: Headquarters) -> None:
    person = headquarters.person()
    assert fail(person, person.user["login"], 6)[-1] == "captcha-required"
    person.choose_password("quite another secret", PASSWORD)


def test_a_right_current_password_clears_the_count(headquarters: Headquarters) -> None:
    person, new = headquarters.person(), "quite another secret"
    assert [change(person, f"guess number {n}").status_code for n in range(4)] == [403] * 4
    person.choose_password(new, PASSWORD)
    assert [change(person, f"guess number {n}").status_code for n in range(4)] == [403] * 4
    person.choose_password(PASSWORD, new)


def test_a_new_password_that_is_refused_does_not_tell_whether_the_current_one_was_right(headquarters: Headquarters) -> None:
    person = headquarters.person()
    answers = [change(person, current, "short") for current in (PASSWORD, "not my password", None)]
    assert [(answer.status_code, kind(answer.json())) for answer in answers] == [(422, "password-refused")] * 3


def test_of_twenty_current_passwords_at_once_no_more_are_told_than_of_few(stack: Stack, headquarters: Headquarters) -> None:
    person = headquarters.person()
    for number in range(4):
        change(person, f"guess number {number}")

    def guess(number: int) -> str:
        body = {"current": f"another guess {number}", "new": "quite another secret"}
        headers = {"Authorization": f"Bearer {person.token}"}
        while True:
            url = f"{stack.gateway_urls[number % 2]}/v1/me/password"
            answer = httpx.put(url, json=body, headers=headers, timeout=20)
            if answer.status_code != 503:  # too many at once for the threads that hash
                return kind(answer.json())

    told = at_once(20, guess)
    assert told.count("current-password-wrong") == 1
    assert set(told) <= {"current-password-wrong", "session-forfeited", "not-authenticated"}


def test_a_right_current_password_that_comes_last_of_many_is_not_told(stack: Stack, headquarters: Headquarters) -> None:
    person = headquarters.person()
    for number in range(4):
        change(person, f"guess number {number}")
    with hold_failures(stack) as count_the_fifth, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(change, person, PASSWORD)
        count_the_fifth()
        assert kind(answer.result().json()) == "session-forfeited"
    assert log_in(person, person.user["login"], PASSWORD, solve(stack, draw(person))).status_code == 201  # it is unchanged


# --- among services, and behind the wall


def test_services_ask_for_a_person_whom_they_do_not_know(stack: Stack, headquarters: Headquarters) -> None:
    department = headquarters.department()["id"]
    user = headquarters.admin.post(
        "/v1/users",
        {"login": unique("u"), "roles": ["manager"], "department_id": department, "managed_department_ids": [department]},
    )

    async def show(issuer: str, user_id: str) -> PersonState:
        client = RpcClient(stack.amqp_uri, heartbeat=10, timeout=5, max_pending=5)
        await client.start()
        try:
            await client.wait_connected()
            passport = Signer(issuer, (stack.secrets / "signing" / f"{issuer}.pem").read_text()).own()
            return await client.call(SHOW_PERSON, ShowPerson(user_id=UUID(user_id)), passport=passport, request_id="for-a-test")
        finally:
            await client.stop()

    state = asyncio.run(show("customers", user["id"]))
    assert (str(state.user_id), state.version, state.roles, state.status) == (user["id"], 1, ["manager"], "active")
    assert [str(managed) for managed in state.managed_department_ids] == [department]
    with pytest.raises(PermissionDenied):
        asyncio.run(show("activities", user["id"]))
    with pytest.raises(NotFound):
        asyncio.run(show("rules", department))


@pytest.mark.parametrize("table", ["person", "department"])
def test_the_database_shows_and_takes_only_rows_of_the_agency_that_is_set(
    stack: Stack, headquarters: Headquarters, table: str
) -> None:
    ours, theirs = headquarters.add_user(), headquarters.add_user()
    column = "id" if table == "person" else "department_id"
    seen = sql.SQL("SELECT id::text FROM {} WHERE id = ANY(%s)").format(sql.Identifier(table))
    change = sql.SQL("UPDATE {} SET version = version WHERE id = %s").format(sql.Identifier(table))
    ids = [[ours[column], theirs[column]]]
    with psycopg.connect(stack.database_url("identity"), autocommit=True) as app:
        with pytest.raises(psycopg.errors.UndefinedObject):
            app.execute(seen, ids)
        app.execute("SELECT set_config('qudao.agency', %s, false)", [ours["agency_id"]])
        assert app.execute(seen, ids).fetchall() == [(ours[column],)]
        assert app.execute(change, [theirs[column]]).rowcount == 0
        assert app.execute(change, [ours[column]]).rowcount == 1
        app.execute("SELECT set_config('qudao.agency', '', false)")
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            app.execute(seen, ids)
        app.execute("SELECT set_config('qudao.agency', '*', false)")
        assert len(app.execute(seen, ids).fetchall()) == 2
