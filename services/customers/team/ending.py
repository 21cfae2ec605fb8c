"""What ends when a customer changes hands: the handoff that was open, and the rights of those who worked on it."""

from uuid import UUID

from sqlalchemy import text

from services.customers.models import Customer
from services.customers.team import members, offers
from services.plumbing.work import Work

# One question, because most customers have neither.
CONCERNED = text(
    """
    SELECT EXISTS (SELECT FROM collaborator WHERE customer_id = :customer_id) AS has_team,
           EXISTS (SELECT FROM handoff WHERE customer_id = :customer_id AND state = 'open') AS has_handoff
    """
)


def leave(work: Work, customer: Customer, *, kept_by: UUID | None) -> None:
    """Before a customer whose row is locked leaves its holder. `kept_by`: who holds it from now on and keeps the team."""
    concerned = work.session.execute(CONCERNED, {"customer_id": customer.id}).one()
    if concerned.has_team:
        members.end(work, customer, kept_by=kept_by)
    if concerned.has_handoff and (handoff := offers.find_open(work.session, customer.id)):
        offers.close(work, handoff, "lapsed")
