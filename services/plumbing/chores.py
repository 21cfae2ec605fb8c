"""Work that comes by itself, again and again: done by the leader alone.

    @every(seconds=5)
    def close_due_deadlines(self, chore: Chore) -> None: ...

A chore only reads and asks: what it wants changed, it asks of an operation, its own service's included, under the service's name
and with a key that is the same when it comes again. So it may be killed and repeated at any point.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import eventlet
from sqlalchemy.orm import Session

from services.contracts.base import In, Operation, Out
from services.plumbing import logs, wall
from services.plumbing.database import session_of
from services.plumbing.ids import new_id

log = logging.getLogger(__name__)


def every(*, seconds: float) -> Callable[[Any], Any]:
    """Marks a method as a chore; the setting `chores_every` makes all of them come more often."""

    def decorate(method: Any) -> Any:
        method.chore_interval = seconds
        return method

    return decorate


class Chore:
    """What a chore may use."""

    def __init__(self, runtime: Any) -> None:
        self._runtime = runtime
        self.settings = runtime.settings
        self.request_id = f"chore-{new_id()}"

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads, over all agencies."""
        with session_of(self._runtime.reading_engine, {}) as session:
            wall.stand_in(session.connection(), wall.EVERY_AGENCY)
            yield session

    def ask(self, operation: Operation[In, Out], message: In, *, key: str | None = None) -> Out:
        """An operation's answer under the service's own name; a command needs a key. Raises the operation's declared errors."""
        if operation.changes and not key:
            raise ValueError(f"{operation.route} needs a key")
        answer: Out = self._runtime.ask(
            operation,
            message,
            passport=self._runtime.signer.own(),
            request_id=self.request_id,
            command_id=key,
            timeout=self.settings.rpc_timeout,
        )
        return answer


def chores_of(service: Any) -> dict[str, float]:
    """The names of a service's chores and their intervals in seconds."""
    found = {name: getattr(getattr(type(service), name), "chore_interval", None) for name in dir(type(service))}
    return {name: seconds for name, seconds in found.items() if seconds}


def keep_doing(runtime: Any, name: str, seconds: float) -> None:
    """Runs one chore again and again, until it is killed with the leadership."""
    most = runtime.settings.chores_every
    pause = min(seconds, most) if most else seconds
    while True:
        started = time.monotonic()
        chore = Chore(runtime)
        logs.request_id.set(chore.request_id)
        try:
            getattr(runtime.service, name)(chore)
        except Exception as error:
            log.warning("chore %s put off: %s", name, str(error) or type(error).__name__)
        eventlet.sleep(max(0.05, pause - (time.monotonic() - started)))
