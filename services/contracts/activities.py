"""What `activities` answers and tells: contact notes, timelines, the log, and whether a first contact came in time."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from services.contracts.base import Command, Event, Moment, Page, PageQuery, Text, View, command, query
from services.contracts.catalogue import Code
from services.contracts.team import Part


class ContactNote(Command):
    """A contact note. Whether it counts as an effective contact is computed, never typed."""

    method: Annotated[Code, Field(description="By what way: an entry of the dictionary `visit_method`.")]
    content: Text
    maturity: Annotated[int, Field(ge=0, le=9, description="Grade from 0 to 9; 0 does not count as an effective contact.")]
    not_reached: bool = False
    busy: bool = False
    next_contact_at: Moment | None = None


class WriteNote(ContactNote):
    """Writes a note about a customer that the caller holds, or on which he may write notes as a collaborator."""

    customer_id: UUID


class NoteView(View):
    id: UUID
    customer_id: UUID
    author_id: UUID
    author_name: str
    method: str
    content: str
    maturity: int = Field(description="Grade from 0 to 9.")
    not_reached: bool
    busy: bool
    is_effective: bool
    next_contact_at: datetime | None
    written_at: datetime
    part: Part | None = Field(default=None, description="Of an author who was a collaborator and not the holder.")


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


class ShowTimeline(PageQuery):
    customer_id: UUID


class TimelineEntry(View):
    """What happened to a customer: a contact note of somebody (`note`), or an event of the log (`event`)."""

    id: UUID
    at: datetime
    kind: Literal["note", "event"]
    actor: str = Field(description="The user's id, or `system:<service>`.")
    note: NoteView | None = None
    event: LogEntry | None = None


class CloseDeadline(Command):
    """Decides once and for good whether a customer's holder has made contact in time; asked when the time is up.

    `holding` says which holder is meant, `due` until when. With `forfeit`, a missed one bars the holder from writing notes,
    because the customer is about to be taken back.
    """

    customer_id: UUID
    agency_id: UUID
    owner_id: UUID
    holding: Annotated[int, Field(ge=1)]
    due: Moment
    forfeit: bool


class ClosedDeadline(View):
    """`met`: the first note came in time. `late`: it came after the time, but before anybody looked. `missed`: there is none."""

    verdict: Literal["met", "late", "missed"]
    first_note_at: datetime | None


WRITE_NOTE = command("activities.write_note", WriteNote, NoteView, "note:create")
LIST_NOTES = query("activities.list_notes", ListNotes, Page[NoteView], "note:read")
SHOW_TIMELINE = query("activities.show_timeline", ShowTimeline, Page[TimelineEntry], "note:read")
LIST_LOG = query("activities.list_log", ListLog, Page[LogEntry], "log:read")
CLOSE_DEADLINE = command("activities.close_deadline", CloseDeadline, ClosedDeadline, "deadline:close")


class ContactNoteWritten(Event, source="activities"):
    """`holding` says under which holder of the customer it was written; older events do not say. `part` is the author's when he
    was a collaborator: his contacts count for himself, and never as the holder's first one."""

    note_id: UUID
    customer_id: UUID
    author_id: UUID
    department_id: UUID
    method: str
    maturity: int
    is_effective: bool
    holding: int | None = None
    part: Part | None = None


class DeadlineClosed(Event, source="activities"):
    """The time for the first contact is over; the verdict is for good."""

    customer_id: UUID
    owner_id: UUID
    holding: int
    due: Moment
    verdict: Literal["met", "late", "missed"]
    first_note_at: Moment | None = None
    forfeited: bool = False
