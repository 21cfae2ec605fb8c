"""What the gateway's RPC client makes of a connection that ends in the middle."""

import asyncio
from typing import Any

import pytest

from gateway.rpc import RpcClient
from services.contracts.base import Nothing, Operation
from services.contracts.errors import DeadlinePassed, ServiceUnavailable


class Ending:
    """A channel whose connection ends while a confirm is awaited: aiormq cancels what waits for it."""

    async def basic_publish(self, *_: Any, **__: Any) -> None:
        confirm = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(confirm.cancel)
        await confirm


@pytest.mark.parametrize(("changes", "expected"), [(False, ServiceUnavailable), (True, DeadlinePassed)])
def test_a_confirm_that_is_cancelled_with_its_connection_is_an_answer_that_did_not_come(changes: bool, expected: Any) -> None:
    async def call() -> None:
        client = RpcClient("amqp://nobody@127.0.0.1:9/")
        client._channel = Ending()  # type: ignore[assignment]
        operation = Operation("rules", "ask", Nothing, Nothing, "anybody", changes)
        await client.call(operation, Nothing(), passport="", request_id="test")

    with pytest.raises(expected):
        asyncio.run(call())
