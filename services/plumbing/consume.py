"""Consumers that end without losing acks.

nameko closes the connection at once when it stops: the acks of running workers are lost, and the broker delivers everything in
work again, so each graceful stop ran each running request twice. Here a consumer first cancels, then waits for the last ack.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from eventlet.event import Event as Signal
from kombu.exceptions import KombuError
from nameko.amqp.consume import Consumer

from services.plumbing.bus import BROKER_ERRORS

log = logging.getLogger(__name__)

GRACE = 10.0  # seconds for running work to finish; the supervisor kills after it


class DrainingConsumer(Consumer):  # type: ignore[misc]
    """Used for requests and for events."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._in_work: set[tuple[int, int]] = set()
        self._is_connected = self._is_draining = self._is_cancelled = False
        self._consumers: list[Any] = []
        self._ended = Signal()

    def run(self, *args: Any, **options: Any) -> None:
        try:
            super().run(*args, **options)
        finally:
            self._ended.send()

    @contextmanager
    def establish_connection(self) -> Iterator[Any]:
        """Tries every second; kombu waits ever longer, in the end 30 s for a broker that is back already."""
        self._is_connected = False
        with self.create_connection() as connection:
            connection.ensure_connection(self.on_connection_error, interval_start=1, interval_step=0, interval_max=1)
            self._is_connected = True
            yield connection

    def get_consumers(self, consumer_cls: Any, channel: Any) -> list[Any]:
        self._in_work.clear()  # a new connection: the broker has taken back what the old one had
        self._is_cancelled = False
        self._consumers = super().get_consumers(consumer_cls, channel)
        return self._consumers

    def consume(self, limit: int | None = None, timeout: float | None = None, safety_interval: float = 1, **options: Any) -> Any:
        return super().consume(limit=limit, timeout=timeout, safety_interval=0.2, **options)

    def on_iteration(self) -> None:
        if not self._is_draining:
            return
        if not self._is_cancelled:
            self._is_cancelled = True
            for consumer in self._consumers:
                try:
                    consumer.cancel()
                except (*BROKER_ERRORS, KombuError):
                    log.warning("could not cancel a consumer while stopping")
        if not self._in_work:
            self.should_stop = True

    def stop(self) -> None:
        """Returns when all work is acked, when its grace is over, or at once without a broker, which takes no acks."""
        self._is_draining = True
        if not (self.ready.is_set() and self._is_connected):
            self.should_stop = True
            return
        self._ended.wait(GRACE)
        self.should_stop = True

    def on_message(self, body: Any, message: Any) -> None:
        if self._is_draining:
            self.requeue_message(message)
            return
        self._in_work.add(self._key(message))
        super().on_message(body, message)

    def on_decode_error(self, message: Any, error: Exception) -> None:
        """Dead-letters what is no JSON; stock kombu acks it, which loses it."""
        log.error("undecodable message rejected from %s: %s", message.delivery_info.get("routing_key"), error)
        self.reject_message(message)

    def ack_message(self, message: Any) -> None:
        self._settle(message, message.ack)

    def requeue_message(self, message: Any) -> None:
        self._settle(message, message.requeue)

    def reject_message(self, message: Any) -> None:
        self._settle(message, message.reject)

    def _settle(self, message: Any, settle: Any) -> None:
        try:
            if message.channel is not None and message.channel.connection:
                settle()
        except (*BROKER_ERRORS, KombuError) as error:
            log.warning("message could not be settled, the broker will deliver it again: %s", error)
        finally:
            self._in_work.discard(self._key(message))

    @staticmethod
    def _key(message: Any) -> tuple[int, int]:
        """Delivery tags count per channel, and a new connection starts at 1 again."""
        return id(message.channel), message.delivery_tag
