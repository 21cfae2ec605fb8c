"""Tables of activities; what each column promises stands in the migrations."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Index, PrimaryKeyConstraint, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    type_annotation_map = {str: Text, datetime: DateTime(timezone=True), dict[str, Any]: JSONB}  # noqa: RUF012 SQLAlchemy's way


class ContactNote(Base):
    __tablename__ = "contact_note"
    __table_args__ = (
        CheckConstraint("maturity >= 0", name="contact_note_maturity_check"),
        CheckConstraint("is_effective = (maturity > 0 AND NOT not_reached AND NOT busy)", name="contact_note_effective"),
        CheckConstraint("holding > 0", name="contact_note_holding_check"),
        CheckConstraint("part IN ('account_manager', 'support', 'presales', 'other')", name="contact_note_part_check"),
        Index("contact_note_customer", "customer_id", "id"),
        Index("contact_note_holding", "customer_id", "holding", "written_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID]
    holding: Mapped[int | None]
    agency_id: Mapped[UUID]
    department_id: Mapped[UUID]
    author_id: Mapped[UUID]
    author_name: Mapped[str]
    method: Mapped[str]
    content: Mapped[str]
    maturity: Mapped[int]
    not_reached: Mapped[bool]
    busy: Mapped[bool]
    is_effective: Mapped[bool]
    next_contact_at: Mapped[datetime | None]
    written_at: Mapped[datetime]
    part: Mapped[str | None]


class VisitMethod(Base):
    __tablename__ = "visit_method"
    __table_args__ = (CheckConstraint("version > 0", name="visit_method_version_check"),)

    code: Mapped[str] = mapped_column(primary_key=True)
    is_active: Mapped[bool]
    version: Mapped[int]


class FollowUp(Base):
    __tablename__ = "follow_up"
    __table_args__ = (
        PrimaryKeyConstraint("customer_id", "agency_id"),
        CheckConstraint("holding > 0", name="follow_up_holding_check"),
        CheckConstraint("verdict IN ('met', 'late', 'missed')", name="follow_up_verdict_check"),
        CheckConstraint("(verdict IS NULL) = (due IS NULL)", name="follow_up_closed"),
        CheckConstraint("NOT is_forfeited OR verdict = 'missed'", name="follow_up_forfeited"),
    )

    customer_id: Mapped[UUID]
    agency_id: Mapped[UUID]
    holding: Mapped[int]
    owner_id: Mapped[UUID]
    first_note_at: Mapped[datetime | None]
    last_note_at: Mapped[datetime | None]
    due: Mapped[datetime | None]
    verdict: Mapped[str | None]
    is_forfeited: Mapped[bool]


class LogEntry(Base):
    __tablename__ = "log_entry"
    __table_args__ = (
        UniqueConstraint("source", "aggregate_id", "version", name="log_entry_version_key"),
        UniqueConstraint("source", "position", name="log_entry_position_key"),
        Index("log_entry_agency", "agency_id", "id"),
        Index("log_entry_aggregate", "aggregate_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    source: Mapped[str]
    position: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str]
    aggregate_id: Mapped[UUID]
    version: Mapped[int]
    agency_id: Mapped[UUID]
    actor: Mapped[str]
    request_id: Mapped[str]
    occurred_at: Mapped[datetime]
    data: Mapped[dict[str, Any]]
