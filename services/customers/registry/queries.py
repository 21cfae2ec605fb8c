"""SQL of the registry."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    DateTime,
    Row,
    Select,
    Table,
    Uuid,
    bindparam,
    func,
    literal,
    null,
    select,
    type_coerce,
)
from sqlalchemy.orm import Session

from services.contracts.errors import NotFound, OutOfScope
from services.contracts.reach import Reach
from services.contracts.team import Right
from services.customers.disputes.models import Dispute
from services.customers.fields import policy
from services.customers.models import BoundEntry, Customer, CustomerName, EntryAttempt, Ownership, Pool
from services.customers.team.access import is_shared_with
from services.directory.models import Person
from services.directory.scopes import AnyCaller, ByReach, values_of, visible
from services.plumbing.passport import Caller

TABLE = cast(Table, Customer.__table__)
SEEN = {"owner": TABLE.c.owner_id, "agency": TABLE.c.agency_id}
OWNER_NAME = select(Person.display_name).where(Person.id == TABLE.c.owner_id).scalar_subquery().label("owner_name")


def names_of_kind(kind: str, label: str) -> ColumnElement[list[str]]:
    names = select(CustomerName.name).where(CustomerName.customer_id == TABLE.c.id, CustomerName.kind == kind)
    return func.array(names.order_by(CustomerName.name).scalar_subquery()).label(label)


VIEW = select(TABLE, OWNER_NAME, names_of_kind("alias", "aliases"), names_of_kind("bound", "bound_names"), policy.VERSION)


# --- one customer

FIND_ANY = VIEW.where(TABLE.c.id == bindparam("customer_id"))


def find_by(right: Right) -> ByReach:
    return ByReach(lambda seen: FIND_ANY.where(seen | is_shared_with(AnyCaller, right, TABLE.c.id)), **SEEN)


FIND: dict[Right, ByReach] = {"read": find_by("read"), "update": find_by("update")}


def find_customer(
    connection: Connection | Session, customer_id: UUID, scope: Reach, caller: Caller, right: Right = "read"
) -> Row[Any] | None:
    """Within the scope, or shared with the caller with this right."""
    return connection.execute(FIND[right][scope], {"customer_id": customer_id, **values_of(caller, scope)}).one_or_none()


def view_of(session: Session, customer: Customer) -> Row[Any]:
    """The row as `find_customer` gives it, after the changes of this transaction."""
    session.flush()
    return session.execute(FIND_ANY, {"customer_id": customer.id}).one()


def missing(connection: Connection | Session, customer_id: UUID) -> NotFound:
    """What to raise for a customer that was not found: was it hidden, somebody tried what he may not."""
    return OutOfScope() if connection.scalar(select(func.is_customer(customer_id))) else NotFound()


def get_customer(
    session: Session, customer_id: UUID, scope: Reach, caller: Caller, right: Right | None = None, *, is_locked: bool = False
) -> Customer:
    """Within the scope, or shared with the caller where a collaborator's `right` is enough. Raises NotFound or OutOfScope."""
    seen = visible(scope, caller, owner=Customer.owner_id, agency=Customer.agency_id)
    if right:
        seen |= is_shared_with(caller, right, Customer.id)
    query = select(Customer).where(Customer.id == customer_id, seen).execution_options(populate_existing=True)
    found = session.scalars(query.with_for_update(of=Customer) if is_locked else query).one_or_none()
    if found is None:
        raise missing(session, customer_id)
    return found


def lock_customer(session: Session, customer_id: UUID, scope: Reach, caller: Caller, right: Right | None = None) -> Customer:
    """A right is looked at anew under the lock: it may have been taken away while the lock was waited for."""
    found = get_customer(session, customer_id, scope, caller, right, is_locked=True)
    return get_customer(session, customer_id, scope, caller, right) if right else found


def lock_known(session: Session, customer_id: UUID) -> Customer:
    """One that the collision check has found, as it is now."""
    query = select(Customer).where(Customer.id == customer_id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()


def lock_of_agency(session: Session, customer_id: UUID, agency_id: UUID) -> Customer | None:
    query = select(Customer).where(Customer.id == customer_id, Customer.agency_id == agency_id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def list_ownership(connection: Connection, customer_id: UUID) -> Sequence[Row[Any]]:
    """As far as the caller's agency may see it."""
    query: Select[Any] = (
        select(*Ownership.__table__.c, Person.display_name.label("owner_name"), Pool.kind.label("pool_kind"))
        .join_from(Ownership, Person, Person.id == Ownership.owner_id, isouter=True)
        .join(Pool, Pool.id == Ownership.pool_id, isouter=True)
    )
    return connection.execute(query.where(Ownership.customer_id == customer_id).order_by(Ownership.number)).all()


# --- lists

OF_LINE = (
    "id", "name", "province", "city", "industry", "is_key", "category", "tags", "owner_id", "pool_id", "held_since", "entered_at",
)  # fmt: skip
COLUMNS = tuple(TABLE.c[name] for name in OF_LINE)
LINES: Select[Any] = select(*COLUMNS, OWNER_NAME, type_coerce(null(), Uuid).label("bound_to"))
BOUND = (
    select(
        BoundEntry.id,
        BoundEntry.name,
        BoundEntry.province,
        BoundEntry.city,
        BoundEntry.industry,
        TABLE.c.is_key,
        TABLE.c.category,
        TABLE.c.tags,
        TABLE.c.owner_id,
        TABLE.c.pool_id,
        TABLE.c.held_since,
        BoundEntry.entered_at,
        OWNER_NAME,
        BoundEntry.customer_id.label("bound_to"),
    )
    .join_from(BoundEntry, TABLE, TABLE.c.id == BoundEntry.customer_id)
    .where(BoundEntry.entered_by == TABLE.c.owner_id)
)


def line_of(session: Session, customer: Customer) -> Row[Any]:
    session.flush()
    return session.execute(LINES.where(TABLE.c.id == customer.id)).one()


# --- attempts

DISPUTE_OF = select(Dispute.id).where(Dispute.attempt_id == EntryAttempt.id, Dispute.state != "withdrawn")
NOW = func.clock(type_=DateTime(timezone=True))


def list_attempts(
    connection: Connection, scope: Reach, caller: Caller, person_id: UUID | None, after: UUID | None, limit: int
) -> Sequence[Row[Any]]:
    table = cast(Table, EntryAttempt.__table__)
    name = func.coalesce(Person.display_name, literal("")).label("person_name")
    query = select(table, name, DISPUTE_OF.scalar_subquery().label("dispute_id"), NOW.label("now"))
    query = query.join_from(table, Person, Person.id == table.c.person_id, isouter=True).where(
        visible(scope, caller, owner=table.c.person_id, agency=table.c.agency_id)
    )
    if person_id:
        query = query.where(table.c.person_id == person_id)
    if after:
        query = query.where(table.c.id < after)
    return connection.execute(query.order_by(table.c.id.desc()).limit(limit)).all()
