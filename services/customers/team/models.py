"""Tables of the team; what each column promises stands in the migrations."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from services.customers.models import Base, of_customer


class Team(Base):
    __tablename__ = "team"
    __table_args__ = (
        CheckConstraint("version > 0", name="team_version_check"),
        UniqueConstraint("customer_id", name="team_customer_key"),
        of_customer("team_customer_fkey"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID]
    agency_id: Mapped[UUID]
    version: Mapped[int]


class Collaborator(Base):
    __tablename__ = "collaborator"
    __table_args__ = (
        CheckConstraint("part IN ('account_manager', 'support', 'presales', 'other')", name="collaborator_part_check"),
        CheckConstraint("rights <@ ARRAY['note', 'read', 'update'] AND 'read' = ANY (rights)", name="collaborator_rights_check"),
        CheckConstraint("person_id <> given_by", name="collaborator_given_by_another"),
        of_customer("collaborator_customer_fkey"),
        Index("collaborator_person", "person_id", "customer_id"),
    )

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    part: Mapped[str]
    rights: Mapped[list[str]]
    until: Mapped[datetime | None]
    given_by: Mapped[UUID]
    given_at: Mapped[datetime]


class Handoff(Base):
    __tablename__ = "handoff"
    __table_args__ = (
        CheckConstraint("version > 0", name="handoff_version_check"),
        CheckConstraint("holding > 0", name="handoff_holding_check"),
        CheckConstraint("part IN ('account_manager', 'support', 'sales')", name="handoff_part_check"),
        CheckConstraint("keep_as IN ('account_manager', 'support', 'presales', 'other')", name="handoff_keep_as_check"),
        CheckConstraint("state IN ('open', 'accepted', 'refused', 'withdrawn', 'lapsed')", name="handoff_state_check"),
        CheckConstraint("to_id NOT IN (from_id, offered_by)", name="handoff_to_another"),
        CheckConstraint("expires_at > offered_at", name="handoff_order"),
        CheckConstraint("(state = 'open') = (closed_at IS NULL)", name="handoff_closed"),
        CheckConstraint("(state IN ('open', 'lapsed')) = (closed_by IS NULL)", name="handoff_answered"),
        CheckConstraint("(state = 'refused') = (reason IS NOT NULL)", name="handoff_refused"),
        Index("handoff_open", "customer_id", unique=True, postgresql_where=text("state = 'open'")),
        Index("handoff_due", "expires_at", postgresql_where=text("state = 'open'")),
        Index("handoff_customer", "customer_id", "id"),
        Index("handoff_from", "from_id", "id"),
        Index("handoff_to", "to_id", "id"),
        Index("handoff_agency", "agency_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id", name="handoff_customer_id_fkey"))
    agency_id: Mapped[UUID]
    name: Mapped[str]
    holding: Mapped[int]
    part: Mapped[str]
    note: Mapped[str | None]
    keep_as: Mapped[str | None]
    keep_collaborators: Mapped[bool]
    state: Mapped[str]
    from_id: Mapped[UUID]
    to_id: Mapped[UUID]
    offered_by: Mapped[UUID]
    offered_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    closed_by: Mapped[UUID | None]
    closed_at: Mapped[datetime | None]
    reason: Mapped[str | None]
