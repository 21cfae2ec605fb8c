"""The audits of several services as one: each has its own table, and all are sorted by moment and id."""

import asyncio
import csv
import io
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.caller import Caller
from services.contracts.audit import (
    AuditEntry,
    AuditExport,
    AuditFilter,
    ExportAudit,
    ListAudit,
    cursor_of,
    export_audit,
    list_audit,
    record_of,
)
from services.contracts.base import Page

READ_AT_ONCE = 200


async def merged(caller: Caller, query: ListAudit, services: Sequence[str]) -> Page[AuditEntry]:
    """A page of all of them. They share the cursor: it says a moment and an id, behind which each of them goes on."""
    first, *others = services
    found = [await caller.ask(list_audit(first), query)]  # before the others, so that who may not is denied once
    found += await asyncio.gather(*(caller.ask(list_audit(service), query) for service in others))
    entries = sorted((entry for page in found for entry in page.items), key=lambda entry: (entry.at, entry.id), reverse=True)
    items = entries[: query.limit]
    goes_on = len(entries) > query.limit or any(page.next_cursor for page in found)
    return Page[AuditEntry](items=items, next_cursor=cursor_of(items[-1]) if goes_on else None)


# --- export


@dataclass(frozen=True)
class Export:
    """What was written down before the first row leaves, by service."""

    made: dict[str, AuditExport]
    filter: AuditFilter
    reason: str

    @property
    def first(self) -> AuditExport:
        return next(iter(self.made.values()))

    @property
    def at(self) -> datetime:
        return self.first.at

    @property
    def by(self) -> UUID:
        return self.first.by

    def as_json(self) -> dict[str, Any]:
        rows = {service: {"id": str(made.id), "rows": made.rows, "until": str(made.until)} for service, made in self.made.items()}
        asked = self.filter.model_dump(mode="json", exclude_none=True)
        who = {"by": str(self.by), "by_name": self.first.by_name, "at": str(self.at)}
        return {"export": {**who, "reason": self.reason, "filter": asked, "services": rows}}


async def begin(caller: Caller, services: Sequence[str], asked: AuditFilter, reason: str) -> Export:
    """Raises ExportTooLarge."""
    command = ExportAudit(filter=asked, reason=reason)
    return Export({service: await caller.ask(export_audit(service), command) for service in services}, asked, reason)


async def entries(caller: Caller, export: Export) -> AsyncIterator[AuditEntry]:
    """Service by service. A file takes longer than a passport lives, and ends with the session of who takes it."""
    for service, made in export.made.items():
        cursor: str | None = None
        while True:
            given = export.filter.model_dump(exclude_none=True) | {"until": made.until, "cursor": cursor, "limit": READ_AT_ONCE}
            page = await (await renewed(caller)).ask(list_audit(service), ListAudit.model_validate(given))
            for entry in page.items:
                yield entry
            if (cursor := page.next_cursor) is None:
                break


async def renewed(caller: Caller) -> Caller:
    """Raises NotAuthenticated once the session is over."""
    session = await caller.backend.sessions.resolve(caller.token, caller.request_id)
    return replace(caller, passport=session.passport, deadline=time.time() + caller.backend.rpc.timeout)


async def as_jsonl(export: Export, rows: AsyncIterator[AuditEntry]) -> AsyncIterator[str]:
    """ASCII alone: what turns text around or breaks lines is escaped."""
    yield f"{json.dumps(export.as_json())}\n"
    count = 0
    async for row in rows:
        count += 1
        link = {"service": row.service, "number": row.number, "previous": row.previous, "hash": row.hash}
        yield f"{json.dumps({**link, 'withheld': row.withheld, 'record': record_of(row)})}\n"
    yield f"{json.dumps({'end': {'rows': count}})}\n"


COLUMNS = (
    *("service", "number", "at", "agency_id", "actor", "on_behalf_of", "operation", "result", "subject_id"),
    *("request_id", "command_id", "old", "new", "previous", "hash"),
)


async def as_csv(export: Export, rows: AsyncIterator[AuditEntry]) -> AsyncIterator[str]:
    """With the byte order mark by which spreadsheets know UTF-8. Who took it away and when stands in every row."""
    mark = (f"{export.first.by_name} ({export.by})", str(export.at))
    yield "\ufeff" + csv_line([*COLUMNS, "exported_by", "exported_at"])
    count = 0
    async for row in rows:
        count += 1
        yield csv_line([*(shown(getattr(row, name)) for name in COLUMNS), *mark])
    yield csv_line([f"end: {count} rows"])


def shown(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def csv_line(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow([safe_cell(cell) for cell in cells])
    return line.getvalue()


BLANK = "".join(map(chr, range(33))) + "\x7f\xa0\u3000\ufeff"
AT_THE_START = ("\t", "\r", "\0")
FORMULAS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # the wide ones count in spreadsheets, too


def safe_cell(text: str) -> str:
    """What a spreadsheet would take for a formula is marked as text."""
    return f"'{text}" if text.startswith(AT_THE_START) or text.lstrip(BLANK).startswith(FORMULAS) else text


FORMATS: dict[str, Callable[[Export, AsyncIterator[AuditEntry]], AsyncIterator[str]]] = {"jsonl": as_jsonl, "csv": as_csv}
MEDIA_TYPES = {"jsonl": "application/x-ndjson", "csv": "text/csv"}
