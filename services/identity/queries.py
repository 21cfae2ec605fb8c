"""SQL of identity."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, DateTime, Row, Select, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session as DatabaseSession

from services.identity.models import Agency, Department, OneTimeCode, Person, Session


def has_agencies(session: DatabaseSession) -> bool:
    return session.scalar(select(Agency.id).limit(1)) is not None


def find_agency(session: DatabaseSession, agency_id: UUID) -> Agency | None:
    return session.get(Agency, agency_id)


def find_department(session: DatabaseSession, department_id: UUID) -> Department | None:
    return session.get(Department, department_id)


def find_person_by_login(session: DatabaseSession, login: str) -> Person | None:
    return session.scalars(select(Person).where(Person.login == login)).one_or_none()


def find_person(session: DatabaseSession, person_id: UUID) -> Person | None:
    return session.get(Person, person_id)


def lock_person(session: DatabaseSession, person_id: UUID) -> Person | None:
    return session.scalars(select(Person).where(Person.id == person_id).with_for_update()).one_or_none()


def list_agencies(session: DatabaseSession, visible: ColumnElement[bool], after: UUID | None, limit: int) -> list[Agency]:
    query = select(Agency).where(visible).order_by(Agency.id).limit(limit)
    return list(session.scalars(query.where(Agency.id > after) if after else query))


def list_departments(
    session: DatabaseSession, visible: ColumnElement[bool], agency_id: UUID | None, after: UUID | None, limit: int
) -> list[Department]:
    query = select(Department).where(visible).order_by(Department.id).limit(limit)
    if agency_id:
        query = query.where(Department.agency_id == agency_id)
    return list(session.scalars(query.where(Department.id > after) if after else query))


def list_people(session: DatabaseSession, visible: ColumnElement[bool], after: UUID | None, limit: int) -> list[Person]:
    query = select(Person).where(visible).order_by(Person.id).limit(limit)
    return list(session.scalars(query.where(Person.id > after) if after else query))


def find_code(session: DatabaseSession, person_id: UUID) -> OneTimeCode | None:
    return session.get(OneTimeCode, person_id)


def put_code(session: DatabaseSession, person_id: UUID, digest: str, expires_at: datetime) -> None:
    """In the place of an older one."""
    row = insert(OneTimeCode).values(person_id=person_id, digest=digest, expires_at=expires_at)
    session.execute(
        row.on_conflict_do_update(
            index_elements=[OneTimeCode.person_id], set_={"digest": row.excluded.digest, "expires_at": row.excluded.expires_at}
        )
    )


FIND_SESSION: Select[Any] = (
    select(
        *(Session.__table__.c[name] for name in ("id", "person_id", "by_code", "used_at", "expires_at", "ended_at")),
        *(Person.__table__.c[name] for name in ("agency_id", "department_id", "roles", "display_name")),
        func.clock(type_=DateTime(timezone=True)).label("now"),
    )
    .join_from(Session.__table__, Person.__table__)
    .where(Session.__table__.c.token_digest == bindparam("token_digest"))
)


def find_session(connection: Connection, token_digest: str) -> Row[Any] | None:
    """With what a passport says of the person, and the business time: asked for every request, so in one round trip."""
    return connection.execute(FIND_SESSION, {"token_digest": token_digest}).one_or_none()


def touch_session(session: DatabaseSession, session_id: UUID, now: datetime) -> None:
    session.execute(update(Session).where(Session.id == session_id, Session.used_at < now).values(used_at=now))


def end_sessions(session: DatabaseSession, now: datetime, *conditions: ColumnElement[bool]) -> None:
    session.execute(update(Session).where(Session.ended_at.is_(None), *conditions).values(ended_at=now))


def lock_session(session: DatabaseSession, session_id: UUID) -> Session | None:
    return session.scalars(select(Session).where(Session.id == session_id).with_for_update()).one_or_none()


def drop_code(session: DatabaseSession, person_id: UUID) -> None:
    session.execute(delete(OneTimeCode).where(OneTimeCode.person_id == person_id))
