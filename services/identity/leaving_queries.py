"""SQL of leavings."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.orm import Session

from services.contracts.errors import NotFound, OutOfScope
from services.contracts.leaving import ListLeavings
from services.identity.leaving_models import Leaving, LeavingPart
from services.identity.models import Person

LINES = select(Leaving, Person.display_name).join(Person, Person.id == Leaving.person_id)


def list_leavings(
    session: Session, visible: ColumnElement[bool], wanted: ListLeavings, after: UUID | None
) -> Sequence[Row[Leaving, str]]:
    """The newest first, one more than is wanted: ids are in the order in which they were ordered."""
    query = LINES.where(visible).order_by(Leaving.id.desc()).limit(wanted.limit + 1)
    if wanted.status:
        query = query.where(Leaving.status == wanted.status)
    if wanted.user_id:
        query = query.where(Leaving.person_id == wanted.user_id)
    return session.execute(query.where(Leaving.id < after) if after else query).all()


def find_leaving(session: Session, leaving_id: UUID) -> Row[Leaving, str]:
    """Raises NotFound, or OutOfScope for one that is behind the wall."""
    found = session.execute(LINES.where(Leaving.id == leaving_id)).one_or_none()
    if found is None:
        raise OutOfScope() if session.scalar(select(func.has_leaving(leaving_id))) else NotFound()
    return found


def parts_of(session: Session, leaving_ids: Sequence[UUID]) -> Sequence[LeavingPart]:
    query = select(LeavingPart).where(LeavingPart.leaving_id.in_(leaving_ids))
    return session.scalars(query.order_by(LeavingPart.leaving_id, LeavingPart.service)).all()


def lock_leaving(session: Session, leaving_id: UUID) -> Leaving:
    """One that was found before, or of which a service has heard: it is there."""
    query = select(Leaving).where(Leaving.id == leaving_id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()


def find_under_way(session: Session, person_id: UUID) -> Leaving | None:
    """Of a person whose row is locked."""
    return session.scalars(select(Leaving).where(Leaving.person_id == person_id, Leaving.finished_at.is_(None))).one_or_none()


def find_last(session: Session, person_id: UUID) -> Leaving | None:
    query = select(Leaving).where(Leaving.person_id == person_id).order_by(Leaving.id.desc()).limit(1)
    return session.scalars(query).one_or_none()


def find_colleagues(session: Session, agency_id: UUID, user_ids: Sequence[UUID]) -> dict[UUID, Person]:
    """Those of the people who are of this agency, by id."""
    people = session.scalars(select(Person).where(Person.agency_id == agency_id, Person.id.in_(user_ids)))
    return {person.id: person for person in people}
