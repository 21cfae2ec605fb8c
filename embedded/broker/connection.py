"""One client: greeting, login, heartbeats, and its channels."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from pamqp import base, commands
from pamqp.common import FieldTable

from embedded.broker import frames
from embedded.broker.broker import Broker
from embedded.broker.channel import Channel
from embedded.broker.frames import RawFrame
from embedded.broker.login import MECHANISMS, Credentials
from embedded.broker.refusals import (
    ChannelRefusal,
    ConnectionRefusal,
    Refusal,
    channel_error,
    command_invalid,
    frame_error,
    not_allowed,
)

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS: Final = 60
CHANNEL_MAX: Final = 2047
HANDSHAKE_SECONDS: Final = 10.0
FAREWELL_SECONDS: Final = 2.0

# Deliveries stop while this much is unsent; a client that never reads the answers it asks for is cut off at the other.
_UNSENT_PAUSE: Final = 256 * 1024
_UNSENT_MAX: Final = 64 * 1024 * 1024

_CAPABILITIES: Final[FieldTable] = {
    "authentication_failure_close": True,
    "basic.nack": True,
    "connection.blocked": False,
    "consumer_cancel_notify": True,
    "exchange_exchange_bindings": False,
    "per_consumer_qos": True,
    "publisher_confirms": True,
}
_SERVER_PROPERTIES: Final[FieldTable] = {"product": "embedded broker", "version": "1", "capabilities": _CAPABILITIES}

_CONNECTION_CLASS: Final = 10


class Connection(asyncio.Protocol):
    def __init__(self, broker: Broker, credentials: Credentials, arrived: "Notice", left: "Notice") -> None:
        self.broker = broker
        self.user = credentials.user
        self.frame_max = frames.FRAME_MAX
        self.wants_cancel_notify = False
        self._credentials = credentials
        self._arrived = arrived
        self._left = left
        self._loop = asyncio.get_running_loop()
        self._reader = frames.FrameReader()
        self._greeting = b""
        self._expected: set[type[base.Frame]] = {commands.Connection.StartOk}
        self._is_open = False
        self._is_closing = False
        self._channels: dict[int, Channel] = {}
        self._closing_channels: set[int] = set()
        self._channel_max = CHANNEL_MAX
        self._outgoing: list[bytes] = []
        self._unsent = 0
        self._is_paused = False
        self._was_full = False
        self._last_heard = 0.0
        self._heartbeat = 0
        self._timer: asyncio.TimerHandle | None = None

    # Called by asyncio.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._arrived(self)
        self._timer = self._loop.call_later(HANDSHAKE_SECONDS, transport.abort)

    def connection_lost(self, error: Exception | None) -> None:
        self._left(self)
        self._is_closing = True
        self._stop_timer()
        self._release()

    def pause_writing(self) -> None:
        self._is_paused = True
        self._was_full = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._wake_consumers()

    def data_received(self, data: bytes) -> None:
        """Nothing a client sends may end more than its own connection."""
        self._last_heard = self._loop.time()
        try:
            for frame in self._reader.feed(self._after_greeting(data)):
                try:
                    self._frame(frame)
                except ChannelRefusal as refusal:
                    self._refuse_channel(frame.channel, refusal)
                except ConnectionRefusal as refusal:
                    self._refuse_connection(refusal)
        except ConnectionRefusal as refusal:  # the bytes are no frames: what follows cannot be read either
            self._refuse_connection(refusal)
        except Exception:
            log.exception("a connection is closed after a fault of the broker")
            self._refuse_connection(ConnectionRefusal(541, "INTERNAL_ERROR"))

    # What channels need.

    def can_write(self) -> bool:
        if self._unsent >= _UNSENT_PAUSE:
            self._was_full = True
        return not self._was_full and not self._is_closing

    def write(self, data: bytes) -> None:
        """Sent when this round of the event loop is over: many small writes become one."""
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(data)
        self._unsent += len(data)

    def shut_down(self) -> None:
        self._refuse_connection(ConnectionRefusal(320, "CONNECTION_FORCED - broker is shutting down"))

    def abort(self) -> None:
        self._transport.abort()

    # Writing.

    def _flush(self) -> None:
        outgoing, self._outgoing, self._unsent = b"".join(self._outgoing), [], 0
        if self._transport.is_closing():
            return
        self._transport.write(outgoing)
        if self._transport.get_write_buffer_size() > _UNSENT_MAX:
            log.warning("a client does not read what it asked for: cut off")
            self._transport.abort()
        elif not self._is_paused:
            self._wake_consumers()

    def _wake_consumers(self) -> None:
        if self._was_full:
            self._was_full = False
            for channel in list(self._channels.values()):
                channel.kick()

    def _send(self, channel: int, method: base.Frame) -> None:
        self.write(frames.method_frame(channel, method))

    # Reading.

    def _after_greeting(self, data: bytes) -> bytes:
        """A client says first which protocol it speaks; one that speaks another is told ours."""
        wanted = len(frames.PROTOCOL_HEADER)
        if len(self._greeting) == wanted or self._is_closing:
            return data
        missing = wanted - len(self._greeting)
        self._greeting += data[:missing]
        if not frames.PROTOCOL_HEADER.startswith(self._greeting):
            self._is_closing = True
            self.write(frames.PROTOCOL_HEADER)
            self._loop.call_soon(self._transport.close)
        elif len(self._greeting) == wanted:
            self._send(0, commands.Connection.Start(0, 9, dict(_SERVER_PROPERTIES), MECHANISMS, "en_US"))
        return b"" if self._is_closing else data[missing:]

    def _frame(self, frame: RawFrame) -> None:
        if frame.kind == frames.HEARTBEAT:
            if frame.channel or frame.payload:
                raise frame_error("a heartbeat has no channel and no content")
        elif frame.kind not in (frames.METHOD, frames.HEADER, frames.BODY):
            raise frame_error(f"unknown frame type {frame.kind}")
        elif self._is_closing or frame.channel == 0:
            self._connection_frame(frame)
        elif not self._is_open:
            raise command_invalid("the connection is not open yet")
        elif frame.channel in self._channels:
            self._channel_frame(self._channels[frame.channel], frame)
        elif frame.channel in self._closing_channels:
            self._closing_channel_frame(frame)
        else:
            self._open_channel(frame)

    def _connection_frame(self, frame: RawFrame) -> None:
        if self._is_closing and (frame.channel or frame.kind != frames.METHOD):
            return
        if frame.kind != frames.METHOD:
            raise command_invalid("content on channel 0")
        method = frames.read_method(frame.payload)
        handler = _HANDLERS.get(type(method))
        if isinstance(method, commands.Connection.Close | commands.Connection.CloseOk):
            self._goodbye(method)
        elif self._is_closing:
            return
        elif handler is None or type(method) not in self._expected:
            raise command_invalid(f"{method.name} is not expected now")
        else:
            handler(self, method)

    def _channel_frame(self, channel: Channel, frame: RawFrame) -> None:
        if frame.kind == frames.HEADER:
            channel.content_header(frame.payload)
        elif frame.kind == frames.BODY:
            channel.content_body(frame.payload)
        elif frame.payload.startswith(frames.PUBLISH):
            channel.publish(frames.read_publish(frame.payload))
        else:
            self._channel_method(channel, frames.read_method(frame.payload))

    def _channel_method(self, channel: Channel, method: base.Frame) -> None:
        if isinstance(method, commands.Channel.Close):
            del self._channels[channel.number]
            channel.close()
            self._send(channel.number, commands.Channel.CloseOk())
        elif isinstance(method, commands.Channel.Open):
            raise channel_error("second 'channel.open' seen")
        elif isinstance(method, commands.Channel.Flow) and method.active:
            self._send(channel.number, commands.Channel.FlowOk(True))
        elif method.index >> 16 == _CONNECTION_CLASS:
            raise command_invalid(f"{method.name} on channel {channel.number}")
        else:
            channel.method(method)

    def _open_channel(self, frame: RawFrame) -> None:
        method = frames.read_method(frame.payload) if frame.kind == frames.METHOD else None
        if isinstance(method, commands.Channel.CloseOk):
            return
        if not isinstance(method, commands.Channel.Open):
            raise channel_error(f"expected 'channel.open' on channel {frame.channel}")
        if frame.channel > self._channel_max:
            raise not_allowed(f"channel {frame.channel} is above the maximum of {self._channel_max}")
        self._channels[frame.channel] = Channel(frame.channel, self)
        self._send(frame.channel, commands.Channel.OpenOk())

    def _closing_channel_frame(self, frame: RawFrame) -> None:
        """What was on its way when we closed the channel is dropped, until the client has seen it."""
        method = frames.read_method(frame.payload) if frame.kind == frames.METHOD else None
        if isinstance(method, commands.Channel.CloseOk):
            self._closing_channels.discard(frame.channel)
        elif isinstance(method, commands.Channel.Close):
            self._send(frame.channel, commands.Channel.CloseOk())

    # Greeting and login.

    def _on_start_ok(self, method: commands.Connection.StartOk) -> None:
        capabilities: Any = (method.client_properties or {}).get("capabilities")
        if not isinstance(capabilities, dict):
            capabilities = {}
        self.wants_cancel_notify = bool(capabilities.get("consumer_cancel_notify"))
        if not self._credentials.admits(method.mechanism, method.response):
            if capabilities.get("authentication_failure_close"):
                raise ConnectionRefusal(403, f"ACCESS_REFUSED - Login was refused using {method.mechanism[:32]}")
            self._transport.close()  # older clients understand only this
            self._is_closing = True
            return
        self._expected = {commands.Connection.TuneOk}
        self._send(0, commands.Connection.Tune(CHANNEL_MAX, frames.FRAME_MAX, HEARTBEAT_SECONDS))

    def _on_tune_ok(self, method: commands.Connection.TuneOk) -> None:
        _refuse_outside("frame_max", method.frame_max, frames.FRAME_MIN, frames.FRAME_MAX)
        _refuse_outside("channel_max", method.channel_max, 1, CHANNEL_MAX)
        self.frame_max = self._reader.frame_max = method.frame_max
        self._channel_max = method.channel_max
        self._expected = {commands.Connection.Open}
        self._heartbeat = method.heartbeat

    def _on_open(self, method: commands.Connection.Open) -> None:
        if method.virtual_host != "/":
            raise not_allowed(f"vhost {method.virtual_host} not found")
        self._stop_timer()
        if self._heartbeat:
            self._timer = self._loop.call_later(self._heartbeat / 2, self._beat, self._heartbeat)
        self._is_open = True
        self._expected = set()
        self._send(0, commands.Connection.OpenOk())

    def _beat(self, interval: int) -> None:
        """Twice per interval something goes out; a peer silent for two intervals is gone."""
        if self._loop.time() - self._last_heard > 2 * interval:
            log.info("a client missed its heartbeats of %d s", interval)
            self._transport.abort()
            return
        self.write(frames.HEARTBEAT_FRAME)
        self._timer = self._loop.call_later(interval / 2, self._beat, interval)

    # Closing.

    def _goodbye(self, method: base.Frame) -> None:
        if isinstance(method, commands.Connection.Close):
            self._release()
            self._send(0, commands.Connection.CloseOk())
        self._is_closing = True
        self._loop.call_soon(self._transport.close)  # after the answer is written

    def _refuse_channel(self, number: int, refusal: Refusal) -> None:
        self._send(number, commands.Channel.Close(refusal.code, _short(refusal.text), 0, 0))
        channel = self._channels.pop(number, None)
        if channel:
            self._closing_channels.add(number)
            channel.close()

    def _refuse_connection(self, refusal: Refusal) -> None:
        """What follows is not read as commands any more; a client that does not say goodbye is left."""
        if self._is_closing:
            return
        self._is_closing = True
        self._send(0, commands.Connection.Close(refusal.code, _short(refusal.text), 0, 0))
        self._release()
        self._stop_timer()
        self._timer = self._loop.call_later(FAREWELL_SECONDS, self._transport.abort)

    def _release(self) -> None:
        channels, self._channels = list(self._channels.values()), {}
        for channel in channels:
            channel.close()
        for queue in [queue for queue in self.broker.queues.values() if queue.owner is self]:
            self.broker.delete_queue(queue)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None


Notice = Callable[[Connection], None]


def _refuse_outside(what: str, value: int, least: int, most: int) -> None:
    """0 means "no limit" in AMQP, which is more than RabbitMQ allows, too."""
    if not least <= value <= most:
        raise not_allowed(f"negotiated {what} = {value} is not within {least} and {most}")


def _short(text: str) -> str:
    """AMQP allows 255 octets for a reply text."""
    return text.encode()[:250].decode(errors="ignore")


_HANDLERS: dict[type[base.Frame], Callable[[Connection, Any], None]] = {
    commands.Connection.StartOk: Connection._on_start_ok,
    commands.Connection.TuneOk: Connection._on_tune_ok,
    commands.Connection.Open: Connection._on_open,
}
