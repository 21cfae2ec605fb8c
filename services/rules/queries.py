"""SQL of rules: who holds what, contacts, and the figures made of them. Deadlines and policies have files of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import ColumnElement, Row, and_, distinct, func, select, text
from sqlalchemy.orm import Session

from services.directory.models import Person
from services.rules.models import Contact, Deadline, Holding

LOCK_CUSTOMER = text("SELECT lock_customer(:customer_id)")


def lock_customer(session: Session, customer_id: UUID) -> None:
    """So that two handlers see each other's facts, however close they come."""
    session.execute(LOCK_CUSTOMER, {"customer_id": customer_id})


FOLLOW_CUSTOMERS = text(
    """
    SELECT follow_customer(customer_id, version, agency_id, owner_id, name, is_key, holding, held_since, source,
                           entered_by, entered_on)
    FROM jsonb_to_recordset(CAST(:states AS jsonb)) AS told(customer_id uuid, version integer, agency_id uuid, owner_id uuid,
         name text, is_key boolean, holding integer, held_since timestamptz, source text, entered_by uuid, entered_on date)
    """
)


def follow_customers(session: Session, states: Sequence[dict[str, Any]]) -> None:
    """Locks each customer, in this order, and takes over its state unless a newer one is known; who entered it when, if given, in
    any case."""
    session.execute(FOLLOW_CUSTOMERS, {"states": to_json(states).decode()})


COUNT_CONTACT = text(
    "SELECT count_contact(:event_id, :agency_id, :person_id, :customer_id, :holding, :written_at, :day, :is_effective)"
)


def count_contact(session: Session, **values: Any) -> bool:
    """Locks the customer and counts the contact, once; whether the customer has deadlines."""
    return bool(session.scalar(COUNT_CONTACT, values))


# --- figures


@dataclass(frozen=True)
class DayFigures:
    """Contacts count distinct customers. `overdue_members` are still held and without a contact after their time."""

    stock: int = 0
    entered: int = 0
    new_key_customers: int = 0
    contacts: int = 0
    effective_contacts: int = 0
    open_members: int = 0
    overdue_members: int = 0


def figures_of(session: Session, people: Sequence[UUID], day: date, now: datetime) -> dict[UUID, DayFigures]:
    """The figures of each of these people; by four statements, however many they are."""
    held = select(Holding.owner_id, func.count().label("stock")).where(Holding.owner_id.in_(people)).group_by(Holding.owner_id)
    entered = (
        select(
            Holding.entered_by,
            func.count().label("entered"),
            func.count().filter(Holding.is_key).label("new_key_customers"),
        )
        .where(Holding.entered_by.in_(people), Holding.entered_on == day)
        .group_by(Holding.entered_by)
    )
    customers = func.count(distinct(Contact.customer_id))
    contacts = (
        select(
            Contact.person_id,
            customers.label("contacts"),
            customers.filter(Contact.is_effective).label("effective_contacts"),
        )
        .where(Contact.person_id.in_(people), Contact.day == day)
        .group_by(Contact.person_id)
    )
    waiting = and_(Deadline.first_contact_at.is_(None), Deadline.moved_on_at.is_(None), Deadline.due_at <= now)
    members = (
        select(
            Deadline.owner_id,
            func.count().filter(Deadline.state == "open").label("open_members"),
            func.count().filter(waiting).label("overdue_members"),
        )
        .where(Deadline.owner_id.in_(people), Deadline.state.in_(("open", "missed")), Deadline.received_at.is_not(None))
        .group_by(Deadline.owner_id)
    )
    found: dict[UUID, dict[str, int]] = {person: {} for person in people}
    for query in (held, entered, contacts, members):
        for row in session.execute(query):
            person, *_ = row
            found[person] |= {name: value for name, value in row._mapping.items() if not isinstance(value, UUID)}
    return {person: DayFigures(**figures) for person, figures in found.items()}


# --- people

IS_HOLDER: ColumnElement[bool] = Person.abilities.contains(["holds"])


def is_within(session: Session, person_id: UUID, scope: ColumnElement[bool]) -> bool:
    return session.scalar(select(Person.id).where(Person.id == person_id, scope)) is not None


def list_holders(session: Session, scope: ColumnElement[bool], after: UUID | None, limit: int) -> Sequence[Row[UUID, str, UUID]]:
    """Active people who may hold customers, by id: `(id, display_name, department_id)`."""
    query = select(Person.id, Person.display_name, Person.department_id).where(scope, IS_HOLDER, Person.status == "active")
    query = query.order_by(Person.id).limit(limit)
    return session.execute(query.where(Person.id > after) if after else query).all()
