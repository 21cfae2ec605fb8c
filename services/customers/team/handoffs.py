"""Handing a customer off to a colleague: offered, and nothing changes before he accepts.

Locks are taken as every change of hands takes them: the company's keys, the customer's row, then the handoff's. Who refuses or
withdraws locks the handoff alone.
"""

from uuid import UUID

from services.contracts.errors import HandoffOpen
from services.contracts.permissions import Scope
from services.contracts.team import OfferHandoff
from services.customers.collision.subject import Subject
from services.customers.collision.verdict import Viewpoint
from services.customers.holding.moves import check, lock_company, person, refuse_twins
from services.customers.holding.ownership import place, with_person
from services.customers.models import Customer
from services.customers.registry import queries
from services.customers.team import domain, members, offers
from services.customers.team import queries as team_queries
from services.customers.team.collaborating import another, lock_held
from services.customers.team.models import Handoff
from services.directory.models import Person
from services.plumbing.call import Call
from services.plumbing.work import Work


def offer(work: Work, call: Call, command: OfferHandoff) -> Handoff:
    """Raises HandoffOpen while another one waits for its answer, ReceiverUnfit."""
    customer = lock_held(work.session, call, command.customer_id)
    check(another(work.session, call, command.to, customer), customer, Scope.AGENCY)
    expires_at = domain.end_of_wait(command.expires_at, work.now)
    if waiting := offers.find_open(work.session, customer.id):
        if work.now < waiting.expires_at:
            raise HandoffOpen(handoff_id=str(waiting.id))
        offers.close(work, waiting, "lapsed")
    offered = command.model_dump(include={"part", "note", "keep_as", "keep_collaborators"})
    return offers.open_one(work, customer, to_id=command.to, offered_by=call.user_id, expires_at=expires_at, **offered)


# --- answering


def accept(work: Work, call: Call, handoff_id: UUID) -> Handoff:
    """Raises what may hinder the receiver, and then it stays open: ReceiverUnfit, HeldElsewhere, StockIsFull, TeamIsFull."""
    found = team_queries.get_offered_to(work.session, handoff_id, call.user_id)
    subject = lock_company(work.session, found.customer_id)
    customer = queries.lock_of_agency(work.session, found.customer_id, found.agency_id)
    handoff = offers.lock(work.session, found.id)
    check_open(work, handoff, is_as_offered=customer is not None and customer.holding == handoff.holding)
    assert customer
    receiver = person(work.session, handoff.to_id)
    check(receiver, customer, Scope.AGENCY)
    offers.close(work, handoff, "accepted", by=receiver.id)
    if domain.takes_over(handoff.part):
        take_over(work, handoff, customer, receiver, subject)
    else:
        rights = {"rights": list(domain.EVERY_RIGHT), "until": None}
        members.put(work, customer, receiver.id, part=handoff.part, given_by=handoff.offered_by, **rights)
    return handoff


def take_over(work: Work, handoff: Handoff, customer: Customer, receiver: Person, subject: Subject) -> None:
    refuse_twins(work.session, subject, customer, Viewpoint(receiver.id, receiver.agency_id, may_claim=True))
    place(work, customer, with_person(receiver), "handoff", handoff.part, keep_team=handoff.keep_collaborators)
    if handoff.keep_as:
        rights = {"rights": list(domain.RIGHTS_KEPT), "until": None}
        members.put(work, customer, handoff.from_id, part=handoff.keep_as, given_by=receiver.id, **rights)


def refuse(work: Work, call: Call, handoff_id: UUID, reason: str) -> Handoff:
    found = team_queries.get_offered_to(work.session, handoff_id, call.user_id)
    handoff = lock_open(work, found.id)
    offers.close(work, handoff, "refused", by=call.user_id, reason=reason)
    return handoff


def withdraw(work: Work, call: Call, handoff_id: UUID) -> Handoff:
    """By who offered it, or whoever may hand off what its holder then holds."""
    found = team_queries.get_given(work.session, handoff_id, call.scope, call.caller)
    handoff = lock_open(work, found.id)
    offers.close(work, handoff, "withdrawn", by=call.user_id)
    return handoff


def lapse(work: Work, handoff_id: UUID) -> Handoff:
    """Nothing is done to one that was answered meanwhile. Raises InvalidRequest before its time."""
    handoff = offers.lock(work.session, handoff_id)
    if handoff.state == "open":
        domain.check_is_due(expires_at=handoff.expires_at, now=work.now)
        offers.close(work, handoff, "lapsed")
    return handoff


def lock_open(work: Work, handoff_id: UUID) -> Handoff:
    """Raises HandoffClosed, HandoffLapsed."""
    handoff = offers.lock(work.session, handoff_id)
    check_open(work, handoff)
    return handoff


def check_open(work: Work, handoff: Handoff, *, is_as_offered: bool = True) -> None:
    domain.check_open(state=handoff.state, expires_at=handoff.expires_at, now=work.now, is_as_offered=is_as_offered)
