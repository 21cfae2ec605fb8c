"""One broker of each kind for the whole session, and clients that speak to it plainly."""

import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import amqp
import pytest
from pamqp import base, commands, frame

from tests.brokers import KINDS, Broker, make_broker

PATIENCE = 10.0
Answer = TypeVar("Answer")


@pytest.fixture(scope="session", params=KINDS)
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    started = make_broker(request.param, tmp_path_factory.mktemp(request.param))
    started.start()
    yield started
    started.stop()


class Client:
    """A connection with one channel; `open_channel` gives more."""

    def __init__(self, broker: Broker, **options: Any) -> None:
        login = {"userid": broker.user, "password": broker.password} | options
        self.connection = amqp.Connection(f"{broker.host}:{broker.port}", **login)
        self.connection.connect()
        self.channel = self.connection.channel()

    def queue(self, name: str = "", *, quorum: bool = False, **arguments: Any) -> str:
        """Declares one; `max_length=3` becomes the argument `x-max-length`."""
        given = {f"x-{key.replace('_', '-')}": value for key, value in arguments.items()}
        if quorum:
            given["x-queue-type"] = "quorum"
        declared = self.channel.queue_declare(name, durable=quorum, exclusive=not quorum, auto_delete=False, arguments=given)
        return str(declared.queue)

    def depth(self, queue: str) -> int:
        return int(self.channel.queue_declare(queue, passive=True).message_count)

    def publish(self, body: str, queue: str, exchange: str = "", **properties: Any) -> None:
        self.channel.basic_publish(amqp.Message(body, **properties), exchange, queue)

    def get(self, queue: str) -> Any:
        """The next message without acknowledging it, or None."""
        return self.channel.basic_get(queue)

    def bodies(self, queue: str) -> list[str]:
        return [message.body for message in iter(lambda: self.channel.basic_get(queue, no_ack=True), None)]

    def is_routable(self, queue: str) -> bool:
        """Whether the queue exists, asked without using it."""
        channel, answers = self.connection.channel(), []
        channel.events["basic_return"].add(lambda *_: answers.append("returned"))
        channel.events["basic_ack"].add(lambda *_: answers.append("confirmed"))
        channel.confirm_select()
        channel.basic_publish(amqp.Message(""), "", queue, mandatory=True)
        self.wait_until(lambda: "confirmed" in answers)
        channel.close()
        return "returned" not in answers

    def get_soon(self, queue: str) -> Any:
        return eventually(lambda: self.channel.basic_get(queue, no_ack=True))

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Takes what the broker sends until the condition holds."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self.connection.drain_events(timeout=max(0.01, deadline - time.monotonic()))

    def close(self) -> None:
        try:
            self.connection.close()
        except (amqp.exceptions.AMQPError, OSError):
            self.connection.collect()


def eventually(ask: Callable[[], Answer]) -> Answer:
    """Asks again until the answer is true; for what the broker does in its own time."""
    deadline = time.monotonic() + PATIENCE
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"still {answer!r} after {PATIENCE:.0f} s"
        time.sleep(0.02)
    return answer


@pytest.fixture
def connect(broker: Broker) -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def open_client(**options: Any) -> Client:
        clients.append(Client(broker, **options))
        return clients[-1]

    yield open_client
    for client in clients:
        client.close()


@pytest.fixture
def client(connect: Callable[..., Client]) -> Client:
    return connect()


@pytest.fixture
def exchange(client: Client, request: pytest.FixtureRequest) -> Iterator[Callable[[str], str]]:
    """Declares exchanges of a kind under names that no other test has."""
    declared: list[str] = []

    def declare(kind: str) -> str:
        name = f"{request.node.name}.{kind}"
        client.channel.exchange_declare(name, kind, auto_delete=False)
        declared.append(name)
        return name

    yield declare
    for name in declared:
        client.connection.channel().exchange_delete(name)


class RawPeer:
    """A logged-in client that sends the bytes it is told and reads frame by frame."""

    def __init__(self, broker: Broker, heartbeat: int) -> None:
        self._socket = socket.create_connection((broker.host, broker.port), timeout=PATIENCE)
        self.send(b"AMQP\x00\x00\x09\x01")
        self.read()
        answer = f"\x00{broker.user}\x00{broker.password}"
        self._method(commands.Connection.StartOk({}, "PLAIN", answer, "en_US"))
        self.read()
        self._method(commands.Connection.TuneOk(2047, 131072, heartbeat))
        self._method(commands.Connection.Open("/"))
        assert isinstance(self.read(), commands.Connection.OpenOk)

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self) -> Any:
        """The next frame; None when the broker has closed the connection."""
        head = self._exactly(7)
        if head is None:
            return None
        rest = self._exactly(struct.unpack(">I", head[3:])[0] + 1)
        return None if rest is None else frame.unmarshal(head + rest)[2]

    def close(self) -> None:
        self._socket.close()

    def _method(self, method: base.Frame) -> None:
        self.send(frame.marshal(method, 0))

    def _exactly(self, count: int) -> bytes | None:
        data = b""
        while len(data) < count:
            try:
                more = self._socket.recv(count - len(data))
            except ConnectionResetError:
                return None
            if not more:
                return None
            data += more
        return data


@pytest.fixture
def raw_peer(broker: Broker) -> Iterator[Callable[[int], RawPeer]]:
    peers: list[RawPeer] = []

    def open_peer(heartbeat: int) -> RawPeer:
        peers.append(RawPeer(broker, heartbeat))
        return peers[-1]

    yield open_peer
    for peer in peers:
        peer.close()
