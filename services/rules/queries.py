"""SQL of rules."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import distinct, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.rules.models import Contact, Holding


def note_holding(session: Session, customer_id: UUID, version: int, owner_id: UUID, is_key: bool) -> None:
    """Takes over a customer's state unless a newer one is known."""
    row = insert(Holding).values(customer_id=customer_id, version=version, owner_id=owner_id, is_key=is_key)
    newer = {"version": row.excluded.version, "owner_id": row.excluded.owner_id, "is_key": row.excluded.is_key}
    session.execute(
        row.on_conflict_do_update(index_elements=[Holding.customer_id], set_=newer, where=Holding.version < row.excluded.version)
    )


NOTE_ENTRY = text(
    """
    INSERT INTO holding (customer_id, version, owner_id, is_key, entered_by, entered_on)
    VALUES (:customer_id, :version, :owner_id, :is_key, :owner_id, :day)
    ON CONFLICT (customer_id) DO UPDATE SET entered_by = excluded.entered_by, entered_on = excluded.entered_on
    """
)


def note_entry(session: Session, customer_id: UUID, version: int, owner_id: UUID, is_key: bool, day: date) -> None:
    """The first state, unless a newer one is known, and who entered it when: facts that no later version changes."""
    values = {"customer_id": customer_id, "version": version, "owner_id": owner_id, "is_key": is_key, "day": day}
    session.execute(NOTE_ENTRY, values)


def add_contact(session: Session, event_id: UUID, person_id: UUID, customer_id: UUID, day: date, is_effective: bool) -> None:
    session.add(Contact(event_id=event_id, person_id=person_id, customer_id=customer_id, day=day, is_effective=is_effective))


@dataclass(frozen=True)
class DayFigures:
    stock: int
    entered: int
    new_key_customers: int
    contacts: int
    effective_contacts: int


def figures_of(session: Session, person_id: UUID, day: date) -> DayFigures:
    """Contacts count distinct customers."""
    entered = select(func.count()).select_from(Holding).where(Holding.entered_by == person_id, Holding.entered_on == day)
    contacts = select(func.count(distinct(Contact.customer_id))).where(Contact.person_id == person_id, Contact.day == day)
    row = session.execute(
        select(
            select(func.count()).select_from(Holding).where(Holding.owner_id == person_id).scalar_subquery(),
            entered.scalar_subquery(),
            entered.where(Holding.is_key).scalar_subquery(),
            contacts.scalar_subquery(),
            contacts.where(Contact.is_effective).scalar_subquery(),
        )
    ).one()
    return DayFigures(*row)
