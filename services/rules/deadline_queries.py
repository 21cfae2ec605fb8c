"""SQL of first contacts with web-registered members."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.contracts.rules import DeadlineState
from services.directory.models import Person
from services.plumbing.ids import new_id
from services.rules import domain
from services.rules.models import Contact, Deadline, FollowUpPolicy, Holding

IS_RECEIVED = and_(Deadline.received_at.is_not(None), Deadline.due_at.is_not(None))
"""What else is in the table are facts that came before the customer was heard to be somebody's, and holdings of pools."""


def note(session: Session, customer_id: UUID, holding: int, agency_id: UUID, **facts: Any) -> None:
    """Adds facts to what is known of a holding. A due time stays as it was first known, unless it comes with a verdict."""
    row = insert(Deadline).values(id=new_id(), customer_id=customer_id, holding=holding, agency_id=agency_id, **facts)
    known: dict[str, Any] = {name: row.excluded[name] for name in facts}
    if "due_at" in facts and "verdict" not in facts:
        known["due_at"] = func.coalesce(Deadline.due_at, row.excluded.due_at)
    if "moved_on_at" not in facts:  # the next holding may be another agency's
        known["agency_id"] = row.excluded.agency_id
    session.execute(row.on_conflict_do_update(index_elements=["customer_id", "holding"], set_=known))


FIRST_CONTACT = (
    select(func.min(Contact.written_at))
    .where(
        Contact.customer_id == Deadline.customer_id,
        Contact.person_id == Deadline.owner_id,
        func.coalesce(Contact.holding, Deadline.holding) == Deadline.holding,
    )
    .scalar_subquery()
)

KNOWN = (
    select(Deadline, FIRST_CONTACT, Holding.name)
    .outerjoin(Holding, Holding.customer_id == Deadline.customer_id)
    .where(Deadline.customer_id == bindparam("customer_id"))
    .execution_options(populate_existing=True)
)


def settle(session: Session, customer_id: UUID) -> None:
    """Draws the states of a customer's deadlines, and the name it has by now, from what is known; the customer is locked."""
    for deadline, first_contact_at, name in session.execute(KNOWN, {"customer_id": customer_id}):
        deadline.first_contact_at, deadline.customer_name = first_contact_at, name
        deadline.state = domain.judge_deadline(
            due_at=deadline.due_at,
            first_contact_at=first_contact_at,
            verdict=cast(DeadlineState | None, deadline.verdict),
            moved_on_at=deadline.moved_on_at,
            is_taken_back=deadline.is_taken_back,
        )
    session.flush()


# --- what is to be done


def list_due(session: Session, limit: int) -> Sequence[Row[Deadline, str]]:
    """Open ones whose time is up, the oldest first, each with what its agency's policy says, if it has one."""
    query = select(Deadline, FollowUpPolicy.on_missed).outerjoin(FollowUpPolicy, FollowUpPolicy.agency_id == Deadline.agency_id)
    query = query.where(Deadline.state == "open", Deadline.due_at <= func.clock(), IS_RECEIVED, Deadline.owner_id.is_not(None))
    return session.execute(query.order_by(Deadline.due_at).limit(limit)).all()


def list_forfeited(session: Session, limit: int) -> Sequence[Deadline]:
    """Missed ones whose customer is still with the holder, who may write no more notes on it."""
    is_forfeited = and_(Deadline.state == "missed", Deadline.is_forfeited, Deadline.moved_on_at.is_(None))
    query = select(Deadline).where(is_forfeited, IS_RECEIVED, Deadline.owner_id.is_not(None))
    return session.scalars(query.order_by(Deadline.due_at).limit(limit)).all()


# --- what is shown

Named = Row[Deadline, str]
"""A deadline and its owner's name, unless he is not known yet."""


def named() -> Select[Deadline, str]:
    return select(Deadline, Person.display_name).outerjoin(Person, Person.id == Deadline.owner_id).where(IS_RECEIVED)


def list_open(session: Session, owner_id: UUID, limit: int) -> Sequence[Named]:
    """A person's, the most urgent first."""
    query = named().where(Deadline.owner_id == owner_id, Deadline.state == "open")
    return session.execute(query.order_by(Deadline.due_at, Deadline.id).limit(limit)).all()


def list_deadlines(
    session: Session, scope: ColumnElement[bool], state: str | None, overdue_at: datetime | None, before: UUID | None, limit: int
) -> Sequence[Named]:
    """The newest first; with `overdue_at` only those that `domain.is_overdue` then."""
    query = named().where(scope)
    if state:
        query = query.where(Deadline.state == state)
    if overdue_at:
        is_late = Deadline.state.in_(("late", "missed", "taken_back"))
        query = query.where(or_(is_late, and_(Deadline.state == "open", Deadline.due_at <= overdue_at)))
    if before:
        query = query.where(Deadline.id < before)
    return session.execute(query.order_by(Deadline.id.desc()).limit(limit)).all()
