"""Who holds what: the one function through which every change of ownership goes, whatever its cause, and the guard of the stock.

Rules decides how many customers a person may hold; the number stands here, beside the count of those that he holds, so that the
check and the change are one transaction.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast
from uuid import UUID, uuid5

from pydantic_core import to_json
from sqlalchemy import Table, bindparam, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.contracts.customers import Cause, CustomerEntered, CustomerMoved, PoolKind
from services.contracts.errors import QudaoError, ReceiverUnfit, ServiceUnavailable, StockIsFull
from services.contracts.rules import SHOW_ALLOWANCE, AskAllowance
from services.customers.models import Customer, Pool, Stock
from services.customers.team.ending import leave
from services.directory.models import Person
from services.directory.service import known_person
from services.plumbing.call import Call
from services.plumbing.work import Work


class Place(NamedTuple):
    """Where a customer is held: by a person or in a pool, and of which agency these are."""

    agency_id: UUID
    owner_id: UUID | None = None
    department_id: UUID | None = None
    pool_id: UUID | None = None
    pool_kind: PoolKind | None = None


def with_person(person: Person) -> Place:
    return Place(person.agency_id, owner_id=person.id, department_id=person.department_id)


def in_pool(pool: Pool) -> Place:
    return Place(pool.agency_id, pool_id=pool.id, pool_kind=pool.kind)  # type: ignore[arg-type]


def place(work: Work, customer: Customer, to: Place, cause: Cause, reason: str | None = None, *, keep_team: bool = False) -> None:
    """Moves a customer whose row this transaction has locked, or that it has just made (`holding` 0), and tells of it.
    Who works on it besides its holder goes on with `keep_team`, from one person of an agency to another; otherwise not.

    The rows of the stocks concerned are locked in the order of their ids, after those of customers. Raises StockIsFull when the
    receiver would hold more than he may, ReceiverUnfit when his stock is closed; giving away is never refused.
    """
    session, giver, is_new = work.session, customer.owner_id, customer.holding == 0
    move_stock(session, giver=giver, receiver=to.owner_id)
    if giver:
        leave(work, customer, kept_by=to.owner_id if keep_team and to.agency_id == customer.agency_id else None)
    since = work.now if is_new else max(work.now, customer.held_since)  # a clock that was set back makes no gap
    if not is_new:
        session.execute(CLOSE, {"customer_id": customer.id, "number": customer.holding, "since": since})
        customer.version += 1
    customer.agency_id, customer.owner_id, customer.pool_id = to.agency_id, to.owner_id, to.pool_id
    customer.holding += 1
    customer.held_since = since
    if is_new:
        session.execute(INSERT, {column.name: getattr(customer, column.name) for column in TABLE.c})
    else:
        session.flush()
    begun = {"customer_id": customer.id, "number": customer.holding, "since": since, "actor": work.actor}
    where = {"agency_id": to.agency_id, "owner_id": to.owner_id, "pool_id": to.pool_id}
    session.execute(OPEN, {**begun, **where, "cause": cause, "reason": reason})
    state = state_of(customer) | {"department_id": to.department_id, "pool_kind": to.pool_kind}
    event = (
        CustomerEntered(**state, entered_by=customer.entered_by)
        if is_new
        else CustomerMoved(**state, cause=cause, reason=reason, moved_from=giver)
    )
    work.emit(event, aggregate_id=customer.id, version=customer.version, agency_id=to.agency_id)


# Statements of their own instead of objects: entering is what is done most, and objects cost five times as much.
TABLE = cast(Table, Customer.__table__)
INSERT = TABLE.insert().values({column.name: bindparam(column.name) for column in TABLE.c})
CLOSE = text("UPDATE ownership SET held_until = :since WHERE customer_id = :customer_id AND number = :number")
OPEN = text(
    """
    INSERT INTO ownership (customer_id, number, agency_id, owner_id, pool_id, cause, reason, actor, held_from)
    VALUES (:customer_id, :number, :agency_id, :owner_id, :pool_id, :cause, :reason, :actor, :since)
    """
)

PLACE_NEW = text(
    """
    WITH entered AS (
        INSERT INTO customer SELECT * FROM jsonb_populate_recordset(CAST(NULL AS customer), CAST(:customers AS jsonb))
        RETURNING id, agency_id, pool_id, holding, held_since
    )
    INSERT INTO ownership (customer_id, number, agency_id, pool_id, cause, reason, actor, held_from)
    SELECT id, holding, agency_id, pool_id, 'enter', :reason, :actor, held_since FROM entered
    """
)


def place_new(work: Work, customers: Sequence[Customer], pool: Pool, reason: str | None = None) -> None:
    """As `place` of each of them, that this transaction has just made, into a pool: no stock changes."""
    for customer in customers:
        customer.agency_id, customer.pool_id, customer.holding, customer.held_since = pool.agency_id, pool.id, 1, work.now
        told = CustomerEntered(**state_of(customer), pool_kind=pool.kind, entered_by=customer.entered_by)
        work.emit(told, aggregate_id=customer.id, version=customer.version, agency_id=pool.agency_id)
    rows = [{column.name: getattr(customer, column.name) for column in TABLE.c} for customer in customers]
    values = {"customers": to_json(rows).decode(), "reason": reason, "actor": work.actor}
    work.session.execute(PLACE_NEW, values)


def state_of(customer: Customer) -> dict[str, object]:
    """What a customer's events carry, without what stands in other tables."""
    return {
        "customer_id": customer.id,
        "name": customer.name,
        "is_key": customer.is_key,
        "owner_id": customer.owner_id,
        "pool_id": customer.pool_id,
        "holding": customer.holding,
        "held_since": customer.held_since,
        "source": customer.source,
    }


def department_of(session: Session, customer: Customer) -> UUID | None:
    """Where its holder is now."""
    holder = session.get(Person, customer.owner_id) if customer.owner_id else None
    return holder.department_id if holder else None


# --- stock


# A full stock is seen without waiting for its lock; one that fills up meanwhile is seen when the lock is given.
MOVE_STOCK = text(
    """
    WITH locked AS MATERIALIZED (
        SELECT person_id FROM stock
        WHERE person_id = ANY(:concerned)
          AND (person_id IS DISTINCT FROM CAST(:receiver AS uuid) OR (held < allowed AND NOT is_closed))
        ORDER BY person_id FOR UPDATE
    )
    UPDATE stock SET held = held + CASE WHEN stock.person_id = CAST(:receiver AS uuid) THEN 1 ELSE -1 END
    FROM locked WHERE stock.person_id = locked.person_id RETURNING stock.person_id
    """
)


def move_stock(session: Session, *, giver: UUID | None, receiver: UUID | None) -> None:
    """One fewer for the giver, one more for the receiver. Raises StockIsFull or ReceiverUnfit, and what was counted is rolled
    back."""
    concerned = [person_id for person_id in (giver, receiver) if person_id]
    if concerned:
        counted = set(session.scalars(MOVE_STOCK, {"concerned": concerned, "receiver": receiver}))
        if receiver and receiver not in counted:
            raise no_room(session.get(Stock, receiver))


def no_room(stock: Stock | None) -> QudaoError:
    if stock is None or stock.allowed is None:
        return ServiceUnavailable(reason="allowance")
    if stock.is_closed:
        return ReceiverUnfit(reason="the account is not active")
    return StockIsFull(held=stock.held, limit=stock.allowed)


FOLLOW_ACCOUNT = text(
    """
    INSERT INTO stock (person_id, agency_id, held, allowance_version, is_closed, person_version)
    SELECT :person_id, :agency_id, 0, -1, :is_closed, :version
    WHERE :is_holder OR EXISTS (SELECT FROM stock WHERE person_id = :person_id)
    ON CONFLICT (person_id) DO UPDATE
    SET is_closed = excluded.is_closed, person_version = excluded.person_version
    WHERE stock.person_version < excluded.person_version
    """
)


def follow_account(session: Session, person_id: UUID, agency_id: UUID, version: int, *, is_closed: bool, is_holder: bool) -> None:
    """Closes the stock of somebody who is disabled, and opens it when he is back; what is older is not heeded. It is done under
    the lock that every change of hands takes, so that nothing comes to him once this is committed."""
    whose = {"person_id": person_id, "agency_id": agency_id, "version": version}
    session.execute(FOLLOW_ACCOUNT, whose | {"is_closed": is_closed, "is_holder": is_holder})


def put_allowance(session: Session, person_id: UUID, agency_id: UUID, limit: int, version: int) -> None:
    """Takes over a person's allowance unless a newer one is known."""
    row = insert(Stock).values(person_id=person_id, agency_id=agency_id, held=0, allowed=limit, allowance_version=version)
    newer = {"allowed": row.excluded.allowed, "allowance_version": row.excluded.allowance_version}
    older = (Stock.allowance_version < row.excluded.allowance_version) | Stock.allowed.is_(None)
    session.execute(row.on_conflict_do_update(index_elements=[Stock.person_id], set_=newer, where=older))


class Receivers:
    """Makes sure, before a transaction, that a person is known and what he may hold. Once known he stays known."""

    MOST = 100_000

    def __init__(self) -> None:
        self._ready: set[UUID] = set()

    def prepare(self, call: Call, person_id: UUID) -> None:
        """Raises NotFound for nobody, ServiceUnavailable when rules or identity must be asked and do not answer."""
        if person_id in self._ready:
            return
        person = known_person(call, person_id)
        with call.reading() as session:
            stock = session.get(Stock, person_id)
        if stock is None or stock.allowed is None:
            allowance = call.ask_in_own_name(SHOW_ALLOWANCE, AskAllowance(person_id=person_id))
            with call.noting() as session:
                put_allowance(session, person_id, person.agency_id, allowance.limit, allowance.version)
        if len(self._ready) >= self.MOST:
            self._ready.clear()
        self._ready.add(person_id)


receivers = Receivers()
"""Of the process, as nameko makes an object for each request."""


# --- pools

NAMES: dict[PoolKind, str] = {"public": "公海", "agency": "代理商管理员库", "telesales": "电销库", "industry": "行业库"}


def pool_id(agency_id: UUID, kind: PoolKind) -> UUID:
    """An agency has one pool of each kind, so its id can be computed wherever it is needed."""
    return uuid5(agency_id, kind)


def pool_of(session: Session, agency_id: UUID, kind: PoolKind) -> Pool:
    """The agency's pool, made if it is not there yet."""
    values = {"id": pool_id(agency_id, kind), "agency_id": agency_id, "kind": kind, "name": NAMES[kind]}
    if found := session.get(Pool, values["id"]):
        return found
    session.execute(insert(Pool).values(values).on_conflict_do_nothing())
    return session.get_one(Pool, values["id"])
