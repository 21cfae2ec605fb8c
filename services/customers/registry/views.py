"""What is told of a customer."""

from typing import Any

from services.contracts import customers as contract
from services.customers.disputes.domain import disputable_until
from services.plumbing.call import Call


def view(row: Any) -> contract.CustomerView:
    return contract.CustomerView.model_validate(row, from_attributes=True)


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


def attempt(row: Any, call: Call) -> contract.EntryAttemptView:
    until = disputable_until(row.outcome, row.reason, row.at)
    is_own = row.person_id == call.user_id and call.caller.may("dispute:open")
    return contract.EntryAttemptView(
        **{name: getattr(row, name) for name in OF_ATTEMPT},
        disputable_until=until,
        may_be_disputed=is_own and row.dispute_id is None and until is not None and row.now < until,
    )


OF_ATTEMPT = contract.EntryAttemptView.model_fields.keys() - {"disputable_until", "may_be_disputed"}
