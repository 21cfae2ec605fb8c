"""Entries that raced past each other: locks hold for equal keys, so two that only come near may both be made at one instant.

Looked for along the customers' own events. Their positions are given to what is committed and in one order, so of two entries the
one with the later position is looked at when both are there, and nothing can come in behind the cursor.
"""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from services.contracts.reviews import MOVE_RACE_CURSOR, OPEN_RACED_REVIEW, MoveRaceCursor, OpenRacedReview
from services.customers.check import filing, matching, onfile
from services.customers.collision.evidence import Match
from services.customers.collision.subject import Subject
from services.customers.models import Customer
from services.customers.registry import queries
from services.customers.reviews import items as review_items
from services.plumbing.chores import Chore
from services.plumbing.work import Work

WINDOW = timedelta(seconds=30)
"""Far longer than any entry takes, as its deadline ends it before."""
AT_ONCE = 100
REASON = "came in at the same instant as others near it"

CAME = "name IN ('customer_entered', 'customer_updated') OR (name = 'customer_moved' AND data ->> 'cause' = 'claim')"
"""Where a customer may have come by names and numbers: who enters what he may claim leaves what he typed with it."""
ARRIVED = text(
    f"""
    SELECT position, aggregate_id AS customer_id, occurred_at FROM outbox
    WHERE position > (SELECT position FROM race_cursor) AND ({CAME})
    ORDER BY position LIMIT :most
    """  # noqa: S608 constants
)
LAST = text("SELECT max(position) FROM outbox WHERE position > (SELECT position FROM race_cursor)")
BEFORE = text(
    f"""
    SELECT DISTINCT aggregate_id FROM outbox
    WHERE aggregate_id = ANY(:ids) AND position < :position AND ({CAME})
      AND occurred_at BETWEEN :since AND :until
    """  # noqa: S608 constants
)


class Arrival(NamedTuple):
    """An event that may have brought a customer near others."""

    position: int
    customer_id: UUID
    occurred_at: datetime


class Race(NamedTuple):
    arrival: Arrival
    near: list[UUID]


def find_raced(chore: Chore) -> None:
    """Asks for a review of each, then moves the cursor: killed in between, it finds the same again, and that is one review."""
    while True:
        with chore.reading() as session:
            last = session.scalar(LAST)
            arrivals = [Arrival(*row) for row in session.execute(ARRIVED, {"most": AT_ONCE})]
            races = list(races_of(session, arrivals))
        for arrival, near in races:
            asked = OpenRacedReview(customer_id=arrival.customer_id, near=tuple(near))
            chore.ask(OPEN_RACED_REVIEW, asked, key=f"raced-{arrival.position}-{digest_of(near)}")
        is_all = len(arrivals) < AT_ONCE
        if position := last if is_all else arrivals[-1].position:
            chore.ask(MOVE_RACE_CURSOR, MoveRaceCursor(position=position), key=f"raced-to-{position}")
        if is_all:
            return


def digest_of(ids: Sequence[UUID]) -> str:
    """Part of a command's key: when fewer are near by the second time, it is another command."""
    return hashlib.blake2b(b"".join(each.bytes for each in ids), digest_size=8).hexdigest()


def races_of(session: Session, arrivals: Sequence[Arrival]) -> Iterator[Race]:
    known = subjects_of(session, {arrival.customer_id for arrival in arrivals})
    subjects = [known[arrival.customer_id] for arrival in arrivals]
    found = matching.find_each(session, subjects) if subjects else []
    for arrival, subject, matches in zip(arrivals, subjects, found, strict=True):
        if near := raced_past(session, arrival, subject, matches):
            yield Race(arrival, near)


def subjects_of(session: Session, ids: Collection[UUID]) -> dict[UUID, Subject]:
    """Few questions for all of them: every entry comes by here."""
    customers, oldest = session.scalars(select(Customer).where(Customer.id.in_(ids))).all(), filing.versions.oldest(session)
    return {each.customer.id: each.subject(oldest) for each in onfile.load(session, customers)}


def raced_past(session: Session, arrival: Arrival, subject: Subject, matches: Sequence[Match]) -> list[UUID]:
    """Those near it that came shortly before it and that nobody has seen beside it."""
    unlocked = [found.known.id for found in matches if found.effect != "listed" and not shares_lock(subject, found)]
    others = [customer_id for customer_id in unlocked if customer_id != arrival.customer_id]
    if not others:
        return []
    asked: dict[str, Any] = {"ids": others, "position": arrival.position}
    since, until = arrival.occurred_at - WINDOW, arrival.occurred_at + WINDOW
    before = set(session.scalars(BEFORE, asked | {"since": since, "until": until}))
    return sorted(before - review_items.has_seen(session, arrival.customer_id, before))


def shares_lock(subject: Subject, found: Match) -> bool:
    """Whether the two had to wait for each other, so that the later one has seen the other."""
    locked = {(key.kind, key.key) for key in subject.identities}
    return any((key.kind, key.key) in locked for key in found.known.matched)


def open_raced(work: Work, command: OpenRacedReview) -> None:
    """Under the lock of the customer, so that of two who ask the second finds what the first has put there."""
    customer = queries.lock_known(work.session, command.customer_id)
    near = [other for other in command.near if other not in review_items.has_seen(work.session, customer.id, command.near)]
    item = review_items.open_made(work, customer, near, by=customer.entered_by, origin="raced", reason=REASON)
    work.audit(customer.id, agency_id=customer.agency_id, new={"review_id": item.id if item else None, "near": len(near)})


MOVE = text("UPDATE race_cursor SET position = :position WHERE position < :position")


def move_cursor(session: Session, position: int) -> None:
    """Never back."""
    session.execute(MOVE, {"position": position})
