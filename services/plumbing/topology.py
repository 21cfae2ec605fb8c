"""Exchanges, queues and limits, declared before anybody publishes.

`python -m services.plumbing.topology` declares everything once per deploy, as a broker user that may. Where services may declare
for themselves (`QUDAO_DECLARE_TOPOLOGY`, the default), each does so again after every connect, which mends an emptied broker.
"""

from typing import Any, Protocol

from services.contracts.base import SERVICES
from services.contracts.subscriptions import SUBSCRIPTIONS

RPC_EXCHANGE = "nameko-rpc"
DEAD_LETTERS = "dead-letters"

# A request that is older than its caller's patience is dropped by its own expiration, so the limit only stops a flood.
RPC_QUEUE_ARGUMENTS: dict[str, Any] = {"x-max-length": 5_000, "x-overflow": "reject-publish"}

# Five deliveries without an answer mean that the event kills its consumer. A full queue refuses, and the outbox keeps.
EVENT_QUEUE_ARGUMENTS: dict[str, Any] = {
    "x-queue-type": "quorum",
    "x-delivery-limit": 5,
    "x-max-length": 200_000,
    "x-overflow": "reject-publish",
    "x-dead-letter-exchange": DEAD_LETTERS,
}
DEAD_LETTER_ARGUMENTS: dict[str, Any] = {"x-queue-type": "quorum", "x-max-length": 100_000}


class Channel(Protocol):
    """What we need of py-amqp's channel."""

    def exchange_declare(self, exchange: str, type: str, **options: Any) -> Any: ...
    def queue_declare(self, queue: str, **options: Any) -> Any: ...
    def queue_bind(self, queue: str, exchange: str, routing_key: str) -> Any: ...


def event_exchange(producer: str) -> str:
    return f"{producer}.events"


def event_queue(consumer: str) -> str:
    return f"events-{consumer}"


def declare(channel: Channel) -> None:
    """Everything, idempotently. Raises an AMQP error when something stands there with other arguments."""
    for name in (RPC_EXCHANGE, DEAD_LETTERS, *(event_exchange(service) for service in SERVICES)):
        channel.exchange_declare(name, "topic", durable=True, auto_delete=False)
    channel.queue_declare(DEAD_LETTERS, durable=True, auto_delete=False, arguments=DEAD_LETTER_ARGUMENTS)
    channel.queue_bind(DEAD_LETTERS, DEAD_LETTERS, "#")
    for service in SERVICES:
        declare_rpc_queue(channel, service)
    for consumer, events in SUBSCRIPTIONS.items():
        channel.queue_declare(event_queue(consumer), durable=True, auto_delete=False, arguments=EVENT_QUEUE_ARGUMENTS)
        for event in events:
            channel.queue_bind(event_queue(consumer), event_exchange(event.event_source), event.event_name)


def declare_rpc_queue(channel: Channel, service: str) -> None:
    queue = f"rpc-{service}"
    channel.queue_declare(queue, durable=True, auto_delete=False, arguments=RPC_QUEUE_ARGUMENTS)
    channel.queue_bind(queue, RPC_EXCHANGE, f"{service}.*")


def main() -> None:
    import amqp  # the one step that speaks AMQP without a service around it

    from services.plumbing.bus import address
    from services.plumbing.settings import SettingMissing, read

    uri = read("QUDAO_AMQP_URI")
    if not uri:
        raise SettingMissing("QUDAO_AMQP_URI is needed.")
    with amqp.Connection(**address(uri), confirm_publish=False) as connection:
        declare(connection.channel())
    print("topology declared", flush=True)


if __name__ == "__main__":
    main()
