"""SQL of activities."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.activities.models import ContactNote, FollowUp, LogEntry, VisitMethod
from services.contracts.base import Envelope


def list_notes(
    session: Session, customer_id: UUID, visible: ColumnElement[bool], before: UUID | None, limit: int
) -> list[ContactNote]:
    query = select(ContactNote).where(ContactNote.customer_id == customer_id, visible)
    query = query.order_by(ContactNote.id.desc()).limit(limit)
    return list(session.scalars(query.where(ContactNote.id < before) if before else query))


def is_active_method(session: Session, code: str) -> bool:
    """Whether it may be chosen."""
    return bool(session.scalar(select(VisitMethod.is_active).where(VisitMethod.code == code)))


def put_method(session: Session, code: str, version: int, *, is_active: bool) -> None:
    """Takes over an entry of the dictionary unless a newer one is known."""
    row = insert(VisitMethod).values(code=code, is_active=is_active, version=version)
    newer = {"is_active": row.excluded.is_active, "version": row.excluded.version}
    older = VisitMethod.version < row.excluded.version
    session.execute(row.on_conflict_do_update(index_elements=[VisitMethod.code], set_=newer, where=older))


def list_log(
    session: Session, visible: ColumnElement[bool], aggregate_id: UUID | None, before: UUID | None, limit: int
) -> list[LogEntry]:
    query = select(LogEntry).where(visible).order_by(LogEntry.id.desc()).limit(limit)
    if aggregate_id:
        query = query.where(LogEntry.aggregate_id == aggregate_id)
    return list(session.scalars(query.where(LogEntry.id < before) if before else query))


ENVELOPES = TypeAdapter(list[Envelope])
ADD_TO_LOG = text(
    """
    INSERT INTO log_entry (id, source, position, name, aggregate_id, version, agency_id, actor, request_id, occurred_at, data)
    SELECT id, source, position, name, aggregate_id, version, agency_id, actor, request_id, occurred_at, data
    FROM jsonb_to_recordset(CAST(:envelopes AS jsonb)) AS told(id uuid, source text, position bigint, name text,
         aggregate_id uuid, version integer, agency_id uuid, actor text, request_id text, occurred_at timestamptz, data jsonb)
    ORDER BY id ON CONFLICT (id) DO NOTHING
    """
)


def add_to_log(session: Session, envelopes: Sequence[Envelope]) -> None:
    session.execute(ADD_TO_LOG, {"envelopes": ENVELOPES.dump_json(list(envelopes)).decode()})


def lock_follow_up(session: Session, *, customer_id: UUID, agency_id: UUID, holding: int, owner_id: UUID) -> FollowUp:
    """The customer's row, made when there is none, and renewed when it is of an older holding; it may be of a newer one."""
    row = insert(FollowUp).values(
        customer_id=customer_id, agency_id=agency_id, holding=holding, owner_id=owner_id, is_forfeited=False
    )
    keep = row.on_conflict_do_update(index_elements=["customer_id", "agency_id"], set_={"holding": FollowUp.holding})
    found = session.scalars(keep.returning(FollowUp), execution_options={"populate_existing": True}).one()
    if found.holding < holding:
        found.holding, found.owner_id, found.is_forfeited = holding, owner_id, False
        found.first_note_at = found.last_note_at = found.due = found.verdict = None
    return found


def first_note_at(session: Session, customer_id: UUID, holding: int) -> datetime | None:
    """By who held it then."""
    query = select(func.min(ContactNote.written_at)).where(ContactNote.customer_id == customer_id)
    return session.scalar(query.where(ContactNote.holding == holding, ContactNote.part.is_(None)))
