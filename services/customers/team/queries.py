"""SQL of the team."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, and_, case, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from services.contracts.errors import NotFound, OutOfScope
from services.contracts.reach import Reach
from services.contracts.team import ListHandoffs
from services.customers.team.access import LIVE
from services.customers.team.models import Collaborator, Handoff
from services.directory.models import Person
from services.directory.scopes import visible
from services.plumbing.passport import Caller

# --- collaborators

PERSON_NAME = Person.display_name.label("person_name")
COLLABORATORS: Select[Any] = select(*Collaborator.__table__.c, PERSON_NAME).join_from(
    Collaborator, Person, Person.id == Collaborator.person_id
)


def list_collaborators(connection: Connection, customer_id: UUID) -> Sequence[Row[Any]]:
    """Those whose rights count now, in the order in which they were given."""
    query = COLLABORATORS.where(Collaborator.customer_id == customer_id, LIVE)
    return connection.execute(query.order_by(Collaborator.given_at, Collaborator.person_id)).all()


def collaborator(session: Session, customer_id: UUID, person_id: UUID) -> Row[Any]:
    """After the changes of this transaction."""
    query = COLLABORATORS.where(Collaborator.customer_id == customer_id, Collaborator.person_id == person_id)
    return session.execute(query).one()


# --- handoffs

TABLE = cast(Table, Handoff.__table__)
GIVER, RECEIVER = aliased(Person), aliased(Person)
SHOWN_STATE = case((and_(TABLE.c.state == "open", TABLE.c.expires_at <= func.clock()), "lapsed"), else_=TABLE.c.state)
"""One whose time is up has lapsed, before anybody has written so."""
HANDOFFS: Select[Any] = (
    select(
        *(column for column in TABLE.c if column.name != "state"),
        SHOWN_STATE.label("state"),
        func.coalesce(GIVER.display_name, literal("")).label("from_name"),
        func.coalesce(RECEIVER.display_name, literal("")).label("to_name"),
    )
    .join_from(TABLE, GIVER, GIVER.id == TABLE.c.from_id, isouter=True)
    .join(RECEIVER, RECEIVER.id == TABLE.c.to_id, isouter=True)
)


def seen_by(scope: Reach, caller: Caller) -> ColumnElement[bool]:
    """A handoff is his who held the customer, and the receiver's."""
    return or_(
        TABLE.c.offered_by == caller.user_id,
        *(visible(scope, caller, owner=owner, agency=TABLE.c.agency_id) for owner in (TABLE.c.from_id, TABLE.c.to_id)),
    )


def list_handoffs(
    connection: Connection, scope: Reach, caller: Caller, wanted: ListHandoffs, after: UUID | None
) -> Sequence[Row[Any]]:
    """The newest first, one more than is wanted: ids are in the order in which they were offered."""
    whose = {
        "mine": TABLE.c.to_id == caller.user_id,
        "given": or_(TABLE.c.from_id == caller.user_id, TABLE.c.offered_by == caller.user_id),
        "visible": seen_by(scope, caller),
    }
    query = HANDOFFS.where(whose[wanted.of])
    if wanted.state:
        query = query.where(query.selected_columns["state"] == wanted.state)
    if wanted.customer_id:
        query = query.where(TABLE.c.customer_id == wanted.customer_id)
    if after:
        query = query.where(TABLE.c.id < after)
    return connection.execute(query.order_by(TABLE.c.id.desc()).limit(wanted.limit + 1)).all()


def find_handoff(connection: Connection, handoff_id: UUID, scope: Reach, caller: Caller) -> Row[Any]:
    """Raises NotFound, or OutOfScope when it is hidden."""
    found = connection.execute(HANDOFFS.where(TABLE.c.id == handoff_id, seen_by(scope, caller))).one_or_none()
    if found is None:
        raise missing(connection, handoff_id)
    return found


def handoff(session: Session, handoff_id: UUID) -> Row[Any]:
    """After the changes of this transaction."""
    session.flush()
    return session.execute(HANDOFFS.where(TABLE.c.id == handoff_id)).one()


def get_offered_to(session: Session, handoff_id: UUID, person_id: UUID) -> Handoff:
    """Raises NotFound, or OutOfScope when it was offered to somebody else."""
    return get(session, handoff_id, TABLE.c.to_id == person_id)


def get_given(session: Session, handoff_id: UUID, scope: Reach, caller: Caller) -> Handoff:
    """One that the caller has offered, or whose holder he is or oversees. Raises NotFound, OutOfScope."""
    of_holder = visible(scope, caller, owner=TABLE.c.from_id, agency=TABLE.c.agency_id)
    return get(session, handoff_id, or_(TABLE.c.offered_by == caller.user_id, of_holder))


def get(session: Session, handoff_id: UUID, is_within: ColumnElement[bool]) -> Handoff:
    found = session.scalars(select(Handoff).where(TABLE.c.id == handoff_id, is_within)).one_or_none()
    if found is None:
        raise missing(session, handoff_id)
    return found


def missing(connection: Connection | Session, handoff_id: UUID) -> NotFound:
    return OutOfScope() if connection.scalar(select(func.is_handoff(handoff_id))) else NotFound()


def list_due(session: Session, limit: int) -> Sequence[UUID]:
    """Open ones whose time is up, the oldest first."""
    query = select(TABLE.c.id).where(TABLE.c.state == "open", TABLE.c.expires_at <= func.clock())
    return session.scalars(query.order_by(TABLE.c.expires_at).limit(limit)).all()
