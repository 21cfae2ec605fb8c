"""Fills a customers database with companies as entries would, but without asking who they are: to measure against many."""

import io
import json
import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple
from uuid import UUID, uuid5

import psycopg

from services.customers.collision.names import VERSION
from services.customers.collision.subject import subject_of
from services.customers.filing import Named, row_of

AGENCY, POOL, OFFICER = UUID(int=0xA), UUID(int=0xB), UUID(int=0xC)
BATCH, WORKERS = 2_000, 2
COPIES = {
    "customer": (
        "id, version, name, phone, fax, province, city, is_key, agency_id, entered_at, source, pool_id, holding, held_since,"
        " entered_by, normaliser"
    ),
    "ownership": "customer_id, number, agency_id, pool_id, cause, actor, held_from",
    "customer_name": "customer_id, name, agency_id, kind, normalised, grams, parts, near",
    "collision_key": "kind, key, detail, customer_id, agency_id",
}
ENTERED_AT = "2026-01-01T00:00:00Z"
NULL = r"\N"
UNINDEX = """
    DROP INDEX customer_name_grams, customer_name_near, collision_key_customer;
    ALTER TABLE collision_key DROP CONSTRAINT collision_key_pkey, DROP CONSTRAINT collision_key_customer_fkey;
    ALTER TABLE customer_name DROP CONSTRAINT customer_name_customer_fkey;
"""
INDEX = """
    SET maintenance_work_mem = '1GB';
    ALTER TABLE collision_key ADD PRIMARY KEY (kind, key, detail, customer_id);
    CREATE INDEX collision_key_customer ON collision_key (customer_id);
    CREATE INDEX customer_name_grams ON customer_name USING gin (grams) WITH (fastupdate = off);
    CREATE INDEX customer_name_near ON customer_name USING gin (near) WITH (fastupdate = off);
    ALTER TABLE collision_key ADD CONSTRAINT collision_key_customer_fkey FOREIGN KEY (customer_id, agency_id)
        REFERENCES customer (id, agency_id) ON UPDATE CASCADE NOT VALID;
    ALTER TABLE customer_name ADD CONSTRAINT customer_name_customer_fkey FOREIGN KEY (customer_id, agency_id)
        REFERENCES customer (id, agency_id) ON UPDATE CASCADE NOT VALID;
"""
TIDY = ("customer", "ownership", "customer_name", "collision_key")


class Row(NamedTuple):
    """A company; `key` names it to the caller, and `id_of` in the database."""

    key: str
    name: str
    province: str | None
    city: str | None
    phone: str | None = None
    fax: str | None = None


def id_of(key: str) -> UUID:
    return uuid5(AGENCY, key)


def fill(admin_url: str, rows: Iterable[Row]) -> int:
    """Loads all rows into the pool of one agency, as an administrator whom no wall stops; how many there were.

    The indexes are made at the end, as one would for a first load of this size.
    """
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute("INSERT INTO agency VALUES (%s, '测试代理', false, 1) ON CONFLICT DO NOTHING", [AGENCY])
        admin.execute("INSERT INTO pool VALUES (%s, %s, 'agency', '代理商管理员库') ON CONFLICT DO NOTHING", [POOL, AGENCY])
        admin.execute(UNINDEX)
        count = 0
        with multiprocessing.get_context("spawn").Pool(WORKERS, begin, [admin_url]) as workers:
            for loaded in workers.imap_unordered(load, batches(rows)):
                count += loaded
        admin.execute(INDEX)
        for table in TIDY:
            admin.execute(f"VACUUM (ANALYZE) {table}")
    return count


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    each = iter(rows)
    while batch := list(islice(each, BATCH)):
        yield batch


_connection: psycopg.Connection


def begin(admin_url: str) -> None:
    global _connection
    _connection = psycopg.connect(admin_url, autocommit=True)


def load(rows: Sequence[Row]) -> int:
    lines: dict[str, list[tuple[object, ...]]] = {table: [] for table in COPIES}
    for row in rows:
        write(row, lines)
    with _connection.transaction(), _connection.cursor() as cursor:
        for table, columns in COPIES.items():
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                copy.write(as_text(lines[table]))
    return len(rows)


def write(row: Row, lines: dict[str, list[tuple[object, ...]]]) -> None:
    """The rows of one company, table by table."""
    own = id_of(row.key)
    customer = (own, 1, row.name, row.phone, row.fax, row.province, row.city, "f", AGENCY, ENTERED_AT, "own", POOL, 1, ENTERED_AT)
    lines["customer"].append((*customer, OFFICER, VERSION))
    lines["ownership"].append((own, 1, AGENCY, POOL, "enter", OFFICER, ENTERED_AT))
    filed = row_of(Named(row.name, "licence", row.province, row.city))
    grams, near = (as_array(filed[column]) for column in ("grams", "near"))
    parts = json.dumps(filed["parts"], ensure_ascii=False)
    lines["customer_name"].append((own, row.name, AGENCY, "licence", filed["normalised"], grams, parts, near))
    subject = subject_of([row.name], phone=row.phone, fax=row.fax, province=row.province, city=row.city)
    lines["collision_key"] += [(key.kind, key.key, key.detail, own, AGENCY) for key in subject.keys]


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
