"""SQL of disputes."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, DateTime, Row, Select, Table, and_, false, func, or_, select
from sqlalchemy.orm import Session, aliased

from services.contracts.disputes import ListDisputes
from services.contracts.errors import NotFound, OutOfScope
from services.contracts.permissions import Permission, Scope
from services.customers.disputes.models import Dispute, DisputeStatement
from services.customers.models import Customer, EntryAttempt
from services.customers.registry import queries as registry_queries
from services.directory.models import Agency, Person
from services.directory.scopes import visible
from services.plumbing.call import Call
from services.plumbing.passport import Caller

TABLE = cast(Table, Dispute.__table__)
IS_OPEN = TABLE.c.state == "open"
IS_OVERDUE = and_(IS_OPEN, TABLE.c.due_at <= func.clock(type_=DateTime(timezone=True)))


# --- whose it is


def of_claimant(caller: Caller, permission: Permission) -> ColumnElement[bool]:
    """Whether the claimant is within the caller's scope."""
    return within(caller, permission, owner=TABLE.c.claimant_id, agency=TABLE.c.agency_id)


def of_holder(caller: Caller, permission: Permission) -> ColumnElement[bool]:
    """Whether the holder is; a pool is within the scope of its agency."""
    return within(caller, permission, owner=TABLE.c.holder_id, agency=TABLE.c.holder_agency_id)


def within(caller: Caller, permission: Permission, **whose: Any) -> ColumnElement[bool]:
    if not caller.may(permission):
        return false()
    return func.coalesce(visible(caller.scope(permission), caller, **whose), false())


def seen_by(caller: Caller) -> ColumnElement[bool]:
    return or_(of_claimant(caller, "dispute:read"), of_holder(caller, "dispute:read"))


def overseen_by(caller: Caller) -> ColumnElement[bool]:
    """Whether the caller may decide about both sides; of two agencies that is headquarters."""
    return and_(of_claimant(caller, "dispute:decide"), of_holder(caller, "dispute:decide"))


def is_party(caller: Caller) -> ColumnElement[bool]:
    """A side, and who has entered the customer."""
    me = caller.user_id
    return func.coalesce(or_(TABLE.c.claimant_id == me, TABLE.c.holder_id == me, TABLE.c.entered_by == me), false())


def is_claimant(caller: Caller) -> ColumnElement[bool]:
    return TABLE.c.claimant_id == caller.user_id


def may_answer(caller: Caller) -> ColumnElement[bool]:
    """The holder; for him, and for a pool, his agency's administrator when it goes against another agency. Inside an agency that
    one decides."""
    speaks = caller.scope("dispute:answer") is Scope.AGENCY
    for_agency = and_(TABLE.c.holder_agency_id == caller.agency_id, TABLE.c.agency_id != caller.agency_id)
    return or_(TABLE.c.holder_id == caller.user_id, for_agency) if speaks else TABLE.c.holder_id == caller.user_id


# --- one dispute


def get_dispute(session: Session, dispute_id: UUID, whose: ColumnElement[bool], *, is_locked: bool = False) -> Dispute:
    """Raises NotFound, or OutOfScope when it is hidden."""
    query = select(Dispute).where(TABLE.c.id == dispute_id, whose).execution_options(populate_existing=True)
    found = session.scalars(query.with_for_update(of=Dispute) if is_locked else query).one_or_none()
    if found is None:
        raise OutOfScope() if session.scalar(select(func.is_dispute(dispute_id))) else NotFound()
    return found


def holds(session: Session, dispute: Dispute, condition: ColumnElement[bool]) -> bool:
    return bool(session.scalar(select(condition).select_from(TABLE).where(TABLE.c.id == dispute.id)))


def lock_disputed(session: Session, customer_id: UUID, call: Call) -> Customer | None:
    """None when by now somebody holds it whom the caller does not oversee."""
    try:
        return registry_queries.lock_customer(session, customer_id, call.scope, call.caller)
    except NotFound:
        return None


def statements_of(session: Session | Connection, dispute_id: UUID) -> dict[str, Row[Any]]:
    """By side; what the other agency says is behind the wall."""
    table = cast(Table, DisputeStatement.__table__)
    return {row.side: row for row in session.execute(select(table).where(table.c.dispute_id == dispute_id))}


def headquarters_id(session: Session) -> UUID:
    return session.scalars(select(Agency.id).where(Agency.is_headquarters)).one()


# --- what is disputed


def get_attempt(session: Session, attempt_id: UUID, person_id: UUID) -> EntryAttempt:
    """An own one. Raises NotFound, or OutOfScope for somebody else's."""
    found = session.scalars(
        select(EntryAttempt).where(EntryAttempt.id == attempt_id, EntryAttempt.person_id == person_id)
    ).one_or_none()
    if found is None:
        raise OutOfScope() if session.scalar(select(func.is_attempt(attempt_id))) else NotFound()
    return found


MET_COLUMNS = ("customer_id", "name", "agency_id", "owner_id", "pool_kind", "holding", "entered_by")


def met_by(session: Session, attempt_id: UUID) -> Row[Any]:
    """The customer that refused it, of whatever agency, and who holds it now."""
    met = func.met_by_attempt(attempt_id).table_valued(*MET_COLUMNS)
    return session.execute(select(met)).one()


def find_standing(session: Session, attempt_id: UUID, customer_id: UUID, claimant_id: UUID) -> UUID | None:
    """The dispute that stands in the way of another one."""
    of_attempt = and_(TABLE.c.attempt_id == attempt_id, TABLE.c.state != "withdrawn")
    of_customer = and_(TABLE.c.customer_id == customer_id, TABLE.c.claimant_id == claimant_id, IS_OPEN)
    return session.scalars(select(TABLE.c.id).where(or_(of_attempt, of_customer)).order_by(TABLE.c.id).limit(1)).one_or_none()


# --- as they are shown

CLAIMANT, HOLDER = aliased(Person), aliased(Person)
CLAIMANT_AGENCY, HOLDER_AGENCY = aliased(Agency), aliased(Agency)


def lines(caller: Caller) -> Select[Any]:
    """Each with what the caller may know and do of it."""
    may_decide = and_(IS_OPEN, overseen_by(caller), ~is_party(caller))
    query = select(
        TABLE,
        IS_OVERDUE.label("is_overdue"),
        CLAIMANT.display_name.label("claimant_name"),
        HOLDER.display_name.label("holder_name"),
        CLAIMANT_AGENCY.name.label("agency_name"),
        HOLDER_AGENCY.name.label("holder_agency_name"),
        of_claimant(caller, "dispute:read").label("is_of_claimant"),
        of_holder(caller, "dispute:read").label("is_of_holder"),
        may_decide.label("may_decide"),
    ).select_from(TABLE)
    query = query.join(CLAIMANT, CLAIMANT.id == TABLE.c.claimant_id, isouter=True)
    query = query.join(HOLDER, HOLDER.id == TABLE.c.holder_id, isouter=True)
    query = query.join(CLAIMANT_AGENCY, CLAIMANT_AGENCY.id == TABLE.c.agency_id, isouter=True)
    return query.join(HOLDER_AGENCY, HOLDER_AGENCY.id == TABLE.c.holder_agency_id, isouter=True)


def line_of(session: Session, dispute_id: UUID, caller: Caller) -> Row[Any]:
    """Of one that was found before, after the changes of this transaction."""
    session.flush()
    return session.execute(lines(caller).where(TABLE.c.id == dispute_id)).one()


def list_disputes(
    connection: Connection, caller: Caller, wanted: ListDisputes, after: UUID | None, limit: int
) -> Sequence[Row[Any]]:
    """The newest first: ids are in the order in which they came."""
    query = lines(caller).where(seen_by(caller))
    if wanted.of == "mine":
        query = query.where(or_(TABLE.c.claimant_id == caller.user_id, TABLE.c.holder_id == caller.user_id))
    if wanted.state:
        query = query.where(IS_OVERDUE if wanted.state == "overdue" else TABLE.c.state == wanted.state)
    if after:
        query = query.where(TABLE.c.id < after)
    return connection.execute(query.order_by(TABLE.c.id.desc()).limit(limit)).all()
