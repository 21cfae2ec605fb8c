"""What stands in the databases, whatever anybody was told."""

import time
from collections import Counter
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import psycopg

from embedded.stack import Stack
from services.contracts.base import SERVICES
from services.contracts.subscriptions import producers_for

OF_THE_PLUMBING = frozenset(
    {
        *("audit", "audit_chain", "audit_checkpoint", "audit_unchained", "command", "denial", "denial_count"),
        *("event_cursor", "inbox", "race_cursor"),
    }
)
"""What is kept of requests and of events on their way."""
OF_THE_WAY = ["position", "published_at", "used_at"]
"""Columns that say how far an event has come, and when a session was last used."""

UNREST = """
    SELECT (SELECT count(*) FROM outbox WHERE published_at IS NULL) + (SELECT count(*) FROM inbox WHERE state <> 'done'),
           (SELECT coalesce(max(position), 0) FROM outbox)
"""
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"

Snapshot = dict[str, set[str]]


class Databases:
    """Connections as the owners of the databases, who see all agencies."""

    def __init__(self, stack: Stack) -> None:
        self._stack, self._opened = stack, ExitStack()
        self._connections: dict[str, psycopg.Connection[Any]] = {}

    def __enter__(self) -> Self:
        for service in SERVICES:
            connection = psycopg.connect(self._stack.owner_url(service), autocommit=True)
            self._connections[service] = self._opened.enter_context(connection)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._opened.close()

    def rows(self, service: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._connections[service].execute(query, values).fetchall()  # type: ignore[arg-type]

    def value(self, service: str, query: str, *values: Any) -> Any:
        """Of the first row, None when there is none."""
        found = self.rows(service, query, *values)
        return found[0][0] if found else None

    def settle(self, seconds: float = 60.0) -> None:
        """Until every event has come to all who hear it."""
        ends = time.monotonic() + seconds
        while unrest := self._unrest():
            assert time.monotonic() < ends, unrest
            time.sleep(0.1)

    def _unrest(self) -> list[str]:
        found, last = [], {}
        for service in SERVICES:
            [(under_way, last[service])] = self.rows(service, UNREST)
            found += [f"{service}: {under_way} events under way"] * bool(under_way)
        for service in SERVICES:
            cursors = dict(self.rows(service, "SELECT source, position FROM event_cursor"))
            found += [f"{service} behind {source}" for source in producers_for(service) if cursors.get(source, 0) < last[source]]
        return found

    def snapshot(self) -> Snapshot:
        """Every row of every table, but for what says how requests and events came."""
        found: Snapshot = {}
        for service in SERVICES:
            for (table,) in self.rows(service, TABLES):
                if table not in OF_THE_PLUMBING:
                    query = f"SELECT (to_jsonb(t) - %s::text[])::text FROM {table} AS t"  # noqa: S608 names of our own tables
                    found[f"{service}.{table}"] = {row for (row,) in self.rows(service, query, OF_THE_WAY)}
        return found

    def audited(self) -> Counter[tuple[str, str]]:
        """How many entries there are by request and result, in all services together."""
        found: Counter[tuple[str, str]] = Counter()
        for service in SERVICES:
            for request_id, result, count in self.rows(service, "SELECT request_id, result, count(*) FROM audit GROUP BY 1, 2"):
                found[request_id, result] += count
        return found

    def told_of(self) -> set[str]:
        """The requests that events tell of."""
        return {row[0] for service in SERVICES for row in self.rows(service, "SELECT request_id FROM outbox")}


def differences(before: Snapshot, after: Snapshot) -> list[str]:
    """Each row that is there in one of them alone."""
    return [
        f"{table}: {sign} {row}"
        for table in sorted(before.keys() | after.keys())
        for sign, rows in (("-", before[table] - after[table]), ("+", after[table] - before[table]))
        for row in sorted(rows)
    ]
