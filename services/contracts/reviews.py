"""The review queue: entries that came near others, and what somebody has decided about them."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from services.contracts.base import (
    Command,
    Event,
    Line,
    Nothing,
    Page,
    PageQuery,
    Query,
    View,
    command,
    query,
)
from services.contracts.collision import Hit
from services.contracts.customers import ShownPhone, Source
from services.contracts.fields import RestrictedView

ReviewOrigin = Literal["confirmed", "waiting", "pool", "changed", "raced", "web"]
"""How a review came about: an entry made although others were seen to come near, one that waits for the decision, one made in a
pool, an edit by which others came near, an entry made at the same instant as another one, a web-registered member."""
Decided = Literal["different", "same", "withdrawn"]
ReviewState = Literal["open", "different", "same", "withdrawn"]
Ref = Annotated[str, StringConstraints(max_length=64)]


class ListReviews(PageQuery):
    """The newest first."""

    state: ReviewState | None = None


class ShowReview(Query):
    review_id: UUID


class ReviewLine(View):
    """An entry that came near others, and what was decided about it."""

    id: UUID
    version: int
    origin: ReviewOrigin
    state: ReviewState
    at: datetime
    name: str
    customer_id: UUID | None = Field(description="Null as long as the entry waits, and when nothing came of it.")
    person_id: UUID = Field(description="Who entered or changed it.")
    person_name: str
    reason: str
    decided_by: UUID | None
    decided_at: datetime | None
    comment: str | None
    same_as: str | None = Field(description="The ref of the customer that it is.")
    same_as_name: str | None


class ReviewedEntry(RestrictedView):
    """What was typed; of a customer that was made, what is known of it."""

    name: str
    aliases: list[str]
    phone: ShownPhone | None
    fax: ShownPhone | None
    email: ShownPhone | None
    province: str | None
    city: str | None
    address: str | None
    contact_person: ShownPhone | None
    source: Source
    industry: str | None
    website: str | None
    credit_code: str | None
    size: str | None
    needs: str | None
    is_key: bool


class ReviewView(ReviewLine):
    """`hits` are those that come near as things stand now, as the viewer may see them, with their reasons.

    `entry` is null where who holds the customer by now is not the viewer's to oversee.
    """

    entry: ReviewedEntry | None
    hits: tuple[Hit, ...]


class Decision(Command):
    """`different`: it is another company. `same`: it is the one that `same_as` names by its ref.

    `seen` are refs of those that have come near since the entry, where a decision was refused because of them.
    """

    decision: Literal["different", "same"]
    same_as: Ref | None = None
    comment: Line | None = None
    seen: Annotated[tuple[Ref, ...], Field(max_length=200)] = ()

    @model_validator(mode="after")
    def refuse_half(self) -> "Decision":
        if (self.decision == "same") != (self.same_as is not None):
            raise ValueError("same_as is given with same, and with nothing else")
        return self


class DecideReview(Decision):
    review_id: UUID


class WithdrawEntry(Command):
    """Takes back an own entry that waits."""

    review_id: UUID


class OpenRacedReview(Command):
    """Puts a customer into the queue that came in at the same instant as others near it, unless these were seen already."""

    customer_id: UUID
    near: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=200)]


class MoveRaceCursor(Command):
    """Up to this event there is nothing more to look at."""

    position: Annotated[int, Field(ge=1, lt=2**63)]


LIST_REVIEWS = query("customers.list_reviews", ListReviews, Page[ReviewLine], "review:read")
SHOW_REVIEW = query("customers.show_review", ShowReview, ReviewView, "review:read")
DECIDE_REVIEW = command("customers.decide_review", DecideReview, ReviewLine, "review:decide")
WITHDRAW_ENTRY = command("customers.withdraw_entry", WithdrawEntry, ReviewLine, "customer:create")
OPEN_RACED_REVIEW = command("customers.open_raced_review", OpenRacedReview, Nothing, "review:open")
MOVE_RACE_CURSOR = command("customers.move_race_cursor", MoveRaceCursor, Nothing, "review:open")


# --- events


class ReviewOpened(Event, source="customers"):
    """An entry that came near others waits in the queue for somebody's judgement; `near` counts them."""

    review_id: UUID
    origin: ReviewOrigin
    person_id: UUID
    name: str
    customer_id: UUID | None = None
    near: int


class ReviewDecided(Event, source="customers"):
    """It was judged, or withdrawn by who had entered it; `same_as` is the ref of the customer that it is."""

    review_id: UUID
    origin: ReviewOrigin
    state: Decided
    person_id: UUID
    name: str
    customer_id: UUID | None = None
    decided_by: UUID
    same_as: str | None = None
