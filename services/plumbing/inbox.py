"""Each event has its effect once per handler, however often and in whatever order it comes.

Its inbox row and its effect are one transaction. A handler that fails leaves the row with the envelope, to be tried again with
growing delay and parked in the end; the message itself is acked, so that the events behind it do not wait.
"""

import json
import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import text

from services.contracts.base import Envelope, Event
from services.contracts.errors import ServiceUnavailable
from services.plumbing import failpoints, metrics
from services.plumbing.database import BUSY, ConnectionLost, describe, session_of, unless_of_database
from services.plumbing.outbox import tell
from services.plumbing.work import Work

log = logging.getLogger(__name__)

Handler = Callable[[Event, Envelope, Work], None]

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


def receive(engine: Any, name: str, handler: Handler, envelope: Envelope, delays: tuple[float, ...]) -> None:
    """Runs one handler on one event, unless it has run or failed already. Raises only when the database is away."""
    identity = {"handler": name, "event_id": envelope.id, "source": envelope.source, "position": envelope.position}
    try:
        with session_of(engine, {}) as session, session.begin():
            now = session.scalar(RECEIVE, identity)
            if now is None:
                metrics.EVENTS_HANDLED.labels(name, "known").inc()
                return
            run(session, now, handler, envelope)
            failpoints.reach("inbox_before_commit")
    except (Exception, SystemExit) as error:
        if is_away(error):
            raise
        log.error("handler %s failed on event %s: %s", name, envelope.id, describe(error), exc_info=unless_of_database(error))
        metrics.EVENTS_HANDLED.labels(name, "failed").inc()
        with session_of(engine, {}) as session, session.begin():
            session.execute(SHARE_CURSOR, {"source": envelope.source})
            session.execute(
                FAIL, {**identity, "envelope": envelope.model_dump_json(), "delay": delays[0], "error": describe(error)}
            )
    else:
        failpoints.reach("inbox_after_commit")
        metrics.EVENTS_HANDLED.labels(name, "done").inc()


def run(session: Any, now: Any, handler: Handler, envelope: Envelope) -> None:
    work = Work(session, now, envelope.agency_id, envelope.actor, envelope.request_id)
    handler(envelope.event(), envelope, work)
    session.flush()
    tell(session, work.events)


DUE = text(
    "SELECT handler, event_id FROM inbox WHERE state = 'failed' AND next_try <= clock() AND handler = ANY(:handlers)"
    " ORDER BY next_try LIMIT :limit"
)
DELAY = "make_interval(secs => (CAST(:delays AS float8[]))[greatest(1, least(tries, cardinality(CAST(:delays AS float8[]))))])"

# Counted and put off before the handler runs, so that an event which ends its process is parked in the end as well.
BEGIN_TRY = text(
    f"""
    UPDATE inbox SET tries = tries + 1, next_try = clock() + {DELAY}
    WHERE handler = :handler AND event_id = :event_id AND state = 'failed' AND next_try <= clock() AND tries < :most
    RETURNING tries
    """  # noqa: S608 constants
)
PARK = text(
    """
    UPDATE inbox SET state = 'parked', next_try = NULL, error = coalesce(error, 'the process ended while it was handled')
    WHERE handler = :handler AND event_id = :event_id AND state = 'failed' AND next_try <= clock() AND tries >= :most
    """
)
LOCK_TRY = text(
    "SELECT envelope::text AS envelope, clock() AS now, set_config('qudao.agency', '*', true) FROM inbox"
    " WHERE handler = :handler AND event_id = :event_id AND state = 'failed' FOR UPDATE"
)
DONE = text(
    "UPDATE inbox SET state = 'done', envelope = NULL, next_try = NULL, error = NULL"
    " WHERE handler = :handler AND event_id = :event_id"
)
FAIL_AGAIN = text(
    f"""
    UPDATE inbox SET error = :error, state = CASE WHEN tries >= :most THEN 'parked' ELSE 'failed' END,
           next_try = CASE WHEN tries >= :most THEN NULL ELSE clock() + {DELAY} END
    WHERE handler = :handler AND event_id = :event_id AND state = 'failed' RETURNING state
    """  # noqa: S608 constants
)


def due(engine: Any, handlers: list[str], limit: int) -> list[tuple[str, UUID]]:
    """Which of these handlers are to try which events again by now. Events of one that is gone wait for an operator."""
    with session_of(engine, {}) as session:
        return [(handler, event_id) for handler, event_id in session.execute(DUE, {"handlers": handlers, "limit": limit})]


def retry(engine: Any, name: str, event_id: UUID, handler: Handler, delays: tuple[float, ...]) -> None:
    """Tries once more, or parks what was tried often enough. Raises only when the database is away."""
    identity = {"handler": name, "event_id": event_id}
    limits = {"delays": list(delays), "most": len(delays) + 1}
    with session_of(engine, {}) as session, session.begin():
        if session.scalar(BEGIN_TRY, identity | limits) is None:
            session.execute(PARK, identity | limits)
            return
    try:
        with session_of(engine, {}) as session, session.begin():
            row = session.execute(LOCK_TRY, identity).one_or_none()
            if row is None:
                return
            run(session, row.now, handler, Envelope.model_validate_json(row.envelope))
            session.execute(DONE, identity)
    except (Exception, SystemExit) as error:
        if is_away(error):
            raise
        with session_of(engine, {}) as session, session.begin():
            state = session.scalar(FAIL_AGAIN, {**identity, **limits, "error": describe(error)})
        log.error("handler %s failed again on event %s, %s: %s", name, event_id, state, describe(error))
        metrics.EVENTS_HANDLED.labels(name, state or "failed").inc()
    else:
        metrics.EVENTS_HANDLED.labels(name, "done").inc()


NOTE_LOST = text(
    """
    INSERT INTO inbox (handler, event_id, source, position, state, envelope, tries, next_try)
    SELECT handler, event_id, source, position, 'failed', envelope, 0, clock()
    FROM jsonb_to_recordset(CAST(:lost AS jsonb))
         AS lost(handler text, event_id uuid, source text, position bigint, envelope jsonb)
    WHERE NOT EXISTS (SELECT FROM event_cursor WHERE event_cursor.source = lost.source AND event_cursor.position >= lost.position)
    ON CONFLICT DO NOTHING
    """
)


def note_lost(engine: Any, lost: list[tuple[str, Envelope]]) -> None:
    """Events that the broker has not brought, each with a handler that has not had it: due for a try at once."""
    rows = [
        {"handler": name, "event_id": e.id, "source": e.source, "position": e.position, "envelope": e.model_dump(mode="json")}
        for name, e in lost
    ]
    with session_of(engine, {}) as session, session.begin():
        for source in sorted({e.source for _, e in lost}):
            session.execute(SHARE_CURSOR, {"source": source})
        session.execute(NOTE_LOST, {"lost": json.dumps(rows, default=str)})


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
