"""The review queue: entries that came near others, and who decides about them."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from gateway.caller import Reader, Writer
from gateway.openapi import reading, writing
from gateway.paging import LINK, Pages
from gateway.routes import make_router
from services.contracts.base import Page
from services.contracts.errors import (
    AlreadyDecided,
    EntryCollides,
    InvalidCursor,
    NotFound,
    NotWaiting,
    OthersCameNear,
    OwnEntry,
    ReceiverUnfit,
    StockIsFull,
)
from services.contracts.reviews import (
    DECIDE_REVIEW,
    LIST_REVIEWS,
    SHOW_REVIEW,
    WITHDRAW_ENTRY,
    DecideReview,
    Decision,
    ListReviews,
    ReviewLine,
    ReviewView,
    ShowReview,
    WithdrawEntry,
)

router = make_router("customers")


@router.get("/reviews", summary="List entries that came near others, the newest first", responses=reading(InvalidCursor) | LINK)
async def list_reviews(query: Annotated[ListReviews, Query()], caller: Reader, pages: Pages) -> Page[ReviewLine]:
    return pages.linked(await caller.ask(LIST_REVIEWS, query))


@router.get("/reviews/{review_id}", summary="Show an entry with those that come near it now", responses=reading(NotFound))
async def show_review(review_id: UUID, caller: Reader) -> ReviewView:
    return await caller.ask(SHOW_REVIEW, ShowReview(review_id=review_id))


@router.post(
    "/reviews/{review_id}/decision",
    summary="Judge whether it is another company or one that is there",
    responses=writing(NotFound, OwnEntry, AlreadyDecided, EntryCollides, OthersCameNear, ReceiverUnfit, StockIsFull),
)
async def decide_review(review_id: UUID, body: Decision, caller: Writer) -> ReviewLine:
    message = DecideReview(review_id=review_id, **body.model_dump(exclude_unset=True))
    return await caller.ask(DECIDE_REVIEW, message)


@router.post(
    "/reviews/{review_id}/withdrawal",
    summary="Take back an own entry that waits",
    responses=writing(NotFound, AlreadyDecided, NotWaiting),
)
async def withdraw_entry(review_id: UUID, caller: Writer) -> ReviewLine:
    return await caller.ask(WITHDRAW_ENTRY, WithdrawEntry(review_id=review_id))
