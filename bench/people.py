"""`bench people`: so many users in departments 8 deep: lists, sessions, a supervisor over many, a department that moves.

All are one agency's. A tenth of the people are in the department that moves, or below it. Its move is felt when the copies of
customers, activities and rules have the new path of every department below, and when a supervisor sees through HTTP a customer
that he did not see before.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import psycopg

from bench import machine
from bench.lines import Figures, Line, measure
from bench.report import markdown, where
from bench.scale import settings_of
from bench.scale_report import judged
from bench.stand import UNSHED, NotMeasured, Stand, wait_for
from embedded.stack import Stack
from ops.addresses import derive
from services.contracts.permissions import abilities_of_built_in
from tests.api import Headquarters, Team, expect

SPACE = UUID("7a4c1b52-0b54-4c43-9d0b-6f1a1a8f9d3e")
LEVELS, PEOPLE_EACH = 8, 10
SESSIONS = 200
COPIES = ("customers", "activities", "rules")
MOST_SECONDS = 60.0
BUDGET = 5.0  # seconds until a move is felt everywhere

DEPARTMENTS = "CREATE TEMP TABLE made (id uuid, parent_id uuid, path text, at integer)"
OF_IDENTITY = (
    """INSERT INTO department (id, agency_id, parent_id, name, path, status, version, created_at)
       SELECT id, '{agency}', parent_id, '{name}' || at, path, 'active', 1, clock() FROM made ORDER BY at""",
    """INSERT INTO person (id, login, display_name, agency_id, department_id, roles, abilities, version, created_at)
       SELECT gen_random_uuid(), 'bench' || at * {each} + nth, '销售' || at * {each} + nth, '{agency}', id,
              '{{rep}}', '{abilities}', 1, clock()
       FROM made, generate_series(1, {each}) AS nth""",
)
OF_COPIES = (
    """INSERT INTO department (id, agency_id, name, ancestors, version)
       SELECT id, '{agency}', '{name}' || at, string_to_array(path, '.')::uuid[], 1 FROM made""",
    "COPY person (id, agency_id, department_id, managed_department_ids, display_name, roles, abilities, status, version)"
    " FROM STDIN",
)
PEOPLE = """
    SELECT id, agency_id, department_id, managed_department_ids, display_name, roles, abilities, status, version
    FROM person WHERE login LIKE 'bench%'
"""
FIGURES = ("requests_per_second", "p50_ms", "p99_ms")
FELT = "SELECT count(*) FROM department WHERE ancestors @> ARRAY[%s, %s]::uuid[]"


@dataclass(frozen=True)
class Wish:
    users: int
    seconds: float = 3.0
    is_json_only: bool = False

    @property
    def limit(self) -> float:
        return 600 + self.users / 50


def run(wish: Wish) -> None:
    """Prints the table, and the whole as one JSON object on the last line. Raises NotMeasured."""
    found: dict[str, Any] = {"bench": "people", "commit": machine.commit(), "machine": machine.machine()}
    found["database_settings"] = settings = settings_of(found["machine"]["memory_gb"])
    with tempfile.TemporaryDirectory(prefix="qudao-bench-") as folder:
        with Stack(Path(folder) / "home", env=UNSHED, database_settings=settings) as stack:
            found["versions"] = machine.versions(stack, "embedded")
            team = Headquarters.set_up(stack.url, stack.setup_secret).team()
            rep, supervisor = team.rep, team.supervisor
            nodes = tree(wish.users // PEOPLE_EACH)
            say(f"{len(nodes):,} departments with {len(nodes) * PEOPLE_EACH:,} people")
            load(stack, team, nodes)
            found |= {"departments": len(nodes), "users": len(nodes) * PEOPLE_EACH}
            found["lines"] = measure_lines(stack, team, wish, str(supervisor.token))
            found["move"] = measure_move(stack, team, nodes, rep.entered())
    if not wish.is_json_only:
        print(table(found), flush=True)
    print(json.dumps(found, ensure_ascii=False), flush=True)


# --- the tree


@dataclass(frozen=True)
class Node:
    id: UUID
    parent_id: UUID | None
    path: str


def tree(size: int) -> list[Node]:
    """The first has a tenth of all below it, in LEVELS levels; the others are spread as evenly below two more."""
    nodes: list[Node] = []
    for part, share in enumerate((size // 10, size // 2, size - size // 10 - size // 2)):
        own: list[Node] = []
        for number in range(max(share, LEVELS)):
            id_ = uuid5(SPACE, f"{part} {number}")
            above = None if number == 0 else own[number - 1] if number < LEVELS else own[number % (LEVELS - 1)]
            own.append(Node(id_, above.id if above else None, f"{above.path}.{id_}" if above else str(id_)))
        nodes += own
    return nodes


def load(stack: Stack, team: Team, nodes: Sequence[Node]) -> None:
    """Into identity and into every copy, without events: how long those take is not what is measured."""
    abilities = "{" + ",".join(abilities_of_built_in(["rep"])) + "}"
    values = {"agency": team.agency_id, "each": PEOPLE_EACH, "abilities": abilities}
    with psycopg.connect(derive(stack.admin_url, stack.database("identity").name), autocommit=True) as identity:
        [(name,)] = identity.execute("SELECT name FROM agency WHERE id = %s", [team.agency_id]).fetchall()
        values["name"] = name
        make(identity, nodes)
        for statement in OF_IDENTITY:
            identity.execute(statement.format(**values))
        people = identity.execute(PEOPLE).fetchall()
        identity.execute("VACUUM ANALYZE")
    for service in COPIES:
        with psycopg.connect(derive(stack.admin_url, stack.database(service).name), autocommit=True) as copies:
            departments, person = OF_COPIES
            make(copies, nodes)
            copies.execute(departments.format(**values))
            with copies.cursor().copy(person) as copy:
                for row in people:
                    copy.write_row(row)
            copies.execute("VACUUM ANALYZE")


def make(connection: psycopg.Connection[Any], nodes: Sequence[Node]) -> None:
    connection.execute(DEPARTMENTS)
    with connection.cursor().copy("COPY made FROM STDIN") as copy:
        for at, node in enumerate(nodes):
            copy.write_row((node.id, node.parent_id, node.path, at))


# --- what is measured


def measure_lines(stack: Stack, team: Team, wish: Wish, supervisor: str) -> dict[str, Any]:
    """With one client; 50 of them where each request shall resolve a session of its own."""
    stand = Stand(stack)
    stand.gateway_port = int(stack.url.rpartition(":")[2])
    admin, asked = str(team.headquarters.admin.token), f"agency_id={team.agency_id}"
    lines: dict[str, tuple[str, int, list[str], list[str]]] = {
        "users": ("GET /v1/users?limit=50", 1, [admin], ["/v1/users?limit=50"]),
        "departments": ("GET /v1/departments?limit=50", 1, [admin], [f"/v1/departments?limit=50&{asked}"]),
        "sessions": ("GET /v1/agencies?limit=1, a session each", 50, sessions(stack), ["/v1/agencies?limit=1"]),
        "people below": ("GET /v1/customers?of=visible, supervisor over a tenth", 1, [supervisor], ["/v1/customers?of=visible"]),
    }
    root = str(tree(wish.users // PEOPLE_EACH)[0].id)
    expect(200, team.headquarters.admin.request("POST", f"/v1/departments/{root}/move", {"parent_id": team.department_id}))
    found = {}
    for name, (what, clients, tokens, paths) in lines.items():
        say(what)
        figures = Figures()
        job = {"status": 200, "port": stand.gateway_port, "paths": [paths], "tokens": tokens}
        measure(stand, Line(name, what, lambda _, job=job: job), clients, wish.seconds, figures)  # type: ignore[misc]
        found[name] = {"what": what, **figures.as_json()}
    return found


def sessions(stack: Stack) -> list[str]:
    """Tokens of as many of the people."""
    tokens = [f"{number:043d}" for number in range(SESSIONS)]
    opened = """
        INSERT INTO session (id, person_id, token_digest, by_code, opened_at, used_at, expires_at)
        SELECT gen_random_uuid(), person.id, digest, false, clock(), clock(), clock() + interval '1 hour'
        FROM unnest(%s::text[]) WITH ORDINALITY AS given(digest, at)
        JOIN (SELECT id, row_number() OVER (ORDER BY id) AS at FROM person WHERE login LIKE 'bench%%') AS person USING (at)
    """
    with psycopg.connect(derive(stack.admin_url, stack.database("identity").name), autocommit=True) as identity:
        identity.execute(opened, [[sha256(token.encode()).hexdigest() for token in tokens]])
    return tokens


def measure_move(stack: Stack, team: Team, nodes: Sequence[Node], customer: str) -> dict[str, Any]:
    """Below the department of a supervisor, who then sees the customer of a rep in the deepest department."""
    root, admin, supervisor, rep = nodes[0].id, team.headquarters.admin, team.supervisor, team.rep
    leaf = {"department_id": str(nodes[LEVELS - 1].id)}
    expect(200, admin.request("POST", f"/v1/departments/{root}/move", {"parent_id": None}))
    expect(200, admin.request("PATCH", f"/v1/users/{rep.user['id']}", leaf, If_Match='"1"'))

    def is_seen() -> bool:
        return supervisor.request("GET", f"/v1/customers/{customer}").status_code == 200

    wait_for(lambda: not is_seen(), MOST_SECONDS, "The rep's new department is not felt.")
    below = sum(node.path.startswith(str(root)) for node in nodes)
    with ThreadPoolExecutor(len(COPIES) + 1) as pool:
        began = time.monotonic()
        felt = {service: pool.submit(felt_in, stack, service, team.department_id, root, below, began) for service in COPIES}
        felt["a supervisor"] = pool.submit(until, is_seen, began)
        expect(200, admin.request("POST", f"/v1/departments/{root}/move", {"parent_id": team.department_id}))
        answered = time.monotonic() - began
        seconds = {where_felt: round(each.result(), 3) for where_felt, each in felt.items()}
    return {"departments": below, "people": below * PEOPLE_EACH, "answered_s": round(answered, 3), "felt_s": seconds}


def felt_in(stack: Stack, service: str, parent: str, root: UUID, below: int, began: float) -> float:
    with psycopg.connect(derive(stack.admin_url, stack.database(service).name), autocommit=True) as copies:

        def has_all() -> bool:
            row = copies.execute(FELT, [parent, root]).fetchone()
            return bool(row and row[0] >= below)

        return until(has_all, began)


def until(condition: Callable[[], bool], began: float) -> float:
    """Seconds from `began`. Raises NotMeasured."""
    while not condition():
        if time.monotonic() - began > MOST_SECONDS:
            raise NotMeasured("The move is not felt everywhere.")
        time.sleep(0.01)
    return time.monotonic() - began


def table(found: dict[str, Any]) -> str:
    lines = [[each["what"], *(f"{each[key]:g}" for key in FIGURES)] for each in found["lines"].values()]
    move = found["move"]
    heads = ["departments that moved", "with people", "answered", *(f"felt by {name}" for name in move["felt_s"])]
    seconds = [judged(each, "s", BUDGET) for each in (move["answered_s"], *move["felt_s"].values())]
    moved = markdown(heads, [[f"{move['departments']:,}", f"{move['people']:,}", *seconds]])
    size = f"{found['users']:,} users in {found['departments']:,} departments"
    return "\n\n".join(("", size, markdown(["line", "/s", "p50 ms", "p99 ms"], lines), moved, where(found)))


def say(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)
