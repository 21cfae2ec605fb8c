"""SQL of identity."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    DateTime,
    Row,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONPATH, insert
from sqlalchemy.orm import Session as DatabaseSession

from services.contracts.grants import ListGrants
from services.contracts.identity import ListUsers
from services.contracts.tree import ListDepartments
from services.identity import rights
from services.identity.domain import FAILURES_IN_A_ROW, FAILURES_KEPT, MANY_FAILURES_KEPT, SessionLimits
from services.identity.models import (
    Agency,
    ApiToken,
    Department,
    GroupAdmin,
    Identifier,
    KnownDevice,
    LoginFailures,
    LoginSettings,
    OneTimeCode,
    Person,
    Preferences,
    RecoveryCode,
    Role,
    RowGrant,
    SalesGroup,
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


def find_department(session: DatabaseSession, department_id: UUID) -> Department | None:
    return session.get(Department, department_id)


FRESH = {"populate_existing": True}
"""Of what is locked: what the session remembers of it may be older."""


def lock_agency(session: DatabaseSession, agency_id: UUID, *, against_logins: bool = False) -> Agency | None:
    """Against others who change it or its departments, and on demand against those who hold it."""
    query = select(Agency).where(Agency.id == agency_id).with_for_update(key_share=not against_logins)
    return session.scalars(query, execution_options=FRESH).one_or_none()


def hold_agency(session: DatabaseSession, agency_id: UUID) -> Agency:
    """Nobody freezes it meanwhile; many hold it at once."""
    query = select(Agency).where(Agency.id == agency_id).with_for_update(read=True, key_share=True)
    return session.scalars(query, execution_options=FRESH).one()


def lock_departments(session: DatabaseSession, department_ids: list[UUID]) -> None:
    """In the order of their ids; what is found of them afterwards is as it is now."""
    query = select(Department).where(Department.id.in_(department_ids)).order_by(Department.id)
    session.scalars(query.with_for_update(), execution_options=FRESH).all()


def hold_departments(session: DatabaseSession, department_ids: Collection[UUID]) -> None:
    """And those above them, against those who lock them: somebody is about to be put into them, or given roles there."""
    paths = session.scalars(select(Department.path).where(Department.id.in_(department_ids)))
    held = {UUID(part) for path in paths for part in path.split(".")}
    query = select(Department).where(Department.id.in_(held)).order_by(Department.id)
    session.scalars(query.with_for_update(read=True, key_share=True), execution_options=FRESH).all()


def departments_of_person(session: DatabaseSession, person_id: UUID) -> list[UUID]:
    """All in which somebody is, nothing for nobody."""
    query = select(Person.department_id, Person.other_department_ids).where(Person.id == person_id)
    return [each for home, others in session.execute(query) for each in (home, *others)]


def roles_below(session: DatabaseSession, department: Department) -> Sequence[str]:
    """Of everybody who is in a department or below it."""
    query = select(func.unnest(Person.roles)).where(Person.agency_id == department.agency_id, is_in_or_below(department))
    return session.scalars(query.distinct()).all()


def list_granted_below(session: DatabaseSession, department: Department) -> Sequence[Person]:
    """Who is in a department or below it, and has live grants or rights in a sales group."""
    has_grants = exists().where(RowGrant.person_id == Person.id, *rights.IS_LIVE)
    has_groups = exists().where(GroupAdmin.person_id == Person.id)
    is_there = (Person.agency_id == department.agency_id, is_in_or_below(department))
    return session.scalars(select(Person).where(*is_there, or_(has_grants, has_groups)).order_by(Person.id)).all()


def is_in_or_below(department: Department) -> ColumnElement[bool]:
    """Of a person."""
    places = select(Department.id).where(Department.agency_id == department.agency_id, is_below(department.path))
    below = func.array(places.scalar_subquery(), type_=ARRAY(Uuid))
    return or_(Person.department_id == any_(below), Person.other_department_ids.overlap(below))


def lock_departments_of(session: DatabaseSession, agency_id: UUID) -> list[Department]:
    """All that bear the agency's name, whose row is locked."""
    query = select(Department).where(Department.agency_id == agency_id).order_by(Department.id)
    return list(session.scalars(query.with_for_update(key_share=True), execution_options=FRESH))


def list_children(session: DatabaseSession, department_id: UUID) -> list[Department]:
    query = select(Department).where(Department.parent_id == department_id).order_by(Department.id)
    return list(session.scalars(query, execution_options=FRESH))


def count_levels(session: DatabaseSession, department: Department) -> int:
    """Of the department and all below it."""
    levels = func.max(func.cardinality(func.string_to_array(Department.path, ".")))
    query = select(levels).where(Department.agency_id == department.agency_id, is_below(department.path))
    return (session.scalar(query) or 0) - department.path.count(".")


def is_below(path: str) -> ColumnElement[bool]:
    """Or is that one itself."""
    return or_(Department.path == path, func.starts_with(Department.path, f"{path}."))


def follow_path(session: DatabaseSession, department: Department, old_path: str) -> None:
    """All below a department that has left this path; it is there now itself."""
    new_path = func.concat(department.path, func.substr(Department.path, len(old_path) + 1))
    below = (Department.agency_id == department.agency_id, func.starts_with(Department.path, f"{old_path}."))
    query = update(Department).where(*below).values(path=new_path)
    session.execute(query, execution_options={"synchronize_session": False})


def list_above(session: DatabaseSession, department_ids: Collection[UUID]) -> list[Department]:
    """These departments and all above them."""
    paths = session.scalars(select(Department.path).where(Department.id.in_(department_ids)))
    above = {UUID(part) for path in paths for part in path.split(".")}
    return list(session.scalars(select(Department).where(Department.id.in_(above))))


def departments_of(session: DatabaseSession, agency_id: UUID, department_ids: list[UUID]) -> set[UUID]:
    """Those of the departments that are of this agency, and still there."""
    query = select(Department.id).where(Department.agency_id == agency_id, Department.id.in_(department_ids))
    return set(session.scalars(query.where(Department.status != "merged")))


def people_of(agency_id: UUID) -> Select[Any]:
    return select(Person.id).where(Person.agency_id == agency_id)


def lock_people_of(session: DatabaseSession, department: Department) -> list[Person]:
    """Who is in a department or oversees it."""
    is_of = or_(is_member_of(department.id), Person.managed_department_ids.contains([department.id]))
    query = select(Person).where(Person.agency_id == department.agency_id, is_of).order_by(Person.id)
    return list(session.scalars(query.with_for_update(), execution_options=FRESH))


def is_member_of(department_id: UUID) -> ColumnElement[bool]:
    return or_(Person.department_id == department_id, Person.other_department_ids.contains([department_id]))


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
    """Who only refers to him, as his subordinates do, does not wait."""
    return session.scalars(select(Person).where(Person.id == person_id).with_for_update(key_share=True)).one_or_none()


def list_agencies(session: DatabaseSession, visible: ColumnElement[bool], after: UUID | None, limit: int) -> list[Agency]:
    query = select(Agency).where(visible).order_by(Agency.id).limit(limit)
    return list(session.scalars(query.where(Agency.id > after) if after else query))


def list_departments(
    session: DatabaseSession, visible: ColumnElement[bool], wanted: ListDepartments, after: UUID | None, limit: int
) -> list[Department]:
    query = select(Department).where(visible).order_by(Department.id).limit(limit)
    for name in ("agency_id", "parent_id", "status"):
        if (value := getattr(wanted, name)) is not None:
            query = query.where(getattr(Department, name) == value)
    if wanted.is_top is not None:
        query = query.where(Department.parent_id.is_(None) == wanted.is_top)
    return list(session.scalars(query.where(Department.id > after) if after else query))


def list_people(
    session: DatabaseSession,
    visible: ColumnElement[bool],
    wanted: ListUsers,
    after: UUID | None,
) -> list[Person]:
    """One more than is wanted."""
    query = select(Person).where(visible).order_by(Person.id).limit(wanted.limit + 1)
    if wanted.status:
        query = query.where(Person.status == wanted.status)
    if wanted.department_id:
        query = query.where(is_member_of(wanted.department_id))
    if wanted.role:
        query = query.where(Person.roles.contains([str(wanted.role)]))
    if wanted.supervisor_id:
        query = query.where(Person.supervisor_id == wanted.supervisor_id)
    return list(session.scalars(query.where(Person.id > after) if after else query))


LOCK_SUPERVISORS = text("SELECT pg_advisory_xact_lock(hashtextextended('supervisors ' || :agency_id, 0))")


def lock_supervisors(session: DatabaseSession, agency_id: UUID) -> None:
    """Of two who put each other above themselves the second one sees what the first has done."""
    session.execute(LOCK_SUPERVISORS, {"agency_id": str(agency_id)})


def supervisors_of(session: DatabaseSession, person_id: UUID) -> set[UUID]:
    """All who are above somebody."""
    return set(session.scalars(select(func.supervisors_of(person_id))))


def groups_of(session: DatabaseSession, person_id: UUID) -> frozenset[UUID]:
    """The sales groups of which somebody is a member."""
    query = select(SalesGroup.id).where(SalesGroup.member_ids.contains([person_id]), ~SalesGroup.is_dissolved)
    return frozenset(session.scalars(query))


# --- roles

LOCK_ROLE = text("SELECT pg_advisory_xact_lock_shared(hashtextextended('role ' || :key, 0))")
LOCK_ROLE_ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended('role ' || :key, 0))")


def lock_roles(session: DatabaseSession, keys: Iterable[str]) -> None:
    """Before somebody is given them: who changes one at the same time waits until it can be seen who has it."""
    for key in sorted(keys):
        session.execute(LOCK_ROLE, {"key": key})


def lock_role_alone(session: DatabaseSession, key: str) -> None:
    """Before it is changed for all who have it."""
    session.execute(LOCK_ROLE_ALONE, {"key": key})


def find_role(session: DatabaseSession, role_id: UUID) -> Role | None:
    return session.get(Role, role_id, populate_existing=True)


def has_role(session: DatabaseSession, role_id: UUID) -> bool:
    """In any agency: it looks through the wall, see the migrations."""
    return bool(session.scalar(select(func.has_role(role_id))))


def roles_by_key(session: DatabaseSession, keys: Iterable[str]) -> dict[str, Role]:
    """Those that are not built in."""
    query = select(Role).where(Role.key.in_(keys)).execution_options(populate_existing=True)
    return {role.key: role for role in session.scalars(query)}


def list_roles(
    session: DatabaseSession, visible: ColumnElement[bool], archived: bool, after: UUID | None, limit: int
) -> list[Role]:
    query = select(Role).where(visible, Role.archived_at.is_not(None) if archived else Role.archived_at.is_(None))
    query = query.order_by(Role.id).limit(limit)
    return list(session.scalars(query.where(Role.id > after) if after else query))


def lock_holders(session: DatabaseSession, key: str) -> list[Person]:
    query = select(Person).where(Person.roles.contains([key])).order_by(Person.id)
    return list(session.scalars(query.with_for_update(key_share=True).execution_options(populate_existing=True)))


def has_holders(session: DatabaseSession, key: str) -> bool:
    return session.scalar(select(Person.id).where(Person.roles.contains([key])).limit(1)) is not None


def find_facts(session: DatabaseSession, person_id: UUID) -> Row[Any] | None:
    """What a person's rights are made of, and what a passport says of him."""
    return next(iter(list_facts(session, [person_id])), None)


def list_facts(session: DatabaseSession, person_ids: Collection[UUID]) -> Sequence[Row[Any]]:
    columns = (Person.__table__.c[name] for name in (*OF_PASSPORTS, "status"))
    query: Select[Any] = select(*columns, *rights.COLUMNS).where(Person.id.in_(person_ids))
    return session.execute(query).all()


def roles_that_list(session: DatabaseSession, department_id: UUID) -> Sequence[Role]:
    """By key."""
    listed = func.jsonb_path_exists(Role.grants, literal(f'$[*].department_ids[*] ? (@ == "{department_id}")', JSONPATH))
    query = select(Role).where(listed).order_by(Role.key)
    return session.scalars(query, execution_options=FRESH).all()


# --- row grants


def lock_grants_on(session: DatabaseSession, department_id: UUID) -> Sequence[RowGrant]:
    """Those on the records of a department that are not withdrawn."""
    query = select(RowGrant).where(RowGrant.department_id == department_id, RowGrant.withdrawn_at.is_(None))
    return session.scalars(query.order_by(RowGrant.id).with_for_update(), execution_options=FRESH).all()


def lock_grant(session: DatabaseSession, person_id: UUID, grant_id: UUID) -> RowGrant | None:
    query = select(RowGrant).where(RowGrant.id == grant_id, RowGrant.person_id == person_id)
    return session.scalars(query.with_for_update()).one_or_none()


def lock_live_grants(session: DatabaseSession, person_id: UUID) -> Sequence[RowGrant]:
    """Of a person whose row is locked, so that none is added."""
    query = select(RowGrant).where(RowGrant.person_id == person_id, *rights.IS_LIVE).order_by(RowGrant.id)
    return session.scalars(query.with_for_update(), execution_options=FRESH).all()


def has_grant(session: DatabaseSession, person_id: UUID, grant_id: UUID) -> bool:
    """In any agency, as `has_role`."""
    return bool(session.scalar(select(func.has_grant(person_id, grant_id))))


def count_live_grants(session: DatabaseSession, person_id: UUID) -> int:
    return session.scalar(select(func.count()).where(RowGrant.person_id == person_id, *rights.IS_LIVE)) or 0


def list_grants(session: DatabaseSession, wanted: ListGrants, after: UUID | None) -> list[RowGrant]:
    """One more than is wanted."""
    query = select(RowGrant).where(RowGrant.person_id == wanted.user_id).order_by(RowGrant.id).limit(wanted.limit + 1)
    query = query.where(*rights.IS_LIVE) if wanted.state == "live" else query
    return list(session.scalars(query.where(RowGrant.id > after) if after else query))


# --- who has been away

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


OF_PASSPORTS = ("agency_id", "department_id", "other_department_ids", "managed_department_ids", "display_name")
of_all, own = LoginSettings.__table__.alias("of_all"), LoginSettings.__table__.alias("own")


def settings_of(*names: str) -> list[ColumnElement[Any]]:
    """Of headquarters and of the person's agency."""
    return [settings.c[name].label(f"{settings.name}_{name}") for settings in (of_all, own) for name in names]


both = func.array_cat(of_all.c.factor_roles, own.c.factor_roles, type_=ARRAY(Text))
ASKED_ROLES = rights.rows_of(select(Role.key, Role.grants).where(Role.key == any_(both)).correlate(of_all, own)).label(
    "asked_roles"
)
"""Those of them of which a second factor is asked that are not built in."""


FIND_SESSION: Select[Any] = (
    select(
        *(Session.__table__.c[name] for name in ("id", "person_id", "by_code", "opened_at", "used_at", "expires_at", "ended_at")),
        *(Person.__table__.c[name] for name in (*OF_PASSPORTS, "status")),
        *rights.COLUMNS,
        Agency.__table__.c.is_frozen,
        *settings_of("idle_minutes", "session_hours", "factor_roles"),
        ASKED_ROLES,
        SecondFactor.__table__.c.confirmed_at.label("factor_on_at"),
        func.clock(type_=DateTime(timezone=True)).label("now"),
    )
    .join_from(Session.__table__, Person.__table__, Session.__table__.c.person_id == Person.__table__.c.id)
    .join(Agency.__table__, Agency.__table__.c.id == Person.__table__.c.agency_id)
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
    return session.get(LoginFailures, login_digest, with_for_update=True)


def put_captcha(session: DatabaseSession, captcha_id: UUID, token_digest: str, now: datetime) -> str:
    """Marks a captcha as used; the try that it counts for, which is an earlier one if it was used before."""
    row = insert(UsedCaptcha).values(id=captcha_id, token_digest=token_digest, used_at=now)
    session.execute(row.on_conflict_do_nothing())
    return session.execute(select(UsedCaptcha.token_digest).where(UsedCaptcha.id == captcha_id)).scalar_one()


def prune_failures(session: DatabaseSession, now: datetime) -> None:
    """Of those that `domain.are_forgotten` says are."""
    is_old = or_(
        and_(LoginFailures.last_at < now - FAILURES_KEPT, LoginFailures.in_a_row < FAILURES_IN_A_ROW),
        LoginFailures.last_at < now - MANY_FAILURES_KEPT,
    )
    old = select(LoginFailures.login_digest).where(is_old).order_by(LoginFailures.last_at).limit(PRUNED_AT_ONCE)
    locked = old.with_for_update(skip_locked=True)
    session.execute(delete(LoginFailures).where(LoginFailures.login_digest.in_(locked)))


def prune_captchas(session: DatabaseSession, before: datetime) -> None:
    old = select(UsedCaptcha.id).where(UsedCaptcha.used_at < before).limit(PRUNED_AT_ONCE).with_for_update(skip_locked=True)
    session.execute(delete(UsedCaptcha).where(UsedCaptcha.id.in_(old)))


# --- known devices


def find_device(session: DatabaseSession, token_digest: str) -> KnownDevice | None:
    return session.get(KnownDevice, token_digest)


def drop_devices(session: DatabaseSession, person_id: UUID, *, but: int = 0) -> None:
    """Of a person whose row is locked, all but so many that were used last."""
    kept = select(KnownDevice.token_digest).where(KnownDevice.person_id == person_id)
    kept = kept.order_by(KnownDevice.used_at.desc(), KnownDevice.token_digest).limit(but)
    session.execute(delete(KnownDevice).where(KnownDevice.person_id == person_id, KnownDevice.token_digest.not_in(kept)))


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


def revoke_tokens(session: DatabaseSession, now: datetime, person_id: UUID) -> int:
    """How many of them had not expired."""
    kept = (ApiToken.person_id == person_id, ApiToken.revoked_at.is_(None))
    ended = update(ApiToken).where(*kept).values(revoked_at=now).returning(ApiToken.expires_at)
    return sum(expires_at > now for expires_at in session.scalars(ended))


FIND_TOKEN: Select[Any] = (
    select(
        *(ApiToken.__table__.c[name] for name in ("id", "person_id", "permissions", "expires_at", "used_at", "revoked_at")),
        *(Person.__table__.c[name] for name in (*OF_PASSPORTS, "status")),
        *rights.COLUMNS,
        Agency.__table__.c.is_frozen,
        *settings_of("factor_roles"),
        ASKED_ROLES,
        SecondFactor.__table__.c.confirmed_at.label("factor_on_at"),
        func.clock(type_=DateTime(timezone=True)).label("now"),
    )
    .join_from(ApiToken.__table__, Person.__table__, ApiToken.__table__.c.person_id == Person.__table__.c.id)
    .join(Agency.__table__, Agency.__table__.c.id == Person.__table__.c.agency_id)
    .outerjoin(of_all, of_all.c.is_headquarters)
    .outerjoin(own, own.c.agency_id == Person.__table__.c.agency_id)
    .outerjoin(SecondFactor.__table__, SecondFactor.__table__.c.person_id == Person.__table__.c.id)
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
