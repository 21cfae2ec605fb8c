"""Tables of customers; what each column promises stands in the migrations."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    type_annotation_map = {str: Text, datetime: DateTime(timezone=True)}  # noqa: RUF012 SQLAlchemy's way


class Customer(Base):
    __tablename__ = "customer"
    __table_args__ = (
        UniqueConstraint("name_key", name="customer_name_key"),
        CheckConstraint("version > 0", name="customer_version_check"),
        Index("customer_owner", "owner_id", "id"),
        Index("customer_department", "department_id", "id"),
        Index("customer_agency", "agency_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    name: Mapped[str]
    name_key: Mapped[str]
    phone: Mapped[str | None]
    city: Mapped[str | None]
    contact_person: Mapped[str | None]
    is_key: Mapped[bool]
    agency_id: Mapped[UUID]
    department_id: Mapped[UUID]
    owner_id: Mapped[UUID]
    owner_name: Mapped[str]
    entered_at: Mapped[datetime]


class EntryAttempt(Base):
    __tablename__ = "entry_attempt"
    __table_args__ = (
        CheckConstraint("outcome IN ('bound_to_yours', 'refused')", name="entry_attempt_outcome_check"),
        Index("entry_attempt_customer", "customer_id", "at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    person_id: Mapped[UUID]
    agency_id: Mapped[UUID]
    name: Mapped[str]
    outcome: Mapped[str]
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id", name="entry_attempt_customer_id_fkey"))
