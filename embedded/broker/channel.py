"""One channel of a connection: what a client may ask for, method by method."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pamqp import base
from pamqp.commands import Basic, Confirm, Exchange, Queue

from embedded.broker import frames, topology
from embedded.broker.consumers import Consumer
from embedded.broker.content import Content
from embedded.broker.messages import Entry, Message
from embedded.broker.queues import Queue as WaitingQueue
from embedded.broker.refusals import access_refused, not_allowed, not_implemented, precondition_failed, unexpected_frame

if TYPE_CHECKING:
    from embedded.broker.connection import Connection


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message at a client that has not acknowledged it; `consumer` is None after basic.get."""

    queue: WaitingQueue
    entry: Entry
    consumer: Consumer | None


class Channel:
    def __init__(self, number: int, connection: "Connection") -> None:
        self.number = number
        self.connection = connection
        self.prefetch = 0
        self.last_queue = ""  # an empty name means the queue declared last
        self._shared_prefetch = 0
        self._consumers: dict[str, Consumer] = {}
        self._delivered: dict[int, Delivered] = {}
        self._at_consumers = 0
        self._last_delivery_tag = 0
        self._confirmed: int | None = None
        self._content: Content | None = None
        self._broker = connection.broker

    # What consumers need.

    def can_write(self) -> bool:
        return self.connection.can_write()

    def has_room(self) -> bool:
        return not 0 < self._shared_prefetch <= self._at_consumers

    def deliver(self, consumer: Consumer, wire_tag: bytes, entry: Entry, message: Message) -> None:
        self._last_delivery_tag = tag = self._last_delivery_tag + 1
        if consumer.acknowledges:
            self._delivered[tag] = Delivered(consumer.queue, entry, consumer)
            consumer.unacknowledged += 1
            self._at_consumers += 1
        limit = self.connection.frame_max
        self.connection.write(frames.deliver_frames(self.number, wire_tag, tag, entry.redelivered, message, limit))

    def consumer_cancelled(self, consumer: Consumer) -> None:
        """The queue is gone; a client that can be told is told."""
        if self._consumers.pop(consumer.tag, None) and self.connection.wants_cancel_notify:
            self._send(Basic.Cancel(consumer.tag, nowait=True))

    # What the connection hands over.

    def method(self, method: base.Frame) -> None:
        self._expect_no_content()
        handler = _HANDLERS.get(type(method))
        if handler is None:
            raise not_implemented(f"{method.name} is not offered by this broker")
        handler(self, method)

    def publish(self, publish: frames.Publish) -> None:
        self._expect_no_content()
        self._content = Content(publish)

    def content_header(self, payload: bytes) -> None:
        self._accept(self._current_content().read_header(payload, self.connection.user))

    def content_body(self, payload: bytes) -> None:
        self._accept(self._current_content().read_body(payload))

    def close(self) -> None:
        """Consumers first, so that what comes back does not go to them again."""
        for consumer in list(self._consumers.values()):
            self._drop_consumer(consumer)
        self._give_back(self._take_delivered(list(self._delivered)))

    def kick(self) -> None:
        for consumer in list(self._consumers.values()):
            consumer.queue.kick()

    # Publishing.

    def _expect_no_content(self) -> None:
        if self._content is not None:
            raise unexpected_frame("expected content, got a method instead")

    def _current_content(self) -> Content:
        if self._content is None:
            raise unexpected_frame("expected a method, got content instead")
        return self._content

    def _accept(self, message: Message | None) -> None:
        if message is None:
            return
        assert self._content is not None
        mandatory, self._content = self._content.publish.mandatory, None
        queues = self._broker.route(message)
        if mandatory and not queues:
            self.connection.write(frames.return_frames(self.number, message, self.connection.frame_max))
        accepted = self._broker.publish(message, queues)
        if self._confirmed is not None:
            self._confirmed += 1
            self._send(Basic.Ack(self._confirmed) if accepted else Basic.Nack(self._confirmed, requeue=False))

    def _on_confirm_select(self, method: Confirm.Select) -> None:
        self._confirmed = self._confirmed or 0
        self._answer(method, Confirm.SelectOk())

    # Exchanges and queues.

    def _on_exchange_declare(self, method: Exchange.Declare) -> None:
        topology.declare_exchange(self._broker, method)
        self._answer(method, Exchange.DeclareOk())

    def _on_exchange_delete(self, method: Exchange.Delete) -> None:
        topology.delete_exchange(self._broker, method)
        self._answer(method, Exchange.DeleteOk())

    def _on_queue_declare(self, method: Queue.Declare) -> None:
        queue = topology.declare_queue(self._broker, method, self.connection)
        self.last_queue = queue.name
        if not method.nowait:
            self.connection.write(frames.declared_frame(self.number, queue.name, queue.depth, len(queue.consumers)))

    def _on_queue_bind(self, method: Queue.Bind) -> None:
        queue = self._usable_queue(method.queue)
        key = method.routing_key or ("" if method.queue else queue.name)
        topology.bind(self._broker, queue, method.exchange, key, method.arguments or {})
        self._answer(method, Queue.BindOk())

    def _on_queue_unbind(self, method: Queue.Unbind) -> None:
        queue = self._usable_queue(method.queue)
        topology.unbind(self._broker, queue, method.exchange, method.routing_key, method.arguments or {})
        self._send(Queue.UnbindOk())

    def _on_queue_purge(self, method: Queue.Purge) -> None:
        self._answer(method, Queue.PurgeOk(self._usable_queue(method.queue).purge()))

    def _on_queue_delete(self, method: Queue.Delete) -> None:
        messages_gone = 0
        if (method.queue or self.last_queue) in self._broker.queues:  # RabbitMQ deletes what is not there, too
            queue = self._usable_queue(method.queue)
            if method.if_unused and queue.consumers:
                raise precondition_failed(f"queue '{queue.name}' in vhost '/' in use")
            if method.if_empty and queue.depth:
                raise precondition_failed(f"queue '{queue.name}' in vhost '/' not empty")
            messages_gone = self._broker.delete_queue(queue)
        self._answer(method, Queue.DeleteOk(messages_gone))

    # Consuming.

    def _on_qos(self, method: Basic.Qos) -> None:
        """As in RabbitMQ, `global` is for the channel as a whole, otherwise for each consumer started from now on."""
        if method.prefetch_size:
            raise not_implemented("prefetch_size!=0")
        if method.global_:
            self._shared_prefetch = method.prefetch_count
            self.kick()
        else:
            self.prefetch = method.prefetch_count
        self._send(Basic.QosOk())

    def _on_consume(self, method: Basic.Consume) -> None:
        queue = self._usable_queue(method.queue)
        tag = method.consumer_tag or f"amq.ctag-{uuid.uuid4().hex}"
        if tag in self._consumers:
            raise not_allowed(f"attempt to reuse consumer tag '{tag}'")
        if queue.consumers and (method.exclusive or queue.consumers[0].exclusive):
            raise access_refused(f"queue '{queue.name}' in vhost '/' in exclusive use")
        consumer = self._consumers[tag] = Consumer(self, queue, tag, not method.no_ack, method.exclusive)
        self._answer(method, Basic.ConsumeOk(tag))
        queue.add_consumer(consumer)
        queue.kick()

    def _on_cancel(self, method: Basic.Cancel) -> None:
        consumer = self._consumers.get(method.consumer_tag or "")
        if consumer:
            self._drop_consumer(consumer)
        self._answer(method, Basic.CancelOk(method.consumer_tag))

    def _on_cancel_ok(self, _: Basic.CancelOk) -> None:
        """The client has noticed that its consumer was cancelled."""

    def _on_get(self, method: Basic.Get) -> None:
        queue = self._usable_queue(method.queue)
        entry = queue.take()
        if entry is None:
            self._send(Basic.GetEmpty())
            return
        self._last_delivery_tag = tag = self._last_delivery_tag + 1
        if not method.no_ack:
            self._delivered[tag] = Delivered(queue, entry, None)
        limit = self.connection.frame_max
        self.connection.write(frames.get_frames(self.number, tag, entry.redelivered, queue.outgoing(entry), queue.depth, limit))

    # Acknowledging.

    def _on_ack(self, method: Basic.Ack) -> None:
        for delivered in self._settled(method.delivery_tag, method.multiple):
            if delivered.consumer:
                delivered.queue.kick()

    def _on_nack(self, method: Basic.Nack) -> None:
        self._refuse(self._settled(method.delivery_tag, method.multiple), method.requeue)

    def _on_reject(self, method: Basic.Reject) -> None:
        self._refuse(self._settled(method.delivery_tag or 0, multiple=False), method.requeue)

    def _on_recover(self, _: Basic.Recover) -> None:
        self._give_back(self._take_delivered(list(self._delivered)))
        self._send(Basic.RecoverOk())

    def _settled(self, tag: int, multiple: bool) -> list[Delivered]:
        if multiple and tag == 0:
            return self._take_delivered(list(self._delivered))
        if tag not in self._delivered:
            raise precondition_failed(f"unknown delivery tag {tag}")
        return self._take_delivered([one for one in self._delivered if one <= tag] if multiple else [tag])

    def _take_delivered(self, tags: list[int]) -> list[Delivered]:
        taken = [self._delivered.pop(tag) for tag in tags]
        for delivered in taken:
            if delivered.consumer:
                delivered.consumer.unacknowledged -= 1
                self._at_consumers -= 1
        return taken

    def _refuse(self, refused: list[Delivered], requeue: bool) -> None:
        if requeue:
            self._give_back(refused)
            return
        for delivered in refused:
            delivered.queue.reject(delivered.entry)
        for delivered in refused:
            delivered.queue.kick()

    def _give_back(self, returned: list[Delivered]) -> None:
        entries: dict[WaitingQueue, list[Entry]] = {}
        for delivered in returned:
            entries.setdefault(delivered.queue, []).append(delivered.entry)
        for queue, waiting in entries.items():
            queue.give_back(waiting)

    # Helpers of the above.

    def _usable_queue(self, name: str) -> WaitingQueue:
        return topology.usable_queue(self._broker, name or self.last_queue, self.connection)

    def _drop_consumer(self, consumer: Consumer) -> None:
        del self._consumers[consumer.tag]
        consumer.queue.remove_consumer(consumer)

    def _answer(self, method: Any, answer: base.Frame) -> None:
        if not method.nowait:
            self._send(answer)

    def _send(self, method: base.Frame) -> None:
        self.connection.write(frames.method_frame(self.number, method))


_HANDLERS: dict[type[base.Frame], Callable[[Channel, Any], None]] = {
    Confirm.Select: Channel._on_confirm_select,
    Exchange.Declare: Channel._on_exchange_declare,
    Exchange.Delete: Channel._on_exchange_delete,
    Queue.Declare: Channel._on_queue_declare,
    Queue.Bind: Channel._on_queue_bind,
    Queue.Unbind: Channel._on_queue_unbind,
    Queue.Purge: Channel._on_queue_purge,
    Queue.Delete: Channel._on_queue_delete,
    Basic.Qos: Channel._on_qos,
    Basic.Consume: Channel._on_consume,
    Basic.Cancel: Channel._on_cancel,
    Basic.CancelOk: Channel._on_cancel_ok,
    Basic.Get: Channel._on_get,
    Basic.Ack: Channel._on_ack,
    Basic.Nack: Channel._on_nack,
    Basic.Reject: Channel._on_reject,
    Basic.Recover: Channel._on_recover,
}
