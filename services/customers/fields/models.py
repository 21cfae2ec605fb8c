"""Tables of the field policy and of reveals; what each column promises stands in the migrations."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.customers.models import Base


class FieldPolicyVersion(Base):
    __tablename__ = "field_policy"
    __table_args__ = (CheckConstraint("version > 0", name="field_policy_version_check"),)

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    policy: Mapped[dict[str, Any]] = mapped_column(JSONB)
    set_by: Mapped[str]
    set_at: Mapped[datetime]


class Reveal(Base):
    __tablename__ = "reveal"
    __table_args__ = (
        CheckConstraint("field IN ('phone', 'fax', 'email')", name="reveal_field_check"),
        Index("reveal_counted", "person_id", "day", "customer_id", "field", unique=True, postgresql_where=text("is_counted")),
        Index("reveal_person", "person_id", "id"),
        Index("reveal_agency", "agency_id", "id"),
        Index("reveal_customer", "customer_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id", name="reveal_customer_id_fkey"))
    person_id: Mapped[UUID]
    field: Mapped[str]
    reason: Mapped[str]
    at: Mapped[datetime]
    day: Mapped[date]
    is_counted: Mapped[bool]


class RevealCount(Base):
    __tablename__ = "reveal_count"
    __table_args__ = (CheckConstraint("revealed >= 0", name="reveal_count_revealed_check"),)

    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    revealed: Mapped[int]
