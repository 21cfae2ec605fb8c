"""Who takes messages from a queue, and how many at a time."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from embedded.broker.messages import Entry, short_string

if TYPE_CHECKING:
    from embedded.broker.channel import Channel
    from embedded.broker.queues import Queue


class Consumer:
    def __init__(self, channel: "Channel", queue: "Queue", tag: str, acknowledges: bool, exclusive: bool) -> None:
        self.queue = queue
        self.tag = tag
        self.exclusive = exclusive
        self.acknowledges = acknowledges
        self.unacknowledged = 0
        self.cancelled: Callable[[Consumer], None] = channel.consumer_cancelled
        self._channel = channel
        self._prefetch = channel.prefetch
        self._wire_tag = short_string(tag)

    def is_ready(self) -> bool:
        if not self._channel.can_write():
            return False
        if not self.acknowledges:
            return True
        return self._channel.has_room() and not 0 < self._prefetch <= self.unacknowledged

    def deliver(self, entry: Entry) -> None:
        self._channel.deliver(self, self._wire_tag, entry, self.queue.outgoing(entry))
