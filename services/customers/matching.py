"""SQL of the collision check: under what customers are filed, and which of any agency share a key or a fragment."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, text
from sqlalchemy.orm import Session

from services.customers.collision.keys import fragment_of, grams
from services.customers.collision.names import VERSION, normalise
from services.customers.collision.subject import Key, Subject
from services.customers.collision.verdict import Evidence, Known, Match, match
from services.customers.models import CollisionKey, Customer, CustomerName

MOST_MATCHES = 200
COUNTED, SHOWN = 1_000, 50
SHORTEST_FRAGMENT = 2

LOCK = text("SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS key")


def lock(session: Session, subject: Subject) -> None:
    """Waits for everybody who is entering the same company at this moment; sorted, so that no two wait for each other."""
    locks = sorted({lock_of(key) for key in subject.identities})
    session.execute(LOCK, {"keys": locks})


def lock_of(key: Key) -> int:
    digest = hashlib.blake2b(f"{key.kind} {key.key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


COLUMNS = (
    "(found).customer_id, (found).name, (found).names, (found).province, (found).city,"
    " (found).agency_id, (found).agency_name, (found).owner_id, (found).owner_name, (found).pool_kind"
)
FIND = text(f"SELECT {COLUMNS}, matched FROM find_matches(:kinds, :keys, :details, :most)")  # noqa: S608 constants
FIND_BY_FRAGMENT = text(
    f"SELECT {COLUMNS}, hits FROM find_by_fragment(:fragment, :grams, :shown, :counted)"  # noqa: S608 constants
)


def find(connection: Session | Connection, subject: Subject, *, but: UUID | None = None) -> list[Match]:
    """The customers that share a key with the subject, without the one that it is about, and how each stands to it."""
    asked = sorted(subject.wanted)
    if not asked:
        return []
    kinds, keys, details = (list(part) for part in zip(*asked, strict=True))
    rows = connection.execute(FIND, {"kinds": kinds, "keys": keys, "details": details, "most": MOST_MATCHES}).all()
    found = [match(subject, known(row, [Key(*key) for key in row.matched])) for row in rows if row.customer_id != but]
    return [each for each in found if each.evidence]


def find_by_fragment(connection: Connection, name: str) -> tuple[list[Match], int]:
    """The first customers whose name has the fragment, and how many there are, one more than COUNTED at most."""
    fragment = fragment_of(name)
    if len(fragment) < SHORTEST_FRAGMENT:
        return [], 0
    values = {"fragment": fragment, "grams": sorted(grams(fragment)), "shown": SHOWN, "counted": COUNTED}
    rows = connection.execute(FIND_BY_FRAGMENT, values).all()
    listed = Evidence("listed", "name", f"its name has {name.strip()} in it")
    return [Match(known(row), (listed,)) for row in rows], rows[0].hits if rows else 0


def known(row: Row[Any], matched: Sequence[Key] = ()) -> Known:
    return Known(
        id=row.customer_id,
        name=row.name,
        names=tuple(row.names),
        province=row.province,
        city=row.city,
        agency_id=row.agency_id,
        agency_name=row.agency_name,
        owner_id=row.owner_id,
        owner_name=row.owner_name,
        pool_kind=row.pool_kind,
        matched=frozenset(matched),
    )


# --- filing

FILE = text(
    """
    WITH named AS (
        INSERT INTO customer_name (customer_id, agency_id, name, kind, normalised, grams)
        SELECT :customer_id, :agency_id, name, kind, normalised, grams
        FROM jsonb_to_recordset(CAST(:names AS jsonb)) AS n(name text, kind text, normalised text, grams text[])
        ON CONFLICT DO NOTHING
    )
    INSERT INTO collision_key (customer_id, agency_id, kind, key, detail)
    SELECT :customer_id, :agency_id, kind, key, detail
    FROM jsonb_to_recordset(CAST(:keys AS jsonb)) AS k(kind text, key text, detail text)
    ON CONFLICT DO NOTHING
    """
)


def file(session: Session, customer: Customer, names: Sequence[tuple[str, str]], subject: Subject) -> None:
    """Files a customer, whose row must be there, under names (with their kind) and keys, besides those that it has."""
    rows = [
        {"name": name, "kind": kind, "normalised": plain, "grams": sorted(grams(plain))}
        for name, kind in names
        for plain in [normalise(name)]
    ]
    values = {
        "customer_id": customer.id,
        "agency_id": customer.agency_id,
        "names": json.dumps(rows),
        "keys": json.dumps([key._asdict() for key in sorted(subject.keys)]),
    }
    session.execute(FILE, values)


def file_anew(session: Session, customer: Customer, names: Sequence[tuple[str, str]], subject: Subject) -> None:
    session.execute(delete(CollisionKey).where(CollisionKey.customer_id == customer.id))
    session.execute(delete(CustomerName).where(CustomerName.customer_id == customer.id))
    file(session, customer, names, subject)
    customer.normaliser = VERSION

