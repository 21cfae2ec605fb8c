"""SQL of reveals."""

from collections.abc import Sequence
from datetime import date
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Connection, Row, Table, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.contracts.fields import ListReveals
from services.contracts.reach import Reach
from services.customers.fields.models import Reveal, RevealCount
from services.directory.models import Person
from services.directory.scopes import visible
from services.plumbing.passport import Caller

TABLE = cast(Table, Reveal.__table__)
PERSON_NAME = func.coalesce(Person.display_name, literal("")).label("person_name")


def lock_count(session: Session, person_id: UUID, agency_id: UUID, day: date) -> RevealCount:
    """The row of this day, made if it is not there yet: of those who reveal at once under one name each waits for the other."""
    row = insert(RevealCount).values(person_id=person_id, day=day, agency_id=agency_id, revealed=0)
    session.execute(row.on_conflict_do_nothing())
    of_day = (RevealCount.person_id == person_id, RevealCount.day == day)
    return session.scalars(select(RevealCount).where(*of_day).with_for_update()).one()


def is_counted(session: Session, person_id: UUID, day: date, customer_id: UUID, field: str) -> bool:
    """Whether the person has revealed this field of this customer on this day."""
    query = select(Reveal.id).where(Reveal.person_id == person_id, Reveal.day == day, Reveal.is_counted)
    return session.scalar(query.where(Reveal.customer_id == customer_id, Reveal.field == field)) is not None


def revealed_on(connection: Connection, person_id: UUID, day: date) -> int:
    query = select(RevealCount.revealed).where(RevealCount.person_id == person_id, RevealCount.day == day)
    return connection.scalar(query) or 0


def list_reveals(
    connection: Connection, scope: Reach, caller: Caller, wanted: ListReveals, after: UUID | None, limit: int
) -> Sequence[Row[Any]]:
    """The newest first. Whose a reveal is, is who made it; the agency is the customer's."""
    query = select(TABLE, PERSON_NAME).join_from(TABLE, Person, Person.id == TABLE.c.person_id, isouter=True)
    query = query.where(visible(scope, caller, owner=TABLE.c.person_id, agency=TABLE.c.agency_id))
    if wanted.customer_id:
        query = query.where(TABLE.c.customer_id == wanted.customer_id)
    if wanted.person_id:
        query = query.where(TABLE.c.person_id == wanted.person_id)
    if after:
        query = query.where(TABLE.c.id < after)
    return connection.execute(query.order_by(TABLE.c.id.desc()).limit(limit)).all()
