"""Tables of rules; what each column promises stands in the migrations."""

from datetime import date
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Holding(Base):
    __tablename__ = "holding"
    __table_args__ = (
        CheckConstraint("version > 0", name="holding_version_check"),
        CheckConstraint("(entered_by IS NULL) = (entered_on IS NULL)", name="holding_check"),
        Index("holding_owner", "owner_id"),
        Index("holding_entry", "entered_by", "entered_on"),
    )

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    owner_id: Mapped[UUID]
    is_key: Mapped[bool]
    entered_by: Mapped[UUID | None]
    entered_on: Mapped[date | None]


class Contact(Base):
    __tablename__ = "contact"
    __table_args__ = (Index("contact_day", "person_id", "day"),)

    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID]
    customer_id: Mapped[UUID]
    day: Mapped[date]
    is_effective: Mapped[bool]
