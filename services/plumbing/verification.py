"""Whether the audit's chains hold: from their start, or from where they were cut off by policy, to their heads."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from services.contracts.base import SERVICES
from services.plumbing.audit import COLUMNS, START, Head, count_unchained, digest


@dataclass(frozen=True)
class Break:
    """Where a chain does not hold first, and why. Behind it nothing is known. `audit_id` is absent when no row is to blame."""

    agency_id: UUID
    reason: str
    number: int | None = None
    audit_id: UUID | None = None

    def __str__(self) -> str:
        row = f"audit row {self.audit_id}" if self.audit_id else "the chain"
        place = f" (number {self.number})" if self.number else ""
        return f"{row}{place} of agency {self.agency_id}: {self.reason}"


@dataclass(frozen=True)
class Verdict:
    """`breaks` has one of each chain that does not hold; `unchained` counts the rows that are still to be chained."""

    rows: int
    unchained: int
    breaks: list[Break] = field(default_factory=list)


CHECKPOINTS = """
    SELECT agency_id, number, hash, removed, last_at, before, made_at,
           lag(number, 1, 0::bigint) OVER (PARTITION BY agency_id ORDER BY number) AS earlier,
           lead(number) OVER (PARTITION BY agency_id ORDER BY number) IS NULL AS is_last
    FROM audit_checkpoint ORDER BY agency_id, number
"""
# Its own row is younger than all that it has removed, so it stands in the rest.
CUTS = """
    SELECT FROM audit WHERE agency_id = %s AND operation = ANY(%s) AND result = 'done'
    AND new ->> 'hash' = %s AND new ->> 'number' = %s LIMIT 1
"""
PRUNING = [f"{service}.prune_audit" for service in SERVICES]
LINKS = f"""
    SELECT link.agency_id AS of, link.number, link.audit_id, link.previous, link.hash AS linked, {COLUMNS}
    FROM audit_chain AS link LEFT JOIN audit ON audit.id = link.audit_id ORDER BY link.agency_id, link.number
"""  # noqa: S608 constants
UNACCOUNTED = """
    SELECT DISTINCT ON (audit.agency_id) audit.agency_id, audit.id FROM audit
    LEFT JOIN audit_chain ON audit_chain.audit_id = audit.id LEFT JOIN audit_unchained ON audit_unchained.audit_id = audit.id
    WHERE audit_chain.audit_id IS NULL AND audit_unchained.audit_id IS NULL ORDER BY audit.agency_id, audit.id
"""


def verify(connection: psycopg.Connection[Any], older: Iterable[Head] = ()) -> Verdict:
    """Walks every chain, finds audit rows that stand in none, and compares with `older` heads of this database.

    The connection may be the application's; it sees all agencies afterwards.
    """
    connection.execute("SELECT set_config('timezone', 'UTC', false), set_config('qudao.agency', '*', false)")
    unchained, rows = count_unchained(connection), 0
    found: dict[UUID, Break] = {}
    last = begin(connection, found)
    for link in links(connection):
        rows += 1
        agency, number = link["of"], link["number"]
        if agency in found:
            continue
        if reason := wrong_with(link, *last.get(agency, (0, START))):
            found[agency] = Break(agency, reason, number, link["audit_id"])
        last[agency] = number, bytes(link["linked"])
    for agency, stray in connection.execute(UNACCOUNTED):
        found.setdefault(agency, Break(agency, "it stands in no chain", None, stray))
    for head in older:
        if head.agency_id not in found and (broken := compare(connection, head, last.get(head.agency_id, (0, START))[0])):
            found[head.agency_id] = broken
    return Verdict(rows, unchained, list(found.values()))


def begin(connection: psycopg.Connection[Any], found: dict[UUID, Break]) -> dict[UUID, tuple[int, bytes]]:
    """Number and hash from which each chain that was cut goes on."""
    last: dict[UUID, tuple[int, bytes]] = {}
    with connection.cursor(row_factory=dict_row) as cursor:
        for cut in cursor.execute(CHECKPOINTS).fetchall():
            agency, number = cut["agency_id"], cut["number"]
            if not is_by_policy(connection, cut):
                found.setdefault(agency, Break(agency, "what was before it was not removed by policy", number))
            last[agency] = number, bytes(cut["hash"])
    return last


def is_by_policy(connection: psycopg.Connection[Any], cut: dict[str, Any]) -> bool:
    """That it was old enough, the table itself says (`audit_checkpoint_by_policy`)."""
    if cut["removed"] != cut["number"] - cut["earlier"]:
        return False
    named = [cut["agency_id"], PRUNING, bytes(cut["hash"]).hex(), str(cut["number"])]
    return not cut["is_last"] or connection.execute(CUTS, named).fetchone() is not None


def wrong_with(link: dict[str, Any], number: int, previous: bytes) -> str | None:
    if link["number"] != number + 1 or bytes(link["previous"]) != previous:
        return "a row before it is missing or out of place"
    if link["id"] is None:
        return "it was removed"
    return None if digest(previous, link) == bytes(link["linked"]) else "it was changed"


def links(connection: psycopg.Connection[Any]) -> Iterator[dict[str, Any]]:
    with connection.transaction(), connection.cursor("links", row_factory=dict_row) as cursor:
        cursor.execute(LINKS)
        yield from cursor


SAME_LINK = "SELECT audit_id, hash FROM audit_chain WHERE agency_id = %s AND number = %s"
CUT_AFTER = "SELECT before FROM audit_checkpoint WHERE agency_id = %s AND number >= %s ORDER BY number LIMIT 1"


def compare(connection: psycopg.Connection[Any], head: Head, end: int) -> Break | None:
    """With a head of before: a chain that was written anew, or has lost its tail, holds by itself."""
    if link := connection.execute(SAME_LINK, [head.agency_id, head.number]).fetchone():
        if bytes(link[1]) == head.hash:
            return None
        return Break(head.agency_id, "the chain up to here is not the one of the older head", head.number, link[0])
    if cut := connection.execute(CUT_AFTER, [head.agency_id, head.number]).fetchone():
        if head.at is not None and head.at < cut[0]:
            return None
        return Break(head.agency_id, "it was removed, and was too young for that by the older head", head.number)
    return Break(head.agency_id, f"the chain ends at {end}, and went up to here at the older head", head.number)
