"""Tables of activities; what each column promises stands in the migrations."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Index, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    type_annotation_map = {str: Text, datetime: DateTime(timezone=True), dict[str, Any]: JSONB}  # noqa: RUF012 SQLAlchemy's way


class ContactNote(Base):
    __tablename__ = "contact_note"
    __table_args__ = (
        CheckConstraint("maturity >= 0", name="contact_note_maturity_check"),
        CheckConstraint("is_effective = (maturity > 0 AND NOT not_reached AND NOT busy)", name="contact_note_effective"),
        Index("contact_note_customer", "customer_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID]
    agency_id: Mapped[UUID]
    department_id: Mapped[UUID]
    author_id: Mapped[UUID]
    method: Mapped[str]
    content: Mapped[str]
    maturity: Mapped[int]
    not_reached: Mapped[bool]
    busy: Mapped[bool]
    is_effective: Mapped[bool]
    next_contact_at: Mapped[datetime | None]
    written_at: Mapped[datetime]


class LogEntry(Base):
    __tablename__ = "log_entry"
    __table_args__ = (
        UniqueConstraint("aggregate_id", "version", name="log_entry_version_key"),
        UniqueConstraint("source", "position", name="log_entry_position_key"),
        Index("log_entry_agency", "agency_id", "id"),
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
