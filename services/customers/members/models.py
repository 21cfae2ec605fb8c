"""Tables of web-registered members; what each column promises stands in the migrations."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.customers.models import Base


class MemberSource(Base):
    __tablename__ = "member_source"
    __table_args__ = (
        CheckConstraint("version > 0", name="member_source_version_check"),
        CheckConstraint("key_version > 0", name="member_source_key_version_check"),
        CheckConstraint("key_version > 1 OR previous_until IS NULL", name="member_source_previous"),
        Index("member_source_agency", "agency_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    agency_id: Mapped[UUID]
    name: Mapped[str]
    is_enabled: Mapped[bool]
    key_version: Mapped[int]
    previous_until: Mapped[datetime | None]
    created_by: Mapped[UUID]
    created_at: Mapped[datetime]


class MemberArrival(Base):
    __tablename__ = "member_arrival"
    __table_args__ = (
        CheckConstraint("outcome IN ('entered', 'assigned', 'known')", name="member_arrival_outcome_check"),
        CheckConstraint(
            "reason IN ('no_territory', 'nobody_left', 'held_by_colleague', 'held_by_other_agency', 'in_public_pool',"
            " 'in_agency_pool', 'in_other_agency_pool', 'held_by_telesales', 'held_by_industry')",
            name="member_arrival_reason_check",
        ),
        CheckConstraint("phone IS NOT NULL OR email IS NOT NULL", name="member_arrival_reachable"),
        CheckConstraint("outcome = 'known' OR customer_id IS NOT NULL", name="member_arrival_customer"),
        CheckConstraint("outcome <> 'assigned' OR person_id IS NOT NULL", name="member_arrival_assigned"),
        CheckConstraint("(reason IS NULL) = (outcome <> 'known' AND person_id IS NOT NULL)", name="member_arrival_received"),
        Index("member_arrival_made", "customer_id", unique=True, postgresql_where=text("outcome = 'entered'")),
        Index("member_arrival_agency", "agency_id", "id"),
        Index("member_arrival_person", "person_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    source_id: Mapped[UUID | None] = mapped_column(ForeignKey("member_source.id", name="member_arrival_source_id_fkey"))
    external_id: Mapped[str | None]
    received_at: Mapped[datetime]
    registered_at: Mapped[datetime]
    name: Mapped[str]
    contact_person: Mapped[str | None]
    phone: Mapped[str | None]
    email: Mapped[str | None]
    province: Mapped[str | None]
    city: Mapped[str | None]
    website: Mapped[str | None]
    industry: Mapped[str | None]
    needs: Mapped[str | None]
    outcome: Mapped[str]
    reason: Mapped[str | None]
    customer_id: Mapped[UUID | None] = mapped_column(ForeignKey("customer.id", name="member_arrival_customer_id_fkey"))
    person_id: Mapped[UUID | None]


class Territory(Base):
    __tablename__ = "territory"
    __table_args__ = (
        CheckConstraint("version > 0", name="territory_version_check"),
        CheckConstraint("pooled IN ('assign', 'leave')", name="territory_pooled_check"),
    )

    agency_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    assignees: Mapped[list[UUID] | None]
    pooled: Mapped[str]


class TerritoryPlace(Base):
    __tablename__ = "territory_place"
    __table_args__ = (Index("territory_place_agency", "agency_id"),)

    place: Mapped[str] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID] = mapped_column(
        ForeignKey("territory.agency_id", name="territory_place_agency_id_fkey"), primary_key=True
    )


class PlaceTurn(Base):
    __tablename__ = "place_turn"

    place: Mapped[str] = mapped_column(primary_key=True)
    last_id: Mapped[UUID | None]


class PersonTurn(Base):
    __tablename__ = "person_turn"

    agency_id: Mapped[UUID] = mapped_column(primary_key=True)
    last_id: Mapped[UUID | None]
