"""What every request is promised, over HTTP against the running system: once, audited, scoped, and told clearly."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest

from embedded.stack import Stack
from services.contracts.base import SERVICES
from services.plumbing.verification import verify
from tests.api import PASSWORD, Client, Headquarters, eventually, expect, unique
from tests.travel import later


def ask(stack: Stack, service: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.owner_url(service)) as connection:
        return connection.execute(query, values).fetchall()  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def rep(headquarters: Headquarters) -> Client:
    return headquarters.person()


# --- once


def test_the_same_command_twice_is_carried_out_once(stack: Stack, rep: Client) -> None:
    body, key = {"name": unique("公司")}, unique("key")
    answers = [rep.request("POST", "/v1/customers", body, Idempotency_Key=key) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert len({answer.content for answer in answers}) == 1
    customer_id = answers[0].json()["customer_id"]
    assert ask(stack, "customers", "SELECT count(*) FROM audit WHERE command_id = %s", key) == [(1,)]
    assert ask(stack, "customers", "SELECT count(*) FROM outbox WHERE aggregate_id = %s", customer_id) == [(1,)]


def test_twenty_at_once_on_two_gateways_are_carried_out_once(stack: Stack, rep: Client) -> None:
    body, key = {"name": unique("公司")}, unique("key")
    headers = {"Authorization": f"Bearer {rep.token}", "Idempotency-Key": key}
    start = threading.Barrier(20)

    def enter(number: int) -> httpx.Response:
        start.wait()
        url = stack.gateway_urls[number % len(stack.gateway_urls)]
        return httpx.post(f"{url}/v1/customers", json=body, headers=headers, timeout=20)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(enter, range(20)))

    assert {answer.status_code for answer in answers} <= {201, 409}
    created = {answer.content for answer in answers if answer.status_code == 201}
    assert len(created) == 1
    in_flight = [answer.json()["type"] for answer in answers if answer.status_code == 409]
    assert set(in_flight) <= {"urn:qudao:problem:command-in-flight"}
    assert ask(stack, "customers", "SELECT count(*) FROM customer WHERE name = %s", body["name"]) == [(1,)]


def test_a_key_that_was_used_with_another_body_is_refused(rep: Client) -> None:
    key = unique("key")
    rep.post("/v1/customers", {"name": unique("公司")}, Idempotency_Key=key)
    problem = rep.post("/v1/customers", {"name": unique("公司")}, status=422, Idempotency_Key=key)
    assert problem["type"] == "urn:qudao:problem:idempotency-key-reused"


def test_absent_and_null_are_two_requests(rep: Client) -> None:
    entered, key = rep.post("/v1/customers", {"name": unique("公司"), "phone": "13800001111"}), unique("key")
    path = f"/v1/customers/{entered['customer_id']}"
    headers = {"If_Match": '"1"', "Idempotency_Key": key}
    assert rep.request("PATCH", path, {"city": "扬州"}, **headers).status_code == 200
    assert rep.request("PATCH", path, {"city": "扬州", "phone": None}, **headers).status_code == 422
    assert rep.request("PATCH", path, {"is_key": None}, If_Match='"2"').status_code == 422


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-03-01T12:00:00"])
def test_a_moment_that_is_none_is_refused(rep: Client, moment: str) -> None:
    entered = rep.post("/v1/customers", {"name": unique("公司")})
    path = f"/v1/customers/{entered['customer_id']}/notes"
    note = {"method": "phone", "content": "x", "maturity": 1, "next_contact_at": moment}
    assert rep.request("POST", path, note).status_code == 422
    assert rep.post(path, {**note, "next_contact_at": "2026-03-01T12:00:00+08:00"})["next_contact_at"] == "2026-03-01T04:00:00Z"


@pytest.mark.parametrize("name", ["五\u200b环", "\ufeff五环", "\u202e环五", "\u200b\u200b"])
def test_names_with_invisible_characters_are_refused(rep: Client, name: str) -> None:
    assert rep.request("POST", "/v1/customers", {"name": name}).status_code == 422


def test_a_body_of_very_many_parts_is_refused_before_it_is_read(rep: Client) -> None:
    body = {f"member{number}": 1 for number in range(5_000)}
    assert rep.request("POST", "/v1/customers", body).status_code == 400


def test_a_key_is_the_users_own(headquarters: Headquarters, rep: Client) -> None:
    key, other = unique("key"), headquarters.person()
    first = rep.post("/v1/customers", {"name": unique("公司")}, Idempotency_Key=key)
    second = other.post("/v1/customers", {"name": unique("公司")}, Idempotency_Key=key)
    assert first["customer_id"] != second["customer_id"]


def test_a_refused_entry_is_answered_the_same_again(headquarters: Headquarters, rep: Client) -> None:
    name, key, rival = unique("公司"), unique("key"), headquarters.person()
    rep.post("/v1/customers", {"name": name})
    refusals = [rival.post("/v1/customers", {"name": name}, status=409, Idempotency_Key=key) for _ in range(2)]
    assert refusals[0]["type"] == "urn:qudao:problem:customer-refused"
    assert refusals[0]["verdict"]["reason"] == "held_by_other_agency"
    assert {k: v for k, v in refusals[0].items() if k not in ("instance", "request_id")} == {
        k: v for k, v in refusals[1].items() if k not in ("instance", "request_id")
    }


def test_two_reps_who_enter_the_same_company_at_once_one_wins(headquarters: Headquarters, stack: Stack) -> None:
    name, department = unique("公司"), headquarters.department()["id"]
    reps = [headquarters.person(department_id=department) for _ in range(6)]
    start = threading.Barrier(len(reps))

    def enter(number: int) -> tuple[int, Any]:
        start.wait()
        url = stack.gateway_urls[number % len(stack.gateway_urls)]
        headers = {"Authorization": f"Bearer {reps[number].token}"}
        answer = httpx.post(f"{url}/v1/customers", json={"name": name}, headers=headers, timeout=20)
        return answer.status_code, answer.json()

    with ThreadPoolExecutor(len(reps)) as pool:
        answers = list(pool.map(enter, range(len(reps))))

    winners = [reps[number] for number, (status, _) in enumerate(answers) if status == 201]
    assert len(winners) == 1
    told = [problem for status, problem in answers if status == 409]
    assert len(told) == len(reps) - 1
    assert {tuple(problem["verdict"]["ask"]) for problem in told} == {(winners[0].user["display_name"],)}
    assert {problem["verdict"]["reason"] for problem in told} == {"held_by_colleague"}


def test_a_key_is_remembered_for_a_day_and_forgotten_after_a_week(stack: Stack, headquarters: Headquarters) -> None:
    name, key = unique("代理"), unique("key")
    known = "SELECT count(*) FROM command WHERE key = %s"
    first = headquarters.admin.post("/v1/agencies", {"name": name}, Idempotency_Key=key)
    with later(stack, timedelta(hours=25)):
        again = headquarters.admin.log_in("root", PASSWORD).post("/v1/agencies", {"name": name}, Idempotency_Key=key)
        assert again == first
        assert ask(stack, "identity", known, key) == [(1,)]
    with later(stack, timedelta(days=8)):
        eventually(lambda: ask(stack, "identity", known, key), until=lambda rows: rows == [(0,)])


# --- versions and pages


def test_an_edit_needs_the_version_that_was_read(stack: Stack, rep: Client) -> None:
    entered = rep.post("/v1/customers", {"name": unique("公司")})
    path = f"/v1/customers/{entered['customer_id']}"
    assert rep.request("GET", path).headers["ETag"] == '"1"'
    assert rep.request("PATCH", path, {"city": "扬州"}).status_code == 428
    edited = rep.request("PATCH", path, {"city": "扬州", "is_key": True}, If_Match='"1"')
    assert (edited.status_code, edited.headers["ETag"], edited.json()["city"]) == (200, '"2"', "扬州")
    assert rep.request("PATCH", path, {"city": "南京"}, If_Match='"1"').status_code == 412
    assert rep.get(path)["city"] == "扬州"
    assert rep.request("GET", path, If_None_Match='"2"').status_code == 304
    [(old, new)] = ask(
        stack,
        "customers",
        "SELECT old, new FROM audit WHERE subject_id = %s AND operation = 'customers.update_customer'",
        entered["customer_id"],
    )
    assert (old["city"], new["city"]) == (None, "扬州")


def test_twenty_editors_lose_no_update(headquarters: Headquarters) -> None:
    rep = headquarters.person()
    entered = rep.post("/v1/customers", {"name": unique("公司")})
    path = f"/v1/customers/{entered['customer_id']}"

    def edit(number: int) -> int:
        version = rep.get(path)["version"]
        return rep.request("PATCH", path, {"city": f"城{number}"}, If_Match=f'"{version}"').status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(edit, range(40)))

    assert set(statuses) <= {200, 412}
    assert rep.get(path)["version"] == 1 + statuses.count(200)


def test_pages_have_neither_gaps_nor_repeats(headquarters: Headquarters) -> None:
    rep = headquarters.person()
    entered = [rep.post("/v1/customers", {"name": unique("公司")})["customer_id"] for _ in range(7)]
    listed, cursor = [], ""
    while cursor is not None:
        page = rep.get(f"/v1/customers?limit=3{cursor and '&cursor=' + cursor}")
        listed += [customer["id"] for customer in page["items"]]
        cursor = page["next_cursor"]
    assert listed == entered[::-1]


# --- who may


def test_a_stranger_and_a_colleague_of_another_department_see_nothing(
    stack: Stack, headquarters: Headquarters, rep: Client
) -> None:
    entered = rep.post("/v1/customers", {"name": unique("公司")})
    path = f"/v1/customers/{entered['customer_id']}"
    other = headquarters.person("supervisor")
    assert Client(rep.http).request("GET", path).status_code == 401
    assert other.request("GET", path).status_code == 404
    assert other.request("PATCH", path, {"city": "x"}, If_Match='"1"').status_code == 404
    assert other.request("POST", f"{path}/notes", {"method": "phone", "content": "x", "maturity": 1}).status_code == 404
    assert rep.get(path)["version"] == 1
    denials = "SELECT operation, new->>'refused' FROM audit WHERE actor = %s AND result = 'denied' ORDER BY id"
    refused = [("customers.show_customer", "out-of-scope"), ("customers.update_customer", "out-of-scope")]
    assert ask(stack, "customers", denials, other.user["id"]) == [*refused, refused[0]]
    nowhere = other.request("GET", "/v1/customers/00000000-0000-7000-8000-000000000000")
    assert other.request("GET", path).json().keys() == nowhere.json().keys()
    assert other.request("GET", path).json()["type"] == nowhere.json()["type"]


def test_a_supervisor_reads_his_departments_customers_but_writes_no_notes_on_them(headquarters: Headquarters) -> None:
    department = headquarters.department()["id"]
    rep, supervisor = headquarters.person("rep", department), headquarters.person("supervisor", department)
    entered = rep.post("/v1/customers", {"name": unique("公司")})
    path = f"/v1/customers/{entered['customer_id']}"
    assert supervisor.get(path)["id"] == entered["customer_id"]
    note = supervisor.request("POST", f"{path}/notes", {"method": "phone", "content": "x", "maturity": 1})
    assert (note.status_code, note.json()["type"]) == (403, "urn:qudao:problem:not-the-owner")


def test_a_denial_changes_nothing_and_is_audited(stack: Stack, headquarters: Headquarters, rep: Client) -> None:
    name = unique("代理")
    answer = rep.request("POST", "/v1/agencies", {"name": name}, X_Request_Id="denied-for-the-test")
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:qudao:problem:permission-denied")
    assert ask(stack, "identity", "SELECT count(*) FROM agency WHERE name = %s", name) == [(0,)]
    denials = "SELECT actor, result, new->>'refused' FROM audit WHERE request_id = 'denied-for-the-test'"
    assert ask(stack, "identity", denials) == [(rep.user["id"], "denied", "permission-denied")]


def test_an_agency_admin_manages_his_own_agency_alone(headquarters: Headquarters) -> None:
    department = headquarters.department()
    admin, elsewhere = headquarters.person("agency_admin", department["id"]), headquarters.department()
    new = {"login": unique("u"), "roles": ["rep"], "department_id": department["id"]}
    assert admin.post("/v1/users", new)["agency_id"] == department["agency_id"]
    foreign = admin.request("POST", "/v1/users", {**new, "login": unique("u"), "department_id": elsewhere["id"]})
    assert foreign.status_code == 404
    above = admin.request("POST", "/v1/users", {**new, "login": unique("u"), "roles": ["subsystem_admin"]})
    assert (above.status_code, above.json()["type"]) == (403, "urn:qudao:problem:above-your-rights")
    assert admin.request("POST", f"/v1/users/{headquarters.admin.user['user_id']}/one-time-code").status_code == 404
    assert {agency["id"] for agency in admin.get("/v1/agencies")["items"]} == {department["agency_id"]}
    assert {user["agency_id"] for user in admin.get("/v1/users")["items"]} == {department["agency_id"]}


def test_names_are_unique_with_a_clear_answer(headquarters: Headquarters) -> None:
    agency = headquarters.agency()
    again = headquarters.admin.request("POST", "/v1/agencies", {"name": agency["name"]})
    assert (again.status_code, again.json()["type"]) == (409, "urn:qudao:problem:name-taken")
    user = headquarters.add_user()
    body = {"login": user["login"].upper(), "roles": ["rep"], "department_id": user["department_id"]}
    taken = headquarters.admin.request("POST", "/v1/users", body)
    assert (taken.status_code, taken.json()["type"]) == (409, "urn:qudao:problem:login-taken")


# --- sessions


def test_the_system_is_set_up_once(stack: Stack, headquarters: Headquarters) -> None:
    assert headquarters.admin.get("/v1/setup") == {"needed": False}
    body = {"secret": stack.setup_secret, "agency_name": "x", "login": "second", "display_name": "x", "password": PASSWORD}
    assert headquarters.admin.request("POST", "/v1/setup", body).status_code == 404
    assert headquarters.admin.request("POST", "/v1/setup", {**body, "secret": "guessed"}).status_code == 403


def test_an_idle_session_ends_after_thirty_minutes(stack: Stack, headquarters: Headquarters) -> None:
    person = headquarters.person()
    with later(stack, timedelta(minutes=29)):
        eventually(lambda: person.request("GET", "/v1/me").status_code, until=lambda status: status == 200)
    with later(stack, timedelta(minutes=58)):
        assert person.request("GET", "/v1/me").status_code == 200
    with later(stack, timedelta(minutes=89)):
        eventually(lambda: person.request("GET", "/v1/me").status_code, until=lambda status: status == 401)


def test_a_one_time_code_ends_after_use_and_after_three_days(stack: Stack, headquarters: Headquarters) -> None:
    user = headquarters.add_user()
    code = headquarters.one_time_code(user["id"])
    credentials = {"login": user["login"], "password": code}
    with later(stack, timedelta(hours=73)):
        assert Client(headquarters.admin.http).request("POST", "/v1/sessions", credentials).status_code == 401
    new = headquarters.admin.log_in(user["login"], code)
    new.choose_password(PASSWORD)
    assert Client(headquarters.admin.http).request("POST", "/v1/sessions", credentials).status_code == 401


def test_a_repeated_invitation_gives_the_same_code_and_a_new_one_replaces_it(headquarters: Headquarters) -> None:
    user, key = headquarters.add_user(), unique("key")
    path = f"/v1/users/{user['id']}/one-time-code"
    codes = [headquarters.admin.post(path, None, Idempotency_Key=key)["code"] for _ in range(2)]
    assert codes[0] == codes[1]
    newer = headquarters.one_time_code(user["id"])
    assert newer != codes[0]
    old = {"login": user["login"], "password": codes[0]}
    assert Client(headquarters.admin.http).request("POST", "/v1/sessions", old).status_code == 401
    assert headquarters.admin.log_in(user["login"], newer).token


def test_nobody_gets_a_code_for_somebody_who_has_a_password(headquarters: Headquarters) -> None:
    """It would open the account to whoever asked for it."""
    department = headquarters.department()["id"]
    rep, admin = headquarters.person("rep", department), headquarters.person("agency_admin", department)
    for user in (rep.user, admin.user):
        refused = admin.request("POST", f"/v1/users/{user['id']}/one-time-code")
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:qudao:problem:has-password")


def test_a_password_closes_every_session_that_a_code_had_opened(headquarters: Headquarters) -> None:
    user = headquarters.add_user()
    code = headquarters.one_time_code(user["id"])
    own, thief = (headquarters.admin.log_in(user["login"], code) for _ in range(2))
    expect(200, thief.request("GET", "/v1/me"))  # the gateway knows its passport now

    own.choose_password(PASSWORD)
    stolen = thief.request("PUT", "/v1/me/password", {"new": "the thief's own words"})

    assert stolen.status_code == 401
    assert headquarters.admin.log_in(user["login"], PASSWORD).token


def test_log_ins_while_the_password_changes_do_not_outlive_the_change(headquarters: Headquarters) -> None:
    person, new = headquarters.person(), "quite another secret"
    credentials = {"login": person.user["login"], "password": PASSWORD}

    def log_in(_: int) -> str | None:
        answer = httpx.post(f"{person.http.base_url}/v1/sessions", json=credentials, timeout=20)
        return answer.json().get("token")

    with ThreadPoolExecutor(6) as pool:
        opened = pool.map(log_in, range(12))
        person.choose_password(new, PASSWORD)
        tokens = [token for token in opened if token]

    others = [Client(person.http, token) for token in tokens]
    eventually(lambda: {other.request("GET", "/v1/me").status_code for other in others}, seconds=2, until=lambda s: s <= {401})


def test_a_repeated_change_of_the_password_is_told_as_done(headquarters: Headquarters) -> None:
    """Under the new token: the old one is dead."""
    person, key = headquarters.person(), unique("key")
    old = Client(person.http, person.token)
    body = {"current": PASSWORD, "new": "quite another secret"}
    done = expect(200, person.request("PUT", "/v1/me/password", body, Idempotency_Key=key))
    person.token = done["token"]
    assert expect(200, person.request("PUT", "/v1/me/password", body, Idempotency_Key=key)) == done
    eventually(lambda: old.request("GET", "/v1/me").status_code, seconds=2, until=lambda status: status == 401)


def test_a_new_password_needs_the_old_one_and_ends_the_other_sessions(headquarters: Headquarters) -> None:
    person = headquarters.person()
    elsewhere = headquarters.admin.log_in(person.user["login"], PASSWORD)
    new = {"current": "not my password", "new": "another long secret"}
    assert person.request("PUT", "/v1/me/password", new).status_code == 403
    person.choose_password(new["new"], PASSWORD)
    eventually(lambda: elsewhere.request("GET", "/v1/me").status_code, seconds=2, until=lambda status: status == 401)
    assert person.request("GET", "/v1/me").status_code == 200


def test_a_logged_out_session_is_over_on_every_gateway_within_a_second(stack: Stack, headquarters: Headquarters) -> None:
    person = headquarters.person()
    headers = {"Authorization": f"Bearer {person.token}"}
    assert all(httpx.get(f"{url}/v1/me", headers=headers).status_code == 200 for url in stack.gateway_urls)
    expect(204, person.request("DELETE", "/v1/sessions/current"))
    for url in stack.gateway_urls:
        eventually(lambda u=url: httpx.get(f"{u}/v1/me", headers=headers).status_code, seconds=1, until=lambda s: s == 401)


# --- found again


def test_one_request_id_stands_in_the_logs_of_every_service_it_met(stack: Stack, headquarters: Headquarters) -> None:
    request_id = unique("trace-me-")
    answer = headquarters.admin.request("POST", "/v1/agencies", {"name": unique("代理")}, X_Request_Id=request_id)
    assert answer.headers["X-Request-Id"] == request_id
    assert ask(stack, "identity", "SELECT count(*) FROM audit WHERE request_id = %s", request_id) == [(1,)]
    found = "SELECT count(*) FROM log_entry WHERE request_id = %s"
    eventually(lambda: ask(stack, "activities", found, request_id), until=lambda rows: rows == [(1,)])
    lines = [json.loads(line) for line in stack.log_of("gateway").splitlines() if request_id in line]
    assert [line["route"] for line in lines] == ["/v1/agencies"]


COMMANDS_NOT_AUDITED_ONCE = """
    SELECT actor, operation, key FROM command AS c WHERE 1 <> (
        SELECT count(*) FROM audit AS a
        WHERE (a.actor, a.operation, a.command_id, a.result) = (c.actor, c.operation, c.key, 'done'))
"""


def test_every_accepted_write_has_one_audit_row_and_the_chain_holds(stack: Stack, headquarters: Headquarters) -> None:
    for service in SERVICES:
        assert ask(stack, service, COMMANDS_NOT_AUDITED_ONCE) == []

        def unchained(of: str = service) -> int:
            return int(ask(stack, of, "SELECT count(*) FROM audit_unchained")[0][0])

        eventually(unchained, until=lambda count: count == 0)
        with psycopg.connect(stack.owner_url(service)) as connection:
            verdict = verify(connection)
        assert verdict.breaks == []


def test_no_secret_stands_in_any_table_or_log(stack: Stack, headquarters: Headquarters) -> None:
    user = headquarters.add_user()
    code = headquarters.one_time_code(user["id"])
    person = headquarters.admin.log_in(user["login"], code)
    canary = unique("canary for the vault ")
    person.choose_password(canary)
    phone = "13877776666"
    person.post("/v1/customers", {"name": unique("公司"), "phone": phone})
    assert person.token
    secrets = [code, canary, person.token, stack.setup_secret]
    for service in SERVICES:
        with psycopg.connect(stack.owner_url(service)) as connection:
            tables = [row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
            for table in tables:
                rows = connection.execute(f'SELECT t::text FROM "{table}" AS t').fetchall()  # noqa: S608 names from the catalogue
                text = "\n".join(row[0] for row in rows)
                assert not [secret for secret in secrets if secret in text], f"{service}.{table}"
                assert table in ("customer", "collision_key", "customer_search") or phone not in text, f"{service}.{table}"
    for name, processes in stack.processes.items():
        for index in range(len(processes)):
            assert not [secret for secret in [*secrets, phone] if secret in stack.log_of(name, index)], name
