"""Brokers for tests: the embedded one and RabbitMQ, behind the same few methods."""

import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, Protocol

import pytest

from embedded.supervise import Spec, spawn
from tests.rabbitmq import HOST, HOW_TO_INSTALL, USER, BrokerDied, RabbitNode, end, find_rabbitmq, wait_for_login

KINDS: Final = ("embedded", "rabbitmq")
_ROOT: Final = Path(__file__).parent.parent


class Broker(Protocol):
    """`keeps_data`: whether durable queues and persistent messages are there again after a restart."""

    kind: str
    keeps_data: bool
    host: str
    port: int
    user: str
    password: str

    @property
    def uri(self) -> str: ...
    @property
    def pid(self) -> int: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def restart(self) -> None: ...


class EmbeddedBroker:
    kind = "embedded"
    keeps_data = False

    def __init__(self, directory: Path) -> None:
        self.user = USER
        self.password = secrets.token_hex(16)
        self.host = HOST
        self.port = 0  # chosen by the first start, kept by those that follow
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"amqp://{self.user}:{self.password}@{self.host}:{self.port}/"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the broker is not running"
        return self._process.pid

    @property
    def log(self) -> str:
        return (self._directory / "broker.log").read_text()

    def start(self) -> None:
        """Returns when clients can log in."""
        self._directory.mkdir(parents=True, exist_ok=True)
        port_file = self._directory / "port"
        port_file.unlink(missing_ok=True)
        command = (sys.executable, "-m", "embedded.broker", "--port", str(self.port), "--port-file", str(port_file))
        spec = Spec("broker", command, os.environ | {"QUDAO_BROKER_PASSWORD": self.password}, folder=_ROOT)
        self._process = spawn(spec, os.open(self._directory / "broker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        try:
            self.port = _wait_for_port_file(self._process, port_file)
            wait_for_login(self._process, self.host, self.port, self.user, self.password, seconds=10)
        except BrokerDied as problem:
            self.kill()
            raise BrokerDied(f"{problem}\n{self.log[-2000:]}") from None

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """On the same port, with nothing in it."""
        self.stop()
        self.start()

    def _end(self, how: signal.Signals) -> None:
        if self._process:
            end(self._process, how, seconds=10)
            self._process = None


TESTED: Final[set[str]] = set()
"""The kinds that this run has used, for its summary."""


def make_broker(kind: str, directory: Path) -> Broker:
    """Not started yet. Skips the test where RabbitMQ is missing; QUDAO_REQUIRE_RABBITMQ=1 makes that a failure."""
    if kind == "embedded":
        TESTED.add("the embedded broker")
        return EmbeddedBroker(directory)
    if find_rabbitmq() is None:
        if os.environ.get("QUDAO_REQUIRE_RABBITMQ") == "1":
            pytest.fail(HOW_TO_INSTALL)
        pytest.skip(HOW_TO_INSTALL)
    TESTED.add("RabbitMQ")
    return RabbitNode(directory)


def _wait_for_port_file(process: subprocess.Popen[bytes], port_file: Path) -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        if port_file.exists():
            return int(port_file.read_text())
        time.sleep(0.01)
    raise BrokerDied(f"the embedded broker did not start (exit code {process.poll()})")
