"""Under what customers are filed, so that the collision check meets them; by which version of the rules."""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import Connection, delete, text
from sqlalchemy.orm import Session

from services.contracts.customers import CustomerFields
from services.customers.collision import near_keys
from services.customers.collision.names import VERSION, normalise
from services.customers.collision.parts import pack
from services.customers.collision.subject import Subject, names_of
from services.customers.models import BoundEntry, CollisionKey, Customer, CustomerName
from services.plumbing.call import Call

READ_ANEW = 1
"""Of a customer whose names are not all written in the way of one version: each release reads them anew, until all are filed."""


class Named(NamedTuple):
    """A name under which a customer is filed, with the place that was typed with it."""

    name: str
    kind: str
    province: str | None
    city: str | None


def names_in(fields: CustomerFields | BoundEntry) -> list[str]:
    return [fields.name, *fields.aliases]


def kinds_of(name: str, aliases: Sequence[str]) -> list[tuple[str, str]]:
    return [(name, "licence"), *((alias, "alias") for alias in dict.fromkeys(aliases) if alias != name)]


def placed_names(names: Sequence[tuple[str, str]], placed: Any) -> list[Named]:
    """Names with their kind, in the place of what they were typed with."""
    return [Named(name, kind, placed.province, placed.city) for name, kind in names]


FILE = text(
    """
    WITH named AS (
        INSERT INTO customer_name (customer_id, agency_id, name, kind, normalised, parts, near)
        SELECT :customer_id, :agency_id, name, kind, normalised, parts, near
        FROM jsonb_to_recordset(CAST(:names AS jsonb))
            AS n(name text, kind text, normalised text, parts jsonb, near bigint[])
        ON CONFLICT DO NOTHING
    )
    INSERT INTO collision_key (customer_id, agency_id, kind, key, detail)
    SELECT :customer_id, :agency_id, kind, key, detail
    FROM jsonb_to_recordset(CAST(:keys AS jsonb)) AS k(kind text, key text, detail text)
    ON CONFLICT DO NOTHING
    """
)


def file(session: Session, customer: Customer, names: Sequence[Named], subject: Subject) -> None:
    """Files a customer, whose row must be there, under names and keys, besides those that it has."""
    values = {
        "customer_id": customer.id,
        "agency_id": customer.agency_id,
        "names": as_json([row_of(named) for named in names]),
        "keys": as_json([key._asdict() for key in sorted(subject.keys)]),
    }
    session.execute(FILE, values)
    if 0 < customer.normaliser < VERSION:
        customer.normaliser = READ_ANEW


def as_json(rows: Sequence[dict[str, Any]]) -> str:
    """Chinese as it is: escaped it is twice as long."""
    return to_json(rows).decode()


FILE_NEW = text(
    """
    WITH named AS (
        INSERT INTO customer_name (customer_id, agency_id, name, kind, normalised, parts, near)
        SELECT customer_id, :agency_id, name, kind, normalised, parts, near
        FROM jsonb_to_recordset(CAST(:names AS jsonb)) AS n(
            customer_id uuid, name text, kind text, normalised text, parts jsonb, near bigint[])
    )
    INSERT INTO collision_key (customer_id, agency_id, kind, key, detail)
    SELECT customer_id, :agency_id, kind, key, detail
    FROM jsonb_to_recordset(CAST(:keys AS jsonb)) AS k(customer_id uuid, kind text, key text, detail text)
    ORDER BY kind, key, detail
    """
)


def file_new(session: Session, agency_id: UUID, filed: Sequence[tuple[UUID, Sequence[Named], Subject]]) -> None:
    """Files customers of one agency who are not filed yet, whose rows must be there, under names and keys."""
    names = [{"customer_id": str(id_)} | row_of(named) for id_, names, _ in filed for named in names]
    keys = [{"customer_id": str(id_)} | key._asdict() for id_, _, subject in filed for key in subject.keys]
    session.execute(FILE_NEW, {"agency_id": agency_id, "names": as_json(names), "keys": as_json(keys)})


def row_of(named: Named) -> dict[str, Any]:
    """What stands in `customer_name` of a name, besides whose it is."""
    plain, read = normalise(named.name), names_of([named.name], named.province, named.city)
    return {
        "name": named.name,
        "kind": named.kind,
        "normalised": plain,
        "parts": [pack(name) for name in read],
        "near": sorted({key for name in read for key in near_keys.filed(name)}),
    }


def file_anew(session: Session, customer: Customer, names: Sequence[Named], subject: Subject) -> None:
    session.execute(delete(CollisionKey).where(CollisionKey.customer_id == customer.id))
    session.execute(delete(CustomerName).where(CustomerName.customer_id == customer.id))
    file(session, customer, names, subject)
    customer.normaliser = VERSION


# --- versions of the rules by which names are taken apart

OLDEST = text("SELECT oldest_normaliser()")
LOOK_AGAIN = 5.0


class Versions:
    """The oldest version by which a customer is filed, looked up every few seconds at most.

    Its keys are searched and locked as well, until the last customer is filed by the present one. A replica of an older release
    may file by its own rules for as long as it runs, so the answer is never taken for final.
    """

    def __init__(self) -> None:
        self._oldest, self._until = 1, 0.0

    def oldest(self, connection: Session | Connection) -> int:
        return self.known if self.known else self.look(connection)

    @property
    def known(self) -> int | None:
        """As it was looked up last, unless that is too long ago."""
        return self._oldest if time.monotonic() < self._until else None

    def of(self, call: Call) -> int:
        """Before a transaction."""
        if known := self.known:
            return known
        with call.reading_rows() as connection:
            return self.look(connection)

    def look(self, connection: Session | Connection) -> int:
        self._oldest = connection.scalar(OLDEST) or VERSION
        self._until = time.monotonic() + LOOK_AGAIN
        return self._oldest


versions = Versions()
