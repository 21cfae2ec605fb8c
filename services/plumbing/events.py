"""Hearing other services' events: one queue and one consumer per service, any number of handlers.

    @handles(CustomerEntered)
    def count_entry(self, event: CustomerEntered, envelope: Envelope, work: Work) -> None: ...

    @handles_together(CustomerEntered, CustomerMoved)
    def count_moves(self, heard: Sequence[Heard]) -> None: ...

The transaction around a handler is the plumbing's, because the inbox row must be in it.
"""

import functools
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import eventlet
from kombu import Queue
from nameko import config
from nameko.exceptions import ContainerBeingKilled
from nameko.messaging import Consumer
from pydantic import ValidationError

from services.contracts.base import Envelope, Event
from services.contracts.subscriptions import SUBSCRIPTIONS
from services.plumbing import inbox
from services.plumbing.consume import DrainingConsumer
from services.plumbing.provider import RUNTIME_KEY
from services.plumbing.topology import EVENT_QUEUE_ARGUMENTS, event_exchange, event_queue

log = logging.getLogger(__name__)

LANES = 2
"""Batches at once: while one waits for the database another one computes. More would only take connections from requests."""
GATHER = 0.05
"""Seconds between the starts of two batches that are not full. A single event waits for nobody; of many, which come one by one,
each would cost a transaction of its own, and those who made them would wait for the processor."""


class HandlersDisagree(SystemExit):
    """A service's handlers and the table of subscriptions say different things."""


def handles(*events: type[Event]) -> Callable[[Any], Any]:
    """Marks a method as a handler of these events. Its name is in the inbox: renaming it makes it a new handler."""

    def decorate(method: Any) -> Any:
        method.handled_events = events
        return method

    return decorate


def handles_together(*events: type[Event]) -> Callable[[Any], Any]:
    """As `handles`, of a method that takes all that came together, as `Sequence[Heard]` in the order of their aggregates and
    versions: for events that come by hundreds a second, of which each would cost a statement of its own. It may be called with
    the same ones one by one, when the whole has failed.
    """

    def decorate(method: Any) -> Any:
        method.takes_many = True
        return handles(*events)(method)

    return decorate


def handlers_of(service_cls: type) -> dict[type[Event], list[str]]:
    """The names of the methods that handle each event."""
    found: dict[type[Event], list[str]] = {}
    for name in sorted(dir(service_cls)):
        for event in getattr(getattr(service_cls, name), "handled_events", ()):
            found.setdefault(event, []).append(name)
    return found


def check_subscriptions(service: str, service_cls: type) -> None:
    """Raises HandlersDisagree: an event without a handler would be lost, a handler without a subscription never run."""
    handled, subscribed = set(handlers_of(service_cls)), set(SUBSCRIPTIONS.get(service, ()))
    if handled != subscribed:
        odd = ", ".join(sorted(event.__name__ for event in handled ^ subscribed))
        raise HandlersDisagree(f"{service}: contracts.subscriptions and the handlers differ in {odd}.")


class EventConsumer(Consumer):  # type: ignore[misc]
    """The entrypoint behind all handlers of a service."""

    consumer_cls = DrainingConsumer

    def __init__(self, **options: Any) -> None:
        super().__init__(queue=None, **options)

    def setup(self) -> None:
        name = event_queue(self.container.service_name)
        self.queue = Queue(name, durable=True, queue_arguments=EVENT_QUEUE_ARGUMENTS, no_declare=not config["DECLARE"])
        self.waiting: deque[Told] = deque()
        self.busy = self.unfinished = 0
        self.next_start, self.is_gathering = 0.0, False
        config[RUNTIME_KEY].events_waiting = lambda: self.unfinished
        super().setup()

    def handle_message(self, body: Any, message: Any) -> None:
        try:
            envelope = Envelope.model_validate(body)
        except ValidationError:
            log.error("event of an unknown form rejected from %s", message.delivery_info.get("routing_key"))
            self.consumer.reject_message(message)
            return
        told_by = message.delivery_info
        if (told_by["exchange"], told_by["routing_key"]) != (event_exchange(envelope.source), envelope.name):
            log.error("event of %s came from %s: forged, and rejected", envelope.source, told_by["exchange"])
            self.consumer.reject_message(message)
            return
        self.waiting.append(Told(envelope, message))
        self.unfinished += 1
        self.begin()

    def begin(self) -> None:
        """Sets a worker to what waits, unless enough are at it: those take it with what they do next."""
        if not self.waiting or self.busy == LANES or self.is_gathering:
            return
        if (left := self.next_start - time.monotonic()) > 0 and len(self.waiting) < inbox.BATCH:
            self.is_gathering = True
            eventlet.spawn_after(left, self.gathered)
            return
        self.next_start = time.monotonic() + GATHER
        self.busy += 1
        if self.container._worker_pool.free() > 0:
            self.spawn()
        else:
            self.container.spawn_managed_thread(self.spawn)

    def gathered(self) -> None:
        self.is_gathering = False
        self.begin()

    def spawn(self) -> None:
        batch = Batch(self.waiting)
        try:
            self.container.spawn_worker(self, (batch,), {}, handle_result=functools.partial(self.handle_result, batch))
        except ContainerBeingKilled:
            for told in self.waiting:
                self.consumer.requeue_message(told.message)

    def handle_result(self, batch: "Batch", worker_ctx: Any, result: Any = None, exc_info: Any = None) -> tuple[Any, Any]:
        for told in batch.taken:
            if exc_info is None:
                self.consumer.ack_message(told.message)
            else:  # the database is away and so shall we be: another replica may have more luck
                self.consumer.requeue_message(told.message)
        self.busy -= 1
        self.unfinished -= len(batch.taken)
        self.begin()
        return None, None


class Told(NamedTuple):
    """An event and the message that brought it."""

    envelope: Envelope
    message: Any


class Batch:
    """What one worker handles: all that has come until it really starts, so that a single event never waits for others."""

    def __init__(self, waiting: deque[Told]) -> None:
        self.waiting = waiting
        self.taken: list[Told] = []

    def take(self) -> list[Envelope]:
        self.taken = [self.waiting.popleft() for _ in range(min(inbox.BATCH, len(self.waiting)))]
        return [told.envelope for told in self.taken]


receives_events = EventConsumer.decorator


def deliver_when_possible(runtime: Any, service: Any, batch: Batch) -> None:
    """Holds events while the database is away. Given back to the broker they would soon be counted as poison."""
    envelopes = batch.take()
    while True:
        try:
            return deliver(runtime, service, envelopes)
        except Exception as error:
            if runtime.is_stopping or not inbox.is_away(error):
                raise
            log.warning("%d events wait for the database", len(envelopes))
            eventlet.sleep(1)


def deliver(runtime: Any, service: Any, envelopes: list[Envelope]) -> None:
    """Every handler of every event. Raises when the database is away."""
    found = [inbox.Delivery(name, getattr(service, name), e) for e in envelopes for name in runtime.handlers_for(e)]
    inbox.receive_all(runtime.engine, found, runtime.settings.retry_delays)
