"""SQL of handovers."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, any_, func, literal, or_, select, text
from sqlalchemy.orm import Session

from services.contracts.leaving import Count, ListLeavingItems
from services.customers.disputes.models import Dispute
from services.customers.leaving.models import Handover, HandoverItem, HandoverReceiver
from services.customers.members.models import Territory
from services.customers.models import Customer, Pool, PoolMember, ReviewItem
from services.customers.team.models import Collaborator, Handoff
from services.directory.models import Person

ITEMS = cast(Table, HandoverItem.__table__)
LEAVER = select(Handover.person_id).where(Handover.id == ITEMS.c.handover_id).correlate(ITEMS).scalar_subquery()
"""Whose leaving an item belongs to."""


def list_running(session: Session) -> Sequence[Handover]:
    """The oldest first."""
    return session.scalars(select(Handover).where(Handover.state == "running").order_by(Handover.id)).all()


def lock_handover(session: Session, leaving_id: UUID, *, read: bool = False) -> Handover | None:
    """Before everything else that is locked. `read`: beside others who hand over something of it."""
    query = select(Handover).where(Handover.id == leaving_id).with_for_update(read=read)
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


# --- what somebody has


def list_customers(session: Session, person_id: UUID, after: UUID | None, limit: int) -> Sequence[UUID]:
    query = select(Customer.id).where(Customer.owner_id == person_id).order_by(Customer.id).limit(limit)
    return session.scalars(query.where(Customer.id > after) if after else query).all()


def count_customers(session: Session, person_id: UUID) -> int:
    return session.scalars(select(func.count()).where(Customer.owner_id == person_id)).one()


def others_of(person_id: UUID) -> dict[str, Select[Any]]:
    """What somebody has to do with besides the customers that he holds, by kind; each statement gives ids."""
    is_party = or_(Dispute.claimant_id == person_id, (Dispute.holder_id == person_id) & Dispute.answered_at.is_(None))
    works_in = select(PoolMember.pool_id).join(Pool, Pool.id == PoolMember.pool_id)
    waits = (ReviewItem.origin == "waiting", ReviewItem.state == "open")
    return {
        "handoff": select(Handoff.id).where(Handoff.to_id == person_id, Handoff.state == "open"),
        "collaboration": select(Collaborator.customer_id).where(Collaborator.person_id == person_id),
        "dispute": select(Dispute.id).where(is_party, Dispute.state == "open"),
        "entry": select(ReviewItem.id).where(ReviewItem.person_id == person_id, *waits),
        "pool": works_in.where(PoolMember.person_id == person_id, Pool.archived_at.is_(None)),
        "territory": select(Territory.agency_id).where(literal(person_id) == any_(Territory.assignees)),
    }


def list_others(session: Session, person_id: UUID) -> list[tuple[str, UUID]]:
    return [(kind, id_) for kind, query in others_of(person_id).items() for id_ in session.scalars(query)]


def count_held(session: Session, person_id: UUID) -> dict[str, int]:
    counted = {"customer": select(Customer.id).where(Customer.owner_id == person_id), **others_of(person_id)}
    row = session.execute(
        select(*(select(func.count()).select_from(query.subquery()).scalar_subquery() for query in counted.values()))
    ).one()
    return dict(zip(counted, row, strict=True))


def lock_held(session: Session, customer_id: UUID, person_id: UUID) -> Customer | None:
    """None when somebody else has it by now."""
    query = select(Customer).where(Customer.id == customer_id, Customer.owner_id == person_id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def has_other_member(session: Session, pool_id: UUID, person_id: UUID) -> bool:
    query = select(PoolMember.person_id).where(
        PoolMember.pool_id == pool_id, PoolMember.person_id != person_id, ~PoolMember.is_admin
    )
    return session.scalar(query.limit(1)) is not None


# --- what became of it

PUT_ITEM = text(
    """
    INSERT INTO handover_item (id, handover_id, agency_id, kind, item_id, name, outcome, to_id, reason, round, at)
    VALUES (:id, :handover_id, :agency_id, :kind, :item_id, :name, :outcome, :to_id, :reason, :round, :at)
    ON CONFLICT ON CONSTRAINT handover_item_key DO UPDATE
    SET name = excluded.name, outcome = excluded.outcome, to_id = excluded.to_id, reason = excluded.reason,
        round = excluded.round, at = excluded.at
    """
)
COUNT_RECEIVED = text(
    """
    INSERT INTO handover_receiver (id, handover_id, person_id, agency_id, customers, told, version)
    VALUES (:id, :handover_id, :person_id, :agency_id, 1, 0, 0)
    ON CONFLICT ON CONSTRAINT handover_receiver_key DO UPDATE SET customers = handover_receiver.customers + 1
    """
)
NOTE_NOT_HELD = text(
    """
    INSERT INTO handover_item (id, handover_id, agency_id, kind, item_id, outcome, round, at)
    SELECT id, :handover_id, :agency_id, 'customer', item_id, 'not_held', :round, :at
    FROM unnest(CAST(:ids AS uuid[]), CAST(:item_ids AS uuid[])) AS listed(id, item_id)
    ON CONFLICT ON CONSTRAINT handover_item_key DO NOTHING
    """
)
# what was left in an earlier round and was not met in this one has been settled by somebody meanwhile
FORGET_SETTLED = text(
    "UPDATE handover_item SET outcome = 'ended', reason = NULL, round = :round, at = :at"
    " WHERE handover_id = :handover_id AND outcome = 'left' AND round < :round"
)


def given(session: Session, leaving_id: UUID) -> dict[UUID, int]:
    """How many customers each receiver has got."""
    query = select(HandoverReceiver.person_id, HandoverReceiver.customers).where(HandoverReceiver.handover_id == leaving_id)
    return dict(session.execute(query).all())


def lock_untold(session: Session, leaving_id: UUID) -> Sequence[HandoverReceiver]:
    query = select(HandoverReceiver).where(
        HandoverReceiver.handover_id == leaving_id, HandoverReceiver.told < HandoverReceiver.customers
    )
    query = query.order_by(HandoverReceiver.id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).all()


def counts_of(session: Session, leaving_id: UUID) -> list[Count]:
    number = func.count().label("number")
    query = select(ITEMS.c.kind, ITEMS.c.outcome, number).where(ITEMS.c.handover_id == leaving_id)
    rows = session.execute(query.group_by(ITEMS.c.kind, ITEMS.c.outcome).order_by(ITEMS.c.kind, ITEMS.c.outcome))
    return [Count.model_validate(row, from_attributes=True) for row in rows]


def list_items(
    connection: Connection, visible: ColumnElement[bool], wanted: ListLeavingItems, after: UUID | None
) -> Sequence[Row[Any]]:
    """One more than is wanted."""
    query: Select[Any] = select(ITEMS, Person.display_name.label("to_name"))
    query = query.join_from(ITEMS, Person, Person.id == ITEMS.c.to_id, isouter=True).where(visible)
    is_customer = ITEMS.c.kind == "customer"
    query = query.where(ITEMS.c.handover_id == wanted.leaving_id, is_customer if wanted.of == "customers" else ~is_customer)
    if wanted.outcome:
        query = query.where(ITEMS.c.outcome == wanted.outcome)
    if after:
        query = query.where(ITEMS.c.id > after)
    return connection.execute(query.order_by(ITEMS.c.id).limit(wanted.limit + 1)).all()
