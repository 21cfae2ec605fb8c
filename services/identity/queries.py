"""SQL of identity."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, DateTime, Row, Select, any_, bindparam, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session as DatabaseSession

from services.identity.models import Agency, Department, LoginFailures, OneTimeCode, Person, Session, UsedCaptcha

active_since = func.greatest(Person.created_at, Person.last_login_at, Person.restored_at)
PRUNED_AT_ONCE = 10  # more than one comes in at a time, so that it cannot pile up


def has_agencies(session: DatabaseSession) -> bool:
    return session.scalar(select(Agency.id).limit(1)) is not None


def find_agency(session: DatabaseSession, agency_id: UUID) -> Agency | None:
    return session.get(Agency, agency_id)


def find_department(session: DatabaseSession, department_id: UUID) -> Department | None:
    return session.get(Department, department_id)


def departments_of(session: DatabaseSession, agency_id: UUID, department_ids: list[UUID]) -> set[UUID]:
    """Those of the departments that are of this agency."""
    query = select(Department.id).where(Department.agency_id == agency_id, Department.id.in_(department_ids))
    return set(session.scalars(query))


def has_login(session: DatabaseSession, login: str) -> bool:
    """In any agency, as are the next two: they look through the wall, see the migrations."""
    return bool(session.scalar(select(func.has_login(login))))


def has_person(session: DatabaseSession, person_id: UUID) -> bool:
    return bool(session.scalar(select(func.has_person(person_id))))


def has_department(session: DatabaseSession, department_id: UUID) -> bool:
    return bool(session.scalar(select(func.has_department(department_id))))


def find_credentials(session: DatabaseSession, login: str) -> tuple[Person, OneTimeCode | None] | None:
    """A person and his code, in one question whether or not there is either."""
    query = select(Person, OneTimeCode).outerjoin(OneTimeCode, OneTimeCode.person_id == Person.id).where(Person.login == login)
    row = session.execute(query).one_or_none()
    return (row[0], row[1]) if row else None


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


def list_people(
    session: DatabaseSession,
    visible: ColumnElement[bool],
    status: str | None,
    department_id: UUID | None,
    after: UUID | None,
    limit: int,
) -> list[Person]:
    query = select(Person).where(visible).order_by(Person.id).limit(limit)
    if status:
        query = query.where(Person.status == status)
    if department_id:
        query = query.where(Person.department_id == department_id)
    return list(session.scalars(query.where(Person.id > after) if after else query))


LOCK_ADMINISTRATORS = text("SELECT pg_advisory_xact_lock(hashtextextended('subsystem administrators', 0))")


def lock_administrators(session: DatabaseSession) -> None:
    """Before they are counted: two who demote each other would each see the other one stay."""
    session.execute(LOCK_ADMINISTRATORS)


LOCK_INACTIVITY = text("SELECT pg_advisory_xact_lock(hashtextextended('inactivity policies', 0))")


def lock_inactivity(session: DatabaseSession) -> None:
    """Before an agency's policy is compared with headquarters'."""
    session.execute(LOCK_INACTIVITY)


def count_other_administrators(session: DatabaseSession, person_id: UUID, limit: datetime) -> int:
    """Subsystem administrators besides this one who can log in: active, with a password, active since the limit."""
    query = select(func.count()).where(
        Person.id != person_id,
        any_(Person.roles) == "subsystem_admin",
        Person.status == "active",
        Person.password_hash.is_not(None),
        active_since >= limit,
    )
    return session.scalar(query) or 0


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


OF_PASSPORTS = ("agency_id", "department_id", "managed_department_ids", "roles", "display_name")
FIND_SESSION: Select[Any] = (
    select(
        *(Session.__table__.c[name] for name in ("id", "person_id", "by_code", "used_at", "expires_at", "ended_at")),
        *(Person.__table__.c[name] for name in (*OF_PASSPORTS, "status")),
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


# --- failed log-ins

LOCK_LOGIN = text("SELECT pg_advisory_xact_lock(hashtextextended('login ' || :digest, 0))")


def find_failures(session: DatabaseSession, login_digest: str) -> LoginFailures | None:
    return session.get(LoginFailures, login_digest)


def lock_failures(session: DatabaseSession, login_digest: str) -> LoginFailures | None:
    """Locked by name, as there may be none yet."""
    session.execute(LOCK_LOGIN, {"digest": login_digest})
    return session.get(LoginFailures, login_digest)


def put_captcha(session: DatabaseSession, captcha_id: UUID, token_digest: str, now: datetime) -> str:
    """Marks a captcha as used; the try that it counts for, which is an earlier one if it was used before."""
    row = insert(UsedCaptcha).values(id=captcha_id, token_digest=token_digest, used_at=now)
    session.execute(row.on_conflict_do_nothing())
    return session.execute(select(UsedCaptcha.token_digest).where(UsedCaptcha.id == captcha_id)).scalar_one()


def prune_failures(session: DatabaseSession, before: datetime) -> None:
    old = select(LoginFailures.login_digest).where(LoginFailures.last_at < before).limit(PRUNED_AT_ONCE)
    locked = old.with_for_update(skip_locked=True)
    session.execute(delete(LoginFailures).where(LoginFailures.login_digest.in_(locked)))


def prune_captchas(session: DatabaseSession, before: datetime) -> None:
    old = select(UsedCaptcha.id).where(UsedCaptcha.used_at < before).limit(PRUNED_AT_ONCE).with_for_update(skip_locked=True)
    session.execute(delete(UsedCaptcha).where(UsedCaptcha.id.in_(old)))
