"""SQL of activities."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from services.activities.models import ContactNote, LogEntry
from services.contracts.base import Envelope


def list_notes(
    session: Session, customer_id: UUID, visible: ColumnElement[bool], after: UUID | None, limit: int
) -> list[ContactNote]:
    query = select(ContactNote).where(ContactNote.customer_id == customer_id, visible)
    query = query.order_by(ContactNote.id.desc()).limit(limit)
    return list(session.scalars(query.where(ContactNote.id < after) if after else query))


def list_log(
    session: Session, visible: ColumnElement[bool], aggregate_id: UUID | None, after: UUID | None, limit: int
) -> list[LogEntry]:
    query = select(LogEntry).where(visible).order_by(LogEntry.id.desc()).limit(limit)
    if aggregate_id:
        query = query.where(LogEntry.aggregate_id == aggregate_id)
    return list(session.scalars(query.where(LogEntry.id < after) if after else query))


def add_to_log(session: Session, envelope: Envelope) -> None:
    values: dict[str, Any] = envelope.model_dump()
    session.add(LogEntry(**values))
