"""Tables of identity; what each column promises stands in the migrations."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012 SQLAlchemy's way
        str: Text,
        datetime: DateTime(timezone=True),
        list[str]: ARRAY(Text),
        list[UUID]: ARRAY(Uuid),
        list[datetime]: ARRAY(DateTime(timezone=True)),
    }


class Agency(Base):
    __tablename__ = "agency"
    __table_args__ = (
        UniqueConstraint("name", name="agency_name_key"),
        Index("agency_one_headquarters", "is_headquarters", unique=True, postgresql_where=text("is_headquarters")),
        CheckConstraint("version > 0", name="agency_version_check"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    is_headquarters: Mapped[bool]
    version: Mapped[int]
    created_at: Mapped[datetime]


class Department(Base):
    __tablename__ = "department"
    __table_args__ = (
        UniqueConstraint("agency_id", "name", name="department_name_key"),
        UniqueConstraint("id", "agency_id", name="department_in_agency"),
        ForeignKeyConstraint(
            ["parent_id", "agency_id"], ["department.id", "department.agency_id"], name="department_parent_fkey"
        ),
        CheckConstraint("version > 0", name="department_version_check"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID] = mapped_column(ForeignKey("agency.id", name="department_agency_id_fkey"))
    parent_id: Mapped[UUID | None]
    name: Mapped[str]
    path: Mapped[str]
    version: Mapped[int]
    created_at: Mapped[datetime]


class Person(Base):
    __tablename__ = "person"
    __table_args__ = (
        UniqueConstraint("login", name="person_login_key"),
        CheckConstraint("login = lower(login)", name="person_login_check"),
        CheckConstraint("cardinality(roles) > 0", name="person_roles_check"),
        CheckConstraint("password_hash LIKE '$argon2id$%'", name="person_password_hash_check"),
        CheckConstraint("version > 0", name="person_version_check"),
        CheckConstraint("status IN ('active', 'locked', 'disabled')", name="person_status_check"),
        CheckConstraint("staff_no = lower(staff_no) AND strpos(staff_no, '@') = 0", name="person_staff_no_check"),
        CheckConstraint("email = lower(email) AND strpos(email, '@') > 1", name="person_email_check"),
        CheckConstraint("('manager' = ANY (roles)) = (cardinality(managed_department_ids) > 0)", name="person_managed_check"),
        ForeignKeyConstraint(
            ["department_id", "agency_id"], ["department.id", "department.agency_id"], name="person_department_fkey"
        ),
        Index("person_agency", "agency_id", "id"),
        Index("person_department", "department_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    login: Mapped[str]
    staff_no: Mapped[str | None]
    email: Mapped[str | None]
    display_name: Mapped[str]
    title: Mapped[str | None]
    phone: Mapped[str | None]
    agency_id: Mapped[UUID]
    department_id: Mapped[UUID]
    managed_department_ids: Mapped[list[UUID]]
    roles: Mapped[list[str]]
    status: Mapped[str]
    password_hash: Mapped[str | None]
    password_set_at: Mapped[datetime | None]
    last_login_at: Mapped[datetime | None]
    restored_at: Mapped[datetime | None]
    version: Mapped[int]
    created_at: Mapped[datetime]


class Identifier(Base):
    """Kept by a trigger on `person`; here to be asked."""

    __tablename__ = "identifier"
    __table_args__ = (Index("identifier_person", "person_id"),)

    name: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id", name="identifier_person_id_fkey"))


class OneTimeCode(Base):
    __tablename__ = "one_time_code"

    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id", name="one_time_code_person_id_fkey"), primary_key=True)
    digest: Mapped[str]
    expires_at: Mapped[datetime]


class Session(Base):
    __tablename__ = "session"
    __table_args__ = (
        UniqueConstraint("token_digest", name="session_token_key"),
        Index("session_person", "person_id", postgresql_where=text("ended_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id", name="session_person_id_fkey"))
    token_digest: Mapped[str]
    by_code: Mapped[bool]
    opened_at: Mapped[datetime]
    used_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    client: Mapped[str | None]
    address: Mapped[str | None]


class LoginSettings(Base):
    __tablename__ = "login_settings"
    __table_args__ = (
        CheckConstraint("idle_minutes BETWEEN 5 AND 480", name="login_settings_idle_minutes_check"),
        CheckConstraint("session_hours BETWEEN 1 AND 72", name="login_settings_session_hours_check"),
        CheckConstraint("max_sessions BETWEEN 1 AND 100", name="login_settings_max_sessions_check"),
        CheckConstraint("password_days BETWEEN 30 AND 730", name="login_settings_password_days_check"),
        CheckConstraint("version > 0", name="login_settings_version_check"),
        Index("login_settings_headquarters", "is_headquarters", unique=True, postgresql_where=text("is_headquarters")),
    )

    agency_id: Mapped[UUID] = mapped_column(ForeignKey("agency.id", name="login_settings_agency_id_fkey"), primary_key=True)
    is_headquarters: Mapped[bool]
    captcha_always: Mapped[bool]
    idle_minutes: Mapped[int | None]
    session_hours: Mapped[int | None]
    max_sessions: Mapped[int | None]
    password_days: Mapped[int | None]
    factor_roles: Mapped[list[str]]
    version: Mapped[int]


class ApiToken(Base):
    __tablename__ = "api_token"
    __table_args__ = (
        UniqueConstraint("token_digest", name="api_token_key"),
        CheckConstraint("cardinality(permissions) > 0", name="api_token_permissions_check"),
        CheckConstraint("expires_at > created_at", name="api_token_check"),
        Index("api_token_name", "person_id", "name", unique=True, postgresql_where=text("revoked_at IS NULL")),
        Index("api_token_person", "person_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id", name="api_token_person_id_fkey"))
    name: Mapped[str]
    token_digest: Mapped[str]
    permissions: Mapped[list[str]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class SecondFactor(Base):
    __tablename__ = "second_factor"
    __table_args__ = (CheckConstraint("cardinality(failures) <= 5", name="second_factor_failures_check"),)

    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id", name="second_factor_person_id_fkey"), primary_key=True)
    secret: Mapped[str]
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int] = mapped_column(BigInteger)
    failures: Mapped[list[datetime]]


class RecoveryCode(Base):
    __tablename__ = "recovery_code"

    person_id: Mapped[UUID] = mapped_column(
        ForeignKey("second_factor.person_id", name="recovery_code_person_id_fkey", ondelete="CASCADE"), primary_key=True
    )
    digest: Mapped[str] = mapped_column(primary_key=True)
    used_at: Mapped[datetime | None]


class Preferences(Base):
    __tablename__ = "preferences"
    __table_args__ = (CheckConstraint("version > 0", name="preferences_version_check"),)

    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id", name="preferences_person_id_fkey"), primary_key=True)
    language: Mapped[str]
    density: Mapped[str]
    layout: Mapped[str]
    modules: Mapped[list[str]]
    version: Mapped[int]


class LoginFailures(Base):
    __tablename__ = "login_failures"
    __table_args__ = (
        CheckConstraint("cardinality(recent) BETWEEN 1 AND 5", name="login_failures_recent_check"),
        CheckConstraint("in_a_row > 0", name="login_failures_in_a_row_check"),
        Index("login_failures_age", "last_at"),
    )

    login_digest: Mapped[str] = mapped_column(primary_key=True)
    recent: Mapped[list[datetime]]
    in_a_row: Mapped[int]
    last_at: Mapped[datetime]


class UsedCaptcha(Base):
    __tablename__ = "used_captcha"
    __table_args__ = (Index("used_captcha_age", "used_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    token_digest: Mapped[str]
    used_at: Mapped[datetime]
