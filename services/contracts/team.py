"""Working on a customer together: collaborators with rights that end, and handoffs that the receiver accepts or declines."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from services.contracts.base import (
    Command,
    Event,
    Line,
    Message,
    Moment,
    Nothing,
    Page,
    PageQuery,
    Query,
    Text,
    View,
    command,
    query,
)
from services.contracts.customers import ShowCustomer

Part = Literal["account_manager", "support", "presales", "other"]
"""What a collaborator does for the customer; it grants nothing, `rights` do."""
HandoffPart = Literal["account_manager", "support", "sales"]
"""What is handed off. `sales` and `account_manager` make the receiver the holder, `support` makes him a collaborator."""
Right = Literal["note", "read", "update"]
HandoffState = Literal["open", "accepted", "refused", "withdrawn", "lapsed"]
Closed = Literal["accepted", "refused", "withdrawn", "lapsed"]


def with_read(rights: tuple[Right, ...]) -> tuple[Right, ...]:
    if "read" not in rights:
        raise ValueError("read is always among them")
    return tuple(sorted(set(rights)))


Rights = Annotated[tuple[Right, ...], Field(min_length=1, max_length=3), AfterValidator(with_read)]


# --- collaborators


class Collaboration(Command):
    """`read`: sees the customer, its history and notes. `update`: edits it. `note`: writes notes. `until` is when they end."""

    part: Part
    rights: Rights
    until: Moment | None = None


class PutCollaborator(Collaboration):
    """Gives a colleague rights on a customer, in the place of those that he had."""

    customer_id: UUID
    person_id: UUID


class RemoveCollaborator(Command):
    customer_id: UUID
    person_id: UUID


class CollaboratorView(View):
    """Somebody who works on a customer that another person holds."""

    person_id: UUID
    person_name: str
    part: Part
    rights: list[Right]
    until: datetime | None
    given_by: UUID
    given_at: datetime


# --- handoffs


class HandoffOffer(Command):
    """Nothing changes before `to` accepts. `keep_as` is the part that the present holder keeps as a collaborator afterwards,
    `keep_collaborators` lets the others stay; neither has a meaning for `support`, which leaves all as it is."""

    to: UUID
    part: HandoffPart
    note: Text | None = None
    keep_as: Part | None = None
    keep_collaborators: bool = False
    expires_at: Moment | None = Field(default=None, description="72 hours from now unless given, 30 days at most.")


class OfferHandoff(HandoffOffer):
    customer_id: UUID


class AcceptHandoff(Command):
    handoff_id: UUID


class Refusal(Command):
    reason: Line


class RefuseHandoff(Refusal):
    handoff_id: UUID


class WithdrawHandoff(Command):
    handoff_id: UUID


class LapseHandoff(Command):
    """Closes one whose time is up."""

    handoff_id: UUID


class ShowHandoff(Query):
    handoff_id: UUID


class ListHandoffs(PageQuery):
    """The newest first. `mine`: offered to the caller. `given`: of what he holds or held, or offered by him. `visible`: all that
    he may see."""

    of: Literal["mine", "given", "visible"] = "mine"
    state: HandoffState | None = None
    customer_id: UUID | None = None


class HandoffView(View):
    """`from_id` held the customer when it was offered, `offered_by` is he or who oversees him."""

    id: UUID
    version: int
    customer_id: UUID
    name: str = Field(description="The customer's.")
    part: HandoffPart
    note: str | None
    keep_as: Part | None
    keep_collaborators: bool
    state: HandoffState = Field(description="`lapsed`: the customer changed hands meanwhile, or the time was up.")
    from_id: UUID
    from_name: str
    to_id: UUID
    to_name: str
    offered_by: UUID
    offered_at: datetime
    expires_at: datetime
    closed_by: UUID | None
    closed_at: datetime | None
    reason: str | None = Field(description="Why it was refused.")


PUT_COLLABORATOR = command("customers.put_collaborator", PutCollaborator, CollaboratorView, "collaborator:manage")
REMOVE_COLLABORATOR = command("customers.remove_collaborator", RemoveCollaborator, Nothing, "collaborator:manage")
LIST_COLLABORATORS = query("customers.list_collaborators", ShowCustomer, Page[CollaboratorView], "customer:read")
OFFER_HANDOFF = command("customers.offer_handoff", OfferHandoff, HandoffView, "handoff:create")
ACCEPT_HANDOFF = command("customers.accept_handoff", AcceptHandoff, HandoffView, "handoff:answer")
REFUSE_HANDOFF = command("customers.refuse_handoff", RefuseHandoff, HandoffView, "handoff:answer")
WITHDRAW_HANDOFF = command("customers.withdraw_handoff", WithdrawHandoff, HandoffView, "handoff:create")
LAPSE_HANDOFF = command("customers.lapse_handoff", LapseHandoff, Nothing, "handoff:lapse")
SHOW_HANDOFF = query("customers.show_handoff", ShowHandoff, HandoffView, "handoff:read")
LIST_HANDOFFS = query("customers.list_handoffs", ListHandoffs, Page[HandoffView], "handoff:read")


# --- events


class CollaboratorState(Message):
    """As in `Collaboration`; one whose `until` has come is told of until the next change."""

    person_id: UUID
    part: Part
    rights: list[Right]
    until: Moment | None = None


class CollaboratorsChanged(Event, source="customers"):
    """Full state: all who work on a customer besides its holder."""

    customer_id: UUID
    collaborators: list[CollaboratorState]


class HandoffChanged(Event, source="customers"):
    """Full state: a handoff was offered, or has come to an end. `holding` says under which holder of the customer."""

    handoff_id: UUID
    customer_id: UUID
    name: str
    holding: int
    part: HandoffPart
    note: str | None = None
    keep_as: Part | None = None
    keep_collaborators: bool = False
    state: HandoffState
    from_id: UUID
    to_id: UUID
    offered_by: UUID
    expires_at: Moment
    closed_by: UUID | None = None
    reason: str | None = None
