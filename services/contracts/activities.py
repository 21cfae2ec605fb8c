"""What `activities` answers and tells: contact notes and the log of everything."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from services.contracts.base import Command, Event, Moment, Page, PageQuery, Text, View, command, query

Method = Literal["phone", "visit", "chat", "mail", "other"]


class ContactNote(Command):
    """A contact note. Whether it counts as an effective contact is computed, never typed."""

    method: Method
    content: Text
    maturity: Annotated[int, Field(ge=0, le=9, description="Grade; 0 does not count as an effective contact.")]
    not_reached: bool = False
    busy: bool = False
    next_contact_at: Moment | None = None


class WriteNote(ContactNote):
    """Writes a note about a customer."""

    customer_id: UUID


class NoteView(View):
    id: UUID
    customer_id: UUID
    author_id: UUID
    method: str
    content: str
    maturity: int
    not_reached: bool
    busy: bool
    is_effective: bool
    next_contact_at: datetime | None
    written_at: datetime


class ListNotes(PageQuery):
    customer_id: UUID


class LogEntry(View):
    """One event of one service, as it happened."""

    id: UUID
    source: str
    name: str
    aggregate_id: UUID
    version: int
    actor: str
    occurred_at: datetime
    data: dict[str, Any]


class ListLog(PageQuery):
    """Newest first; of one subject when an id is given."""

    aggregate_id: UUID | None = None


WRITE_NOTE = command("activities.write_note", WriteNote, NoteView, "note:create")
LIST_NOTES = query("activities.list_notes", ListNotes, Page[NoteView], "note:read")
LIST_LOG = query("activities.list_log", ListLog, Page[LogEntry], "log:read")


class ContactNoteWritten(Event, source="activities"):
    note_id: UUID
    customer_id: UUID
    author_id: UUID
    department_id: UUID
    method: str
    maturity: int
    is_effective: bool
