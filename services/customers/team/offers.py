"""Handoffs: offered once, closed once, each time told of."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.contracts.team import Closed, HandoffChanged
from services.customers.models import Customer
from services.customers.team.models import Handoff
from services.plumbing.ids import new_id
from services.plumbing.work import Work

TOLD = set(HandoffChanged.model_fields) - {"handoff_id"}


def find_open(session: Session, customer_id: UUID) -> Handoff | None:
    """The one of a customer whose row is locked; it is locked too."""
    query = select(Handoff).where(Handoff.customer_id == customer_id, Handoff.state == "open").with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def lock(session: Session, handoff_id: UUID) -> Handoff:
    """One that was found before, as it is now."""
    query = select(Handoff).where(Handoff.id == handoff_id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()


def open_one(work: Work, customer: Customer, **offer: object) -> Handoff:
    handoff = Handoff(
        id=new_id(),
        version=1,
        customer_id=customer.id,
        agency_id=customer.agency_id,
        name=customer.name,
        holding=customer.holding,
        from_id=customer.owner_id,
        state="open",
        offered_at=work.now,
        **offer,
    )
    work.session.add(handoff)
    tell(work, handoff)
    return handoff


def close(work: Work, handoff: Handoff, state: Closed, *, by: UUID | None = None, reason: str | None = None) -> None:
    """Of one whose row is locked and open."""
    handoff.state, handoff.closed_by, handoff.closed_at, handoff.reason = state, by, work.now, reason
    handoff.version += 1
    tell(work, handoff)


def tell(work: Work, handoff: Handoff) -> None:
    """And writes the row, for whoever asks by SQL next."""
    work.session.flush()
    event = HandoffChanged(handoff_id=handoff.id, **{name: getattr(handoff, name) for name in TOLD})
    work.emit(event, aggregate_id=handoff.id, version=handoff.version, agency_id=handoff.agency_id)
