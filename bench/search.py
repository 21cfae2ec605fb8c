"""`bench search`: filtered pages over so many customers, for a rep, a manager over 500 people and the agency's administrator.

All customers are one agency's: 130 of the rep, 130 of each of the manager's people, the rest in a pool. Each role asks for pages
of 50 by every kind of filter in turn, with one client; what is asked for is drawn from what there is, the rare with the frequent.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid5

import psycopg

from bench import machine
from bench.companies import Company, companies
from bench.lines import Figures, Line, measure
from bench.registry import AGENCY, Place, Row, fill
from bench.report import markdown, where
from bench.scale import settings_of
from bench.scale_report import judged
from bench.stand import UNSHED, Stand
from embedded.stack import Stack
from ops.addresses import derive
from services.customers.search.domain import initials_of
from tests.api import Client, Headquarters, Team

PEOPLE, HELD = 500, 130
INDUSTRIES = ("manufacturing", "trade", "construction", "it", "transport", "education", "health", "finance", "culture", "mining")
CATEGORIES = ("potential",) * 70 + ("intending",) * 20 + ("dealt",) * 9 + ("vip",)
TAGS, RARE_TAGS = 50, 20_000
ASKED = 200
"""Questions of each kind."""
KINDS = (
    "all", "name", "rare name", "initials", "number", "tag", "rare tag", "category", "industry and place", "key", "held",
    "by name", "range", "rare range", "many",
)  # fmt: skip
BUDGET = 100  # ms


@dataclass(frozen=True)
class Wish:
    names: Path | None
    size: int
    seed: int = 1
    seconds: float = 3.0
    is_json_only: bool = False

    @property
    def limit(self) -> float:
        return 1800 + self.size / 400


def run(wish: Wish) -> None:
    """Prints the table, and the whole as one JSON object on the last line. Raises NotMeasured."""
    found: dict[str, Any] = {"bench": "search", "commit": machine.commit(), "machine": machine.machine()}
    found |= {"size": wish.size, "seed": wish.seed, "source": wish.names.name if wish.names else "made up"}
    found["database_settings"] = settings = settings_of(found["machine"]["memory_gb"])
    with tempfile.TemporaryDirectory(prefix="qudao-bench-") as folder:
        with Stack(Path(folder) / "home", env=UNSHED, database_settings=settings) as stack:
            found["versions"] = machine.versions(stack, "embedded")
            team = Headquarters.set_up(stack.url, stack.setup_secret).team()
            askers = {"rep": team.rep, "manager over 500": team.manager, "agency admin": team.admin}
            sample = load(stack, team, wish)
            found["pages"] = {who: measure_pages(stack, asker, sample, wish) for who, asker in askers.items()}
    if not wish.is_json_only:
        print(table(found), flush=True)
    print(json.dumps(found, ensure_ascii=False), flush=True)


def load(stack: Stack, team: Team, wish: Wish) -> list[Company]:
    """Some of the companies, to be asked for."""
    random, sample = Random(wish.seed), []
    owners = [UUID(team.rep.user["id"]), *(uuid5(AGENCY, f"person {number}") for number in range(PEOPLE))]

    def rows() -> Iterator[Row]:
        for number, company in enumerate(companies(wish.size, wish.seed, wish.names)):
            if number % max(1, wish.size // 2_000) == 0:
                sample.append(company)
            yield row_of(number, company, owners, wish.size, random)

    admin_url = derive(stack.admin_url, stack.database("customers").name)
    with psycopg.connect(admin_url, autocommit=True) as admin:
        person = (
            "INSERT INTO person (id, agency_id, department_id, managed_department_ids, display_name, roles, abilities, status,"
            " version)"
            " VALUES (%s, %s, %s, '{}', %s, '{rep}', '{holds,sells}', 'active', 1)"
        )
        for number, owner in enumerate(owners[1:]):
            admin.execute(person, [owner, team.agency_id, team.department_id, f"销售 {number}"])
        fill(admin_url, rows(), say, Place(UUID(team.agency_id), UUID(team.pools["agency"])))
        admin.execute("VACUUM (ANALYZE)")
    return sample


def row_of(number: int, company: Company, owners: list[UUID], size: int, random: Random) -> Row:
    """Every so many is somebody's, so that a holder's customers lie all over the tables."""
    held = min(len(owners) * HELD, size // 2)
    step = size // held
    owner = owners[number // step % len(owners)] if number % step == 0 and number // step < held else None
    tags = (f"标签{random.randrange(TAGS)}", f"少见{random.randrange(RARE_TAGS)}")
    return Row(
        str(number),
        company.name,
        company.province or None,
        company.city or None,
        company.phone,
        company.fax,
        owner_id=owner,
        industry=random.choice(INDUSTRIES),
        category=random.choice(CATEGORIES),
        tags=tags[: random.randrange(3)],
        is_key=random.random() < 0.03,
        custom=(("staff", min(100_000, int(random.paretovariate(1)))),) if random.random() < 0.5 else (),
    )


def measure_pages(stack: Stack, asker: Client, sample: list[Company], wish: Wish) -> dict[str, Any]:
    """By kind of question, and all of them together."""
    stand = Stand(stack)
    stand.gateway_port = int(stack.url.rpartition(":")[2])
    everything, told = Figures(), {}
    for kind in KINDS:
        say(f"{asker.user['roles'][0]}: {kind}")
        random = Random(f"{wish.seed} {kind}")
        paths = [
            f"/v1/customers?{urlencode({'of': 'visible', 'limit': 50, **asked(kind, sample, random)})}" for _ in range(ASKED)
        ]
        figures = Figures()
        job = {"status": 200, "port": stand.gateway_port, "paths": [paths], "tokens": [str(asker.token)]}
        measure(stand, Line(kind, kind, lambda _, job=job: job), 1, wish.seconds, figures)  # type: ignore[misc]
        told[kind] = figures.as_json()
        everything.rates += figures.rates
        everything.milliseconds += figures.milliseconds
    return {"of all": everything.as_json(), "kinds": told}


def asked(kind: str, sample: list[Company], random: Random) -> dict[str, str]:
    company = random.choice([each for each in sample if len(each.name) > 6])
    at = random.randrange(2, len(company.name) - 3)
    questions = {
        "all": {},
        "name": {"q": company.name[at : at + 2]},
        "rare name": {"q": company.name[2 : 2 + random.randrange(4, 8)]},
        "initials": {"q": initials_of("".join(filter(str.isalnum, company.name)))[:4]},
        "number": {"q": (company.phone or "0514-8652386").rpartition("-")[2][-8:]},
        "tag": {"tag": f"标签{random.randrange(TAGS)}"},
        "rare tag": {"tag": f"少见{random.randrange(RARE_TAGS)}"},
        "category": {"category": random.choice(CATEGORIES)},
        "industry and place": {"industry": random.choice(INDUSTRIES), "division": random.choice(("320000", "440300", "321000"))},
        "key": {"is_key": "true", "category": "vip"},
        "held": {"sort": "-held", "industry": random.choice(INDUSTRIES)},
        "by name": {"sort": "name", "industry": random.choice(INDUSTRIES)},
        "range": {"custom": f"staff>={random.randrange(2, 20)}"},
        "rare range": {"custom": f"staff>={random.randrange(1_000, 50_000)}"},
        "many": {
            "q": company.name[at : at + 2],
            "category": "dealt",
            "is_key": "true",
            "tag": f"标签{random.randrange(TAGS)}",
        },
    }
    return questions[kind]


def table(found: dict[str, Any]) -> str:
    heads = ["pages of 50, one client", *(f"{who}: p50 / p99" for who in found["pages"])]
    rows = [["all kinds together", *(cell(pages["of all"], is_judged=True) for pages in found["pages"].values())]]
    rows += [[kind, *(cell(pages["kinds"][kind]) for pages in found["pages"].values())] for kind in KINDS]
    return "\n\n".join(("", f"{found['size']:,} customers of one agency", markdown(heads, rows), where(found)))


def cell(figures: dict[str, Any], *, is_judged: bool = False) -> str:
    p99 = judged(figures["p99_ms"], "ms", BUDGET) if is_judged else f"{figures['p99_ms']:g} ms"
    return f"{figures['p50_ms']:g} / {p99}"


def say(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)
