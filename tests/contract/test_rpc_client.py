"""The gateway's client against nameko as it comes, over each broker; and against brokers that misbehave."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import amqp
import pytest
import uvloop
from pydantic import Field

from faults.proxy import Proxies
from gateway.rpc import RpcClient
from services.contracts.base import Message, Operation, command, query
from services.contracts.errors import DeadlinePassed, InternalError, NameTaken, QudaoError, ServiceUnavailable
from tests.brokers import Broker, make_broker
from tests.rabbitmq import RabbitNode

PEER = Path(__file__).with_name("nameko_peer.py")
ROOT = PEER.parent.parent.parent


class Sample(Message):
    text: str = "上海瑞丽 \u2028 \U0001f600"
    number: float = 0.1
    maybe: str | None = None
    nested: dict[str, list[int]] = Field(default={"一": [1, 2**60]})


Ask = Operation[Sample, Sample]
ECHO: Ask = query("contract_peer.echo", Sample, Sample, None)
CHANGE: Ask = command("contract_peer.echo", Sample, Sample, None)
REFUSE: Ask = query("contract_peer.refuse", Sample, Sample, None)
FAIL: Ask = query("contract_peer.fail", Sample, Sample, None)
MISSING: Ask = query("contract_peer.missing", Sample, Sample, None)
NOBODY: Ask = query("contract_nobody.echo", Sample, Sample, None)
SLOW_QUERY: Ask = query("contract_peer.sleep", Sample, Sample, None)
SLOW_COMMAND: Ask = command("contract_peer.sleep", Sample, Sample, None)
DEADLY: Ask = command("contract_peer.die", Sample, Sample, None)

# What a caller of nameko's own client sees of each error, and what ours raises for it.
SAME_ERRORS: dict[str, type[QudaoError]] = {
    "NameTaken": NameTaken,
    "Undeclared": InternalError,
    "MethodNotFound": InternalError,
    "UnknownService": ServiceUnavailable,
}


def start_peer(broker: Broker) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, str(PEER), broker.uri, "serve"], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    assert process.stdout
    process.stdout.close()


@pytest.fixture(scope="module")
def peer(broker: Broker) -> Iterator[subprocess.Popen[bytes]]:
    process = start_peer(broker)
    yield process
    end(process)


def nameko_answers(broker: Broker, operation: Ask, message: Sample) -> dict[str, Any]:
    command_line = [sys.executable, str(PEER), broker.uri, "ask", operation.service, operation.name, message.model_dump_json()]
    return json.loads(subprocess.run(command_line, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)  # type: ignore[no-any-return]


Scenario = Callable[[RpcClient], Awaitable[Any]]


def with_client(uri: str, scenario: Scenario, *, is_connected: bool = True, **options: Any) -> Any:
    async def main() -> Any:
        client = RpcClient(uri, **({"timeout": 5.0} | options))
        await client.start()
        try:
            if is_connected:
                await asyncio.wait_for(client.wait_connected(), 15)
            return await scenario(client)
        finally:
            await client.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


async def ask(client: RpcClient, operation: Ask, message: Sample | None = None, within: float = 5.0) -> Sample:
    deadline = time.time() + within
    return await client.call(operation, message or Sample(), passport="p", request_id="r", command_id="c", deadline=deadline)


async def error_of(client: RpcClient, operation: Ask, message: Sample | None = None, within: float = 5.0) -> QudaoError:
    try:
        await ask(client, operation, message, within)
    except QudaoError as error:
        return error
    raise AssertionError(f"{operation.route} raised nothing")


# --- the same as nameko's own client


@pytest.mark.usefixtures("peer")
@pytest.mark.parametrize("message", [Sample(text="a"), Sample(text="上海 \u2028 \U0001f600", number=1e-9, maybe="x")])
def test_both_clients_get_the_same_answer(broker: Broker, message: Sample) -> None:
    ours = with_client(broker.uri, lambda client: ask(client, ECHO, message))
    assert ours == message == Sample.model_validate(nameko_answers(broker, ECHO, message)["result"])


@pytest.mark.usefixtures("peer")
@pytest.mark.parametrize("operation", [REFUSE, FAIL, MISSING, NOBODY], ids=lambda operation: operation.route)
def test_both_clients_get_the_same_errors(broker: Broker, operation: Ask) -> None:
    ours = with_client(broker.uri, lambda client: error_of(client, operation))
    theirs = nameko_answers(broker, operation, Sample())["error"]
    assert type(ours) is SAME_ERRORS[theirs]


@pytest.mark.usefixtures("peer")
def test_a_declared_error_keeps_its_details_and_any_other_its_secrets(broker: Broker) -> None:
    async def both(client: RpcClient) -> tuple[QudaoError, QudaoError]:
        return await error_of(client, REFUSE, Sample(text="a")), await error_of(client, FAIL)

    declared, undeclared = with_client(broker.uri, both)
    assert declared.details["text"] == "a"
    assert undeclared.details.keys() == {"incident"}


@pytest.mark.usefixtures("peer")
def test_answers_find_their_questions(broker: Broker) -> None:
    async def many(client: RpcClient) -> list[Sample]:
        return await asyncio.gather(*(ask(client, ECHO, Sample(number=number)) for number in range(300)))

    assert [answer.number for answer in with_client(broker.uri, many)] == list(range(300))


# --- time


@pytest.mark.usefixtures("peer")
@pytest.mark.parametrize(("operation", "error"), [(SLOW_QUERY, ServiceUnavailable), (SLOW_COMMAND, DeadlinePassed)])
def test_nobody_waits_past_the_deadline(broker: Broker, operation: Ask, error: type[QudaoError]) -> None:
    async def late(client: RpcClient) -> tuple[QudaoError, float]:
        began = time.monotonic()
        return await error_of(client, operation, Sample(number=2), within=0.3), time.monotonic() - began

    raised, seconds = with_client(broker.uri, late)
    assert type(raised) is error
    assert 0.25 < seconds < 1


@pytest.mark.usefixtures("peer")
def test_a_late_answer_disturbs_nobody(broker: Broker) -> None:
    async def late_then_quick(client: RpcClient) -> Sample:
        await error_of(client, SLOW_QUERY, Sample(number=0.4), within=0.2)
        await asyncio.sleep(0.4)
        return await ask(client, ECHO, Sample(text="quick"))

    assert with_client(broker.uri, late_then_quick).text == "quick"


@pytest.mark.usefixtures("peer")
def test_more_calls_than_allowed_are_refused_at_once(broker: Broker) -> None:
    async def crowd(client: RpcClient) -> list[Sample | BaseException]:
        calls = (ask(client, SLOW_QUERY, Sample(number=0.2)) for _ in range(8))
        return await asyncio.gather(*calls, return_exceptions=True)

    answers = with_client(broker.uri, crowd, max_pending=5)
    refused = [answer for answer in answers if isinstance(answer, ServiceUnavailable)]
    assert len(refused) == 3
    assert all(error.details["retry_after"] for error in refused)


# --- what lies between


def test_a_broker_that_takes_nothing_is_told_at_once_and_used_again_when_it_does(tmp_path: Path) -> None:
    """By an alarm of its memory or its disk RabbitMQ stops reading from all who publish."""
    broker = make_broker("rabbitmq", tmp_path)
    assert isinstance(broker, RabbitNode)
    broker.start()
    peer = start_peer(broker)

    async def scenario(client: RpcClient) -> None:
        ending = RpcClient(broker.uri)
        await ending.start()
        await asyncio.wait_for(ending.wait_connected(), 15)
        assert await ask(client, ECHO) == Sample()
        await asyncio.to_thread(broker.ctl, "set_vm_memory_high_watermark", "0")
        assert type(await error_of(ending, CHANGE, within=1)) in (DeadlinePassed, ServiceUnavailable)
        async with asyncio.timeout(5):
            await ending.stop()
        assert type(await error_of(client, SLOW_COMMAND, within=1)) in (DeadlinePassed, ServiceUnavailable)  # learns of it
        began = time.monotonic()
        assert type(await error_of(client, CHANGE)) is ServiceUnavailable
        assert time.monotonic() - began < 1
        await asyncio.to_thread(broker.ctl, "set_vm_memory_high_watermark", "0.6")
        ends = time.monotonic() + 20
        while True:
            try:
                assert await ask(client, CHANGE, within=1) == Sample()
                return
            except (ServiceUnavailable, DeadlinePassed):
                assert time.monotonic() < ends, "not used again"
                await asyncio.sleep(0.1)

    try:
        with_client(broker.uri, scenario)
    finally:
        end(peer)
        broker.stop()


def test_a_full_queue_is_a_busy_service(broker: Broker) -> None:
    full = query("contract_full.echo", Sample, Sample, None)
    with amqp.Connection(f"{broker.host}:{broker.port}", userid=broker.user, password=broker.password) as connection:
        channel = connection.channel()
        channel.exchange_declare("nameko-rpc", "topic", durable=True, auto_delete=False)
        limits = {"x-max-length": 1, "x-overflow": "reject-publish"}
        channel.queue_declare("rpc-contract_full", durable=False, exclusive=True, arguments=limits)
        channel.queue_bind("rpc-contract_full", "nameko-rpc", "contract_full.*")

        async def two(client: RpcClient) -> tuple[QudaoError, float]:
            lying = asyncio.create_task(error_of(client, full, within=3))
            await asyncio.sleep(0.2)
            began = time.monotonic()
            refused = await error_of(client, full, within=3)
            lying.cancel()
            return refused, time.monotonic() - began

        refused, seconds = with_client(broker.uri, two)
    assert type(refused) is ServiceUnavailable
    assert refused.details["retry_after"] >= 1
    assert seconds < 1


@pytest.mark.usefixtures("peer")
def test_requests_carry_who_asks_and_until_when(broker: Broker) -> None:
    with amqp.Connection(f"{broker.host}:{broker.port}", userid=broker.user, password=broker.password) as connection:
        channel = connection.channel()
        channel.queue_declare("contract-spy", exclusive=True)
        channel.queue_bind("contract-spy", "nameko-rpc", "contract_peer.echo")
        with_client(broker.uri, lambda client: ask(client, CHANGE, Sample(text="a")))
        message = channel.basic_get("contract-spy", no_ack=True)
        headers = message.headers
        assert (headers["nameko.passport"], headers["nameko.request_id"], headers["nameko.command_id"]) == ("p", "r", "c")
        assert 3 < float(headers["nameko.deadline"]) - time.time() <= 5
        assert 3_000 < int(message.properties["expiration"]) <= 5_000
        assert message.properties["delivery_mode"] == 1
        assert json.loads(message.body) == {"args": [{"text": "a"}], "kwargs": {}}


def test_without_a_broker_calls_fail_at_once() -> None:
    async def scenario(client: RpcClient) -> tuple[QudaoError, float]:
        began = time.monotonic()
        return await error_of(client, CHANGE), time.monotonic() - began

    raised, seconds = with_client("amqp://a:b@127.0.0.1:1/", scenario, is_connected=False)
    assert type(raised) is ServiceUnavailable
    assert seconds < 0.1


@pytest.mark.parametrize("kind", ["embedded", "rabbitmq"])
def test_a_lost_broker_fails_calls_at_once_and_is_found_again(kind: str, tmp_path: Path) -> None:
    broker = make_broker(kind, tmp_path)
    broker.start()
    peer = start_peer(broker)

    async def scenario(client: RpcClient) -> None:
        command_under_way = asyncio.create_task(error_of(client, SLOW_COMMAND, Sample(number=20), within=20))
        query_under_way = asyncio.create_task(error_of(client, SLOW_QUERY, Sample(number=20), within=20))
        await asyncio.sleep(0.3)
        broker.kill()
        lost = time.monotonic()
        assert type(await command_under_way) is DeadlinePassed
        assert type(await query_under_way) is ServiceUnavailable
        assert type(await error_of(client, CHANGE)) is ServiceUnavailable
        assert time.monotonic() - lost < 1
        await asyncio.to_thread(broker.start)
        up = time.monotonic()
        while time.monotonic() - up < 20:
            try:
                assert (await ask(client, ECHO, Sample(text="again"), within=1)).text == "again"
                return
            except ServiceUnavailable:
                await asyncio.sleep(0.1)
        raise AssertionError("not found again")

    try:
        with_client(broker.uri, scenario)
    finally:
        end(peer)
        broker.stop()


def test_a_connection_that_is_lost_before_the_confirm_is_an_answer_like_any_other(broker: Broker) -> None:
    with Proxies() as proxies:
        proxy = proxies.add("broker", broker.host, broker.port)

        async def scenario(client: RpcClient) -> tuple[type[QudaoError], type[QudaoError]]:
            with proxy.deaf("to_client"):
                calls = [asyncio.create_task(error_of(client, operation, within=20)) for operation in (CHANGE, ECHO)]
                await asyncio.sleep(0.2)
                await asyncio.to_thread(proxy.drop)
                changed, asked = await asyncio.wait_for(asyncio.gather(*calls), 5)
            return type(changed), type(asked)

        uri = broker.uri.replace(f":{broker.port}", f":{proxy.port}")
        assert with_client(uri, scenario) == (DeadlinePassed, ServiceUnavailable)


def test_a_service_that_dies_in_a_call_costs_its_caller_the_deadline(broker: Broker) -> None:
    peer = start_peer(broker)
    try:
        assert type(with_client(broker.uri, lambda client: error_of(client, DEADLY, within=0.5))) is DeadlinePassed
    finally:
        end(peer)
        with amqp.Connection(f"{broker.host}:{broker.port}", userid=broker.user, password=broker.password) as connection:
            connection.channel().queue_purge("rpc-contract_peer")
