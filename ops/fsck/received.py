"""Every event has come to every handler that is to hear it."""

import importlib
import warnings
from collections.abc import Iterator

from ops.fsck.copies import side_by_side
from ops.fsck.invariant import Difference, Differences, Invariant, Look
from services.contracts.subscriptions import SUBSCRIPTIONS, producers_for

CURSOR = "SELECT coalesce(max(position), 0) FROM event_cursor WHERE source = %(source)s"
HEAD = "SELECT coalesce(max(position), 0) FROM outbox"
TOLD = """
    SELECT position, id, name FROM outbox
    WHERE position > %(cursor)s AND (%(only)s::bigint[] IS NULL OR position = ANY(%(only)s)) ORDER BY position
"""
HEARD = """
    SELECT position, event_id, array_agg(handler) FROM inbox
    WHERE source = %(source)s AND position > %(cursor)s AND (%(only)s::bigint[] IS NULL OR position = ANY(%(only)s))
    GROUP BY position, event_id ORDER BY position
"""


def handlers(service: str) -> dict[str, set[str]]:
    """By event: the names under which the inbox knows the handlers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in services.plumbing.green
        from services.plumbing.events import handlers_of

        module = importlib.import_module(f"services.{service}.service")
    found = handlers_of(getattr(module, f"{service.capitalize()}Service"))
    return {event.event_name: set(names) for event, names in found.items()}


def received(service: str, source: str) -> Differences:
    """What lies below the consumer's cursor has been heard; of what lies above it, the inbox has a row for each handler."""

    def differences(look: Look) -> Iterator[Difference]:
        cursor = look.databases.value(service, CURSOR, {"source": source})
        head = look.databases.value(source, HEAD)
        look.looked_at += head
        if cursor > head:
            yield Difference(cursor, "missing", f"position {cursor}", f"heard up to here, and {source} has told {head} events")
        hearing = handlers(service)
        told = look.rows(source, TOLD, cursor=cursor)
        heard = look.rows(service, HEARD, cursor=cursor, source=source)
        for event, row in side_by_side(told, heard, width=1):
            if event is None:
                assert row is not None
                yield Difference(row[0], "wrong", f"event {row[1]}", f"heard at position {row[0]}, where {source} has none")
                continue
            position, event_id, name = event
            heard_by = set(row[2]) if row and row[1] == event_id else set()
            if lacking := hearing.get(name, set()) - heard_by:
                told_of = f"{name} has not come to {', '.join(sorted(lacking))}"
                yield Difference(position, "missing", f"event {event_id}", told_of)

    return differences


def invariants() -> Iterator[Invariant]:
    for service in SUBSCRIPTIONS:
        for source in sorted(producers_for(service)):
            yield Invariant(service, f"events heard from {source}", received(service, source), is_patient=True)
