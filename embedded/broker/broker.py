"""All exchanges and queues, and the way of a message between them."""

import logging
import struct
from collections import deque
from collections.abc import Iterable

from embedded.broker.messages import Message, buried, goes_in_circles
from embedded.broker.queues import REJECTED, Queue
from embedded.broker.refusals import Refusal, not_found
from embedded.broker.routing import Exchange

log = logging.getLogger(__name__)

DEFAULT_EXCHANGE = ""
_PREDECLARED = {
    DEFAULT_EXCHANGE: "direct",
    "amq.direct": "direct",
    "amq.fanout": "fanout",
    "amq.headers": "headers",
    "amq.match": "headers",
    "amq.topic": "topic",
}


class Broker:
    def __init__(self) -> None:
        self.exchanges = {name: Exchange(name, kind) for name, kind in _PREDECLARED.items()}
        self.queues: dict[str, Queue] = {}
        self._dead: deque[Message] = deque()
        self._is_burying = False

    def exchange(self, name: str) -> Exchange:
        try:
            return self.exchanges[name]
        except KeyError:
            raise not_found("exchange", name) from None

    def queue(self, name: str) -> Queue:
        try:
            return self.queues[name]
        except KeyError:
            raise not_found("queue", name) from None

    def route(self, message: Message) -> list[Queue]:
        """Raises ChannelRefusal when there is no such exchange."""
        if message.exchange == DEFAULT_EXCHANGE:
            queue = self.queues.get(message.routing_key)
            return [queue] if queue else []
        exchange = self.exchange(message.exchange)
        return exchange.route(message.routing_key, message.headers() if exchange.kind == "headers" else {})

    def publish(self, message: Message, queues: Iterable[Queue]) -> bool:
        """False when one of the queues refused it."""
        accepted = [queue.put(message) for queue in queues]
        return all(accepted)

    def bury(self, queue: Queue, message: Message, reason: str) -> None:
        """To the dead-letter exchange of the queue; without one the message is gone, as it is when it goes in circles."""
        name = queue.policy.dead_letter_exchange
        exchange = None if name is None else self.exchanges.get(name)
        if exchange is None or (reason != REJECTED and goes_in_circles(message, queue.name)):
            return
        try:
            dead = buried(message, queue.name, reason, exchange.name, queue.policy.dead_letter_routing_key)
        except (Refusal, TypeError, ValueError, struct.error):
            log.exception("a dead letter of queue %s has headers that cannot be written again", queue.name)
            return
        self._dead.append(dead)
        self._publish_dead()

    def _publish_dead(self) -> None:
        """One after the other: a dead letter that pushes the next out of a full queue must not nest."""
        if self._is_burying:
            return
        self._is_burying = True
        try:
            while self._dead:
                dead = self._dead.popleft()
                self.publish(dead, self.route(dead))
        finally:
            self._is_burying = False

    def delete_exchange(self, exchange: Exchange) -> None:
        self.exchanges.pop(exchange.name, None)

    def delete_queue(self, queue: Queue) -> int:
        """How many messages went with it."""
        if self.queues.pop(queue.name, None) is None:
            return 0
        messages = queue.depth
        queue.close()
        for exchange in list(self.exchanges.values()):
            if exchange.unbind_queue(queue):
                self.exchange_lost_binding(exchange)
        for consumer in list(queue.consumers):
            consumer.cancelled(consumer)
        queue.consumers.clear()
        return messages

    def exchange_lost_binding(self, exchange: Exchange) -> None:
        if exchange.auto_delete and not exchange.bindings:
            self.delete_exchange(exchange)
