"""`bench scale`: the collision check, entries and imports against a registry of so many companies, and what it takes.

Companies are those of `--names` (CSV with name, province and city, packed by xz or not), multiplied by made-up ones where there
are too few; without a file all are made up. Some are held back: they are the new companies that are asked for and entered.
"""

import json
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import psycopg

from bench import machine
from bench.delay import connected
from bench.inside import runtime_of
from bench.measures import Checks, Requests, measure_bulk, measure_comparators, memory, sizes
from bench.questions import Split, questions
from bench.registry import fill
from bench.scale_report import table
from bench.stand import UNSHED, NotMeasured, Stand, raise_limit, wait_for
from embedded.stack import Stack
from ops.addresses import derive
from services.contracts.permissions import ROLES
from services.plumbing.passport import Caller
from tests.api import Headquarters

CLIENTS = 4
NEW, BULK, ENTRIES, ASKED = 2_000, 4_000, 3_000, 2_000
FOR_BUFFERS = ("customer_pkey", "customer_name_grams", "customer_name_pkey", "collision_key_pkey", "customer")
FOR_FILES = ("customer_name_near", "customer_name")
"""What a check reads: for the database's own buffers what is smaller and asked for most, for the system's memory the rest."""
UNHURRIED = UNSHED | {"QUDAO_TYPING_PER_SECOND": "100000", "QUDAO_TYPING_BURST": "100000"}
"""How fast one person may type is not what is measured."""


@dataclass(frozen=True)
class Wish:
    names: Path | None
    size: int
    seed: int = 1
    seconds: float = 5.0
    is_json_only: bool = False

    @property
    def limit(self) -> float:
        """Seconds after which the whole run is given up."""
        return 1800 + self.size / 400

    def of(self, most: int) -> int:
        """So many, fewer of a small registry."""
        return min(most, max(20, self.size // 10))


def run(wish: Wish) -> None:
    """Prints the table, and the whole as one JSON object on the last line. Raises NotMeasured."""
    found: dict[str, Any] = {"bench": "scale", "commit": machine.commit(), "machine": machine.machine()}
    found |= {"size": wish.size, "seed": wish.seed, "source": wish.names.name if wish.names else "made up"}
    found["database_settings"] = settings = settings_of(found["machine"]["memory_gb"])
    try:
        split = Split(wish.size, wish.of(NEW) + wish.of(BULK) + wish.of(ENTRIES), wish.seed, wish.names)
    except ValueError as error:
        raise NotMeasured(str(error)) from None
    with tempfile.TemporaryDirectory(prefix="qudao-bench-") as folder:
        home = Path(folder) / "home"
        with Stack(home, parts=(), replicas={"gateway": 0}, database_settings=settings) as stack:
            found["load"] = load(derive(stack.admin_url, stack.database("customers").name), split)
        with Stack(home, env=UNHURRIED, database_settings=settings) as stack:  # not `fast`: a commit has to reach the disk
            found["versions"] = machine.versions(stack, "embedded")
            found["read_in_bytes"] = read_in(derive(stack.admin_url, stack.database("customers").name))
            found |= measure_all(stack, split, wish)
    if not wish.is_json_only:
        print(table(found), flush=True)
    print(json.dumps(found, ensure_ascii=False), flush=True)


def settings_of(memory_gb: float) -> dict[str, str]:
    """As for a server that is there for this: a quarter of the memory for its buffers, and room for the log of a load."""
    return {
        "shared_buffers": f"{max(256, min(6144, int(256 * memory_gb)))}MB",
        "effective_cache_size": f"{max(1, int(memory_gb / 2))}GB",
        "max_wal_size": "8GB",
        "checkpoint_timeout": "15min",
    }


def load(admin_url: str, split: Split) -> dict[str, Any]:
    began = time.monotonic()
    count = fill(admin_url, split.rows(), say)
    seconds = time.monotonic() - began
    return {"rows": count, "seconds": round(seconds, 1), "rows_per_second": round(count / seconds, 1)}


def read_in(admin_url: str) -> int:
    """What checks read, read once, as a server has it in memory that was not started a minute ago; how many bytes that were."""
    say("reading in what checks read")
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute("CREATE EXTENSION IF NOT EXISTS pg_prewarm")
        ways = [*((each, "buffer") for each in FOR_BUFFERS), *((each, "read") for each in FOR_FILES)]
        rows = [admin.execute("SELECT pg_prewarm(%s::regclass, %s) * 8192", way).fetchone() for way in ways]
        admin.execute("DROP EXTENSION pg_prewarm")
    return sum(row[0] for row in rows if row)


def measure_all(stack: Stack, split: Split, wish: Wish) -> dict[str, Any]:
    random = Random(wish.seed)
    held = iter(random.sample(split.held, len(split.held)))
    new, bulk, entries = (list(islice(held, wish.of(most))) for most in (NEW, BULK, ENTRIES))
    asked = questions(split.sample, new, wish.of(ASKED), random)
    warm_up = questions(split.sample, bulk, wish.of(ASKED) // 2, random)
    office = Office(stack)
    runtime = runtime_of(stack.database_url("customers"))
    found: dict[str, Any] = {}
    with runtime.reading_engine.connect() as connection:
        checks = Checks(connection)
        say("checks in the service's own code")
        found["check"] = checks.measure(warm_up, asked)
        say("new names")
        found["new"] = {
            "name": checks.verdicts(new, ("name", "province", "city")),
            "name_phone_fax": checks.verdicts(new, ("name", "province", "city", "phone", "fax")),
        }
    requests = Requests(office.stand, office.tokens, wish.seconds)
    say("over HTTP")
    found["http_check"] = requests.checks([*asked, *warm_up])
    found["http_typing"] = requests.typing([question.name for question in asked[: wish.of(500)]], random)
    found["http_entry"] = requests.entries(entries)
    office.let_events_go()
    say("a bulk load")
    found["bulk"] = measure_bulk(runtime, office.administrator, office.pool_id, bulk, office.stand)
    office.let_events_go()
    runtime.engine.dispose()
    found["sizes"] = sizes(stack.owner_url("customers"))
    found["memory"] = memory(stack.processes["customers"][0].pid)
    say("pg_trgm and rapidfuzz")
    on_file = [question for question in asked if question.expected]
    few = 10 if wish.size <= 2_000_000 else 3
    names = (company.name for company in split.loaded())
    found["others"] = measure_comparators(stack.admin_url, names, on_file[: wish.of(40)], few=few)
    return found


class Office:
    """People with sessions: reps who check, type and enter, and an administrator who imports."""

    def __init__(self, stack: Stack) -> None:
        self.stand = Stand(stack)
        self.stand.gateway_port = urlsplit(stack.url).port or 0
        headquarters = Headquarters.set_up(stack.url, stack.setup_secret)
        team = headquarters.team()
        reps = headquarters.people(CLIENTS, team.department_id)
        raise_limit(headquarters, reps)
        self.tokens = [str(rep.token) for rep in reps]
        self.pool_id = UUID(team.pools["agency"])
        self.administrator = Caller(
            team.admin.user["id"], UUID(team.agency_id), UUID(team.department_id), grants=ROLES["agency_admin"]
        )

    def let_events_go(self) -> None:
        """Until all events are sent, so that what follows is measured by itself."""
        with connected(self.stand, "customers") as outbox:
            unsent = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
            wait_for(lambda: (outbox.execute(unsent).fetchone() or (1,))[0] == 0, 300, "Events were not sent.")


def say(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)
