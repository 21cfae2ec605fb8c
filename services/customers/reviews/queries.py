"""SQL of the review queue."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, func, literal, select
from sqlalchemy.orm import Session

from services.contracts.errors import NotFound, OutOfScope
from services.contracts.reach import Reach
from services.contracts.reviews import ReviewState
from services.customers.models import ReviewItem
from services.directory.models import Person
from services.directory.scopes import visible
from services.plumbing.passport import Caller

TABLE = cast(Table, ReviewItem.__table__)
PERSON_NAME = func.coalesce(Person.display_name, literal("")).label("person_name")
LINES: Select[Any] = select(TABLE, PERSON_NAME).join_from(TABLE, Person, Person.id == TABLE.c.person_id, isouter=True)


def seen_by(scope: Reach, caller: Caller) -> ColumnElement[bool]:
    """Whose a review is, is who entered it."""
    return visible(scope, caller, owner=TABLE.c.person_id, agency=TABLE.c.agency_id)


def list_reviews(
    connection: Connection, scope: Reach, caller: Caller, state: ReviewState | None, after: UUID | None, limit: int
) -> Sequence[Row[Any]]:
    """The newest first: ids are in the order in which they came."""
    query = LINES.where(seen_by(scope, caller))
    if state:
        query = query.where(TABLE.c.state == state)
    if after:
        query = query.where(TABLE.c.id < after)
    return connection.execute(query.order_by(TABLE.c.id.desc()).limit(limit)).all()


def line_of(session: Session, review_id: UUID) -> Row[Any]:
    """After the changes of this transaction."""
    session.flush()
    return session.execute(LINES.where(TABLE.c.id == review_id)).one()


def get_review(session: Session, review_id: UUID, scope: Reach, caller: Caller) -> ReviewItem:
    """Raises NotFound, or OutOfScope when it is hidden."""
    found = session.scalars(select(ReviewItem).where(TABLE.c.id == review_id, seen_by(scope, caller))).one_or_none()
    if found is None:
        raise OutOfScope() if session.scalar(select(func.is_review(review_id))) else NotFound()
    return found


def lock_review(session: Session, review_id: UUID) -> ReviewItem:
    """One that was found before, as it is now."""
    query = select(ReviewItem).where(TABLE.c.id == review_id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()
