"""Clients that send too little, too much, too slowly, or go away."""

import contextlib
import http.client
import json
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.unit.gateway_stand import Gateway, Stand, free_port, running_stand, wait_until

HALF_A_HEAD = b"GET /healthz HTTP/1.1\r\nHost: here\r\nX-Slow: "
HALF_OPEN = 3_000


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with running_stand(tmp_path_factory.mktemp("stand")) as stand:
        yield stand


@pytest.fixture(scope="module")
def gateway(stand: Stand) -> Iterator[Gateway]:
    with stand.gateway(header_timeout=1, body_timeout=1, max_body_bytes=10_000) as gateway:
        yield gateway


@pytest.fixture
def peer(gateway: Gateway) -> Iterator[socket.socket]:
    with connect(gateway) as peer:
        yield peer


def connect(gateway: Gateway) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gateway.port), timeout=8)


def read_all(peer: socket.socket) -> bytes:
    """Until the gateway closes; a reset closes too."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while more := peer.recv(65_536):
            data += more
    return data


def status_of(answer: bytes) -> int:
    return int(answer.split()[1])


def post(body: bytes, *headers: str) -> bytes:
    lines = ["POST /v1/sessions HTTP/1.1", "Host: here", "Content-Type: application/json", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def healthz_within(gateway: Gateway, seconds: float) -> None:
    began = time.monotonic()
    assert httpx.get(f"{gateway.base}/healthz", timeout=seconds, verify=False).status_code == 200
    assert time.monotonic() - began < seconds


# --- heads


def test_a_socket_that_says_nothing_is_closed(peer: socket.socket) -> None:
    began = time.monotonic()
    assert read_all(peer) == b""
    assert 0.9 < time.monotonic() - began < 3


def test_a_head_that_drips_is_cut_off(peer: socket.socket) -> None:
    peer.sendall(HALF_A_HEAD)
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - began < 6 and not readable(peer):
            peer.sendall(b"x")
    assert status_of(read_all(peer)) == 408
    assert time.monotonic() - began < 3


def readable(peer: socket.socket) -> bool:
    peer.settimeout(0.1)
    try:
        return bool(peer.recv(1, socket.MSG_PEEK))
    except TimeoutError:
        return False
    finally:
        peer.settimeout(8)


def test_the_second_head_on_a_socket_may_not_drip_either(peer: socket.socket) -> None:
    peer.sendall(b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n")
    assert status_of(peer.recv(65_536)) == 200
    peer.sendall(HALF_A_HEAD)
    began = time.monotonic()
    assert status_of(read_all(peer)) == 408
    assert time.monotonic() - began < 3


def test_an_endless_head_is_cut_off(peer: socket.socket) -> None:
    with contextlib.suppress(ConnectionError):
        peer.sendall(HALF_A_HEAD + b"x" * 100_000)
    assert status_of(read_all(peer)) == 431


def test_endless_trailers_are_cut_off(peer: socket.socket) -> None:
    with contextlib.suppress(ConnectionError):
        peer.sendall(post(b"2\r\n{}\r\n0\r\n", "Transfer-Encoding: chunked"))
        for number in range(2_000):
            peer.sendall(b"X-Trailer-%d: " % number + b"x" * 1_000 + b"\r\n")
    assert read_all(peer)[:12] in (b"", b"HTTP/1.1 408")


@pytest.mark.parametrize("nonsense", [b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"BREW / HTTP/1.1\r\n\r\n"])
def test_what_is_not_http_is_a_problem(peer: socket.socket, nonsense: bytes) -> None:
    peer.sendall(nonsense)
    head, _, body = read_all(peer).partition(b"\r\n\r\n")
    assert status_of(head) == json.loads(body)["status"] == 400
    assert b"application/problem+json" in head
    assert b"nosniff" in head


def test_two_lengths_are_not_http(peer: socket.socket) -> None:
    """Where two servers may see two different ends of a request, a second one can be smuggled in."""
    peer.sendall(post(b"2\r\n{}\r\n0\r\n\r\n", "Content-Length: 5", "Transfer-Encoding: chunked"))
    assert status_of(read_all(peer)) == 400


# --- bodies


def test_a_body_that_drips_is_cut_off(peer: socket.socket) -> None:
    began = time.monotonic()
    peer.sendall(post(b'{"login": ', "Content-Length: 100"))
    assert status_of(read_all(peer)) == 408
    assert time.monotonic() - began < 3


def test_a_body_announced_as_too_large_is_not_read(peer: socket.socket) -> None:
    peer.sendall(post(b"", "Content-Length: 10001", "Expect: 100-continue"))
    assert status_of(read_all(peer)) == 413


def test_a_chunked_body_is_counted(peer: socket.socket) -> None:
    with contextlib.suppress(ConnectionError):
        peer.sendall(post(b"", "Transfer-Encoding: chunked"))
        for _ in range(1_000):
            peer.sendall(b"3e8\r\n" + b" " * 1_000 + b"\r\n")
    assert status_of(read_all(peer)) == 413


def test_the_largest_body_is_taken(gateway: Gateway) -> None:
    body = json.dumps({"login": "li", "password": "right"}).encode().ljust(10_000)
    assert (
        httpx.post(f"{gateway.base}/v1/sessions", content=body, headers={"Content-Type": "application/json"}).status_code == 201
    )


# --- crowds


@pytest.fixture
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < HALF_OPEN + 200:
        pytest.skip(f"this machine gives {hard} files to a process")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
@pytest.mark.parametrize("sent", [b"", HALF_A_HEAD, post(b"{", "Content-Length: 9")])
def test_3000_half_open_sockets_keep_nobody_out(stand: Stand, sent: bytes) -> None:
    with stand.gateway(header_timeout=30, body_timeout=30) as gateway, contextlib.ExitStack() as held:
        for _ in range(HALF_OPEN):
            peer = held.enter_context(connect(gateway))
            with contextlib.suppress(ConnectionError):
                peer.sendall(sent)
        wait_until(lambda: gateway.is_answering("/healthz"))  # it has let them all in, which takes a second
        for _ in range(5):
            healthz_within(gateway, 1.0)


def test_of_those_who_wait_the_oldest_goes_first(stand: Stand) -> None:
    with stand.gateway(max_waiting_sockets=2) as gateway, contextlib.ExitStack() as held:
        first, second, third = (held.enter_context(connect(gateway)) for _ in range(3))
        assert read_all(first) == b""
        for peer in (second, third):
            peer.sendall(b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n")
            assert status_of(peer.recv(65_536)) == 200


# --- the end


def test_a_running_request_is_finished_before_the_end(stand: Stand) -> None:
    answers: list[int] = []
    with stand.gateway() as gateway:
        with gateway.client("t" * 43) as client:
            client.get("/v1/me")
            running = threading.Thread(
                target=lambda: answers.append(client.post("/v1/agencies", json={"name": "sleep 1"}).status_code)
            )
            running.start()
            wait_until(lambda: _in_flight(gateway))
            began = time.monotonic()
            os.kill(gateway.process.pid, signal.SIGTERM)
            with pytest.raises(OSError, match="refused"):
                wait_until(lambda: connect(gateway).close())
            running.join()
            wait_until(gateway.process.has_ended, 5)
            assert gateway.process.wait() == 0
    assert answers == [201]
    assert time.monotonic() - began < 4


def _in_flight(gateway: Gateway) -> bool:
    return "qudao_gateway_rpc_pending 1.0" in httpx.get(f"http://127.0.0.1:{gateway.health_port}/metrics", verify=False).text


def test_a_port_in_use_ends_the_start_with_a_sentence(stand: Stand, gateway: Gateway) -> None:
    with pytest.raises(AssertionError, match="in use"), stand.gateway(http_port=gateway.port):
        pass


def test_an_idle_socket_is_kept_for_the_next_request(gateway: Gateway) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=5)
    for _ in range(2):
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b'{"status":"alive"}'
        kept = connection.sock
        time.sleep(1.5)  # longer than a head may take, shorter than an idle socket is kept
    assert connection.sock is kept
    connection.close()


def test_without_a_broker_the_process_is_alive_and_says_so(stand: Stand) -> None:
    gateway = Gateway(stand, {"amqp_uri": f"amqp://a:b@127.0.0.1:{free_port()}/"})
    try:
        wait_until(lambda: gateway.is_answering("/healthz"))
        began = time.monotonic()
        answer = httpx.get(f"{gateway.base}/readyz", verify=False)
        assert answer.status_code == 503
        assert set(answer.json()["services"].values()) == {"service-unavailable"}
        assert httpx.get(f"{gateway.base}/v1/me", headers={"Authorization": "Bearer " + "t" * 43}).status_code == 503
        assert time.monotonic() - began < 1
    finally:
        gateway.end()
