"""Hearing other services' events: one queue and one consumer per service, any number of handlers.

    @handles(CustomerEntered)
    def count_entry(self, event: CustomerEntered, envelope: Envelope, work: Work) -> None: ...

The transaction around a handler is the plumbing's, because the inbox row must be in it.
"""

import functools
import logging
from collections.abc import Callable
from typing import Any

import eventlet
from kombu import Queue
from nameko import config
from nameko.exceptions import ContainerBeingKilled
from nameko.messaging import Consumer
from pydantic import ValidationError

from services.contracts.base import Envelope, Event
from services.contracts.subscriptions import SUBSCRIPTIONS
from services.plumbing import inbox, logs
from services.plumbing.consume import DrainingConsumer
from services.plumbing.topology import EVENT_QUEUE_ARGUMENTS, event_exchange, event_queue

log = logging.getLogger(__name__)


class HandlersDisagree(SystemExit):
    """A service's handlers and the table of subscriptions say different things."""


def handles(*events: type[Event]) -> Callable[[Any], Any]:
    """Marks a method as a handler of these events. Its name is in the inbox: renaming it makes it a new handler."""

    def decorate(method: Any) -> Any:
        method.handled_events = events
        return method

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
        spawn = functools.partial(self.spawn, envelope, message)
        if self.container._worker_pool.free() > 0:
            spawn()
        else:
            self.container.spawn_managed_thread(spawn)

    def spawn(self, envelope: Envelope, message: Any) -> None:
        try:
            self.container.spawn_worker(self, (envelope,), {}, handle_result=functools.partial(self.handle_result, message))
        except ContainerBeingKilled:
            self.consumer.requeue_message(message)

    def handle_result(self, message: Any, worker_ctx: Any, result: Any = None, exc_info: Any = None) -> tuple[Any, Any]:
        if exc_info is None:
            self.consumer.ack_message(message)
        else:  # the database is away and so shall we be: another replica may have more luck
            self.consumer.requeue_message(message)
        return None, None


receives_events = EventConsumer.decorator


def deliver_when_possible(runtime: Any, service: Any, envelope: Envelope) -> None:
    """Holds the event while the database is away. Given back to the broker it would soon be counted as poison."""
    while True:
        try:
            return deliver(runtime, service, envelope)
        except Exception as error:
            if runtime.is_stopping or not inbox.is_away(error):
                raise
            log.warning("event %s waits for the database", envelope.id)
            eventlet.sleep(1)


def deliver(runtime: Any, service: Any, envelope: Envelope) -> None:
    """Every handler of the event, each in its own transaction. Raises when the database is away."""
    logs.request_id.set(envelope.request_id)
    for name in runtime.handlers_for(envelope):
        inbox.receive(runtime.engine, name, getattr(service, name), envelope, runtime.settings.retry_delays)
