"""Entries that raced past each other: locks hold for equal keys, so two that only come near may both be made at one instant.

Looked for along the customers' own events. Their positions are given to what is committed and in one order, so of two entries the
one with the later position is looked at when both are there, and nothing can come in behind the cursor. Each event tells what was
visible when its command began: of most entries that is everything with an earlier position, and nothing need be compared.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import chain
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from services.contracts.reviews import MOVE_RACE_CURSOR, OPEN_RACED_REVIEW, MoveRaceCursor, OpenRacedReview
from services.customers.check import filing, matching, onfile
from services.customers.collision.evidence import Known, Match
from services.customers.collision.subject import Subject
from services.customers.models import Customer
from services.customers.registry import queries
from services.customers.registry.earlier import Earlier
from services.customers.reviews import items as review_items
from services.plumbing.chores import Chore
from services.plumbing.work import Work

WINDOW = timedelta(seconds=30)
"""Far longer than any entry takes, as its deadline ends it before. In a database that was restored from a dump, the transactions
of what was there seem to come after those of today."""
AT_ONCE = 100
REASON = "came in at the same instant as others near it"

CAME = "name IN ('customer_entered', 'customer_updated') OR (name = 'customer_moved' AND data ->> 'cause' = 'claim')"
"""Where a customer may have come by names and numbers: who enters what he may claim leaves what he typed with it."""
ARRIVED = text(
    f"""
    SELECT position, aggregate_id AS customer_id FROM outbox
    WHERE position > (SELECT position FROM race_cursor) AND ({CAME})
    ORDER BY position LIMIT :most
    """  # noqa: S608 constants
)
LAST = text("SELECT max(position) FROM outbox WHERE position > (SELECT position FROM race_cursor)")
UNSEEN = text(
    f"""
    WITH arrival AS MATERIALIZED (
        SELECT position, aggregate_id, xid, began, occurred_at FROM outbox WHERE position = ANY(:positions)),
    other AS MATERIALIZED (
        SELECT position, aggregate_id, xid, occurred_at FROM outbox
        WHERE xid >= (SELECT min(pg_snapshot_xmin(began)::text::bigint)::text::xid8 FROM arrival)
          AND position < (SELECT max(position) FROM arrival) AND ({CAME})
          AND occurred_at >= (SELECT min(occurred_at) FROM arrival) - CAST(:window AS interval)
    )
    SELECT DISTINCT arrival.position, other.aggregate_id AS customer_id FROM arrival JOIN other
        ON other.position < arrival.position AND other.xid <> arrival.xid AND other.aggregate_id <> arrival.aggregate_id
        AND other.occurred_at >= arrival.occurred_at - CAST(:window AS interval)
        AND NOT pg_visible_in_snapshot(other.xid, arrival.began)
    """  # noqa: S608 constants
)


class Arrival(NamedTuple):
    """An event that may have brought a customer near others."""

    position: int
    customer_id: UUID


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
    """The whole check is made of those alone that share something with what they could not see."""
    unseen = unseen_of(session, arrivals)
    known = on_file(
        session, {*(arrival.customer_id for arrival in arrivals if arrival.position in unseen), *chain(*unseen.values())}
    )
    met = [arrival for arrival in arrivals if is_met(known, arrival, unseen.get(arrival.position, ()))]
    found = matching.find_each(session, [known[arrival.customer_id].subject for arrival in met]) if met else []
    for arrival, matches in zip(met, found, strict=True):
        if near := raced_past(session, arrival, known[arrival.customer_id].subject, matches, unseen[arrival.position]):
            yield Race(arrival, near)


def unseen_of(session: Session, arrivals: Sequence[Arrival]) -> dict[int, set[UUID]]:
    """By position, who came before it and was not visible when its command began."""
    found: dict[int, set[UUID]] = defaultdict(set)
    if arrivals:
        for position, customer_id in session.execute(
            UNSEEN, {"positions": [arrival.position for arrival in arrivals], "window": WINDOW}
        ):
            found[position].add(customer_id)
    return found


class OnFile(NamedTuple):
    customer: Customer
    subject: Subject

    def as_known(self) -> Known:
        row = self.customer
        return Known(
            id=row.id,
            name=row.name,
            names=self.subject.names,
            province=row.province,
            city=row.city,
            agency_id=row.agency_id,
            agency_name=None,
            owner_id=row.owner_id,
            owner_name=None,
            pool_kind=None,
        )


def is_met(known: Mapping[UUID, OnFile], arrival: Arrival, unseen: Collection[UUID]) -> bool:
    """Whether a check could have met one of them."""
    earlier = Earlier()
    for customer_id in unseen:
        earlier.add(known[customer_id].as_known(), known[customer_id].subject)
    return bool(unseen) and bool(earlier.met_by(known[arrival.customer_id].subject))


def on_file(session: Session, ids: Collection[UUID]) -> dict[UUID, OnFile]:
    """Few questions for all of them."""
    if not ids:
        return {}
    customers, oldest = session.scalars(select(Customer).where(Customer.id.in_(ids))).all(), filing.versions.oldest(session)
    return {each.customer.id: OnFile(each.customer, each.subject(oldest)) for each in onfile.load(session, customers)}


def raced_past(
    session: Session, arrival: Arrival, subject: Subject, matches: Sequence[Match], unseen: Collection[UUID]
) -> list[UUID]:
    """Those near it that it could not see and that nobody has seen beside it."""
    near = {found.known.id for found in matches if found.effect != "listed" and not shares_lock(subject, found)} & set(unseen)
    return sorted(near - review_items.has_seen(session, arrival.customer_id, near)) if near else []


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
