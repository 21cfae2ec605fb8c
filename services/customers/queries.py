"""SQL of customers."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Table, bindparam, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.contracts.errors import NotFound, OutOfScope
from services.contracts.permissions import Scope
from services.customers.models import Customer
from services.plumbing.passport import Caller
from services.plumbing.scopes import by_scope, values_of

TABLE = cast(Table, Customer.__table__)
SEEN = {"owner": TABLE.c.owner_id, "department": TABLE.c.department_id, "agency": TABLE.c.agency_id}
INSERT = insert(TABLE).values({column.name: bindparam(column.name) for column in TABLE.c})
INSERT_UNLESS_KNOWN = INSERT.on_conflict_do_nothing(constraint="customer_name_key").returning(*TABLE.c)


def insert_unless_known(session: Session, values: dict[str, Any]) -> Row[Any] | None:
    """The new customer, or None when its name is taken; waits for a rival who is entering it at this moment."""
    return session.execute(INSERT_UNLESS_KNOWN, values).one_or_none()


def find_by_name(session: Session, name_key: str) -> Customer:
    return session.scalars(select(Customer).where(Customer.name_key == name_key)).one()


FIND = by_scope(lambda seen: select(TABLE).where(TABLE.c.id == bindparam("customer_id"), seen), **SEEN)


def find_customer(connection: Connection, customer_id: UUID, scope: Scope, caller: Caller) -> Row[Any] | None:
    return connection.execute(FIND[scope], {"customer_id": customer_id, **values_of(caller)}).one_or_none()


EXISTS = select(TABLE.c.id).where(TABLE.c.id == bindparam("customer_id"))


def missing(connection: Connection | Session, customer_id: UUID) -> NotFound:
    """What to raise for a customer that was not found: was it hidden, somebody tried what he may not."""
    return OutOfScope() if connection.execute(EXISTS, {"customer_id": customer_id}).first() else NotFound()


def lock_customer(session: Session, customer_id: UUID, visible: ColumnElement[bool]) -> Customer | None:
    query = select(Customer).where(Customer.id == customer_id, visible).with_for_update()
    return session.scalars(query).one_or_none()


NEWEST_FIRST = select(TABLE).order_by(TABLE.c.id.desc()).limit(bindparam("most"))
LIST = by_scope(NEWEST_FIRST.where, **SEEN)
LIST_AFTER = by_scope(NEWEST_FIRST.where(TABLE.c.id < bindparam("after")).where, **SEEN)


def list_customers(connection: Connection, scope: Scope, caller: Caller, after: UUID | None, limit: int) -> Sequence[Row[Any]]:
    """The newest first: ids are in the order of entry."""
    statements = LIST_AFTER if after else LIST
    return connection.execute(statements[scope], {"after": after, "most": limit, **values_of(caller)}).all()
