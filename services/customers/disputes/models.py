"""Tables of disputes; what each column promises stands in the migrations."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.customers.models import Base


class Dispute(Base):
    __tablename__ = "dispute"
    __table_args__ = (
        CheckConstraint("version > 0", name="dispute_version_check"),
        CheckConstraint("state IN ('open', 'upheld', 'dismissed', 'withdrawn')", name="dispute_state_check"),
        CheckConstraint("holding > 0", name="dispute_holding_check"),
        CheckConstraint("(holder_id IS NULL) <> (pool_kind IS NULL)", name="dispute_one_holder"),
        CheckConstraint("due_at > opened_at", name="dispute_due"),
        CheckConstraint(
            "(state = 'open') = (decided_by IS NULL) AND (state = 'open') = (decided_at IS NULL)", name="dispute_closed"
        ),
        CheckConstraint("(state IN ('upheld', 'dismissed')) = (reason IS NOT NULL)", name="dispute_reasoned"),
        CheckConstraint("(state = 'upheld') = (placed_as IS NOT NULL)", name="dispute_placed"),
        Index("dispute_of_attempt", "attempt_id", unique=True, postgresql_where=text("state <> 'withdrawn'")),
        Index("dispute_of_customer", "customer_id", "claimant_id", unique=True, postgresql_where=text("state = 'open'")),
        Index("dispute_claimant", "claimant_id", "id"),
        Index("dispute_holder", "holder_id", "id", postgresql_where=text("holder_id IS NOT NULL")),
        Index("dispute_agency", "agency_id", "id"),
        Index("dispute_holder_agency", "holder_agency_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    state: Mapped[str]
    attempt_id: Mapped[UUID] = mapped_column(ForeignKey("entry_attempt.id", name="dispute_attempt_id_fkey"))
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id", name="dispute_customer_id_fkey"))
    name: Mapped[str]
    agency_id: Mapped[UUID]
    claimant_id: Mapped[UUID]
    holder_agency_id: Mapped[UUID]
    holder_id: Mapped[UUID | None]
    pool_kind: Mapped[str | None]
    holding: Mapped[int]
    entered_by: Mapped[UUID]
    opened_at: Mapped[datetime]
    due_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    placed_as: Mapped[int | None]


class DisputeStatement(Base):
    __tablename__ = "dispute_statement"
    __table_args__ = (CheckConstraint("side IN ('claimant', 'holder')", name="dispute_statement_side_check"),)

    dispute_id: Mapped[UUID] = mapped_column(ForeignKey("dispute.id", name="dispute_statement_dispute_id_fkey"), primary_key=True)
    side: Mapped[str] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    person_id: Mapped[UUID]
    at: Mapped[datetime]
    text: Mapped[str]
    evidence: Mapped[list[Any]] = mapped_column(JSONB)
