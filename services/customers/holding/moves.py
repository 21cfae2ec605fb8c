"""Releasing, opening, moving, claiming, assigning, transferring, taking back: who may, from where to where.

`ownership.place` does it.
"""

from uuid import UUID

from sqlalchemy import select, true
from sqlalchemy.orm import Session

from services.contracts import customers as contract
from services.contracts.errors import (
    AlreadyTheirs,
    HeldElsewhere,
    LiesThere,
    NotFound,
    NotHeld,
    NotInPool,
    OutOfScope,
    PermissionDenied,
    ReceiverUnfit,
)
from services.contracts.permissions import Scope
from services.contracts.pools import MoveCustomer
from services.contracts.reach import Reach
from services.customers.catalogue.values import Catalogue
from services.customers.check import matching
from services.customers.check.checking import viewpoint_of
from services.customers.check.onfile import filed_subject
from services.customers.collision.subject import Subject
from services.customers.collision.verdict import Viewpoint, judge, place_of
from services.customers.holding import domain
from services.customers.holding.ownership import in_pool, place, pool_of, with_person
from services.customers.models import Customer, Pool
from services.customers.pools import access, claims
from services.customers.pools import queries as pool_queries
from services.customers.registry import queries
from services.directory.models import Person
from services.directory.scopes import has_within
from services.directory.service import known_person
from services.plumbing.call import Call
from services.plumbing.work import Work

POOLS = ("agency_pool", "public_pool", "custom_pool")
HELD = "It does not lie in a pool: somebody holds it."
QUICKER = "Somebody was quicker and holds it now."


def release(work: Work, call: Call, command: contract.ReleaseCustomer) -> Customer:
    customer = queries.lock_customer(work.session, command.customer_id, call.scope, call.caller)
    if customer.owner_id is None:
        raise NotHeld()
    Catalogue(work.session).refuse_reason(command.reason)
    cause = domain.cause_of_release(owner_id=customer.owner_id, caller_id=call.user_id)
    reason = f"{command.reason}: {command.comment}" if command.comment else command.reason
    place(work, customer, in_pool(chosen(work.session, call, customer, command.pool_id)), cause, reason)
    return customer


def take_back_by_hand(work: Work, call: Call, command: contract.TakeBackCustomer) -> Customer:
    """From somebody else: one's own is released."""
    customer = queries.lock_customer(work.session, command.customer_id, call.scope, call.caller)
    if customer.owner_id is None:
        raise NotHeld()
    if customer.owner_id == call.user_id:
        raise AlreadyTheirs(detail="It is yours: release it.")
    place(work, customer, in_pool(chosen(work.session, call, customer, command.pool_id)), "take_back", command.reason)
    return customer


def chosen(session: Session, call: Call, customer: Customer, pool_id: UUID | None) -> Pool:
    """The agency pool unless who manages pools names another one of the agency."""
    if pool_id is None:
        return pool_of(session, customer.agency_id, "agency")
    if not call.caller.may("pool:manage"):
        raise PermissionDenied(permission="pool:manage")
    return pool_queries.lock_to_fill(session, call, pool_id, access.TABLE.c.agency_id == customer.agency_id)


def open_to_public(work: Work, call: Call, customer_id: UUID) -> Customer:
    customer = queries.lock_customer(work.session, customer_id, call.scope, call.caller)
    if customer.pool_id is None:
        raise NotInPool(detail=HELD)
    if pool(work.session, customer).kind != "agency":
        raise NotInPool(detail="It lies in another pool than the agency's.")
    place(work, customer, in_pool(pool_of(work.session, customer.agency_id, "public")), "open")
    return customer


def move(work: Work, call: Call, command: MoveCustomer) -> Customer:
    """Between pools that the caller administers. Raises NotInPool, LiesThere, PoolArchived."""
    customer = lock_pooled(work.session, call, command.customer_id)
    within = access.administered(call) & (access.TABLE.c.agency_id == customer.agency_id)
    to = pool_queries.lock_to_fill(work.session, call, command.pool_id, within)
    if customer.pool_id == to.id:
        raise LiesThere()
    place(work, customer, in_pool(to), "move", command.reason)
    return customer


def claim(work: Work, call: Call, customer_id: UUID) -> Customer:
    """Raises what the rules of the pool forbid, see `claims.count_claim`."""
    subject = lock_company(work.session, customer_id)
    customer = queries.lock_of_agency(work.session, customer_id, call.caller.agency_id)
    if customer is None:
        raise queries.missing(work.session, customer_id)
    if customer.owner_id == call.user_id:
        raise AlreadyTheirs()
    if customer.pool_id is None:
        raise NotInPool(detail=QUICKER)
    domain.check_claimable(pool(work.session, customer).kind)  # type: ignore[arg-type]
    if not claims.is_open(work, customer, call.user_id):
        raise queries.missing(work.session, customer_id)
    refuse_twins(work.session, subject, customer, viewpoint_of(call))
    claims.count_claim(work, customer, call.user_id)
    place(work, customer, with_person(person(work.session, call.user_id)), "claim")
    return customer


def assign(work: Work, call: Call, command: contract.AssignCustomer) -> Customer:
    """The admin of a custom pool gives to those who might claim from it."""
    subject = lock_company(work.session, command.customer_id)
    customer = lock_pooled(work.session, call, command.customer_id)
    receiver = reached(work.session, call, command.to)
    check(receiver, customer, call.scope)
    if call.scope is Scope.OWN and not claims.is_open(work, customer, receiver.id):
        raise ReceiverUnfit(reason="the person does not work in this pool")
    refuse_twins(work.session, subject, customer, Viewpoint(receiver.id, receiver.agency_id, may_claim=True))
    place(work, customer, with_person(receiver), "assign")
    return customer


def lock_pooled(session: Session, call: Call, customer_id: UUID) -> Customer:
    """One that lies in a pool which the caller administers. Raises NotInPool of one that he sees and somebody holds."""
    if call.scope is not Scope.OWN:
        customer = queries.lock_customer(session, customer_id, call.scope, call.caller)
        if customer.pool_id is None:
            raise NotInPool(detail=HELD)
        return customer
    found = queries.lock_of_agency(session, customer_id, call.caller.agency_id)
    if found is None or not access.holds(session, found.pool_id, access.administered(call)):
        raise queries.missing(session, customer_id)
    return found


def transfer(work: Work, call: Call, command: contract.TransferCustomer) -> Customer:
    subject = lock_company(work.session, command.customer_id)
    customer = queries.lock_customer(work.session, command.customer_id, call.scope, call.caller)
    if customer.owner_id is None:
        raise NotHeld()
    if customer.owner_id == command.to:
        raise AlreadyTheirs()
    receiver = reached(work.session, call, command.to)
    check(receiver, customer, call.scope)
    refuse_twins(work.session, subject, customer, Viewpoint(receiver.id, receiver.agency_id, may_claim=True))
    place(work, customer, with_person(receiver), "transfer", command.reason, keep_team=command.keep_collaborators)
    return customer


def take_back(work: Work, command: contract.TakeBack) -> Customer | None:
    """None when somebody else holds it by now."""
    found = work.session.scalars(select(Customer).where(Customer.id == command.customer_id).with_for_update()).one_or_none()
    if found is None:
        raise NotFound()
    if (found.owner_id, found.holding) != (command.owner_id, command.holding):
        return None
    place(work, found, in_pool(pool_of(work.session, found.agency_id, "agency")), "take_back", command.reason)
    return found


def lock_company(session: Session, customer_id: UUID) -> Subject:
    """The keys of a customer, before its row, as an entry locks them: nobody enters the same company meanwhile."""
    customer = session.get(Customer, customer_id)
    subject = filed_subject(session, customer) if customer else Subject()
    matching.lock(session, subject)
    return subject


def refuse_twins(
    session: Session, subject: Subject, customer: Customer, viewpoint: Viewpoint, *, left_by: UUID | None = None
) -> None:
    """Nobody comes to hold a company while somebody else has it under another record, except one who gives all his away.
    Raises HeldElsewhere.

    One that lies in a pool of the agency hinders nobody: it cannot be given to another one from there afterwards.
    """
    matches = matching.find(session, subject, but=customer.id)
    held = [found for found in matches if left_by is None or found.known.owner_id != left_by]
    verdict = judge([found for found in held if place_of(found.known, viewpoint) not in POOLS], viewpoint)
    if verdict.verdict == "refused":
        raise HeldElsewhere(detail=verdict.message, reason=verdict.reason, ask=list(verdict.ask))


def check(receiver: Person, customer: Customer, scope: Reach) -> None:
    domain.check_receiver(
        status=receiver.status,
        abilities=receiver.abilities,
        agency_id=receiver.agency_id,
        of_agency_id=customer.agency_id,
        scope=scope,
    )


def person(session: Session, person_id: UUID) -> Person:
    return session.get_one(Person, person_id)


def find_receiver(call: Call, person_id: UUID) -> None:
    """Before the transaction, as identity may have to be asked. Raises NotFound, OutOfScope."""
    known_person(call, person_id)
    with call.reading() as session:
        reached(session, call, person_id)


def reached(session: Session, call: Call, person_id: UUID) -> Person:
    """Somebody within the caller's reach; of the admin of a pool that is the pool's agency. Raises OutOfScope."""
    scope = Scope.AGENCY if call.scope is Scope.OWN else call.scope
    within = true() if scope is Scope.ALL else has_within(scope, call.caller, Person)
    found = session.scalars(select(Person).where(Person.id == person_id, within)).one_or_none()
    if found is None:
        raise OutOfScope()
    return found


def pool(session: Session, customer: Customer) -> Pool:
    return session.get_one(Pool, customer.pool_id)
