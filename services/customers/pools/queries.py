"""SQL of the pools."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, func, literal, select
from sqlalchemy.orm import Session

from services.contracts.errors import NotFound, OutOfScope, PermissionDenied, PoolArchived, QudaoError
from services.contracts.permissions import Scope
from services.customers.models import Customer, Ownership, Pool, PoolMember
from services.customers.pools import access
from services.directory.models import Person
from services.plumbing.call import Call

TABLE = cast(Table, Customer.__table__)
MEMBERS = cast(Table, PoolMember.__table__)


def hidden_pool(connection: Connection | Session, pool_id: UUID) -> NotFound:
    """What to raise for a pool that was not found: was it hidden, somebody tried what he may not."""
    return OutOfScope() if connection.scalar(select(func.is_pool(pool_id))) else NotFound()


# --- pools


def list_pools(connection: Connection, call: Call, after: UUID | None, limit: int, *, archived: bool) -> Sequence[Row[Any]]:
    is_shown = access.TABLE.c.archived_at.is_not(None) if archived else access.TABLE.c.archived_at.is_(None)
    query = select(access.TABLE, *access.flags(call)).where(access.seen(call), is_shown)
    query = query.where(access.TABLE.c.id > after) if after else query
    return connection.execute(query.order_by(access.TABLE.c.id).limit(limit)).all()


def find_pool(connection: Connection | Session, pool_id: UUID, call: Call) -> Row[Any]:
    """As the caller sees it. Raises NotFound, OutOfScope."""
    query = select(access.TABLE, *access.flags(call)).where(access.TABLE.c.id == pool_id, access.seen(call))
    found = connection.execute(query).one_or_none()
    if found is None:
        raise hidden_pool(connection, pool_id)
    return found


def view_of(session: Session, pool: Pool, call: Call) -> Row[Any]:
    """After the changes of this transaction, whatever the caller sees by now."""
    session.flush()
    return session.execute(select(access.TABLE, *access.flags(call)).where(access.TABLE.c.id == pool.id)).one()


def refusal(session: Session, pool_id: UUID, call: Call) -> QudaoError:
    """What to raise for a pool with which the caller may not do this, hidden or not."""
    if call.scope is Scope.OWN and access.holds(session, pool_id, access.seen(call)):
        return PermissionDenied(permission=call.operation.permission)
    return hidden_pool(session, pool_id)


def lock_pool(
    session: Session, call: Call, pool_id: UUID, within: ColumnElement[bool], *, read: bool = False, key_share: bool = False
) -> Pool:
    """Raises NotFound, OutOfScope, PermissionDenied."""
    query = select(Pool).where(access.TABLE.c.id == pool_id, within).with_for_update(read=read, key_share=key_share)
    found = session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if found is None:
        raise refusal(session, pool_id, call)
    return found


def lock_to_change(session: Session, call: Call, pool_id: UUID, within: ColumnElement[bool]) -> Pool:
    """Beside those who put customers into it. Raises PoolArchived, and as `lock_pool`."""
    return unless_archived(lock_pool(session, call, pool_id, within, key_share=True))


def lock_to_fill(session: Session, call: Call, pool_id: UUID, within: ColumnElement[bool]) -> Pool:
    """Beside all others but who archives it: who archives finds what was put in, or it is found to be archived. Raises
    PoolArchived, and as `lock_pool`."""
    return unless_archived(lock_pool(session, call, pool_id, within, read=True, key_share=True))


def hold_to_fill(session: Session, pool_id: UUID) -> Pool:
    """As `lock_to_fill`, of a pool that the caller was found to administer already. Raises PoolArchived."""
    query = select(Pool).where(access.TABLE.c.id == pool_id).with_for_update(read=True, key_share=True)
    return unless_archived(session.scalars(query.execution_options(populate_existing=True)).one())


def unless_archived(pool: Pool) -> Pool:
    if pool.archived_at:
        raise PoolArchived()
    return pool


def is_empty(session: Session, pool_id: UUID) -> bool:
    return session.scalar(select(TABLE.c.id).where(TABLE.c.pool_id == pool_id).limit(1)) is None


# --- who works in them


def ids_of(session: Session, pool_id: UUID, *, is_admin: bool) -> list[UUID]:
    query = select(MEMBERS.c.person_id).where(MEMBERS.c.pool_id == pool_id, MEMBERS.c.is_admin.is_(is_admin))
    return list(session.scalars(query.order_by(MEMBERS.c.person_id)))


def members(pool_id: UUID) -> Select[Any]:
    name = func.coalesce(Person.display_name, literal("")).label("name")
    query = select(MEMBERS.c.person_id.label("id"), name, MEMBERS.c.is_admin, MEMBERS.c.since)
    return query.join_from(MEMBERS, Person, Person.id == MEMBERS.c.person_id, isouter=True).where(MEMBERS.c.pool_id == pool_id)


def list_members(connection: Connection, pool_id: UUID, after: UUID | None, limit: int) -> Sequence[Row[Any]]:
    """Who was added to the system last comes first."""
    query = members(pool_id)
    query = query.where(MEMBERS.c.person_id < after) if after else query
    return connection.execute(query.order_by(MEMBERS.c.person_id.desc()).limit(limit)).all()


def member_of(session: Session, pool_id: UUID, person_id: UUID) -> Row[Any]:
    session.flush()
    return session.execute(members(pool_id).where(MEMBERS.c.person_id == person_id)).one()


# --- what lies in them


def list_pool(connection: Connection, pool_id: UUID, after: UUID | None, limit: int) -> Sequence[Row[Any]]:
    query: Select[Any] = (
        select(
            *(TABLE.c[name] for name in ("id", "name", "province", "city", "industry", "source", "is_key")),
            TABLE.c.held_since.label("pooled_since"),
            Ownership.reason,
        )
        .join(Ownership, (Ownership.customer_id == TABLE.c.id) & (Ownership.number == TABLE.c.holding))
        .where(TABLE.c.pool_id == pool_id)
    )
    query = query.where(TABLE.c.id < after) if after else query
    return connection.execute(query.order_by(TABLE.c.id.desc()).limit(limit)).all()
