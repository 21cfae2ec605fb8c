"""SQL of web-registered members and their sources."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, func, select
from sqlalchemy.orm import Session

from services.contracts.errors import NotFound, OutOfScope
from services.contracts.members import MemberOutcome
from services.contracts.reach import Reach
from services.customers.members.models import MemberArrival, MemberSource, Territory, TerritoryPlace
from services.customers.models import Customer
from services.directory.models import Agency, Person
from services.directory.scopes import visible
from services.plumbing.passport import Caller

# --- members

ARRIVALS = cast(Table, MemberArrival.__table__)
# a customer that is another agency's by now stands behind the wall
MEMBERS: Select[Any] = (
    select(
        *(column for column in ARRIVALS.c if column.name != "customer_id"),
        Customer.id.label("customer_id"),
        MemberSource.name.label("source_name"),
        Person.display_name.label("person_name"),
    )
    .join_from(ARRIVALS, Customer, Customer.id == ARRIVALS.c.customer_id, isouter=True)
    .join(MemberSource, MemberSource.id == ARRIVALS.c.source_id, isouter=True)
    .join(Person, Person.id == ARRIVALS.c.person_id, isouter=True)
)


def seen_by(scope: Reach, caller: Caller) -> ColumnElement[bool]:
    """Whose a member is, is who received it, or held it when it came."""
    return visible(scope, caller, owner=ARRIVALS.c.person_id, agency=ARRIVALS.c.agency_id)


def list_members(
    connection: Connection, scope: Reach, caller: Caller, outcome: MemberOutcome | None, after: UUID | None, limit: int
) -> Sequence[Row[Any]]:
    """The newest first: ids are in the order in which they came."""
    query = MEMBERS.where(seen_by(scope, caller))
    if outcome:
        query = query.where(ARRIVALS.c.outcome == outcome)
    if after:
        query = query.where(ARRIVALS.c.id < after)
    return connection.execute(query.order_by(ARRIVALS.c.id.desc()).limit(limit)).all()


def get_member(connection: Connection, member_id: UUID, scope: Reach, caller: Caller) -> Row[Any]:
    """Raises NotFound, or OutOfScope when it is hidden."""
    found = connection.execute(MEMBERS.where(ARRIVALS.c.id == member_id, seen_by(scope, caller))).one_or_none()
    if found is None:
        raise OutOfScope() if connection.scalar(select(func.is_member_arrival(member_id))) else NotFound()
    return found


# --- sources

SOURCES: Select[Any] = select(
    *MemberSource.__table__.c,
    Agency.is_headquarters.label("by_territory"),
).join_from(MemberSource, Agency, Agency.id == MemberSource.agency_id)


def of_agency(scope: Reach, caller: Caller) -> ColumnElement[bool]:
    return visible(scope, caller, owner=None, agency=MemberSource.agency_id)


def list_sources(connection: Connection, scope: Reach, caller: Caller, after: UUID | None, limit: int) -> Sequence[Row[Any]]:
    query = SOURCES.where(of_agency(scope, caller)).order_by(MemberSource.id).limit(limit)
    return connection.execute(query.where(MemberSource.id > after) if after else query).all()


def source_of(session: Session, source_id: UUID) -> Row[Any]:
    """After the changes of this transaction."""
    session.flush()
    return session.execute(SOURCES.where(MemberSource.id == source_id)).one()


def lock_source(session: Session, source_id: UUID, scope: Reach, caller: Caller) -> MemberSource:
    """Raises NotFound, or OutOfScope when it is hidden."""
    query = select(MemberSource).where(MemberSource.id == source_id, of_agency(scope, caller)).with_for_update()
    found = session.scalars(query).one_or_none()
    if found is None:
        raise OutOfScope() if session.scalar(select(func.is_member_source(source_id))) else NotFound()
    return found


def hold_enabled(session: Session, source_id: UUID) -> Row[Any]:
    """A source that may send, and that nobody disables meanwhile. Raises NotFound."""
    query = SOURCES.where(MemberSource.id == source_id, MemberSource.is_enabled)
    found = session.execute(query.with_for_update(of=MemberSource, read=True)).one_or_none()
    if found is None:
        raise NotFound()
    return found


def find_keys(connection: Connection, source_id: UUID) -> Row[int, bool] | None:
    """Of a source that may send: its key, and whether the one before still counts."""
    counts = func.coalesce(MemberSource.previous_until > func.clock(), False).label("has_previous")
    query = select(MemberSource.key_version, counts).where(MemberSource.id == source_id, MemberSource.is_enabled)
    return connection.execute(query).one_or_none()


# --- territories


def find_territory(session: Session, agency_id: UUID, *, is_locked: bool = False) -> Territory | None:
    query = select(Territory).where(Territory.agency_id == agency_id)
    return session.scalars(query.with_for_update() if is_locked else query).one_or_none()


def list_places(session: Session, agency_id: UUID) -> Sequence[str]:
    query = select(TerritoryPlace.place).where(TerritoryPlace.agency_id == agency_id)
    return session.scalars(query.order_by(TerritoryPlace.place)).all()


def list_sellers(session: Session, agency_id: UUID) -> set[UUID]:
    return set(session.scalars(select(Person.id).where(Person.agency_id == agency_id, Person.abilities.contains(["sells"]))))
