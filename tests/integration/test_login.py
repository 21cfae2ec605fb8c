"""How people and programs log in, over HTTP against the running system, behind a proxy that tells where they come from."""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import argon2
import httpx
import psycopg
import pytest

from embedded.stack import Stack
from services.contracts.base import SERVICES
from services.contracts.permissions import NOT_FOR_TOKENS, ROLES
from tests.api import PASSWORD, Client, Headquarters, eventually, expect, unique
from tests.depth import NIGHTLY
from tests.homes import made_home
from tests.logins import code_of, gateways_seal, solve, solved
from tests.travel import REAL, later, replace_clocks

GUESSES = 10_000 if NIGHTLY else 200
FAILURES = 30  # of one address
PROXY = {"QUDAO_TRUSTED_PROXIES": '["127.0.0.0/8"]'}
LIMITS = {"QUDAO_FAILED_LOG_INS_BURST": str(FAILURES), "QUDAO_FAILED_LOG_INS_PER_SECOND": "0.001", "QUDAO_CAPTCHAS_BURST": "1000"}
DEVICES = {"QUDAO_KNOWN_DEVICES": "3", "QUDAO_DEVICE_DAYS": "30"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(
        made_home(tmp_path_factory, "login"), fast=True, replicas={"identity": 2}, env=PROXY | LIMITS | DEVICES
    ) as running:
        yield running


@pytest.fixture(scope="module")
def headquarters(stack: Stack) -> Headquarters:
    return Headquarters.set_up(stack.url, stack.setup_secret)


def ask(stack: Stack, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.owner_url("identity")) as connection:
        return connection.execute(query, values).fetchall()  # type: ignore[arg-type]


def kind(answer: httpx.Response) -> str:
    return str(answer.json()["type"]).removeprefix("urn:qudao:problem:")


_addresses = iter(range(2**16))


def somewhere() -> str:
    """An address that nobody else has."""
    number = next(_addresses)
    return f"198.18.{number // 256}.{number % 256}"


def log_in(who: Client, login: str, password: str = PASSWORD, address: str | None = None, **more: Any) -> httpx.Response:
    headers = {"X-Forwarded-For": address or somewhere(), "User-Agent": "curl/8.5.0"}
    return who.http.post("/v1/sessions", json={"login": login, "password": password, **more}, headers=headers)


def opened(who: Client, login: str, password: str = PASSWORD, **more: Any) -> Client:
    answer = expect(201, log_in(who, login, password, **more))
    return Client(who.http, answer["token"], answer["session"])


def is_in(who: Client) -> bool:
    return who.request("GET", "/v1/me").status_code == 200


def is_soon_out(who: Client) -> None:
    eventually(lambda: is_in(who), seconds=2, until=lambda is_in: not is_in)


def captcha(stack: Stack, who: Client, **wish: str) -> dict[str, Any]:
    return solve(stack, who.post("/v1/captchas", wish or None))


def at_once(count: int, do: Callable[[int], Any]) -> list[Any]:
    start = threading.Barrier(count)

    def run(number: int) -> Any:
        start.wait()
        return do(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@contextmanager
def clock_at(stack: Stack, moment: datetime) -> Iterator[None]:
    """Inside, business time stands still."""
    replace_clocks(stack, REAL.replace("clock_timestamp()", f"timestamptz ''{moment.isoformat()}''"))
    try:
        yield
    finally:
        replace_clocks(stack, REAL)


def settle(who: Client, agency_id: str | None = None, **settings: Any) -> httpx.Response:
    """Sets the settings of log-ins in the version that they have now."""
    path = "/v1/settings/login" + (f"?agency_id={agency_id}" if agency_id else "")
    version = who.get(path)["version"]
    named = {"agency_id": agency_id} if agency_id else {}
    return who.request("PUT", "/v1/settings/login", named | settings, If_Match=f'"{version}"')


# --- by which name


def test_one_logs_in_by_login_staff_number_or_address_in_any_spelling(headquarters: Headquarters) -> None:
    name = unique("li")
    person = headquarters.person(login=name, staff_no=f"{name}-7", email=f"{name}@Example.com")
    assert (person.user["staff_no"], person.user["email"]) == (f"{name}-7", f"{name}@example.com")
    for typed in (name, f"{name.upper()}-7", f" {name}@EXAMPLE.com ", f"{name}＠example.com"):
        assert opened(person, typed).get("/v1/me")["id"] == person.user["id"]


def test_no_name_is_two_peoples_whichever_it_is(headquarters: Headquarters) -> None:
    name = unique("li")
    department = headquarters.department()["id"]
    headquarters.add_user(login=f"{name}@a.com", staff_no=f"{name}-7")
    other = headquarters.add_user(email=f"{name}@b.com")
    taken = [
        {"login": unique("u"), "email": f"{name}@a.com"},  # another's login
        {"login": f"{name}-7"},  # another's staff number
        {"login": unique("u"), "staff_no": f"{name}-7"},
        {"login": f"{name}@b.com"},  # another's address
    ]
    for names in taken:
        refused = headquarters.admin.request("POST", "/v1/users", {"roles": ["rep"], "department_id": department, **names})
        assert (refused.status_code, kind(refused)) == (409, "login-taken")
    assert headquarters.admin.get(f"/v1/logins/{name}-7")["is_free"] is False
    refused = headquarters.admin.request("PATCH", f"/v1/users/{other['id']}", {"staff_no": f"{name}-7"}, If_Match='"1"')
    assert (refused.status_code, kind(refused)) == (409, "login-taken")


def test_of_many_who_get_the_same_staff_number_at_once_one_has_it(stack: Stack, headquarters: Headquarters) -> None:
    number, department = unique("n"), headquarters.department()["id"]

    def add(_: int) -> int:
        body = {"login": unique("u"), "staff_no": number, "roles": ["rep"], "department_id": department}
        return headquarters.admin.request("POST", "/v1/users", body).status_code

    assert Counter(at_once(8, add)) == {201: 1, 409: 7}
    assert ask(stack, "SELECT count(*) FROM identifier WHERE name = %s", number) == [(1,)]


def test_a_name_that_is_taken_away_opens_nothing_and_is_free_again(headquarters: Headquarters) -> None:
    number = unique("n")
    person = headquarters.person(staff_no=number)
    path = f"/v1/users/{person.user['id']}"
    version = headquarters.admin.get(path)["version"]
    changed = headquarters.admin.request("PATCH", path, {"staff_no": None}, If_Match=f'"{version}"')
    assert expect(200, changed)["staff_no"] is None
    assert log_in(person, number).status_code == 401
    assert opened(person, person.user["login"])
    assert headquarters.add_user(staff_no=number)["staff_no"] == number


@pytest.mark.parametrize(
    "names", [{"staff_no": "7@a.com"}, {"staff_no": "7"}, {"email": "li"}, {"email": "a@b"}, {"email": "@b.c"}]
)
def test_a_name_of_another_form_is_refused(headquarters: Headquarters, names: dict[str, str]) -> None:
    body = {"login": unique("u"), "roles": ["rep"], "department_id": headquarters.admin.get("/v1/me")["department_id"]}
    refused = headquarters.admin.request("POST", "/v1/users", body | names)
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json()["errors"]] == [f"/{next(iter(names))}"]


# --- guessing


def test_guesses_by_any_of_somebodys_names_count_for_him(headquarters: Headquarters) -> None:
    name = unique("li")
    person = headquarters.person(login=name, staff_no=f"{name}-7", email=f"{name}@a.com")
    names = [name, f"{name}-7", f"{name}@a.com", name, f"{name}-7"]
    assert [kind(log_in(person, typed, "a guess")) for typed in names] == ["wrong-credentials"] * 5
    assert [kind(log_in(person, typed)) for typed in names[:3]] == ["captcha-required"] * 3


@pytest.mark.parametrize("addresses", [1, 500])
def test_of_many_guesses_few_are_evaluated_and_the_owner_gets_in_on_his_device(
    stack: Stack, headquarters: Headquarters, addresses: int
) -> None:
    """Half of them come with captchas that somebody solves for money. `HYPOTHESIS_PROFILE=nightly` sends 10,000 from each."""
    person = headquarters.person()
    login, places = person.user["login"], [somewhere() for _ in range(addresses)]
    device = expect(201, log_in(person, login))["device_token"]
    forged = gateways_seal(stack)

    def guess(number: int) -> str:
        more = {"captcha": solved(forged)} if number % 2 else {}
        while True:
            answer = log_in(person, login, f"guess number {number}", places[number % addresses], **more)
            if answer.status_code not in (503, 504):  # the machine may be busy
                return kind(answer)

    with ThreadPoolExecutor(8) as pool:
        guesses = pool.map(guess, range(GUESSES))
        meanwhile = log_in(person, login, address=places[0], device_token=device, captcha=solved(forged))
        told = Counter(guesses)
    assert told.keys() <= {"wrong-credentials", "captcha-required", "too-many-failures"}
    assert 6 <= told["wrong-credentials"] <= (12 if NIGHTLY else 6)
    assert kind(log_in(person, login, captcha=solved(forged))) == "too-many-failures"
    assert meanwhile.status_code == 201
    assert log_in(person, login, device_token=device).status_code == 201


def test_a_hundred_guesses_are_evaluated_in_a_row_and_then_one_a_day(stack: Stack, headquarters: Headquarters) -> None:
    """As soon as each wait is over; the ninety in the middle are only counted, by the owner of the database."""
    person, nobody = headquarters.person(), unique("nobody")
    login, forged = person.user["login"], gateways_seal(stack)
    device = expect(201, log_in(person, login))["device_token"]

    def told(typed: str) -> tuple[str, int]:
        answer = log_in(person, typed, "a guess", captcha=solved(forged))
        return kind(answer), int(answer.headers.get("Retry-After", 0))

    for typed in (login, nobody):
        assert [told(typed)[0] for _ in range(7)] == ["wrong-credentials"] * 6 + ["too-many-failures"]
    with psycopg.connect(stack.owner_url("identity")) as owner:
        owner.execute("UPDATE login_failures SET in_a_row = 98 WHERE in_a_row = 6")
    for minutes, longest in ((16, 900), (32, 86_400)):
        with later(stack, timedelta(minutes=minutes)):
            for typed in (login, nobody):
                assert told(typed)[0] == "wrong-credentials"
                refused, seconds = told(typed)
                assert (refused, longest - 60 < seconds <= longest + 5) == ("too-many-failures", True)
    with later(stack, timedelta(hours=24)):
        assert [told(typed)[0] for typed in (login, nobody)] == ["too-many-failures"] * 2
        assert opened(person, login, device_token=device)
    with later(stack, timedelta(hours=25)):
        assert [told(typed)[0] for typed in (login, nobody)] == ["wrong-credentials"] * 2
        assert [told(typed)[0] for typed in (login, nobody)] == ["too-many-failures"] * 2
    with later(stack, timedelta(hours=50)):
        assert opened(person, login, captcha=solved(forged))
        assert opened(person, login)  # forgotten by the success


# --- known devices


def is_known(who: Client, device: str, login: str | None = None) -> bool:
    answer = expect(201, log_in(who, login or who.user["login"], device_token=device))
    assert (answer["device_token"] == device) is not answer["session"]["is_new_device"]
    return not answer["session"]["is_new_device"]


def test_failures_on_a_known_device_are_its_own(stack: Stack, headquarters: Headquarters) -> None:
    person, forged = headquarters.person(), gateways_seal(stack)
    login = person.user["login"]
    devices = [expect(201, log_in(person, login))["device_token"] for _ in range(2)]
    for _ in range(5):
        log_in(person, login, "a guess", device_token=devices[0])
    assert kind(log_in(person, login, device_token=devices[0])) == "captcha-required"
    assert kind(log_in(person, login, "a guess", device_token=devices[0], captcha=solved(forged))) == "wrong-credentials"
    assert kind(log_in(person, login, device_token=devices[0], captcha=solved(forged))) == "too-many-failures"
    assert is_known(person, devices[1])
    assert opened(person, login)
    with later(stack, timedelta(minutes=2)):
        assert opened(person, login, device_token=devices[0], captcha=solved(forged))
        assert is_known(person, devices[0])


def test_a_device_is_known_of_one_person_as_long_as_he_uses_it(stack: Stack, headquarters: Headquarters) -> None:
    team = headquarters.team()
    first = expect(201, log_in(team.rep, team.rep.user["login"]))["device_token"]
    assert is_known(team.rep, first)
    assert not is_known(team.colleague, first)
    assert not is_known(team.rep, "x" * 43)
    assert log_in(team.rep, team.rep.user["login"], device_token="too short").status_code == 422
    with later(stack, timedelta(days=29)):
        assert is_known(team.rep, first)
    with later(stack, timedelta(days=58)):
        assert is_known(team.rep, first)
        others = [expect(201, log_in(team.rep, team.rep.user["login"]))["device_token"] for _ in range(2)]
        assert is_known(team.rep, first)
        assert not is_known(team.rep, "y" * 43)  # the fourth: the one that was used longest ago goes
        assert [is_known(team.rep, device) for device in (first, others[1], others[0])] == [True, True, False]
    with later(stack, timedelta(days=89)):
        assert not is_known(team.rep, first)


def test_devices_are_forgotten_with_the_sessions_of_who_is_reset_or_disabled(headquarters: Headquarters) -> None:
    for end in ("password-reset", "disable"):
        person = headquarters.person()
        device, path = expect(201, log_in(person, person.user["login"]))["device_token"], f"/v1/users/{person.user['id']}"
        ended = headquarters.admin.request("POST", f"{path}/{end}")
        secret = expect(201, ended)["code"] if end == "password-reset" else PASSWORD
        headquarters.admin.post(f"{path}/restore", None, status=200)
        answer = expect(201, log_in(person, person.user["login"], secret, device_token=device))
        assert answer["session"]["is_new_device"]


def test_a_new_code_is_good_at_once_however_much_was_guessed(stack: Stack, headquarters: Headquarters) -> None:
    person, forged = headquarters.person(), gateways_seal(stack)
    for _ in range(7):
        log_in(person, person.user["login"], "a guess", captcha=solved(forged))
    assert kind(log_in(person, person.user["login"], captcha=solved(forged))) == "too-many-failures"
    code = headquarters.admin.post(f"/v1/users/{person.user['id']}/password-reset", None)["code"]
    assert opened(person, person.user["login"], code)


def test_an_address_with_many_failures_needs_captchas_and_no_other_does(stack: Stack, headquarters: Headquarters) -> None:
    person, here = headquarters.person(), somewhere()
    told = Counter(kind(log_in(person, unique("nobody"), "a guess", here)) for _ in range(FAILURES + 5))
    assert told == {"wrong-credentials": FAILURES, "captcha-required": 5}
    refused = log_in(person, person.user["login"], address=here)
    assert (kind(refused), refused.json()["reason"]) == ("captcha-required", "too many failures from this address")
    assert kind(log_in(person, person.user["login"], address=f"203.0.113.9, {here}")) == "captcha-required"  # made up
    assert opened(person, person.user["login"], address=here, captcha=captcha(stack, person))
    assert opened(person, person.user["login"])


# --- captchas


def test_an_agency_that_always_wants_a_captcha_is_not_told_by_its_logins(stack: Stack, headquarters: Headquarters) -> None:
    team, elsewhere = headquarters.team(), headquarters.person()
    login = team.rep.user["login"]
    expect(200, settle(team.admin, captcha_always=True))

    answers = [log_in(elsewhere, *given) for given in ((login, PASSWORD), (login, "a guess"), (unique("nobody"), PASSWORD))]

    told = [{**answer.json(), "instance": "", "request_id": ""} for answer in answers]
    assert told == [told[0]] * 3
    assert told[0]["type"] == "urn:qudao:problem:wrong-credentials"
    assert opened(team.rep, login, captcha=captcha(stack, team.rep))
    assert kind(log_in(team.rep, login, "a guess", captcha=captcha(stack, team.rep))) == "wrong-credentials"
    assert opened(elsewhere, elsewhere.user["login"])
    assert [kind(log_in(team.rep, login)) for _ in range(5)] == ["wrong-credentials"] * 4 + ["captcha-required"]  # counted alike


def test_where_headquarters_always_want_a_captcha_everybody_is_told(stack: Stack, headquarters: Headquarters) -> None:
    person = headquarters.person()
    try:
        expect(200, settle(headquarters.admin, captcha_always=True))
        for login in (person.user["login"], unique("nobody")):
            assert kind(log_in(person, login)) == "captcha-required"
        assert opened(person, person.user["login"], captcha=captcha(stack, person))
    finally:
        expect(200, settle(headquarters.admin))
    assert opened(person, person.user["login"])


def test_a_spoken_captcha_counts_as_a_drawn_one_and_once(stack: Stack, headquarters: Headquarters) -> None:
    person = headquarters.person()
    for number in range(5):
        log_in(person, person.user["login"], f"guess number {number}")
    spoken = person.post("/v1/captchas", {"kind": "audio"})
    assert spoken["image"] is None
    assert spoken["audio"].startswith("data:audio/wav;base64,")
    solved = solve(stack, spoken)
    assert re.fullmatch(r"\d{7}", solved["answer"])
    assert opened(person, person.user["login"], captcha=solved)
    assert kind(log_in(person, person.user["login"], captcha=solved)) == "captcha-required"
    assert person.request("POST", "/v1/captchas", {"kind": "smell"}).status_code == 422


# --- sessions


def test_one_sees_from_where_his_sessions_were_opened_and_ends_them(headquarters: Headquarters) -> None:
    person = headquarters.person()
    here = opened(person, person.user["login"], address="203.0.113.77")
    listed = here.get("/v1/sessions")["items"]
    assert [each["is_current"] for each in listed] == [True, False]
    assert (listed[0]["id"], listed[0]["client"], listed[0]["address"]) == (here.user["id"], "curl", "203.0.113.*")

    there = opened(person, person.user["login"])
    expect(204, here.request("DELETE", f"/v1/sessions/{there.user['id']}"))
    is_soon_out(there)
    assert here.request("DELETE", f"/v1/sessions/{there.user['id']}").status_code == 204  # as it was
    expect(204, here.request("POST", "/v1/sessions/end-others"))
    is_soon_out(person)
    assert [each["id"] for each in here.get("/v1/sessions")["items"]] == [here.user["id"]]
    expect(204, here.request("DELETE", f"/v1/sessions/{here.user['id']}"))
    assert not is_in(here)


def test_nobody_sees_or_ends_what_is_not_his(stack: Stack, headquarters: Headquarters) -> None:
    team, victim = headquarters.team(), headquarters.person()
    colleague, session_id = team.colleague, victim.get("/v1/sessions")["items"][0]["id"]
    own_id = colleague.get("/v1/sessions")["items"][0]["id"]
    for attacker, user_id, ended in (
        (team.rep, colleague.user["id"], own_id),
        (team.supervisor, colleague.user["id"], own_id),
        (team.admin, victim.user["id"], session_id),
        (victim, team.rep.user["id"], session_id),
    ):
        path = f"/v1/users/{user_id}/sessions"
        for refused in (
            attacker.request("GET", path),
            attacker.request("DELETE", path),
            attacker.request("DELETE", f"{path}/{ended}"),
        ):
            assert (refused.status_code, kind(refused)) == (404, "not-found")
    assert team.rep.request("DELETE", f"/v1/sessions/{own_id}").status_code == 404
    assert team.admin.request("DELETE", f"/v1/users/{team.rep.user['id']}/sessions/{own_id}").status_code == 404  # another's
    assert is_in(colleague)
    assert is_in(victim)
    denials = "SELECT count(*) FROM audit WHERE actor = %s AND result = 'denied'"
    assert ask(stack, denials, team.supervisor.user["id"]) == [(3,)]


def test_an_administrator_lists_and_ends_a_users_sessions(stack: Stack, headquarters: Headquarters) -> None:
    team = headquarters.team()
    path = f"/v1/users/{team.rep.user['id']}/sessions"
    second = opened(team.rep, team.rep.user["login"])
    listed = team.admin.get(path)["items"]
    assert [each["is_current"] for each in listed] == [False, False]
    expect(204, team.admin.request("DELETE", f"{path}/{listed[0]['id']}"))
    is_soon_out(second)
    assert is_in(team.rep)
    expect(204, headquarters.admin.request("DELETE", path))
    is_soon_out(team.rep)
    audited = "SELECT operation, actor FROM audit WHERE subject_id = %s AND operation LIKE '%%end_%%' ORDER BY id"
    assert ask(stack, audited, team.rep.user["id"]) == [
        ("identity.end_one_session", team.admin.user["id"]),
        ("identity.end_all_sessions", headquarters.admin.user["user_id"]),
    ]
    above = headquarters.person("agency_admin", headquarters.admin.get("/v1/me")["department_id"])
    refused = above.request("DELETE", f"/v1/users/{headquarters.admin.user['user_id']}/sessions")
    assert (refused.status_code, kind(refused)) == (403, "above-your-rights")
    assert is_in(headquarters.admin)


def test_one_session_more_than_there_may_be_ends_the_oldest(headquarters: Headquarters) -> None:
    team = headquarters.team()
    login = team.rep.user["login"]
    expect(200, settle(team.admin, max_sessions=2))
    second = opened(team.rep, login)
    third = opened(team.rep, login)
    is_soon_out(team.rep)
    assert is_in(second)
    many = at_once(6, lambda _: log_in(team.rep, login))
    assert {answer.status_code for answer in many} <= {201, 403, 503}
    last = opened(team.rep, login, address=somewhere())
    assert len(last.get("/v1/sessions")["items"]) == 2
    is_soon_out(third)


def test_a_session_ends_at_the_second_that_the_settings_say(stack: Stack, headquarters: Headquarters) -> None:
    team, second = headquarters.team(), timedelta(seconds=1)
    admin = opened(team.admin, team.admin.user["login"])
    expect(200, settle(admin, idle_minutes=10, session_hours=1))
    person = opened(team.rep, team.rep.user["login"])
    [(opened_at, used_at)] = ask(stack, "SELECT opened_at, used_at FROM session WHERE id = %s", person.user["id"])
    assert datetime.fromisoformat(person.user["expires_at"]) == opened_at + timedelta(hours=1)

    with clock_at(stack, used_at + timedelta(minutes=10) + second):
        is_soon_out(person)
    with clock_at(stack, used_at + timedelta(minutes=10) - second):
        assert is_in(person)
    with psycopg.connect(stack.owner_url("identity")) as owner:
        owner.execute("UPDATE session SET used_at = opened_at + interval '55 minutes' WHERE id = %s", [person.user["id"]])
    with clock_at(stack, opened_at + timedelta(hours=1) + second):
        is_soon_out(person)
    with clock_at(stack, opened_at + timedelta(hours=1) - second):
        eventually(lambda: is_in(person), seconds=2)


def test_stricter_limits_count_for_open_sessions_as_well(stack: Stack, headquarters: Headquarters) -> None:
    team = headquarters.team()
    assert is_in(team.rep)
    with later(stack, timedelta(minutes=20)):
        assert is_in(team.rep)
    with later(stack, timedelta(minutes=29)):
        admin = opened(team.admin, team.admin.user["login"])
        expect(200, settle(admin, idle_minutes=5))
        is_soon_out(team.rep)


# --- settings


def test_an_agency_can_be_stricter_than_headquarters_and_not_wider(headquarters: Headquarters) -> None:
    team = headquarters.team()
    assert team.admin.get("/v1/settings/login") == {
        "agency_id": team.agency_id,
        "version": 0,
        "settings": {
            "captcha_always": False,
            "idle_minutes": None,
            "session_hours": None,
            "max_sessions": None,
            "password_days": None,
            "factor_roles": [],
        },
        "effective": {
            "captcha_always": False,
            "idle_minutes": 30,
            "session_hours": 12,
            "max_sessions": 20,
            "password_days": None,
            "factor_roles": [],
        },
    }
    wide = expect(200, settle(team.admin, idle_minutes=480, session_hours=72, max_sessions=100, password_days=365))
    assert wide["effective"] | {"password_days": None} == team.admin.get("/v1/settings/login")["effective"] | {
        "password_days": None
    }
    assert (wide["effective"]["idle_minutes"], wide["effective"]["session_hours"], wide["effective"]["max_sessions"]) == (
        30,
        12,
        20,
    )
    try:
        expect(200, settle(headquarters.admin, idle_minutes=60, max_sessions=50, password_days=90))
        assert team.admin.get("/v1/settings/login")["effective"] == {
            "captcha_always": False,
            "idle_minutes": 60,
            "session_hours": 12,
            "max_sessions": 50,
            "password_days": 90,
            "factor_roles": [],
        }
    finally:
        expect(200, settle(headquarters.admin))


def test_who_may_set_what_and_in_which_version(stack: Stack, headquarters: Headquarters) -> None:
    team, path = headquarters.team(), "/v1/settings/login"
    assert team.admin.request("PUT", path, {}).status_code == 428
    first = team.admin.request("PUT", path, {"idle_minutes": 10}, If_Match='"0"')
    assert (first.status_code, first.headers["ETag"]) == (200, '"1"')
    assert team.admin.request("PUT", path, {"idle_minutes": 15}, If_Match='"0"').status_code == 412
    for wrong in ({"idle_minutes": 4}, {"session_hours": 73}, {"max_sessions": 0}, {"password_days": 1}, {"colour": "red"}):
        assert team.admin.request("PUT", path, wrong, If_Match='"1"').status_code == 422
    other = headquarters.agency()["id"]
    assert team.admin.request("PUT", path, {"agency_id": other}, If_Match='"0"').status_code == 404
    assert team.admin.request("GET", f"{path}?agency_id={other}").status_code == 404
    assert headquarters.admin.get(f"{path}?agency_id={other}")["version"] == 0
    for person in (team.rep, team.supervisor):
        assert person.request("GET", path).status_code == 403
        assert person.request("PUT", path, {}, If_Match='"1"').status_code == 403
    above = headquarters.person("agency_admin", headquarters.admin.get("/v1/me")["department_id"])
    refused = settle(above, captcha_always=True)
    assert (refused.status_code, kind(refused)) == (403, "above-your-rights")
    versions = at_once(
        5, lambda number: team.admin.request("PUT", path, {"idle_minutes": 10 + number}, If_Match='"1"').status_code
    )
    assert Counter(versions) == {200: 1, 412: 4}
    audited = (
        "SELECT old->'settings'->>'idle_minutes', new->'settings'->>'idle_minutes' FROM audit WHERE subject_id = %s ORDER BY id"
    )
    assert ask(stack, audited, team.agency_id)[1] == (None, "10")


# --- passwords


def choose(who: Client, new: str, current: str | None = PASSWORD) -> httpx.Response:
    return who.request("PUT", "/v1/me/password", {"new": new} | ({"current": current} if current else {}))


def test_a_new_password_gives_a_new_token_and_the_old_one_is_dead(headquarters: Headquarters) -> None:
    person = headquarters.person()
    old = Client(person.http, person.token)
    answer = expect(200, choose(person, "quite another secret"))
    person.token = answer["token"]
    assert is_in(person)
    is_soon_out(old)
    assert answer["session"]["id"] == person.get("/v1/sessions")["items"][0]["id"]


def test_a_new_password_ends_the_tokens_of_ones_programs_unless_they_are_to_go_on(headquarters: Headquarters) -> None:
    admin = headquarters.team().admin
    integration = program(admin, "profile:read")
    kept = expect(
        200, admin.request("PUT", "/v1/me/password", {"new": "quite another secret", "current": PASSWORD, "keep_tokens": True})
    )
    admin.token = kept["token"]
    assert kept["session"]["ended_tokens"] == 0
    assert is_in(integration)
    ended = expect(200, choose(admin, PASSWORD, "quite another secret"))
    admin.token = ended["token"]
    assert ended["session"]["ended_tokens"] == 1
    is_soon_out(integration)
    assert admin.get("/v1/me/tokens")["items"][0]["revoked_at"]


def test_a_key_whose_answer_is_forgotten_makes_no_secret_again(stack: Stack, headquarters: Headquarters) -> None:
    """Answers are kept for a week; the secret that the key makes is the same for ever."""
    admin, keys = headquarters.team().admin, [unique("key"), unique("key")]
    bodies = [
        ("POST", "/v1/me/tokens", {"name": "x", "permissions": ["user:read"], "days": 30, "current": PASSWORD}),
        ("PUT", "/v1/me/password", {"current": PASSWORD, "new": "quite another secret"}),
    ]
    sent = [admin.request(*body, Idempotency_Key=key) for body, key in zip(bodies, keys, strict=True)]
    assert [answer.status_code for answer in sent] == [201, 200]
    with psycopg.connect(stack.owner_url("identity")) as owner:
        owner.execute("DELETE FROM command WHERE key = ANY (%s)", [keys])
    again = opened(admin, admin.user["login"], "quite another secret")
    bodies[0][2].update(name="y", current="quite another secret")
    bodies[1][2].update(current="quite another secret", new="a third secret of mine")
    for body, key in zip(bodies, keys, strict=True):
        refused = again.request(*body, Idempotency_Key=key)
        assert (refused.status_code, kind(refused)) == (409, "idempotency-key-forgotten")


def test_what_many_use_and_what_one_is_called_is_no_password(headquarters: Headquarters) -> None:
    agency = headquarters.agency("星河电子")
    person = headquarters.person(department_id=headquarters.department(agency["id"])["id"], staff_no="kx-20481024")
    for weak in ("qwertyuiop123", "P@ssw0rd2026!", "my 星河电子 is best", "20481024 kx now", f"{person.user['login']} x"):
        refused = choose(person, weak)
        assert (refused.status_code, kind(refused)) == (422, "password-refused"), weak
    person.choose_password("x" * 5 + " 🐟 " + "long enough " * 5 + "end", PASSWORD)


def test_every_character_of_a_long_password_counts(headquarters: Headquarters) -> None:
    person, long = headquarters.person(), "".join(chr(0x4E00 + 37 * number) for number in range(64))
    person.choose_password(long, PASSWORD)
    assert log_in(person, person.user["login"], long[:-1] + "x").status_code == 401
    assert opened(person, person.user["login"], long)


def test_an_expired_password_opens_only_the_choice_of_another(stack: Stack, headquarters: Headquarters) -> None:
    team, second = headquarters.team(), timedelta(seconds=1)
    login = team.rep.user["login"]
    expect(200, settle(team.admin, password_days=30))
    [(set_at,)] = ask(stack, "SELECT password_set_at FROM person WHERE id = %s", team.rep.user["id"])
    with clock_at(stack, set_at + timedelta(days=30) - second):
        assert opened(team.rep, login).user["password_change_required"] is False
    with clock_at(stack, set_at + timedelta(days=30) + second):
        expired = opened(team.rep, login)
        assert expired.user["password_change_required"] is True
        assert kind(expired.request("GET", "/v1/customers")) == "password-change-required"
        assert kind(choose(expired, PASSWORD, None)) == "password-refused"  # the one that has expired
        expired.choose_password("quite another secret")
        assert expired.request("GET", "/v1/customers").status_code == 200
        assert opened(team.rep, login, "quite another secret").user["password_change_required"] is False


def test_a_hash_of_older_parameters_is_renewed_by_a_log_in(stack: Stack, headquarters: Headquarters) -> None:
    person = headquarters.person()
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash(PASSWORD)
    with psycopg.connect(stack.owner_url("identity")) as owner:
        owner.execute("UPDATE person SET password_hash = %s WHERE id = %s", [weak, person.user["id"]])
    assert Counter(answer.status_code for answer in at_once(3, lambda _: log_in(person, person.user["login"]))) == {201: 3}
    [(renewed,)] = ask(stack, "SELECT password_hash FROM person WHERE id = %s", person.user["id"])
    assert renewed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert opened(person, person.user["login"])


# --- tokens of programs


def make_token(who: Client, *permissions: str, **more: Any) -> httpx.Response:
    body = {"name": unique("program"), "permissions": permissions, "days": 30, "current": PASSWORD} | more
    return who.request("POST", "/v1/me/tokens", body)


def program(who: Client, *permissions: str) -> Client:
    made = expect(201, make_token(who, *permissions))
    return Client(who.http, made["secret"], made["token"])


def test_a_token_does_what_was_chosen_and_nothing_else(stack: Stack, headquarters: Headquarters) -> None:
    team, key = headquarters.team(), unique("key")
    body = {"name": "导入", "permissions": ["user:read", "department:create"], "days": 30, "current": PASSWORD}
    made = [expect(201, team.admin.request("POST", "/v1/me/tokens", body, Idempotency_Key=key)) for _ in range(2)]
    assert made[0] == made[1]
    assert re.fullmatch(r"qdt_[A-Za-z0-9_-]{43}", made[0]["secret"])
    integration = Client(team.admin.http, made[0]["secret"])
    assert team.admin.user["id"] in [user["id"] for user in integration.get("/v1/users")["items"]]
    added = integration.post("/v1/departments", {"agency_id": team.agency_id, "name": unique("部")})
    assert added["agency_id"] == team.agency_id
    refused = integration.request("POST", f"/v1/users/{team.rep.user['id']}/disable")
    assert (refused.status_code, kind(refused)) == (403, "permission-denied")
    [listed] = team.admin.get("/v1/me/tokens")["items"]
    assert (listed["name"], listed["permissions"]) == ("导入", ["department:create", "user:read"])
    assert listed["used_at"]
    assert made[0]["secret"] not in str(ask(stack, "SELECT t::text FROM api_token AS t"))
    assert kind(make_token(team.admin, "user:read", name="导入")) == "token-name-taken"


def test_a_token_never_has_more_than_its_maker_has_at_that_moment(headquarters: Headquarters) -> None:
    team = headquarters.team()
    integration = program(team.admin, "department:create", "user:read")
    department = {"agency_id": team.agency_id}
    integration.post("/v1/departments", {"name": unique("部"), **department})
    path = f"/v1/users/{team.admin.user['id']}"
    version = headquarters.admin.get(path)["version"]
    expect(200, headquarters.admin.request("PATCH", path, {"roles": ["rep"]}, If_Match=f'"{version}"'))

    def adding() -> int:
        return integration.request("POST", "/v1/departments", {"name": unique("部"), **department}).status_code

    eventually(adding, seconds=2, until=lambda status: status == 403)
    assert integration.request("GET", "/v1/users").status_code == 200  # a rep has this


def test_nobody_gives_a_token_what_he_does_not_hold_or_what_takes_a_person(stack: Stack, headquarters: Headquarters) -> None:
    team = headquarters.team()
    for permission in ("agency:create", "token:create", "password:change", "session:end", "user:reset", "user:invite"):
        refused = make_token(team.admin, permission)
        assert (refused.status_code, kind(refused), refused.json()["permissions"]) == (422, "not-for-tokens", [permission])
    denied = "SELECT DISTINCT new->>'refused' FROM audit WHERE actor = %s AND result = 'denied'"
    assert ask(stack, denied, team.admin.user["id"]) == [("not-for-tokens",)]
    for wrong in ({"days": 366}, {"days": 0}, {"permissions": []}, {"permissions": ["fly"]}, {"name": ""}):
        assert make_token(team.admin, "user:read", **wrong).status_code == 422
    assert kind(make_token(team.admin, "user:read", current="a guess")) == "current-password-wrong"
    assert make_token(team.rep, "customer:read").status_code == 403
    assert team.admin.get("/v1/me/tokens")["items"] == []


def test_a_token_makes_no_tokens_changes_no_password_and_ends_no_session(headquarters: Headquarters) -> None:
    admin = headquarters.team().admin
    held = set(admin.get("/v1/me")["permissions"])
    integration = program(admin, *(held - NOT_FOR_TOKENS))
    assert set(integration.get("/v1/me")["permissions"]) == held - NOT_FOR_TOKENS
    for method, path, body in (
        ("POST", "/v1/me/tokens", {"name": "x", "permissions": ["user:read"], "days": 1, "current": PASSWORD}),
        ("GET", "/v1/me/tokens", None),
        ("PUT", "/v1/me/password", {"current": PASSWORD, "new": "quite another secret"}),
        ("DELETE", "/v1/sessions/current", None),
        ("POST", "/v1/sessions/end-others", None),
        ("PATCH", "/v1/me", {"title": "x"}),
        ("POST", "/v1/me/second-factor", {"current": PASSWORD}),
        ("PUT", "/v1/settings/login", {}),
        ("POST", f"/v1/users/{admin.user['id']}/password-reset", None),
    ):
        refused = integration.request(method, path, body, If_Match='"1"')
        assert (refused.status_code, kind(refused)) == (403, "permission-denied"), path
    assert is_in(admin)


def test_one_has_twenty_live_tokens_at_most(stack: Stack, headquarters: Headquarters) -> None:
    admin = headquarters.team().admin
    more = """
        INSERT INTO api_token (id, person_id, name, token_digest, permissions, created_at, expires_at)
        SELECT gen_random_uuid(), %s, number::text, gen_random_uuid()::text, '{user:read}', clock(), clock() + interval '1 day'
        FROM generate_series(1, 18) AS number
    """
    with psycopg.connect(stack.owner_url("identity")) as owner:
        owner.execute(more, [admin.user["id"]])
    told = [answer.status_code for answer in at_once(4, lambda _: make_token(admin, "user:read"))]
    assert sorted(told) == [201, 201, 409, 409]
    assert kind(make_token(admin, "user:read")) == "too-many-tokens"
    with later(stack, timedelta(days=1, minutes=1)):
        again = opened(admin, admin.user["login"])
        assert make_token(again, "user:read").status_code == 201  # those have expired


def test_a_token_is_over_when_it_is_revoked_or_expires_or_its_maker_is_gone(stack: Stack, headquarters: Headquarters) -> None:
    team = headquarters.team()
    revoked, other = program(team.admin, "profile:read"), program(team.admin, "profile:read")
    path = f"/v1/tokens/{revoked.user['id']}"
    stranger = headquarters.person("agency_admin")
    assert stranger.request("DELETE", path).status_code == 404
    assert team.rep.request("DELETE", path).status_code == 404
    assert stranger.request("GET", f"/v1/users/{team.admin.user['id']}/tokens").status_code == 404
    expect(204, team.admin.request("DELETE", path))
    is_soon_out(revoked)
    assert is_in(other)
    expires_at = datetime.fromisoformat(other.user["expires_at"])
    with clock_at(stack, expires_at + timedelta(seconds=1)):
        is_soon_out(other)
    with clock_at(stack, expires_at - timedelta(seconds=1)):
        eventually(lambda: is_in(other), seconds=2)

    user = f"/v1/users/{team.admin.user['id']}"
    expect(200, headquarters.admin.request("POST", f"{user}/disable"))
    is_soon_out(other)
    expect(200, headquarters.admin.request("POST", f"{user}/restore"))
    assert not is_in(other)
    assert [bool(token["revoked_at"]) for token in headquarters.admin.get(f"{user}/tokens")["items"]] == [True, True]


def test_an_administrator_revokes_a_users_token(headquarters: Headquarters) -> None:
    team = headquarters.team()
    integration = program(team.admin, "profile:read")
    assert is_in(integration)
    expect(204, headquarters.admin.request("DELETE", f"/v1/tokens/{integration.user['id']}"))
    is_soon_out(integration)


# --- the second factor


def enrolled(stack: Stack, who: Client) -> tuple[str, list[str]]:
    """The secret and the recovery codes; the code of half a minute ago has confirmed it, so that the present one counts."""
    made = expect(201, who.request("POST", "/v1/me/second-factor", {"current": PASSWORD}))
    code = code_of(made["secret"], now(stack), -1)
    codes = expect(200, who.request("POST", "/v1/me/second-factor/confirm", {"code": code}))["recovery_codes"]
    return made["secret"], codes


def now(stack: Stack) -> datetime:
    [(moment,)] = ask(stack, "SELECT clock()")
    return moment.astimezone(UTC)


def test_a_second_factor_is_asked_for_once_it_is_confirmed(stack: Stack, headquarters: Headquarters) -> None:
    person = headquarters.person()
    login = person.user["login"]
    assert kind(person.request("POST", "/v1/me/second-factor", {"current": "a guess"})) == "current-password-wrong"
    assert kind(person.request("POST", "/v1/me/second-factor/confirm", {"code": "123456"})) == "no-second-factor"
    made = expect(201, person.request("POST", "/v1/me/second-factor", {"current": PASSWORD}))
    assert made["uri"] == f"otpauth://totp/Qudao%3A{login}?secret={made['secret']}&issuer=Qudao"
    assert opened(person, login)  # not yet
    assert kind(person.request("POST", "/v1/me/second-factor/confirm", {"code": "000000"})) == "second-factor-wrong"
    assert person.get("/v1/me/second-factor")["is_on"] is False

    secret, codes = enrolled(stack, person)

    assert person.get("/v1/me/second-factor") | {"confirmed_at": ""} == {
        "is_on": True,
        "confirmed_at": "",
        "recovery_codes_left": 10,
    }
    assert len(set(codes)) == 10
    refused = log_in(person, login)
    assert (refused.status_code, kind(refused)) == (403, "second-factor-required")
    assert kind(log_in(person, login, "a guess", code=code_of(secret, now(stack)))) == "wrong-credentials"
    assert opened(person, login, code=code_of(secret, now(stack)))
    assert kind(person.request("POST", "/v1/me/second-factor", {"current": PASSWORD})) == "second-factor-used"


def test_each_code_counts_once_and_one_step_before_and_after(stack: Stack, headquarters: Headquarters) -> None:
    person = headquarters.person()
    login, (secret, _) = person.user["login"], enrolled(stack, person)
    begin = datetime.fromtimestamp((now(stack).timestamp() // 30 + 10) * 30, UTC)

    def told(at: datetime, code: str) -> int:
        with clock_at(stack, at):
            return log_in(person, login, code=code).status_code

    code = code_of(secret, begin)
    assert told(begin - timedelta(seconds=31), code) == 403  # two steps too early
    assert told(begin + timedelta(seconds=60), code) == 403  # two steps too late
    assert told(begin + timedelta(seconds=59), code) == 201
    assert told(begin + timedelta(seconds=59), code) == 403  # it has counted
    assert told(begin + timedelta(seconds=59), code_of(secret, begin, -1)) == 403  # and so have those before it
    assert told(begin + timedelta(seconds=59), code_of(secret, begin, 2)) == 201


def test_of_many_with_the_same_code_at_once_one_gets_in(stack: Stack, headquarters: Headquarters) -> None:
    person = headquarters.person()
    secret, codes = enrolled(stack, person)
    for code in (code_of(secret, now(stack)), codes[0]):
        told = at_once(3, lambda _, c=code: log_in(person, person.user["login"], code=c))  # type: ignore[misc]
        assert sorted(answer.status_code for answer in told) == [201, 403, 403]


def test_a_recovery_code_counts_once_however_it_is_typed(stack: Stack, headquarters: Headquarters) -> None:
    person = headquarters.person()
    _, codes = enrolled(stack, person)
    assert opened(person, person.user["login"], code=codes[0].lower().replace("-", ""))
    assert kind(log_in(person, person.user["login"], code=codes[0])) == "second-factor-wrong"
    assert opened(person, person.user["login"], code=codes[1]).get("/v1/me/second-factor")["recovery_codes_left"] == 8


def test_codes_are_not_guessed_and_who_guesses_shuts_out_no_stranger(stack: Stack, headquarters: Headquarters) -> None:
    person = headquarters.person()
    login, (secret, codes) = person.user["login"], enrolled(stack, person)
    told = at_once(6, lambda number: kind(log_in(person, login, code=f"00000{number}")))
    assert Counter(told) == {"second-factor-wrong": 5, "too-many-codes": 1}
    for code in (code_of(secret, now(stack)), codes[0]):
        refused = log_in(person, login, code=code)
        assert (refused.status_code, kind(refused)) == (429, "too-many-codes")
        assert int(refused.headers["Retry-After"]) > 800
    with later(stack, timedelta(minutes=16)):
        assert opened(person, login, code=code_of(secret, now(stack)))


def test_to_do_without_it_takes_the_password_and_a_code(stack: Stack, headquarters: Headquarters) -> None:
    person = headquarters.person()
    login, (secret, codes) = person.user["login"], enrolled(stack, person)
    path = "/v1/me/second-factor/disable"
    assert kind(person.request("POST", path, {"current": "a guess", "code": codes[0]})) == "current-password-wrong"
    assert kind(person.request("POST", path, {"current": PASSWORD, "code": "000000"})) == "second-factor-wrong"
    assert expect(200, person.request("POST", path, {"current": PASSWORD, "code": codes[0]}))["is_on"] is False
    assert opened(person, login)
    again, _ = enrolled(stack, person)
    assert again != secret


def test_an_administrator_resets_a_lost_one_and_never_his_own(stack: Stack, headquarters: Headquarters) -> None:
    team = headquarters.team()
    enrolled(stack, team.rep)
    path = f"/v1/users/{team.rep.user['id']}/second-factor-reset"
    assert team.supervisor.request("POST", path).status_code == 403
    assert headquarters.person("agency_admin").request("POST", path).status_code == 404
    own = team.admin.request("POST", f"/v1/users/{team.admin.user['id']}/second-factor-reset")
    assert (own.status_code, kind(own)) == (403, "own-account")
    expect(204, team.admin.request("POST", path))
    is_soon_out(team.rep)
    assert opened(team.rep, team.rep.user["login"])


def test_a_token_takes_a_code_of_who_has_one(stack: Stack, headquarters: Headquarters) -> None:
    admin = headquarters.team().admin
    _, codes = enrolled(stack, admin)
    refused = make_token(admin, "user:read")
    assert (refused.status_code, kind(refused)) == (403, "second-factor-required")
    assert kind(make_token(admin, "user:read", code="000000")) == "second-factor-wrong"
    assert kind(make_token(admin, "user:read", code=codes[0], current="a guess")) == "current-password-wrong"
    assert make_token(admin, "user:read", code=codes[0]).status_code == 201
    assert kind(make_token(admin, "user:read", code=codes[0])) == "second-factor-wrong"


def test_a_copy_of_a_role_that_needs_one_is_no_way_round(headquarters: Headquarters) -> None:
    team = headquarters.team()
    for unknown in (["director"], [str(uuid4())], ["rep", headquarters.agency()["id"]]):
        refused = settle(team.admin, factor_roles=unknown)
        assert (refused.status_code, kind(refused)) == (422, "invalid-request")
        assert refused.json()["errors"][0]["pointer"].startswith(f"/factor_roles/{len(unknown) - 1}")
    grants = [{"permission": each, "scope": scope} for each, scope in ROLES["agency_admin"].items()]
    copy, less = (
        team.admin.post("/v1/roles", {"name": unique("岗"), "grants": given})["id"]
        for given in (grants, [each for each in grants if each["permission"] != "user:create"])
    )
    twin, plain = (headquarters.person(roles=[role], department_id=team.department_id) for role in (copy, less))
    expect(200, settle(team.admin, factor_roles=["agency_admin"]))
    for person, is_asked in ((twin, True), (plain, False)):
        again = opened(person, person.user["login"])
        assert again.user["second_factor_required"] is is_asked
        assert ("user:read" in again.get("/v1/me")["permissions"]) is not is_asked
    expect(200, settle(headquarters.admin, team.agency_id, factor_roles=[less]))  # a role that was made counts alike
    assert [opened(each, each.user["login"]).user["second_factor_required"] for each in (twin, plain)] == [True, True]


def test_who_must_have_one_can_do_nothing_before(stack: Stack, headquarters: Headquarters) -> None:
    team = headquarters.team()
    assert team.rep.request("GET", "/v1/customers").status_code == 200
    assert opened(team.rep, team.rep.user["login"]).user["second_factor_required"] is False
    expect(200, settle(team.admin, factor_roles=["rep"]))
    eventually(lambda: team.rep.request("GET", "/v1/customers").status_code, seconds=2, until=lambda status: status == 403)
    person = opened(team.rep, team.rep.user["login"])
    assert person.user["second_factor_required"] is True
    assert set(person.get("/v1/me")["permissions"]) == {"factor:manage", "password:change", "profile:read", "session:end"}
    secret, _ = enrolled(stack, person)
    eventually(lambda: person.request("GET", "/v1/customers").status_code, seconds=2, until=lambda status: status == 200)
    again = opened(person, team.rep.user["login"], code=code_of(secret, now(stack)))
    assert again.user["second_factor_required"] is False
    assert team.admin.request("GET", "/v1/users").status_code == 200


def test_a_one_time_code_is_no_way_round_it(stack: Stack, headquarters: Headquarters) -> None:
    team = headquarters.team()
    secret, _ = enrolled(stack, team.rep)
    code = expect(201, team.admin.request("POST", f"/v1/users/{team.rep.user['id']}/password-reset"))["code"]
    assert kind(log_in(team.rep, team.rep.user["login"], code)) == "second-factor-required"
    assert opened(team.rep, team.rep.user["login"], code, code=code_of(secret, now(stack)))


def test_no_secret_of_programs_and_factors_stands_in_any_table_or_log(stack: Stack, headquarters: Headquarters) -> None:
    admin = headquarters.team().admin
    integration = program(admin, "profile:read")
    assert integration.token
    secret, codes = enrolled(stack, admin)
    device = expect(201, log_in(admin, admin.user["login"], code=codes[0]))["device_token"]
    shown = [integration.token, secret, device, *codes, *(code.replace("-", "") for code in codes)]
    for service in SERVICES:
        with psycopg.connect(stack.owner_url(service)) as connection:
            tables = [row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
            for table in tables:
                rows = connection.execute(f'SELECT t::text FROM "{table}" AS t').fetchall()  # noqa: S608 names from the catalogue
                text = "\n".join(row[0] for row in rows)
                assert not [each for each in shown if each in text], f"{service}.{table}"
    for name, processes in stack.processes.items():
        for index in range(len(processes)):
            assert not [each for each in shown if each in stack.log_of(name, index)], name


# --- profile and preferences


def edit(who: Client, **changes: Any) -> httpx.Response:
    return who.request("PATCH", "/v1/me", changes, If_Match=f'"{who.get("/v1/me")["version"]}"')


def test_one_changes_how_he_is_called(stack: Stack, headquarters: Headquarters) -> None:
    person = headquarters.person()
    assert person.request("PATCH", "/v1/me", {"title": "x"}).status_code == 428
    changed = person.request("PATCH", "/v1/me", {"display_name": "李雷", "title": "大客户经理"}, If_Match='"1"')
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
    assert person.request("PATCH", "/v1/me", {"title": "x"}, If_Match='"1"').status_code == 412
    assert person.request("PATCH", "/v1/me", {"display_name": None}, If_Match='"2"').status_code == 422
    assert person.request("PATCH", "/v1/me", {"roles": ["subsystem_admin"]}, If_Match='"2"').status_code == 422
    assert (person.get("/v1/me")["display_name"], person.get("/v1/me")["title"]) == ("李雷", "大客户经理")
    seen = headquarters.admin.get(f"/v1/users/{person.user['id']}")
    assert (seen["version"], seen["display_name"], seen["title"]) == (2, "李雷", "大客户经理")
    assert expect(200, edit(person, title=None))["title"] is None
    told = "SELECT version, data->>'change', data->>'display_name' FROM outbox WHERE aggregate_id = %s AND version > 1 ORDER BY 1"
    assert ask(stack, told, person.user["id"]) == [(2, "profile", "李雷"), (3, "profile", "李雷")]


def test_how_one_is_reached_takes_the_password(stack: Stack, headquarters: Headquarters) -> None:
    person, mail = headquarters.person(), f"{unique('li')}@example.com"
    assert kind(edit(person, email=mail)) == "current-password-wrong"
    assert kind(edit(person, phone="13812345678", current="a guess")) == "current-password-wrong"
    assert (person.get("/v1/me")["email"], person.get("/v1/me")["phone"]) == (None, None)
    changed = expect(200, edit(person, email=mail, phone="138 1234 5678", current=PASSWORD))
    assert (changed["email"], changed["phone"]) == (mail, "138 1234 5678")
    assert opened(person, mail)
    other = headquarters.person()
    taken = edit(other, email=mail, current=PASSWORD)
    assert (taken.status_code, kind(taken)) == (409, "login-taken")
    audited = "SELECT new::text FROM audit WHERE subject_id = %s AND operation = 'identity.update_profile'"
    [(row,)] = ask(stack, audited, person.user["id"])
    assert mail not in row
    assert "12345678" not in row
    assert expect(200, edit(person, email=None, current=PASSWORD))["email"] is None
    assert log_in(person, mail).status_code == 401
    assert expect(200, edit(other, email=mail, current=PASSWORD))["email"] == mail
    guesses = [edit(person, phone="1234567", current=f"guess number {number}").status_code for number in range(6)]
    assert guesses == [403] * 5 + [401]


def test_preferences_are_ones_own_and_versioned(headquarters: Headquarters) -> None:
    person, path = headquarters.person(), "/v1/me/preferences"
    defaults = {"language": "zh", "density": "comfortable", "layout": "side", "modules": [], "version": 0}
    assert person.get(path) == defaults
    changed = person.request("PATCH", path, {"language": "en", "modules": ["customers", "notes"]}, If_Match='"0"')
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"1"')
    assert person.request("PATCH", path, {"density": "compact"}, If_Match='"0"').status_code == 412
    expect(200, person.request("PATCH", path, {"density": "compact"}, If_Match='"1"'))
    assert person.get(path) == {
        "language": "en",
        "density": "compact",
        "layout": "side",
        "modules": ["customers", "notes"],
        "version": 2,
    }
    for wrong in (
        {"language": "fr"},
        {"modules": ["a", "a"]},
        {"modules": ["<b>"]},
        {"modules": [f"m{'x' * number}" for number in range(50)]},
        {"density": None},
        {"colour": "red"},
    ):
        assert person.request("PATCH", path, wrong, If_Match='"2"').status_code == 422
    assert headquarters.person().get(path) == defaults
    statuses = at_once(5, lambda _: person.request("PATCH", path, {"layout": "top"}, If_Match='"2"').status_code)
    assert Counter(statuses) == {200: 1, 412: 4}
