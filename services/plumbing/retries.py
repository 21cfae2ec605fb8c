"""Events that failed, and events that the broker has lost: tried again with growing delay, and parked in the end.

A try is counted before the handler runs, so that an event which ends its process is parked as well.
"""

import json
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from services.contracts.base import Envelope
from services.plumbing import metrics
from services.plumbing.database import describe, session_of
from services.plumbing.inbox import PATIENCE, PREPARE, SHARE_CURSOR, Attempt, Delivery, Handler, is_away, keys_of, run

log = logging.getLogger(__name__)

DUE = text(
    "SELECT handler, event_id, tries > 0 AND error IS NULL FROM inbox"
    " WHERE state = 'failed' AND next_try <= clock() AND handler = ANY(:handlers) ORDER BY next_try LIMIT :limit"
)
DELAY = "make_interval(secs => (CAST(:delays AS float8[]))[greatest(1, least(tries, cardinality(CAST(:delays AS float8[]))))])"

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


class Due(NamedTuple):
    """`is_suspect`: its last try ended with the process, of which nobody knows who was to blame."""

    name: str
    event_id: UUID
    is_suspect: bool


def due(engine: Any, handlers: list[str], limit: int) -> list[Due]:
    """Which of these handlers are to try which events again by now. Events of one that is gone wait for an operator."""
    with session_of(engine, {}) as session:
        return [Due(*row) for row in session.execute(DUE, {"handlers": handlers, "limit": limit})]


def retry(engine: Any, name: str, event_id: UUID, handler: Handler, delays: tuple[float, ...]) -> None:
    """Tries once more, or parks what was tried often enough. Raises only when the database is away."""
    identity = {"handler": name, "event_id": event_id}
    limits = {"delays": list(delays), "most": len(delays) + 1}
    with session_of(engine, {}) as session, session.begin():
        if session.scalar(BEGIN_TRY, identity | limits) is None:
            session.execute(PARK, identity | limits)
            return
    run_again(engine, name, event_id, handler, delays)


def run_again(engine: Any, name: str, event_id: UUID, handler: Handler, delays: tuple[float, ...]) -> None:
    """A try that was counted already."""
    identity = {"handler": name, "event_id": event_id}
    try:
        with session_of(engine, {}) as session, session.begin():
            row = session.execute(LOCK_TRY, identity).one_or_none()
            if row is None:
                return
            run(session, handler, [(Envelope.model_validate_json(row.envelope), row.now)])
            session.execute(DONE, identity)
    except (Exception, SystemExit) as error:
        if is_away(error):
            raise
        note_another_failure(engine, name, event_id, error, delays)
    else:
        metrics.EVENTS_HANDLED.labels(name, "done").inc()


def note_another_failure(engine: Any, name: str, event_id: UUID, error: BaseException, delays: tuple[float, ...]) -> None:
    told = {"handler": name, "event_id": event_id, "delays": list(delays), "most": len(delays) + 1, "error": describe(error)}
    with session_of(engine, {}) as session, session.begin():
        state = session.scalar(FAIL_AGAIN, told)
    log.error("handler %s failed again on event %s, %s: %s", name, event_id, state, describe(error))
    metrics.EVENTS_HANDLED.labels(name, state or "failed").inc()


# --- what the broker has lost

NOTE_LOST = text(
    """
    INSERT INTO inbox (handler, event_id, source, position, state, envelope, tries, next_try)
    SELECT handler, event_id, source, position, 'failed', envelope, 1, clock() + make_interval(secs => :delay)
    FROM jsonb_to_recordset(CAST(:lost AS jsonb))
         AS lost(handler text, event_id uuid, source text, position bigint, envelope jsonb)
    WHERE NOT EXISTS (SELECT FROM event_cursor WHERE event_cursor.source = lost.source AND event_cursor.position >= lost.position)
    ORDER BY handler, event_id ON CONFLICT DO NOTHING
    """
)


def note_lost(engine: Any, lost: Sequence[Delivery], delays: tuple[float, ...]) -> None:
    """Events that the broker has not brought, for handlers that have not had them: counted as tried and put off, as `try_lost`
    is to follow at once. What it does not come to, because an event ends the process, is tried again one by one."""
    rows = [
        {"handler": name, "event_id": e.id, "source": e.source, "position": e.position, "envelope": e.model_dump(mode="json")}
        for name, _, e in lost
    ]
    with session_of(engine, {}) as session, session.begin():
        for source in sorted({delivery.envelope.source for delivery in lost}):
            session.execute(SHARE_CURSOR, {"source": source})
        session.execute(NOTE_LOST, {"lost": json.dumps(rows, default=str), "delay": delays[0]})


KEYS = "unnest(CAST(:handlers AS text[]), CAST(:event_ids AS uuid[])) AS told(handler, event_id)"
LOCK_TRIES = text(
    f"""
    SELECT inbox.handler, inbox.event_id, clock() AS now FROM {KEYS} JOIN inbox USING (handler, event_id)
    WHERE inbox.state = 'failed' ORDER BY inbox.handler, inbox.event_id FOR UPDATE OF inbox
    """  # noqa: S608 constants
)
ALL_DONE = text(
    f"""
    UPDATE inbox SET state = 'done', envelope = NULL, next_try = NULL, error = NULL
    FROM {KEYS} WHERE inbox.handler = told.handler AND inbox.event_id = told.event_id
    """  # noqa: S608 constants
)


def try_lost(engine: Any, lost: Sequence[Delivery], delays: tuple[float, ...]) -> None:
    """The try that `note_lost` has counted, for all in one transaction if it can be. Raises only when the database is away."""
    attempt = Attempt()
    try:
        with session_of(engine, {}) as session, session.begin():
            attempt.run(session, lost, lock_all(session, lost))
            session.execute(ALL_DONE, keys_of(attempt.done))
    except (Exception, SystemExit) as error:
        if is_away(error):
            raise
        if culprit := attempt.culprit_of(error):
            note_another_failure(engine, culprit.name, culprit.envelope.id, error, delays)
        for delivery in lost:
            if delivery is not culprit:
                run_again(engine, delivery.name, delivery.envelope.id, delivery.handler, delays)
    else:
        attempt.count(attempt.done)


def lock_all(session: Session, lost: Sequence[Delivery]) -> dict[tuple[str, UUID], datetime]:
    """The business times of those that nobody has handled in the meantime, by their keys."""
    session.execute(PREPARE, {"patience": PATIENCE, "sources": []})
    return {(handler, event_id): now for handler, event_id, now in session.execute(LOCK_TRIES, keys_of(lost))}
