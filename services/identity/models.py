"""Tables of identity; what each column promises stands in the migrations."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
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
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012 SQLAlchemy's way
        str: Text,
        datetime: DateTime(timezone=True),
        list[str]: ARRAY(Text),
        list[UUID]: ARRAY(Uuid),
        list[datetime]: ARRAY(DateTime(timezone=True)),
        list[dict[str, Any]]: JSONB,
    }


class Agency(Base):
    __tablename__ = "agency"
    __table_args__ = (
        UniqueConstraint("name", name="agency_name_key"),
        Index("agency_one_headquarters", "is_headquarters", unique=True, postgresql_where=text("is_headquarters")),
        CheckConstraint("version > 0", name="agency_version_check"),
        CheckConstraint("NOT (is_headquarters AND is_frozen)", name="agency_headquarters_check"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    is_headquarters: Mapped[bool]
    is_frozen: Mapped[bool]
    version: Mapped[int]
    created_at: Mapped[datetime]


class Department(Base):
    __tablename__ = "department"
    __table_args__ = (
        Index("department_name_key", "agency_id", "name", unique=True, postgresql_where=text("status <> 'merged'")),
        UniqueConstraint("id", "agency_id", name="department_in_agency"),
        ForeignKeyConstraint(
            ["parent_id", "agency_id"], ["department.id", "department.agency_id"], name="department_parent_fkey"
        ),
        ForeignKeyConstraint(
            ["merged_into_id", "agency_id"], ["department.id", "department.agency_id"], name="department_merged_into_fkey"
        ),
        CheckConstraint("version > 0", name="department_version_check"),
        CheckConstraint("kind IN ('company', 'branch', 'office', 'department', 'team')", name="department_kind_check"),
        CheckConstraint("status IN ('active', 'frozen', 'merged')", name="department_status_check"),
        CheckConstraint("(status = 'merged') = (merged_into_id IS NOT NULL)", name="department_merged_check"),
        Index("department_parent", "parent_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID] = mapped_column(ForeignKey("agency.id", name="department_agency_id_fkey"))
    parent_id: Mapped[UUID | None]
    kind: Mapped[str]
    name: Mapped[str]
    path: Mapped[str]
    ceiling: Mapped[list[str] | None]
    status: Mapped[str]
    merged_into_id: Mapped[UUID | None]
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
        CheckConstraint("department_id <> ALL (other_department_ids)", name="person_other_departments_check"),
        CheckConstraint(
            "NOT 'oversees' = ANY (abilities) OR cardinality(managed_department_ids) > 0", name="person_managed_check"
        ),
        CheckConstraint("supervisor_id <> id", name="person_supervisor_check"),
        UniqueConstraint("id", "agency_id", name="person_in_agency"),
        ForeignKeyConstraint(["supervisor_id", "agency_id"], ["person.id", "person.agency_id"], name="person_supervisor_fkey"),
        CheckConstraint("staff_no = lower(staff_no) AND strpos(staff_no, '@') = 0", name="person_staff_no_check"),
        CheckConstraint("email = lower(email) AND strpos(email, '@') > 1", name="person_email_check"),
        ForeignKeyConstraint(
            ["department_id", "agency_id"], ["department.id", "department.agency_id"], name="person_department_fkey"
        ),
        Index("person_other_departments", "other_department_ids", postgresql_using="gin"),
        Index("person_agency", "agency_id", "id"),
        Index("person_department", "department_id", "id"),
        Index("person_supervisor", "supervisor_id"),
        Index("person_roles", "roles", postgresql_using="gin"),
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
    other_department_ids: Mapped[list[UUID]]
    managed_department_ids: Mapped[list[UUID]]
    supervisor_id: Mapped[UUID | None]
    roles: Mapped[list[str]]
    abilities: Mapped[list[str]]
    status: Mapped[str]
    password_hash: Mapped[str | None]
    password_set_at: Mapped[datetime | None]
    last_login_at: Mapped[datetime | None]
    restored_at: Mapped[datetime | None]
    version: Mapped[int]
    created_at: Mapped[datetime]


class SalesGroup(Base):
    __tablename__ = "sales_group"
    __table_args__ = (
        UniqueConstraint("id", "agency_id", name="sales_group_in_agency"),
        CheckConstraint("cardinality(member_ids) <= 200", name="sales_group_member_ids_check"),
        CheckConstraint("version > 0", name="sales_group_version_check"),
        Index("sales_group_name", "agency_id", "name", unique=True, postgresql_where=text("NOT is_dissolved")),
        Index("sales_group_members", "member_ids", postgresql_using="gin"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID] = mapped_column(ForeignKey("agency.id", name="sales_group_agency_id_fkey"))
    name: Mapped[str]
    member_ids: Mapped[list[UUID]]
    is_dissolved: Mapped[bool]
    version: Mapped[int]
    created_at: Mapped[datetime]


class GroupAdmin(Base):
    __tablename__ = "group_admin"
    __table_args__ = (
        CheckConstraint(
            "cardinality(rights) > 0 AND rights <@ '{assign_tasks,change_rights,manage_members,see_customers,see_work}'::text[]",
            name="group_admin_rights_check",
        ),
        ForeignKeyConstraint(
            ["group_id", "agency_id"], ["sales_group.id", "sales_group.agency_id"], name="group_admin_group_fkey"
        ),
        Index("group_admin_person", "person_id"),
    )

    group_id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id", name="group_admin_person_id_fkey"), primary_key=True)
    agency_id: Mapped[UUID]
    rights: Mapped[list[str]]


class Role(Base):
    __tablename__ = "role"
    __table_args__ = (
        UniqueConstraint("key", name="role_key_key"),
        CheckConstraint("key = id::text", name="role_check"),
        CheckConstraint("jsonb_typeof(grants) = 'array'", name="role_grants_check"),
        CheckConstraint("version > 0", name="role_version_check"),
        Index("role_name", "agency_id", "name", unique=True, postgresql_where=text("archived_at IS NULL")),
        Index("role_common", "id", postgresql_where=text("is_common")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str]
    agency_id: Mapped[UUID] = mapped_column(ForeignKey("agency.id", name="role_agency_id_fkey"))
    is_common: Mapped[bool]
    name: Mapped[str]
    duties: Mapped[str | None]
    skills: Mapped[str | None]
    performance_standard: Mapped[str | None]
    grants: Mapped[list[dict[str, Any]]]
    version: Mapped[int]
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]


class RowGrant(Base):
    __tablename__ = "row_grant"
    __table_args__ = (
        CheckConstraint("person_id <> given_by", name="row_grant_of_another"),
        CheckConstraint("num_nonnulls(department_id, about_id) = 1", name="row_grant_about_one"),
        CheckConstraint("until > given_at", name="row_grant_ends_later"),
        CheckConstraint("(withdrawn_by IS NULL) = (withdrawn_at IS NULL)", name="row_grant_withdrawn_check"),
        CheckConstraint("version > 0", name="row_grant_version_check"),
        ForeignKeyConstraint(["person_id", "agency_id"], ["person.id", "person.agency_id"], name="row_grant_person_fkey"),
        ForeignKeyConstraint(
            ["department_id", "agency_id"], ["department.id", "department.agency_id"], name="row_grant_department_fkey"
        ),
        ForeignKeyConstraint(["about_id", "agency_id"], ["person.id", "person.agency_id"], name="row_grant_about_fkey"),
        Index("row_grant_person", "person_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    person_id: Mapped[UUID]
    permission: Mapped[str]
    department_id: Mapped[UUID | None]
    about_id: Mapped[UUID | None]
    until: Mapped[datetime | None]
    given_by: Mapped[UUID]
    given_at: Mapped[datetime]
    withdrawn_by: Mapped[UUID | None]
    withdrawn_at: Mapped[datetime | None]
    version: Mapped[int]


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
    recent: Mapped[list[datetime]] = mapped_column(server_default=text("ARRAY[now()]"))
    """Of the release before."""
    in_a_row: Mapped[int]
    last_at: Mapped[datetime]


class KnownDevice(Base):
    __tablename__ = "known_device"
    __table_args__ = (
        CheckConstraint("expires_at > used_at", name="known_device_check"),
        Index("known_device_person", "person_id", "used_at"),
    )

    token_digest: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id", name="known_device_person_id_fkey"))
    known_at: Mapped[datetime]
    used_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class UsedCaptcha(Base):
    __tablename__ = "used_captcha"
    __table_args__ = (Index("used_captcha_age", "used_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    token_digest: Mapped[str]
    used_at: Mapped[datetime]
