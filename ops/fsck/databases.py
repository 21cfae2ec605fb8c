"""The databases of all services, each in one snapshot that nobody else's changes reach."""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Self

import psycopg

from services.contracts.base import SERVICES
from services.plumbing.database import KEEPALIVES, describe

FETCHED_AT_ONCE = 5_000
# Both that walls do not hide rows, and that no patience of the server ends a long look. A cursor is read to its end, so its
# plan is to be the fastest for all of it.
OPTIONS = " ".join(
    f"-c {setting}"
    for setting in (
        "qudao.agency=*",
        "timezone=UTC",
        "datestyle=ISO",
        "statement_timeout=0",
        "idle_in_transaction_session_timeout=0",
        "default_transaction_read_only=on",
        "cursor_tuple_fraction=1",
    )
)


class CannotLook(Exception):
    """A database cannot be read; the sentence says which and why."""


class Databases:
    """Read-only connections to `urls`, by service. Whatever fails raises CannotLook."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        self.urls = urls
        self.connections: dict[str, psycopg.Connection[Any]] = {}
        self._opened = ExitStack()
        self._numbers = itertools.count()

    def __enter__(self) -> Self:
        with self._opened:
            for service in SERVICES:
                self.connections[service] = self._opened.enter_context(self._connect(service))
            self.take_snapshots()
            self._opened = self._opened.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._opened.close()

    def _connect(self, service: str) -> psycopg.Connection[Any]:
        with reading(service):
            connection = psycopg.connect(self.urls[service], application_name="fsck", options=OPTIONS, **KEEPALIVES)
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            return connection

    def take_snapshots(self) -> None:
        """As near to each other as can be; those of before are given back."""
        self.let_go()
        for service, connection in self.connections.items():
            with reading(service):
                connection.execute("SELECT")

    def let_go(self) -> None:
        """Gives the snapshots back: the server keeps what has been deleted since, as long as somebody may still look at it."""
        for service, connection in self.connections.items():
            with reading(service):
                connection.rollback()

    def rows(self, service: str, query: str, values: Mapping[str, Any] | None = None) -> Iterator[tuple[Any, ...]]:
        """A few thousand at a time, so that any number may come."""
        with reading(service), self.connections[service].cursor(f"fsck_{next(self._numbers)}") as cursor:
            cursor.itersize = FETCHED_AT_ONCE
            yield from cursor.execute(query.encode(), values)

    def value(self, service: str, query: str, values: Mapping[str, Any] | None = None) -> Any:
        with reading(service):
            [(found,)] = self.connections[service].execute(query.encode(), values)
            return found


@contextmanager
def reading(service: str) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise CannotLook(f"The database of {service} cannot be read ({describe(error)}).") from error
