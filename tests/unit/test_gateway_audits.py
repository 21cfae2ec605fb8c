"""The audit as files and pages, as far as it needs no server."""

import asyncio
import csv
import hashlib
import io
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from gateway.audits import READ_AT_ONCE, Export, as_csv, as_jsonl, merged, safe_cell
from gateway.caller import Caller
from services.contracts.audit import AuditEntry, AuditExport, AuditFilter, ListAudit, cursor_of, record_of
from services.contracts.base import Operation, Page
from services.plumbing.audit import digest
from services.plumbing.reading_audit import decoded

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def entry(service: str = "rules", **fields: Any) -> AuditEntry:
    plain = dict.fromkeys(("on_behalf_of", "command_id", "subject_id", "old", "new"))
    row = {
        "id": uuid4(),
        "agency_id": UUID(int=1),
        "at": NOON,
        "actor": "system:rules",
        "operation": "rules.do",
        "request_id": "r",
    }
    return AuditEntry.model_validate({**plain, **row, "service": service, "result": "done", **fields})


# --- cells


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\0=1", "\tx", "\rx", "\0x", " =1", "\n=1", "　=1", "\xa0+1"),
        *("＝1+1", "＋1", "－1", "＠SUM(A1)", " \t ＝1", "\ufeff=1", '=HYPERLINK("http://x")'),
    ],
)
def test_what_a_spreadsheet_would_calculate_is_text(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "x", "a=b", '{"a": "=1"}', "2026-11-26 12:00:00+00:00", "customers.claim_customer", "五环"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert safe_cell(text) == text


# --- files


async def of(rows: Sequence[AuditEntry]) -> AsyncIterator[AuditEntry]:
    for row in rows:
        yield row


def written(form: Any, *rows: AuditEntry, name: str = "Li Na") -> str:
    made = AuditExport(id=uuid4(), rows=len(rows), until=NOON, by=UUID(int=7), by_name=name, at=NOON)
    export = Export({"rules": made}, AuditFilter(actor="system:rules"), "review")

    async def whole() -> str:
        return "".join([line async for line in form(export, of(rows))])

    return asyncio.run(whole())


ODD = 'x\r\n{"end": {"rows": 0}}\n\u2028\u202e=1'


def test_a_row_is_one_line_whatever_was_typed() -> None:
    text = written(as_jsonl, entry(new={"typed": ODD}))
    [head, row, end] = [json.loads(line) for line in text.splitlines()]
    assert text.isascii()
    assert (head["export"]["by"], head["export"]["filter"]) == (str(UUID(int=7)), {"actor": "system:rules"})
    assert row["record"]["new"] == {"typed": ODD}
    assert end == {"end": {"rows": 1}}


def test_a_spreadsheet_reads_back_what_was_written_with_who_took_it_in_every_row() -> None:
    text = written(as_csv, entry(new={"typed": ODD}, request_id="-r"), entry(), name="=Li")
    [columns, first, second, end] = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    cells = dict(zip(columns, first, strict=True))
    assert (cells["request_id"], cells["old"], json.loads(cells["new"])) == ("'-r", "", {"typed": ODD})
    assert {cells["exported_by"], second[columns.index("exported_by")]} == {f"'=Li ({UUID(int=7)})"}
    assert end == ["end: 2 rows"]


# --- what is hashed


def test_an_exported_record_has_the_hash_of_its_row() -> None:
    beijing = NOON.astimezone(timezone(timedelta(hours=8)))
    row = entry(at=beijing, new={"b": [1, 2.5, None, "五"], "a": True}, on_behalf_of=uuid4())
    exported = json.loads(written(as_jsonl, row).splitlines()[1])["record"]
    canonical = json.dumps(exported, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    kept = {**row.model_dump(), "at": NOON}
    assert hashlib.sha256(bytes(32) + canonical.encode()).digest() == digest(bytes(32), kept)


def test_a_column_that_came_later_is_not_hashed_while_it_is_empty() -> None:
    assert "on_behalf_of" not in record_of(entry())
    assert record_of(entry(on_behalf_of=UUID(int=3)))["on_behalf_of"] == str(UUID(int=3))
    assert record_of(entry())["subject_id"] is None


# --- pages


class FourServices:
    """Answers as services do: what is behind the cursor, the newest first."""

    def __init__(self, entries: list[AuditEntry]) -> None:
        self.entries = entries

    async def ask(self, operation: Operation[Any, Any], query: ListAudit) -> Page[AuditEntry]:
        own = sorted((e for e in self.entries if e.service == operation.service), key=lambda e: (e.at, e.id), reverse=True)
        behind = [e for e in own if not query.cursor or cursor_of(e) < query.cursor]
        more = len(behind) > query.limit
        return Page[AuditEntry](items=behind[: query.limit], next_cursor=cursor_of(behind[query.limit - 1]) if more else None)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
def test_pages_of_four_services_are_one_list(limit: int) -> None:
    """Also where many rows bear one moment."""
    services = ("identity", "customers", "activities", "rules")
    entries = [entry(services[n * n % 4], at=NOON + timedelta(seconds=n // 5)) for n in range(41)]
    caller, found, cursor = cast(Caller, FourServices(entries)), [], None
    while True:
        page = asyncio.run(merged(caller, ListAudit(limit=limit, cursor=cursor), services))
        found += page.items
        if (cursor := page.next_cursor) is None:
            break
    assert found == sorted(entries, key=lambda e: (e.at, e.id), reverse=True)


def test_a_cursor_says_where_it_is_to_go_on() -> None:
    row = entry(at=NOON + timedelta(microseconds=1))
    at, last = decoded(cursor_of(row))
    assert (at.clause.value, last.clause.value) == (row.at, row.id)
    assert READ_AT_ONCE <= 200
