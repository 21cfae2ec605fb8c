"""SQL of the pools."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, func, select
from sqlalchemy.orm import Session

from services.contracts.errors import NotFound, OutOfScope
from services.customers.models import Customer, Ownership, Pool

TABLE = cast(Table, Customer.__table__)


def pool_exists(session: Session | Connection, pool_id: UUID) -> bool:
    """Also beyond the wall: tells a denial from a typing error."""
    return bool(session.scalar(select(func.is_pool(pool_id))))


def list_pools(connection: Connection, visible: ColumnElement[bool], after: UUID | None, limit: int) -> Sequence[Row[Any]]:
    table = cast(Table, Pool.__table__)
    query = select(table).where(visible).order_by(table.c.id).limit(limit)
    return connection.execute(query.where(table.c.id > after) if after else query).all()


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


def hidden_pool(connection: Connection | Session, pool_id: UUID) -> NotFound:
    return OutOfScope() if pool_exists(connection, pool_id) else NotFound()
