"""The audit of all services: read in one list, and taken away as a file."""

from typing import Annotated, Literal

from fastapi import Query
from fastapi.responses import StreamingResponse
from pydantic import Field

from gateway import audits
from gateway.caller import Reader, Writer
from gateway.openapi import Responses, reading, writing
from gateway.paging import LINK, Pages
from gateway.routes import make_router
from services.contracts.audit import AuditEntry, AuditFilter, ListAudit, ServiceName
from services.contracts.base import SERVICES, Command, Line, Page
from services.contracts.errors import ExportTooLarge, InvalidCursor

router = make_router("identity")

FILE: Responses = {
    200: {
        "description": "The file, the newest first. Its last line counts; without that line it is not whole.",
        "content": {media: {"schema": {"type": "string"}} for media in ("application/x-ndjson", "text/csv")},
        "headers": {"Content-Disposition": {"description": "The name of the file.", "schema": {"type": "string"}}},
    }
}


class AskAudit(ListAudit):
    """What is not given does not matter; without `service` all four are asked."""

    service: ServiceName | None = None


class AuditExportRequest(Command):
    """`jsonl` can be verified, `csv` is to be read in a spreadsheet. The reason is written down with the filter."""

    reason: Line
    filter: AuditFilter = AuditFilter()
    services: Annotated[tuple[ServiceName, ...], Field(min_length=1, max_length=4)] = SERVICES  # type: ignore[assignment]
    format: Literal["jsonl", "csv"] = "jsonl"


@router.get(
    "/audit",
    summary="Who did or was denied what, the newest first",
    description="Administrators and auditors see their agency's, headquarters all, everybody his own. All services are asked at "
    "once: when one of them does not answer there is no list; ask the others by `service`.",
    responses=reading(InvalidCursor) | LINK,
)
async def list_audit(query: Annotated[AskAudit, Query()], caller: Reader, pages: Pages) -> Page[AuditEntry]:
    asked = ListAudit.model_validate(query.model_dump(exclude={"service"}, exclude_unset=True))
    return pages.linked(await audits.merged(caller, asked, [query.service] if query.service else SERVICES))


@router.post(
    "/audit-exports",
    response_class=StreamingResponse,
    summary="Take the audit away as a file",
    description="Itself audited, in each service, with filter, reason and count. 50,000 rows of each service at most, up to 10 "
    "seconds ago. Under the same key the same file comes again.",
    responses=writing(ExportTooLarge) | FILE,
)
async def export_audit(body: AuditExportRequest, caller: Writer) -> StreamingResponse:
    services = tuple(dict.fromkeys(body.services))
    export = await audits.begin(caller, services, body.filter, body.reason)
    lines = audits.FORMATS[body.format](export, audits.entries(caller, export))
    name = f"audit-{export.at:%Y%m%dT%H%M%SZ}.{body.format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(lines, media_type=audits.MEDIA_TYPES[body.format], headers=headers)
