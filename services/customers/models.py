"""Tables of customers; what each column promises stands in the migrations."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

ONE_PLACE = "(owner_id IS NULL) <> (pool_id IS NULL)"


class Base(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012 SQLAlchemy's way
        str: Text,
        datetime: DateTime(timezone=True),
        list[str]: ARRAY(Text),
        list[UUID]: ARRAY(Uuid),
        list[int]: ARRAY(Integer),
    }


class Pool(Base):
    __tablename__ = "pool"
    __table_args__ = (
        CheckConstraint("kind IN ('public', 'agency', 'telesales', 'industry', 'custom')", name="pool_kind_check"),
        CheckConstraint("version >= 0", name="pool_version_check"),
        CheckConstraint("archived_at IS NULL OR kind = 'custom'", name="pool_stays"),
        Index("pool_kind_key", "agency_id", "kind", unique=True, postgresql_where=text("kind <> 'custom'")),
        Index("pool_name_key", "agency_id", "name", unique=True, postgresql_where=text("archived_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    kind: Mapped[str]
    name: Mapped[str]
    version: Mapped[int]
    archived_at: Mapped[datetime | None]
    hidden_fields: Mapped[list[str]]
    claim_rules: Mapped[dict[str, Any]] = mapped_column(JSONB)


class PoolMember(Base):
    __tablename__ = "pool_member"

    pool_id: Mapped[UUID] = mapped_column(ForeignKey("pool.id", name="pool_member_pool_id_fkey"), primary_key=True)
    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    is_admin: Mapped[bool]
    since: Mapped[datetime]


class PoolClaims(Base):
    __tablename__ = "pool_claims"
    __table_args__ = (CheckConstraint("claims >= 0", name="pool_claims_claims_check"),)

    pool_id: Mapped[UUID] = mapped_column(ForeignKey("pool.id", name="pool_claims_pool_id_fkey"), primary_key=True)
    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    day: Mapped[date]
    claims: Mapped[int]
    last_at: Mapped[datetime | None]


class Customer(Base):
    __tablename__ = "customer"
    __table_args__ = (
        CheckConstraint("version > 0", name="customer_version_check"),
        CheckConstraint("holding > 0", name="customer_holding_check"),
        CheckConstraint(ONE_PLACE, name="customer_one_place"),
        UniqueConstraint("id", "agency_id", name="customer_in_agency"),
        Index("customer_owner", "owner_id", "id", postgresql_where=text("owner_id IS NOT NULL")),
        Index("customer_pool", "pool_id", "id", postgresql_where=text("pool_id IS NOT NULL")),
        Index("customer_agency", "agency_id", "id", postgresql_include=["owner_id"]),
        Index("customer_normaliser", "normaliser", "id"),
        Index("customer_unsearchable", "id", postgresql_where=text("searchable < 3")),
        Index("customer_agency_entered", "agency_id", "entered_at"),
        Index("customer_agency_held", "agency_id", "held_since", "id", postgresql_include=["owner_id"]),
        Index("customer_agency_name", "agency_id", "name", "id", postgresql_include=["owner_id"]),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    name: Mapped[str]
    phone: Mapped[str | None]
    city: Mapped[str | None]
    contact_person: Mapped[str | None]
    is_key: Mapped[bool]
    agency_id: Mapped[UUID]
    owner_id: Mapped[UUID | None]
    entered_at: Mapped[datetime]
    fax: Mapped[str | None]
    email: Mapped[str | None]
    province: Mapped[str | None]
    address: Mapped[str | None]
    source: Mapped[str]
    industry: Mapped[str | None]
    website: Mapped[str | None]
    credit_code: Mapped[str | None]
    size: Mapped[str | None]
    needs: Mapped[str | None]
    pool_id: Mapped[UUID | None] = mapped_column(ForeignKey("pool.id", name="customer_pool_id_fkey"))
    holding: Mapped[int]
    held_since: Mapped[datetime]
    entered_by: Mapped[UUID]
    registered_at: Mapped[datetime | None]
    normaliser: Mapped[int]
    district: Mapped[str | None]
    division: Mapped[str | None]
    category: Mapped[str]
    tags: Mapped[list[str]]
    key_criteria: Mapped[list[str]]
    custom: Mapped[dict[str, Any]] = mapped_column(JSONB)
    searchable: Mapped[int]


class Ownership(Base):
    __tablename__ = "ownership"
    __table_args__ = (
        CheckConstraint("number > 0", name="ownership_number_check"),
        CheckConstraint(
            "cause IN ('enter', 'claim', 'assign', 'transfer', 'handoff', 'release', 'open', 'move', 'take_back', 'dispute',"
            " 'leaving')",
            name="ownership_cause_check",
        ),
        CheckConstraint(ONE_PLACE, name="ownership_one_place"),
        CheckConstraint("held_until >= held_from", name="ownership_order"),
        Index("ownership_open", "customer_id", unique=True, postgresql_where=text("held_until IS NULL")),
        Index("ownership_owner", "owner_id", "held_from", postgresql_where=text("owner_id IS NOT NULL")),
    )

    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id", name="ownership_customer_id_fkey"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    owner_id: Mapped[UUID | None]
    pool_id: Mapped[UUID | None] = mapped_column(ForeignKey("pool.id", name="ownership_pool_id_fkey"))
    cause: Mapped[str]
    reason: Mapped[str | None]
    actor: Mapped[str]
    held_from: Mapped[datetime]
    held_until: Mapped[datetime | None]


class Stock(Base):
    __tablename__ = "stock"
    __table_args__ = (CheckConstraint("held >= 0", name="stock_held_check"),)

    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    held: Mapped[int]
    allowed: Mapped[int | None]
    allowance_version: Mapped[int]
    is_closed: Mapped[bool]
    person_version: Mapped[int]


def of_customer(name: str) -> ForeignKeyConstraint:
    """The rows of a customer are walled off with it: its agency is theirs."""
    columns, targets = ["customer_id", "agency_id"], ["customer.id", "customer.agency_id"]
    return ForeignKeyConstraint(columns, targets, name=name, onupdate="CASCADE")


class CustomerName(Base):
    __tablename__ = "customer_name"
    __table_args__ = (
        CheckConstraint("kind IN ('licence', 'alias', 'bound')", name="customer_name_kind_check"),
        of_customer("customer_name_customer_fkey"),
        Index("customer_name_grams", text("grams_of(normalised)"), postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
        Index("customer_name_near", "near", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
    )

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    kind: Mapped[str]
    normalised: Mapped[str]
    grams: Mapped[list[str] | None]
    parts: Mapped[list[Any]] = mapped_column(JSONB)
    near: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))


class CollisionKey(Base):
    __tablename__ = "collision_key"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('core', 'brand', 'short', 'number', 'code', 'site', 'mail', 'contact')", name="collision_key_kind_check"
        ),
        of_customer("collision_key_customer_fkey"),
        Index("collision_key_customer", "customer_id"),
    )

    kind: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    key: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    detail: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]


class CustomerChange(Base):
    __tablename__ = "customer_change"
    __table_args__ = (of_customer("customer_change_customer_fkey"),)

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    at: Mapped[datetime]
    actor: Mapped[str]
    fields: Mapped[dict[str, Any]] = mapped_column(JSONB)


class Contact(Base):
    __tablename__ = "contact"
    __table_args__ = (
        of_customer("contact_customer_fkey"),
        CheckConstraint("channel IN ('phone', 'visit', 'wechat', 'email')", name="contact_channel_check"),
        Index("contact_customer", "customer_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID]
    agency_id: Mapped[UUID]
    name: Mapped[str]
    title: Mapped[str | None]
    department: Mapped[str | None]
    phone: Mapped[str | None]
    email: Mapped[str | None]
    wechat: Mapped[str | None]
    is_decision_maker: Mapped[bool]
    best_time: Mapped[str | None]
    channel: Mapped[str | None]
    likes: Mapped[str | None]
    note: Mapped[str | None]


class CollisionRulesVersion(Base):
    __tablename__ = "collision_rules"
    __table_args__ = (CheckConstraint("version > 0", name="collision_rules_version_check"),)

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    rules: Mapped[dict[str, Any]] = mapped_column(JSONB)
    set_by: Mapped[str]
    set_at: Mapped[datetime]


class BoundEntry(Base):
    __tablename__ = "bound_entry"
    __table_args__ = (
        of_customer("bound_entry_customer_fkey"),
        Index("bound_entry_person", "entered_by", "id"),
        Index("bound_entry_customer", "customer_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID]
    agency_id: Mapped[UUID]
    entered_by: Mapped[UUID]
    entered_at: Mapped[datetime]
    name: Mapped[str]
    phone: Mapped[str | None]
    fax: Mapped[str | None]
    province: Mapped[str | None]
    city: Mapped[str | None]
    contact_person: Mapped[str | None]
    industry: Mapped[str | None]
    credit_code: Mapped[str | None]
    aliases: Mapped[list[str]]
    website: Mapped[str | None]
    email: Mapped[str | None]


class ReviewItem(Base):
    __tablename__ = "review_item"
    __table_args__ = (
        of_customer("review_item_customer_fkey"),
        CheckConstraint("version >= 0", name="review_item_version_check"),
        CheckConstraint("origin IN ('confirmed', 'waiting', 'pool', 'changed', 'raced', 'web')", name="review_item_origin_check"),
        CheckConstraint("state IN ('open', 'different', 'same', 'withdrawn')", name="review_item_state_check"),
        CheckConstraint("(origin = 'waiting') = (fields IS NOT NULL)", name="review_item_waits"),
        CheckConstraint("(customer_id IS NULL) = (origin = 'waiting' AND state <> 'different')", name="review_item_made"),
        CheckConstraint(
            "(state = 'open') = (decided_by IS NULL) AND (state = 'open') = (decided_at IS NULL)", name="review_item_decided"
        ),
        CheckConstraint(
            "(state = 'same') = (same_as IS NOT NULL) AND (state = 'same') = (same_as_name IS NOT NULL)", name="review_item_same"
        ),
        Index("review_item_customer", "customer_id"),
        Index(
            "review_item_waiting",
            "person_id",
            text("md5(fields::text)"),
            unique=True,
            postgresql_where=text("origin = 'waiting' AND state = 'open'"),
        ),
        Index("review_item_person", "person_id", "id"),
        Index("review_item_agency", "agency_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    customer_id: Mapped[UUID | None]
    agency_id: Mapped[UUID]
    person_id: Mapped[UUID]
    at: Mapped[datetime]
    origin: Mapped[str]
    state: Mapped[str]
    name: Mapped[str]
    fields: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    seen: Mapped[list[UUID]]
    reason: Mapped[str]
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None]
    comment: Mapped[str | None]
    same_as: Mapped[UUID | None] = mapped_column(ForeignKey("customer.id", name="review_item_same_as_fkey"))
    same_as_name: Mapped[str | None]


class RaceCursor(Base):
    __tablename__ = "race_cursor"
    __table_args__ = (
        CheckConstraint("is_the_one", name="race_cursor_is_the_one_check"),
        CheckConstraint("position >= 0", name="race_cursor_position_check"),
    )

    is_the_one: Mapped[bool] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)


class EntryAttempt(Base):
    __tablename__ = "entry_attempt"
    __table_args__ = (
        CheckConstraint(
            "outcome IN ('bound_to_yours', 'claimable', 'needs_confirmation', 'refused')", name="entry_attempt_outcome_check"
        ),
        Index("entry_attempt_customer", "customer_id", "at"),
        Index("entry_attempt_person", "person_id", "id"),
        Index("entry_attempt_agency", "agency_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    person_id: Mapped[UUID]
    agency_id: Mapped[UUID]
    name: Mapped[str]
    outcome: Mapped[str]
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id", name="entry_attempt_customer_id_fkey"))
    phone: Mapped[str | None]
    fax: Mapped[str | None]
    reason: Mapped[str | None]
