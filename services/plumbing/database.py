"""The engine, sessions, and what the database's errors mean to a caller."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import psycopg.errors
from pydantic_core import from_json
from sqlalchemy import Connection, Engine, PoolProxiedConnection, QueuePool, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from services.contracts.errors import CommandExpired, QudaoError, ServiceUnavailable
from services.plumbing.settings import ServiceSettings

BUSY = "busy"
"""Why a service is unavailable when all its connections are in use."""

Constraints = Mapping[str, type[QudaoError]]
"""The name of a constraint, and the error that its violation is to a caller."""


class ConnectionLost(Exception):
    """The database went away under us; the work may be tried once more, for nothing of it was committed or all of it was."""


_wanted_until: ContextVar[float] = ContextVar("wanted_until", default=math.inf)


@contextmanager
def wanted_until(deadline: float) -> Iterator[None]:
    """Inside it a connection that is free only after `deadline` (unix seconds) raises CommandExpired."""
    before = _wanted_until.set(deadline)
    try:
        yield
    finally:
        _wanted_until.reset(before)


class Line(QueuePool):
    """Who has stood in it until nobody waits for him any more leaves the connection to the next: what he would do with it
    keeps all those behind him waiting until nobody waits for them either. `connect` raises CommandExpired."""

    def connect(self) -> PoolProxiedConnection:
        connection = super().connect()
        if time.time() > _wanted_until.get():
            connection.close()
            raise CommandExpired()
        return connection


KEEPALIVES: dict[str, Any] = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""A server that vanished is noticed within about ten seconds."""

SERVER_KEEPALIVES = "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c tcp_user_timeout=10000"
"""And the server notices a client that vanished: the locks of one would be held for two hours."""


def make_reading_engine(settings: ServiceSettings) -> Engine:
    """For queries: the server refuses writes, and a statement is its own transaction, which saves two round trips of three."""
    options = {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True}
    return make_engine(settings, "-c default_transaction_read_only=on", **options)


def make_engine(settings: ServiceSettings, more: str = "", **options: Any) -> Engine:
    """Connections are made on demand; a wait for a free one ends after 4 s, a statement after its timeout."""
    url = make_url(settings.database_url.get_secret_value()).set(drivername="postgresql+psycopg")
    return create_engine(
        url,
        poolclass=Line,
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=4,
        pool_recycle=1800,
        pool_use_lifo=True,
        json_deserializer=from_json,  # three times as fast as Python's own: a check reads some twenty values
        hide_parameters=True,  # an error's text goes to the log, and phones are parameters
        **options,
        connect_args={
            **KEEPALIVES,
            "application_name": settings.service,
            "options": f"-c statement_timeout={settings.statement_timeout_ms} -c lock_timeout=4000 -c timezone=UTC"
            f" -c idle_in_transaction_session_timeout=10000 -c client_connection_check_interval=2000 {SERVER_KEEPALIVES} {more}",
        },
    )


@contextmanager
def session_of(engine: Engine, constraints: Constraints) -> Iterator[Session]:
    """A session whose database errors come out as ours, see `our_errors`."""
    with our_errors(constraints), Session(engine, expire_on_commit=False) as session:
        yield session


@contextmanager
def connection_of(engine: Engine) -> Iterator[Connection]:
    """Rows without objects, for what is asked most often; errors as in `our_errors`."""
    with our_errors({}), engine.connect() as connection:
        yield connection


@contextmanager
def our_errors(constraints: Constraints) -> Iterator[None]:
    """Raises ConnectionLost, ServiceUnavailable or the error of the violated constraint."""
    try:
        yield
    except IntegrityError as error:
        raise meaning_of(error, constraints) from error
    except PoolTimeout as error:
        raise ServiceUnavailable(reason=BUSY) from error
    except DBAPIError as error:
        if error.connection_invalidated or (isinstance(error.orig, psycopg.OperationalError) and is_lost(error.orig)):
            raise ConnectionLost() from error
        if isinstance(error.orig, RETRY_LATER) or is_out_of_resources(error.orig):
            raise ServiceUnavailable(reason="database") from error
        raise


RETRY_LATER = (
    psycopg.errors.QueryCanceled,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.ReadOnlySqlTransaction,
)


def is_out_of_resources(error: BaseException | None) -> bool:
    """Class 53: disk full, out of memory, too many connections."""
    return isinstance(error, psycopg.Error) and (error.sqlstate or "").startswith("53")


def describe(error: BaseException) -> str:
    """The kind and first line of an error: what follows in a database's message may be the row."""
    first = str(error.orig if isinstance(error, DBAPIError) else error).splitlines()
    return f"{type(error).__name__}: {first[0] if first else ''}"[:500]


def is_lost(error: psycopg.Error) -> bool:
    """Without a code of the server's the connection itself failed; class 57P is a server that shuts down or starts."""
    return error.sqlstate is None or error.sqlstate.startswith(("57P", "08"))


def meaning_of(error: IntegrityError, constraints: Constraints) -> Exception:
    name = error.orig.diag.constraint_name if isinstance(error.orig, psycopg.Error) else None
    return constraints[name]() if name and name in constraints else error


def unless_of_database(error: BaseException) -> BaseException | None:
    """The error whose traceback may be logged: a database's would print its message with the row."""
    return None if isinstance(error, DBAPIError) or isinstance(error.__cause__, DBAPIError) else error
