"""Leaving with handover: who leaves is out at once, and what he holds goes to colleagues or to the agency pool.

identity keeps the leaving: who, by which plan, how far it is. Each service that keeps something of people does its part, and
tells how far it is by `HandoverReported`. PARTICIPANTS says which these are.
"""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from services.contracts.base import (
    Command,
    Event,
    Line,
    Message,
    Nothing,
    Page,
    PageQuery,
    Query,
    View,
    command,
    query,
)
from services.contracts.identity import RestoreUser, UserView
from services.contracts.permissions import Ability

PARTICIPANTS: tuple[str, ...] = ("customers",)
"""The services that hand something over. One that is added takes part in the leavings that are ordered from then on."""

LeavingStatus = Literal["planned", "running", "done", "with_leftovers"]
"""`planned`: nobody has begun. `with_leftovers`: over, and something is left that a person must settle."""
HandoverState = Literal["running", "done", "with_leftovers"]
ItemKind = Literal["customer", "collaboration", "handoff", "dispute", "entry", "pool", "territory"]
"""`collaboration`: rights on a colleague's customer. `handoff`: offered to him. `dispute`: open, he is a side of it. `entry`:
waits for its review. `pool`: he works in it. `territory`: members are given to him in turn."""
Outcome = Literal["handed_over", "to_pool", "not_held", "ended", "left"]
"""`to_pool`: to the agency pool. `not_held`: the plan names it, and it was not his. `ended`: it was closed, or his part in it.
`left`: as it was, a person must settle it."""

MOST_RECEIVERS, MOST_LISTED = 50, 1000


class Share(Command):
    """A colleague, and how many customers he gets in comparison with the others."""

    person_id: UUID
    share: Annotated[int, Field(ge=1, le=100)] = 1


class Assignment(Command):
    """A customer, and who gets it; the agency pool without `to`."""

    customer_id: UUID
    to: UUID | None = None


def refuse_twice(receivers: tuple[Share, ...]) -> tuple[Share, ...]:
    if len({receiver.person_id for receiver in receivers}) < len(receivers):
        raise ValueError("must not name a person twice")
    return receivers


def refuse_twice_listed(listed: tuple[Assignment, ...]) -> tuple[Assignment, ...]:
    if len({each.customer_id for each in listed}) < len(listed):
        raise ValueError("must not name a customer twice")
    return listed


class LeavingPlan(Command):
    """Listed customers go where the list says, the others to the receivers in turn, by their shares; without receivers to the
    agency pool. What a receiver cannot hold goes to the agency pool and is reported. Who works on a customer besides its holder
    goes on with `keep_collaborators`."""

    receivers: Annotated[tuple[Share, ...], Field(max_length=MOST_RECEIVERS), AfterValidator(refuse_twice)] = ()
    customers: Annotated[tuple[Assignment, ...], Field(max_length=MOST_LISTED), AfterValidator(refuse_twice_listed)] = ()
    keep_collaborators: bool = True
    reason: Line | None = None


class LeaveUser(Command):
    """Disables a user, ends his sessions, and has what he holds handed over by the plan."""

    user_id: UUID
    plan: LeavingPlan


class RepeatLeaving(Command):
    """Goes through everything once more, by the same plan. Nothing changes where nothing is left."""

    leaving_id: UUID


class ShowLeaving(Query):
    leaving_id: UUID


class ListLeavings(PageQuery):
    """The newest first."""

    status: LeavingStatus | None = None
    user_id: UUID | None = None


class Count(Message):
    """How many items of a kind have come to this."""

    kind: str
    outcome: str
    number: int


class PartView(View):
    """What a service has done of it. `state` is absent until it has begun."""

    service: str
    state: HandoverState | None
    counts: list[Count]


class LeavingView(View):
    """`round` counts how often it was gone through."""

    id: UUID
    version: int
    user_id: UUID
    user_name: str
    agency_id: UUID
    status: LeavingStatus
    plan: LeavingPlan
    round: int
    ordered_by: UUID
    ordered_at: datetime
    finished_at: datetime | None
    parts: list[PartView]


class ListLeavingItems(PageQuery):
    """In the order in which they were gone through. `of`: the customers, or everything else."""

    leaving_id: UUID
    of: Literal["customers", "others"] = "customers"
    outcome: Outcome | None = None


class LeavingItem(View):
    """`reason` is the type of the problem by which no receiver could hold it, or what else was in the way."""

    id: UUID
    kind: ItemKind
    item_id: UUID
    name: str | None = Field(description="Of the customer, or of the pool.")
    outcome: Outcome
    to_id: UUID | None
    to_name: str | None
    reason: str | None
    round: int
    at: datetime


class Held(View):
    """What a user still has."""

    customers: int
    collaborations: int
    handoffs: int = Field(description="Offered to him, open.")
    disputes: int = Field(description="Open, he is a side of them.")
    entries: int = Field(description="Wait for their review.")
    pools: int = Field(description="He works in.")


class ShowHeld(Query):
    user_id: UUID


class HandOverItem(Command):
    """One thing of somebody who leaves, in the round that is under way."""

    leaving_id: UUID
    round: int
    kind: ItemKind
    item_id: UUID


class SettleHandover(Command):
    """Tells how far it is. `is_through`: everything was gone through."""

    leaving_id: UUID
    round: int
    is_through: bool


class DisabledUser(UserView):
    """`holds` is what he still has: it stays his until he leaves with handover. Absent while it cannot be counted."""

    holds: Held | None = None


class RestoredUser(UserView):
    """`handed_over`: the leaving by which what he had went to others. It does not come back with him."""

    handed_over: UUID | None = None


RESTORE_USER = command("identity.restore_user", RestoreUser, RestoredUser, "user:restore")
LEAVE_USER = command("identity.leave_user", LeaveUser, LeavingView, "user:leave")
REPEAT_LEAVING = command("identity.repeat_leaving", RepeatLeaving, LeavingView, "user:leave")
SHOW_LEAVING = query("identity.show_leaving", ShowLeaving, LeavingView, "leaving:read")
LIST_LEAVINGS = query("identity.list_leavings", ListLeavings, Page[LeavingView], "leaving:read")
LIST_LEAVING_ITEMS = query("customers.list_leaving_items", ListLeavingItems, Page[LeavingItem], "leaving:read")
SHOW_HELD = query("customers.show_held", ShowHeld, Held, "user:disable")
HAND_OVER_ITEM = command("customers.hand_over_item", HandOverItem, Nothing, "handover:perform")
SETTLE_HANDOVER = command("customers.settle_handover", SettleHandover, Nothing, "handover:perform")


# --- events


class LeavingChanged(Event, source="identity"):
    """Full state. `person_version` is the user's since when he is out: what makes him active again has a higher one."""

    leaving_id: UUID
    user_id: UUID
    agency_id: UUID
    person_version: int
    abilities: list[Ability]
    status: LeavingStatus
    plan: LeavingPlan
    round: int
    ordered_by: UUID


class HandoverReported(Event, source="customers"):
    """Full state of what a service has done of a leaving."""

    leaving_id: UUID
    user_id: UUID
    round: int
    state: HandoverState
    counts: list[Count]


class CustomersHandedOver(Event, source="customers"):
    """To somebody who gets customers of a colleague who leaves: how many by now."""

    leaving_id: UUID
    from_id: UUID
    to_id: UUID
    customers: int


class HolderAway(Event, source="customers"):
    """Somebody who holds customers was locked or disabled: who oversees him is to see to them."""

    person_id: UUID
    department_id: UUID
    status: Literal["locked", "disabled"]
    customers: int
