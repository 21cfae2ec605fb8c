"""What the embedded broker promises beyond RabbitMQ's behaviour: its own start and stop, and that nothing kills it."""

import os
import random
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import amqp
import pytest
from amqp import exceptions as refused
from pamqp import commands, frame

from embedded.broker.policy import MOST_MESSAGES
from embedded.broker.routing import topic_matches
from tests.brokers import EmbeddedBroker
from tests.contract.conftest import Client, RawPeer, eventually

MEGABYTE = 1024 * 1024
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    started = EmbeddedBroker(tmp_path_factory.mktemp("embedded"))
    started.start()
    yield started
    started.stop()


def test_it_does_not_start_without_a_password() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "QUDAO_BROKER_PASSWORD"}

    done = subprocess.run(
        [sys.executable, "-m", "embedded.broker"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert done.returncode == 2
    assert "QUDAO_BROKER_PASSWORD" in done.stderr


def test_it_says_that_it_is_not_for_production(broker: EmbeddedBroker) -> None:
    assert broker.log.splitlines()[0] == (
        f"embedded broker on 127.0.0.1:{broker.port}: for trying and for tests only, keeps nothing on disk;"
        " RabbitMQ is the broker for production"
    )


def test_it_is_not_reachable_from_elsewhere(broker: EmbeddedBroker) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", broker.port), timeout=5)


def test_it_comes_back_on_the_same_port_with_nothing_in_it(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path)
    broker.start()
    port = broker.port
    first = Client(broker)
    first.channel.queue_declare("durable", durable=True, auto_delete=False)

    broker.restart()

    first.close()
    second = Client(broker)
    assert broker.port == port
    assert not second.is_routable("durable")
    second.close()
    broker.stop()


def test_its_clients_are_told_when_it_stops(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path)
    broker.start()
    client = Client(broker)

    broker.stop()

    with pytest.raises(refused.ConnectionForced):
        client.connection.drain_events(timeout=5)
    client.close()


def test_a_message_that_is_too_large_is_refused(client: Client, raw_peer: Callable[[int], RawPeer]) -> None:
    peer = raw_peer(0)
    peer.send(frame.marshal(commands.Channel.Open(), 1))
    peer.read()

    peer.send(frame.marshal(commands.Basic.Publish(0, "", "anywhere"), 1))
    peer.send(b"\x02\x00\x01\x00\x00\x00\x0e\x00\x3c\x00\x00" + (17 * MEGABYTE).to_bytes(8, "big") + b"\x00\x00\xce")

    closed = peer.read()
    assert isinstance(closed, commands.Channel.Close)
    assert closed.reply_code == 406


def test_a_queue_without_limits_has_one_all_the_same(client: Client) -> None:
    queue = client.queue()
    for _ in range(MOST_MESSAGES):
        client.publish("", queue)
    answers: list[str] = []
    asking = client.connection.channel()
    asking.events["basic_nack"].add(lambda *_: answers.append("refused"))
    asking.confirm_select()

    asking.basic_publish(amqp.Message(""), "", queue)
    client.wait_until(lambda: answers)

    assert client.channel.queue_purge(queue) == MOST_MESSAGES


def test_a_full_queue_that_buries_in_itself_does_not_go_round_for_ever(client: Client) -> None:
    queue = client.queue("ouroboros", max_length=2000, dead_letter_exchange="", dead_letter_routing_key="ouroboros")

    for number in range(4001):
        client.publish(str(number), queue)

    eventually(lambda: client.depth(queue) == 2000)


@pytest.mark.parametrize("seed", range(40))
def test_garbage_ends_its_own_connection_only(client: Client, raw_peer: Callable[[int], RawPeer], seed: int) -> None:
    """Frames that are right outside and anything inside, and bytes that are no frames at all."""
    chance, peer = random.Random(seed), raw_peer(0)
    peer.send(frame.marshal(commands.Channel.Open(), 1))

    try:
        for _ in range(50):
            peer.send(nonsense(chance))
    except (BrokenPipeError, ConnectionResetError):
        pass  # it has closed the connection already, rightly

    queue = client.queue()
    client.publish("alive", queue)
    assert client.get(queue).body == "alive"


def nonsense(chance: random.Random) -> bytes:
    methods = [index.to_bytes(4, "big") for index in commands.INDEX_MAPPING]
    payload = chance.choice([*methods, b""]) + chance.randbytes(chance.randrange(60))
    kind = chance.choice([1, 1, 1, 2, 3, 8, 9])
    end = chance.choice([b"\xce"] * 9 + [b"\x00"])
    return bytes([kind]) + chance.choice([0, 1, 1, 1, 7]).to_bytes(2, "big") + len(payload).to_bytes(4, "big") + payload + end


def test_deeply_nested_headers_are_refused(client: Client, raw_peer: Callable[[int], RawPeer]) -> None:
    peer, table = raw_peer(0), b""
    for _ in range(10_000):
        table = b"\x01aF" + len(table).to_bytes(4, "big") + table
    peer.send(frame.marshal(commands.Channel.Open(), 1))
    peer.read()
    peer.send(frame.marshal(commands.Basic.Publish(0, "", "anywhere"), 1))

    header = b"\x00\x3c\x00\x00" + bytes(8) + b"\x20\x00" + len(table).to_bytes(4, "big") + table
    peer.send(b"\x02\x00\x01" + len(header).to_bytes(4, "big") + header + b"\xce")

    assert peer.read().reply_code == 502
    assert client.queue()


def test_the_log_tells_of_no_fault_of_its_own(broker: EmbeddedBroker) -> None:
    """The last of this file, after all the garbage."""
    assert "Traceback" not in broker.log


@pytest.mark.parametrize(
    ("pattern", "key", "matches"),
    [
        ("#", "", True),
        ("*", "", False),
        ("", "", True),
        ("#.b.#", "a.b.c", True),
        ("#.#.x", "x", True),
        ("a.*.*", "a.b", False),
        ("a.#", "a", True),
        (".".join(["#"] * 60) + ".end", ".".join(["a"] * 100), False),
    ],
)
def test_topic_patterns(pattern: str, key: str, matches: bool) -> None:
    assert topic_matches(pattern, key) is matches
