"""The whole of Qudao as real processes on servers of its own, with a proxy on each way between two of them."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import psycopg

from embedded import postgres
from embedded.readiness import get
from embedded.stack import Stack
from embedded.supervise import Process, Spec
from embedded.wiring import GATEWAY, Wiring
from faults.proxy import Proxies, Proxy
from ops.addresses import derive
from ops.keys import SERVICES
from services.contracts.subscriptions import producers_for
from tests.brokers import Broker, EmbeddedBroker
from tests.rabbitmq import RabbitNode

REPLICAS = {service: 2 for service in (*SERVICES, GATEWAY)}
SETTINGS = {
    "QUDAO_SWEEP_EVERY": "5",
    "QUDAO_HEARTBEAT": "4",
    "QUDAO_CHORES_EVERY": "2",
    "QUDAO_RETRY_DELAYS": "[0.5, 1, 2, 4]",
}
"""Timers of minutes are lowered to seconds, so that what heals by them can be waited for; nothing else differs from `up`."""

LOOK_EVERY = 0.1
"""Seconds: what is asked has something better to do than to answer."""
BROKER, DATABASE, DOOR = "broker", "database", "door"


class NotQuiet(Exception):
    """The system does not come to rest: something is sent, tried or chained again and again. Says what."""


class ProxiedStack(Stack):
    """A stack in which each process finds its broker and its database, and clients the gateways, behind proxies."""

    def __init__(self, home: Path, proxies: Proxies, failpoints: Path | None, **options: Any) -> None:
        super().__init__(home, **options)
        self.proxies, self.failpoints = proxies, failpoints
        self.ways: dict[str, Proxy] = {}

    def way(self, name: str, host: str, port: int) -> Proxy:
        if name not in self.ways:
            self.ways[name] = self.proxies.add(name, host, port)
        return self.ways[name]

    def wiring(self) -> Wiring:
        plain = super().wiring()
        users = {service: self.through(f"{service}-{DATABASE}", url) for service, url in plain.database_urls.items()}
        brokers = {issuer: self.through(f"{issuer}-{BROKER}", self.amqp_uri) for issuer in (*SERVICES, GATEWAY)}
        given = {field.name: getattr(plain, field.name) for field in dataclasses.fields(plain)}
        return ProxiedWiring(**{**given, "database_urls": users}, brokers=brokers, failpoints=self.failpoints)

    def through(self, name: str, url: str) -> str:
        """The same address with the proxy's port."""
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        port = self.way(name, parts.hostname, parts.port).port
        login, _, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{port}"))


@dataclasses.dataclass(frozen=True)
class ProxiedWiring(Wiring):
    brokers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    failpoints: Path | None = None

    def on_the_broker(self, issuer: str) -> dict[str, str]:
        settings = super().on_the_broker(issuer) | {"QUDAO_AMQP_URI": self.brokers[issuer]}
        if self.failpoints:
            settings["QUDAO_FAILPOINT"] = str(self.failpoints / issuer)
        return settings


class System:
    """Runs inside a `with`. Its PostgreSQL is supervised as in `up`; its broker is the campaign's."""

    def __init__(
        self,
        home: Path,
        *,
        broker: str = "rabbitmq",
        replicas: Mapping[str, int] = REPLICAS,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.home = home
        self.failpoints = home / "failpoints"
        self.failpoints.mkdir(parents=True)
        self.broker: Broker = RabbitNode(home / "rabbitmq") if broker == "rabbitmq" else EmbeddedBroker(home / "broker")
        self.proxies = Proxies()
        self.replicas, self.env = replicas, {**SETTINGS, **(env or {})}
        self.stack: ProxiedStack
        self.started = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as started:
            started.callback(self.broker.stop)
            self.broker.start()
            started.enter_context(self.proxies)
            self.stack = ProxiedStack(
                self.home / "home",
                self.proxies,
                self.failpoints,
                replicas=self.replicas,
                env=self.env,
                amqp_uri=self.broker.uri,
            )
            started.enter_context(self.stack)
            for number, url in enumerate(self.stack.gateway_urls, 1):
                self.stack.way(f"{DOOR}-{number}", "127.0.0.1", int(urlsplit(url).port or 0))
            self.started = started.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self.started.close()

    # --- where it is

    @property
    def doors(self) -> list[str]:
        """The gateways' addresses as clients know them."""
        return [f"http://127.0.0.1:{way.port}" for name, way in self.stack.ways.items() if name.startswith(DOOR)]

    def way(self, name: str) -> Proxy:
        return self.stack.ways[name]

    @property
    def ways(self) -> list[str]:
        return sorted(self.stack.ways)

    def database_urls(self) -> dict[str, str]:
        """Past the proxies, as the databases' superuser."""
        return {service: derive(self.stack.admin_url, self.stack.database(service).name) for service in SERVICES}

    def rows(self, service: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_urls()[service], autocommit=True) as connection:
            return connection.execute(statement, values).fetchall()

    def processes(self, *kinds: str) -> list[Process]:
        """Every replica of these kinds; of all services and the gateway when none is given."""
        found = self.stack.processes
        return [process for kind in kinds or (*SERVICES, GATEWAY) for process in found[kind]]

    # --- whether it is well

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Until every service process and every gateway says so. Raises NotQuiet."""
        for process in self.processes(*SERVICES):
            url = f"http://127.0.0.1:{process.spec.env['QUDAO_HEALTH_PORT']}/readyz"
            self.wait(lambda url=url: get(url)[0] == 200, seconds, f"{process.spec.name} is not ready")  # type: ignore[misc]
        for url in self.stack.gateway_urls:
            self.wait(lambda url=url: get(f"{url}/readyz")[0] == 200, seconds, f"{url} is not ready")  # type: ignore[misc]

    @staticmethod
    def wait(condition: Callable[[], bool], seconds: float, sentence: str) -> float:
        """Seconds until it held. Raises NotQuiet."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > seconds:
                raise NotQuiet(f"{sentence} after {seconds:g} s")
            time.sleep(LOOK_EVERY)
        return time.monotonic() - began

    def wait_quiet(self, seconds: float = 60.0) -> float:
        """Seconds until every event is sent, received by all who hear it, and every audit row chained. Raises NotQuiet."""
        began = time.monotonic()
        with contextlib.ExitStack() as opened:
            urls = self.database_urls().items()
            databases = {service: opened.enter_context(psycopg.connect(url, autocommit=True)) for service, url in urls}
            while troubles := unrest(databases):
                if time.monotonic() - began > seconds:
                    raise NotQuiet(f"after {seconds:g} s: {'; '.join(troubles)}")
                time.sleep(LOOK_EVERY)
        return time.monotonic() - began

    # --- more servers

    def add(self, *specs: Spec) -> list[Process]:
        return self.stack.supervisor.add(*specs)

    @property
    def data(self) -> Path:
        return self.stack.home.data

    @property
    def postgresql(self) -> Process:
        return self.stack.processes[postgres.NAME][0]


UNREST = """
    SELECT (SELECT count(*) FROM outbox WHERE published_at IS NULL), (SELECT count(*) FROM audit_unchained),
           (SELECT count(*) FROM inbox WHERE state = 'failed'), (SELECT coalesce(max(position), 0) FROM outbox)
"""


def unrest(databases: Mapping[str, psycopg.Connection[Any]]) -> list[str]:
    """What is still under way."""
    found, told = [], {}
    for service, database in databases.items():
        [(unsent, unchained, failed, told[service])] = database.execute(UNREST).fetchall()
        found += [f"{service}: {unsent} events to send"] * bool(unsent)
        found += [f"{service}: {unchained} audit rows to chain"] * bool(unchained)
        found += [f"{service}: {failed} events to try again"] * bool(failed)
    for service, database in databases.items():
        cursors = dict(database.execute("SELECT source, position FROM event_cursor").fetchall())
        for source in sorted(producers_for(service)):
            if behind := told[source] - cursors.get(source, 0):
                found.append(f"{service}: {behind} events of {source} to look for")
    return found


@contextlib.contextmanager
def halted(system: System, processes: Sequence[Process], grace: float = 10.0) -> Iterator[None]:
    """These processes down, and started again at the end."""
    system.stack.supervisor.end(processes, grace)
    try:
        yield
    finally:
        for process in processes:
            system.stack.supervisor.resume(process)
