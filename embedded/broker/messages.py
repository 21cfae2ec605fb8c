"""What is published, and one copy of it waiting in one queue.

A message is shared by all queues it was routed to and never changes; its properties stay the bytes they arrived as.
What differs between queues (redelivered, expiry, number of returns) is kept in the entry.
"""

import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pamqp import header
from pamqp.commands import Basic

from embedded.broker.refusals import precondition_failed, syntax_error, unexpected_frame

Headers = dict[str, Any]
CONTENT_CLASS_BASIC = 60


class Message(NamedTuple):
    exchange: str
    routing_key: str
    header: bytes
    body: bytes
    address: bytes  # exchange and routing key as every delivery repeats them
    lifetime: float | None  # seconds

    @property
    def size(self) -> int:
        return len(self.header) + len(self.body)

    def headers(self) -> Headers:
        """A fresh copy on every call: nobody can change those of another queue."""
        return dict(read_content_header(self.header).properties.headers or {})


@dataclass(slots=True, eq=False)
class Entry:
    message: Message
    position: int
    expires_at: float | None = None
    redelivered: bool = False
    returns: int = 0


def compose(exchange: str, routing_key: str, content_header: bytes, body: bytes, lifetime: float | None) -> Message:
    address = short_string(exchange) + short_string(routing_key)
    return Message(exchange, routing_key, content_header, body, address, lifetime)


def with_headers(message: Message, headers: Headers) -> Message:
    """The same message with other headers."""
    properties = read_content_header(message.header).properties
    properties.headers = headers
    return message._replace(header=_write_content_header(message, properties))


def buried(message: Message, queue: str, reason: str, exchange: str, routing_key: str | None) -> Message:
    """The message as it goes to the dead-letter exchange: its deaths are counted in `x-death`, it no longer expires."""
    properties = read_content_header(message.header).properties
    headers: Headers = dict(properties.headers or {})
    deaths = _deaths(headers)
    death = next((past for past in deaths if past.get("queue") == queue and past.get("reason") == reason), None)
    if death is None:
        death = {
            "queue": queue,
            "reason": reason,
            "count": 0,
            "exchange": message.exchange,
            "routing-keys": [message.routing_key],
            "time": datetime.now(UTC),
        }
        if properties.expiration:
            death["original-expiration"] = properties.expiration
    else:
        deaths.remove(death)
    death["count"] += 1
    headers["x-death"] = [death, *deaths]
    for what, value in (("exchange", message.exchange), ("queue", queue), ("reason", reason)):
        headers.setdefault(f"x-first-death-{what}", value)
    properties.headers, properties.expiration = headers, None
    key = message.routing_key if routing_key is None else routing_key
    return compose(exchange, key, _write_content_header(message, properties), message.body, lifetime=None)


def goes_in_circles(message: Message, queue: str) -> bool:
    """Whether it came through this queue before with nobody having rejected it on the way: it would go round for ever."""
    for death in _deaths(message.headers()):
        if death.get("reason") == "rejected":
            return False
        if death.get("queue") == queue:
            return True
    return False


def read_content_header(payload: bytes) -> header.ContentHeader:
    content = header.ContentHeader()
    try:
        content.unmarshal(payload)
    except (ValueError, LookupError, TypeError, RecursionError, OverflowError, struct.error) as problem:
        raise syntax_error("cannot read the properties of a message") from problem
    if content.class_id != CONTENT_CLASS_BASIC:
        raise unexpected_frame(f"content header of class {content.class_id}, expected {CONTENT_CLASS_BASIC}")
    return content


def lifetime_of(properties: Basic.Properties) -> float | None:
    """Seconds from the property `expiration`, which is milliseconds written as text."""
    expiration = properties.expiration
    if not expiration:
        return None
    if not (expiration.isascii() and expiration.isdigit()) or int(expiration) >= 2**32:
        raise precondition_failed(f"invalid expiration '{expiration[:32]}'")
    return int(expiration) / 1000


def _deaths(headers: Headers) -> list[Headers]:
    """What the header says, if it looks like one of ours: a publisher may have written anything into it."""
    deaths = headers.get("x-death")
    if not isinstance(deaths, list):
        return []
    return [death for death in deaths if isinstance(death, dict) and isinstance(death.get("count"), int)]


def short_string(text: str) -> bytes:
    encoded = text.encode()
    return bytes((len(encoded),)) + encoded


def _write_content_header(message: Message, properties: Basic.Properties) -> bytes:
    return header.ContentHeader(0, len(message.body), properties).marshal()
