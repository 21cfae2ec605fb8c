"""Bytes to frames and back.

pamqp does it for nearly everything. Packed by hand are basic.publish and basic.deliver, because every message has one
of each, and what repeats a name: pamqp refuses to write names that RabbitMQ allows.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from pamqp import base, commands, frame
from pamqp.exceptions import UnmarshalingException

from embedded.broker.messages import Message, short_string
from embedded.broker.refusals import frame_error, syntax_error

METHOD: Final = 1
HEADER: Final = 2
BODY: Final = 3
HEARTBEAT: Final = 8

FRAME_MIN: Final = 4096
FRAME_MAX: Final = 131_072
OVERHEAD: Final = 8
PROTOCOL_HEADER: Final = b"AMQP\x00\x00\x09\x01"
HEARTBEAT_FRAME: Final = b"\x08\x00\x00\x00\x00\x00\x00\xce"
PUBLISH: Final = b"\x00\x3c\x00\x28"

_DELIVER = b"\x00\x3c\x00\x3c"
_RETURN = b"\x00\x3c\x00\x32"
_GET_OK = b"\x00\x3c\x00\x47"
_QUEUE_DECLARE_OK = b"\x00\x32\x00\x0b"
_NO_ROUTE = 312
_PREFIX = struct.Struct(">BHI")
_COUNT_16 = struct.Struct(">H")
_COUNT_32 = struct.Struct(">I")
_TAG = struct.Struct(">Q?")
_END = 0xCE
_END_BYTE = b"\xce"


class RawFrame(NamedTuple):
    kind: int
    channel: int
    payload: bytes


class Publish(NamedTuple):
    exchange: str
    routing_key: str
    mandatory: bool


class FrameReader:
    """Cuts what arrives into frames; at most one unfinished frame is held."""

    def __init__(self) -> None:
        self.frame_max = FRAME_MAX
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[RawFrame]:
        """Raises ConnectionRefusal at the first frame that is none."""
        data = self._rest + data if self._rest else data
        self._rest = b""
        position, available = 0, len(data)
        while available - position >= OVERHEAD:
            kind, channel, size = _PREFIX.unpack_from(data, position)
            if size > self.frame_max - OVERHEAD:
                raise frame_error(f"frame of {size} octets is larger than the maximum of {self.frame_max}")
            end = position + 7 + size
            if end >= available:
                break
            if data[end] != _END:
                raise frame_error(f"type {kind}, channel {channel}: invalid frame end marker {data[end]}")
            yield RawFrame(kind, channel, data[position + 7 : end])
            position = end + 1
        self._rest = data[position:]


def read_method(payload: bytes) -> base.Frame:
    """Raises ConnectionRefusal for what is no method of AMQP 0-9-1."""
    index = int.from_bytes(payload[:4], "big")
    if len(payload) < 4 or index not in commands.INDEX_MAPPING:
        raise syntax_error(f"unknown method {payload[:4].hex()}")
    try:
        method: base.Frame = commands.INDEX_MAPPING[index]()
        method.unmarshal(payload[4:])
    except (UnmarshalingException, ValueError, LookupError, TypeError, RecursionError, OverflowError) as problem:
        raise syntax_error(f"cannot read the arguments of {payload[:4].hex()}") from problem
    return method


def read_publish(payload: bytes) -> Publish:
    """`payload` starts with PUBLISH; two octets of a reserved ticket follow."""
    try:
        exchange_end = 7 + payload[6]
        key_end = exchange_end + 1 + payload[exchange_end]
        return Publish(
            payload[7:exchange_end].decode(),
            payload[exchange_end + 1 : key_end].decode(),
            bool(payload[key_end] & 1),
        )
    except (IndexError, UnicodeDecodeError) as problem:
        raise syntax_error("cannot read the arguments of basic.publish") from problem


def method_frame(channel: int, method: base.Frame) -> bytes:
    return frame.marshal(method, channel)


def deliver_frames(channel: int, tag: bytes, delivery_tag: int, redelivered: bool, message: Message, limit: int) -> bytes:
    """basic.deliver with its content; `tag` is the consumer's as a short string, `limit` the frame_max agreed on."""
    method = _DELIVER + tag + _TAG.pack(delivery_tag, redelivered) + message.address
    return b"".join((_wrap(METHOD, channel, method), *_content(channel, message, limit)))


def return_frames(channel: int, message: Message, limit: int) -> bytes:
    method = _RETURN + _COUNT_16.pack(_NO_ROUTE) + short_string("NO_ROUTE") + message.address
    return b"".join((_wrap(METHOD, channel, method), *_content(channel, message, limit)))


def get_frames(channel: int, delivery_tag: int, redelivered: bool, message: Message, left: int, limit: int) -> bytes:
    method = _GET_OK + _TAG.pack(delivery_tag, redelivered) + message.address + _COUNT_32.pack(left)
    return b"".join((_wrap(METHOD, channel, method), *_content(channel, message, limit)))


def declared_frame(channel: int, queue: str, messages: int, consumers: int) -> bytes:
    method = _QUEUE_DECLARE_OK + short_string(queue) + _COUNT_32.pack(messages) + _COUNT_32.pack(consumers)
    return _wrap(METHOD, channel, method)


def _content(channel: int, message: Message, limit: int) -> Iterator[bytes]:
    yield _wrap(HEADER, channel, message.header)
    size = limit - OVERHEAD
    for start in range(0, len(message.body), size):
        yield _wrap(BODY, channel, message.body[start : start + size])


def _wrap(kind: int, channel: int, payload: bytes) -> bytes:
    return _PREFIX.pack(kind, channel, len(payload)) + payload + _END_BYTE
