"""The system under fault: a broker, the services around a probe, clients that speak to them, looks into their databases."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self, TypeVar
from urllib.request import urlopen

import amqp
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from embedded.stack import Stack
from embedded.supervise import Process
from embedded.wiring import Part
from gateway.rpc import RpcClient
from ops.addresses import derive
from services.contracts.base import Message, Operation
from services.contracts.customers import ENTER_CUSTOMER, EnterCustomer, EntryOutcome
from services.contracts.permissions import ROLES
from services.plumbing.passport import Caller, Signer
from tests import api
from tests.brokers import Broker

PATIENCE = 30.0  # seconds for what happens in its own time; the machine may be busy
RETRY_DELAYS = (0.2, 0.4, 0.8, 1.2)
SETTINGS = {
    "QUDAO_RETRY_DELAYS": str(list(RETRY_DELAYS)),
    "QUDAO_SWEEP_EVERY": "30",  # those at the start and after a reconnect suffice
    "QUDAO_HEARTBEAT": "4",
    "QUDAO_RPC_TIMEOUT": "3",
    "QUDAO_STATEMENT_TIMEOUT_MS": "2000",
}
TABLES = """
    CREATE TABLE execution (label text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
    CREATE INDEX ON execution (label);
    CREATE TABLE effect (label text NOT NULL);
    CREATE INDEX ON effect (label);
"""
on_both_brokers = pytest.mark.parametrize("world", ["rabbitmq", "embedded"], indirect=True)

Answer = TypeVar("Answer", bound=Message)
Found = TypeVar("Found")


def eventually(ask: Callable[[], Found], *, until: Callable[[Found], Any] = bool, seconds: float = PATIENCE) -> Found:
    """With more patience than others have."""
    return api.eventually(ask, until=until, seconds=seconds)


def unique(words: str) -> str:
    """Tests share a world, so names must not meet."""
    return f"{words} {uuid.uuid4().hex[:12]}"


class Calls:
    """The gateway's RPC client for tests that know no asyncio."""

    def __init__(self, uri: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="calls", daemon=True)
        self.thread.start()
        self.client = RpcClient(uri, heartbeat=4)
        self._run(self.client.start())
        self.wait_connected()

    def begin(self, operation: Operation[Any, Answer], message: Message, timeout: float, **options: Any) -> "Future[Answer]":
        call = self.client.call(operation, message, deadline=time.time() + timeout, request_id="test", **options)
        return asyncio.run_coroutine_threadsafe(call, self.loop)

    def wait_connected(self) -> None:
        self._run(self.client.wait_connected())

    def stop(self) -> None:
        self._run(self.client.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def _run(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)


PERSON = """
    WITH known AS (
        INSERT INTO person (id, agency_id, department_id, managed_department_ids, display_name, roles, abilities, status, version)
        VALUES (%s, %s, %s, '{}', %s, '{rep}', '{holds,sells}', 'active', 1) RETURNING id, agency_id
    )
    INSERT INTO stock (person_id, agency_id, held, allowed, allowance_version) SELECT id, agency_id, 0, 1000000, 0 FROM known
"""


class World:
    """Runs inside a `with`, on a broker that somebody else starts and ends."""

    def __init__(self, home: Path, broker: Broker) -> None:
        self.broker = broker
        self.opened: dict[str, psycopg.Connection[Any]] = {}
        self.looking = threading.Lock()
        self.failpoints = {service: home / f"failpoint-{service}" for service in ("customers", "activities", "rules")}
        self.stack = Stack(home, fast=True, env=SETTINGS, amqp_uri=broker.uri, parts=self.parts(), replicas={"gateway": 0})

    def parts(self) -> list[Part]:
        modules = {"rules": ("tests.faults.probe_service",)}
        return [
            Part(
                service,
                (sys.executable, "-m", *modules.get(service, ("services.plumbing.run", service))),
                {"QUDAO_FAILPOINT": str(file)},
            )
            for service, file in self.failpoints.items()
        ]

    def __enter__(self) -> Self:
        self.stack.__enter__()
        try:
            with self.database("rules", "owner") as connection:
                connection.execute(TABLES)
            self.person = self.new_person()
            self.wait_ready()
        except BaseException:
            self.stack.stop()
            raise
        self.calls = Calls(self.broker.uri)
        return self

    def __exit__(self, *error: Any) -> None:
        for connection in self.opened.values():
            connection.close()
        self.calls.stop()
        self.stack.stop()

    # --- processes

    def process(self, service: str, index: int = 0) -> Process:
        return self.stack.processes[service][index]

    def pids(self) -> dict[str, int | None]:
        return {process.spec.name: process.pid for process in self.stack.supervisor.processes}

    def halt(self, service: str) -> None:
        """Ends every process of a service and leaves it down."""
        self.stack.supervisor.end(self.stack.processes[service], 15.0)

    def kill_for_good(self, process: Process) -> None:
        """kill -9, and nobody starts it again."""
        process.is_wanted = False
        process.signal(signal.SIGKILL)

    def terminate(self, service: str) -> None:
        """SIGTERM to the first process of a service; returns when its successor serves."""
        pid = self.process(service).pid
        self.stack.kill(service, number=signal.SIGTERM)
        wait_gone(pid)
        self.resume(service)

    def resume(self, service: str) -> None:
        """Starts what is down, without the pause that grows from exit to exit."""
        for process in self.stack.processes[service]:
            self.stack.supervisor.resume(process)
        self.wait_ready()

    @contextlib.contextmanager
    def down(self, service: str) -> Iterator[None]:
        self.halt(service)
        try:
            yield
        finally:
            self.resume(service)

    @contextlib.contextmanager
    def second_replicas(self, *services: str) -> Iterator[None]:
        """One process more of each, as long as they are wanted."""
        parts = [part for part in self.parts() if part.name in services]
        added = self.stack.supervisor.add(*(self.stack.wiring().services(part, 2)[1] for part in parts))
        try:
            self.wait_ready()
            yield
        finally:
            self.stack.supervisor.end(added, 15.0)
            for process in added:
                self.stack.supervisor.processes.remove(process)
            for service in services:
                self.resume(service)

    @contextlib.contextmanager
    def killed_at(self, service: str, point: str) -> Iterator[None]:
        """A process of the service that comes to this point dies there as by kill -9.

        At the end of the block it has, and runs again.
        """
        pid = self.process(service).pid
        self.failpoints[service].write_text(point)
        yield
        eventually(lambda: not self.failpoints[service].exists())
        wait_gone(pid)
        self.resume(service)

    def wait_ready(self) -> None:
        for process in self.stack.supervisor.processes:
            if process.is_wanted and "QUDAO_HEALTH_PORT" in process.spec.env:
                eventually(partial(is_ok, self.ready_url(process)), seconds=60)

    def ready_url(self, process: Process) -> str:
        return f"http://127.0.0.1:{process.spec.env['QUDAO_HEALTH_PORT']}/readyz"

    def metric(self, name: str, process: Process, **labels: str) -> float:
        url = f"http://127.0.0.1:{process.spec.env['QUDAO_HEALTH_PORT']}/metrics"
        try:
            with urlopen(url, timeout=5) as answer:
                text = answer.read().decode()
        except OSError:
            return 0.0
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        return sum(sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items())

    # --- calls

    def signer(self, issuer: str) -> Signer:
        return Signer(issuer, (self.stack.secrets / "signing" / f"{issuer}.pem").read_text())

    def new_person(self) -> Caller:
        """Known to customers as if identity and rules, of which one is not there, had told of him."""
        person = Caller(
            str(uuid.uuid4()),
            agency_id=uuid.uuid4(),
            department_id=uuid.uuid4(),
            session_id=uuid.uuid4(),
            grants=ROLES["rep"],
            display_name="Li Na",
        )
        with self.database("customers", "owner") as connection:
            values = [person.subject, person.agency_id, person.department_id, person.display_name]
            connection.execute(PERSON, values)
        return person

    def passport(self) -> str:
        return self.signer("identity").sign(self.person)

    def begin(
        self,
        operation: Operation[Any, Answer],
        message: Message,
        *,
        key: str | None = None,
        caller: Caller | None = None,
        passport: str | None = None,
        timeout: float = PATIENCE,
    ) -> "Future[Answer]":
        """Sends a request. The future's `result` is the answer, or raises the declared error."""
        if passport is None:
            passport = self.signer("identity").sign(caller or self.person)
        command_id = (key or uuid.uuid4().hex) if operation.changes else None
        return self.calls.begin(operation, message, timeout, passport=passport, command_id=command_id)

    def call(self, operation: Operation[Any, Answer], message: Message, **options: Any) -> Answer:
        return self.begin(operation, message, **options).result()

    def enter(self, name: str, **options: Any) -> EntryOutcome:
        """Enters a customer, whose event the probe hears under the customer's name."""
        return self.call(ENTER_CUSTOMER, EnterCustomer(name=name), **options)

    # --- databases

    def database(self, service: str, role: str = "admin") -> psycopg.Connection[Any]:
        """As the `app`, the `owner` of the tables, or the server's `admin`."""
        urls = {
            "app": self.stack.database_url,
            "owner": self.stack.owner_url,
            "admin": lambda service: derive(self.stack.admin_url, self.stack.database(service).name),
        }
        return psycopg.connect(urls[role](service), autocommit=True)

    def rows(self, service: str, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """By a connection that stays: a new one takes more than most questions."""
        with self.looking:
            if service not in self.opened:
                self.opened[service] = self.database(service)
            return self.opened[service].execute(statement, arguments).fetchall()  # type: ignore[arg-type]

    def value(self, service: str, statement: str, *arguments: Any) -> Any:
        found = self.rows(service, statement, *arguments)
        return found[0][0] if found else None

    def runs(self, label: str) -> int:
        """How often a body or handler of the probe began."""
        return int(self.value("rules", "SELECT count(*) FROM execution WHERE label = %s", label))

    def effects(self, label: str) -> int:
        """How often one of them was committed."""
        return int(self.value("rules", "SELECT count(*) FROM effect WHERE label = %s", label))

    def count(self, table: Literal["execution", "effect"], labels: list[str]) -> int:
        """All the runs or effects of these labels."""
        return int(self.value("rules", f"SELECT count(*) FROM {table} WHERE label = ANY(%s)", labels))  # noqa: S608

    def customers(self, name: str) -> int:
        return int(self.value("customers", "SELECT count(*) FROM customer WHERE name = %s", name))

    def wait_heard(self, *names: str) -> None:
        """Until these customers' entries have had their effect in the probe; each once."""
        labels = list(names)
        eventually(lambda: self.count("effect", labels), until=lambda count: count >= len(labels))
        assert [self.effects(name) for name in names] == [1] * len(names)

    def wait_published(self, service: str = "customers") -> None:
        eventually(lambda: self.value(service, "SELECT count(*) FROM outbox WHERE published_at IS NULL") == 0)

    # --- the broker itself

    @contextlib.contextmanager
    def broker_away(self) -> Iterator[None]:
        """As by kill -9; at the end of the block it is back and everybody has found it."""
        self.broker.kill()
        try:
            yield
        finally:
            self.broker.start()
            self.calls.wait_connected()
            self.wait_ready()

    @contextlib.contextmanager
    def channel(self) -> Iterator[Any]:
        """A plain channel for what no proper client would send."""
        address = f"{self.broker.host}:{self.broker.port}"
        with amqp.Connection(address, userid=self.broker.user, password=self.broker.password) as connection:
            yield connection.channel()

    def publish_raw(self, exchange: str, routing_key: str, body: str | bytes, **properties: Any) -> None:
        with self.channel() as channel:
            channel.basic_publish(amqp.Message(body, **properties), exchange, routing_key)

    def ask_raw(self, routing_key: str, body: str | bytes, **properties: Any) -> dict[str, Any]:
        """nameko's answer to a request with exactly these properties."""
        reply_to = str(uuid.uuid4())
        with self.channel() as channel:
            queue = channel.queue_declare("", exclusive=True).queue
            channel.queue_bind(queue, "nameko-rpc", reply_to)
            channel.basic_publish(amqp.Message(body, reply_to=reply_to, **properties), "nameko-rpc", routing_key)
            answer: dict[str, Any] = json.loads(eventually(lambda: channel.basic_get(queue, no_ack=True)).body)
            return answer

    def depth(self, queue: str) -> int:
        with self.channel() as channel:
            return int(channel.queue_declare(queue, passive=True).message_count)

    def dead_letters(self) -> list[bytes]:
        """Takes what lies in the queue for what could not be parsed."""
        with self.channel() as channel:
            found = list(iter(lambda: channel.basic_get("dead-letters", no_ack=True), None))
        return [message.body if isinstance(message.body, bytes) else message.body.encode() for message in found]


def is_ok(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def wait_gone(pid: int | None) -> None:
    assert pid is not None
    eventually(lambda: is_gone(pid))
