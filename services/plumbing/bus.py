"""One connection per process for all that a service sends: requests, replies and events; answers to its requests come back on it.

nameko's own client declares its reply queue on every call, waits for ever, and takes a connection per publisher. Here one green
thread reads; any number publish, wait for the broker's confirm and for the answer, each with a timeout. What was under way when
the connection breaks fails at once instead of waiting for a confirm that cannot come.
"""

import contextlib
import json
import logging
import socket
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import amqp
import eventlet
from amqp.exceptions import AMQPError
from eventlet.event import Event as Signal
from eventlet.semaphore import Semaphore

from services.plumbing.topology import RPC_EXCHANGE

log = logging.getLogger(__name__)

BROKER_ERRORS = (AMQPError, OSError)
REPLY_QUEUE_EXPIRES_MS = 60_000
PORTS = {"amqp": 5672, "pyamqp": 5672, "amqps": 5671}


class BrokerAway(Exception):
    """The broker cannot be reached, or was lost before it confirmed."""


class Unroutable(Exception):
    """No queue takes this message."""


class Refused(Exception):
    """The broker did not take the message: its queue is full."""


class NoAnswer(Exception):
    """The answer did not come in time."""


def address(uri: str) -> dict[str, Any]:
    """py-amqp's arguments for an `amqp://user:password@host:port/vhost`."""
    parts = urlsplit(uri)
    return {
        "host": f"{parts.hostname}:{parts.port or PORTS[parts.scheme]}",
        "userid": unquote(parts.username or "guest"),
        "password": unquote(parts.password or "guest"),
        "virtual_host": unquote(parts.path[1:]) or "/",
        "ssl": parts.scheme == "amqps",
        "connect_timeout": 5,
    }


class Bus:
    """`on_connect` is called with a channel after every connect, before anything is published."""

    def __init__(self, uri: str, name: str, *, heartbeat: int = 10, on_connect: Callable[[Any], None] | None = None) -> None:
        self.name, self.heartbeat = name, heartbeat
        self.reply_to = str(uuid.uuid4())
        self.is_blocked = False
        self.connected_at = 0.0  # monotonic
        self._address = address(uri)
        self._on_connect = on_connect
        self._write = Semaphore()
        self._up = Signal()
        self._connection: Any = None
        self._confirmed: Any = None
        self._plain: Any = None
        self._tag = 0
        self._unconfirmed: dict[int, tuple[str, Signal]] = {}
        self._returned: set[str] = set()
        self._pending: dict[str, Signal] = {}
        self._stopping = False

    # --- life

    def start(self) -> None:
        eventlet.spawn(self._run)

    def stop(self) -> None:
        self._stopping = True

    def wait_connected(self, timeout: float) -> bool:
        """Whether there is a connection within so many seconds."""
        return self._connection is not None or self._up.wait(timeout) is not None

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._connect()
                self._read()
            except BROKER_ERRORS as error:
                log.warning("broker away: %s", error)
            except Exception:
                log.exception("bus failed, connecting again")
            self._disconnect()
            if not self._stopping:
                eventlet.sleep(1)

    def _connect(self) -> None:
        connection = amqp.Connection(
            **self._address,
            heartbeat=self.heartbeat,
            confirm_publish=False,
            on_blocked=lambda reason: self._set_blocked(blocked=True, reason=reason),
            on_unblocked=lambda: self._set_blocked(blocked=False),
            client_properties={"connection_name": f"{self.name} bus"},
        )
        try:
            self._open(connection)
        except BaseException:  # half open it would hold a socket until it is collected, one more for each try
            connection.collect()
            raise

    def _open(self, connection: Any) -> None:
        connection.connect()
        channel = connection.channel()
        if self._on_connect:
            self._on_connect(channel)
        queue = f"rpc.reply-{self.name}-{self.reply_to}"
        channel.queue_declare(queue, durable=True, auto_delete=False, arguments={"x-expires": REPLY_QUEUE_EXPIRES_MS})
        channel.queue_bind(queue, RPC_EXCHANGE, self.reply_to)
        channel.basic_consume(queue, no_ack=True, callback=self._on_answer)
        confirmed = connection.channel()
        confirmed.confirm_select()
        confirmed.events["basic_ack"].add(self._on_ack)
        confirmed.events["basic_nack"].add(self._on_nack)
        confirmed.events["basic_return"].add(self._on_return)
        self._tag, self._plain, self._confirmed, self._connection = 0, channel, confirmed, connection
        self.connected_at = time.monotonic()
        up, self._up = self._up, Signal()
        up.send(True)

    def _read(self) -> None:
        while not self._stopping:
            with contextlib.suppress(TimeoutError):
                self._connection.drain_events(timeout=self.heartbeat / 4)
            with self._write:
                self._connection.heartbeat_tick()

    def _disconnect(self) -> None:
        connection, self._connection, self._confirmed, self._plain = self._connection, None, None, None
        self.is_blocked = False
        lost, self._unconfirmed, self._returned = self._unconfirmed, {}, set()
        waiting, self._pending = self._pending, {}
        for _, signal in lost.values():
            signal.send_exception(BrokerAway())
        for signal in waiting.values():
            signal.send_exception(BrokerAway())
        if connection is not None:
            with contextlib.suppress(OSError, AttributeError):
                connection.transport.sock.shutdown(socket.SHUT_RDWR)
            connection.collect()

    def _set_blocked(self, *, blocked: bool, reason: str = "") -> None:
        self.is_blocked = blocked
        log.warning("broker %s publishers %s", "blocks" if blocked else "unblocks", reason)

    # --- sending

    def publish(self, exchange: str, routing_key: str, body: bytes, *, mandatory: bool = True, **properties: Any) -> Signal:
        """Sends with confirm; the signal's `wait` returns, or raises Unroutable, Refused or BrokerAway. Raises BrokerAway."""
        message_id = properties.setdefault("message_id", uuid.uuid4().hex)
        message = amqp.Message(body, content_type="application/json", content_encoding="utf-8", **properties)
        signal = Signal()
        with self._write:
            channel = self._confirmed
            if channel is None or self.is_blocked:
                raise BrokerAway()
            self._tag += 1
            self._unconfirmed[self._tag] = (message_id, signal)
            self._send(channel, message, exchange, routing_key, mandatory)
        return signal

    def reply(self, routing_key: str, body: bytes, correlation_id: str | None) -> None:
        """Sends an answer without confirm: its caller has a timeout. Raises BrokerAway."""
        message = amqp.Message(
            body, content_type="application/json", content_encoding="utf-8", correlation_id=correlation_id, delivery_mode=1
        )
        with self._write:
            if self._plain is None:
                raise BrokerAway()
            self._send(self._plain, message, RPC_EXCHANGE, routing_key, mandatory=False)

    def _send(self, channel: Any, message: Any, exchange: str, routing_key: str, mandatory: bool) -> None:
        try:
            # not basic_publish: it reads from the socket first, where another green thread is reading already
            channel.send_method(amqp.spec.Basic.Publish, "Bssbb", (0, exchange, routing_key, mandatory, False), message)
        except BROKER_ERRORS as error:
            self._break()
            raise BrokerAway() from error

    def _break(self) -> None:
        """A frame may be half written: nothing more may follow on this connection. The reader then connects again."""
        self._plain = self._confirmed = None
        with contextlib.suppress(OSError, AttributeError):
            self._connection.transport.sock.shutdown(socket.SHUT_RDWR)

    def request(self, routing_key: str, message: bytes, headers: dict[str, Any], timeout: float) -> dict[str, Any]:
        """One RPC: nameko's answer, a dict of `result` and `error`. Raises BrokerAway, Unroutable, Refused or NoAnswer."""
        ends = time.monotonic() + timeout
        correlation_id = uuid.uuid4().hex
        answer = self._pending[correlation_id] = Signal()
        try:
            receipt = self.publish(
                RPC_EXCHANGE,
                routing_key,
                b'{"args": [' + message + b'], "kwargs": {}}',
                correlation_id=correlation_id,
                reply_to=self.reply_to,
                expiration=str(int(timeout * 1000)),
                delivery_mode=1,
                application_headers=headers,
            )
            if receipt.wait(timeout) is None:
                raise NoAnswer()
            body = answer.wait(max(0.001, ends - time.monotonic()))
            if body is None:
                raise NoAnswer()
            found: dict[str, Any] = json.loads(body)
            return found
        finally:
            self._pending.pop(correlation_id, None)

    # --- what the reader hears

    def _on_answer(self, message: Any) -> None:
        signal = self._pending.pop(message.properties.get("correlation_id"), None)
        if signal is not None:
            signal.send(message.body)

    def _on_return(self, error: Exception, exchange: str, routing_key: str, message: Any) -> None:
        self._returned.add(message.properties["message_id"])  # the broker's ack follows at once

    def _on_ack(self, tag: int, multiple: bool) -> None:
        for message_id, signal in self._settled(tag, multiple):
            if message_id in self._returned:
                self._returned.discard(message_id)
                signal.send_exception(Unroutable())
            else:
                signal.send(True)

    def _on_nack(self, tag: int, multiple: bool, *rest: Any) -> None:
        for _, signal in self._settled(tag, multiple):
            signal.send_exception(Refused())

    def _settled(self, tag: int, multiple: bool) -> list[tuple[str, Signal]]:
        tags = [known for known in self._unconfirmed if known <= tag] if multiple else [tag]
        return [self._unconfirmed.pop(known) for known in tags if known in self._unconfirmed]
