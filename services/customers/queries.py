"""SQL of customers."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.customers.models import Customer


def insert_unless_known(session: Session, values: dict[str, Any]) -> Customer | None:
    """The new customer, or None when its name is taken; waits for a rival who is entering it at this moment."""
    row = insert(Customer).values(values).on_conflict_do_nothing(constraint="customer_name_key").returning(Customer)
    return session.scalars(row).one_or_none()


def find_by_name(session: Session, name_key: str) -> Customer:
    return session.scalars(select(Customer).where(Customer.name_key == name_key)).one()


def find_customer(session: Session, customer_id: UUID, visible: ColumnElement[bool]) -> Customer | None:
    return session.scalars(select(Customer).where(Customer.id == customer_id, visible)).one_or_none()


def lock_customer(session: Session, customer_id: UUID, visible: ColumnElement[bool]) -> Customer | None:
    query = select(Customer).where(Customer.id == customer_id, visible).with_for_update()
    return session.scalars(query).one_or_none()


def list_customers(session: Session, visible: ColumnElement[bool], after: UUID | None, limit: int) -> list[Customer]:
    """The newest first: ids are in the order of entry."""
    query = select(Customer).where(visible).order_by(Customer.id.desc()).limit(limit)
    return list(session.scalars(query.where(Customer.id < after) if after else query))
