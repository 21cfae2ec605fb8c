"""The chain over the audit rows, per agency: a row that is changed, removed or put elsewhere breaks it visibly.

Rows are written with the change itself; the leader chains them within a second, so that writers do not wait for each other.
Whether a chain holds is looked at in `verification.py`.
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row, dict_row

from services.contracts.audit import OF_THE_HASH, record_of
from services.plumbing import failpoints

log = logging.getLogger(__name__)

START = bytes(32)
COLUMNS = ", ".join(f"audit.{column}" for column in OF_THE_HASH)

NEXT = f"""
    SELECT {COLUMNS}
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
    canonical = json.dumps(record_of(row), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(previous + canonical.encode()).digest()


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


# --- heads

# From agency to agency along the primary key: a look at every link would take minutes.
AGENCIES = """
    WITH RECURSIVE agencies AS (
        (SELECT agency_id FROM audit_chain ORDER BY agency_id LIMIT 1)
        UNION ALL
        SELECT (SELECT agency_id FROM audit_chain WHERE agency_id > agencies.agency_id ORDER BY agency_id LIMIT 1)
        FROM agencies WHERE agencies.agency_id IS NOT NULL
    )
"""
ALL_HEADS = f"""
    {AGENCIES}
    SELECT agencies.agency_id, head.number, head.hash, audit.at
    FROM agencies, LATERAL (
        SELECT number, hash, audit_id FROM audit_chain WHERE agency_id = agencies.agency_id ORDER BY number DESC LIMIT 1) AS head
    LEFT JOIN audit ON audit.id = head.audit_id ORDER BY agencies.agency_id
"""  # noqa: S608 constants


@dataclass(frozen=True)
class Head:
    """The last link of a chain, and when its row was written: kept elsewhere, it shows whether the chain was written anew."""

    agency_id: UUID
    number: int
    hash: bytes
    at: datetime | None

    def as_json(self, service: str) -> dict[str, Any]:
        told = {"service": service, "agency_id": str(self.agency_id), "number": self.number, "hash": self.hash.hex()}
        return told | {"at": self.at.isoformat() if self.at else None}

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Head":
        at = datetime.fromisoformat(told["at"]) if told["at"] else None
        return cls(UUID(told["agency_id"]), int(told["number"]), bytes.fromhex(told["hash"]), at)


def heads(connection: psycopg.Connection[Any]) -> Iterator[Head]:
    with connection.cursor(row_factory=class_row(Head)) as cursor:
        yield from cursor.execute(ALL_HEADS)


def tell_heads(connection: psycopg.Connection[Any], service: str) -> None:
    """Into the log, which leaves the machine: who rewrites the database does not reach it there."""
    for head in heads(connection):
        log.info("audit head", extra={"head": head.as_json(service)})
