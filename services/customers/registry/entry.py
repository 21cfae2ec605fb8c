"""Entering a company: the collision check made again under locks, and its outcome, which is always told and never half saved."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from services.contracts import customers as contract
from services.contracts.collision import Hit, Verdict
from services.contracts.errors import InvalidRequest
from services.contracts.permissions import Scope
from services.customers.catalogue import queries as catalogue
from services.customers.check import checking, criteria, filing, matching
from services.customers.collision.evidence import Match, telling
from services.customers.collision.keys import parse_credit_code
from services.customers.collision.names import VERSION, is_nameless
from services.customers.collision.numbers import parse
from services.customers.collision.subject import Subject, subject_of
from services.customers.collision.verdict import REASONS, Viewpoint, judge, place_of, ref_of
from services.customers.holding.ownership import Place, in_pool, place, state_of
from services.customers.models import BoundEntry, Customer, EntryAttempt, Pool, ReviewItem
from services.customers.pools import claims
from services.customers.registry import queries
from services.customers.reviews import items as review_items
from services.customers.search import domain as search
from services.customers.search import indexing
from services.plumbing.call import Call
from services.plumbing.ids import new_id
from services.plumbing.masking import MASK, mask
from services.plumbing.work import Work

TRIES = 3
OF_CUSTOMER = (
    "name", "phone", "fax", "email", "province", "city", "address", "contact_person", "source", "industry", "website",
    "size", "needs", "is_key", "district", "division", "category",
)  # fmt: skip
OF_BOUND = (
    "name", "aliases", "phone", "fax", "province", "city", "contact_person", "industry", "credit_code", "website", "email",
)  # fmt: skip


def subject_of_fields(fields: contract.CustomerFields, oldest: int) -> Subject:
    """`oldest`: by whose rules customers are still filed.

    Raises InvalidRequest for a credit code that is none, for a mask, and for a name that names nobody.
    """
    if fields.credit_code and not parse_credit_code(fields.credit_code):
        raise InvalidRequest(errors=[{"in": "body", "pointer": "/credit_code", "detail": "is not a unified social credit code"}])
    if fields.email and MASK in fields.email:
        raise InvalidRequest(errors=[{"in": "body", "pointer": "/email", "detail": "is masked"}])
    subject = subject_of(
        filing.names_in(fields),
        phone=fields.phone,
        fax=fields.fax,
        credit_code=fields.credit_code,
        website=fields.website,
        email=fields.email,
        contact_person=fields.contact_person,
        province=fields.province,
        city=fields.city,
        oldest=oldest,
    )
    refuse_unreadable(fields.model_dump(include={"phone", "fax"}))
    if is_nameless(subject.names[0]):
        raise InvalidRequest(errors=[{"in": "body", "pointer": "/name", "detail": "says nothing but a place or a legal form"}])
    return subject


def refuse_unreadable(typed: Mapping[str, str | None]) -> None:
    """Raises InvalidRequest for a phone or fax without a number in it: nobody would ever be met by it."""
    for field in ("phone", "fax"):
        if (text := typed.get(field)) and not parse(text):
            raise InvalidRequest(errors=[{"in": "body", "pointer": f"/{field}", "detail": "no number can be read in it"}])


def check(session: Session, subject: Subject, viewpoint: Viewpoint) -> tuple[list[Match], Verdict]:
    matches = matching.find(session, subject)
    return matches, checking.with_administrators(session, judge(matches, viewpoint), viewpoint)


def enter(work: Work, call: Call, command: contract.EnterCustomer, subject: Subject) -> contract.EntryOutcome:
    """Into the caller's stock, or what else comes of it. Raises StockIsFull, and what the rules of a pool forbid that he claims
    from; then not even the attempt is saved."""
    viewpoint = checking.viewpoint_of(call)
    matching.lock(work.session, subject)
    for _ in range(TRIES):
        matches, verdict = check(work.session, subject, viewpoint)
        if verdict.customer_id is None or not (verdict.verdict == "yours" or command.claim):
            break
        # What it is may have changed hands since it was found: only its locked row says.
        customer = queries.lock_known(work.session, verdict.customer_id)
        if verdict.verdict == "yours" and customer.owner_id == call.user_id:
            return bind(work, call, command, subject, customer)
        if verdict.verdict == "claimable" and claims.is_open(work, customer, call.user_id):
            claims.count_claim(work, customer, call.user_id)
            place(work, customer, with_caller(call), "claim")
            keep_typed(work, command, subject, customer, by=call.user_id)
            work.audit(customer.id, new=state_of(customer))
            return work.answer(
                contract.EntryOutcome(outcome="claimed", customer_id=customer.id, version=customer.version, verdict=verdict)
            )
    hits = checking.shown(matches, viewpoint)
    if verdict.verdict == "needs_confirmation" and (outcome := enter_near(work, call, command, subject, matches)):
        return work.answer(outcome.model_copy(update={"hits": hits}))
    if verdict.verdict != "free":
        return unsaved(work, viewpoint, command, matches, verdict, hits)
    customer = create(work, call, command, subject, with_caller(call), by=call.user_id)
    return work.answer(contract.EntryOutcome(outcome="created", customer_id=customer.id, version=1, hits=hits))


def enter_near(
    work: Work, call: Call, command: contract.EnterCustomer, subject: Subject, matches: Sequence[Match]
) -> contract.EntryOutcome | None:
    """Once those near were seen it is made and reviewed, or waits for the review, as the rules say. What waits already, word for
    word, goes on waiting, whatever the rules say by now. None when there is something that was not seen."""
    if waiting := review_items.find_waiting(work.session, call.user_id, command):
        return waits(work, waiting)
    if command.confirmation is None or not is_confirmed(command, matches):
        return None
    near, reason = review_items.near_of(matches), command.confirmation.reason
    if criteria.in_force(work.session).rules.near_entries == "wait":
        whose = {"by": call.user_id, "agency_id": call.caller.agency_id}
        return waits(work, review_items.open_waiting(work, command, near, reason=reason, **whose))
    customer = create(work, call, command, subject, with_caller(call), by=call.user_id)
    item = review_items.open_made(work, customer, near, by=call.user_id, origin="confirmed", reason=reason)
    return contract.EntryOutcome(outcome="created", customer_id=customer.id, version=1, review_id=item.id if item else None)


def waits(work: Work, item: ReviewItem) -> contract.EntryOutcome:
    work.audit(item.id, agency_id=item.agency_id, new={"outcome": "waiting", "typed_name": item.name})
    return contract.EntryOutcome(outcome="waiting", review_id=item.id, version=item.version)


def with_caller(call: Call) -> Place:
    return Place(call.caller.agency_id, call.user_id, call.caller.department_id)


def enter_into(work: Work, call: Call, command: contract.EnterIntoPool, subject: Subject, pool: Pool) -> contract.EntryOutcome:
    """Into a pool, unless the same company is known; who manages pools may then `keep_twin`, over agencies headquarters alone."""
    if command.registered_at and command.registered_at > work.now:
        raise InvalidRequest(errors=[{"in": "body", "pointer": "/registered_at", "detail": "lies in the future"}])
    viewpoint = checking.viewpoint_of(call)._replace(may_claim=False)
    matching.lock(work.session, subject)
    matches, verdict = check(work.session, subject, viewpoint)
    hits = checking.shown(matches, viewpoint)
    of_others = any(found.effect == "same" and found.known.agency_id != pool.agency_id for found in matches)
    may_keep = command.keep_twin is not None and call.caller.may("pool:manage") and (call.scope is Scope.ALL or not of_others)
    if verdict.verdict in ("refused", "yours") and not may_keep:
        return unsaved(work, viewpoint, command, matches, verdict, hits)
    to, why = in_pool(pool), command.keep_twin
    customer = create(work, call, command, subject, to, by=call.user_id, registered_at=command.registered_at, why=why)
    near, reason = review_items.near_of(matches), why or "entered into a pool"
    item = review_items.open_made(work, customer, near, by=call.user_id, origin="pool", reason=reason)
    made = {"customer_id": customer.id, "version": 1, "review_id": item.id if item else None}
    return work.answer(contract.EntryOutcome(outcome="created", hits=hits, **made))


def create(
    work: Work,
    call: Call,
    fields: contract.CustomerFields,
    subject: Subject,
    to: Place,
    *,
    by: UUID,
    registered_at: Any = None,
    why: str | None = None,
) -> Customer:
    """`by` whom it was entered; who made it of an entry that waited is the caller."""
    customer = new_customer(work, fields, subject, by=by, registered_at=registered_at)
    place(work, customer, to, "enter", why)
    names = filing.kinds_of(fields.name, fields.aliases)
    filing.file(work.session, customer, filing.placed_names(names, fields), subject)
    indexing.index_new(work.session, [(customer, [name for name, _ in names])])
    catalogue.keep_tags(work.session, to.agency_id, fields.tags)
    shown = {**fields.model_dump(mode="json", include={"name", "is_key", "source"}), "keep_twin": why}
    work.audit(customer.id, agency_id=to.agency_id, new=shown)
    return customer


def new_customer(
    work: Work, fields: contract.CustomerFields, subject: Subject, *, by: UUID, registered_at: Any = None
) -> Customer:
    """Not placed yet."""
    return Customer(
        id=new_id(),
        version=1,
        holding=0,
        entered_by=by,
        entered_at=work.now,
        registered_at=registered_at,
        credit_code=next(iter(subject.credit_codes), None),
        normaliser=VERSION,
        searchable=search.VERSION,
        tags=list(fields.tags),
        key_criteria=list(fields.key_criteria),
        custom={key: value for key, value in fields.custom.items() if value is not None},
        **{name: getattr(fields, name) for name in OF_CUSTOMER},
    )


def bind(work: Work, call: Call, command: contract.EnterCustomer, subject: Subject, customer: Customer) -> contract.EntryOutcome:
    """What was typed is kept with the customer that it turned out to be."""
    keep_typed(work, command, subject, customer, by=call.user_id)
    customer.version += 1
    state = state_of(customer) | {"department_id": call.caller.department_id}
    work.emit(contract.CustomerUpdated(**state), aggregate_id=customer.id, version=customer.version)
    note_attempt(work, (call.user_id, call.caller.agency_id), command, "bound_to_yours", customer.id, None)
    work.audit(customer.id, new={"outcome": "bound_to_yours", "typed_name": command.name})
    return work.answer(contract.EntryOutcome(outcome="bound_to_yours", customer_id=customer.id, version=customer.version))


def keep_typed(work: Work, fields: contract.CustomerFields, subject: Subject, customer: Customer, *, by: UUID) -> None:
    """Its names and numbers are met by the next check as well."""
    bound = BoundEntry(
        id=new_id(),
        customer_id=customer.id,
        agency_id=customer.agency_id,
        entered_by=by,
        entered_at=work.now,
        **{name: getattr(fields, name) for name in OF_BOUND},
    )
    work.session.add(bound)
    names = [(name, "bound") for name in filing.names_in(fields)]
    filing.file(work.session, customer, filing.placed_names(names, fields), subject)
    indexing.index(work.session, [customer])


def is_confirmed(command: contract.EnterCustomer, matches: Sequence[Match]) -> bool:
    """Whether every near match was seen, of those that are shown; one that has come meanwhile was not."""
    near = {ref_of(each) for each in review_items.near_of(telling(matches)[: matching.SHOWN])}
    return command.confirmation is not None and near <= set(command.confirmation.seen)


def unsaved(
    work: Work,
    viewpoint: Viewpoint,
    fields: contract.CustomerFields,
    matches: Sequence[Match],
    verdict: Verdict,
    hits: tuple[Hit, ...],
) -> contract.EntryOutcome:
    """Says why nothing was saved, and keeps the attempt."""
    outcome: Any = "refused" if verdict.verdict in ("refused", "yours") else verdict.verdict
    met = decisive(matches, verdict, viewpoint).known
    note_attempt(work, (viewpoint.person_id, viewpoint.agency_id), fields, outcome, met.id, verdict.reason)
    work.audit(met.id, new={"outcome": outcome, "reason": verdict.reason, "typed_name": fields.name})
    return work.answer(contract.EntryOutcome(outcome=outcome, verdict=verdict, hits=hits))


def decisive(matches: Sequence[Match], verdict: Verdict, viewpoint: Viewpoint) -> Match:
    """The most telling of those on which the verdict hangs: a refusal is disputed with whoever has that one."""
    refusing = (found for found in telling(matches) if is_refusing(found, verdict, viewpoint))
    return next(refusing, telling(matches)[0])


def is_refusing(found: Match, verdict: Verdict, viewpoint: Viewpoint) -> bool:
    return found.effect == "same" and REASONS.get(place_of(found.known, viewpoint)) == verdict.reason


def note_attempt(
    work: Work, whose: tuple[UUID, UUID], fields: contract.CustomerFields, outcome: Any, customer_id: Any, reason: Any
) -> None:
    """`whose`: the person and the agency."""
    person_id, agency_id = whose
    attempt = EntryAttempt(
        id=new_id(),
        at=work.now,
        person_id=person_id,
        agency_id=agency_id,
        name=fields.name,
        phone=mask(fields.phone) if fields.phone else None,
        fax=mask(fields.fax) if fields.fax else None,
        outcome=outcome,
        customer_id=customer_id,
        reason=reason,
    )
    work.session.add(attempt)
    told = contract.EntryAttempted(attempt_id=attempt.id, person_id=person_id, name=fields.name, outcome=outcome, reason=reason)
    work.emit(told, aggregate_id=attempt.id, version=1, agency_id=agency_id)
