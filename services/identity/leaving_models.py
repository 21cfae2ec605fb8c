"""Tables of inactivity and leaving; what each column promises stands in the migrations."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models import Base


class InactivityPolicy(Base):
    __tablename__ = "inactivity_policy"
    __table_args__ = (
        UniqueConstraint("agency_id", name="inactivity_policy_agency_key"),
        CheckConstraint("version > 0", name="inactivity_policy_version_check"),
        CheckConstraint("days > 0", name="inactivity_policy_days_check"),
        CheckConstraint("notice_days >= 0", name="inactivity_policy_notice_days_check"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID] = mapped_column(ForeignKey("agency.id", name="inactivity_policy_agency_id_fkey"))
    version: Mapped[int]
    days: Mapped[int | None]
    notice_days: Mapped[int | None]


class InactivityNotice(Base):
    __tablename__ = "inactivity_notice"
    __table_args__ = (
        UniqueConstraint("person_id", name="inactivity_notice_person_key"),
        CheckConstraint("version > 0", name="inactivity_notice_version_check"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id", name="inactivity_notice_person_id_fkey"))
    agency_id: Mapped[UUID]
    version: Mapped[int]
    active_at: Mapped[datetime]
    at: Mapped[datetime]


class Leaving(Base):
    __tablename__ = "leaving"
    __table_args__ = (
        CheckConstraint("version > 0", name="leaving_version_check"),
        CheckConstraint("person_version > 0", name="leaving_person_version_check"),
        CheckConstraint("status IN ('planned', 'running', 'done', 'with_leftovers')", name="leaving_status_check"),
        CheckConstraint("round > 0", name="leaving_round_check"),
        CheckConstraint("(status IN ('done', 'with_leftovers')) = (finished_at IS NOT NULL)", name="leaving_finished"),
        Index("leaving_under_way", "person_id", unique=True, postgresql_where=text("finished_at IS NULL")),
        Index("leaving_person", "person_id", "id"),
        Index("leaving_agency", "agency_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id", name="leaving_person_id_fkey"))
    agency_id: Mapped[UUID]
    person_version: Mapped[int]
    status: Mapped[str]
    plan: Mapped[dict[str, Any]] = mapped_column(JSONB)
    round: Mapped[int]
    ordered_by: Mapped[UUID]
    ordered_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class LeavingPart(Base):
    __tablename__ = "leaving_part"
    __table_args__ = (
        CheckConstraint("version >= 0", name="leaving_part_version_check"),
        CheckConstraint("round >= 0", name="leaving_part_round_check"),
        CheckConstraint("state IN ('running', 'done', 'with_leftovers')", name="leaving_part_state_check"),
        CheckConstraint("(state IS NULL) = (version = 0)", name="leaving_part_begun"),
    )

    leaving_id: Mapped[UUID] = mapped_column(ForeignKey("leaving.id", name="leaving_part_leaving_id_fkey"), primary_key=True)
    service: Mapped[str] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    version: Mapped[int]
    round: Mapped[int]
    state: Mapped[str | None]
    counts: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
