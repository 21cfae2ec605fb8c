"""Contact notes, what happened to a customer, and the log."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from gateway.caller import Reader, Writer
from gateway.openapi import reading, writing
from gateway.paging import LINK, Pages
from gateway.routes import make_router
from services.contracts.activities import (
    LIST_LOG,
    LIST_NOTES,
    SHOW_TIMELINE,
    WRITE_NOTE,
    ContactNote,
    ListLog,
    ListNotes,
    LogEntry,
    NoteView,
    ShowTimeline,
    TimelineEntry,
    WriteNote,
)
from services.contracts.base import Page, PageQuery
from services.contracts.errors import FollowUpForfeited, InvalidCursor, NotFound, NotTheOwner

router = make_router("activities")


@router.post(
    "/customers/{customer_id}/notes",
    status_code=201,
    summary="Write a contact note",
    responses=writing(NotFound, NotTheOwner, FollowUpForfeited),
)
async def write_note(customer_id: UUID, body: ContactNote, caller: Writer) -> NoteView:
    return await caller.ask(WRITE_NOTE, WriteNote(customer_id=customer_id, **body.model_dump(exclude_unset=True)))


@router.get(
    "/customers/{customer_id}/notes",
    summary="List a customer's notes, the newest first",
    responses=reading(NotFound, InvalidCursor) | LINK,
)
async def list_notes(customer_id: UUID, query: Annotated[PageQuery, Query()], caller: Reader, pages: Pages) -> Page[NoteView]:
    message = ListNotes(customer_id=customer_id, cursor=query.cursor, limit=query.limit)
    return pages.linked(await caller.ask(LIST_NOTES, message))


@router.get(
    "/customers/{customer_id}/timeline",
    summary="List what happened to a customer, the newest first",
    responses=reading(NotFound, InvalidCursor) | LINK,
)
async def show_timeline(
    customer_id: UUID, query: Annotated[PageQuery, Query()], caller: Reader, pages: Pages
) -> Page[TimelineEntry]:
    message = ShowTimeline(customer_id=customer_id, cursor=query.cursor, limit=query.limit)
    return pages.linked(await caller.ask(SHOW_TIMELINE, message))


@router.get("/log", summary="List what happened, the newest first", responses=reading(InvalidCursor) | LINK)
async def list_log(query: Annotated[ListLog, Query()], caller: Reader, pages: Pages) -> Page[LogEntry]:
    return pages.linked(await caller.ask(LIST_LOG, query))
