"""What is told of a customer."""

from typing import Any

from services.contracts import customers as contract


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
