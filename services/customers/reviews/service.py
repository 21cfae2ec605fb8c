"""The review queue: who came near others is judged."""

from typing import Any

from services.contracts.base import Nothing, Page
from services.contracts.reviews import (
    DECIDE_REVIEW,
    LIST_REVIEWS,
    MOVE_RACE_CURSOR,
    OPEN_RACED_REVIEW,
    SHOW_REVIEW,
    WITHDRAW_ENTRY,
    DecideReview,
    ListReviews,
    MoveRaceCursor,
    OpenRacedReview,
    ReviewLine,
    ReviewView,
    ShowReview,
    WithdrawEntry,
)
from services.customers.check import checking
from services.customers.collision.verdict import ref_of
from services.customers.holding.ownership import receivers
from services.customers.models import ReviewItem
from services.customers.reviews import deciding as reviews
from services.customers.reviews import queries as review_queries
from services.customers.reviews import races
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.chores import Chore, every
from services.plumbing.rpc import serves
from services.plumbing.work import Work


class ReviewService:
    """Entries that came near others."""

    @serves(LIST_REVIEWS)
    def list_reviews(self, query: ListReviews, call: Call) -> Page[ReviewLine]:
        after = paging.decode_id(query.cursor)
        with call.reading_rows() as connection:
            rows = review_queries.list_reviews(connection, call.scope, call.caller, query.state, after, query.limit + 1)
        return paging.page(Page[ReviewLine], [review_line(row) for row in rows], query.limit)

    @serves(SHOW_REVIEW)
    def show_review(self, query: ShowReview, call: Call) -> ReviewView:
        with call.reading() as session:
            item = review_queries.get_review(session, query.review_id, call.scope, call.caller)
            line = review_line(review_queries.line_of(session, item.id))
            shown = reviews.entry_of(session, item, call)
            hits = reviews.hits_of(session, item, checking.viewpoint_of(call))
        return ReviewView(**line.model_dump(), entry=shown, hits=hits)

    @serves(DECIDE_REVIEW)
    def decide_review(self, command: DecideReview, call: Call) -> ReviewLine:
        call.answer_again()
        with call.reading() as session:
            item = review_queries.get_review(session, command.review_id, call.scope, call.caller)
        if item.origin == "waiting" and command.decision == "different":
            receivers.prepare(call, item.person_id)
        with call.transaction() as work:
            return decided(work, reviews.decide(work, call, command))

    @serves(WITHDRAW_ENTRY)
    def withdraw_entry(self, command: WithdrawEntry, call: Call) -> ReviewLine:
        with call.transaction() as work:
            return decided(work, reviews.withdraw(work, call, command))

    @every(seconds=5)
    def find_raced(self, chore: Chore) -> None:
        races.find_raced(chore)

    @serves(OPEN_RACED_REVIEW)
    def open_raced_review(self, command: OpenRacedReview, call: Call) -> Nothing:
        with call.transaction() as work:
            races.open_raced(work, command)
            return work.answer(Nothing())

    @serves(MOVE_RACE_CURSOR)
    def move_race_cursor(self, command: MoveRaceCursor, call: Call) -> Nothing:
        with call.noting() as session:
            races.move_cursor(session, command.position)
        return Nothing()


def decided(work: Work, item: ReviewItem) -> ReviewLine:
    return work.answer(review_line(review_queries.line_of(work.session, item.id)))


def review_line(row: Any) -> ReviewLine:
    told = {name: getattr(row, name) for name in ReviewLine.model_fields}
    return ReviewLine(**told | {"same_as": ref_of(row.same_as) if row.same_as else None})
