"""What one would take without a collision engine: pg_trgm on the raw names, rapidfuzz over all of them in memory.

Neither knows anything of the service: names in, the twenty most similar out.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import LiteralString

import psycopg
from rapidfuzz import fuzz, process

from bench.lines import quantile
from bench.stand import NotMeasured

LIMIT = 20
WARM_UP = 10  # queries before the measured ones, so that the index is in memory

Scorer = Callable[..., float]

_TABLE: LiteralString = "CREATE TABLE raw (name text NOT NULL)"
_INDEX: LiteralString = "CREATE INDEX raw_name_trgm ON raw USING gin (name gin_trgm_ops)"
_SIMILAR: LiteralString = """
    SELECT name FROM raw WHERE name %% %(text)s ORDER BY similarity(name, %(text)s) DESC, name LIMIT %(limit)s
"""


@dataclass(frozen=True)
class Query:
    """What somebody types, and which of the names it should find, where there is such a one."""

    text: str
    expected: str | None = None


@dataclass(frozen=True)
class Index:
    """What the index cost."""

    seconds: float
    bytes: int


@dataclass(frozen=True)
class Similar:
    """What the queries took; `recall` is the share of expected names that were among the twenty, None where none was expected."""

    p50_ms: float
    p99_ms: float
    queries: int
    recall: float | None


def load_raw(connection: psycopg.Connection, names: Iterable[str]) -> int:
    """Makes the table `raw` of these names and says how many there were."""
    count = 0
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(_TABLE)
        with cursor.copy("COPY raw (name) FROM STDIN") as copy:
            for name in names:
                copy.write_row((name,))
                count += 1
    return count


def index_trigrams(connection: psycopg.Connection) -> Index:
    """Makes a GIN index of trigrams over `raw`. Raises NotMeasured where pg_trgm takes no Chinese character for a letter."""
    with connection.transaction():
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        if not _one(connection, "SELECT cardinality(show_trgm('恒通'))"):
            raise NotMeasured("pg_trgm sees nothing in Chinese names: the LC_CTYPE of this database is C.")
        began = time.perf_counter()
        connection.execute(_INDEX)
        seconds = time.perf_counter() - began
        connection.execute("ANALYZE raw")
    return Index(seconds, _one(connection, "SELECT pg_relation_size('raw_name_trgm')"))


def measure_trigrams(connection: psycopg.Connection, queries: Sequence[Query]) -> Similar:
    """`name % text`, at the similarity that pg_trgm asks for by default (0.3), the most similar first."""

    def find(text: str) -> list[str]:
        rows = connection.execute(_SIMILAR, {"text": text, "limit": LIMIT}, prepare=True)
        return [name for (name,) in rows]

    with connection.transaction():
        return _measure(find, queries)


def measure_rapidfuzz(names: Sequence[str], queries: Sequence[Query], scorer: Scorer = fuzz.ratio) -> Similar:
    """Each query against every name. `fuzz.ratio` is rapidfuzz's fastest score, `fuzz.WRatio` the one it takes by default."""

    def find(text: str) -> list[str]:
        return [name for name, _, _ in process.extract(text, names, scorer=scorer, processor=None, limit=LIMIT)]

    return _measure(find, queries, warm_up=1)


def _measure(find: Callable[[str], list[str]], queries: Sequence[Query], warm_up: int = WARM_UP) -> Similar:
    """Raises NotMeasured when there is nothing to ask."""
    if not queries:
        raise NotMeasured("There is no query to measure with.")
    for query in queries[:warm_up]:
        find(query.text)
    milliseconds: list[float] = []
    hits: list[bool] = []
    for query in queries:
        began = time.perf_counter()
        found = find(query.text)
        milliseconds.append((time.perf_counter() - began) * 1000)
        if query.expected is not None:
            hits.append(query.expected in found)
    recall = sum(hits) / len(hits) if hits else None
    return Similar(quantile(milliseconds, 0.50), quantile(milliseconds, 0.99), len(queries), recall)


def _one(connection: psycopg.Connection, statement: LiteralString) -> int:
    row = connection.execute(statement).fetchone()
    return int(row[0] or 0) if row else 0
