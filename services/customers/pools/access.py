"""Who sees a pool, claims from it, administers it: asked anew at every request, so that whoever is removed is out at once."""

from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Exists, Table, and_, exists, false, or_, true
from sqlalchemy.orm import Session

from services.contracts.permissions import Scope
from services.customers.models import Pool, PoolMember
from services.plumbing.call import Call

TABLE = cast(Table, Pool.__table__)
HAS_MEMBERS = exists().where(PoolMember.pool_id == TABLE.c.id, ~PoolMember.is_admin)


def works_in(person_id: UUID) -> Exists:
    return exists().where(PoolMember.pool_id == TABLE.c.id, PoolMember.person_id == person_id)


def open_to(person_id: UUID) -> ColumnElement[bool]:
    """Where a rep of the pool's agency may claim: the public pool, and custom ones without members or with him."""
    is_custom = (TABLE.c.kind == "custom") & TABLE.c.archived_at.is_(None)
    return or_(TABLE.c.kind == "public", and_(is_custom, or_(~HAS_MEMBERS, works_in(person_id))))


def seen(call: Call) -> ColumnElement[bool]:
    """Everybody sees the pools of his agency that are open to him, who manages pools all of it, headquarters every one."""
    if call.scope is Scope.ALL:
        return true()
    ours = TABLE.c.agency_id == call.caller.agency_id
    return ours if call.caller.may("pool:manage") else ours & open_to(call.user_id)


def administered(call: Call) -> ColumnElement[bool]:
    """From which the caller assigns and into which he puts: who manages pools all of them, others those whose admins they are."""
    if call.caller.may("pool:manage"):
        return true() if call.caller.scope("pool:manage") is Scope.ALL else TABLE.c.agency_id == call.caller.agency_id
    is_admin = works_in(call.user_id).where(PoolMember.is_admin)
    return (TABLE.c.agency_id == call.caller.agency_id) & TABLE.c.archived_at.is_(None) & is_admin


def holds(session: Session, pool_id: UUID | None, condition: ColumnElement[bool]) -> bool:
    return bool(session.scalar(exists().where(TABLE.c.id == pool_id, condition).select()))


def flags(call: Call) -> tuple[ColumnElement[Any], ...]:
    """What a view says besides the pool's own columns."""
    is_open = and_(open_to(call.user_id), TABLE.c.agency_id == call.caller.agency_id)
    return (
        (is_open if call.caller.may("customer:claim") else false()).label("may_claim"),
        administered(call).label("may_administer"),
        HAS_MEMBERS.label("has_members"),
    )
