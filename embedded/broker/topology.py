"""Declaring, binding and deleting: what a client may do to exchanges and queues."""

import uuid
from typing import Any

from pamqp import commands

from embedded.broker.broker import DEFAULT_EXCHANGE, Broker
from embedded.broker.policy import parse_policy
from embedded.broker.queues import Queue
from embedded.broker.refusals import access_refused, command_invalid, precondition_failed, resource_locked
from embedded.broker.routing import KINDS, Binding, Exchange

_RESERVED = "amq."


def declare_exchange(broker: Broker, wanted: commands.Exchange.Declare) -> None:
    if wanted.passive:
        broker.exchange(wanted.exchange)
        return
    if wanted.exchange_type not in KINDS:
        raise command_invalid(f"unknown exchange type '{wanted.exchange_type}'")
    if wanted.exchange == DEFAULT_EXCHANGE:
        raise access_refused("operation not permitted on the default exchange")
    existing = broker.exchanges.get(wanted.exchange)
    if existing is None:
        _refuse_reserved("exchange", wanted.exchange)
        broker.exchanges[wanted.exchange] = Exchange(
            wanted.exchange, wanted.exchange_type, wanted.durable, wanted.auto_delete, wanted.internal
        )
        return
    for argument, is_now, asked in (
        ("type", existing.kind, wanted.exchange_type),
        ("durable", existing.durable, wanted.durable),
        ("auto_delete", existing.auto_delete, wanted.auto_delete),
        ("internal", existing.internal, wanted.internal),
    ):
        _refuse_difference("exchange", wanted.exchange, argument, is_now, asked)


def delete_exchange(broker: Broker, wanted: commands.Exchange.Delete) -> None:
    if wanted.exchange == DEFAULT_EXCHANGE:
        raise access_refused("operation not permitted on the default exchange")
    _refuse_reserved("exchange", wanted.exchange)
    exchange = broker.exchanges.get(wanted.exchange)
    if exchange is None:
        return
    if wanted.if_unused and exchange.bindings:
        raise precondition_failed(f"exchange '{wanted.exchange}' in vhost '/' in use")
    broker.delete_exchange(exchange)


def declare_queue(broker: Broker, wanted: commands.Queue.Declare, connection: object) -> Queue:
    """The queue of that name, made if need be; without a name, a new one."""
    if wanted.passive or wanted.queue in broker.queues:
        queue = usable_queue(broker, wanted.queue, connection)
        if not wanted.passive:
            _refuse_another(queue, wanted)
        queue.touch()
        return queue
    _refuse_reserved("queue", wanted.queue)
    queue = _new_queue(broker, wanted)
    queue.owner = connection if wanted.exclusive else None
    broker.queues[queue.name] = queue
    return queue


def usable_queue(broker: Broker, name: str, connection: object) -> Queue:
    """Raises ChannelRefusal when it does not exist or belongs to another connection alone."""
    queue = broker.queue(name)
    if queue.owner not in (None, connection):
        raise resource_locked(name)
    return queue


def bind(broker: Broker, queue: Queue, exchange: str, key: str, arguments: dict[str, Any]) -> None:
    if exchange == DEFAULT_EXCHANGE:
        raise access_refused("operation not permitted on the default exchange")
    broker.exchange(exchange).bind(Binding(queue, key, arguments))


def unbind(broker: Broker, queue: Queue, exchange: str, key: str, arguments: dict[str, Any]) -> None:
    bound_to = broker.exchanges.get(exchange)
    if bound_to and bound_to.unbind(Binding(queue, key, arguments)):
        broker.exchange_lost_binding(bound_to)


def _new_queue(broker: Broker, wanted: commands.Queue.Declare) -> Queue:
    name = wanted.queue or f"amq.gen-{uuid.uuid4().hex}"
    arguments = wanted.arguments or {}
    policy = parse_policy(name, arguments)
    if policy.quorum and (wanted.exclusive or wanted.auto_delete or not wanted.durable):
        raise precondition_failed(f"a quorum queue is durable, not exclusive, not auto-delete: '{name}'")
    queue = Queue(name, policy, broker)
    queue.durable, queue.auto_delete, queue.arguments = wanted.durable, wanted.auto_delete, arguments
    return queue


def _refuse_another(queue: Queue, wanted: commands.Queue.Declare) -> None:
    for argument, is_now, asked in (
        ("durable", queue.durable, wanted.durable),
        ("auto_delete", queue.auto_delete, wanted.auto_delete),
        ("exclusive", queue.owner is not None, wanted.exclusive),
    ):
        _refuse_difference("queue", queue.name, argument, is_now, asked)
    asked_policy = parse_policy(queue.name, wanted.arguments or {})
    if asked_policy != queue.policy:
        _refuse_difference("queue", queue.name, "x-arguments", queue.arguments, wanted.arguments)


def _refuse_difference(kind: str, name: str, argument: str, is_now: object, asked: object) -> None:
    if is_now != asked:
        raise precondition_failed(
            f"inequivalent arg '{argument}' for {kind} '{name}' in vhost '/': received {asked} but current is {is_now}"
        )


def _refuse_reserved(kind: str, name: str) -> None:
    if name.startswith(_RESERVED):
        raise access_refused(f"{kind} name '{name}' contains reserved prefix 'amq.*'")
