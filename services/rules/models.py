"""Tables of rules; what each column promises stands in the migrations."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    type_annotation_map = {str: Text, datetime: DateTime(timezone=True)}  # noqa: RUF012 SQLAlchemy's way


class Holding(Base):
    __tablename__ = "holding"
    __table_args__ = (
        CheckConstraint("version > 0", name="holding_version_check"),
        CheckConstraint("holding > 0", name="holding_holding_check"),
        CheckConstraint("(entered_by IS NULL) = (entered_on IS NULL)", name="holding_check"),
        Index("holding_owner", "owner_id"),
        Index("holding_entry", "entered_by", "entered_on"),
    )

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    agency_id: Mapped[UUID]
    owner_id: Mapped[UUID | None]
    name: Mapped[str]
    is_key: Mapped[bool]
    holding: Mapped[int]
    held_since: Mapped[datetime | None]
    source: Mapped[str]
    entered_by: Mapped[UUID | None]
    entered_on: Mapped[date | None]


class Contact(Base):
    __tablename__ = "contact"
    __table_args__ = (
        CheckConstraint("holding > 0", name="contact_holding_check"),
        Index("contact_day", "person_id", "day"),
        Index("contact_customer", "customer_id", "person_id"),
    )

    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    person_id: Mapped[UUID]
    customer_id: Mapped[UUID]
    holding: Mapped[int | None]
    written_at: Mapped[datetime]
    day: Mapped[date]
    is_effective: Mapped[bool]


class Deadline(Base):
    __tablename__ = "deadline"
    __table_args__ = (
        UniqueConstraint("customer_id", "holding", name="deadline_holding_key"),
        CheckConstraint("holding > 0", name="deadline_holding_check"),
        CheckConstraint("verdict IN ('met', 'late', 'missed')", name="deadline_verdict_check"),
        CheckConstraint("state IN ('open', 'met', 'late', 'missed', 'taken_back', 'gone')", name="deadline_state_check"),
        Index("deadline_owner", "owner_id", "id"),
        Index("deadline_agency", "agency_id", "id"),
        Index("deadline_open", "due_at", postgresql_where=text("state = 'open'")),
        Index(
            "deadline_forfeited",
            "due_at",
            postgresql_where=text("state = 'missed' AND is_forfeited AND moved_on_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID]
    holding: Mapped[int]
    agency_id: Mapped[UUID]
    customer_name: Mapped[str | None]
    owner_id: Mapped[UUID | None]
    received_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    first_contact_at: Mapped[datetime | None]
    verdict: Mapped[str | None]
    is_forfeited: Mapped[bool] = mapped_column(server_default=text("false"))
    moved_on_at: Mapped[datetime | None]
    is_taken_back: Mapped[bool] = mapped_column(server_default=text("false"))
    state: Mapped[str] = mapped_column(server_default=text("'open'"))


class StockLimit(Base):
    __tablename__ = "stock_limit"
    __table_args__ = (
        UniqueConstraint(
            "agency_id",
            "subject",
            "role",
            "department_id",
            "person_id",
            name="stock_limit_subject_key",
            postgresql_nulls_not_distinct=True,
        ),
        CheckConstraint("version > 0", name="stock_limit_version_check"),
        CheckConstraint('"limit" >= 0', name="stock_limit_limit_check"),
        CheckConstraint(
            "subject IN ('agency', 'role', 'department', 'person') AND (role IS NOT NULL) = (subject = 'role')"
            " AND (department_id IS NOT NULL) = (subject = 'department') AND (person_id IS NOT NULL) = (subject = 'person')",
            name="stock_limit_subject",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    agency_id: Mapped[UUID]
    subject: Mapped[str]
    role: Mapped[str | None]
    department_id: Mapped[UUID | None]
    person_id: Mapped[UUID | None]
    limit: Mapped[int | None]


class FollowUpPolicy(Base):
    __tablename__ = "follow_up_policy"
    __table_args__ = (
        CheckConstraint("version > 0", name="follow_up_policy_version_check"),
        CheckConstraint("hours > 0", name="follow_up_policy_hours_check"),
        CheckConstraint("on_missed IN ('take_back', 'list')", name="follow_up_policy_on_missed_check"),
    )

    agency_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    hours: Mapped[int]
    on_missed: Mapped[str]


class Allowance(Base):
    __tablename__ = "allowance"
    __table_args__ = (
        CheckConstraint("version > 0", name="allowance_version_check"),
        CheckConstraint('"limit" >= 0', name="allowance_limit_check"),
        Index("allowance_agency", "agency_id"),
    )

    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    version: Mapped[int]
    limit: Mapped[int]
    decided_by: Mapped[str]
