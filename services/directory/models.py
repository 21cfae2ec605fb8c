"""Tables of the directory; what each column promises stands in the migrations."""

from uuid import UUID

from sqlalchemy import CheckConstraint, Computed, Index, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    type_annotation_map = {str: Text, list[str]: ARRAY(Text), list[UUID]: ARRAY(Uuid)}  # noqa: RUF012 SQLAlchemy's way


class Agency(Base):
    __tablename__ = "agency"
    __table_args__ = (CheckConstraint("version > 0", name="agency_version_check"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    is_headquarters: Mapped[bool]
    is_frozen: Mapped[bool]
    version: Mapped[int]


class Department(Base):
    __tablename__ = "department"
    __table_args__ = (
        CheckConstraint("version > 0", name="department_version_check"),
        CheckConstraint("status IN ('active', 'frozen', 'merged')", name="department_status_check"),
        Index("department_parent", "parent_id"),
        Index("department_below", "ancestors", postgresql_using="gin"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    name: Mapped[str]
    ancestors: Mapped[list[UUID]]
    parent_id: Mapped[UUID | None] = mapped_column(Computed("ancestors[cardinality(ancestors) - 1]", persisted=True))
    status: Mapped[str]
    merged_into_id: Mapped[UUID | None]
    version: Mapped[int]


class Person(Base):
    __tablename__ = "person"
    __table_args__ = (
        CheckConstraint("status IN ('active', 'locked', 'disabled')", name="person_status_check"),
        CheckConstraint("version > 0", name="person_version_check"),
        Index("person_department", "department_id", "id"),
        Index("person_agency", "agency_id", "id"),
        Index("person_other_departments", "other_department_ids", postgresql_using="gin"),
        Index("person_supervisor", "supervisor_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    department_id: Mapped[UUID]
    other_department_ids: Mapped[list[UUID]]
    managed_department_ids: Mapped[list[UUID]]
    display_name: Mapped[str]
    supervisor_id: Mapped[UUID | None]
    roles: Mapped[list[str]]
    abilities: Mapped[list[str]]
    status: Mapped[str]
    version: Mapped[int]


class SalesGroup(Base):
    __tablename__ = "sales_group"
    __table_args__ = (CheckConstraint("version > 0", name="sales_group_version_check"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID]
    member_ids: Mapped[list[UUID]]
    version: Mapped[int]
