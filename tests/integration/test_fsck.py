"""What must hold is found to hold after mixed work and under it, and whatever is broken by hand is named."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from embedded import tools
from embedded.stack import Stack
from embedded.wiring import database_variable
from ops.addresses import derive
from ops.fsck import CannotLook, Report, check
from ops.fsck.examine import INVARIANTS, LISTED
from services.contracts.base import SERVICES
from services.contracts.collision import CollisionRules
from tests.api import PASSWORD, Client, Headquarters, Team, brand, company, digits, eventually, expect
from tests.conftest import OFTEN
from tests.homes import made_home
from tests.travel import later


@dataclass
class World:
    """A stack that these tests alone use, as they spoil its data, and the ids of what was done in it."""

    stack: Stack
    team: Team
    ids: dict[str, Any]

    @property
    def urls(self) -> dict[str, str]:
        return {service: self.stack.database_url(service) for service in SERVICES}

    def check(self, wait: float = 20.0) -> Report:
        return check(self.urls, wait=wait)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Stack(made_home(tmp_path_factory, "fsck"), fast=True, env=OFTEN | {"QUDAO_SWEEP_EVERY": "1"}) as stack:
        headquarters = Headquarters.set_up(stack.url, stack.setup_secret)
        team = headquarters.team()
        yield World(stack, team, mixed_work(stack, headquarters, team))


def mixed_work(stack: Stack, headquarters: Headquarters, team: Team) -> dict[str, Any]:
    """Something of everything that changes: entries and what hinders them, moves, notes, policies, deadlines, people."""
    rep, colleague, supervisor, admin = team.rep, team.colleague, team.supervisor, team.admin
    ids = {"rep": rep.user["id"], "colleague": colleague.user["id"], "neighbour": team.neighbour.user["id"]}
    ids |= {"agency": team.agency_id, "department": team.department_id, "other_department": team.other_department_id}

    name = company()
    ids["noted"] = rep.entered(name, phone=f"0514-{digits()}", is_key=True)
    expect(200, rep.enter(name, contact_person="王五"))
    expect(409, colleague.enter(name))
    ids["note"] = expect(201, rep.note(ids["noted"], maturity=2))["id"]
    expect(201, rep.note(ids["noted"], maturity=0))
    expect(403, admin.note(ids["noted"], maturity=1))
    ids["reveal"] = expect(201, supervisor.act(ids["noted"], "reveals", field="phone", reason="复核"))["id"]
    ids["supervisor"] = supervisor.user["id"]
    changed = {"needs": "三台", "is_key": False}
    expect(200, rep.request("PATCH", f"/v1/customers/{ids['noted']}", changed, If_Match='"2"'))

    ids["moved"] = rep.entered()
    expect(200, supervisor.act(ids["moved"], "transfer", to=ids["colleague"]))
    ids["pooled"] = rep.entered()
    expect(200, rep.act(ids["pooled"], "release", reason="no_budget"))
    opened = rep.entered()
    expect(200, rep.act(opened, "release", reason="no_need"))
    expect(200, admin.act(opened, "open"))
    expect(200, colleague.act(opened, "claim"))

    ids |= tree(headquarters, team)
    ids |= rights(team)
    ids |= reviews(stack, team)
    ids |= dispute(team)
    ids |= pools(team)
    ids |= worked_on_together(team)
    expect(200, headquarters.admin.request("PUT", "/v1/policies/inactivity", {"days": 60}))
    ids |= left(headquarters, team)

    limit = {"subject": "person", "person_id": ids["colleague"], "limit": 40}
    expect(200, admin.request("PUT", "/v1/policies/stock-limit", limit))
    expect(200, admin.request("PUT", "/v1/policies/stock-limit", {"subject": "agency", "limit": 90}))
    expect(200, admin.request("PUT", "/v1/policies/follow-up", {"hours": 12, "on_missed": "take_back"}))

    eventually(lambda: rep.get("/v1/me/day")["stock"]["limit"] == 90)
    ids |= members(team)
    for key in ("met", "missed"):
        ids[key] = team.pooled("public", source="web")
        expect(200, admin.act(ids[key], "assign", to=ids["rep"]))
    expect(201, rep.note(ids["met"], maturity=1))
    eventually(lambda: {row["state"] for row in admin.pages("/v1/deadlines")} == {"met", "open"})
    with later(stack, timedelta(hours=13)):
        states = {"met", "taken_back"}
        admin = admin.log_in(admin.user["login"], PASSWORD)
        eventually(lambda: {row["state"] for row in admin.pages("/v1/deadlines")} == states)

    expect(200, headquarters.admin.request("POST", f"/v1/users/{ids['neighbour']}/disable"))
    return ids


def tree(headquarters: Headquarters, team: Team) -> dict[str, Any]:
    """Departments one of which was moved, one merged, and a sales group; an agency that was frozen and thawed."""
    merged, sub = (headquarters.department(team.agency_id)["id"] for _ in range(2))
    below = {"agency_id": team.agency_id, "name": "小组", "kind": "team", "parent_id": merged}
    team.admin.post("/v1/departments", below)
    headquarters.add_user("rep", merged, other_department_ids=[team.department_id])
    for department, action, body in (
        (sub, "move", {"parent_id": team.department_id}),
        (merged, "merge", {"into_id": team.other_department_id}),
        (team.other_department_id, "freeze", None),
        (team.other_department_id, "thaw", None),
    ):
        expect(200, team.admin.request("POST", f"/v1/departments/{department}/{action}", body))
    group = team.admin.post("/v1/groups", {"name": "华东组"})["id"]
    expect(200, team.admin.request("PUT", f"/v1/groups/{group}/members/{team.rep.user['id']}"))
    right = {"rights": ["see_customers"]}
    expect(200, team.admin.request("PUT", f"/v1/groups/{group}/admins/{team.supervisor.user['id']}", right))
    other = headquarters.agency()["id"]
    for action in ("freeze", "thaw"):
        expect(200, headquarters.admin.request("POST", f"/v1/agencies/{other}/{action}"))
    return {"sub_department": sub, "merged_department": merged, "group": group}


def rights(team: Team) -> dict[str, Any]:
    """A role that somebody has, a supervisor with one below him, a grant that is withdrawn."""
    grants = [{"permission": "customer:claim", "scope": "own"}, {"permission": "customer:read", "scope": "subordinates"}]
    role = team.admin.post("/v1/roles", {"name": "内勤", "grants": grants})["id"]
    user = {"login": f"clerk{digits()}", "department_id": team.department_id, "roles": [role]}
    clerk = team.admin.post("/v1/users", user)["id"]
    below = team.admin.post("/v1/users", user | {"login": f"below{digits()}", "supervisor_id": clerk})["id"]
    given = team.admin.post(f"/v1/users/{clerk}/grants", {"permission": "day:read", "person_id": below})["id"]
    expect(204, team.admin.request("DELETE", f"/v1/users/{clerk}/grants/{given}"))
    return {"role": role, "clerk": clerk, "below": below, "grant": given}


def left(headquarters: Headquarters, team: Team) -> dict[str, Any]:
    """Somebody has left: one customer went to the colleague, one to the agency pool."""
    leaver = headquarters.person("rep", team.department_id)
    handed_over, to_pool = leaver.entered(), leaver.entered()
    plan = {"receivers": [{"person_id": team.colleague.user["id"]}], "customers": [{"customer_id": to_pool}]}
    leaving = expect(202, headquarters.admin.request("POST", f"/v1/users/{leaver.user['id']}/leaving", plan))["id"]
    path = f"/v1/leavings/{leaving}"
    eventually(lambda: headquarters.admin.get(path)["status"], until=lambda status: status == "done")
    return {"leaving": leaving, "leaver": leaver.user["id"], "handed_over": handed_over}


def pools(team: Team) -> dict[str, Any]:
    """One with a member, an admin and rules, from which was claimed, and one that is archived."""
    rules = {"claims_per_day": 2}
    pool, ended = (team.admin.post("/v1/pools", {"name": name, "claim_rules": rules})["id"] for name in ("印花", "旧库"))
    for person, is_admin in ((team.rep, False), (team.supervisor, True)):
        path = f"/v1/pools/{pool}/members/{person.user['id']}"
        expect(200, team.admin.request("PUT", path, {"is_admin": is_admin}))
    in_custom = [team.admin.post(f"/v1/pools/{pool}/customers", {"name": company()})["customer_id"] for _ in range(2)]
    expect(200, team.rep.act(in_custom[0], "claim"))
    expect(200, team.admin.request("POST", f"/v1/pools/{ended}/archive"))
    return {"pool": pool, "ended_pool": ended, "in_custom": in_custom[1]}


def members(team: Team) -> dict[str, Any]:
    """A source, a setting of whose turn it is, and web-registered members: a new customer, a known one, one from a pool."""
    name, admin = company(), team.admin
    source = admin.post("/v1/member-sources", {"name": "官网"})["id"]
    setting = {"assignees": [team.colleague.user["id"]]}
    expect(200, admin.request("PUT", f"/v1/territories/{team.agency_id}", setting, If_Match='"0"'))
    pooled = company()
    expect(200, admin.act(team.pooled("agency", pooled), "open"))
    sent = [admin.post("/v1/members", {"name": each, "phone": f"0514-{digits()}"}) for each in (name, name, pooled)]
    assert [each["outcome"] for each in sent] == ["entered", "known", "assigned"]
    return {"source": source, "member": sent[0]["id"]}


def reviews(stack: Stack, team: Team) -> dict[str, Any]:
    """An entry near another one that was judged, and one that was made of an entry that had to wait."""
    own, ids = brand(), {}
    team.rep.entered(f"扬州市高邮市{own}服装厂")
    for key, county in (("judged", "宝应县"), ("waited", "仪征市")):
        name = f"扬州市{county}{own}服装厂"
        seen = [hit["ref"] for hit in team.supervisor.enter(name).json()["hits"]]
        confirmed = team.supervisor.enter(name, confirmation={"seen": seen, "reason": "another county"})
        ids[key] = confirmed.json()["review_id"]
        expect(200, team.admin.request("POST", f"/v1/reviews/{ids[key]}/decision", {"decision": "different"}))
        rules = CollisionRules(near_entries="wait").model_dump_json()
        with psycopg.connect(stack.owner_url("customers")) as owner:
            owner.execute("INSERT INTO collision_rules VALUES (1, %s, 'test', clock()) ON CONFLICT DO NOTHING", [rules])
    return ids


def dispute(team: Team) -> dict[str, Any]:
    """A customer of the colleague's that was awarded to the rep."""
    name = company()
    customer = team.colleague.entered(name)
    expect(409, team.rep.enter(name))
    [attempt] = [each["id"] for each in team.rep.pages("/v1/entry-attempts") if each["name"] == name]
    evidence = [{"kind": "call", "text": "20 分钟"}]
    opened = team.rep.post("/v1/disputes", {"attempt_id": attempt, "claim": "我先谈的", "evidence": evidence})
    path = f"/v1/disputes/{opened['id']}"
    expect(200, team.colleague.request("POST", f"{path}/answer", {"answer": "我在跟进"}))
    expect(200, team.supervisor.request("POST", f"{path}/decision", {"decision": "upheld", "reason": "证据充分"}))
    return {"dispute": opened["id"], "awarded": customer}


def worked_on_together(team: Team) -> dict[str, Any]:
    """Customers with a collaborator, one of whom has written a note, one that was handed off and one that is about to be."""
    rep, colleague, to = team.rep, team.colleague, {"to": team.colleague.user["id"], "part": "sales"}
    ids = {key: rep.entered() for key in ("shared", "handed_off", "offered")}
    collaboration = {"part": "support", "rights": ["read", "note"], "until": "2199-01-01T00:00:00Z"}
    path = f"/v1/customers/{ids['shared']}/collaborators/{colleague.user['id']}"
    for _ in range(2):
        expect(200, rep.request("PUT", path, collaboration))
    ids["shared_note"] = expect(201, colleague.note(ids["shared"], maturity=1))["id"]
    ids["accepted"] = expect(201, rep.act(ids["handed_off"], "handoffs", **to))["id"]
    expect(200, colleague.request("POST", f"/v1/handoffs/{ids['accepted']}/acceptance"))
    ids["waiting"] = expect(201, rep.act(ids["offered"], "handoffs", **to))["id"]
    return ids


# --- as it runs


def test_after_mixed_work_nothing_is_found_and_everything_was_looked_at(world: World) -> None:
    report = world.check()

    assert report.findings == []
    assert report.is_clean
    assert set(report.counted) == {invariant.name for invariant in INVARIANTS}
    looked_at_none = {name for name, count in report.counted.items() if not count}
    assert looked_at_none <= {"activities: older notes on customers"} | {name for name in report.counted if "events " in name}


def test_while_people_work_nothing_is_found(world: World) -> None:
    is_over = threading.Event()

    def work(who: Client) -> None:
        while not is_over.is_set():
            customer_id = who.entered()
            expect(201, who.note(customer_id, maturity=1))
            expect(200, who.act(customer_id, "release", reason="no_need"))

    threads = [threading.Thread(target=work, args=[who]) for who in (world.team.rep, world.team.colleague)]
    for thread in threads:
        thread.start()
    try:
        reports = [world.check() for _ in range(3)]
    finally:
        is_over.set()
        for thread in threads:
            thread.join()

    assert [report.findings for report in reports] == [[], [], []]


def test_the_command_finds_the_databases_of_a_running_stack(world: World) -> None:
    ended = qudao_fsck(world.stack.home.folder, "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    told = json.loads(ended.stdout)
    assert told["is_clean"]
    assert told["counted"]["customers: histories"] >= 10


def qudao_fsck(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    given = {"DATABASE_URL", *map(database_variable, SERVICES)}
    env = {name: value for name, value in os.environ.items() if name not in given} | {"QUDAO_HOME": str(home)}
    command = [sys.executable, "-m", "embedded.cli", "fsck", *words]
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


def test_the_command_says_when_nothing_is_running(tmp_path: Path) -> None:
    ended = qudao_fsck(tmp_path)
    expected = f"qudao: No database is running on {tmp_path}: start it with `./qudao up`, or set DATABASE_URL.\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", expected)


def test_given_addresses_count_more_than_what_is_running(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://root:secret@elsewhere:5433/postgres")
    monkeypatch.setenv("QUDAO_RULES_DATABASE_URL", "postgresql://rules@third/rules")
    urls = tools.database_urls(world.stack.home.folder)
    password = world.stack.database("identity").password
    assert urls["QUDAO_IDENTITY_DATABASE_URL"] == f"postgresql://qudao_identity:{password}@elsewhere:5433/qudao_identity"
    assert urls["QUDAO_RULES_DATABASE_URL"] == "postgresql://rules@third/rules"


def test_a_database_that_is_away_cannot_be_looked_at(world: World) -> None:
    away = derive(world.urls["rules"], "nowhere")
    with pytest.raises(CannotLook, match=r"The database of rules cannot be read"):
        check(world.urls | {"rules": away})


# --- with nobody at work, so that what is broken stays as it is


@pytest.fixture(scope="module")
def still(world: World) -> World:
    assert world.check().is_clean
    for service in SERVICES:
        world.stack.halt(service)
    world.ids |= {name: found(world.stack, service, query.format(**world.ids)) for name, (service, query) in NAMED.items()}
    return world


NAMED = {
    "nobody": ("identity", "SELECT gen_random_uuid()"),
    "headquarters": ("identity", "SELECT id FROM agency WHERE is_headquarters"),
    "last_note": ("activities", "SELECT id FROM contact_note WHERE customer_id = '{noted}' ORDER BY written_at DESC LIMIT 1"),
    "note_event": ("activities", "SELECT id FROM outbox WHERE aggregate_id = '{note}'"),
    "last_event": ("activities", "SELECT id FROM outbox ORDER BY position DESC LIMIT 1"),
    "met_deadline": ("rules", "SELECT id FROM deadline WHERE customer_id = '{met}' AND state = 'met'"),
    "command": ("rules", "SELECT key FROM command WHERE operation = 'rules.set_follow_up'"),
    "audited": ("rules", "SELECT id FROM audit WHERE operation = 'rules.set_follow_up'"),
    "gap": ("rules", "SELECT position + 100 FROM outbox WHERE name = 'follow_up_set'"),
    "followed_up": ("rules", "SELECT id FROM outbox WHERE name = 'follow_up_set'"),
    "attempt": ("customers", "SELECT id FROM entry_attempt WHERE person_id = '{colleague}'"),
    "handed_over_item": ("customers", "SELECT id FROM handover_item WHERE item_id = '{handed_over}'"),
    "inactivity": ("identity", "SELECT id FROM inactivity_policy"),
    "shared_team": ("customers", "SELECT id FROM team WHERE customer_id = '{shared}'"),
}


def found(stack: Stack, service: str, query: str) -> Any:
    with psycopg.connect(stack.owner_url(service)) as owner:
        [(one,)] = owner.execute(query)  # type: ignore[arg-type]
        return one


KEPT = "SELECT coalesce(jsonb_agg(kept), '[]') FROM {} AS kept"
AGAIN = "INSERT INTO {} OVERRIDING SYSTEM VALUE SELECT * FROM jsonb_populate_recordset(NULL::{}, %s::jsonb)"


@contextmanager
def broken(world: World, service: str, *statements: str) -> Iterator[None]:
    """Behind all guards but CHECKs; afterwards the database is as before. A table is named once in all of the statements."""
    url = derive(world.stack.admin_url, world.stack.database(service).name)
    with psycopg.connect(url, autocommit=True) as root:
        root.execute("SET session_replication_role = replica")
        tables = {table_of(statement) for statement in statements}
        kept = {table: root.execute(KEPT.format(table)).fetchone() for table in tables}  # type: ignore[arg-type]
        try:
            for statement in statements:
                assert root.execute(statement.format(**world.ids)).rowcount != 0  # type: ignore[arg-type]
            yield
        finally:
            for table, (rows,) in kept.items():  # type: ignore[misc]
                root.execute(f"DELETE FROM {table}")  # type: ignore[arg-type]  # noqa: S608
                root.execute(AGAIN.format(table, table), [json.dumps(rows)])  # type: ignore[arg-type]


def table_of(statement: str) -> str:
    words = statement.split()
    return words[1] if words[0] == "UPDATE" else words[2]


def copied(table: str, where: str, **changes: str) -> str:
    """A row again, with other values."""
    built = ", ".join(f"'{name}', {value}" for name, value in changes.items())
    return (
        f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT (jsonb_populate_record(one, jsonb_build_object({built}))).*"  # noqa: S608
        f" FROM {table} AS one WHERE {where} LIMIT 1"
    )


@dataclass(frozen=True)
class Case:
    """What is done to a service's database, and what is found then: by which invariants, so many in all, this one among them."""

    service: str
    statements: tuple[str, ...]
    kind: str
    subject: str
    names: frozenset[str]
    times: int

    def __str__(self) -> str:
        return f"{self.kind}-{min(self.names)}".replace(" ", "-")


def case(service: str, *statements: str, kind: str, of: str, by: set[str], times: int = 0) -> Case:
    names = frozenset(name if ": " in name else f"{service}: {name}" for name in by)
    return Case(service, statements, kind, of, names, times or len(names))


SOMEBODY = "gen_random_uuid()"
LOGGED = "activities: log as told by customers"
HOLDINGS = "rules: holdings as in customers"
IN_DIRECTORIES = {f"{service}: directory as in identity" for service in ("customers", "activities", "rules")}
CASES = [
    # identity
    case(
        "identity",
        "UPDATE person SET login = 'other' WHERE id = '{rep}'",
        kind="wrong",
        of="person {rep}",
        by={"as told", "names"},
        times=3,
    ),
    case(
        "identity",
        "UPDATE department SET parent_id = '{other_department}' WHERE id = '{department}'",
        kind="wrong",
        of="department {department}",
        by={"as told", "tree"},
        times=3,
    ),
    case(
        "identity",
        "UPDATE person SET display_name = 'other' WHERE id = '{rep}'",
        kind="wrong",
        of="person {rep}",
        by=IN_DIRECTORIES | {"as told"},
    ),
    case(
        "identity",
        "UPDATE department SET parent_id = '{sub_department}' WHERE id = '{department}'",
        kind="wrong",
        of="department {sub_department}",
        by={"as told", "tree"},
        times=3,
    ),
    case(
        "identity",
        "UPDATE person SET supervisor_id = '{below}' WHERE id = '{clerk}'",
        kind="wrong",
        of="person {clerk}",
        by=IN_DIRECTORIES | {"as told", "supervisors"},
        times=6,
    ),
    case(
        "identity",
        "UPDATE role SET grants = '[]' WHERE id = '{role}'",
        kind="wrong",
        of="person {clerk}",
        by={"as told", "abilities"},
        times=3,
    ),
    case(
        "identity",
        "UPDATE agency SET name = '别家' WHERE id = '{agency}'",
        kind="wrong",
        of="department {department}",
        by=IN_DIRECTORIES | {"as told", "tree"},
        times=3 + 1 + 5,
    ),
    case(
        "identity",
        "UPDATE person SET other_department_ids = ARRAY['{merged_department}'::uuid] WHERE id = '{rep}'",
        kind="wrong",
        of="person {rep}",
        by=IN_DIRECTORIES | {"as told", "departments of people"},
    ),
    case(
        "identity",
        "UPDATE sales_group SET member_ids = '{{}}' WHERE id = '{group}'",
        kind="wrong",
        of="sales_group {group}",
        by=IN_DIRECTORIES | {"as told"},
    ),
    case(
        "customers",
        "UPDATE sales_group SET member_ids = '{{}}' WHERE id = '{group}'",
        kind="wrong",
        of="sales_group {group}",
        by={"directory as in identity"},
    ),
    case(
        "identity",
        "UPDATE row_grant SET until = clock() WHERE id = '{grant}'",
        kind="wrong",
        of="row grant {grant}",
        by={"as told"},
    ),
    case(
        "identity",
        "UPDATE inactivity_policy SET days = 61",
        kind="wrong",
        of="inactivity policy {inactivity}",
        by={"inactivity as told"},
    ),
    case(
        "identity",
        "UPDATE leaving SET round = 2 WHERE id = '{leaving}'",
        kind="wrong",
        of="leaving {leaving}",
        by={"leavings as told"},
    ),
    case(
        "identity",
        """UPDATE leaving_part SET counts = '[{{"kind": "customer", "outcome": "to_pool", "number": 3}}]'""",
        kind="wrong",
        of="leaving {leaving}",
        by={"handovers as in customers"},
    ),
    case("identity", "DELETE FROM identifier WHERE person_id = '{rep}'", kind="missing", of="person {rep}", by={"names"}),
    case(
        "identity",
        "INSERT INTO identifier (name, person_id) VALUES ('not-his', '{rep}')",
        kind="wrong",
        of="person {rep}",
        by={"names"},
    ),
    # customers
    case(
        "customers",
        "UPDATE handover_item SET outcome = 'to_pool', to_id = NULL WHERE id = '{handed_over_item}'",
        kind="missing",
        of="item {handed_over_item}",
        by={"handed over"},
        times=2,
    ),
    case(
        "customers",
        "UPDATE stock SET is_closed = true WHERE person_id = '{rep}'",
        "UPDATE handover SET person_id = '{rep}' WHERE id = '{leaving}'",
        kind="wrong",
        of="leaving {leaving}",
        by={"who has left holds nothing", "handed over", "leavings in identity"},
        times=4,
    ),
    case(
        "customers",
        "UPDATE handover SET version = 9 WHERE id = '{leaving}'",
        kind="missing",
        of="handover {leaving}",
        by={"handovers as told", "identity: handovers as in customers"},
    ),
    case(
        "customers",
        "UPDATE customer SET pool_id = (SELECT id FROM pool WHERE kind = 'telesales') WHERE id = '{pooled}'",
        kind="wrong",
        of="customer {pooled}",
        by={"one place", "histories", "as told"},
    ),
    case(
        "customers",
        "UPDATE ownership SET held_until = held_until + interval '1 second' WHERE customer_id = '{moved}' AND number = 1",
        kind="wrong",
        of="customer {moved}",
        by={"histories"},
    ),
    case(
        "customers",
        "DELETE FROM ownership WHERE customer_id = '{moved}' AND number = 1",
        kind="missing",
        of="customer {moved}",
        by={"histories", HOLDINGS},
    ),
    case(
        "customers",
        "UPDATE ownership SET cause = 'enter' WHERE customer_id = '{moved}' AND number = 2",
        kind="wrong",
        of="customer {moved}",
        by={"histories"},
    ),
    case(
        "customers",
        "UPDATE ownership SET held_from = held_from - interval '1 second' WHERE customer_id = '{noted}'",
        kind="wrong",
        of="customer {noted}",
        by={"histories"},
    ),
    case("customers", "UPDATE stock SET held = 130 WHERE person_id = '{rep}'", kind="wrong", of="person {rep}", by={"stock"}),
    case(
        "customers",
        "DELETE FROM stock WHERE person_id = '{rep}'",
        kind="missing",
        of="person {rep}",
        by={"stock", "allowances as in rules"},
    ),
    case(
        "customers",
        "UPDATE outbox SET name = 'customer_updated' WHERE aggregate_id = '{noted}' AND version = 1",
        kind="missing",
        of="customer {noted}",
        by={"entered once", LOGGED},
    ),
    case(
        "customers",
        "UPDATE outbox SET name = 'customer_entered' WHERE aggregate_id = '{noted}' AND version = 3",
        kind="doubled",
        of="customer {noted}",
        by={"entered once", LOGGED},
    ),
    case(
        "customers",
        """UPDATE outbox SET data = data || '{{"is_key": true}}' WHERE aggregate_id = '{noted}' AND version = 3""",
        kind="wrong",
        of="customer {noted}",
        by={"as told", LOGGED},
    ),
    case(
        "customers",
        "UPDATE customer SET version = 4 WHERE id = '{noted}'",
        kind="missing",
        of="customer {noted}",
        by={"as told", HOLDINGS},
    ),
    case(
        "customers",
        "UPDATE customer_name SET parts = '[]' WHERE customer_id = '{noted}'",
        kind="missing",
        of="customer {noted}",
        by={"filed"},
    ),
    case(
        "customers",
        """UPDATE customer_name SET parts = '[["as the release before has written them"]]' WHERE customer_id = '{noted}'""",
        kind="missing",
        of="customer {noted}",
        by={"filed"},
    ),
    case(
        "customers",
        "DELETE FROM collision_key WHERE customer_id = '{noted}'",
        kind="missing",
        of="customer {noted}",
        by={"filed"},
    ),
    case(
        "customers",
        "DELETE FROM customer_name WHERE customer_id = '{noted}' AND kind = 'licence'",
        kind="missing",
        of="customer {noted}",
        by={"filed"},
    ),
    case(
        "customers",
        "UPDATE customer SET normaliser = 0 WHERE id = '{noted}'",
        kind="missing",
        of="customer {noted}",
        by={"filed"},
    ),
    case(
        "customers",
        "UPDATE reveal_count SET revealed = 2 WHERE person_id = '{supervisor}'",
        kind="wrong",
        of="person {supervisor}",
        by={"reveals"},
    ),
    case(
        "customers",
        "DELETE FROM reveal WHERE id = '{reveal}'",
        kind="missing",
        of="reveal {reveal}",
        by={"reveals", "reveals as told"},
    ),
    case(
        "customers",
        "UPDATE reveal SET field = 'fax' WHERE id = '{reveal}'",
        kind="wrong",
        of="reveal {reveal}",
        by={"reveals as told"},
    ),
    case(
        "customers",
        "DELETE FROM customer_search WHERE customer_id = '{noted}'",
        kind="missing",
        of="customer {noted}",
        by={"searched"},
    ),
    case(
        "customers",
        "UPDATE customer SET category = 'vip' WHERE id = '{noted}'",
        kind="wrong",
        of="customer {noted}",
        by={"searched"},
    ),
    case(
        "customers",
        "UPDATE customer_change SET version = 9 WHERE customer_id = '{noted}'",
        kind="wrong",
        of="customer {noted}",
        by={"changes"},
    ),
    case(
        "customers",
        "DELETE FROM pool WHERE agency_id = '{headquarters}' AND kind = 'industry'",
        kind="missing",
        of="agency {headquarters}",
        by={"pools"},
    ),
    case(
        "customers",
        copied("pool", "kind = 'public'", id=SOMEBODY, agency_id="'{nobody}'"),
        kind="missing",
        of="agency {nobody}",
        by={"pools in identity"},
    ),
    case(
        "customers",
        "UPDATE person SET status = 'active' WHERE id = '{neighbour}'",
        kind="wrong",
        of="person {neighbour}",
        by={"directory as in identity"},
    ),
    case(
        "customers",
        "UPDATE stock SET allowed = allowed + 1 WHERE person_id = '{rep}'",
        kind="wrong",
        of="person {rep}",
        by={"allowances as in rules"},
    ),
    case(
        "customers",
        "UPDATE entry_attempt SET person_id = '{nobody}' WHERE person_id = '{colleague}'",
        kind="missing",
        of="person {nobody}",
        by={"people in identity"},
    ),
    case(
        "customers",
        "UPDATE ownership SET owner_id = '{nobody}' WHERE customer_id = '{moved}' AND number = 1",
        kind="missing",
        of="person {nobody}",
        by={"holders in identity"},
    ),
    case(
        "customers",
        "UPDATE pool_member SET person_id = '{nobody}' WHERE person_id = '{rep}'",
        kind="missing",
        of="person {nobody}",
        by={"people in identity", "pools as told"},
    ),
    case(
        "customers",
        "UPDATE pool SET archived_at = clock() WHERE id = '{pool}'",
        kind="wrong",
        of="pool {pool}",
        by={"pools and who works in them", "pools as told"},
    ),
    case(
        "customers",
        "UPDATE pool_member SET pool_id = (SELECT id FROM pool WHERE agency_id = '{agency}' AND kind = 'public')"
        " WHERE person_id = '{rep}'",
        kind="wrong",
        of="pool {pool}",
        by={"pools and who works in them", "pools as told"},
    ),
    case(
        "customers",
        "UPDATE pool SET claim_rules = '{{}}' WHERE id = '{pool}'",
        kind="wrong",
        of="pool {pool}",
        by={"pools as told"},
    ),
    case("customers", "DELETE FROM pool WHERE id = '{ended_pool}'", kind="missing", of="pool {ended_pool}", by={"pools as told"}),
    case(
        "customers",
        "UPDATE pool_claims SET claims = claims + 1 WHERE person_id = '{rep}'",
        kind="wrong",
        of="person {rep}",
        by={"claims"},
    ),
    case(
        "customers",
        "DELETE FROM pool_claims WHERE person_id = '{rep}'",
        kind="missing",
        of="person {rep}",
        by={"claims"},
    ),
    case(
        "customers",
        "UPDATE member_arrival SET received_at = received_at + interval '1 second' WHERE id = '{member}'",
        kind="missing",
        of="member arrival {member}",
        by={"members"},
    ),
    case(
        "customers",
        "UPDATE member_arrival SET name = 'other' WHERE id = '{member}'",
        kind="wrong",
        of="member arrival {member}",
        by={"members as told"},
    ),
    case(
        "customers",
        "UPDATE member_source SET is_enabled = false WHERE id = '{source}'",
        kind="wrong",
        of="member source {source}",
        by={"members as told"},
    ),
    case(
        "customers",
        "UPDATE territory SET pooled = 'leave' WHERE agency_id = '{agency}'",
        kind="wrong",
        of="territory {agency}",
        by={"members as told"},
    ),
    case(
        "customers",
        "UPDATE review_item SET name = 'other' WHERE id = '{waited}'",
        kind="wrong",
        of="review {waited}",
        by={"reviews"},
    ),
    case(
        "customers",
        copied("review_item", "id = '{judged}'", id="'{nobody}'", origin="'raced'"),
        copied("review_item", "id = '{nobody}'", id="'00000000-0000-0000-0000-000000000000'"),
        kind="doubled",
        of="review {nobody}",
        by={"reviews", "reviews as told"},
        times=3,
    ),
    case(
        "customers",
        "UPDATE review_item SET state = 'withdrawn' WHERE id = '{judged}'",
        kind="wrong",
        of="review {judged}",
        by={"reviews as told"},
    ),
    case(
        "customers",
        "DELETE FROM review_item WHERE id = '{judged}'",
        kind="missing",
        of="review {judged}",
        by={"reviews as told"},
    ),
    case(
        "customers",
        "UPDATE ownership SET cause = 'transfer' WHERE customer_id = '{awarded}' AND number = 2",
        kind="wrong",
        of="dispute {dispute}",
        by={"disputes"},
    ),
    case(
        "customers",
        "DELETE FROM dispute_statement WHERE dispute_id = '{dispute}' AND side = 'holder'",
        kind="missing",
        of="dispute {dispute}",
        by={"disputes"},
    ),
    case(
        "customers",
        "UPDATE ownership SET cause = 'dispute' WHERE customer_id = '{moved}' AND number = 2",
        kind="missing",
        of="customer {moved}",
        by={"disputes"},
    ),
    case(
        "customers",
        "UPDATE dispute SET holder_id = '{nobody}' WHERE id = '{dispute}'",
        kind="wrong",
        of="dispute {dispute}",
        by={"disputes as told", "people in identity"},
    ),
    case(
        "customers",
        "DELETE FROM dispute WHERE id = '{dispute}'",
        kind="missing",
        of="dispute {dispute}",
        by={"disputes as told", "disputes"},
    ),
    case(
        "customers",
        "UPDATE collaborator SET person_id = '{rep}', given_by = '{colleague}' WHERE customer_id = '{shared}'",
        kind="wrong",
        of="customer {shared}",
        by={"collaborators", "collaborators as told"},
    ),
    case(
        "customers",
        "UPDATE collaborator SET until = NULL WHERE customer_id = '{shared}'",
        kind="wrong",
        of="customer {shared}",
        by={"collaborators as told"},
    ),
    case(
        "customers",
        "DELETE FROM collaborator WHERE customer_id = '{shared}'",
        kind="wrong",
        of="customer {shared}",
        by={"collaborators as told"},
    ),
    case(
        "customers",
        "DELETE FROM team WHERE customer_id = '{shared}'",
        kind="missing",
        of="customer {shared}",
        by={"collaborators", "collaborators as told"},
    ),
    case(
        "customers",
        "UPDATE outbox SET version = 7 WHERE aggregate_id = '{shared_team}' AND version = 2",
        kind="missing",
        of="customer {shared}",
        by={"collaborators as told", "versions of events", LOGGED},
    ),
    case(
        "customers",
        "UPDATE handoff SET holding = 7 WHERE id = '{waiting}'",
        kind="wrong",
        of="handoff {waiting}",
        by={"handoffs", "handoffs as told"},
    ),
    case(
        "customers",
        "UPDATE ownership SET cause = 'transfer' WHERE customer_id = '{handed_off}' AND number = 2",
        kind="missing",
        of="handoff {accepted}",
        by={"handoffs"},
    ),
    case(
        "customers",
        "UPDATE handoff SET keep_as = 'other' WHERE id = '{waiting}'",
        kind="wrong",
        of="handoff {waiting}",
        by={"handoffs as told"},
    ),
    # activities
    case(
        "activities",
        "UPDATE contact_note SET holding = 7 WHERE id = '{shared_note}'",
        kind="missing",
        of="contact note {shared_note}",
        by={"notes by collaborators", "notes as told"},
    ),
    case(
        "activities",
        "UPDATE visit_method SET is_active = false WHERE code = 'video'",
        kind="wrong",
        of="visit method video",
        by={"visit methods as in customers"},
    ),
    case(
        "activities",
        "UPDATE contact_note SET method = 'visit' WHERE id = '{note}'",
        kind="wrong",
        of="contact note {note}",
        by={"notes as told"},
    ),
    case(
        "activities",
        "DELETE FROM contact_note WHERE id = '{last_note}'",
        kind="missing",
        of="contact note {last_note}",
        by={"notes as told", "follow-ups"},
    ),
    case(
        "activities",
        copied("contact_note", "id = '{note}'", id="'{nobody}'"),
        kind="missing",
        of="contact note {nobody}",
        by={"notes as told"},
    ),
    case(
        "activities",
        "UPDATE contact_note SET holding = NULL, customer_id = '{nobody}' WHERE id = '{last_note}'",
        kind="missing",
        of="contact note {last_note}",
        by={"older notes on customers", "notes as told", "follow-ups"},
    ),
    case(
        "activities",
        "UPDATE follow_up SET first_note_at = first_note_at - interval '1 second' WHERE customer_id = '{noted}'",
        kind="wrong",
        of="customer {noted}",
        by={"follow-ups"},
    ),
    case(
        "activities",
        "DELETE FROM follow_up WHERE customer_id = '{noted}'",
        kind="missing",
        of="customer {noted}",
        by={"follow-ups"},
    ),
    case(
        "activities",
        "UPDATE follow_up SET due = due + interval '1 second' WHERE customer_id = '{missed}'",
        kind="wrong",
        of="customer {missed}",
        by={"verdicts as told"},
    ),
    case(
        "activities",
        "DELETE FROM follow_up WHERE customer_id = '{missed}'",
        kind="missing",
        of="customer {missed}",
        by={"verdicts as told"},
    ),
    case(
        "activities",
        "UPDATE contact_note SET author_id = '{colleague}' WHERE id = '{note}'",
        kind="missing",
        of="contact note {note}",
        by={"notes by holders", "notes as told"},
    ),
    case(
        "activities",
        "UPDATE follow_up SET owner_id = '{colleague}' WHERE customer_id = '{noted}'",
        kind="missing",
        of="follow-up of customer {noted}",
        by={"follow-ups by holders"},
    ),
    case(
        "activities",
        "DELETE FROM log_entry WHERE source = 'customers' AND position = 1",
        kind="missing",
        of="position 1",
        by={LOGGED},
    ),
    case(
        "activities",
        copied("log_entry", "source = 'customers'", id=SOMEBODY, position="100000", version="100000"),
        kind="doubled",
        of="position 100000",
        by={LOGGED},
    ),
    case(
        "activities",
        "UPDATE log_entry SET actor = 'other' WHERE source = 'rules' AND position = 1",
        kind="wrong",
        of="position 1",
        by={"log as told by rules"},
    ),
    # rules
    case(
        "rules",
        "UPDATE follow_up_policy SET hours = 24",
        kind="wrong",
        of="follow up policy {agency}",
        by={"policies as told"},
    ),
    case(
        "rules",
        "UPDATE stock_limit SET \"limit\" = 91 WHERE person_id = '{colleague}'",
        kind="wrong",
        of="person {colleague}",
        by={"allowances as decided", "policies as told"},
    ),
    case(
        "rules",
        "DELETE FROM allowance WHERE person_id = '{rep}'",
        kind="missing",
        of="person {rep}",
        by={"allowances as decided", "policies as told", "customers: allowances as in rules"},
    ),
    case(
        "rules",
        "UPDATE stock_limit SET person_id = '{nobody}' WHERE person_id = '{colleague}'",
        kind="missing",
        of="person {nobody}",
        by={"limits in identity", "policies as told", "allowances as decided"},
    ),
    case(
        "rules",
        "UPDATE deadline SET state = 'late' WHERE id = '{met_deadline}'",
        kind="wrong",
        of="deadline {met_deadline}",
        by={"deadlines as judged"},
    ),
    case(
        "rules",
        "UPDATE deadline SET is_taken_back = true WHERE id = '{met_deadline}'",
        kind="wrong",
        of="customer and holding {met} 2",
        by={"deadlines as in customers"},
    ),
    case(
        "rules",
        "UPDATE deadline SET is_forfeited = false WHERE customer_id = '{missed}' AND holding = 2",
        kind="wrong",
        of="customer and holding {missed} 2",
        by={"verdicts as in activities"},
    ),
    case(
        "rules",
        "UPDATE holding SET name = 'other' WHERE customer_id = '{noted}'",
        kind="wrong",
        of="customer {noted}",
        by={"holdings as in customers"},
    ),
    case(
        "rules",
        "DELETE FROM holding WHERE customer_id = '{noted}'",
        kind="missing",
        of="customer {noted}",
        by={"holdings as in customers"},
    ),
    case(
        "rules",
        "UPDATE contact SET is_effective = NOT is_effective WHERE event_id = '{note_event}'",
        kind="wrong",
        of="event {note_event}",
        by={"contacts as in activities"},
    ),
    case(
        "rules",
        "DELETE FROM contact WHERE event_id = '{note_event}'",
        kind="missing",
        of="event {note_event}",
        by={"contacts as in activities"},
    ),
    case(
        "rules",
        copied("contact", "event_id = '{note_event}'", event_id="'{nobody}'"),
        kind="doubled",
        of="event {nobody}",
        by={"contacts as in activities"},
    ),
    # the plumbing, the same in every service
    case(
        "rules",
        "DELETE FROM command WHERE key = '{command}'",
        kind="missing",
        of="command rules.set_follow_up {command}",
        by={"commands and audit"},
    ),
    case(
        "rules",
        copied("audit", "command_id = '{command}'", id="'{nobody}'"),
        "INSERT INTO audit_unchained VALUES ('{nobody}', '{agency}')",
        kind="doubled",
        of="command rules.set_follow_up {command}",
        by={"commands and audit", "audit chained"},
    ),
    case(
        "rules",
        "DELETE FROM audit WHERE command_id = '{command}'",
        kind="missing",
        of="command rules.set_follow_up {command}",
        by={"commands and audit", "audit chain"},
    ),
    case(
        "rules",
        "UPDATE audit SET request_id = 'other' WHERE id = '{audited}'",
        kind="wrong",
        of="audit row {audited}",
        by={"audit chain"},
    ),
    case(
        "rules",
        "DELETE FROM audit_chain WHERE audit_id = '{audited}'",
        kind="wrong",
        of="audit row {audited}",
        by={"audit chain"},
    ),
    case(
        "rules",
        "INSERT INTO audit_unchained VALUES ('{audited}', '{agency}')",
        kind="missing",
        of="audit row {audited}",
        by={"audit chained"},
    ),
    case(
        "customers",
        "UPDATE outbox SET version = 7 WHERE name = 'entry_attempted' AND aggregate_id = '{attempt}'",
        kind="missing",
        of="aggregate {attempt}",
        by={"versions of events", LOGGED},
    ),
    case(
        "rules",
        "UPDATE outbox SET position = position + 100 WHERE name = 'follow_up_set'",
        kind="missing",
        of="position {gap}",
        by={"positions of events", "activities: log as told by rules", "activities: events heard from rules"},
        times=4,
    ),
    case(
        "rules",
        "UPDATE outbox SET published_at = NULL WHERE name = 'follow_up_set'",
        kind="missing",
        of="event {followed_up}",
        by={"events sent"},
    ),
    case(
        "rules",
        "INSERT INTO inbox VALUES ('count_contact', '{note_event}', 'activities', 1, 'parked', '{{}}', 5, NULL, 'no such day')",
        kind="wrong",
        of="event {note_event}",
        by={"events parked"},
    ),
    case(
        "rules",
        "INSERT INTO inbox VALUES ('count_contact', '{note_event}', 'activities', 1, 'failed', '{{}}', 2, now(), 'no such day')",
        kind="missing",
        of="event {note_event}",
        by={"events failed"},
    ),
    case(
        "rules",
        "UPDATE event_cursor SET position = position - 1 WHERE source = 'activities'",
        kind="missing",
        of="event {last_event}",
        by={"events heard from activities"},
    ),
    case(
        "rules",
        "UPDATE event_cursor SET position = 100000 WHERE source = 'activities'",
        kind="missing",
        of="position 100000",
        by={"events heard from activities"},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_broken_is_named(still: World, case: Case) -> None:
    with broken(still, case.service, *case.statements):
        report = still.check(wait=0.05)

    assert {finding.invariant for finding in report.findings} == case.names
    assert len(report.findings) == case.times
    assert (case.kind, case.subject.format(**still.ids)) in {(finding.kind, finding.subject) for finding in report.findings}


def test_every_invariant_has_been_broken() -> None:
    """What is the same for every service or producer in one of them."""

    def kind_of(name: str) -> str:
        about = name.split(": ")[1]
        return name if about == "as told" else re.sub(r"(told by|heard from) .*", r"\1", about)

    assert {kind_of(name) for case in CASES for name in case.names} == {kind_of(invariant.name) for invariant in INVARIANTS}


def test_a_difference_is_given_time_to_vanish(still: World) -> None:
    with broken(still, "rules", "UPDATE holding SET name = 'other' WHERE customer_id = '{noted}'"):
        waiting = threading.Thread(target=lambda: reports.append(still.check(wait=20)))
        reports: list[Report] = []
        waiting.start()
        time.sleep(1.5)  # so long it must stay: nothing tells that the first look is over
        assert reports == []
    waiting.join()
    assert reports[0].findings == []


def test_many_findings_are_counted_and_the_first_are_listed(still: World) -> None:
    with broken(still, "activities", "DELETE FROM log_entry"):
        report = still.check(wait=0)
        ended = qudao_fsck(still.stack.home.folder, "--wait", "0")

    name = "activities: log as told by identity"
    events = found(still.stack, "identity", "SELECT count(*) FROM outbox")
    missing = report.total("missing")
    assert report.found[name] == {"missing": events}
    assert (missing, report.total("doubled", "wrong")) == (report.total(), 0)
    assert max(sum(finding.invariant == each for finding in report.findings) for each in report.found) == LISTED
    assert ended.returncode == 1
    assert ended.stdout.splitlines()[-1].startswith(f"fsck: {missing:,} findings ({missing:,} missing), ")
    assert f"BROKEN {name} {events:,}: {events:,} found" in ended.stdout.splitlines()
