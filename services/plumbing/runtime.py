"""All that one process of a service shares between its requests."""

import hashlib
import hmac
import logging
import time
from collections.abc import Callable
from typing import Any

import eventlet
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.contracts.base import Envelope, Event, In, Operation, Out
from services.plumbing import events, failpoints, topology
from services.plumbing.bus import Bus
from services.plumbing.call import exchange
from services.plumbing.database import Constraints, make_engine, make_reading_engine
from services.plumbing.inbox import Handler
from services.plumbing.leader import Leader
from services.plumbing.migrate import is_current
from services.plumbing.passport import Signer, Verifier
from services.plumbing.settings import ServiceSettings

log = logging.getLogger(__name__)

MAX_SKEW = 1.0  # seconds
PATIENCE = 60.0  # seconds to wait for database and broker at the start


class NotReady(SystemExit):
    """The process cannot start: the sentence says what is missing."""


class Runtime:
    def __init__(self, settings: ServiceSettings, service_cls: Any) -> None:
        self.settings = settings
        self.is_stopping = False
        self.constraints: Constraints = service_cls.constraints
        failpoints.arm(settings.failpoint)
        signing_key = settings.signing_key.get_secret_value()
        self.signer = Signer(settings.service, signing_key)
        self.verifier = Verifier(settings.trusted_keys_dir)
        self.hash_key = hmac.digest(signing_key.encode(), b"request hash", hashlib.sha256)
        self.engine = make_engine(settings)
        self.reading_engine = make_reading_engine(settings)
        self.bus = Bus(
            settings.amqp_uri.get_secret_value(),
            settings.service,
            heartbeat=settings.heartbeat,
            on_connect=topology.declare if settings.declare_topology else None,
        )
        self.service = service_cls()
        self.service.plumbing = self
        self._names = events.handlers_of(service_cls)
        self.handlers: dict[str, Handler] = {
            name: getattr(self.service, name) for names in self._names.values() for name in names
        }
        self.leader = Leader(self)
        self.events_waiting: Callable[[], int] = lambda: 0
        """How many events the broker has brought that are not finished; their consumer says."""

    # --- life

    def open(self) -> None:
        """Waits for the database, its migrations and the broker. Raises NotReady when one stays away."""
        ends = time.monotonic() + PATIENCE
        while not self._has_schema():
            if time.monotonic() > ends:
                raise NotReady(f"{self.settings.service}: the database does not answer, or its migrations have not run.")
            eventlet.sleep(0.5)
        self.bus.start()
        if not self.bus.wait_connected(max(1.0, ends - time.monotonic())):
            raise NotReady(f"{self.settings.service}: the broker does not answer.")

    def start(self) -> None:
        self.leader.start()

    def stop(self) -> None:
        self.leader.stop()
        self.bus.stop()

    def _has_schema(self) -> bool:
        try:
            with self.engine.connect() as connection:
                return is_current(connection.connection.driver_connection, self.settings.service)  # type: ignore[arg-type]
        except DBAPIError as error:
            log.warning("database away: %s", str(error.orig).splitlines()[0])
            return False

    # --- what is wrong with it

    def skew(self) -> float:
        """Seconds by which this process's clock is ahead of its database's. Raises SQLAlchemy's errors."""
        with self.reading_engine.connect() as connection:
            before = time.time()
            database = float(connection.scalar(text("SELECT extract(epoch FROM clock_timestamp())")) or 0)
            return (before + time.time()) / 2 - database

    def troubles(self) -> list[str]:
        """Why the process is not ready; nothing when it is."""
        found = [] if self.bus.is_connected else ["broker: no connection"]
        try:
            skew = self.skew()
        except Exception as error:
            return [*found, f"database: {type(error).__name__}"]
        return found if abs(skew) <= MAX_SKEW else [*found, f"clock: off by {skew:.1f} s"]

    # --- talking

    def ask(self, operation: Operation[In, Out], message: In, **options: Any) -> Out:
        return exchange(self, operation, message, **options)

    def handlers_for(self, envelope: Envelope) -> list[str]:
        event = Event.registry.get((envelope.source, envelope.name))
        return self._names.get(event, []) if event else []
