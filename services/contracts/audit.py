"""What every service answers about its audit: who did or was denied what, in chains that can be verified."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from services.contracts.base import Command, Line, Moment, Operation, Page, PageQuery, Query, View, command, query

ServiceName = Literal["identity", "customers", "activities", "rules"]
Result = Literal["done", "denied"]

ActorName = Annotated[
    str,
    StringConstraints(pattern=r"^(system:[a-z]{1,20}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$"),
    Field(description="A user's id or `system:<service>`. What a service did for a user is found by either."),
]
OperationName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z]{1,20}\.[a-z_]{1,60}$"),
    Field(description="Such as `customers.claim_customer`."),
]
RequestId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:/-]{1,80}$")]

EXPORTED_AT_MOST = 50_000
"""Rows of one service in one export."""


class AuditFilter(Query):
    """What is not given does not matter. `since` is included, `until` is not."""

    since: Moment | None = None
    until: Moment | None = None
    actor: ActorName | None = None
    operation: OperationName | None = None
    subject_id: UUID | None = None
    agency_id: UUID | None = None
    result: Result | None = None
    request_id: RequestId | None = None


class ListAudit(PageQuery, AuditFilter):
    """The newest first. By scope: of oneself, of the own agency, of all."""


class AuditEntry(View):
    """One row: old and new are masked where they were written.

    `actor` has acted; where that was a service in a person's name, `on_behalf_of` is the person. `number`, `previous` and `hash`
    are its place in the chain of its service and agency, absent for the second until it is chained. `withheld` names fields of
    customers that the policy shows to the reader masked or not at all.
    """

    id: UUID
    service: ServiceName
    agency_id: UUID
    at: datetime
    actor: str
    on_behalf_of: UUID | None
    operation: str
    command_id: str | None
    request_id: str
    result: Result
    subject_id: UUID | None
    old: Any
    new: Any
    withheld: tuple[str, ...] = ()
    number: int | None = None
    previous: str | None = None
    hash: str | None = None


OF_THE_HASH = (
    *("id", "agency_id", "at", "actor", "operation", "command_id", "request_id", "result", "subject_id", "old", "new"),
    "on_behalf_of",
)
ADDED = {"on_behalf_of"}
"""Came later, and is left out while it is empty: so rows of before keep their hash."""


def record_of(row: Any) -> dict[str, Any]:
    """What of a row is hashed: with sorted keys, without blanks and in UTF-8, behind the hash of the one before."""
    values = {name: row[name] if isinstance(row, dict) else getattr(row, name) for name in OF_THE_HASH}
    return {name: plain(value) for name, value in values.items() if value is not None or name not in ADDED}


def plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value) if isinstance(value, UUID) else value


def cursor_of(entry: Any) -> str:
    """Where a list goes on behind this row; the same in every service, as moments and ids lie in one order."""
    return f"{entry.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}_{entry.id}"


# --- export


class ExportAudit(Command):
    """Writes down that somebody takes rows away, and which: they are then read page by page with the `until` of the answer."""

    filter: AuditFilter
    reason: Line


class AuditExport(View):
    """`rows` of this service, up to `until`, for whom and when."""

    id: UUID
    rows: int
    until: datetime
    by: UUID
    by_name: str
    at: datetime


# --- keeping


class PruneAudit(Command):
    """Cuts off the beginning of an agency's chain, as far as it is older than `before`; half a year is always kept."""

    agency_id: UUID
    before: Moment


class AuditPruned(View):
    """`removed` rows, the last of them with this number and hash."""

    removed: int
    number: int | None
    hash: str | None


def list_audit(service: str) -> Operation[ListAudit, Page[AuditEntry]]:
    return query(f"{service}.list_audit", ListAudit, Page[AuditEntry], "audit:read")


def export_audit(service: str) -> Operation[ExportAudit, AuditExport]:
    return command(f"{service}.export_audit", ExportAudit, AuditExport, "audit:export")


def prune_audit(service: str) -> Operation[PruneAudit, AuditPruned]:
    return command(f"{service}.prune_audit", PruneAudit, AuditPruned, "audit:prune")
