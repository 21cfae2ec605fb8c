"""Deciding: by somebody who oversees both sides and is no party.

Locks are taken as by every change of hands: the company's keys, the customer's row, then the dispute's, then the stocks.
"""

from uuid import UUID

from sqlalchemy import true
from sqlalchemy.orm import Session

from services.contracts.disputes import DecideDispute, DisputeDecided
from services.contracts.errors import AlreadyTheirs, HolderChanged, HolderOutOfReach, OverseesOneSide, PartyToDispute
from services.customers.collision.subject import Subject
from services.customers.collision.verdict import Viewpoint
from services.customers.disputes import queries
from services.customers.disputes.models import Dispute
from services.customers.disputes.pleading import refuse_closed, tell
from services.customers.holding import moves
from services.customers.holding.ownership import place, with_person
from services.customers.models import Customer
from services.plumbing.call import Call
from services.plumbing.work import Work


def find_decidable(session: Session, call: Call, dispute_id: UUID) -> Dispute:
    """Who the sides are never changes, so that it is judged before anything is locked. Raises PartyToDispute, OverseesOneSide."""
    dispute = queries.get_dispute(session, dispute_id, queries.seen_by(call.caller))
    if queries.holds(session, dispute, queries.is_party(call.caller)):
        raise PartyToDispute()
    if not queries.holds(session, dispute, queries.overseen_by(call.caller)):
        raise OverseesOneSide()
    return dispute


def decide(work: Work, call: Call, command: DecideDispute) -> Dispute:
    """Raises AlreadyDecided when somebody was quicker; and see `award`: then the dispute stays open."""
    found = find_decidable(work.session, call, command.dispute_id)
    is_upheld = command.decision == "upheld"
    subject = moves.lock_company(work.session, found.customer_id) if is_upheld else Subject()
    customer = queries.lock_disputed(work.session, found.customer_id, call) if is_upheld else None
    dispute = queries.get_dispute(work.session, found.id, true(), is_locked=True)
    refuse_closed(dispute)
    placed_as = award(work, call, command, dispute, customer, subject) if is_upheld else None
    dispute.state, dispute.decided_by, dispute.decided_at = command.decision, call.user_id, work.now
    dispute.reason, dispute.placed_as = command.reason, placed_as
    dispute.version += 1
    tell(work, dispute, DisputeDecided)
    return dispute


def award(work: Work, call: Call, command: DecideDispute, dispute: Dispute, customer: Customer | None, subject: Subject) -> int:
    """The customer goes to the claimant; the number of that holding.

    Raises HolderOutOfReach, PartyToDispute, AlreadyTheirs, HolderChanged, ReceiverUnfit, HeldElsewhere, StockIsFull.
    """
    if customer is None:
        raise HolderOutOfReach()
    if customer.owner_id == call.user_id:
        raise PartyToDispute()
    if customer.owner_id == dispute.claimant_id:
        raise AlreadyTheirs()
    refuse_unseen_change(work.session, command, dispute, customer)
    claimant = moves.person(work.session, dispute.claimant_id)
    moves.check(claimant, customer, call.scope)
    moves.refuse_twins(work.session, subject, customer, Viewpoint(claimant.id, claimant.agency_id, may_claim=True))
    place(work, customer, with_person(claimant), "dispute", command.reason)
    return customer.holding


def refuse_unseen_change(session: Session, command: DecideDispute, dispute: Dispute, customer: Customer) -> None:
    """Who decides knows from whom it is taken. Raises HolderChanged with who has it now."""
    if customer.holding == (command.holding or dispute.holding):
        return
    holder = moves.person(session, customer.owner_id) if customer.owner_id else None
    raise HolderChanged(
        holding=customer.holding,
        held_since=customer.held_since.isoformat(),
        owner_id=str(holder.id) if holder else None,
        owner_name=holder.display_name if holder else None,
        pool_kind=moves.pool(session, customer).kind if customer.pool_id else None,
    )
