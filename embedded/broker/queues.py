"""One queue: what waits in it, who consumes it, what expires, what no longer fits."""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from embedded.broker.messages import Entry, Message, with_headers
from embedded.broker.policy import MOST_BYTES, MOST_MESSAGES, QueuePolicy

if TYPE_CHECKING:
    from embedded.broker.broker import Broker
    from embedded.broker.consumers import Consumer

REJECTED: Final = "rejected"
EXPIRED: Final = "expired"
TOO_LONG: Final = "maxlen"
RETURNED_TOO_OFTEN: Final = "delivery_limit"


class Queue:
    """Messages leave at the head only, also when they expire: as in RabbitMQ, one that expires late holds up those
    behind it. So one timer, for the head, is enough for any number of messages."""

    def __init__(self, name: str, policy: QueuePolicy, broker: "Broker") -> None:
        self.name = name
        self.policy = policy
        self.durable = False
        self.auto_delete = False
        self.owner: object | None = None  # the connection that alone may use an exclusive queue
        self.arguments: dict[str, Any] = {}
        self.consumers: deque[Consumer] = deque()
        self.is_deleted = False
        self._broker = broker
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Entry] = deque()
        self._bytes = 0
        self._next_position = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._unused_timer: asyncio.TimerHandle | None = None
        self.touch()

    @property
    def depth(self) -> int:
        """How many messages wait, without those at consumers."""
        return len(self._waiting)

    def put(self, message: Message) -> bool:
        """False when the queue is full and its policy is to refuse rather than to drop its oldest."""
        self._expire()
        if self._refuses(message):
            if self.policy.overflow == "reject-publish-dlx":
                self._broker.bury(self, message, TOO_LONG)
            return False
        self._next_position += 1
        self._waiting.append(Entry(message, self._next_position, self._expiry(message)))
        self._bytes += message.size
        self._deliver()
        while self._waiting and self._overflows():
            self._broker.bury(self, self._pop().message, TOO_LONG)
        self._expire()
        return True

    def take(self) -> Entry | None:
        """The next message for basic.get."""
        self.touch()
        self._expire()
        taken = self._pop() if self._waiting else None
        self._expire()
        return taken

    def outgoing(self, entry: Entry) -> Message:
        """The message as it is delivered: a quorum queue tells how often it came back."""
        if not (self.policy.quorum and entry.returns):
            return entry.message
        return with_headers(entry.message, {**entry.message.headers(), "x-delivery-count": entry.returns})

    def give_back(self, entries: Iterable[Entry]) -> None:
        """Messages that were delivered and not acknowledged return to where they were."""
        if self.is_deleted:
            return
        for entry in sorted(entries, key=lambda entry: entry.position, reverse=True):
            entry.redelivered = True
            entry.returns += 1
            limit = self.policy.delivery_limit
            if limit is not None and entry.returns > limit:
                self._broker.bury(self, entry.message, RETURNED_TOO_OFTEN)
            else:
                self._insert(entry)
        self.kick()

    def reject(self, entry: Entry) -> None:
        if not self.is_deleted:
            self._broker.bury(self, entry.message, REJECTED)

    def purge(self) -> int:
        purged = len(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        return purged

    def kick(self) -> None:
        """To be called when a consumer may have become ready."""
        if self._waiting:
            self._expire()
            self._deliver()
            self._expire()

    def add_consumer(self, consumer: "Consumer") -> None:
        self.consumers.append(consumer)
        self.touch()

    def remove_consumer(self, consumer: "Consumer") -> None:
        self.consumers.remove(consumer)
        self.touch()
        if self.auto_delete and not self.consumers:
            self._broker.delete_queue(self)
        else:
            self.kick()

    def touch(self) -> None:
        """Starts the time after which an unused queue goes (`x-expires`) anew."""
        if self.policy.expires is None:
            return
        if self._unused_timer:
            self._unused_timer.cancel()
        self._unused_timer = None
        if not self.consumers:
            self._unused_timer = self._loop.call_later(self.policy.expires, self._broker.delete_queue, self)

    def close(self) -> None:
        self.is_deleted = True
        for timer in (self._head_timer, self._unused_timer):
            if timer:
                timer.cancel()
        self.purge()

    def _deliver(self) -> None:
        while self._waiting and (consumer := self._ready_consumer()):
            consumer.deliver(self._pop())

    def _ready_consumer(self) -> "Consumer | None":
        if self.policy.single_active_consumer:
            return self.consumers[0] if self.consumers and self.consumers[0].is_ready() else None
        for _ in range(len(self.consumers)):
            consumer = self.consumers[0]
            self.consumers.rotate(-1)
            if consumer.is_ready():
                return consumer
        return None

    def _pop(self) -> Entry:
        entry = self._waiting.popleft()
        self._bytes -= entry.message.size
        return entry

    def _insert(self, entry: Entry) -> None:
        """Only those delivered after it and back already stand before it: few, at most the prefetch of a consumer."""
        before = []
        while self._waiting and self._waiting[0].position < entry.position:
            before.append(self._waiting.popleft())
        self._waiting.appendleft(entry)
        self._waiting.extendleft(reversed(before))
        self._bytes += entry.message.size

    def _refuses(self, message: Message) -> bool:
        if len(self._waiting) >= MOST_MESSAGES or self._bytes + message.size > MOST_BYTES:
            return True
        if self.policy.overflow == "drop-head":
            return False
        too_many = self.policy.max_length is not None and len(self._waiting) >= self.policy.max_length
        return too_many or (self.policy.max_bytes is not None and self._bytes + message.size > self.policy.max_bytes)

    def _overflows(self) -> bool:
        too_many = self.policy.max_length is not None and len(self._waiting) > self.policy.max_length
        return too_many or (self.policy.max_bytes is not None and self._bytes > self.policy.max_bytes)

    def _expiry(self, message: Message) -> float | None:
        lifetimes = [life for life in (message.lifetime, self.policy.lifetime) if life is not None]
        return self._loop.time() + min(lifetimes) if lifetimes else None

    def _expire(self) -> None:
        """Buries what has expired at the head, and wakes again when the new head does."""
        while self._waiting and (expires_at := self._waiting[0].expires_at) is not None:
            if expires_at > self._loop.time():
                self._wake_at(expires_at)
                return
            self._broker.bury(self, self._pop().message, EXPIRED)

    def _wake_at(self, expires_at: float) -> None:
        """A timer already set for an earlier head looks again by itself."""
        if self._head_timer is None or self._head_timer.when() > expires_at:
            if self._head_timer:
                self._head_timer.cancel()
            self._head_timer = self._loop.call_at(expires_at, self._head_expired)

    def _head_expired(self) -> None:
        self._head_timer = None
        self._expire()
