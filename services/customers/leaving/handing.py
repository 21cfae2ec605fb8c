"""Handing over: what is begun when it is heard that somebody leaves, done thing by thing, and told.

The handover's row is locked first, then what every change of hands locks: the company's keys, the customer's row, the stocks.
"""

from uuid import UUID

from services.contracts.errors import HeldElsewhere, NotFound, QudaoError, ReceiverUnfit, StockIsFull
from services.contracts.leaving import (
    CustomersHandedOver,
    HandOverItem,
    HandoverReported,
    LeavingChanged,
    LeavingPlan,
    Outcome,
    SettleHandover,
)
from services.contracts.permissions import Scope
from services.customers.collision.subject import Subject
from services.customers.collision.verdict import Viewpoint
from services.customers.holding import moves
from services.customers.holding.ownership import follow_account, in_pool, place, pool_of, receivers, with_person
from services.customers.leaving import domain, queries
from services.customers.leaving.models import Handover
from services.customers.models import Customer
from services.directory.models import Person
from services.plumbing.call import Call
from services.plumbing.ids import new_id
from services.plumbing.work import Work

REFUSALS = (ReceiverUnfit, HeldElsewhere, StockIsFull)


def begin(work: Work, event: LeavingChanged) -> None:
    """The first round of a leaving, or one more; an event that comes late begins nothing anew.

    His stock is closed here, whatever else was heard of him: nothing comes to him any more that would be overlooked.
    """
    handover = queries.lock_handover(work.session, event.leaving_id)
    if event.status not in ("planned", "running") or (handover and event.round <= handover.round):
        return
    if handover is None:
        handover = Handover(id=event.leaving_id, version=0, person_id=event.user_id, agency_id=event.agency_id)
        work.session.add(handover)
    handover.round, handover.state, handover.finished_at = event.round, "running", None
    handover.plan, handover.ordered_by = event.plan.model_dump(mode="json"), event.ordered_by
    is_holder = "holds" in event.abilities
    report(work, handover)
    follow_account(work.session, event.user_id, event.agency_id, event.person_version, is_closed=True, is_holder=is_holder)


def plan_of(handover: Handover) -> LeavingPlan:
    return LeavingPlan.model_validate(handover.plan)


# --- customers


def prepare(call: Call, plan: LeavingPlan, customer_id: UUID) -> None:
    """Makes sure, before the transaction, that the receivers are known here and what they may hold."""
    listed = domain.listed_in(plan, customer_id)
    named = [receiver.person_id for receiver in plan.receivers] if listed is None else [listed.to] if listed.to else []
    for person_id in named:
        try:
            receivers.prepare(call, person_id)
        except NotFound:
            continue  # nobody: he is passed over when it is his turn


def hand_over_customer(work: Work, handover: Handover, customer_id: UUID) -> None:
    """To the first who can hold it of those who are to get it, and else to the agency pool with the reason."""
    subject = moves.lock_company(work.session, customer_id)
    customer = queries.lock_held(work.session, customer_id, handover.person_id)
    if customer is None:
        return
    plan, reason = plan_of(handover), None
    for person_id in domain.wanted(plan, customer_id, queries.given(work.session, handover.id)):
        refused = give(work, plan, customer, subject, person_id)
        if refused is None:
            count_received(work, handover, person_id)
            note(work, handover, "customer", customer.id, customer.name, "handed_over", to_id=person_id)
            return
        reason = refused.slug()
    place(work, customer, in_pool(pool_of(work.session, customer.agency_id, "agency")), "leaving", plan.reason)
    note(work, handover, "customer", customer.id, customer.name, "to_pool", reason=reason)


def give(work: Work, plan: LeavingPlan, customer: Customer, subject: Subject, person_id: UUID) -> QudaoError | None:
    """Why it could not be given to him, or None. What a refused try has locked and counted is let go again, so that two stocks
    are never kept out of their order."""
    receiver = work.session.get(Person, person_id)
    if receiver is None:
        return ReceiverUnfit()
    try:
        with work.session.begin_nested():
            moves.check(receiver, customer, Scope.AGENCY)
            viewpoint = Viewpoint(receiver.id, receiver.agency_id, may_claim=True)
            moves.refuse_twins(work.session, subject, customer, viewpoint, left_by=customer.owner_id)
            place(work, customer, with_person(receiver), "leaving", plan.reason, keep_team=plan.keep_collaborators)
    except REFUSALS as refused:
        return refused
    return None


def count_received(work: Work, handover: Handover, person_id: UUID) -> None:
    whose = {"handover_id": handover.id, "agency_id": handover.agency_id, "person_id": person_id}
    work.session.execute(queries.COUNT_RECEIVED, whose | {"id": new_id()})


def note(
    work: Work,
    handover: Handover,
    kind: str,
    item_id: UUID,
    name: str | None,
    outcome: Outcome,
    *,
    to_id: UUID | None = None,
    reason: str | None = None,
) -> None:
    """What became of something; of the same thing the last word counts."""
    said = {"kind": kind, "item_id": item_id, "name": name, "outcome": outcome, "to_id": to_id, "reason": reason}
    whose = {"id": new_id(), "handover_id": handover.id, "agency_id": handover.agency_id}
    work.session.execute(queries.PUT_ITEM, whose | said | {"round": handover.round, "at": work.now})


# --- telling


def lock_round(work: Work, command: HandOverItem | SettleHandover, *, read: bool = False) -> Handover | None:
    """None when this round is over: what comes late does nothing."""
    handover = queries.lock_handover(work.session, command.leaving_id, read=read)
    if handover is None or handover.state != "running" or handover.round != command.round:
        return None
    return handover


def settle(work: Work, handover: Handover, *, is_through: bool) -> None:
    """Tells how far it is, and the receivers what they have got."""
    tell_receivers(work, handover)
    if is_through:
        about = {"handover_id": handover.id, "round": handover.round, "at": work.now}
        work.session.execute(queries.FORGET_SETTLED, about)
        listed = [str(each.customer_id) for each in plan_of(handover).customers]
        ids = [str(new_id()) for _ in listed]
        work.session.execute(queries.NOTE_NOT_HELD, about | {"agency_id": handover.agency_id, "ids": ids, "item_ids": listed})
        left = sum(count.number for count in queries.counts_of(work.session, handover.id) if count.outcome == "left")
        held = queries.count_customers(work.session, handover.person_id)
        handover.state, handover.finished_at = domain.state_at_end(held=held, left=left), work.now
    report(work, handover)


def tell_receivers(work: Work, handover: Handover) -> None:
    for receiver in queries.lock_untold(work.session, handover.id):
        receiver.told, receiver.version = receiver.customers, receiver.version + 1
        told = CustomersHandedOver(
            leaving_id=handover.id, from_id=handover.person_id, to_id=receiver.person_id, customers=receiver.customers
        )
        work.emit(told, aggregate_id=receiver.id, version=receiver.version, agency_id=handover.agency_id)


def report(work: Work, handover: Handover) -> None:
    """Of one whose row is locked or new."""
    handover.version += 1
    work.session.flush()
    told = HandoverReported(
        leaving_id=handover.id,
        user_id=handover.person_id,
        round=handover.round,
        state=handover.state,
        counts=queries.counts_of(work.session, handover.id),
    )
    work.emit(told, aggregate_id=handover.id, version=handover.version, agency_id=handover.agency_id)
