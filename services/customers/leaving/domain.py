"""Whose turn it is, and when a handover is over. Values in, decision out."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from services.contracts.leaving import Assignment, HandoverState, LeavingPlan, Share


def wanted(plan: LeavingPlan, customer_id: UUID, given: Mapping[UUID, int]) -> list[UUID]:
    """Who is to get a customer, the first choice first; nobody where it is meant for the agency pool.

    A customer that the plan lists is meant for that one alone.
    """
    listed = listed_in(plan, customer_id)
    if listed is None:
        return in_turn(plan.receivers, given)
    return [listed.to] if listed.to else []


def listed_in(plan: LeavingPlan, customer_id: UUID) -> Assignment | None:
    return next((each for each in plan.customers if each.customer_id == customer_id), None)


def in_turn(receivers: Sequence[Share], given: Mapping[UUID, int]) -> list[UUID]:
    """First who would be least ahead of his share with one more; of equals who stands first in the plan."""
    ordered = sorted(receivers, key=lambda receiver: (given.get(receiver.person_id, 0) + 1) / receiver.share)
    return [receiver.person_id for receiver in ordered]


def state_at_end(*, held: int, left: int) -> HandoverState:
    """After everything was gone through: what he still holds could not be given to anybody, nor to the pool."""
    return "with_leftovers" if held or left else "done"
