"""The audit as it is read: by filters, the newest first, in pages off an index."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    DateTime,
    LargeBinary,
    Row,
    Select,
    Text,
    Uuid,
    cast,
    column,
    func,
    literal_column,
    select,
    table,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB

from services.contracts.audit import (
    EXPORTED_AT_MOST,
    AuditEntry,
    AuditExport,
    AuditFilter,
    ExportAudit,
    ListAudit,
    cursor_of,
)
from services.contracts.base import Page
from services.contracts.errors import ExportTooLarge, InvalidCursor
from services.contracts.permissions import Scope
from services.contracts.reach import Reach
from services.plumbing.call import Call
from services.plumbing.ids import new_id
from services.plumbing.work import Work

AUDIT = table(
    "audit",
    column("id", Uuid),
    column("agency_id", Uuid),
    column("at", DateTime(timezone=True)),
    column("actor", Text),
    column("on_behalf_of", Uuid),
    column("operation", Text),
    column("command_id", Text),
    column("request_id", Text),
    column("result", Text),
    column("subject_id", Uuid),
    column("old", JSONB),
    column("new", JSONB),
)
CHAIN = table(
    "audit_chain", column("audit_id", Uuid), column("number"), column("previous", LargeBinary), column("hash", LargeBinary)
)
SETTLED = timedelta(seconds=10)
"""What began so long ago is committed or given up: an export goes up to there, and is the same when it is made again."""

Conditions = Sequence[ColumnElement[bool]]


def list_audit(connection: Connection, call: Call, query: ListAudit, service: str) -> Page[AuditEntry]:
    conditions = [*filtered(query), *within_scope(call)]
    if query.cursor:
        conditions.append(tuple_(AUDIT.c.at, AUDIT.c.id) < tuple_(*decoded(query.cursor)))
    rows = connection.execute(with_links(newest(who_of(call, query), conditions, query.limit + 1))).all()
    items = [entry(row, service) for row in rows[: query.limit]]
    return Page[AuditEntry](items=items, next_cursor=cursor_of(items[-1]) if len(rows) > query.limit else None)


def newest(who: list[str], conditions: Conditions, most: int) -> Select[Any]:
    found = [
        select(AUDIT).where(*conditions, *each).order_by(AUDIT.c.at.desc(), AUDIT.c.id.desc()).limit(most) for each in ways(who)
    ]
    if len(found) == 1:
        return found[0]
    either = union_all(*found).subquery("either")
    return select(either).order_by(either.c.at.desc(), either.c.id.desc()).limit(most)


def with_links(found: Select[Any]) -> Select[Any]:
    """Rows are found first, then laid beside the chain: no more links are read than rows."""
    rows = found.subquery("found")
    joined = rows.outerjoin(CHAIN, CHAIN.c.audit_id == rows.c.id)
    query = select(rows, CHAIN.c.number, CHAIN.c.previous, CHAIN.c.hash).select_from(joined)
    return query.order_by(rows.c.at.desc(), rows.c.id.desc())


def ways(who: list[str]) -> Iterator[Conditions]:
    """In which somebody may be in a row. Each has its index, and both together have none.

    Of two people nobody is both: the caller who sees himself alone finds nothing by another one's id.
    """
    if not who:
        yield []
    elif len(who) == 1:
        [one] = who
        yield [AUDIT.c.actor == one]
        if not one.startswith("system:"):
            yield [AUDIT.c.on_behalf_of == UUID(one), AUDIT.c.actor != one]
    else:
        yield [literal_column("false", Boolean)]


def who_of(call: Call, query: AuditFilter) -> list[str]:
    sees_himself_alone = scope_of(call) not in (Scope.AGENCY, Scope.ALL)
    asked = [query.actor] if query.actor else []
    return list(dict.fromkeys([*asked, *([call.caller.subject] if sees_himself_alone else [])]))


def within_scope(call: Call) -> Conditions:
    """A scope between oneself and the agency counts as oneself: a row says whose agency it is of, and no department."""
    return [] if scope_of(call) is Scope.ALL else [AUDIT.c.agency_id == call.caller.agency_id]


def scope_of(call: Call) -> Reach:
    """Nobody exports more than he reads."""
    return call.caller.scope("audit:read")


def filtered(query: AuditFilter) -> Iterator[ColumnElement[bool]]:
    if query.since:
        yield AUDIT.c.at >= query.since
    if query.until:
        yield AUDIT.c.at < query.until
    for name in ("operation", "subject_id", "agency_id", "request_id"):
        if (value := getattr(query, name)) is not None:
            yield AUDIT.c[name] == value
    if query.result == "denied":  # as the partial index has it, and not as a parameter
        yield AUDIT.c.result == literal_column("'denied'")
    elif query.result:
        yield AUDIT.c.result == query.result


def entry(row: Row[Any], service: str) -> AuditEntry:
    told = row._asdict()
    for name in ("previous", "hash"):
        told[name] = bytes(told[name]).hex() if told[name] is not None else None
    return AuditEntry(service=service, **told)


def decoded(cursor: str) -> tuple[Any, Any]:
    """Raises InvalidCursor."""
    try:
        moment, _, id_ = cursor.partition("_")
        at, last = datetime.fromisoformat(moment), UUID(id_)
        if at.tzinfo is None:
            raise ValueError
    except ValueError:
        raise InvalidCursor() from None
    return cast(at, DateTime(timezone=True)), cast(last, Uuid)


# --- export


def export_audit(work: Work, call: Call, command: ExportAudit) -> AuditExport:
    """Raises ExportTooLarge."""
    settled = work.now - SETTLED
    until = min(command.filter.until or settled, settled)
    asked = command.filter.model_copy(update={"until": until})
    conditions = [*filtered(asked), *within_scope(call)]
    found = newest(who_of(call, asked), conditions, EXPORTED_AT_MOST + 1).subquery()
    rows = work.session.scalar(select(func.count()).select_from(found)) or 0
    if rows > EXPORTED_AT_MOST:
        raise ExportTooLarge(most=EXPORTED_AT_MOST)
    export_id = new_id()
    told = {"export_id": str(export_id), "rows": rows, "reason": command.reason}
    work.audit(export_id, new={**told, "filter": asked.model_dump(mode="json", exclude_none=True)})
    by = {"by": call.user_id, "by_name": call.caller.display_name, "at": work.now}
    return work.answer(AuditExport(id=export_id, rows=rows, until=until, **by))
