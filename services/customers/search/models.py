"""Tables of the search; what each column promises stands in the migrations."""

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.customers.models import Base, of_customer


class CustomerSearch(Base):
    __tablename__ = "customer_search"
    __table_args__ = (
        of_customer("customer_search_customer_fkey"),
        Index("customer_search_tokens", "tokens", postgresql_using="gin"),
    )

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    words: Mapped[str]
    people: Mapped[str]
    codes: Mapped[str]
    digits: Mapped[str]
    tokens: Mapped[list[int]]


class SavedView(Base):
    __tablename__ = "saved_view"
    __table_args__ = (
        CheckConstraint("version > 0", name="saved_view_version_check"),
        UniqueConstraint("person_id", "name", name="saved_view_name_key"),
        Index("saved_view_agency", "agency_id", "id", postgresql_where=text("is_shared")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    person_id: Mapped[UUID]
    name: Mapped[str]
    filter: Mapped[dict[str, Any]] = mapped_column(JSONB)
    is_shared: Mapped[bool]
    version: Mapped[int]
