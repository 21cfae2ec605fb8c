"""The audit over HTTP against the running system: who finds what in it, what is taken away, and how long it stays."""

import csv
import io
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from psycopg import sql

from embedded.stack import Stack
from embedded.wiring import ROOT, database_variable
from ops import verify as ops_verify
from ops.addresses import derive
from services.contracts.base import SERVICES
from services.plumbing.denials import SINGLY
from tests.api import PASSWORD, Client, Headquarters, Team, eventually, expect, unique
from tests.homes import made_home
from tests.travel import later

Verify = Callable[..., tuple[int, str]]
SETTLED = timedelta(seconds=20)
"""Exports go up to ten seconds ago."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    env = {"QUDAO_CHORES_EVERY": "0.5", "QUDAO_AUDIT_DAYS": "184", "QUDAO_INACTIVE_DAYS": "100000"}
    with Stack(made_home(tmp_path_factory, "audited"), fast=True, env=env) as running:
        yield running


@pytest.fixture(scope="module")
def headquarters(stack: Stack) -> Headquarters:
    return Headquarters.set_up(stack.url, stack.setup_secret)


@pytest.fixture(scope="module")
def team(headquarters: Headquarters) -> Team:
    return headquarters.team()


@pytest.fixture(scope="module")
def rivals(headquarters: Headquarters) -> Team:
    return headquarters.team()


@pytest.fixture(scope="module")
def auditor(team: Team) -> Client:
    return team.headquarters.person("auditor", team.department_id)


@pytest.fixture(scope="module")
def customer(team: Team) -> str:
    return team.rep.entered()


def rows(stack: Stack, service: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.owner_url(service)) as owner:
        return owner.execute(query, values).fetchall()  # type: ignore[arg-type]


def kinds(entries: list[Any]) -> list[tuple[str, str]]:
    return [(entry["operation"], entry["result"]) for entry in entries]


@contextmanager
def superuser(stack: Stack, service: str) -> Iterator[psycopg.Connection[Any]]:
    """Past triggers and foreign keys; what is done stays."""
    with psycopg.connect(derive(stack.admin_url, stack.database(service).name)) as connection:
        connection.execute("SET session_replication_role = replica")
        yield connection


# --- who finds what


def test_an_administrator_finds_log_ins_failures_and_log_outs_of_his_agency(team: Team) -> None:
    person = team.headquarters.person("rep", team.department_id)
    login, id_ = person.user["login"], person.user["id"]
    wrong = person.http.post("/v1/sessions", json={"login": login, "password": "not my password"})
    expect(401, wrong)
    opened = person.log_in(login, PASSWORD)
    expect(204, opened.request("DELETE", "/v1/sessions/current"))

    [out, opening, failure] = team.admin.get(f"/v1/audit?subject_id={id_}&service=identity")["items"][:3]

    assert kinds([out, opening, failure]) == [
        ("identity.end_session", "done"),
        ("identity.open_session", "done"),
        ("identity.open_session", "denied"),
    ]
    assert (out["actor"], out["on_behalf_of"]) == (id_, None)
    assert (opening["actor"], opening["on_behalf_of"]) == ("system:gateway", id_)
    assert (failure["actor"], failure["on_behalf_of"]) == ("system:gateway", None)
    assert (failure["new"]["refused"], failure["request_id"]) == ("wrong-credentials", wrong.headers["X-Request-Id"])
    assert {entry["agency_id"] for entry in (out, opening, failure)} == {team.agency_id}
    assert opening["new"]["address"] == failure["new"]["request"]["address"] == "127.0.0.*"


def test_a_failed_log_in_with_a_login_that_nobody_has_is_headquarters_to_find(headquarters: Headquarters, team: Team) -> None:
    failed = headquarters.admin.http.post("/v1/sessions", json={"login": unique("nobody"), "password": "x"})
    path = f"/v1/audit?request_id={failed.headers['X-Request-Id']}"
    assert kinds(headquarters.admin.get(path)["items"]) == [("identity.open_session", "denied")]
    assert team.admin.get(path)["items"] == []


def test_a_needed_captcha_is_in_the_audit(team: Team) -> None:
    user = team.headquarters.add_user("rep", team.department_id)
    for _ in range(6):
        last = team.admin.http.post("/v1/sessions", json={"login": user["login"], "password": "guess"})
    assert last.json()["type"].endswith("captcha-required")
    [needed] = team.headquarters.admin.get(f"/v1/audit?request_id={last.headers['X-Request-Id']}")["items"]
    assert (needed["result"], needed["new"]["refused"]) == ("denied", "captcha-required")
    refused = [each["new"]["refused"] for each in team.admin.get(f"/v1/audit?subject_id={user['id']}&result=denied")["items"]]
    assert refused.count("wrong-credentials") == 5


def test_each_finds_what_he_may(headquarters: Headquarters, team: Team, rivals: Team, auditor: Client, customer: str) -> None:
    path = f"/v1/audit?subject_id={customer}"
    entered = [("customers.enter_customer", "done")]
    for who in (team.admin, auditor, headquarters.admin, team.rep):
        assert kinds(who.get(path)["items"])[-1:] == entered
    for who in (rivals.admin, rivals.rep, team.colleague, team.supervisor):
        assert who.get(path)["items"] == []
    expect(401, httpx.get(f"{team.admin.http.base_url}/v1/audit"))


def test_who_is_no_overseer_finds_himself_alone(team: Team, customer: str) -> None:
    rep = team.rep.user["id"]
    own = team.rep.pages("/v1/audit")
    assert own
    assert {entry["on_behalf_of"] or entry["actor"] for entry in own} == {rep}
    assert {"identity.open_session", "customers.enter_customer"} <= {entry["operation"] for entry in own}
    assert team.rep.get(f"/v1/audit?actor={rep}")["items"]
    assert team.rep.get(f"/v1/audit?actor={team.admin.user['id']}")["items"] == []


def test_an_agency_named_in_the_question_opens_no_wall(team: Team, rivals: Team) -> None:
    _ = rivals.rep
    assert team.headquarters.admin.get(f"/v1/audit?agency_id={rivals.agency_id}")["items"]
    assert team.admin.get(f"/v1/audit?agency_id={rivals.agency_id}")["items"] == []


def test_the_wall_stands_behind_the_question(stack: Stack, team: Team, customer: str) -> None:
    with psycopg.connect(stack.database_url("customers")) as app:
        app.execute("SELECT set_config('qudao.agency', %s, false)", [team.agency_id])
        seen = {str(agency) for (agency,) in app.execute("SELECT DISTINCT agency_id FROM audit")}
    assert seen == {team.agency_id}


def test_a_denied_question_is_found_by_what_was_asked_for(team: Team, rivals: Team, customer: str) -> None:
    expect(404, rivals.rep.request("GET", f"/v1/customers/{customer}"))
    [denied] = rivals.admin.get(f"/v1/audit?subject_id={customer}&result=denied")["items"]
    assert (denied["operation"], denied["new"]["refused"]) == ("customers.show_customer", "out-of-scope")
    assert team.admin.get(f"/v1/audit?subject_id={customer}&result=denied")["items"] == []


# --- filters and pages


def test_the_filters_narrow_together(team: Team, customer: str) -> None:
    request = unique("filter-me-")
    expect(200, team.rep.request("PATCH", f"/v1/customers/{customer}", {"city": "扬州"}, If_Match='"1"', X_Request_Id=request))
    [found] = team.admin.get(f"/v1/audit?request_id={request}")["items"]
    at = datetime.fromisoformat(found["at"])
    right = {
        "actor": team.rep.user["id"],
        "operation": "customers.update_customer",
        "subject_id": customer,
        "agency_id": team.agency_id,
        "result": "done",
        "service": "customers",
        "since": at.isoformat(),
        "until": (at + timedelta(microseconds=1)).isoformat(),
    }
    wrong = {
        "actor": team.admin.user["id"],
        "operation": "customers.claim_customer",
        "subject_id": str(uuid4()),
        "agency_id": str(uuid4()),
        "result": "denied",
        "service": "rules",
        "since": (at + timedelta(microseconds=1)).isoformat(),
        "until": at.isoformat(),
    }
    asked = team.admin.http.build_request
    assert ask(team.admin, asked("GET", "/v1/audit", params=right)) == [found["id"]]
    for name, value in wrong.items():
        assert ask(team.admin, asked("GET", "/v1/audit", params={**right, name: value})) == [], name
    assert (found["old"]["city"], found["new"]["city"]) == (None, "扬州")


def ask(who: Client, request: httpx.Request) -> list[str]:
    request.headers["Authorization"] = f"Bearer {who.token}"
    return [entry["id"] for entry in expect(200, who.http.send(request))["items"]]


@pytest.mark.parametrize(
    "query",
    [
        "actor=somebody",
        "operation=DROP TABLE",
        "result=perhaps",
        "subject_id=1",
        "since=yesterday",
        "since=2026-01-01T00:00:00",
        "service=gateway",
        "request_id=%0Aforged",
        "limit=0",
        "limit=201",
        "unheard_of=1",
        "cursor=x",
        "cursor=2026-01-01T00:00:00_00000000-0000-0000-0000-000000000000",
        "cursor=2026-01-01T00:00:00.000000Z_x",
    ],
)
def test_a_question_of_a_wrong_form_is_refused(team: Team, query: str) -> None:
    expect(422, team.admin.request("GET", f"/v1/audit?{query}"))


def test_the_pages_of_all_services_are_one_list_without_gaps_and_repeats(stack: Stack, team: Team, customer: str) -> None:
    expect(201, team.rep.note(customer, maturity=1))
    expect(
        200,
        team.admin.request(
            "PUT", "/v1/policies/stock-limit", {"subject": "person", "person_id": team.rep.user["id"], "limit": 70}
        ),
    )
    until = datetime.now(UTC).isoformat().replace("+00:00", "Z")

    found = team.admin.pages(f"/v1/audit?until={until}", limit=3)

    query = "SELECT id::text, at FROM audit WHERE agency_id = %s AND at < %s"
    there = [(at, id_) for service in SERVICES for id_, at in rows(stack, service, query, team.agency_id, until)]
    assert [entry["id"] for entry in found] == [
        id_ for _, id_ in sorted(there, key=lambda each: (each[0], UUID(each[1])), reverse=True)
    ]
    assert {entry["service"] for entry in found} == set(SERVICES)


def test_a_row_says_its_place_in_the_chain(team: Team, customer: str) -> None:
    path = f"/v1/audit?subject_id={customer}&service=customers"
    [*_, entered] = eventually(lambda: team.admin.get(path)["items"], until=lambda found: found[-1]["hash"])
    assert entered["number"] >= 1
    assert re.fullmatch("[0-9a-f]{64}", entered["hash"])
    assert re.fullmatch("[0-9a-f]{64}", entered["previous"])


# --- what is kept back


def test_neither_phones_nor_mail_nor_passwords_stand_in_it(stack: Stack, headquarters: Headquarters, team: Team) -> None:
    phone, mail, secret = "13955501234", f"{unique('canary')}@example.com", unique("canary for the audit ")
    person = headquarters.person("rep", team.department_id)
    id_ = person.entered(phone=phone, email=mail, contact_person="金丝雀")
    expect(200, person.request("PATCH", f"/v1/customers/{id_}", {"fax": f"0514-{phone[3:]}"}, If_Match='"1"'))
    expect(200, person.request("PUT", "/v1/me/password", {"current": PASSWORD, "new": secret}))
    person.http.post("/v1/sessions", json={"login": person.user["login"], "password": f"{secret}!"})
    person.http.post("/v1/sessions", json={"login": secret.replace(" ", "_"), "password": secret})
    expect(404, team.neighbour.request("PATCH", f"/v1/customers/{id_}", {"phone": phone, "email": mail}, If_Match='"1"'))

    read = json.dumps(headquarters.admin.pages("/v1/audit", limit=200), ensure_ascii=False)
    with later(stack, SETTLED):
        read += export(headquarters.admin, reason="canary") + export(headquarters.admin, reason="canary", format="csv")

    assert id_ in read
    leaks = {word for word in (phone, phone[3:], mail, "金丝雀", secret, secret.replace(" ", "_")) if word in read}
    assert leaks == set()


def test_fields_that_the_policy_hides_are_withheld_from_readers_too(
    headquarters: Headquarters, team: Team, auditor: Client
) -> None:
    id_ = team.rep.entered(address="文昌路一号", needs="要五百台")
    expect(200, team.rep.request("PATCH", f"/v1/customers/{id_}", {"address": "文昌路二号"}, If_Match='"1"'))
    path = f"/v1/audit?subject_id={id_}&operation=customers.update_customer"
    assert auditor.get(path)["items"][0]["new"]["address"] == "文昌路二号"
    version = headquarters.admin.get("/v1/field-policy")["version"]
    policy = {"levels": {"auditor": {"overseen": {"address": "hidden", "needs": "masked"}}}}
    expect(200, headquarters.admin.request("PUT", "/v1/field-policy", policy, If_Match=f'"{version}"'))
    try:
        [seen] = auditor.get(path)["items"]
        [whole] = team.admin.get(path)["items"]
    finally:
        expect(200, headquarters.admin.request("PUT", "/v1/field-policy", {}, If_Match=f'"{version + 1}"'))
    assert "文昌路" not in json.dumps(seen, ensure_ascii=False)
    assert (seen["new"]["address"], seen["new"]["needs"], seen["withheld"]) == (None, "****", ["address", "needs"])
    assert (whole["new"]["address"], whole["withheld"]) == ("文昌路二号", [])


def test_whose_customer_an_entry_has_met_is_not_told_to_who_was_refused(team: Team, rivals: Team) -> None:
    name = team.rep.get(f"/v1/customers/{team.rep.entered()}")["name"]
    expect(409, rivals.rep.enter(name))
    path = "/v1/audit?operation=customers.enter_customer"
    for who in (rivals.rep, rivals.admin):
        refused = next(each for each in who.get(path)["items"] if each["new"].get("typed_name") == name)
        assert (refused["subject_id"], refused["withheld"]) == (None, ["subject_id"])
    seen = next(each for each in team.headquarters.admin.get(path)["items"] if each["new"].get("typed_name") == name)
    assert (seen["new"]["outcome"], seen["withheld"]) == ("refused", [])
    assert seen["subject_id"]


# --- floods


def test_a_flood_of_strangers_is_counted_and_does_not_fill_the_disk(stack: Stack, headquarters: Headquarters) -> None:
    many = 2 * SINGLY + 60
    denied = "SELECT count(*) FROM audit WHERE operation = 'identity.set_up' AND result = 'denied' AND new ? 'request'"
    body = {"secret": "wrong", "agency_name": "x", "login": "xx", "display_name": "x", "password": PASSWORD}
    threads = [
        threading.Thread(target=lambda: [headquarters.admin.http.post("/v1/setup", json=body) for _ in range(many // 4)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    [(singly,)] = rows(stack, "identity", denied)
    more = "SELECT coalesce(sum((new ->> 'more')::int), 0) FROM audit WHERE operation = 'identity.set_up' AND new ? 'more'"
    assert SINGLY <= singly <= 2 * SINGLY  # a minute may have ended meanwhile
    with later(stack, timedelta(minutes=4)):
        eventually(lambda: rows(stack, "identity", more), until=lambda found: found == [(many - singly,)])
    counted = headquarters.admin.get("/v1/audit?operation=identity.set_up&result=denied&limit=1")["items"][0]
    assert (counted["new"]["refused"], counted["actor"]) == ("setup-secret-wrong", "system:gateway")
    assert rows(stack, "identity", "SELECT count(*) FROM denial_count WHERE minute < clock() - interval '3 minutes'") == [(0,)]


# --- export


def export(who: Client, status: int = 200, key: str | None = None, **body: Any) -> str:
    headers = {"Idempotency_Key": key} if key else {}
    answer = who.request("POST", "/v1/audit-exports", {"reason": "复核"} | body, **headers)
    assert answer.status_code == status, answer.text
    return answer.content.decode()


def recipe() -> str:
    """As it stands in the documents, so that it is true."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    [found] = re.findall(r"```python\n(# verify an export.*?)```", page, re.DOTALL)
    return str(found)


def verified(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "recipe.py").write_text(recipe(), encoding="utf-8")
    (tmp_path / "export.jsonl").write_text(text, encoding="utf-8")
    command = [sys.executable, "recipe.py", "export.jsonl"]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)


def test_an_export_is_verified_by_the_documented_recipe(stack: Stack, team: Team, customer: str, tmp_path: Path) -> None:
    eventually(lambda: sum(rows(stack, of, "SELECT count(*) FROM audit_unchained")[0][0] for of in SERVICES) == 0)
    with later(stack, SETTLED):
        text = export(team.admin)
    [head, *lines, end] = [json.loads(line) for line in text.splitlines()]

    assert (head["export"]["by"], head["export"]["reason"]) == (team.admin.user["id"], "复核")
    assert end == {"end": {"rows": len(lines)}}
    assert sum(each["rows"] for each in head["export"]["services"].values()) == len(lines)
    done = verified(tmp_path, text)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert f"{len(lines)} rows hold" in done.stdout
    forged = text.replace('"is_key": false', '"is_key": true', 1)
    assert forged != text
    assert verified(tmp_path, forged).returncode == 1
    assert verified(tmp_path, text.rsplit("\n", 2)[0]).returncode == 1


def test_an_export_is_audited_with_filter_count_and_reason_once(stack: Stack, team: Team, customer: str) -> None:
    key = uuid4().hex
    body: dict[str, Any] = {"filter": {"subject_id": customer}, "services": ["customers", "customers"], "reason": "季度复核"}
    with later(stack, SETTLED):
        first = export(team.admin, key=key, **body)
    again = export(team.admin, key=key, **body)

    assert again == first
    query = "SELECT actor, new FROM audit WHERE command_id = %s AND operation = 'customers.export_audit'"
    [(actor, told)] = rows(stack, "customers", query, key)
    assert actor == team.admin.user["id"]
    assert (told["reason"], told["rows"], told["filter"]["subject_id"]) == ("季度复核", len(first.splitlines()) - 2, customer)
    assert set(told["filter"]) == {"subject_id", "until"}
    expect(422, team.admin.request("POST", "/v1/audit-exports", {**body, "reason": "x"}, Idempotency_Key=key))
    assert team.admin.get(f"/v1/audit?operation=customers.export_audit&subject_id={told['export_id']}")["items"]


def test_an_export_holds_what_its_reader_may_see(stack: Stack, team: Team, rivals: Team, auditor: Client) -> None:
    _ = rivals.rep
    with later(stack, SETTLED):
        lines = [json.loads(line) for line in export(auditor).splitlines()[1:-1]]
        everywhere = export(team.headquarters.admin)
    assert {line["record"]["agency_id"] for line in lines} == {team.agency_id}
    assert rivals.agency_id in everywhere
    for who in (team.rep, team.supervisor, team.manager):
        export(who, status=403)


def test_a_spreadsheet_takes_no_cell_for_a_formula(stack: Stack, team: Team) -> None:
    request = f"-{unique('formula')}"
    expect(
        200,
        team.rep.request("PATCH", f"/v1/customers/{team.rep.entered()}", {"city": "扬州"}, If_Match='"1"', X_Request_Id=request),
    )
    with later(stack, SETTLED):
        text = export(team.admin, format="csv", filter={"actor": team.rep.user["id"]})

    assert text.startswith("\ufeffservice,number,")
    [*table, end] = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    cells = [dict(zip(table[0], line, strict=True)) for line in table[1:]]
    [odd] = [line for line in cells if request in line["request_id"]]
    assert odd["request_id"] == f"'{request}"
    assert {line["exported_by"] for line in cells} == {f"{team.admin.user['login']} ({team.admin.user['id']})"}
    assert end == [f"end: {len(cells)} rows"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": ""},
        {"reason": "x", "format": "xlsx"},
        {"reason": "x", "services": []},
        {"reason": "x", "services": ["gateway"]},
        {"reason": "x", "filter": {"unheard_of": 1}},
        {"reason": "x", "filter": {"actor": "=1+1"}},
    ],
)
def test_an_export_of_a_wrong_form_is_refused(team: Team, body: dict[str, Any]) -> None:
    expect(422, team.admin.request("POST", "/v1/audit-exports", body))


FILL = """
    INSERT INTO audit (id, agency_id, at, actor, operation, request_id, result, new)
    SELECT gen_random_uuid(), {agency}, clock() - n * interval '1 minute',
           CASE n % 50 WHEN 0 THEN 'system:rules' ELSE (n % 400)::text END, 'rules.set_' || n % 7, 'r' || n,
           CASE n % 90 WHEN 0 THEN 'denied' ELSE 'done' END, jsonb_build_object('n', n)
    FROM generate_series(1, {many}) AS n
"""


def test_an_export_that_is_too_large_is_refused_and_leaves_nothing(stack: Stack, headquarters: Headquarters) -> None:
    agency, key = uuid4(), uuid4().hex
    body = {"reason": "x", "services": ["rules"], "filter": {"agency_id": str(agency)}}
    with superuser(stack, "rules") as connection:
        connection.execute(sql.SQL(FILL).format(agency=sql.Literal(agency), many=sql.Literal(50_001)))
    try:
        answer = headquarters.admin.request("POST", "/v1/audit-exports", body, Idempotency_Key=key)
    finally:
        with superuser(stack, "rules") as connection:
            connection.execute("DELETE FROM audit WHERE agency_id = %s", [agency])
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:qudao:problem:export-too-large")
    assert rows(stack, "rules", "SELECT 1 FROM audit WHERE command_id = %s", key) == []


# --- at size


QUESTIONS = {
    "newest of all": ("*", "true"),
    "of an agency": ("{agency}", "agency_id = '{agency}'"),
    "of an actor": ("*", "actor = '7'"),
    "of a service": ("*", "actor = 'system:rules'"),
    "on behalf": ("*", "on_behalf_of = '{agency}' AND actor <> '{agency}'"),
    "of an operation": ("{agency}", "agency_id = '{agency}' AND operation = 'rules.set_3'"),
    "denied": ("*", "result = 'denied'"),
    "of a request": ("*", "request_id = 'r4711'"),
    "of a subject": ("*", "subject_id = '{agency}'"),
    "further on": ("{agency}", "agency_id = '{agency}' AND (at, id) < ('{month_ago}'::timestamptz, '{agency}'::uuid)"),
}
PAGE = "EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM audit WHERE {} ORDER BY at DESC, id DESC LIMIT 51"


def test_a_page_is_read_off_an_index_whatever_is_asked_for(stack: Stack) -> None:
    """As the application's role, behind the wall."""
    looked_at = {}
    named = {"agency": str(uuid4()), "month_ago": datetime.now(UTC) - timedelta(days=7)}
    with superuser(stack, "rules") as connection, connection.transaction(force_rollback=True):
        for whose, many in ((sql.Literal(named["agency"]), 20_000), (sql.SQL("md5((n % 300)::text)::uuid"), 20_000)):
            connection.execute(sql.SQL(FILL).format(agency=whose, many=sql.Literal(many)))
        connection.execute("ANALYZE audit")
        connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(stack.database("rules").role)))
        for name, (wall, condition) in QUESTIONS.items():
            connection.execute("SELECT set_config('qudao.agency', %s, true)", [wall.format(**named)])
            [(told,)] = connection.execute(PAGE.format(condition.format(**named)).encode()).fetchall()
            looked_at[name] = visited(told[0]["Plan"])
    assert {name: count for name, count in looked_at.items() if count > 500} == {}


def visited(plan: dict[str, Any]) -> int:
    """Rows that the scans of a plan gave or threw away."""
    own = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) if "Scan" in plan["Node Type"] else 0
    return int(own) + sum(visited(below) for below in plan.get("Plans", ()))


# --- verification


@pytest.fixture
def verify(stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Verify:
    """As operators run it, as the application's role."""
    for service in SERVICES:
        monkeypatch.setenv(database_variable(service), stack.database_url(service))

    def run(*words: str) -> tuple[int, str]:
        code = ops_verify.main(words)
        told = capsys.readouterr()
        return code, told.out + told.err

    return run


def by_the_launcher(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "embedded.cli", "audit", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_verification_names_the_first_broken_row_of_each_chain_and_says_so_by_its_exit_code(
    stack: Stack, team: Team, customer: str, verify: Verify
) -> None:
    code, said = verify()
    assert code == 0, said
    assert re.fullmatch(r"(\w+: \d+ rows chained, \d+ still to come\n){4}", said)

    [(row,)] = rows(stack, "customers", "SELECT audit_id FROM audit_chain WHERE agency_id = %s AND number = 1", team.agency_id)
    change = "UPDATE audit SET actor = %s || actor WHERE id = %s"
    with superuser(stack, "customers") as connection:
        connection.execute(change, ["x", row])
    try:
        broken = by_the_launcher("verify")
    finally:
        with superuser(stack, "customers") as connection:
            connection.execute("UPDATE audit SET actor = substr(actor, 2) WHERE id = %s", [row])
    assert broken.returncode == 1
    assert f"customers: BROKEN at audit row {row} (number 1) of agency {team.agency_id}: it was changed" in broken.stdout


def test_heads_of_the_log_serve_as_well_as_those_of_a_file(
    stack: Stack, team: Team, customer: str, verify: Verify, tmp_path: Path
) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text("".join(f"{stack.log_of(service)}\nnot json\n" for service in SERVICES), encoding="utf-8")
    kept = tmp_path / "heads.jsonl"
    assert verify("--heads", str(log), "--write-heads", str(kept))[0] == 0
    heads = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]
    [ours] = [head for head in heads if head["agency_id"] == team.agency_id and head["service"] == "customers"]
    kept.write_text(json.dumps({**ours, "hash": "00" * 32}), encoding="utf-8")
    code, said = verify("--heads", str(kept))
    assert code == 1
    assert "the chain up to here is not the one of the older head" in said


def test_what_cannot_be_looked_at_is_told_in_a_sentence(verify: Verify, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "odd.jsonl").write_text('{"head": {"hash": 1}}', encoding="utf-8")
    for path in ("/nowhere", str(tmp_path / "odd.jsonl")):
        code, said = verify("--heads", path)
        assert (code, said.startswith(f"verify: {path} cannot be read")) == (2, True)
    monkeypatch.setenv(database_variable("rules"), "postgresql://nobody@127.0.0.1:1/nothing")
    code, said = verify()
    assert (code, "verify: The database of rules cannot be read" in said) == (2, True)


def test_a_command_of_the_launcher_that_is_none_is_explained() -> None:
    done = by_the_launcher("forge")
    assert (done.returncode, done.stderr.startswith("Usage: ./qudao audit verify")) == (2, True)


# --- kept by policy; the last ones, as they travel far


def test_old_stretches_go_by_policy_and_the_rest_holds(
    stack: Stack, headquarters: Headquarters, team: Team, verify: Verify, tmp_path: Path
) -> None:
    kept = str(tmp_path / "heads.jsonl")
    assert verify("--write-heads", kept)[0] == 0
    agency, numbers = team.agency_id, "SELECT min(number), max(number) FROM audit_chain WHERE agency_id = %s"
    [(first, last)] = rows(stack, "customers", numbers, agency)
    assert (first, last > 3) == (1, True)

    with later(stack, timedelta(days=400)):
        cut = "SELECT number, removed FROM audit_checkpoint WHERE agency_id = %s"
        [(number, removed)] = eventually(lambda: rows(stack, "customers", cut, agency))
        told = "SELECT actor, command_id, new ->> 'removed' FROM audit WHERE operation = %s AND agency_id = %s"
        written = rows(stack, "customers", told, "customers.prune_audit", agency)
    assert (number, removed) == (last - 1, last - 1)
    assert written == [("system:customers", f"prune/{agency}/1", str(removed))]
    eventually(lambda: sum(rows(stack, of, "SELECT count(*) FROM audit_unchained")[0][0] for of in SERVICES) == 0)
    code, said = verify("--heads", kept)
    assert code == 0, said
    pruned = headquarters.admin.get(f"/v1/audit?operation=customers.prune_audit&agency_id={agency}")["items"]
    assert [entry["new"]["number"] for entry in pruned] == [number]
