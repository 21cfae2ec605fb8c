"""SQL of identity."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, DateTime, Row, Select, any_, bindparam, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session as DatabaseSession

from services.identity.domain import SessionLimits
from services.identity.models import (
    Agency,
    ApiToken,
    Department,
    Identifier,
    LoginFailures,
    LoginSettings,
    OneTimeCode,
    Person,
    Preferences,
    RecoveryCode,
    SecondFactor,
    Session,
    UsedCaptcha,
)

active_since = func.greatest(Person.created_at, Person.last_login_at, Person.restored_at)
PRUNED_AT_ONCE = 10  # more than one comes in at a time, so that it cannot pile up


def has_agencies(session: DatabaseSession) -> bool:
    return session.scalar(select(Agency.id).limit(1)) is not None


def find_agency(session: DatabaseSession, agency_id: UUID) -> Agency | None:
    return session.get(Agency, agency_id)


def lock_agency(session: DatabaseSession, agency_id: UUID) -> Agency | None:
    return session.scalars(select(Agency).where(Agency.id == agency_id).with_for_update()).one_or_none()


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


Credentials = tuple[Person, OneTimeCode | None, SecondFactor | None, LoginSettings | None]


def find_credentials(session: DatabaseSession, name: str) -> Credentials | None:
    """Of whom this is the login, the staff number or the e-mail address: the person, his code, his second factor and the settings
    of his agency, in one question whatever there is."""
    query = (
        select(Person, OneTimeCode, SecondFactor, LoginSettings)
        .join(Identifier, Identifier.person_id == Person.id)
        .outerjoin(OneTimeCode, OneTimeCode.person_id == Person.id)
        .outerjoin(SecondFactor, SecondFactor.person_id == Person.id)
        .outerjoin(LoginSettings, LoginSettings.agency_id == Person.agency_id)
        .where(Identifier.name == name)
    )
    row = session.execute(query).one_or_none()
    return (row[0], row[1], row[2], row[3]) if row else None


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


def list_inactive(session: DatabaseSession, limit: datetime, most: int) -> list[tuple[UUID, int]]:
    """The ids and versions of active people who have not been active after the limit."""
    query = select(Person.id, Person.version).where(Person.status == "active", active_since <= limit)
    return [(row.id, row.version) for row in session.execute(query.order_by(Person.id).limit(most))]


LOCK_ADMINISTRATORS = text("SELECT pg_advisory_xact_lock(hashtextextended('subsystem administrators', 0))")


def lock_administrators(session: DatabaseSession) -> None:
    """Before they are counted: two who demote each other would each see the other one stay."""
    session.execute(LOCK_ADMINISTRATORS)


def count_other_administrators(session: DatabaseSession, person_id: UUID, limit: datetime) -> int:
    """Subsystem administrators besides this one who can log in: active, with a password, not inactive since the limit."""
    query = select(func.count()).where(
        Person.id != person_id,
        any_(Person.roles) == "subsystem_admin",
        Person.status == "active",
        Person.password_hash.is_not(None),
        active_since > limit,
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
of_all, own = LoginSettings.__table__.alias("of_all"), LoginSettings.__table__.alias("own")
FIND_SESSION: Select[Any] = (
    select(
        *(Session.__table__.c[name] for name in ("id", "person_id", "by_code", "opened_at", "used_at", "expires_at", "ended_at")),
        *(Person.__table__.c[name] for name in (*OF_PASSPORTS, "status")),
        *(
            settings.c[name].label(f"{settings.name}_{name}")
            for settings in (of_all, own)
            for name in ("idle_minutes", "session_hours", "factor_roles")
        ),
        SecondFactor.__table__.c.confirmed_at.label("factor_on_at"),
        func.clock(type_=DateTime(timezone=True)).label("now"),
    )
    .join_from(Session.__table__, Person.__table__)
    .outerjoin(of_all, of_all.c.is_headquarters)
    .outerjoin(own, own.c.agency_id == Person.__table__.c.agency_id)
    .outerjoin(SecondFactor.__table__, SecondFactor.__table__.c.person_id == Person.__table__.c.id)
    .where(Session.__table__.c.token_digest == bindparam("token_digest"))
)


def find_session(connection: Connection, token_digest: str) -> Row[Any] | None:
    """With what a passport says of the person, and the business time: asked for every request, so in one round trip."""
    return connection.execute(FIND_SESSION, {"token_digest": token_digest}).one_or_none()


def touch_session(session: DatabaseSession, session_id: UUID, now: datetime) -> None:
    session.execute(update(Session).where(Session.id == session_id, Session.used_at < now).values(used_at=now))


def end_sessions(session: DatabaseSession, now: datetime, *conditions: ColumnElement[bool]) -> None:
    session.execute(update(Session).where(Session.ended_at.is_(None), *conditions).values(ended_at=now))


def is_live(now: datetime, limits: SessionLimits) -> tuple[ColumnElement[bool], ...]:
    """As `domain.is_live` has it."""
    return (
        Session.ended_at.is_(None),
        Session.expires_at > now,
        Session.opened_at > now - limits.absolute,
        Session.used_at > now - limits.idle,
    )


def list_live_sessions(session: DatabaseSession, now: datetime, person_id: UUID, limits: SessionLimits) -> list[Session]:
    """The latest first."""
    query = select(Session).where(Session.person_id == person_id, *is_live(now, limits))
    return list(session.scalars(query.order_by(Session.opened_at.desc(), Session.id.desc())))


def end_oldest(session: DatabaseSession, now: datetime, person_id: UUID, limits: SessionLimits) -> list[str]:
    """Ends what is more than a person may have open, whose row is locked; the ids of those."""
    ended = list_live_sessions(session, now, person_id, limits)[limits.most :]
    for each in ended:
        each.ended_at = now
    return [str(each.id) for each in ended]


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


# --- settings of log-ins


def find_settings(session: DatabaseSession, agency_id: UUID) -> LoginSettings | None:
    return session.get(LoginSettings, agency_id)


def find_headquarters_settings(session: DatabaseSession) -> LoginSettings | None:
    """They count for everybody, so that they are seen through the wall."""
    window = text("SELECT * FROM headquarters_login_settings()")
    return session.scalars(select(LoginSettings).from_statement(window)).one_or_none()


# --- tokens of programs


def find_token(session: DatabaseSession, token_id: UUID) -> ApiToken | None:
    return session.get(ApiToken, token_id)


def lock_token(session: DatabaseSession, token_id: UUID) -> ApiToken | None:
    query = select(ApiToken).where(ApiToken.id == token_id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def list_tokens(session: DatabaseSession, person_id: UUID, after: UUID | None, limit: int) -> list[ApiToken]:
    query = select(ApiToken).where(ApiToken.person_id == person_id).order_by(ApiToken.id).limit(limit)
    return list(session.scalars(query.where(ApiToken.id > after) if after else query))


def count_live_tokens(session: DatabaseSession, person_id: UUID, now: datetime) -> int:
    live = (ApiToken.person_id == person_id, ApiToken.revoked_at.is_(None), ApiToken.expires_at > now)
    return session.scalar(select(func.count()).where(*live)) or 0


def revoke_tokens(session: DatabaseSession, now: datetime, person_id: UUID) -> None:
    live = (ApiToken.person_id == person_id, ApiToken.revoked_at.is_(None))
    session.execute(update(ApiToken).where(*live).values(revoked_at=now))


FIND_TOKEN: Select[Any] = (
    select(
        *(ApiToken.__table__.c[name] for name in ("id", "person_id", "permissions", "expires_at", "used_at", "revoked_at")),
        *(Person.__table__.c[name] for name in (*OF_PASSPORTS, "status")),
        func.clock(type_=DateTime(timezone=True)).label("now"),
    )
    .join_from(ApiToken.__table__, Person.__table__)
    .where(ApiToken.__table__.c.token_digest == bindparam("token_digest"))
)


def find_token_by_digest(connection: Connection, token_digest: str) -> Row[Any] | None:
    return connection.execute(FIND_TOKEN, {"token_digest": token_digest}).one_or_none()


def touch_token(session: DatabaseSession, token_id: UUID, now: datetime) -> None:
    session.execute(update(ApiToken).where(ApiToken.id == token_id).values(used_at=now))


# --- the second factor


def find_factor(session: DatabaseSession, person_id: UUID) -> SecondFactor | None:
    return session.get(SecondFactor, person_id)


def lock_factor(session: DatabaseSession, person_id: UUID) -> SecondFactor | None:
    return session.scalars(select(SecondFactor).where(SecondFactor.person_id == person_id).with_for_update()).one_or_none()


def drop_factor(session: DatabaseSession, person_id: UUID) -> None:
    session.execute(delete(SecondFactor).where(SecondFactor.person_id == person_id))


def count_recovery_codes(session: DatabaseSession, person_id: UUID) -> int:
    query = select(func.count()).where(RecoveryCode.person_id == person_id, RecoveryCode.used_at.is_(None))
    return session.scalar(query) or 0


def spend_recovery_code(session: DatabaseSession, person_id: UUID, digest: str, now: datetime) -> bool:
    """Whether there was one that had not counted yet."""
    one = (RecoveryCode.person_id == person_id, RecoveryCode.digest == digest, RecoveryCode.used_at.is_(None))
    spent = update(RecoveryCode).where(*one).values(used_at=now).returning(RecoveryCode.digest)
    return session.execute(spent).one_or_none() is not None


# --- preferences


def find_preferences(session: DatabaseSession, person_id: UUID) -> Preferences | None:
    return session.get(Preferences, person_id)
