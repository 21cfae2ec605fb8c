"""The chain over the audit rows, per agency: a row that is changed, removed or put elsewhere breaks it visibly.

Rows are written with the change itself; the leader chains them within a second, so that writers do not wait for each other.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from services.plumbing import failpoints

START = bytes(32)
COLUMNS = "id, agency_id, at, actor, operation, command_id, request_id, result, subject_id, old, new"

NEXT = f"""
    SELECT {", ".join(f"audit.{column}" for column in COLUMNS.split(", "))}
    FROM audit_unchained JOIN audit ON audit.id = audit_unchained.audit_id ORDER BY audit.agency_id, audit.id LIMIT %s
"""  # noqa: S608 constants
HEADS = """
    SELECT agency_id, head.number, head.hash FROM unnest(%s::uuid[]) AS asked(agency_id), LATERAL (
        SELECT number, hash FROM audit_chain WHERE agency_id = asked.agency_id ORDER BY number DESC LIMIT 1) AS head
"""
LINK = """
    INSERT INTO audit_chain (agency_id, number, audit_id, previous, hash)
    SELECT * FROM unnest(%s::uuid[], %s::bigint[], %s::uuid[], %s::bytea[], %s::bytea[])
"""


def digest(previous: bytes, row: dict[str, Any]) -> bytes:
    """SHA-256 of the previous hash and the row as canonical JSON: sorted keys, no blanks, times in UTC."""
    canonical = json.dumps(row, default=plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(previous + canonical.encode()).digest()


def plain(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def chain(connection: psycopg.Connection[Any], batch: int = 500) -> int:
    """Chains rows that are not; how many. The connection is the leader's, in UTC and in autocommit."""
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(NEXT, [batch]).fetchall()
        asked = cursor.execute(HEADS, [list({row["agency_id"] for row in rows})]).fetchall()
        heads = {head["agency_id"]: (head["number"], bytes(head["hash"])) for head in asked}
        links = []
        for row in rows:
            number, previous = heads.get(row["agency_id"], (0, START))
            heads[row["agency_id"]] = (number + 1, digest(previous, row))
            links.append((row["agency_id"], number + 1, row["id"], previous, heads[row["agency_id"]][1]))
        if links:
            cursor.execute(LINK, [list(column) for column in zip(*links, strict=True)])
        failpoints.reach("chain_before_commit")
        cursor.execute("DELETE FROM audit_unchained WHERE audit_id = ANY(%s)", [[row["id"] for row in rows]])
    return len(rows)


def count_unchained(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT count(*) FROM audit_unchained").fetchone()
    return int(row[0]) if row else 0


@dataclass(frozen=True)
class Verdict:
    """`broken` names the first audit row whose chain does not hold, with the reason; `unchained` counts the tail to come."""

    rows: int
    unchained: int
    broken: UUID | None = None
    reason: str = ""


LINKS = f"""
    SELECT link.agency_id AS of, link.number, link.audit_id, link.previous, link.hash,
           {", ".join(f"audit.{column}" for column in COLUMNS.split(", "))}
    FROM audit_chain AS link LEFT JOIN audit ON audit.id = link.audit_id ORDER BY link.agency_id, link.number
"""  # noqa: S608 constants
UNACCOUNTED = """
    SELECT audit.id FROM audit LEFT JOIN audit_chain ON audit_chain.audit_id = audit.id
    LEFT JOIN audit_unchained ON audit_unchained.audit_id = audit.id
    WHERE audit_chain.audit_id IS NULL AND audit_unchained.audit_id IS NULL ORDER BY audit.id LIMIT 1
"""


def verify(connection: psycopg.Connection[Any]) -> Verdict:
    """Walks every chain from its start and finds audit rows that stand in none."""
    connection.execute("SET timezone = 'UTC'")
    unchained, rows = count_unchained(connection), 0
    expected: dict[UUID, tuple[int, bytes]] = {}
    for link in links(connection):
        rows += 1
        number, previous = expected.get(link["of"], (0, START))
        if link["number"] != number + 1 or bytes(link["previous"]) != previous:
            return Verdict(rows, unchained, link["audit_id"], "a row before it is missing or out of place")
        if link["id"] is None:
            return Verdict(rows, unchained, link["audit_id"], "it was removed")
        row = {column: link[column] for column in COLUMNS.split(", ")}
        if digest(previous, row) != bytes(link["hash"]):
            return Verdict(rows, unchained, link["audit_id"], "it was changed")
        expected[link["of"]] = (link["number"], bytes(link["hash"]))
    stray = connection.execute(UNACCOUNTED).fetchone()
    if stray:
        return Verdict(rows, unchained, stray[0], "it stands in no chain")
    return Verdict(rows, unchained)


def links(connection: psycopg.Connection[Any]) -> Iterator[dict[str, Any]]:
    with connection.transaction(), connection.cursor("links", row_factory=dict_row) as cursor:
        cursor.execute(LINKS)
        yield from cursor
