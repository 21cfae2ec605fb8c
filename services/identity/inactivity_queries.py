"""SQL of inactivity: what the agencies have set, and how many days are left to whom."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Date, DateTime, Integer, any_, bindparam, cast, func, select, type_coerce
from sqlalchemy.orm import Session, aliased

from services.identity import domain
from services.identity.leaving_models import InactivityNotice, InactivityPolicy
from services.identity.models import Agency, Person

GENERAL = select(InactivityPolicy).join(Agency, Agency.id == InactivityPolicy.agency_id).where(Agency.is_headquarters)


def find_policy(session: Session, agency_id: UUID, *, is_locked: bool = False) -> InactivityPolicy | None:
    query = select(InactivityPolicy).where(InactivityPolicy.agency_id == agency_id)
    return session.scalars(query.with_for_update() if is_locked else query).one_or_none()


def rule_of(session: Session, agency_id: UUID, default_days: int) -> domain.InactivityRule:
    """What holds for an agency."""
    own, general = find_policy(session, agency_id), session.scalars(GENERAL).one_or_none()
    return domain.strictest(
        default_days,
        *(given(policy) for policy in (general, own)),
    )


def given(policy: InactivityPolicy | None) -> domain.Inactivity:
    return domain.Inactivity(policy.days, policy.notice_days, policy.version) if policy else domain.UNSET


def active_since(person: Any = Person) -> ColumnElement[datetime]:
    return func.greatest(person.created_at, person.last_login_at, person.restored_at, type_=DateTime(timezone=True))


def days_left(now: datetime, default_days: int, person: Any = Person) -> ColumnElement[int]:
    """Calendar days until somebody is locked, as `domain.days_left` counts them."""
    general = func.coalesce(GENERAL.with_only_columns(InactivityPolicy.days).scalar_subquery(), default_days)
    own = select(InactivityPolicy.days).where(InactivityPolicy.agency_id == person.agency_id).scalar_subquery()
    moment = bindparam(None, now, type_=DateTime(timezone=True))
    since, today = (cast(func.timezone(domain.TIME_ZONE, at), Date) for at in (active_since(person), moment))
    return type_coerce(since + func.least(general, own) + 1 - today, Integer)


def is_last_administrator(now: datetime, default_days: int) -> ColumnElement[bool]:
    """Whether nobody besides a subsystem administrator could administer: he is never locked."""
    other = aliased(Person)
    others = select(other.id).where(
        other.id != Person.id,
        any_(other.roles) == domain.ADMINISTRATOR,
        other.status == "active",
        other.password_hash.is_not(None),
        days_left(now, default_days, other) > 0,
    )
    return (any_(Person.roles) == domain.ADMINISTRATOR) & ~others.exists()


def will_be_locked(now: datetime, default_days: int, within: int) -> ColumnElement[bool]:
    """Within so many days from now on; 0 is now."""
    left = days_left(now, default_days)
    return (Person.status == "active") & (left <= within) & ~is_last_administrator(now, default_days)


def left_to(session: Session, user_ids: list[UUID], now: datetime, default_days: int) -> dict[UUID, int]:
    """The days until each of them is locked, of those who will be some day."""
    left = func.greatest(0, days_left(now, default_days))
    query = select(Person.id, left).where(Person.id.in_(user_ids), Person.status == "active")
    return dict(session.execute(query.where(~is_last_administrator(now, default_days))).all())


def list_overdue(session: Session, now: datetime, default_days: int, most: int) -> list[tuple[UUID, int]]:
    """The ids and versions of active people whose time is up, the last administrator among them."""
    query = select(Person.id, Person.version).where(Person.status == "active", days_left(now, default_days) <= 0)
    return [(row.id, row.version) for row in session.execute(query.order_by(Person.id).limit(most))]


def list_unnoticed(session: Session, now: datetime, default_days: int, most: int) -> list[tuple[UUID, datetime]]:
    """Who is about to be locked and has not been told of in this absence, and since when he is away."""
    noticed = select(InactivityNotice.id).where(
        InactivityNotice.person_id == Person.id, InactivityNotice.active_at == active_since()
    )
    notice = select(InactivityPolicy.notice_days).where(InactivityPolicy.agency_id == Person.agency_id).scalar_subquery()
    general = GENERAL.with_only_columns(InactivityPolicy.notice_days).scalar_subquery()
    within = func.coalesce(notice, general, domain.NOTICE_DAYS)
    left = days_left(now, default_days)
    query = select(Person.id, active_since()).where(Person.status == "active", left > 0, left <= within, ~noticed.exists())
    query = query.where(~is_last_administrator(now, default_days)).order_by(Person.id).limit(most)
    return list(session.execute(query).all())


def find_notice(session: Session, person_id: UUID) -> InactivityNotice | None:
    """Under the lock of the person's row."""
    return session.scalars(select(InactivityNotice).where(InactivityNotice.person_id == person_id)).one_or_none()
