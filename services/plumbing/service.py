"""What every service class starts from."""

import time
from typing import Any, ClassVar

from sqlalchemy import Connection, text

from services.contracts.audit import (
    AuditEntry,
    AuditExport,
    AuditPruned,
    ExportAudit,
    ListAudit,
    PruneAudit,
    export_audit,
    list_audit,
    prune_audit,
)
from services.contracts.base import Envelopes, EventsAfter, Health, Nothing, Page, events_after, health
from services.plumbing import keeping, outbox, reading_audit
from services.plumbing.call import Call
from services.plumbing.chores import Chore, every
from services.plumbing.database import Constraints
from services.plumbing.events import Batch, deliver_when_possible, receives_events
from services.plumbing.provider import Plumbing
from services.plumbing.rpc import serves


class Service:
    """Gives a service its runtime and the operations that all have: `health`, `events_after` and those of the audit."""

    name: ClassVar[str]
    constraints: ClassVar[Constraints] = {}
    plumbing: Any = Plumbing()

    def __init_subclass__(cls) -> None:
        if "name" in cls.__dict__:
            setattr(cls, "health", serves(health(cls.name))(_health))  # noqa: B010 the names differ per service
            setattr(cls, "events_after", serves(events_after(cls.name))(_events_after))  # noqa: B010
            setattr(cls, "list_audit", serves(list_audit(cls.name))(_list_audit))  # noqa: B010
            setattr(cls, "export_audit", serves(export_audit(cls.name))(_export_audit))  # noqa: B010
            setattr(cls, "prune_audit", serves(prune_audit(cls.name))(_prune_audit))  # noqa: B010

    def sift_audit(self, connection: Connection, call: Call, entries: list[AuditEntry]) -> list[AuditEntry]:
        """What a reader of the audit is shown of it; a service may hold something back."""
        return entries

    @every(seconds=3600)
    def keep_audit_by_policy(self, chore: Chore) -> None:
        if chore.settings.audit_days:
            keeping.prune_old(chore, self.name)


class ListeningService(Service):
    """A service that hears events."""

    @receives_events  # type: ignore[untyped-decorator]
    def receive_event(self, batch: Batch) -> None:
        deliver_when_possible(self.plumbing, self, batch)


def _health(self: Service, query: Nothing, call: Call) -> Health:
    with call.reading() as session:
        before = time.time()
        database = float(session.scalar(text("SELECT extract(epoch FROM clock_timestamp())")) or 0)
    return Health(service=self.name, skew_seconds=(before + time.time()) / 2 - database)


def _events_after(self: Service, query: EventsAfter, call: Call) -> Envelopes:
    with call.reading() as session:
        return Envelopes(events=outbox.events_after(session, self.name, query.position, query.limit))


def _list_audit(self: Service, query: ListAudit, call: Call) -> Page[AuditEntry]:
    with call.reading_rows() as connection:
        page = reading_audit.list_audit(connection, call, query, self.name)
        return page.model_copy(update={"items": self.sift_audit(connection, call, page.items)})


def _export_audit(self: Service, command: ExportAudit, call: Call) -> AuditExport:
    with call.transaction() as work:
        return reading_audit.export_audit(work, call, command)


def _prune_audit(self: Service, command: PruneAudit, call: Call) -> AuditPruned:
    with call.transaction() as work:
        return keeping.prune(work, command)


for _served in (_health, _events_after, _list_audit, _export_audit, _prune_audit):
    _served.__name__ = _served.__name__.removeprefix("_")
