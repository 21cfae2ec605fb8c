"""First contacts with web-registered members: what is heard of them, what is done when their time is up, how they are shown.

A customer moves, notes are written and verdicts given in three services, and what is told of it comes in any order. So handlers
only add what they hear to what is known, and `settle` draws the state from all of it.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, cast

from services.contracts import rules as contract
from services.contracts.activities import CLOSE_DEADLINE, CloseDeadline, ContactNoteWritten, DeadlineClosed
from services.contracts.base import Envelope, Page
from services.contracts.customers import TAKE_BACK, CustomerMoved, CustomerState, TakeBack
from services.contracts.errors import DeadlinePassed, QudaoError, ServiceUnavailable
from services.directory.scopes import visible
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.chores import Chore
from services.plumbing.clock import business_time
from services.plumbing.work import Work
from services.rules import deadline_queries as queries
from services.rules import domain, policies
from services.rules.models import Deadline
from services.rules.policy_queries import find_follow_up

log = logging.getLogger(__name__)

BATCH = 200


# --- what is heard


def hear_of_customer(event: CustomerState, envelope: Envelope, work: Work) -> None:
    """Each event tells of a holding, and so that the one before it is over; the customer is locked."""
    if event.source != "web" or event.held_since is None:
        return
    due_at = None
    if event.owner_id:
        policy = policies.follow_up_view(envelope.agency_id, find_follow_up(work.session, envelope.agency_id))
        due_at = event.held_since + timedelta(hours=policy.hours)
    queries.note(
        work.session,
        event.customer_id,
        event.holding,
        envelope.agency_id,
        owner_id=event.owner_id,
        received_at=event.held_since,
        due_at=due_at,
    )
    if event.holding > 1:
        over: dict[str, Any] = {"moved_on_at": event.held_since}
        if isinstance(event, CustomerMoved) and event.cause == "take_back":
            over["is_taken_back"] = True
        queries.note(work.session, event.customer_id, event.holding - 1, envelope.agency_id, **over)
    queries.settle(work.session, event.customer_id)


def hear_of_contact(event: ContactNoteWritten, work: Work) -> None:
    queries.settle(work.session, event.customer_id)


def hear_verdict(event: DeadlineClosed, envelope: Envelope, work: Work) -> None:
    queries.note(
        work.session,
        event.customer_id,
        event.holding,
        envelope.agency_id,
        owner_id=event.owner_id,
        due_at=event.due,
        verdict=event.verdict,
        is_forfeited=event.forfeited,
    )
    queries.settle(work.session, event.customer_id)


# --- what is done


def close_due(chore: Chore) -> None:
    """Asks activities for the verdicts that are due. What it says is heard as DeadlineClosed."""
    with chore.reading() as session:
        due = queries.list_due(session, BATCH)
    for deadline, on_missed in due:
        assert deadline.owner_id
        assert deadline.due_at
        forfeit = (on_missed or contract.FollowUpChange().on_missed) == "take_back"
        command = CloseDeadline(
            customer_id=deadline.customer_id,
            agency_id=deadline.agency_id,
            owner_id=deadline.owner_id,
            holding=deadline.holding,
            due=deadline.due_at,
            forfeit=forfeit,
        )
        with unless_refused(deadline):
            chore.ask(CLOSE_DEADLINE, command, key=f"close/{deadline.id}/{forfeit}")


def take_back_forfeited(chore: Chore) -> None:
    """Asks customers to take back what was forfeited. That it went, or had gone elsewhere, is heard as CustomerMoved."""
    with chore.reading() as session:
        forfeited = queries.list_forfeited(session, BATCH)
        agencies = {deadline.agency_id for deadline in forfeited}
        policy_of = {agency_id: find_follow_up(session, agency_id) for agency_id in agencies}
    for deadline in forfeited:
        assert deadline.owner_id
        assert deadline.due_at
        assert deadline.received_at
        hours = round((deadline.due_at - deadline.received_at).total_seconds() / 3600)
        command = TakeBack(
            customer_id=deadline.customer_id,
            owner_id=deadline.owner_id,
            holding=deadline.holding,
            reason=f"no contact within {hours} hours",
            policy_version=policy.version if (policy := policy_of[deadline.agency_id]) else 0,
        )
        with unless_refused(deadline):
            chore.ask(TAKE_BACK, command, key=f"take-back/{deadline.id}")


@contextmanager
def unless_refused(deadline: Deadline) -> Iterator[None]:
    """One that is refused does not hold up those behind it; a service that does not answer does."""
    try:
        yield
    except (ServiceUnavailable, DeadlinePassed):
        raise
    except QudaoError as error:
        log.warning("deadline %s put off: %s %s", deadline.id, error.slug(), error.details)


# --- how they are shown


def list_deadlines(query: contract.ListDeadlines, call: Call) -> Page[contract.DeadlineView]:
    before = paging.decode_id(query.cursor)
    scope = visible(call.scope, call.caller, owner=Deadline.owner_id, agency=Deadline.agency_id)
    with call.reading() as session:
        now = business_time(session)
        rows = queries.list_deadlines(session, scope, query.state, now if query.overdue else None, before, query.limit + 1)
    return paging.page(Page[contract.DeadlineView], [view(row, now) for row in rows], query.limit)


def view(row: queries.Named, now: datetime) -> contract.DeadlineView:
    deadline, owner_name = row
    assert deadline.owner_id
    assert deadline.due_at
    assert deadline.received_at
    state = cast(contract.DeadlineState, deadline.state)
    return contract.DeadlineView(
        id=deadline.id,
        customer_id=deadline.customer_id,
        customer_name=deadline.customer_name or "",
        owner_id=deadline.owner_id,
        owner_name=owner_name or "",
        received_at=deadline.received_at,
        due_at=deadline.due_at,
        seconds_left=domain.seconds_left(deadline.due_at, now),
        state=state,
        is_overdue=domain.is_overdue(state, deadline.due_at, now),
    )
