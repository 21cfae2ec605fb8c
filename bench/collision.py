"""Asks a labelled set of queries of a corpus through the service's own check, and writes what it decided.

`--corpus`: CSV with the columns id, name, phone, fax, province, city. `--queries`: a JSON object a line, {id, query: {name,
province, city, phone, fax}}. `--out`: a JSON object a line, {id, decision: block, review or pass, candidates: ids of the corpus,
best first}.
"""

import csv
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import make_url

from bench.lines import quantile
from bench.registry import Row, fill, id_of
from embedded.stack import Stack
from ops.addresses import derive
from services.contracts.collision import CheckCollision, CollisionCheck
from services.customers.check import checking
from services.customers.collision.verdict import Viewpoint, ref_of
from services.plumbing.wall import stand_in

DECISIONS = {"refused": "block", "yours": "block", "claimable": "block", "needs_confirmation": "review", "free": "pass"}
SOMEBODY = Viewpoint(UUID(int=1), UUID(int=2), may_claim=False)
"""Of another agency than the one that has all the customers: what is the same company is refused."""
SEARCHED = ("name", "phone", "fax", "province", "city")


@dataclass(frozen=True)
class Wish:
    corpus: Path
    queries: Path
    out: Path
    limit: float = 3600.0


def run(wish: Wish) -> None:
    with tempfile.TemporaryDirectory(prefix="qudao-bench-") as folder:
        with Stack(Path(folder) / "home", fast=True, parts=(), replicas={"gateway": 0}) as stack:
            began = time.monotonic()
            count = fill(derive(stack.admin_url, stack.database("customers").name), corpus(wish.corpus))
            print(f"{count:,} customers loaded in {time.monotonic() - began:.1f} s", file=sys.stderr)
            print(json.dumps(ask_all(stack.database_url("customers"), wish), ensure_ascii=False))


def corpus(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        for line in csv.DictReader(file):
            province, city, phone, fax = (line.get(column) or None for column in ("province", "city", "phone", "fax"))
            yield Row(line["id"], line["name"], province, city, phone, fax)


def ask_all(database_url: str, wish: Wish) -> dict[str, Any]:
    """Writes the predictions; how many of each, and how long a check took in milliseconds."""
    keys = {ref_of(id_of(row.key)): number(row.key) for row in corpus(wish.corpus)}
    engine = create_engine(make_url(database_url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    seconds: list[float] = []
    decisions: Counter[str] = Counter()
    with engine.connect() as connection, wish.queries.open(encoding="utf-8") as queries, wish.out.open("w") as out:
        stand_in(connection, str(SOMEBODY.agency_id))
        for line in queries:
            asked = json.loads(line)
            began = time.perf_counter()
            told = check(connection, asked["query"])
            seconds.append(time.perf_counter() - began)
            decision = DECISIONS[told.verdict.verdict]
            decisions[decision] += 1
            prediction = {"id": asked["id"], "decision": decision, "candidates": [keys[hit.ref] for hit in told.hits]}
            out.write(json.dumps(prediction) + "\n")
    engine.dispose()
    times = {f"p{share}": round(1000 * quantile(seconds, share / 100), 2) for share in (50, 99)}
    return {"queries": len(seconds), **decisions, "check_ms": times}


def check(connection: Connection, query: dict[str, Any]) -> CollisionCheck:
    given = {field: query[field] for field in SEARCHED if query.get(field)}
    return checking.check(connection, CheckCollision.model_validate(given), SOMEBODY)


def number(key: str) -> int | str:
    """Ids as the corpus means them."""
    return int(key) if key.isdecimal() and str(int(key)) == key else key
