"""The x-arguments of a queue, parsed once when it is declared."""

from dataclasses import dataclass
from typing import Any, Final

from embedded.broker.refusals import ChannelRefusal, precondition_failed

# A queue without limits of its own must not eat the machine; beyond this it refuses, as with `reject-publish`.
MOST_MESSAGES: Final = 100_000
MOST_BYTES: Final = 256 * 1024 * 1024

# RabbitMQ 4 gives up after this many returns where the queue does not say.
QUORUM_DELIVERY_LIMIT: Final = 20

_OVERFLOWS = ("drop-head", "reject-publish", "reject-publish-dlx")
_NUMBERS = {
    "x-message-ttl": 0,
    "x-expires": 1,
    "x-max-length": 0,
    "x-max-length-bytes": 0,
    "x-delivery-limit": -1,
}
_TEXTS = ("x-dead-letter-exchange", "x-dead-letter-routing-key", "x-overflow", "x-queue-type")


@dataclass(frozen=True, slots=True)
class QueuePolicy:
    """Times are seconds."""

    lifetime: float | None = None
    expires: float | None = None
    max_length: int | None = None
    max_bytes: int | None = None
    overflow: str = "drop-head"
    dead_letter_exchange: str | None = None
    dead_letter_routing_key: str | None = None
    quorum: bool = False
    delivery_limit: int | None = None
    single_active_consumer: bool = False


def parse_policy(queue: str, arguments: dict[str, Any]) -> QueuePolicy:
    """Raises ChannelRefusal for values that RabbitMQ refuses; unknown arguments are ignored, as there."""
    for name, least in _NUMBERS.items():
        value = arguments.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
            raise _invalid(name, queue, value)
    for name in _TEXTS:
        text = arguments.get(name, "")
        if not isinstance(text, str) or len(text.encode()) > 255:
            raise _invalid(name, queue, text)
    overflow = arguments.get("x-overflow", "drop-head")
    if overflow not in _OVERFLOWS:
        raise _invalid("x-overflow", queue, overflow)
    kind = arguments.get("x-queue-type", "classic")
    if kind not in ("classic", "quorum"):
        raise _invalid("x-queue-type", queue, kind)
    if "x-dead-letter-routing-key" in arguments and "x-dead-letter-exchange" not in arguments:
        raise _invalid("x-dead-letter-routing-key", queue, "no dead-letter exchange")
    return QueuePolicy(
        lifetime=_seconds(arguments.get("x-message-ttl")),
        expires=_seconds(arguments.get("x-expires")),
        max_length=arguments.get("x-max-length"),
        max_bytes=arguments.get("x-max-length-bytes"),
        overflow=overflow,
        dead_letter_exchange=arguments.get("x-dead-letter-exchange"),
        dead_letter_routing_key=arguments.get("x-dead-letter-routing-key"),
        quorum=kind == "quorum",
        delivery_limit=_delivery_limit(arguments) if kind == "quorum" else None,
        single_active_consumer=bool(arguments.get("x-single-active-consumer", False)),
    )


def _delivery_limit(arguments: dict[str, Any]) -> int | None:
    limit = arguments.get("x-delivery-limit", QUORUM_DELIVERY_LIMIT)
    return None if limit < 0 else int(limit)


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _invalid(argument: str, queue: str, value: object) -> ChannelRefusal:
    return precondition_failed(f"invalid arg '{argument}' for queue '{queue}' in vhost '/': {value!r:.60}")
