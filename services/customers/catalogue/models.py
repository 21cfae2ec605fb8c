"""Tables of the catalogue; what each column promises stands in the migrations."""

from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.customers.models import Base


class DictionaryEntry(Base):
    __tablename__ = "dictionary_entry"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('source', 'industry', 'release_reason', 'visit_method', 'category', 'key_criterion')",
            name="dictionary_entry_kind_check",
        ),
        CheckConstraint("position >= 0", name="dictionary_entry_position_check"),
        CheckConstraint("version > 0", name="dictionary_entry_version_check"),
    )

    kind: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    label: Mapped[str]
    position: Mapped[int]
    is_active: Mapped[bool]
    version: Mapped[int]


class CustomField(Base):
    __tablename__ = "custom_field"
    __table_args__ = (
        CheckConstraint("kind IN ('text', 'number', 'date', 'boolean', 'choice', 'choices')", name="custom_field_kind_check"),
        CheckConstraint("position >= 0", name="custom_field_position_check"),
        CheckConstraint("version > 0", name="custom_field_version_check"),
        CheckConstraint("(kind IN ('choice', 'choices')) = (cardinality(options) > 0)", name="custom_field_options"),
    )

    key: Mapped[str] = mapped_column(primary_key=True)
    label: Mapped[str]
    kind: Mapped[str]
    options: Mapped[list[str]]
    is_required: Mapped[bool]
    is_active: Mapped[bool]
    position: Mapped[int]
    version: Mapped[int]


class Tag(Base):
    __tablename__ = "tag"

    agency_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
