"""SQL of the catalogue."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import Connection, Row, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.customers.catalogue.domain import Field
from services.customers.catalogue.models import CustomField, DictionaryEntry, Tag

ENTRIES = select(DictionaryEntry.__table__)
FIELDS = select(CustomField.__table__)
IN_USE = select(CustomField.key, CustomField.kind, CustomField.options, CustomField.is_required).where(CustomField.is_active)


def list_entries(connection: Connection, kind: str) -> Sequence[Row[tuple[object, ...]]]:
    entries = ENTRIES.where(DictionaryEntry.kind == kind)
    return connection.execute(entries.order_by(DictionaryEntry.position, DictionaryEntry.code)).all()


def list_fields(connection: Connection) -> Sequence[Row[tuple[object, ...]]]:
    return connection.execute(FIELDS.order_by(CustomField.position, CustomField.key)).all()


def is_active(session: Session, kind: str, code: str) -> bool:
    """Whether it may be chosen."""
    query = select(DictionaryEntry.is_active).where(DictionaryEntry.kind == kind, DictionaryEntry.code == code)
    return bool(session.scalar(query))


def active_fields(session: Session) -> dict[str, Field]:
    rows = session.execute(IN_USE)
    return {key: Field(key, kind, tuple(options), is_required) for key, kind, options, is_required in rows}  # type: ignore[arg-type]


def lock_entry(session: Session, kind: str, code: str) -> DictionaryEntry | None:
    query = select(DictionaryEntry).where(DictionaryEntry.kind == kind, DictionaryEntry.code == code)
    return session.scalars(query.with_for_update()).one_or_none()


def lock_fields(session: Session) -> dict[str, CustomField]:
    """All of them: there are few, and their number is limited."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("custom_field", 0))))
    return {each.key: each for each in session.scalars(select(CustomField).with_for_update())}


def list_tags(connection: Connection, agency_id: UUID, start: str, most: int) -> list[str]:
    query = select(Tag.name).where(Tag.agency_id == agency_id, func.starts_with(Tag.name, start))
    return list(connection.scalars(query.order_by(Tag.name).limit(most)))


def keep_tags(session: Session, agency_id: UUID, names: Iterable[str]) -> None:
    """In one order, so that no two wait for each other."""
    if rows := [{"agency_id": agency_id, "name": name} for name in sorted(names)]:
        session.execute(insert(Tag).on_conflict_do_nothing(), rows)
