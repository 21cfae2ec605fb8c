"""Rows as they are shown, and notes and events put together to a timeline."""

import heapq
from collections.abc import Iterable

from services.activities.models import ContactNote, LogEntry
from services.contracts import activities as contract


def note_view(note: ContactNote) -> contract.NoteView:
    return contract.NoteView.model_validate(note, from_attributes=True)


def entry_view(entry: LogEntry) -> contract.LogEntry:
    return contract.LogEntry.model_validate(entry, from_attributes=True)


def merged(notes: Iterable[ContactNote], log: Iterable[LogEntry]) -> list[contract.TimelineEntry]:
    """Both are the newest first, and so is what comes out: ids are made in the order of time."""
    written = (
        contract.TimelineEntry(id=note.id, at=note.written_at, kind="note", actor=str(note.author_id), note=note_view(note))
        for note in notes
    )
    happened = (
        contract.TimelineEntry(id=entry.id, at=entry.occurred_at, kind="event", actor=entry.actor, event=entry_view(entry))
        for entry in log
    )
    return list(heapq.merge(written, happened, key=lambda entry: entry.id, reverse=True))
