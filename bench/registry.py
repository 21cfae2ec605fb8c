"""Fills a customers database with companies as entries would, but without asking who they are: to measure against many."""

import io
import json
import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple
from uuid import UUID, uuid5

import psycopg

from services.customers.check.filing import Named, row_of
from services.customers.collision.names import VERSION
from services.customers.collision.subject import subject_of
from services.customers.registry.places import code_of
from services.customers.search import domain as search
from services.customers.search.indexing import BETWEEN, places_of

AGENCY, POOL, OFFICER = UUID(int=0xA), UUID(int=0xB), UUID(int=0xC)
BATCH, WORKERS = 2_000, 2
COPIES = {
    "customer": (
        "id, version, name, phone, fax, province, city, is_key, agency_id, entered_at, source, pool_id, holding, held_since,"
        " entered_by, normaliser, searchable, owner_id, division, industry, category, tags, custom"
    ),
    "ownership": "customer_id, number, agency_id, pool_id, cause, actor, held_from, owner_id",
    "customer_name": "customer_id, name, agency_id, kind, normalised, parts, near",
    "collision_key": "kind, key, detail, customer_id, agency_id",
    "customer_search": "customer_id, agency_id, words, people, codes, digits, tokens",
}
ENTERED_AT = "2026-01-01T00:00:00Z"
NULL = r"\N"
TOLD_EVERY = 100_000  # rows
FOREIGN = """
    SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint
    WHERE contype = 'f' AND (conrelid = ANY(%(of)s::text[]::regclass[]) OR confrelid = ANY(%(of)s::text[]::regclass[]))
"""
OWN = """
    SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint
    WHERE contype IN ('p', 'u') AND conrelid = ANY(%(of)s::text[]::regclass[]) ORDER BY conname
"""
INDEXES = """
    SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
    WHERE indrelid = ANY(%(of)s::text[]::regclass[])
      AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid) ORDER BY 1
"""
TIDY = tuple(COPIES)


class Row(NamedTuple):
    """A company; `key` names it to the caller, and `id_of` in the database. Without an owner it lies in the pool."""

    key: str
    name: str
    province: str | None
    city: str | None
    phone: str | None = None
    fax: str | None = None
    owner_id: UUID | None = None
    industry: str | None = None
    category: str = "potential"
    tags: tuple[str, ...] = ()
    custom: tuple[tuple[str, int], ...] = ()
    source: str = "own"
    is_key: bool = False


class Place(NamedTuple):
    """An agency, and a pool of it."""

    agency_id: UUID
    pool_id: UUID


def id_of(key: str) -> UUID:
    return uuid5(AGENCY, key)


def fill(admin_url: str, rows: Iterable[Row], say: Callable[[str], None] = lambda line: None, to: "Place | None" = None) -> int:
    """Loads all rows into one agency, as an administrator whom no wall stops; how many there were.

    The indexes are made at the end, as one would for a first load of this size. `say` is told how far it is.
    """
    to = to or Place(AGENCY, POOL)
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute("INSERT INTO agency VALUES (%s, '测试代理', false, 1) ON CONFLICT DO NOTHING", [to.agency_id])
        pool = "INSERT INTO pool (id, agency_id, kind, name) VALUES (%s, %s, 'agency', '代理商管理员库') ON CONFLICT DO NOTHING"
        admin.execute(pool, [to.pool_id, to.agency_id])
        count, began = 0, time.monotonic()
        with unindexed(admin, say):
            with multiprocessing.get_context("spawn").Pool(WORKERS, begin, [admin_url, to]) as workers:
                for loaded in workers.imap_unordered(load, batches(rows)):
                    count += loaded
                    if count % TOLD_EVERY < loaded:
                        say(f"{count:,} rows copied, {count / (time.monotonic() - began):,.0f}/s")
        for table in TIDY:
            admin.execute(f"VACUUM (ANALYZE) {table}")
            say(f"{table} vacuumed")
    return count


@contextmanager
def unindexed(admin: psycopg.Connection, say: Callable[[str], None]) -> Iterator[None]:
    """The tables have no indexes and refer to nothing meanwhile. Afterwards they have what they had; what refers is believed."""
    foreign, own, indexes = (admin.execute(asked, {"of": list(TIDY)}).fetchall() for asked in (FOREIGN, OWN, INDEXES))
    for table, name, _ in [*foreign, *own]:
        admin.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}".encode())
    for name, _ in indexes:
        admin.execute(f"DROP INDEX {name}".encode())
    yield
    admin.execute("SET maintenance_work_mem = '1GB'")
    began = time.monotonic()
    for name, definition in indexes:
        admin.execute(definition.encode())
        say(f"{name} made, {time.monotonic() - began:.0f} s")
    for table, name, definition in own:
        admin.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}".encode())
        say(f"{name} made, {time.monotonic() - began:.0f} s")
    for table, name, definition in foreign:
        admin.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition} NOT VALID".encode())


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    each = iter(rows)
    while batch := list(islice(each, BATCH)):
        yield batch


_connection: psycopg.Connection
_place: Place


def begin(admin_url: str, to: Place) -> None:
    global _connection, _place
    _place = to
    _connection = psycopg.connect(admin_url, autocommit=True)


def load(rows: Sequence[Row]) -> int:
    lines: dict[str, list[tuple[object, ...]]] = {table: [] for table in COPIES}
    for row in rows:
        write(row, _place, lines)
    with _connection.transaction(), _connection.cursor() as cursor:
        for table, columns in COPIES.items():
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                copy.write(as_text(lines[table]))
    return len(rows)


def write(row: Row, to: Place, lines: dict[str, list[tuple[object, ...]]]) -> None:
    """The rows of one company, table by table."""
    own, agency = id_of(row.key), to.agency_id
    pool, division = None if row.owner_id else to.pool_id, code_of(row.province, row.city, None)
    known = (own, 1, row.name, row.phone, row.fax, row.province, row.city, row.is_key, agency, ENTERED_AT, row.source)
    held = (pool, 1, ENTERED_AT, OFFICER, VERSION, search.VERSION, row.owner_id)
    lines["customer"].append(
        (*known, *held, division, row.industry, row.category, as_array(row.tags), json.dumps(dict(row.custom)))
    )
    lines["ownership"].append((own, 1, agency, pool, "enter", OFFICER, ENTERED_AT, row.owner_id))
    filed = row_of(Named(row.name, "licence", row.province, row.city))
    near, parts = as_array(filed["near"]), json.dumps(filed["parts"], ensure_ascii=False)
    lines["customer_name"].append((own, row.name, agency, "licence", filed["normalised"], parts, near))
    subject = subject_of([row.name], phone=row.phone, fax=row.fax, province=row.province, city=row.city)
    lines["collision_key"] += [(key.kind, key.key, key.detail, own, agency) for key in subject.keys]
    words = search.words_of(search.Known([row.name], numbers=[*filter(None, (row.phone, row.fax))]))
    facets = {name: getattr(row, name) for name in ("source", "industry", "category")}
    facets |= {"tag": row.tags, "key": row.is_key or None, "at": places_of(division)}
    facets |= {f"custom.{key}": value for key, value in row.custom}
    lines["customer_search"].append((own, agency, *map(BETWEEN.join, words), as_array(search.tokens_of(words, facets))))


def as_array(values: Iterable[object]) -> str:
    return "{" + ",".join(f'"{value}"' for value in values) + "}"


def as_text(lines: Iterable[tuple[object, ...]]) -> str:
    """COPY's own format. PostgreSQL stores no NUL, which registers have now and then."""
    text = io.StringIO()
    for line in lines:
        text.write("\t".join(NULL if value is None else escaped(str(value)) for value in line))
        text.write("\n")
    return text.getvalue()


def escaped(text: str) -> str:
    return text.replace("\0", "").replace("\\", "\\\\").replace("\t", r"\t").replace("\n", r"\n").replace("\r", r"\r")
