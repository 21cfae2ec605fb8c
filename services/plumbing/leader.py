"""What one process of a service does for all its replicas: send events, find lost ones, try failed ones again, chain the audit,
and the service's chores.

The leader holds an advisory lock on the connection by which it numbers and stamps: whoever loses the connection has lost both.
"""

import logging
import time
from typing import Any
from uuid import UUID

import eventlet
import psycopg

from services.contracts.base import EventsAfter, events_after
from services.contracts.subscriptions import producers_for
from services.plumbing import audit, denials, failpoints, inbox, metrics, outbox, retries
from services.plumbing.bus import BrokerAway, Refused
from services.plumbing.chores import chores_of, keep_doing
from services.plumbing.database import KEEPALIVES, SERVER_KEEPALIVES
from services.plumbing.ids import new_id
from services.plumbing.wall import EVERY_AGENCY

log = logging.getLogger(__name__)

LOCK = 0x6C65_6164  # "lead"
SWEEP_PAGE = 500
RETRY_BATCH, RETRIES_AT_ONCE = 100, 5
FIRST_DELIVERIES = 1.0  # seconds after a connect in which they come
MANY = inbox.BATCH // 2  # unfinished events in this process: the queue is not empty
PUT_OFF = 60.0  # seconds for which a queue that is never empty may put a sweep off
DAY = 86_400.0  # seconds

# Idempotency keys are promised for 24 hours at least; a little at a time, so that nobody waits.
FORGET_COMMANDS = """
    DELETE FROM command WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM command WHERE answered_at < clock() - interval '7 days' ORDER BY answered_at LIMIT 1000))
"""


class Leader:
    """Runs in green threads of every process; leads in one."""

    def __init__(self, runtime: Any) -> None:
        self.runtime = runtime
        self.settings = runtime.settings
        self._stopping = False
        self._swept_at = 0.0

    def start(self) -> None:
        eventlet.spawn(self._run)

    def stop(self) -> None:
        self._stopping = True

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._lead()
            except (psycopg.Error, OSError) as error:
                log.warning("leader's connection failed: %s", error)
            except Exception:
                log.exception("leader failed, trying again")
            metrics.resign()
            eventlet.sleep(1)

    def _lead(self) -> None:
        url = self.settings.database_url.get_secret_value()
        options = f"-c timezone=UTC -c statement_timeout=30000 -c qudao.agency={EVERY_AGENCY} {SERVER_KEEPALIVES}"
        with psycopg.connect(url, autocommit=True, application_name="leader", options=options, **KEEPALIVES) as connection:
            while not self._has_lock(connection):
                eventlet.sleep(1)
                if self._stopping:
                    return
            log.info("leading")
            failpoints.reach("leader_elected")
            metrics.LEADER.set(1)
            connection.execute("LISTEN outbox")
            chores = chores_of(self.runtime.service)
            at_work = [eventlet.spawn(keep_doing, self.runtime, name, seconds) for name, seconds in chores.items()]
            at_work.append(eventlet.spawn(self._keep_house))
            try:
                self._send(connection)
            finally:
                for thread in at_work:
                    thread.kill()

    @staticmethod
    def _has_lock(connection: psycopg.Connection[Any]) -> bool:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone()
        return bool(row and row[0])

    def _send(self, connection: psycopg.Connection[Any]) -> None:
        chained_at = counted_at = 0.0
        told_at = -DAY
        while not self._stopping:
            try:
                sent = outbox.relay(connection, self.runtime.bus, self.settings.service)
            except (BrokerAway, Refused):
                sent = 0
                eventlet.sleep(0.5)
            now = time.monotonic()
            if now - chained_at > 0.5:
                audit.chain(connection)
                chained_at = now
            if now - counted_at > 5:
                metrics.OUTBOX_WAITING.set(outbox.count_waiting(connection))
                metrics.AUDIT_UNCHAINED.set(audit.count_unchained(connection))
                connection.execute(FORGET_COMMANDS)
                denials.sum_up(connection)
                counted_at = now
            if now - told_at > DAY:
                audit.tell_heads(connection, self.settings.service)
                told_at = now
            if sent < outbox.BATCH:
                for _ in connection.notifies(timeout=self.settings.relay_poll, stop_after=1):
                    pass

    # --- sweep and retry, with connections from the pool

    def _keep_house(self) -> None:
        while not self._stopping:
            try:
                if self._is_sweep_due():
                    self.sweep()
                self._retry_due()
                for state, count in inbox.count_troubled(self.runtime.engine).items():
                    metrics.INBOX.labels(state).set(count)
            except Exception as error:
                log.warning("housekeeping put off: %s", error or type(error).__name__)
            eventlet.sleep(min(1.0, self.settings.sweep_every))

    def _retry_due(self) -> None:
        """A few at a time, so that a slow handler does not hold up the others. Suspects are alone: should one end the process
        again, it is not counted for others."""
        pool = eventlet.GreenPool(RETRIES_AT_ONCE)
        while found := retries.due(self.runtime.engine, list(self.runtime.handlers), RETRY_BATCH):
            for name, event_id, is_suspect in found:
                if not is_suspect:
                    pool.spawn_n(self._retry, name, event_id)
            pool.waitall()
            for name, event_id, is_suspect in found:
                if is_suspect:
                    self._retry(name, event_id)
            if len(found) < RETRY_BATCH:
                return

    def _retry(self, name: str, event_id: UUID) -> None:
        try:
            retries.retry(self.runtime.engine, name, event_id, self.runtime.handlers[name], self.settings.retry_delays)
        except Exception as error:
            log.warning("retry of %s put off: %s", event_id, error or type(error).__name__)

    def _is_sweep_due(self) -> bool:
        """At the start, after every reconnect to the broker, and every so often; but not while the broker still brings what it
        has kept: the same events from two sides would only be in each other's way."""
        now, connected_at = time.monotonic(), self.runtime.bus.connected_at
        if now - self._swept_at <= self.settings.sweep_every and connected_at <= self._swept_at:
            return False
        is_heard = now - connected_at < FIRST_DELIVERIES or self.runtime.events_waiting() >= MANY
        return not is_heard or now - max(self._swept_at, connected_at) > self.settings.sweep_every + PUT_OFF

    def sweep(self) -> None:
        """Asks every producer for what came after the cursor. One that does not answer is asked again next time."""
        self._swept_at = time.monotonic()
        for source in sorted(producers_for(self.settings.service)):
            try:
                while self._sweep_page(source) == SWEEP_PAGE:
                    pass
            except Exception as error:
                log.warning("sweep of %s put off: %s", source, error or type(error).__name__)

    def _sweep_page(self, source: str) -> int:
        position = inbox.cursor_of(self.runtime.engine, source)
        found = self.runtime.ask(
            events_after(source),
            EventsAfter(position=position, limit=SWEEP_PAGE),
            passport=self.runtime.signer.own(),
            request_id=f"sweep-{new_id()}",
            command_id=None,
            timeout=self.settings.rpc_timeout,
        ).events
        if any(envelope.source != source for envelope in found):
            raise ValueError(f"{source} tells events of others")
        engine, delays = self.runtime.engine, self.settings.retry_delays
        known = inbox.known(engine, source, [envelope.id for envelope in found])
        told = [inbox.Delivery(name, self.runtime.handlers[name], e) for e in found for name in self.runtime.handlers_for(e)]
        lost = [delivery for delivery in told if delivery.key not in known]
        failpoints.reach("sweep_before_noting")
        if lost:
            retries.note_lost(engine, lost, delays)
        failpoints.reach("sweep_before_cursor")
        if found:
            inbox.move_cursor(engine, source, found[-1].position)
            metrics.EVENTS_SWEPT.labels(source).inc(len(lost))
        for first in range(0, len(lost), inbox.BATCH):
            retries.try_lost(engine, lost[first : first + inbox.BATCH], delays)
        return len(found)
