"""Judging entries that came near others: another company, or one that is there already.

Locks are taken as an entry takes them: the company's keys, the customer's row, then the item's.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from services.contracts import customers as contract
from services.contracts.collision import Hit
from services.contracts.errors import AlreadyDecided, EntryCollides, InvalidRequest, NotWaiting, OthersCameNear, OwnEntry
from services.contracts.permissions import Scope
from services.contracts.reviews import DecideReview, ReviewedEntry, WithdrawEntry
from services.customers.check import checking, filing, matching
from services.customers.check.onfile import filed_subject
from services.customers.collision.evidence import Known, Match, telling
from services.customers.collision.subject import Subject
from services.customers.collision.verdict import REASONS, Viewpoint, hit, judge, place_of, ref_of
from services.customers.fields.sight import levels_of, restrict, sight_of
from services.customers.holding import domain
from services.customers.holding.ownership import in_pool, place, pool_of, with_person
from services.customers.models import Customer, Pool, ReviewItem
from services.customers.registry import entry, queries
from services.customers.reviews import items as review_items
from services.customers.reviews import queries as review_queries
from services.directory.models import Person
from services.plumbing.call import Call
from services.plumbing.work import Work


class Judged(NamedTuple):
    """An item that this transaction has locked, with what stands for it, and who comes near it now."""

    item: ReviewItem
    customer: Customer | None
    subject: Subject
    matches: list[Match]


def fields_of(item: ReviewItem) -> contract.CustomerFields:
    return contract.CustomerFields.model_validate(item.fields)


def subject_of(session: Session, item: ReviewItem) -> Subject:
    """By what it is compared now: what was typed, or what is on file of the customer that was made."""
    if item.customer_id:
        return filed_subject(session, session.get_one(Customer, item.customer_id))
    return entry.subject_of_fields(fields_of(item), filing.versions.oldest(session))


def matches_of(session: Session, item: ReviewItem, subject: Subject) -> list[Match]:
    return matching.find(session, subject, but=item.customer_id)


# --- seeing one


def hits_of(session: Session, item: ReviewItem, viewpoint: Viewpoint) -> tuple[Hit, ...]:
    """Those that come near now, and of those that were seen what is still met; the most telling first."""
    matches = telling(matches_of(session, item, subject_of(session, item)))
    told = [found for found in matches if found.effect != "listed" or found.known.id in item.seen]
    return tuple(hit(found, viewpoint) for found in told[: matching.SHOWN])


def entry_of(session: Session, item: ReviewItem, call: Call) -> ReviewedEntry | None:
    """What was typed, or what is known of the customer, as long as the viewer oversees who holds it, and as far as he sees it."""
    if item.customer_id is None:
        return restrict(ReviewedEntry.model_validate(item.fields), sight_of(session, call).of_typed(item.person_id))
    row = queries.find_customer(session.connection(), item.customer_id, call.scope, call.caller)
    if row is None:
        return None
    shown = ReviewedEntry.model_validate(row, from_attributes=True)
    return restrict(shown, levels_of(session, call, row, row.field_policy))


# --- deciding


def decide(work: Work, call: Call, command: DecideReview) -> ReviewItem:
    """Raises AlreadyDecided when somebody was quicker, OwnEntry; and see `find_different`, `find_same`."""
    judged = lock(work.session, review_queries.get_review(work.session, command.review_id, call.scope, call.caller))
    item, customer = judged.item, judged.customer
    if call.user_id in (item.person_id, customer.owner_id if customer else None):
        raise OwnEntry()
    if item.state != "open":
        raise AlreadyDecided(state=item.state)
    if command.decision == "different":
        record = None
        find_different(work, call, command, judged)
    else:
        record = find_same(work, command, judged)
    review_items.close(work, item, command.decision, by=call.user_id, comment=command.comment, same_as=record)
    return item


def lock(session: Session, item: ReviewItem) -> Judged:
    """What the customer is compared by may change until its row is locked: then the company is locked again, by what it is now.

    Out of the usual order, so an entry of the same company may at worst make this wait in a circle, which the database ends and
    the caller tries again.
    """
    subject = subject_of(session, item)
    matching.lock(session, subject)
    customer = queries.lock_known(session, item.customer_id) if item.customer_id else None
    locked = review_queries.lock_review(session, item.id)
    if customer and (now := filed_subject(session, customer)) != subject:
        matching.lock(session, now)
        subject = now
    return Judged(locked, customer, subject, matches_of(session, locked, subject))


def find_different(work: Work, call: Call, command: DecideReview, judged: Judged) -> None:
    """An entry that waits is made, for who entered it. Raises EntryCollides, OthersCameNear, ReceiverUnfit, StockIsFull; then it
    goes on waiting."""
    item = judged.item
    if item.origin != "waiting":
        return
    person = work.session.get_one(Person, item.person_id)
    domain.check_receiver(
        status=person.status,
        abilities=person.abilities,
        agency_id=person.agency_id,
        of_agency_id=item.agency_id,
        scope=Scope.AGENCY,
    )
    near = review_items.near_of(judged.matches)
    refuse_collisions(judged.matches, person, checking.viewpoint_of(call))
    refuse_unseen(judged.matches, {ref_of(each) for each in item.seen} | set(command.seen), checking.viewpoint_of(call))
    customer = entry.create(work, call, fields_of(item), judged.subject, with_person(person), by=person.id)
    item.customer_id = customer.id
    item.seen = [*dict.fromkeys([*item.seen, *near])]


def refuse_collisions(matches: Sequence[Match], person: Person, viewer: Viewpoint) -> None:
    """As the entry would be judged if the person made it now. Raises EntryCollides."""
    verdict = judge(matches, Viewpoint(person.id, person.agency_id, may_claim="holds" in person.abilities))
    if verdict.verdict not in ("free", "needs_confirmation"):
        same = [hit(found, viewer) for found in telling(matches) if found.effect == "same"]
        raise EntryCollides(reason=verdict.reason or verdict.verdict, hits=[each.model_dump(mode="json") for each in same])


def refuse_unseen(matches: Sequence[Match], seen: set[str], viewer: Viewpoint) -> None:
    near = set(review_items.near_of(matches))
    unseen = [hit(found, viewer) for found in telling(matches) if found.known.id in near and ref_of(found.known.id) not in seen]
    if unseen:
        raise OthersCameNear(hits=[each.model_dump(mode="json") for each in unseen])


def find_same(work: Work, command: DecideReview, judged: Judged) -> Known:
    """Which one it is. A customer that was made goes to the agency pool, an entry that waits is noted as refused.

    Raises InvalidRequest.
    """
    record = next((found for found in judged.matches if ref_of(found.known.id) == command.same_as), None)
    if record is None:
        raise InvalidRequest(errors=[{"in": "body", "pointer": "/same_as", "detail": "names none of those that come near"}])
    if judged.customer:
        set_aside(work, judged.customer, record.known.name)
    else:
        refuse(work, judged.item, record)
    return record.known


def set_aside(work: Work, customer: Customer, name: str) -> None:
    """Into the agency pool, unless it lies in a pool from which nobody takes it."""
    if customer.pool_id and work.session.get_one(Pool, customer.pool_id).kind not in ("public", "custom"):
        return
    place(work, customer, in_pool(pool_of(work.session, customer.agency_id, "agency")), "take_back", f"the same as {name}")


def refuse(work: Work, item: ReviewItem, record: Match) -> None:
    where = place_of(record.known, Viewpoint(item.person_id, item.agency_id, may_claim=True))
    whose = (item.person_id, item.agency_id)
    entry.note_attempt(work, whose, fields_of(item), "refused", record.known.id, REASONS.get(where))


# --- taking back


def withdraw(work: Work, call: Call, command: WithdrawEntry) -> ReviewItem:
    """Raises NotWaiting of what was made, AlreadyDecided."""
    found = review_queries.get_review(work.session, command.review_id, call.scope, call.caller)
    item = review_queries.lock_review(work.session, found.id)
    if item.origin != "waiting":
        raise NotWaiting()
    if item.state != "open":
        raise AlreadyDecided(state=item.state)
    review_items.close(work, item, "withdrawn", by=call.user_id)
    return item
