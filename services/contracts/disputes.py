"""Disputes: who was refused an entry appeals with evidence, the holder answers, and somebody who is no party decides."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from services.contracts.base import (
    Command,
    Event,
    Moment,
    Page,
    PageQuery,
    Query,
    View,
    command,
    query,
    refuse_control_characters,
    refuse_the_invisible,
)
from services.contracts.customers import PoolKind

DisputeState = Literal["open", "upheld", "dismissed", "withdrawn"]
EvidenceKind = Literal["note", "document", "contract", "chat", "call", "other"]
Words = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4_000), AfterValidator(refuse_control_characters)
]
Reference = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=1_000, pattern=r"^https?://[^\s<>\"]+$"),
    AfterValidator(refuse_the_invisible),
]
"""Where a document lies; somebody will click on it, so it is http or https."""


class Evidence(Command):
    """A piece of evidence: what it says, and where it lies if it lies anywhere."""

    kind: EvidenceKind
    text: Words
    reference: Reference | None = None


class OpenDispute(Command):
    """Appeals against the refusal of an own entry. `claim` says why the customer should be the caller's."""

    attempt_id: UUID
    claim: Words
    evidence: Annotated[list[Evidence], Field(min_length=1, max_length=20)]


class Reply(Command):
    """The other side's word, once."""

    answer: Words
    evidence: Annotated[tuple[Evidence, ...], Field(max_length=20)] = ()


class AnswerDispute(Reply):
    dispute_id: UUID


class Ruling(Command):
    """`upheld`: the customer goes to the claimant. `dismissed`: it stays where it is. Both sides read the reason.

    `holding` confirms that it shall be so although the customer has changed hands since: the number that the refusal told.
    """

    decision: Literal["upheld", "dismissed"]
    reason: Words
    holding: Annotated[int, Field(ge=1, lt=2**31)] | None = None


class DecideDispute(Ruling):
    dispute_id: UUID


class WithdrawDispute(Command):
    dispute_id: UUID


class ShowDispute(Query):
    dispute_id: UUID


class ListDisputes(PageQuery):
    """The newest first. `mine`: those that the caller is a side of. `visible`: all that he may see."""

    of: Literal["mine", "visible"] = "visible"
    state: Literal["open", "overdue", "upheld", "dismissed", "withdrawn"] | None = Field(
        default=None, description="`overdue`: open, and its time is up."
    )


class Side(View):
    """Who it is. Of a side of another agency nothing is told but the agency; of a customer in a pool, in which it lies."""

    agency_name: str | None
    person_id: UUID | None
    person_name: str | None
    pool_kind: PoolKind | None = None


class DisputeLine(View):
    """An appeal against a refused entry. `holder` is who held the customer when it was opened."""

    id: UUID
    version: int
    state: DisputeState
    is_overdue: bool = Field(description="Open, and its time is up.")
    opened_at: datetime
    due_at: datetime
    name: str
    attempt_id: UUID | None = Field(description="For who entered it, and who oversees him.")
    customer_id: UUID | None = Field(description="For the holder's side; for the claimant's once it was upheld.")
    claimant: Side
    holder: Side
    answered_at: datetime | None
    decided_by: UUID | None
    decided_at: datetime | None
    reason: str | None
    may_decide: bool = Field(description="Whether it is the viewer's to decide.")


class EvidenceView(View):
    kind: EvidenceKind
    text: str
    reference: str | None


class StatementView(View):
    """What one side says. To the other side its numbers are masked, and of the evidence only the kinds are told."""

    at: datetime
    text: str
    kinds: list[EvidenceKind]
    evidence: list[EvidenceView] | None


class DisputeView(DisputeLine):
    """What the side of another agency says is not told: null."""

    claim: StatementView | None
    answer: StatementView | None


OPEN_DISPUTE = command("customers.open_dispute", OpenDispute, DisputeView, "dispute:open")
ANSWER_DISPUTE = command("customers.answer_dispute", AnswerDispute, DisputeView, "dispute:answer")
WITHDRAW_DISPUTE = command("customers.withdraw_dispute", WithdrawDispute, DisputeView, "dispute:open")
DECIDE_DISPUTE = command("customers.decide_dispute", DecideDispute, DisputeView, "dispute:decide")
LIST_DISPUTES = query("customers.list_disputes", ListDisputes, Page[DisputeLine], "dispute:read")
SHOW_DISPUTE = query("customers.show_dispute", ShowDispute, DisputeView, "dispute:read")


# --- events


class DisputeAsItStands(Event):
    """Full state, without what the sides say. Of two agencies, these events are headquarters': they name people of both."""

    dispute_id: UUID
    state: DisputeState
    attempt_id: UUID
    customer_id: UUID
    name: str
    agency_id: UUID
    claimant_id: UUID
    holder_agency_id: UUID
    holder_id: UUID | None = None
    pool_kind: PoolKind | None = None
    holding: int
    opened_at: Moment
    due_at: Moment
    answered_at: Moment | None = None
    decided_by: UUID | None = None
    decided_at: Moment | None = None
    placed_as: int | None = None


class DisputeOpened(DisputeAsItStands, source="customers"):
    """Somebody appeals against the refusal of his entry; to be decided by `due_at`."""


class DisputeAnswered(DisputeAsItStands, source="customers"):
    """The holder's side has answered."""


class DisputeDecided(DisputeAsItStands, source="customers"):
    """Upheld or dismissed. Upheld, the customer has come to the claimant as the holding `placed_as`."""


class DisputeWithdrawn(DisputeAsItStands, source="customers"):
    """The claimant has taken it back."""
