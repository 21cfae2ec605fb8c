"""A member comes in: which customer it turns out to be by the collision check, and who receives it."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.contracts.customers import CustomerFields
from services.contracts.errors import InvalidRequest
from services.contracts.members import MemberArrived, MemberFields, MemberOutcome, MemberReason
from services.customers.check import filing, matching, onfile
from services.customers.collision.evidence import Known, Match
from services.customers.collision.regions import locate
from services.customers.collision.subject import Subject
from services.customers.collision.verdict import REASONS, Viewpoint, place_of
from services.customers.holding.moves import POOLS
from services.customers.holding.ownership import in_pool, place, pool_of, with_person
from services.customers.members import domain, turns
from services.customers.members.models import MemberArrival, Territory
from services.customers.models import Customer
from services.customers.registry import entry, places
from services.customers.registry.queries import lock_known
from services.customers.reviews import items as review_items
from services.directory.models import Agency
from services.plumbing.call import Call
from services.plumbing.ids import new_id
from services.plumbing.passport import NOBODY
from services.plumbing.work import Work

AHEAD = timedelta(minutes=5)
WHY = "registered on the web"
KEPT = set(MemberFields.model_fields) - {"registered_at"}


class Member(NamedTuple):
    """What has come in, by what it is compared, and whence it comes.

    `agency_id` is whose it is; with `by_territory` that is to be found out. `by` is who answers for what is entered.
    """

    told: MemberFields
    fields: CustomerFields
    subject: Subject
    agency_id: UUID
    by_territory: bool
    by: UUID
    source_id: UUID | None


class Received(NamedTuple):
    """What became of it: of which agency it is, which customer it is, who has it or why nobody received it."""

    outcome: MemberOutcome
    agency_id: UUID
    customer_id: UUID | None
    person_id: UUID | None = None
    reason: MemberReason | None = None


def read(told: MemberFields, call: Call) -> tuple[CustomerFields, Subject]:
    """As an entry is read, before the transaction. Raises InvalidRequest."""
    of_customer = told.model_dump(include=CustomerFields.model_fields.keys() & KEPT)
    fields = places.placed(CustomerFields(source="web", **of_customer))
    return fields, entry.subject_of_fields(fields, filing.versions.of(call))


def receive(work: Work, call: Call, member: Member) -> MemberArrival:
    """Raises InvalidRequest for a registration that lies in the future."""
    registered_at = member.told.registered_at or work.now
    if registered_at > work.now + AHEAD:
        raise InvalidRequest(errors=[{"in": "body", "pointer": "/registered_at", "detail": "lies in the future"}])
    matches = meet(work.session, member.subject)
    known = domain.choose_known(matches, of_agency(member.agency_id))
    if known is None:
        received = enter(work, call, member, matches, registered_at)
    elif domain.may_assign(known, member.agency_id, by_territory=member.by_territory):
        received = assign_known(work, member, known, matches, registered_at)
    else:
        received = leave(member, known)
    return keep(work, member, received, registered_at)


def of_agency(agency_id: UUID) -> Viewpoint:
    return Viewpoint(NOBODY, agency_id, may_claim=False)


# --- whom it meets


def meet(session: Session, subject: Subject) -> Sequence[Match]:
    """Those it meets, under the locks of an entry and of an assignment. When it meets more once these are given, all are let go
    and taken anew: whoever took more afterwards would take them out of order, and wait in a circle with others."""
    wanted = same_of(matching.find(session, subject))
    while True:
        with session.connection().begin_nested() as attempt:
            lock(session, subject, wanted)
            matches = matching.find(session, subject)
            if same_of(matches) <= wanted:
                return matches
            attempt.rollback()
        wanted |= same_of(matches)


def same_of(matches: Sequence[Match]) -> set[UUID]:
    return {found.known.id for found in matches if found.effect == "same"}


def lock(session: Session, subject: Subject, same: Collection[UUID]) -> None:
    """The keys of the member and of those it may be, at once; then their rows, as far as the wall lets them be seen."""
    those = select(Customer).where(Customer.id.in_(same)).order_by(Customer.id)
    on_file = onfile.load(session, session.scalars(those).all()) if same else []
    oldest = filing.versions.oldest(session)
    matching.lock(session, subject, *(each.subject(oldest) for each in on_file))
    if same:
        session.scalars(those.with_for_update().execution_options(populate_existing=True)).all()


def find_twin(session: Session, customer: Customer, agency_id: UUID, matches: Sequence[Match]) -> Known | None:
    """Who has the company under another record, seen by the agency that is to hold this one: then nobody comes to, as with every
    assignment."""
    viewpoint = of_agency(agency_id)
    others = [*matches, *matching.find(session, onfile.filed_subject(session, customer))]
    others = [found for found in others if found.known.id != customer.id and place_of(found.known, viewpoint) not in POOLS]
    return domain.choose_known(others, viewpoint)


# --- what becomes of it


def leave(member: Member, known: Known, reason: MemberReason | None = None) -> Received:
    """Where it is. Its holder has a warm lead; of what another agency has, the agency of a source learns no more than that."""
    agency_id = known.agency_id if member.by_territory else member.agency_id
    reason = reason or REASONS[place_of(known, of_agency(agency_id))]
    if known.agency_id != agency_id:
        return Received("known", agency_id, None, None, reason)
    return Received("known", agency_id, known.id, known.owner_id, reason)


def assign_known(work: Work, member: Member, known: Known, matches: Sequence[Match], registered_at: datetime) -> Received:
    """One from a pool is given to the next in turn of that agency, from headquarters' pools to one of the agency that has the
    place, unless the agency of the pool wants it left there."""
    session, customer = work.session, lock_known(work.session, known.id)
    setting = session.get(Territory, customer.agency_id)
    if setting and setting.pooled == "leave":
        return leave(member, known)
    is_ours = customer.agency_id == member.agency_id
    agency_id = (receiving_agency(session, member) if is_ours else None) or customer.agency_id
    if twin := find_twin(session, customer, agency_id, matches):
        return leave(member, twin)
    person = turns.next_person(session, agency_id)
    if person is None:
        return leave(member, known, "nobody_left")
    customer.source, customer.registered_at = "web", registered_at
    entry.keep_typed(work, member.fields, member.subject, customer, by=member.by)
    place(work, customer, with_person(person), "assign", WHY)
    return Received("assigned", agency_id, customer.id, person.id)


def enter(work: Work, call: Call, member: Member, matches: Sequence[Match], registered_at: datetime) -> Received:
    """Into the agency pool, and from there to the next in turn. Who comes near others is reviewed."""
    session = work.session
    agency_id = receiving_agency(session, member)
    to = in_pool(pool_of(session, agency_id or headquarters(session), "agency"))
    customer = entry.create(work, call, member.fields, member.subject, to, by=member.by, registered_at=registered_at)
    person = turns.next_person(session, agency_id) if agency_id else None
    if person:
        place(work, lock_known(session, customer.id), with_person(person), "assign", WHY)
    whose = person.id if person else member.by
    review_items.open_made(work, customer, review_items.near_of(matches), by=whose, origin="web", reason=WHY)
    if person:
        return Received("entered", to.agency_id, customer.id, person.id)
    return Received("entered", to.agency_id, customer.id, reason="nobody_left" if agency_id else "no_territory")


def receiving_agency(session: Session, member: Member) -> UUID | None:
    """None where headquarters distributes and nobody has the place."""
    if not member.by_territory:
        return member.agency_id
    typed = locate(member.fields.province, member.fields.city)
    return turns.next_agency(session, domain.codes_of(typed, member.subject.names[0].said))


def headquarters(session: Session) -> UUID:
    return session.scalars(select(Agency.id).where(Agency.is_headquarters)).one()


def keep(work: Work, member: Member, received: Received, registered_at: datetime) -> MemberArrival:
    """What has arrived and what became of it: kept, told and audited."""
    arrival = MemberArrival(
        id=new_id(),
        source_id=member.source_id,
        received_at=work.now,
        registered_at=registered_at,
        **member.told.model_dump(include=KEPT),
        **received._asdict(),
    )
    work.session.add(arrival)
    told = MemberArrived(
        member_id=arrival.id,
        source_id=arrival.source_id,
        name=arrival.name,
        outcome=received.outcome,
        reason=received.reason,
        customer_id=received.customer_id,
        person_id=received.person_id,
    )
    work.emit(told, aggregate_id=arrival.id, version=1, agency_id=arrival.agency_id)
    answers_for_it = member.by if member.source_id else None
    work.audit(arrival.id, agency_id=arrival.agency_id, on_behalf_of=answers_for_it, new=told)
    return arrival
