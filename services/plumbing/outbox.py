"""From the outbox to the broker. Only the leader does this, on the connection that holds its lock.

Rows are numbered, then published with confirm, then stamped. A crash between any two of these publishes some again, which
consumers do not mind. What the broker confirms and then loses, consumers find by asking `events_after` (see inbox.py).
"""

import json
import logging
import time
from typing import Any

import psycopg
from psycopg.rows import dict_row
from sqlalchemy import text
from sqlalchemy.orm import Session

from services.contracts.base import Envelope
from services.plumbing import failpoints, metrics
from services.plumbing.bus import BrokerAway, Bus, Refused, Unroutable
from services.plumbing.topology import event_exchange

log = logging.getLogger(__name__)

BATCH = 200
CONFIRM_TIMEOUT = 10.0  # seconds

NUMBER = """
    UPDATE outbox SET position = numbered.position
    FROM (SELECT seq, (SELECT coalesce(max(position), 0) FROM outbox) + row_number() OVER (ORDER BY seq) AS position
          FROM (SELECT seq FROM outbox WHERE position IS NULL ORDER BY seq LIMIT %s) AS next) AS numbered
    WHERE outbox.seq = numbered.seq
"""
COLUMNS = "id, name, position, aggregate_id, version, agency_id, actor, request_id, occurred_at, data"
UNPUBLISHED = f"SELECT {COLUMNS} FROM outbox WHERE published_at IS NULL AND position IS NOT NULL ORDER BY position LIMIT %s"  # noqa: S608 constants
STAMP = "UPDATE outbox SET published_at = clock() WHERE position = ANY(%s)"


def relay(connection: psycopg.Connection[Any], bus: Bus, service: str) -> int:
    """Publishes one batch; how many rows it took. Raises BrokerAway or Refused when the broker does not take them."""
    connection.execute(NUMBER, [BATCH])
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(UNPUBLISHED, [BATCH]).fetchall()
    if not rows:
        return 0
    failpoints.reach("relay_before_publish")
    receipts = [(row["position"], publish(bus, service, row)) for row in rows]
    confirmed, refusal = [], None
    ends = time.monotonic() + CONFIRM_TIMEOUT  # for all of them: the leader has an audit to chain, too
    for position, receipt in receipts:
        try:
            if receipt.wait(max(0.01, ends - time.monotonic())) is None:
                raise BrokerAway()
            confirmed.append(position)
        except Unroutable:
            log.error("no queue takes event %s of %s; its consumers will find it by their sweep", position, service)
            metrics.EVENTS_UNROUTABLE.inc()
            confirmed.append(position)
        except (Refused, BrokerAway) as error:
            refusal = error
    failpoints.reach("relay_after_confirm")
    connection.execute(STAMP, [confirmed])
    failpoints.reach("relay_after_stamp")
    metrics.EVENTS_PUBLISHED.inc(len(confirmed))
    if refusal:
        raise refusal
    return len(rows)


def publish(bus: Bus, service: str, row: dict[str, Any]) -> Any:
    envelope = Envelope(source=service, **row)
    return bus.publish(
        event_exchange(service),
        envelope.name,
        envelope.model_dump_json().encode(),
        message_id=str(envelope.id),
        delivery_mode=2,
        application_headers={"nameko.request_id": envelope.request_id},
    )


def count_waiting(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT count(*) FROM outbox WHERE published_at IS NULL").fetchone()
    return int(row[0]) if row else 0


AFTER = text(
    f"SELECT {COLUMNS} FROM outbox WHERE position > :position ORDER BY position LIMIT :limit"  # noqa: S608 constants
)


def events_after(session: Session, service: str, position: int, limit: int) -> list[Envelope]:
    """Every numbered event after a position, whether the broker has it or not."""
    rows = session.execute(AFTER, {"position": position, "limit": limit}).mappings()
    return [Envelope(source=service, **row) for row in rows]


TELL = text(
    """
    INSERT INTO outbox (id, name, aggregate_id, version, agency_id, actor, request_id, occurred_at, data)
    SELECT id, name, aggregate_id, version, agency_id, actor, request_id, occurred_at, data
    FROM jsonb_to_recordset(CAST(:events AS jsonb)) AS e(id uuid, name text, aggregate_id uuid, version integer,
         agency_id uuid, actor text, request_id text, occurred_at timestamptz, data jsonb)
    """
)


def tell(session: Session, events: list[dict[str, Any]]) -> None:
    """Events of a handler, which has no command around it."""
    if events:
        session.execute(TELL, {"events": json.dumps(events)})
        session.execute(text("SELECT pg_notify('outbox', '')"))
