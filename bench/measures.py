"""What `bench scale` measures: in the service's own code, over HTTP, and what one would take without a collision engine."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import psycopg
from rapidfuzz import fuzz
from sqlalchemy import Connection

from bench import processor
from bench.companies import Company
from bench.comparators import Query, index_trigrams, load_raw, measure_rapidfuzz, measure_trigrams
from bench.inside import enter_batch
from bench.lines import Figures, Line, measure, quantile
from bench.questions import Question, body_of, typed
from bench.stand import Stand
from ops.addresses import derive
from services.contracts.collision import CheckCollision
from services.contracts.customers import CustomerFields
from services.customers.check import checking
from services.customers.collision.verdict import Viewpoint
from services.customers.registry.bulk import MOST_ROWS
from services.plumbing.memory import stay
from services.plumbing.passport import Caller
from services.plumbing.wall import stand_in

SOMEBODY = Viewpoint(UUID(int=1), UUID(int=2), may_claim=False)
VERDICTS = {"refused": "refused", "yours": "refused", "claimable": "refused", "needs_confirmation": "review", "free": "free"}
RAW = "bench_raw"
BOTH: dict[str, Any] = {"status": 200, "method": "POST"}


def times_of(seconds: Sequence[float]) -> dict[str, Any]:
    milliseconds = [1000 * second for second in seconds]
    told = {f"p{each}_ms": round(quantile(milliseconds, each / 100), 2) for each in (50, 99)}
    return told | {"max_ms": round(max(milliseconds), 1), "per_second": round(len(seconds) / sum(seconds), 1)}


def share(found: Sequence[bool]) -> float | None:
    return round(sum(found) / len(found), 4) if found else None


# --- in the service's own code


class Checks:
    """The check by itself, on one connection of a single process."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        stand_in(connection, str(SOMEBODY.agency_id))

    def ask(self, criteria: dict[str, str]) -> Any:
        return checking.check(self.connection, CheckCollision.model_validate(criteria), SOMEBODY)

    def measure(self, warm_up: Sequence[Question], asked: Sequence[Question]) -> dict[str, Any]:
        """Times of all and of each kind; `recall` is the share of companies on file that were among the first twenty.

        `own_processor_ms`: what each took of this process alone, so without the database's share.
        """
        for question in warm_up:
            self.ask(question.criteria())
        seconds: dict[str, list[float]] = {}
        found: dict[str, list[bool]] = {}
        spent = time.process_time()
        for question in asked:
            began = time.perf_counter()
            told = self.ask(question.criteria())
            seconds.setdefault(question.kind, []).append(time.perf_counter() - began)
            if question.expected:
                names = [hit.name for hit in told.hits[:20]]
                found.setdefault(question.kind, []).append(question.expected in names)
        spent = time.process_time() - spent
        kinds = {kind: times_of(each) | {"recall": share(found.get(kind, []))} for kind, each in seconds.items()}
        of_all = times_of([each for of_kind in seconds.values() for each in of_kind])
        own = {"checks": len(asked), "own_processor_ms": round(1000 * spent / len(asked), 2)}
        return of_all | own | {"recall": share([one for each in found.values() for one in each]), "kinds": kinds}

    def verdicts(self, new: Sequence[Company], fields: Iterable[str]) -> dict[str, Any]:
        """What entering companies that nobody has would come to, as shares."""
        fields, count = tuple(fields), Counter[str]()
        for company in new:
            given = {field: text for field, text in company._asdict().items() if text and field in fields}
            count[VERDICTS[self.ask(given).verdict.verdict]] += 1
        return {verdict: round(count[verdict] / len(new), 4) for verdict in ("free", "review", "refused")} | {"names": len(new)}


def measure_bulk(runtime: Any, caller: Caller, pool_id: UUID, new: Sequence[Company], stand: Stand) -> dict[str, Any]:
    """Batch by batch, each committed; the first one warms up. `processor_ms` is of a row: the loader's, and what each kind of
    process did beside it."""
    rows = [CustomerFields.model_validate({field: text for field, text in each._asdict().items() if text}) for each in new]
    stay()  # as in a service, which has nothing of what is kept here to ask for
    batches = [rows[at : at + MOST_ROWS] for at in range(0, len(rows), MOST_ROWS)]
    seconds: list[float] = []
    outcomes: Counter[str] = Counter()
    for at, batch in enumerate(batches):
        if at <= 1:
            before, of_loader = processor.times_of(stand.processes), time.process_time()
        began = time.perf_counter()
        entered = enter_batch(runtime, caller, batch, pool_id)
        seconds.append(time.perf_counter() - began)
        outcomes.update("created, for review" if one.is_for_review else one.outcome for one in entered)
    measured, took = (batches[1:], seconds[1:]) if len(batches) > 1 else (batches, seconds)
    count = sum(map(len, measured))
    spent = {"loader": round((time.process_time() - of_loader) * 1000 / count, 3)}
    spent |= processor.per_request(before, processor.times_of(stand.processes), count)
    return {
        "rows": count,
        "rows_per_second": round(count / sum(took), 1),
        "longest_batch_s": round(max(took), 2),
        "outcomes": dict(outcomes),
        "processor_ms": spent,
    }


# --- over HTTP


class Requests:
    """`tokens`: a session of its own for each client."""

    def __init__(self, stand: Stand, tokens: Sequence[str], seconds: float) -> None:
        self.stand, self.tokens, self.seconds = stand, list(tokens), seconds

    def measure(self, what: str, path: str, bodies: Callable[[int], list[list[str]]], **more: Any) -> dict[str, Any]:
        """With one client and with as many as there are tokens; `bodies` of so many clients."""
        told = {}
        for clients in (1, len(self.tokens)):
            figures = Figures()
            job = {"port": self.stand.gateway_port, "paths": [[path]], "tokens": self.tokens, "bodies": bodies(clients)}
            line = Line(what, what, lambda _, job=job: BOTH | job | more)  # type: ignore[misc]
            measure(self.stand, line, clients, self.seconds, figures)
            told[str(clients)] = figures.as_json()
        return told

    def checks(self, asked: Sequence[Question]) -> dict[str, Any]:
        bodies = [json.dumps(question.criteria(), ensure_ascii=False) for question in asked]
        return self.measure("collision check", "/v1/collision-checks", lambda clients: dealt(bodies, clients))

    def typing(self, names: Sequence[str], salt: Random) -> dict[str, Any]:
        """Every client types other names, key stroke by key stroke, each as soon as the one before is answered."""

        def bodies(clients: int) -> list[list[str]]:
            shares = dealt(salt.sample(list(names), len(names)), clients)
            return [[json.dumps({"name": text}, ensure_ascii=False) for text in typed(share)] for share in shares]

        return self.measure("check as somebody types", "/v1/collision-checks/as-you-type", bodies)

    def entries(self, new: Sequence[Company]) -> dict[str, Any]:
        """Each of them once: the first third by one client, the rest by several."""
        cut = len(new) // 3
        rows = [body_of(each) for each in new]
        shares = {1: [rows[:cut]]}
        answers = {"status": 201, "also": [200, 409]}
        return self.measure("entry", "/v1/customers", lambda count: shares.get(count) or dealt(rows[cut:], count), **answers)


def dealt(items: Sequence[str], clients: int) -> list[list[str]]:
    return [list(items[client::clients]) for client in range(clients)]


# --- what it takes


def sizes(database_url: str) -> dict[str, Any]:
    """Bytes on disk of each table, with what it keeps beside, and of each index."""
    with psycopg.connect(database_url) as connection:
        tables = connection.execute(
            """
            SELECT relname, pg_table_size(oid),
                   (SELECT coalesce(jsonb_object_agg(indexrelid::regclass, pg_relation_size(indexrelid)), '{}')
                    FROM pg_index WHERE indrelid = pg_class.oid)
            FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_total_relation_size(oid) > 65536
            ORDER BY pg_total_relation_size(oid) DESC
            """
        ).fetchall()
    each = {
        name: {"bytes": own, "indexes": dict(sorted(indexes.items(), key=lambda item: -item[1]))} for name, own, indexes in tables
    }
    total = sum(table["bytes"] + sum(table["indexes"].values()) for table in each.values())
    return {"total_bytes": total, "tables": each}


def memory(pid: int | None) -> dict[str, float]:
    """Megabytes of a process: RSS, and PSS, where pages that are shared count by their share. Empty where there is no /proc."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return {}
    kilobytes = {line.split(":")[0].lower(): int(line.split()[1]) for line in lines[1:]}
    return {f"{kind}_mb": round(kilobytes[kind] / 1024, 1) for kind in ("rss", "pss")}


# --- without an engine


def measure_comparators(admin_url: str, names: Iterable[str], asked: Sequence[Question], *, few: int) -> dict[str, Any]:
    """In a database of their own, with the names alone; `few` queries of rapidfuzz, which looks at every name each time."""
    queries = [Query(question.name, question.expected) for question in asked]
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {RAW}")
        try:
            with psycopg.connect(derive(admin_url, RAW)) as raw:
                every = list(names)
                load_raw(raw, every)
                index = index_trigrams(raw)
                raw.commit()
                trigrams = asdict(measure_trigrams(raw, queries))
        finally:
            admin.execute(f"DROP DATABASE {RAW} WITH (FORCE)")
    scorers = {"fuzz.ratio": fuzz.ratio, "fuzz.WRatio": fuzz.WRatio}
    alone = {name: asdict(measure_rapidfuzz(every, list(islice(queries, few)), scorer)) for name, scorer in scorers.items()}
    return {"pg_trgm": trigrams | {"index_seconds": round(index.seconds, 1), "index_bytes": index.bytes}, "rapidfuzz": alone}
