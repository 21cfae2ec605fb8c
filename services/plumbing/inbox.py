"""Each event has its effect once per handler, however often and in whatever order it comes.

Its inbox row and its effect are one transaction, which events that come together share. A handler that fails leaves the row with
the envelope, to be tried again with growing delay and parked in the end; the message itself is acked, so that the events behind
it do not wait.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

import psycopg.errors
from sqlalchemy import text
from sqlalchemy.orm import Session

from services.contracts.base import Envelope, Event
from services.contracts.errors import ServiceUnavailable
from services.plumbing import failpoints, logs, metrics
from services.plumbing.database import BUSY, ConnectionLost, describe, session_of, unless_of_database
from services.plumbing.outbox import tell
from services.plumbing.work import Work

log = logging.getLogger(__name__)


class Heard(NamedTuple):
    """An event for a handler that takes many, and the work of its own for what follows from it."""

    envelope: Envelope
    work: Work


Handler = Callable[[Event, Envelope, Work], None] | Callable[[Sequence[Heard]], None]

# What this lock is for stands at `receive_event` in the migrations. Whoever inserts looks at the cursor as well: a leader that
# was superseded without knowing may still be at work, and what lies below the cursor has had its effect.
SHARE_CURSOR = text("SELECT pg_advisory_xact_lock_shared(hashtextextended('cursor ' || :source, 0))")
OWN_CURSOR = text("SELECT pg_advisory_xact_lock(hashtextextended('cursor ' || :source, 0))")
RECEIVE = text("SELECT receive_event(:handler, :event_id, :source, :position), set_config('qudao.agency', '*', true)")
FAIL = text(
    """
    INSERT INTO inbox (handler, event_id, source, position, state, envelope, tries, next_try, error)
    SELECT :handler, :event_id, :source, :position, 'failed', CAST(:envelope AS jsonb), 1,
           clock() + make_interval(secs => :delay), :error
    WHERE NOT EXISTS (SELECT FROM event_cursor WHERE source = :source AND position >= :position)
    ON CONFLICT DO NOTHING
    """
)


class Delivery(NamedTuple):
    """An event's for one of its handlers."""

    name: str
    handler: Handler
    envelope: Envelope

    @property
    def key(self) -> tuple[str, UUID]:
        """Of its inbox row."""
        return self.name, self.envelope.id

    @property
    def turn(self) -> tuple[str, UUID, int]:
        """In which order a batch runs: every batch locks the same things in the same order, as far as aggregates tell."""
        return self.name, self.envelope.aggregate_id, self.envelope.version


def receive(engine: Any, name: str, handler: Handler, envelope: Envelope, delays: tuple[float, ...]) -> None:
    """Runs one handler on one event, unless it has run or failed already. Raises only when the database is away."""
    identity = {"handler": name, "event_id": envelope.id, "source": envelope.source, "position": envelope.position}
    try:
        with session_of(engine, {}) as session, session.begin():
            now = session.scalar(RECEIVE, identity)
            if now is None:
                metrics.EVENTS_HANDLED.labels(name, "known").inc()
                return
            run(session, handler, [(envelope, now)])
            failpoints.reach("inbox_before_commit")
    except (Exception, SystemExit) as error:
        if is_away(error):
            raise
        note_failure(engine, Delivery(name, handler, envelope), error, delays)
    else:
        failpoints.reach("inbox_after_commit")
        metrics.EVENTS_HANDLED.labels(name, "done").inc()


def note_failure(engine: Any, delivery: Delivery, error: BaseException, delays: tuple[float, ...]) -> None:
    name, _, envelope = delivery
    log.error("handler %s failed on event %s: %s", name, envelope.id, describe(error), exc_info=unless_of_database(error))
    metrics.EVENTS_HANDLED.labels(name, "failed").inc()
    identity = {"handler": name, "event_id": envelope.id, "source": envelope.source, "position": envelope.position}
    with session_of(engine, {}) as session, session.begin():
        session.execute(SHARE_CURSOR, {"source": envelope.source})
        session.execute(FAIL, {**identity, "envelope": envelope.model_dump_json(), "delay": delays[0], "error": describe(error)})


def run(session: Any, handler: Any, told: Sequence[tuple[Envelope, datetime]]) -> None:
    """With the business time of each; one alone unless the handler takes many."""
    logs.request_id.set(told[0][0].request_id)
    heard = [Heard(e, Work(session, now, e.agency_id, e.actor, e.request_id)) for e, now in told]
    if takes_many(handler):
        handler(heard)
    else:
        [(envelope, work)] = heard
        handler(envelope.event(), envelope, work)
    session.flush()
    tell(session, [event for each in heard for event in each.work.events])


def takes_many(handler: Any) -> bool:
    return getattr(handler, "takes_many", False)


# --- several at once

BATCH = 50
"""Events in one transaction, in which it holds their locks."""

PATIENCE = "250ms"
"""For which a batch waits for a lock: it holds others, and gives way before PostgreSQL looks for a deadlock (1 s) and may end
a request instead."""

PREPARE = text(
    "SELECT set_config('qudao.agency', '*', true), set_config('lock_timeout', :patience, true), (SELECT count("
    "pg_advisory_xact_lock_shared(hashtextextended('cursor ' || source, 0))) FROM unnest(CAST(:sources AS text[])) AS source)"
)
# In the order of the key: two batches with the same events wait for each other only one way.
RECEIVE_ALL = text(
    """
    INSERT INTO inbox (handler, event_id, source, position, state)
    SELECT handler, event_id, source, position, 'done'
    FROM unnest(CAST(:handlers AS text[]), CAST(:event_ids AS uuid[]), CAST(:sources AS text[]), CAST(:positions AS bigint[]))
         AS told(handler, event_id, source, position)
    WHERE NOT EXISTS (SELECT FROM event_cursor WHERE event_cursor.source = told.source AND event_cursor.position >= told.position)
    ORDER BY handler, event_id ON CONFLICT DO NOTHING RETURNING handler, event_id, clock() AS now
    """
)


def receive_all(engine: Any, deliveries: Sequence[Delivery], delays: tuple[float, ...]) -> None:
    """As `receive` for each of them, in one transaction if it can be: when something is in the way, one after the other.

    Raises only when the database is away; what was received until then stays so.
    """
    if len(deliveries) > 1:
        attempt = Attempt()
        try:
            with session_of(engine, {}) as session, session.begin():
                attempt.run(session, deliveries, begin_all(session, deliveries))
                failpoints.reach("inbox_before_commit")
        except (Exception, SystemExit) as error:
            if is_away(error):
                raise
            if culprit := attempt.culprit_of(error):
                note_failure(engine, culprit, error, delays)
            deliveries = [delivery for delivery in deliveries if delivery is not culprit]
        else:
            failpoints.reach("inbox_after_commit")
            attempt.count(deliveries)
            return
    for name, handler, envelope in deliveries:
        receive(engine, name, handler, envelope, delays)


def begin_all(session: Session, deliveries: Sequence[Delivery]) -> dict[tuple[str, UUID], datetime]:
    """The business times of those that are new, by their keys; each has its inbox row now."""
    sources = [delivery.envelope.source for delivery in deliveries]
    session.execute(PREPARE, {"patience": PATIENCE, "sources": sorted(set(sources))})
    told = {**keys_of(deliveries), "sources": sources, "positions": [delivery.envelope.position for delivery in deliveries]}
    return {(handler, event_id): now for handler, event_id, now in session.execute(RECEIVE_ALL, told)}


class Attempt:
    """At handling several events in one transaction: which one is being run, and which have been."""

    def __init__(self) -> None:
        self.at: Delivery | None = None
        self.done: list[Delivery] = []

    def run(self, session: Session, deliveries: Iterable[Delivery], began: dict[tuple[str, UUID], datetime]) -> None:
        ordered = sorted(deliveries, key=lambda delivery: delivery.turn)
        new = [(delivery, now) for delivery in ordered if (now := began.pop(delivery.key, None))]
        for handler, group in groupby(new, key=lambda each: each[0].handler):
            of_handler = list(group)
            for part in [of_handler] if takes_many(handler) else [[each] for each in of_handler]:
                self.at = part[0][0] if len(part) == 1 else None
                run(session, handler, [(delivery.envelope, now) for delivery, now in part])
                session.expunge_all()  # the next one shall see rows, not what this one remembers of them
                self.done += [delivery for delivery, _ in part]
        self.at = None

    def culprit_of(self, error: BaseException) -> Delivery | None:
        """Whose own fault the error is. A lock that was not to be had is nobody's, and of many at once nobody knows whose."""
        is_in_the_way = isinstance(getattr(error.__cause__, "orig", None), IN_THE_WAY)
        return None if is_in_the_way else self.at

    def count(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in self.done:
            metrics.EVENTS_HANDLED.labels(delivery.name, "done").inc()
        known = Counter(delivery.name for delivery in deliveries) - Counter(delivery.name for delivery in self.done)
        for name, times in known.items():
            metrics.EVENTS_HANDLED.labels(name, "known").inc(times)


IN_THE_WAY = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)


def keys_of(deliveries: Sequence[Delivery]) -> dict[str, Any]:
    return {
        "handlers": [delivery.name for delivery in deliveries],
        "event_ids": [delivery.envelope.id for delivery in deliveries],
    }


# --- how far it is

CURSOR = text("SELECT position FROM event_cursor WHERE source = :source")
MOVE_CURSOR = text(
    "INSERT INTO event_cursor (source, position) VALUES (:source, :position)"
    " ON CONFLICT (source) DO UPDATE SET position = EXCLUDED.position WHERE event_cursor.position < EXCLUDED.position"
)
PRUNE = text("DELETE FROM inbox WHERE source = :source AND position <= :position AND state = 'done'")


def cursor_of(engine: Any, source: str) -> int:
    with session_of(engine, {}) as session:
        return session.scalar(CURSOR, {"source": source}) or 0


KNOWN = text("SELECT handler, event_id FROM inbox WHERE source = :source AND event_id = ANY(:ids)")


def known(engine: Any, source: str, ids: list[Any]) -> set[tuple[str, Any]]:
    """Which handlers have a row of which events: the sweep need not open a transaction for those."""
    with session_of(engine, {}) as session:
        return {(handler, event_id) for handler, event_id in session.execute(KNOWN, {"source": source, "ids": ids})}


def move_cursor(engine: Any, source: str, position: int) -> None:
    """Everything up to `position` has been received; its rows are not needed any more."""
    with session_of(engine, {}) as session, session.begin():
        session.execute(OWN_CURSOR, {"source": source})
        session.execute(MOVE_CURSOR, {"source": source, "position": position})
        session.execute(PRUNE, {"source": source, "position": position})


COUNT = text("SELECT state, count(*) FROM inbox WHERE state <> 'done' GROUP BY state")


def count_troubled(engine: Any) -> dict[str, int]:
    with session_of(engine, {}) as session:
        return {"failed": 0, "parked": 0} | {state: count for state, count in session.execute(COUNT)}


def is_away(error: BaseException) -> bool:
    """Whether the database, not the handler, failed: then there is nowhere to write it down, and the broker keeps the event.

    A statement that was too slow or lost a lock is the handler's own failure: it would come back for ever and stop the sweep.
    """
    return isinstance(error, ConnectionLost) or (isinstance(error, ServiceUnavailable) and error.details.get("reason") == BUSY)
