"""What every service class starts from."""

import time
from typing import Any, ClassVar

from sqlalchemy import text

from services.contracts.base import Envelopes, EventsAfter, Health, Nothing, events_after, health
from services.plumbing import outbox
from services.plumbing.call import Call
from services.plumbing.database import Constraints
from services.plumbing.events import Batch, deliver_when_possible, receives_events
from services.plumbing.provider import Plumbing
from services.plumbing.rpc import serves


class Service:
    """Gives a service its runtime and the operations that all have: `health` and `events_after`."""

    name: ClassVar[str]
    constraints: ClassVar[Constraints] = {}
    plumbing: Any = Plumbing()

    def __init_subclass__(cls) -> None:
        if "name" in cls.__dict__:
            setattr(cls, "health", serves(health(cls.name))(_health))  # noqa: B010 the names differ per service
            setattr(cls, "events_after", serves(events_after(cls.name))(_events_after))  # noqa: B010


class ListeningService(Service):
    """A service that hears events."""

    @receives_events  # type: ignore[untyped-decorator]
    def receive_event(self, batch: Batch) -> None:
        deliver_when_possible(self.plumbing, self, batch)


def _health(self: Service, query: Nothing, call: Call) -> Health:
    with call.reading() as session:
        before = time.time()
        database = float(session.scalar(text("SELECT extract(epoch FROM clock_timestamp())")) or 0)
    return Health(service=self.name, skew_seconds=(before + time.time()) / 2 - database)


def _events_after(self: Service, query: EventsAfter, call: Call) -> Envelopes:
    with call.reading() as session:
        return Envelopes(events=outbox.events_after(session, self.name, query.position, query.limit))


_health.__name__, _events_after.__name__ = "health", "events_after"
