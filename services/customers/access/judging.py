"""One question, asked for somebody else by who sees the object himself."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from services.contracts.access import JudgeAccess, Judgement
from services.contracts.base import Operation
from services.contracts.customers import CLAIM_CUSTOMER
from services.contracts.errors import InvalidRequest, NotFound
from services.contracts.permissions import Permission
from services.contracts.pools import CHANGE_POOL, SET_POOL_MEMBER, SHOW_POOL
from services.contracts.reach import Reach
from services.contracts.team import Right
from services.customers.fields.sight import levels_of
from services.customers.models import Customer
from services.customers.pools import access, changing
from services.customers.pools.queries import find_pool
from services.customers.registry import queries
from services.customers.team.access import is_shared_with
from services.directory.models import Department, Person
from services.directory.scopes import visible
from services.plumbing.call import Call
from services.plumbing.passport import Caller

OF_CUSTOMERS: dict[Permission, Right | None] = {
    "collaborator:manage": None,
    "customer:read": "read",
    "customer:release": None,
    "customer:transfer": None,
    "customer:update": "update",
    "field:reveal": None,
    "handoff:create": None,
    "note:read": "read",
}
"""What is decided by whose the customer is, and the collaborator's right that is enough as well."""


def of_customer(session: Session, call: Call, about: Caller, query: JudgeAccess) -> Judgement:
    """Raises NotFound, OutOfScope for a customer that the caller does not see, InvalidRequest for what is not done to one."""
    customer = seen(session, call, query.id)
    if query.action not in OF_CUSTOMERS:
        raise not_done_to(query)
    right = OF_CUSTOMERS[query.action]
    ancestors = select(Department.ancestors).join(Person, Person.department_id == Department.id)
    return Judgement(
        is_allowed=about.may(query.action) and is_let_through(session, customer.id, about.scope(query.action), about, right),
        reached=reached(session, customer.id, about, query.reaches),
        agency_id=customer.agency_id,
        owner_id=customer.owner_id,
        pool_id=customer.pool_id,
        department_ids=session.scalar(ancestors.where(Person.id == customer.owner_id)) or [],
        is_shared=bool(right and session.scalar(select(is_shared_with(about, right, customer.id)))),
        levels=levels_of(session, replace(call, caller=about), customer),
    )


def seen(session: Session, call: Call, customer_id: UUID) -> Customer:
    if not call.caller.may("customer:read"):
        raise NotFound()
    return queries.get_customer(session, customer_id, call.caller.scope("customer:read"), call.caller, "read")


def is_let_through(session: Session, customer_id: UUID, reach: Reach, about: Caller, right: Right | None) -> bool:
    try:
        return queries.get_customer(session, customer_id, reach, about, right) is not None
    except NotFound:
        return False


def reached(session: Session, customer_id: UUID, about: Caller, reaches: Sequence[Reach]) -> list[bool]:
    """By which of them alone."""
    each = [visible(reach, about, owner=Customer.owner_id, agency=Customer.agency_id) for reach in reaches]
    return [bool(session.scalar(select(Customer.id).where(Customer.id == customer_id, within))) for within in each]


IN_POOLS: dict[Permission, tuple[Operation[Any, Any], Callable[[Call], ColumnElement[bool]]]] = {
    "customer:claim": (CLAIM_CUSTOMER, lambda call: claimable(call)),
    "pool:administer": (SET_POOL_MEMBER, access.administered),
    "pool:manage": (CHANGE_POOL, changing.managed),
    "pool:read": (SHOW_POOL, access.seen),
}


def claimable(call: Call) -> ColumnElement[bool]:
    return (access.TABLE.c.agency_id == call.caller.agency_id) & access.open_to(call.user_id)


def of_pool(session: Session, call: Call, about: Caller, query: JudgeAccess) -> Judgement:
    """Raises NotFound, OutOfScope for a pool that the caller does not see, InvalidRequest for what is not done in one."""
    if not call.caller.may("pool:read"):
        raise NotFound()
    pool = find_pool(session, query.id, replace(call, operation=SHOW_POOL))
    if query.action not in IN_POOLS:
        raise not_done_to(query)
    operation, within = IN_POOLS[query.action]
    may = about.may(query.action) and access.holds(session, pool.id, within(replace(call, caller=about, operation=operation)))
    return Judgement(is_allowed=may, reached=[may for _ in query.reaches], agency_id=pool.agency_id, pool_id=pool.id)


def not_done_to(query: JudgeAccess) -> InvalidRequest:
    detail = f"is not decided by one {query.kind}: ask for another action, or about another kind of object"
    return InvalidRequest(errors=[{"in": "query", "pointer": "/action", "detail": detail}])
