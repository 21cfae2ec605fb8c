"""Tables of handovers; what each column promises stands in the migrations."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.customers.models import Base


class Handover(Base):
    __tablename__ = "handover"
    __table_args__ = (
        CheckConstraint("version > 0", name="handover_version_check"),
        CheckConstraint("round > 0", name="handover_round_check"),
        CheckConstraint("state IN ('running', 'done', 'with_leftovers')", name="handover_state_check"),
        CheckConstraint("(state = 'running') = (finished_at IS NULL)", name="handover_finished"),
        Index("handover_running", "id", postgresql_where=text("state = 'running'")),
        Index("handover_person", "person_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    person_id: Mapped[UUID]
    agency_id: Mapped[UUID]
    round: Mapped[int]
    state: Mapped[str]
    plan: Mapped[dict[str, Any]] = mapped_column(JSONB)
    ordered_by: Mapped[UUID | None]
    finished_at: Mapped[datetime | None]


class HandoverItem(Base):
    __tablename__ = "handover_item"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('customer', 'collaboration', 'handoff', 'dispute', 'entry', 'pool', 'territory')",
            name="handover_item_kind_check",
        ),
        CheckConstraint("outcome IN ('handed_over', 'to_pool', 'not_held', 'ended', 'left')", name="handover_item_outcome_check"),
        CheckConstraint("round > 0", name="handover_item_round_check"),
        CheckConstraint("(outcome = 'handed_over') = (to_id IS NOT NULL)", name="handover_item_received"),
        UniqueConstraint("handover_id", "kind", "item_id", name="handover_item_key"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    handover_id: Mapped[UUID] = mapped_column(ForeignKey("handover.id", name="handover_item_handover_id_fkey"))
    agency_id: Mapped[UUID]
    kind: Mapped[str]
    item_id: Mapped[UUID]
    name: Mapped[str | None]
    outcome: Mapped[str]
    to_id: Mapped[UUID | None]
    reason: Mapped[str | None]
    round: Mapped[int]
    at: Mapped[datetime]


class HandoverReceiver(Base):
    __tablename__ = "handover_receiver"
    __table_args__ = (
        CheckConstraint("customers > 0", name="handover_receiver_customers_check"),
        CheckConstraint("told BETWEEN 0 AND customers", name="handover_receiver_told_check"),
        CheckConstraint("version >= 0", name="handover_receiver_version_check"),
        UniqueConstraint("handover_id", "person_id", name="handover_receiver_key"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    handover_id: Mapped[UUID] = mapped_column(ForeignKey("handover.id", name="handover_receiver_handover_id_fkey"))
    person_id: Mapped[UUID]
    agency_id: Mapped[UUID]
    customers: Mapped[int]
    told: Mapped[int]
    version: Mapped[int]
