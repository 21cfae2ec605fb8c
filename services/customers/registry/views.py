"""What is told of a customer."""

from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from services.contracts import customers as contract
from services.customers.disputes.domain import disputable_until
from services.customers.fields.sight import OUT_OF_SIGHT, Sight, levels_of, restrict
from services.customers.registry import queries
from services.plumbing.call import Call
from services.plumbing.work import AlreadyAnswered


def view(connection: Connection | Session, call: Call, row: Any) -> contract.CustomerView:
    """As far as the caller sees it by the field policy."""
    return restrict(record(row), levels_of(connection, call, row, row.field_policy))


def record(row: Any) -> contract.CustomerView:
    """All of it: for the audit, which masks by itself, and for nobody else."""
    return contract.CustomerView.model_validate(row, from_attributes=True)


def again(call: Call, known: AlreadyAnswered) -> contract.CustomerView:
    """For a repetition: what was answered then, as far as the caller may see the customer by now."""
    kept = contract.CustomerView.model_validate_json(known.answer)
    with call.reading_rows() as connection:
        row = queries.find_customer(connection, kept.id, call.caller.scope("customer:read"), call.caller)
        levels = levels_of(connection, call, row, row.field_policy) if row else OUT_OF_SIGHT
    return restrict(kept, levels)


def line(row: Any) -> contract.CustomerLine:
    return contract.CustomerLine.model_validate(row, from_attributes=True)


def ownership(row: Any) -> contract.OwnershipView:
    return contract.OwnershipView(
        holding=row.number,
        owner_id=row.owner_id,
        owner_name=row.owner_name,
        pool_id=row.pool_id,
        pool_kind=row.pool_kind,
        cause=row.cause,
        reason=row.reason,
        actor=row.actor,
        since=row.held_from,
        until=row.held_until,
    )


def attempt(row: Any, call: Call, sight: Sight) -> contract.EntryAttemptView:
    """Its numbers are kept masked, and so whoever typed them sees no more."""
    until = disputable_until(row.outcome, row.reason, row.at)
    is_own = row.person_id == call.user_id and call.caller.may("dispute:open")
    shown = contract.EntryAttemptView(
        **{name: getattr(row, name) for name in OF_ATTEMPT},
        disputable_until=until,
        may_be_disputed=is_own and row.dispute_id is None and until is not None and row.now < until,
        restricted={"phone": "masked", "fax": "masked"},
    )
    return restrict(shown, sight.of_typed(row.person_id))


OF_ATTEMPT = contract.EntryAttemptView.model_fields.keys() - {"disputable_until", "may_be_disputed", "restricted"}
