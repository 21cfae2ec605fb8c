"""Making pools, changing and ending them, and who works in them: each time told whole, in the pool's next version."""

from uuid import UUID

from sqlalchemy import ColumnElement, true
from sqlalchemy.orm import Session

from services.contracts import pools as contract
from services.contracts.errors import (
    BuiltInPool,
    NotFound,
    OutOfScope,
    PermissionDenied,
    PoolNotEmpty,
    ReceiverUnfit,
    VersionConflict,
)
from services.contracts.permissions import Scope
from services.customers.holding.domain import check_receiver
from services.customers.models import Pool, PoolMember
from services.customers.pools import access, queries
from services.directory.models import Person
from services.plumbing.call import Call
from services.plumbing.ids import new_id
from services.plumbing.work import Work


def create(work: Work, command: contract.CreatePool, agency_id: UUID) -> Pool:
    """Raises NameTaken."""
    pool = Pool(
        id=new_id(),
        agency_id=agency_id,
        kind="custom",
        name=command.name,
        version=1,
        hidden_fields=sorted(set(command.hidden_fields)),
        claim_rules=command.claim_rules.model_dump(),
    )
    work.session.add(pool)
    tell(work, pool)
    return pool


def change(work: Work, call: Call, command: contract.ChangePool) -> Pool:
    """Raises VersionConflict, BuiltInPool for another name of one that every agency has, NameTaken, PoolArchived."""
    pool = queries.lock_to_change(work.session, call, command.pool_id, managed(call))
    if pool.version != command.expected_version:
        raise VersionConflict(version=pool.version)
    if command.name is not None:
        refuse_built_in(pool)
        pool.name = command.name
    if "hidden_fields" in command.model_fields_set:
        pool.hidden_fields = sorted(set(command.hidden_fields))
    if "claim_rules" in command.model_fields_set:
        pool.claim_rules = command.claim_rules.model_dump()
    tell_change(work, pool)
    return pool


def archive(work: Work, call: Call, command: contract.ArchivePool) -> Pool:
    """Under a lock that waits for whoever is putting a customer into it. Raises BuiltInPool, PoolArchived, PoolNotEmpty."""
    pool = queries.unless_archived(queries.lock_pool(work.session, call, command.pool_id, managed(call)))
    refuse_built_in(pool)
    if not queries.is_empty(work.session, pool.id):
        raise PoolNotEmpty()
    pool.archived_at = work.now
    tell_change(work, pool)
    return pool


def managed(call: Call) -> ColumnElement[bool]:
    return true() if call.scope is Scope.ALL else access.TABLE.c.agency_id == call.caller.agency_id


def refuse_built_in(pool: Pool) -> None:
    if pool.kind != "custom":
        raise BuiltInPool()


# --- who works in them


def set_member(work: Work, call: Call, command: contract.SetPoolMember) -> Pool:
    """Raises BuiltInPool, PermissionDenied where it is about an admin, OutOfScope or ReceiverUnfit for who cannot claim there."""
    pool, member = lock_member(work, call, command.pool_id, command.person_id)
    if command.is_admin or (member and member.is_admin):
        refuse_below_manager(call)
    check_fit(work.session, call, pool, command.person_id)
    if member:
        member.is_admin = command.is_admin
    else:
        values = {"pool_id": pool.id, "person_id": command.person_id, "agency_id": pool.agency_id}
        work.session.add(PoolMember(**values, is_admin=command.is_admin, since=work.now))
    tell_change(work, pool)
    return pool


def remove_member(work: Work, call: Call, command: contract.RemovePoolMember) -> Pool:
    """Raises NotFound for who is none, PermissionDenied where it is about an admin."""
    pool, member = lock_member(work, call, command.pool_id, command.person_id)
    if member is None:
        raise NotFound()
    if member.is_admin:
        refuse_below_manager(call)
    work.session.delete(member)
    tell_change(work, pool)
    return pool


def lock_member(work: Work, call: Call, pool_id: UUID, person_id: UUID) -> tuple[Pool, PoolMember | None]:
    """The pool's lock stands for those of all who work in it."""
    pool = queries.lock_to_change(work.session, call, pool_id, access.administered(call))
    refuse_built_in(pool)
    return pool, work.session.get(PoolMember, (pool_id, person_id))


def refuse_below_manager(call: Call) -> None:
    if not call.caller.may("pool:manage"):
        raise PermissionDenied(permission="pool:manage")


def check_fit(session: Session, call: Call, pool: Pool, person_id: UUID) -> None:
    person = session.get_one(Person, person_id)
    if person.agency_id != pool.agency_id:
        raise ReceiverUnfit(reason="the person is of another agency") if call.scope is Scope.ALL else OutOfScope()
    check_receiver(
        status=person.status,
        abilities=person.abilities,
        agency_id=person.agency_id,
        of_agency_id=pool.agency_id,
        scope=Scope.AGENCY,
    )


# --- telling


def tell_change(work: Work, pool: Pool) -> None:
    """Of a pool whose row is locked."""
    pool.version += 1
    tell(work, pool)


def tell(work: Work, pool: Pool) -> None:
    """Raises NameTaken, by the constraint."""
    work.session.flush()
    told = contract.PoolChanged(
        pool_id=pool.id,
        kind=pool.kind,
        name=pool.name,
        archived_at=pool.archived_at,
        hidden_fields=pool.hidden_fields,
        claim_rules=pool.claim_rules,
        member_ids=queries.ids_of(work.session, pool.id, is_admin=False),
        admin_ids=queries.ids_of(work.session, pool.id, is_admin=True),
    )
    work.emit(told, aggregate_id=pool.id, version=pool.version, agency_id=pool.agency_id)
    work.audit(pool.id, agency_id=pool.agency_id, new=told.model_dump(mode="json", exclude={"pool_id"}))
