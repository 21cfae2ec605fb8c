"""The fault proxy between real sockets, seen from the client and from the target."""

import contextlib
import random
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from faults.pair import NO_LINGER
from faults.proxy import FaultIsOn, Proxies, Proxy

PATIENCE = 5.0
SILENCE = 0.1


class Target:
    """A server on the loopback whose connections the test takes one by one, or which sends back all it gets."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.listener.settimeout(PATIENCE)
        self.port: int = self.listener.getsockname()[1]

    def accept(self) -> socket.socket:
        connection, _ = self.listener.accept()
        connection.settimeout(PATIENCE)
        return connection

    @contextlib.contextmanager
    def echoing(self) -> Iterator[None]:
        leaving = threading.Event()
        thread = threading.Thread(target=self.echo, args=(leaving,))
        thread.start()
        yield
        leaving.set()
        thread.join()

    def echo(self, leaving: threading.Event) -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(self.listener, selectors.EVENT_READ)
            while not leaving.is_set():
                for key, _ in ready.select(0.01):
                    if key.fileobj is self.listener:
                        ready.register(self.accept(), selectors.EVENT_READ)
                    elif not echoed(key.fileobj):
                        ready.unregister(key.fileobj)
                        key.fileobj.close()
            for key in list(ready.get_map().values()):
                if key.fileobj is not self.listener:
                    key.fileobj.close()


def echoed(connection: socket.socket) -> bool:
    try:
        data = connection.recv(65536)
        connection.sendall(data)
    except ConnectionError:
        return False
    return bool(data)


@pytest.fixture
def target() -> Iterator[Target]:
    target = Target()
    with target.listener:
        yield target


@pytest.fixture
def proxies() -> Iterator[Proxies]:
    with Proxies(seed=7) as proxies:
        yield proxies


@pytest.fixture
def proxy(proxies: Proxies, target: Target) -> Proxy:
    return proxies.add("customers-broker", "127.0.0.1", target.port)


@pytest.fixture
def ends(proxy: Proxy, target: Target) -> Iterator[tuple[socket.socket, socket.socket]]:
    client = connect(proxy)
    with client, target.accept() as server:
        assert carries(client, server)
        yield client, server


def connect(proxy: Proxy) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def carries(client: socket.socket, server: socket.socket) -> bool:
    """Whether both ways work."""
    client.sendall(b"question")
    asked = received(server, 8)
    server.sendall(b"answer")
    return (asked, received(client, 6)) == (b"question", b"answer")


def works(proxy: Proxy, target: Target) -> bool:
    """Whether a new connection goes through."""
    with connect(proxy) as client, target.accept() as server:
        return carries(client, server)


def received(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size and (more := connection.recv(size - len(data))):
        data += more
    return bytes(data)


def is_silent(connection: socket.socket) -> bool:
    """Neither bytes nor an end arrive for a while."""
    connection.settimeout(SILENCE)
    try:
        connection.recv(1)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(PATIENCE)
    return False


def is_reset(connection: socket.socket) -> bool:
    try:
        connection.recv(1)
    except ConnectionResetError:
        return True
    return False


def takes(connection: socket.socket, data: bytes) -> bool:
    try:
        connection.sendall(data)
    except ConnectionError:
        return False
    return True


def resets_the_new(proxy: Proxy) -> bool:
    """The reset may come before `connect` has returned."""
    try:
        with connect(proxy) as client:
            return is_reset(client)
    except ConnectionResetError:
        return True


def until(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while not holds() and time.monotonic() < end:
        time.sleep(0.005)
    return holds()


def exchanged(client: socket.socket, data: bytes, chance: random.Random) -> bytes:
    """What an echo answers to the data, sent in random pieces while answers are read."""

    def send() -> None:
        rest = memoryview(data)
        while rest:
            size = chance.randrange(1, 20_000)
            client.sendall(rest[:size])
            rest = rest[size:]
        client.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    back = received(client, len(data))
    sender.join()
    assert client.recv(1) == b""
    return back


# without a fault


def test_an_end_is_passed_on_after_the_bytes_before_it(proxy: Proxy, ends: tuple[socket.socket, socket.socket]) -> None:
    client, server = ends
    client.sendall(b"x" * 500_000)
    client.shutdown(socket.SHUT_WR)
    assert received(server, 500_001) == b"x" * 500_000
    server.sendall(b"the other way is still open")
    assert received(client, 27) == b"the other way is still open"
    server.close()
    assert client.recv(1) == b""
    assert until(lambda: proxy.connections == 0)
    assert proxy.carried == 500_000 + 27 + len(b"question" + b"answer")


def test_a_reset_is_passed_on(proxy: Proxy, ends: tuple[socket.socket, socket.socket]) -> None:
    client, server = ends
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    client.close()
    assert is_reset(server)
    assert until(lambda: proxy.connections == 0)


def test_who_writes_to_one_that_has_gone_is_reset(proxy: Proxy, ends: tuple[socket.socket, socket.socket]) -> None:
    client, server = ends
    client.close()
    assert server.recv(1) == b""
    assert until(lambda: not takes(server, b"is anybody there?"))
    assert until(lambda: proxy.connections == 0)


def test_who_does_not_read_stops_the_sender(ends: tuple[socket.socket, socket.socket]) -> None:
    client, server = ends
    client.settimeout(0.3)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 100_000_000:
            sent += client.send(b"x" * 65536)
    assert sent < 50_000_000
    assert len(received(server, sent)) == sent
    assert carries(client, server)


def test_a_target_that_is_not_there_resets_the_client(proxies: Proxies, target: Target) -> None:
    proxy = proxies.add("nobody", "127.0.0.1", target.port)
    target.listener.close()
    assert resets_the_new(proxy)
    assert until(lambda: proxy.connections == 0)


def test_another_target_gets_the_new_connections(proxy: Proxy, target: Target, ends: tuple[socket.socket, socket.socket]) -> None:
    standby = Target()
    with standby.listener:
        proxy.target = ("localhost", standby.port)
        assert works(proxy, standby)
        assert carries(*ends)


def test_dropped_connections_are_reset_on_both_sides(
    proxy: Proxy, target: Target, ends: tuple[socket.socket, socket.socket]
) -> None:
    proxy.drop()
    assert proxy.connections == 0
    assert [is_reset(end) for end in ends] == [True, True]
    assert works(proxy, target)


def test_many_connections_work_at_once(proxy: Proxy, target: Target) -> None:
    with target.echoing(), contextlib.ExitStack() as opened:
        clients = [opened.enter_context(connect(proxy)) for _ in range(500)]
        for number, client in enumerate(clients):
            client.sendall(b"%04d" % number)
        assert [received(client, 4) for client in clients] == [b"%04d" % number for number in range(500)]
        assert proxy.connections == 500
        with proxy.cut():
            assert proxy.connections == 0


# faults


def test_a_cut_closes_and_refuses(proxy: Proxy, target: Target, ends: tuple[socket.socket, socket.socket]) -> None:
    port = proxy.port
    with proxy.cut():
        assert [end.recv(1) for end in ends] == [b"", b""]
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                connect(proxy)
    assert proxy.port == port
    assert works(proxy, target)


def test_a_reset_resets_old_and_new(proxy: Proxy, target: Target, ends: tuple[socket.socket, socket.socket]) -> None:
    with proxy.reset():
        assert [is_reset(end) for end in ends] == [True, True]
        assert resets_the_new(proxy)
        assert until(lambda: proxy.connections == 0)
    assert works(proxy, target)


def test_slow_bytes_come_late_each_way(proxy: Proxy, ends: tuple[socket.socket, socket.socket]) -> None:
    with proxy.slow(latency=0.2, jitter=0.05):
        start = time.monotonic()
        assert carries(*ends)
        assert 0.3 <= time.monotonic() - start < 1.5
    start = time.monotonic()
    assert carries(*ends)
    assert time.monotonic() - start < 0.15


def test_slow_bytes_that_follow_each_other_do_not_add_up(ends: tuple[socket.socket, socket.socket], proxy: Proxy) -> None:
    client, server = ends
    with proxy.slow(latency=0.2):
        start = time.monotonic()
        for _ in range(20):
            client.sendall(b"x")
            time.sleep(0.005)
        assert received(server, 20) == b"x" * 20
        assert time.monotonic() - start < 1.0


def test_an_end_is_as_slow_as_the_bytes_before_it(proxy: Proxy, ends: tuple[socket.socket, socket.socket]) -> None:
    client, server = ends
    with proxy.slow(latency=0.2):
        client.sendall(b"last words")
        client.close()
        assert is_silent(server)
        assert received(server, 11) == b"last words"


def test_jitter_follows_the_seed_and_the_name(target: Target) -> None:
    def drawn(seed: int, name: str) -> float:
        with Proxies(seed=seed) as proxies:
            return proxies.add(name, "127.0.0.1", target.port).chance.random()

    assert drawn(1, "a") == drawn(1, "a")
    assert len({drawn(1, "a"), drawn(2, "a"), drawn(1, "b")}) == 3


def test_a_throttled_way_carries_so_many_bytes_a_second(proxy: Proxy, ends: tuple[socket.socket, socket.socket]) -> None:
    client, server = ends
    with proxy.throttled(bytes_per_second=20_000):
        start = time.monotonic()
        client.sendall(b"x" * 10_000)
        assert len(received(server, 10_000)) == 10_000
        assert 0.45 <= time.monotonic() - start < 2.0


def test_sliced_bytes_arrive_in_pieces(proxy: Proxy, ends: tuple[socket.socket, socket.socket]) -> None:
    client, server = ends
    with proxy.sliced(size=3, delay=0.02):
        client.sendall(b"abcdefgh")
        assert server.recv(8) == b"abc"
        assert received(server, 5) == b"defgh"


FAULTS: dict[str, Callable[[Proxy], contextlib.AbstractContextManager[None]]] = {
    "slow": lambda proxy: proxy.slow(latency=0.03, jitter=0.03),
    "throttled": lambda proxy: proxy.throttled(bytes_per_second=1_000_000),
    "sliced": lambda proxy: proxy.sliced(size=777, delay=0.0005),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_hindered_arrives_whole_and_in_order(proxy: Proxy, target: Target, fault: str) -> None:
    chance = random.Random(3)
    data = chance.randbytes(300_000)
    with target.echoing(), connect(proxy) as client, FAULTS[fault](proxy):
        assert exchanged(client, data, chance) == data
    assert until(lambda: proxy.connections == 0)


def test_what_is_held_arrives_when_the_fault_ends(proxy: Proxy, target: Target) -> None:
    """Faults come and go while bytes travel; some of them would need minutes for these."""
    chance = random.Random(4)
    data = chance.randbytes(2_000_000)
    back: list[bytes] = []
    with target.echoing(), connect(proxy) as client:
        client.settimeout(20)
        exchange = threading.Thread(target=lambda: back.append(exchanged(client, data, chance)))
        exchange.start()
        for fault in [proxy.slow(60), proxy.sliced(3, 0.001), proxy.throttled(1024), *(proxy.slow(0.01, 0.01) for _ in range(9))]:
            with fault:
                time.sleep(0.03)
        exchange.join()
    assert back == [data]


def test_a_black_hole_swallows_all_and_resets_at_its_end(
    proxy: Proxy, target: Target, ends: tuple[socket.socket, socket.socket]
) -> None:
    client, server = ends
    with proxy.black_hole():
        client.sendall(b"x" * 1_000_000)
        server.shutdown(socket.SHUT_WR)
        with connect(proxy) as late:
            late.sendall(b"anybody?")
            assert [is_silent(end) for end in (client, server, late)] == [True, True, True]
            assert proxy.connections == 2
            target.listener.settimeout(SILENCE)
            with pytest.raises(TimeoutError):
                target.accept()
            target.listener.settimeout(PATIENCE)
    assert [is_reset(end) for end in ends] == [True, True]
    assert until(lambda: proxy.connections == 0)
    assert works(proxy, target)


def test_a_connection_that_lost_nothing_outlives_the_black_hole(proxy: Proxy, ends: tuple[socket.socket, socket.socket]) -> None:
    with proxy.black_hole():
        assert is_silent(ends[0])
    assert carries(*ends)


def test_a_client_that_dies_in_a_black_hole_is_missed_at_its_end(proxy: Proxy, ends: tuple[socket.socket, socket.socket]) -> None:
    client, server = ends
    with proxy.black_hole():
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        client.close()
        assert is_silent(server)
    assert is_reset(server)


def test_half_open_closes_the_target_and_keeps_the_client_waiting(
    proxy: Proxy, target: Target, ends: tuple[socket.socket, socket.socket]
) -> None:
    client, server = ends
    with proxy.half_open():
        assert server.recv(1) == b""
        client.sendall(b"x" * 1_000_000)
        assert is_silent(client)
        assert works(proxy, target)
    assert is_reset(client)
    assert until(lambda: proxy.connections == 0)


def test_deaf_to_the_client_swallows_answers_alone(
    proxy: Proxy, target: Target, ends: tuple[socket.socket, socket.socket]
) -> None:
    client, server = ends
    with proxy.deaf("to_client"):
        client.sendall(b"question")
        assert received(server, 8) == b"question"
        server.sendall(b"answer")
        assert is_silent(client)
    assert is_reset(client)
    assert works(proxy, target)


def test_deaf_to_the_target_swallows_questions_alone(
    proxy: Proxy, target: Target, ends: tuple[socket.socket, socket.socket]
) -> None:
    client, server = ends
    with proxy.deaf("to_target"), connect(proxy) as late, target.accept() as late_server:
        server.sendall(b"answer")
        assert received(client, 6) == b"answer"
        client.sendall(b"question")
        late.close()
        assert [is_silent(end) for end in (server, late_server)] == [True, True]
    assert is_reset(server)
    assert works(proxy, target)


def test_a_fault_excludes_another_on_the_same_proxy(proxies: Proxies, proxy: Proxy, target: Target) -> None:
    other = proxies.add("customers-database", "127.0.0.1", target.port)
    with proxy.slow(latency=0.01):
        with pytest.raises(FaultIsOn), proxy.cut():
            pass
        with other.cut():
            assert works(proxy, target)


def test_nothing_is_left_open(target: Target) -> None:
    def sockets() -> int:
        return len(psutil.Process().net_connections("tcp"))

    before = sockets(), threading.active_count()
    with contextlib.ExitStack() as opened, Proxies() as proxies:
        proxy = proxies.add("customers-broker", "127.0.0.1", target.port)
        pairs = [(opened.enter_context(connect(proxy)), opened.enter_context(target.accept())) for _ in range(20)]
        with proxy.slow(latency=60):
            for client, _ in pairs:
                client.sendall(b"x")
            late = [opened.enter_context(connect(proxy)) for _ in range(20)]
            assert late
    assert proxy.connections == 0
    assert (sockets(), threading.active_count()) == before
