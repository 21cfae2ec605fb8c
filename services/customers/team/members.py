"""Collaborators of a customer: each change is made under the lock of the customer's row, and tells all that there are then."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.contracts.errors import NotFound, TeamIsFull
from services.contracts.team import CollaboratorsChanged, CollaboratorState
from services.customers.models import Customer
from services.customers.team.models import Collaborator, Team
from services.plumbing.work import Work

MOST = 50


def team_id(customer_id: UUID) -> UUID:
    """Of the aggregate: a customer has one team, so its id can be computed."""
    return uuid5(customer_id, "team")


def put(work: Work, customer: Customer, person_id: UUID, **given: Any) -> None:
    """Gives somebody a part and rights, in the place of what he had. Raises TeamIsFull."""
    forget_ended(work.session, customer.id, work.now)
    if number_of_others(work.session, customer.id, person_id) >= MOST:
        raise TeamIsFull(limit=MOST)
    values = {"agency_id": customer.agency_id, "given_at": work.now, **given}
    row = insert(Collaborator).values(customer_id=customer.id, person_id=person_id, **values)
    work.session.execute(row.on_conflict_do_update(index_elements=["customer_id", "person_id"], set_=values))
    tell(work, customer)


def remove(work: Work, customer: Customer, person_id: UUID) -> None:
    """Raises NotFound for somebody who is none."""
    forget_ended(work.session, customer.id, work.now)
    found = work.session.get(Collaborator, (customer.id, person_id))
    if found is None:
        raise NotFound()
    work.session.delete(found)
    tell(work, customer)


def end(work: Work, customer: Customer, *, kept_by: UUID | None) -> None:
    """All of them, because the customer changes hands; or where the others are kept, the one who holds it from now on."""
    those = delete(Collaborator).where(Collaborator.customer_id == customer.id)
    ended = those if kept_by is None else those.where(or_(Collaborator.person_id == kept_by, Collaborator.until <= work.now))
    if work.session.scalars(ended.returning(Collaborator.person_id)).all():
        tell(work, customer)


def forget_ended(session: Session, customer_id: UUID, now: datetime) -> None:
    session.execute(delete(Collaborator).where(Collaborator.customer_id == customer_id, Collaborator.until <= now))


def number_of_others(session: Session, customer_id: UUID, person_id: UUID) -> int:
    query = select(func.count()).where(Collaborator.customer_id == customer_id, Collaborator.person_id != person_id)
    return session.scalars(query).one()


def tell(work: Work, customer: Customer) -> None:
    work.session.flush()
    counted = insert(Team).values(id=team_id(customer.id), customer_id=customer.id, agency_id=customer.agency_id, version=1)
    counted = counted.on_conflict_do_update(index_elements=["customer_id"], set_={"version": Team.version + 1})
    version = work.session.scalars(counted.returning(Team.version)).one()
    event = CollaboratorsChanged(customer_id=customer.id, collaborators=states_of(work.session, customer.id))
    work.emit(event, aggregate_id=team_id(customer.id), version=version, agency_id=customer.agency_id)


def states_of(session: Session, customer_id: UUID) -> list[CollaboratorState]:
    columns = (Collaborator.person_id, Collaborator.part, Collaborator.rights, Collaborator.until)
    rows = session.execute(select(*columns).where(Collaborator.customer_id == customer_id).order_by(Collaborator.person_id))
    return [CollaboratorState.model_validate(row, from_attributes=True) for row in rows]
