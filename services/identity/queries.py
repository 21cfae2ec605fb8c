"""SQL of identity."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, update
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
    row = insert(OneTimeCode).values(person_id=person_id, digest=digest, expires_at=expires_at)
    session.execute(
        row.on_conflict_do_update(
            index_elements=[OneTimeCode.person_id], set_={"digest": row.excluded.digest, "expires_at": row.excluded.expires_at}
        )
    )


def find_session(session: DatabaseSession, token_digest: str) -> tuple[Session, Person, datetime] | None:
    """With the person and the business time, in one round trip."""
    query = select(Session, Person, func.clock()).join(Person, Person.id == Session.person_id)
    row = session.execute(query.where(Session.token_digest == token_digest)).one_or_none()
    return (row[0], row[1], row[2]) if row else None


def touch_session(session: DatabaseSession, session_id: UUID, now: datetime) -> None:
    session.execute(update(Session).where(Session.id == session_id, Session.used_at < now).values(used_at=now))


def end_sessions(session: DatabaseSession, now: datetime, *conditions: ColumnElement[bool]) -> None:
    session.execute(update(Session).where(Session.ended_at.is_(None), *conditions).values(ended_at=now))


def find_own_session(session: DatabaseSession, session_id: UUID) -> Session:
    return session.scalars(select(Session).where(Session.id == session_id)).one()


def drop_code(session: DatabaseSession, person_id: UUID) -> None:
    session.execute(delete(OneTimeCode).where(OneTimeCode.person_id == person_id))
