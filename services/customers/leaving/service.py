"""Leaving with handover, as far as customers are concerned."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from services.contracts import leaving as contract
from services.contracts.base import Envelope, Nothing, Page
from services.contracts.errors import DeadlinePassed, OutOfScope, QudaoError, ServiceUnavailable
from services.contracts.identity import UserAdded, UserChanged
from services.contracts.permissions import Scope
from services.customers.holding.ownership import follow_account
from services.customers.leaving import handing, queries
from services.customers.leaving.models import Handover
from services.customers.leaving.others import ENDINGS
from services.customers.models import Stock
from services.directory.scopes import visible
from services.directory.service import known_person
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.chores import Chore, every
from services.plumbing.events import handles
from services.plumbing.ids import new_id
from services.plumbing.rpc import serves
from services.plumbing.work import Work

log = logging.getLogger(__name__)

AT_ONCE = 100


class LeavingService:
    """What somebody who leaves has, thing by thing."""

    @handles(UserAdded, UserChanged)
    def close_stock(self, event: UserAdded, envelope: Envelope, work: Work) -> None:
        """Of who is disabled; it is opened when he is back."""
        is_holder, is_closed = "holds" in event.abilities, event.status == "disabled"
        whose = (event.user_id, event.agency_id, envelope.version)
        follow_account(work.session, *whose, is_closed=is_closed, is_holder=is_holder)
        if isinstance(event, UserChanged) and event.change in ("locked", "disabled"):
            tell_away(work, event)

    @handles(contract.LeavingChanged)
    def follow_leaving(self, event: contract.LeavingChanged, envelope: Envelope, work: Work) -> None:
        handing.begin(work, event)

    @every(seconds=2)
    def hand_over(self, chore: Chore) -> None:
        with chore.reading() as session:
            running = queries.list_running(session)
        for handover in running:
            carry_out(chore, handover)

    @serves(contract.HAND_OVER_ITEM)
    def hand_over_item(self, command: contract.HandOverItem, call: Call) -> Nothing:
        if command.kind == "customer":
            prepare(call, command)
        with call.transaction() as work:
            if handover := handing.lock_round(work, command, read=True):
                hand_over(work, handover, command)
            return work.answer(Nothing())

    @serves(contract.SETTLE_HANDOVER)
    def settle_handover(self, command: contract.SettleHandover, call: Call) -> Nothing:
        with call.transaction() as work:
            if handover := handing.lock_round(work, command):
                handing.settle(work, handover, is_through=command.is_through)
                audit(work, handover, handover.person_id, {"handover": handover.state})
            return work.answer(Nothing())

    # --- showing

    @serves(contract.SHOW_HELD)
    def show_held(self, query: contract.ShowHeld, call: Call) -> contract.Held:
        person = known_person(call, query.user_id)
        if call.scope is not Scope.ALL and person.agency_id != call.caller.agency_id:
            raise OutOfScope()
        with call.reading() as session:
            return held_view(queries.count_held(session, person.id))

    @serves(contract.LIST_LEAVING_ITEMS)
    def list_leaving_items(self, query: contract.ListLeavingItems, call: Call) -> Page[contract.LeavingItem]:
        seen = visible(call.scope, call.caller, owner=queries.LEAVER, agency=queries.ITEMS.c.agency_id)
        with call.reading_rows() as connection:
            rows = queries.list_items(connection, seen, query, paging.decode_id(query.cursor))
        return paging.page(Page[contract.LeavingItem], [item_view(row) for row in rows], query.limit)


def tell_away(work: Work, event: UserChanged) -> None:
    """Who oversees somebody that cannot log in any more is to see to what he holds."""
    stock = work.session.get(Stock, event.user_id)
    if stock is None or stock.held == 0:
        return
    told = contract.HolderAway(
        person_id=event.user_id, department_id=event.department_id, status=event.status, customers=stock.held
    )
    work.emit(told, aggregate_id=new_id(), version=1, agency_id=event.agency_id)


# --- one round


def carry_out(chore: Chore, handover: Handover) -> None:
    """Each thing by a command of its own, with a key that is the same when it comes again: cut short at any point, it goes on
    where it was. What others had to do with comes first, so that nobody accepts or decides in his name meanwhile."""
    with chore.reading() as session:
        others = queries.list_others(session, handover.person_id)
    for kind, item_id in others:
        ask_for(chore, handover, kind, item_id)
    last: UUID | None = None
    while customers := next_customers(chore, handover, last):
        for last in customers:
            ask_for(chore, handover, "customer", last)
        settle(chore, handover, str(last))
    settle(chore, handover, "through")


def next_customers(chore: Chore, handover: Handover, after: UUID | None) -> list[UUID]:
    with chore.reading() as session:
        return list(queries.list_customers(session, handover.person_id, after, AT_ONCE))


def ask_for(chore: Chore, handover: Handover, kind: Any, item_id: UUID) -> None:
    command = contract.HandOverItem(leaving_id=handover.id, round=handover.round, kind=kind, item_id=item_id)
    with unless_refused(command):
        chore.ask(contract.HAND_OVER_ITEM, command, key=f"hand-over/{handover.id}/{handover.round}/{kind}/{item_id}")


def settle(chore: Chore, handover: Handover, point: str) -> None:
    command = contract.SettleHandover(leaving_id=handover.id, round=handover.round, is_through=point == "through")
    chore.ask(contract.SETTLE_HANDOVER, command, key=f"settle/{handover.id}/{handover.round}/{point}")


@contextmanager
def unless_refused(command: contract.HandOverItem) -> Iterator[None]:
    """One that fails does not hold up those behind it, and is among the leftovers; a service that does not answer does."""
    try:
        yield
    except (ServiceUnavailable, DeadlinePassed):
        raise
    except QudaoError as error:
        log.warning("%s %s of leaving %s stays: %s", command.kind, command.item_id, command.leaving_id, error.slug())


def prepare(call: Call, command: contract.HandOverItem) -> None:
    with call.reading() as session:
        handover = session.get(Handover, command.leaving_id)
    if handover:
        handing.prepare(call, handing.plan_of(handover), command.item_id)


def hand_over(work: Work, handover: Handover, command: contract.HandOverItem) -> None:
    if command.kind == "customer":
        handing.hand_over_customer(work, handover, command.item_id)
    else:
        ENDINGS[command.kind](work, handover, command.item_id)
    audit(work, handover, command.item_id, {"leaving": str(handover.id), "kind": command.kind})


def audit(work: Work, handover: Handover, subject_id: UUID, new: dict[str, str]) -> None:
    """The service acts; it does so for the administrator who ordered the leaving."""
    work.audit(subject_id, agency_id=handover.agency_id, on_behalf_of=handover.ordered_by, new=new)


# --- views


def held_view(counted: dict[str, int]) -> contract.Held:
    return contract.Held(
        customers=counted["customer"],
        collaborations=counted["collaboration"],
        handoffs=counted["handoff"],
        disputes=counted["dispute"],
        entries=counted["entry"],
        pools=counted["pool"],
    )


def item_view(row: Any) -> contract.LeavingItem:
    return contract.LeavingItem.model_validate(row, from_attributes=True)
