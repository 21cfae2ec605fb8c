"""Revealing a masked field: for a reason, told and audited, so many a day. What it shows is kept nowhere, not even in the answer
that is kept for repetitions: see docs/decisions/0021-a-reveal-is-read-again.md."""

from typing import Any

from services.contracts import fields as contract
from services.contracts.errors import NotRevealable, RevealLimitReached
from services.customers.fields import domain, policy, queries
from services.customers.fields.models import Reveal
from services.customers.fields.sight import Sight, sight_by, sight_of
from services.customers.registry import queries as registry_queries
from services.plumbing.call import Call
from services.plumbing.clock import business_time
from services.plumbing.ids import new_id
from services.plumbing.work import Work

HIDDEN = "It is hidden from you."
SHOWN = "You see it in the customer: there is nothing to reveal."
EMPTY = "Nothing is known in this field."


def reveal(work: Work, call: Call, command: contract.RevealField) -> contract.RevealView:
    """What is answered, with the value. Raises NotFound, OutOfScope, NotRevealable, RevealLimitReached."""
    customer = registry_queries.lock_customer(work.session, command.customer_id, call.scope, call.caller)
    row = registry_queries.view_of(work.session, customer)
    known = policy.of_version(work.session, row.field_policy)
    value = revealed_value(row, command.field, sight_by(known, call))
    made = Reveal(
        id=new_id(),
        agency_id=customer.agency_id,
        customer_id=customer.id,
        person_id=call.user_id,
        field=command.field,
        reason=command.reason,
        at=work.now,
        day=domain.local_day(work.now),
    )
    limit = domain.reveals_a_day(known, call.caller.roles)
    revealed_today = count(work, call, made, limit)
    work.session.add(made)
    told = contract.FieldRevealed(
        reveal_id=made.id, customer_id=customer.id, person_id=made.person_id, field=command.field, is_counted=made.is_counted
    )
    work.emit(told, aggregate_id=made.id, version=1, agency_id=made.agency_id)
    audited = {"reveal_id": str(made.id), "field": made.field, "reason": made.reason, "is_counted": made.is_counted}
    work.audit(customer.id, agency_id=customer.agency_id, new=audited)
    return contract.RevealView(
        id=made.id,
        customer_id=customer.id,
        field=command.field,
        value=value,
        at=work.now,
        is_counted=made.is_counted,
        revealed_today=revealed_today,
        reveals_a_day=limit,
    )


def revealed_value(customer: Any, field: contract.RevealedField, sight: Sight) -> str:
    """Raises NotRevealable for what is hidden from the caller, shown to him anyway, or empty."""
    level = sight.of(customer)[field]
    if level != "masked":
        raise NotRevealable(detail=HIDDEN if level == "hidden" else SHOWN)
    value: str | None = getattr(customer, field)
    if value is None:
        raise NotRevealable(detail=EMPTY)
    return value


def count(work: Work, call: Call, made: Reveal, limit: int) -> int:
    """How many count on this day now, under the lock of the person's day. Raises RevealLimitReached."""
    row = queries.lock_count(work.session, made.person_id, call.caller.agency_id, made.day)
    made.is_counted = not queries.is_counted(work.session, made.person_id, made.day, made.customer_id, made.field)
    if made.is_counted:
        if row.revealed >= limit:
            until = domain.end_of(made.day)
            raise RevealLimitReached(limit=limit, until=until.isoformat(), retry_after=(until - work.now).total_seconds())
        row.revealed += 1
    return row.revealed


def again(call: Call, kept: contract.RevealView) -> contract.RevealView:
    """For a repetition of what was answered: the value is read anew, as long as the caller might reveal it still.

    On a later day it is not given: that would be a reveal that nobody counts.
    """
    with call.reading_rows() as connection:
        customer = registry_queries.find_customer(connection, kept.customer_id, call.scope, call.caller)
        if customer is None or domain.local_day(kept.at) != domain.local_day(business_time(connection)):
            return kept
        level = sight_of(connection, call, customer.field_policy).of(customer)[kept.field]
    return kept if level == "hidden" else kept.model_copy(update={"value": getattr(customer, kept.field)})
