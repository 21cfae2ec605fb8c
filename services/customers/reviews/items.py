"""Items of the review queue: put there when an entry comes near others, closed once, each time told of."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import any_, literal, select
from sqlalchemy.orm import Session

from services.contracts import customers as contract
from services.contracts.reviews import Decided, ReviewDecided, ReviewOpened, ReviewOrigin
from services.customers.collision.evidence import Known, Match
from services.customers.collision.names import normalise
from services.customers.collision.verdict import ref_of
from services.customers.models import Customer, ReviewItem
from services.plumbing.ids import new_id
from services.plumbing.work import Work

TYPED = set(contract.CustomerFields.model_fields)


def near_of(matches: Sequence[Match]) -> list[UUID]:
    """Which a person must judge: those that come near, and another name under a number of one's own."""
    return [found.known.id for found in matches if must_be_judged(found)]


def must_be_judged(found: Match) -> bool:
    return found.effect == "near" or (found.effect == "same" and found.is_by_number_alone)


def open_made(
    work: Work, customer: Customer, near: Sequence[UUID], *, by: UUID, origin: ReviewOrigin, reason: str
) -> ReviewItem | None:
    """Of a customer that is there; None when nobody comes near: then there is nothing to judge."""
    if not near:
        return None
    whose = {"customer_id": customer.id, "agency_id": customer.agency_id, "person_id": by, "name": customer.name}
    return _open(work, whose, near, origin=origin, reason=reason)


def open_waiting(
    work: Work, fields: contract.CustomerFields, near: Sequence[UUID], *, by: UUID, agency_id: UUID, reason: str
) -> ReviewItem:
    """Of an entry that is not made before it is decided on."""
    typed = fields.model_dump(mode="json", include=TYPED)
    whose = {"customer_id": None, "agency_id": agency_id, "person_id": by, "name": fields.name, "fields": typed}
    return _open(work, whose, near, origin="waiting", reason=reason)


def _open(work: Work, whose: dict[str, Any], near: Sequence[UUID], *, origin: ReviewOrigin, reason: str) -> ReviewItem:
    item = ReviewItem(id=new_id(), version=1, at=work.now, origin=origin, state="open", seen=list(near), reason=reason, **whose)
    work.session.add(item)
    told = ReviewOpened(
        review_id=item.id,
        origin=origin,
        person_id=item.person_id,
        name=item.name,
        customer_id=item.customer_id,
        near=len(near),
    )
    work.emit(told, aggregate_id=item.id, version=1, agency_id=item.agency_id)
    return item


def find_waiting(session: Session, person_id: UUID, fields: contract.CustomerFields) -> ReviewItem | None:
    """Somebody's entry that waits already and says the same, however its name is written; what is spelt alike shares a lock, so
    there is one at most. With another place or number it may be another company, which the review is to find out."""
    waiting = select(ReviewItem).where(
        ReviewItem.person_id == person_id, ReviewItem.origin == "waiting", ReviewItem.state == "open"
    )
    typed = as_typed(fields)
    return next((item for item in session.scalars(waiting) if as_typed(item.fields) == typed), None)


def as_typed(fields: contract.CustomerFields | dict[str, Any] | None) -> dict[str, Any]:
    """What was typed, the name as it is compared."""
    typed = contract.CustomerFields.model_validate(fields, from_attributes=True).model_dump(include=TYPED)
    return typed | {"name": normalise(typed["name"])}


def has_seen(session: Session, customer_id: UUID, others: Iterable[UUID]) -> set[UUID]:
    """Those of the others that stand in a review together with the customer, on either side."""
    wanted = list(others)
    of_it = select(ReviewItem.seen).where(ReviewItem.customer_id == customer_id)
    of_them = select(ReviewItem.customer_id).where(
        ReviewItem.customer_id.in_(wanted), literal(customer_id) == any_(ReviewItem.seen)
    )
    seen = {other for each in session.scalars(of_it) for other in each}
    return seen.union(found for found in session.scalars(of_them) if found)


def close(
    work: Work,
    item: ReviewItem,
    state: Decided,
    *,
    by: UUID,
    comment: str | None = None,
    same_as: Known | None = None,
) -> None:
    """Of an item whose row is locked and open."""
    item.state, item.decided_by, item.decided_at, item.comment = state, by, work.now, comment
    item.same_as, item.same_as_name = (same_as.id, same_as.name) if same_as else (None, None)
    item.version += 1
    told = ReviewDecided(
        review_id=item.id,
        origin=item.origin,
        state=state,
        person_id=item.person_id,
        name=item.name,
        customer_id=item.customer_id,
        decided_by=by,
        same_as=ref_of(item.same_as) if item.same_as else None,
    )
    work.emit(told, aggregate_id=item.id, version=item.version, agency_id=item.agency_id)
    work.audit(item.id, agency_id=item.agency_id, new=told.model_dump(mode="json", exclude={"review_id"}) | {"comment": comment})
