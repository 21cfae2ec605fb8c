"""More requests than anybody answers."""

import json
import time
import uuid

import amqp
import pytest

from services.contracts.customers import ENTER_CUSTOMER, EnterCustomer, ShowCustomer
from services.contracts.errors import NotFound, ServiceUnavailable
from services.plumbing.topology import RPC_QUEUE_ARGUMENTS
from tests.faults.probe_contract import ASK
from tests.faults.world import World, eventually, unique

ROOM = RPC_QUEUE_ARGUMENTS["x-max-length"]


def fill(world: World, queue: str, milliseconds: int) -> None:
    """Requests whose callers have this much patience, until no more are taken."""
    body = json.dumps({"args": [{}], "kwargs": {}})
    message = amqp.Message(body, content_type="application/json", expiration=str(milliseconds), delivery_mode=1)
    with world.channel() as channel:
        for _ in range(ROOM + 10):
            channel.basic_publish(message, "", queue)
        eventually(lambda: channel.queue_declare(queue, passive=True).message_count >= ROOM)


def test_a_full_queue_refuses_at_once_and_is_emptied_by_time(world: World) -> None:
    name, waited = unique("crowded"), unique("waited")

    with world.down("customers"):
        fill(world, "rpc-customers", 4_000)
        began = time.monotonic()
        with pytest.raises(ServiceUnavailable):
            world.enter(name)
        with pytest.raises(ServiceUnavailable):
            world.call(ASK, ShowCustomer(customer_id=uuid.uuid4()))
        assert time.monotonic() - began < 4, "the callers should not have had to wait"
        eventually(lambda: world.depth("rpc-customers") == 0)
        pending = world.begin(ENTER_CUSTOMER, EnterCustomer(name=waited))

    assert pending.result().outcome == "created"
    assert world.customers(name) == 0
    with pytest.raises(NotFound):
        world.call(ASK, ShowCustomer(customer_id=uuid.uuid4()))
