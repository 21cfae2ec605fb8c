"""Everything that runs on one machine: database, broker, services, gateways. The launcher and the tests start the same stack."""

import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import psycopg

from embedded import postgres, servers
from embedded.home import Home
from embedded.output import Files, Output
from embedded.ports import gateway_ports
from embedded.readiness import get
from embedded.supervise import CannotStart, Process, Spawn, Supervisor, spawn
from embedded.wiring import BROKER, GATEWAY, MIGRATION, PARTS, Part, Wiring, database_variable, owner_variable
from ops.addresses import ServiceDatabase
from ops.keys import SERVICES, make_keys
from ops.provision import provision

# Seconds to end by themselves: together less than the five after which nothing may be left. The database gets what the
# others leave over, as its checkpoint saves the recovery at the next start, and this long to end without one.
STOP_GATEWAYS, STOP_SERVICES, STOP_BROKER, STOP_WITHOUT_CHECKPOINT, STOP_ALL = 1.0, 2.5, 0.3, 0.3, 4.4


class Stack:
    """The processes of one `home`, running inside a `with`. Without `amqp_uri` or `database_url` it brings its own servers.

    `fast` is for data that is thrown away. `env` goes to every process; a `QUDAO_<SERVICE>_DATABASE_URL` in it says that
    somebody else looks after this service's database. Without `port` the gateways listen on free ones, otherwise on `port`
    and those after it. `database_settings` are PostgreSQL's own, of the embedded one. Raises CannotStart.
    """

    spawn: ClassVar[Spawn] = staticmethod(spawn)
    """How processes are started; tests have a quicker way, see tests/nursery."""

    def __init__(
        self,
        home: Path,
        *,
        fast: bool = False,
        replicas: Mapping[str, int] | None = None,
        env: Mapping[str, str] | None = None,
        amqp_uri: str | None = None,
        database_url: str | None = None,
        host: str = "127.0.0.1",
        port: int | None = None,
        output: Output | None = None,
        parts: Sequence[Part] = PARTS,
        migration: Sequence[str] = MIGRATION,
        database_settings: Mapping[str, str] | None = None,
    ) -> None:
        self.home, self.fast, self.env, self.host, self.port = Home(home), fast, dict(env or {}), host, port
        self.replicas, self.parts, self.migration = dict(replicas or {}), parts, migration
        self.amqp_uri, self.admin_url, self.database_settings = amqp_uri or "", database_url or "", database_settings
        self.output = output or Files(self.home.logs)
        self.supervisor = Supervisor(self.output, self.spawn)
        self.gateway_urls: list[str] = []

    def __enter__(self) -> Self:
        try:
            self.start()
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    # --- start and stop

    def start(self) -> None:
        """Starts everything; the gateways may not answer yet. After an exception it takes `stop` to end what runs."""
        ports = gateway_ports(self.host, self.port, self.replicas.get(GATEWAY, 1))
        self.gateway_urls = [f"http://{reachable(self.host)}:{port}" for port in ports]
        self.home.hold()
        try:
            make_keys(self.secrets)
            self.start_servers()
        except OSError as error:
            raise CannotStart(f"{error.filename or self.home.folder} cannot be used: {error.strerror}.") from None
        wiring = self.wiring()
        self.migrate(wiring)
        for part in self.parts:
            if part.name == GATEWAY:
                self.supervisor.add(*wiring.gateways(part, self.host, ports))
            else:
                self.supervisor.add(*wiring.services(part, self.replicas.get(part.name, 1)))

    def start_servers(self) -> None:
        broker = None
        if not self.amqp_uri:
            broker = servers.start_broker(self.home.secret("broker-password"), self.supervisor)
            self.amqp_uri = servers.broker_uri(broker)
        self.say(f"broker: {'embedded, for trying and for tests only' if broker else 'the one in AMQP_URI'}")
        ours = [self.database(service) for service in SERVICES if database_variable(service) not in self.env]
        if ours:
            self.start_database(ours)
        if broker:
            servers.wait_for_broker(broker)

    def start_database(self, databases: Sequence[ServiceDatabase]) -> None:
        self.say(f"database: {'the one in DATABASE_URL' if self.admin_url else 'embedded PostgreSQL'}")
        try:
            if not self.admin_url:
                password = self.secrets / "postgres-password"
                self.admin_url = servers.start_database(
                    self.home.data, password, self.supervisor, fast=self.fast, settings=self.database_settings
                )
            provision(self.admin_url, databases)
        except psycopg.Error as error:
            raise CannotStart(f"The databases could not be made: {' '.join(str(error).split())}.") from None

    def migrate(self, wiring: Wiring) -> None:
        if not self.migration:
            return
        spec = wiring.migration(self.migration)
        if self.spawn(spec, self.output.sink(spec.name)).wait() != 0:
            raise CannotStart("The databases could not be migrated.", self.output.tail(spec.name))

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Until every gateway has had an answer from every service, and they from their databases."""
        end = time.monotonic() + seconds
        for url in self.gateway_urls:
            while (answer := get(f"{url}/readyz"))[0] != 200:
                if hopeless := self.supervisor.hopeless:
                    lines = self.output.tail(hopeless.spec.name)
                    raise CannotStart(f"{hopeless.spec.name} ends again and again instead of starting.", lines)
                if time.monotonic() > end:
                    raise CannotStart(f"{url}/readyz does not say that all is ready after {seconds:g} s: {answer[1]}.")
                time.sleep(0.1)

    def stop(self) -> None:
        """Ends everything: who takes requests first, the servers last."""
        end = time.monotonic() + STOP_ALL
        self.supervisor.stop()
        processes = self.processes
        gateways, brokers, databases = (processes.pop(kind, []) for kind in (GATEWAY, BROKER, postgres.NAME))
        self.supervisor.end(gateways, STOP_GATEWAYS)
        self.supervisor.end([service for replicas in processes.values() for service in replicas], STOP_SERVICES)
        self.supervisor.end(brokers, STOP_BROKER)
        self.supervisor.end(databases, end - time.monotonic(), STOP_WITHOUT_CHECKPOINT)
        self.home.release()

    # --- while it runs

    @property
    def processes(self) -> dict[str, list[Process]]:
        """By kind: `processes["customers"][1]` is the second replica."""
        kinds: dict[str, list[Process]] = {}
        for process in self.supervisor.processes:
            kinds.setdefault(process.spec.kind, []).append(process)
        return kinds

    def kill(self, name: str, index: int = 0, number: int = signal.SIGKILL) -> None:
        """Sends a signal; a process that ends by it is started again."""
        self.processes[name][index].signal(number)

    def halt(self, name: str, index: int = 0, grace: float = 10.0) -> None:
        """Ends a process, by force after the grace period (seconds), and leaves it down."""
        self.supervisor.end([self.processes[name][index]], grace, 1.0)

    def resume(self, name: str, index: int = 0) -> None:
        """Starts what was halted."""
        self.supervisor.resume(self.processes[name][index])

    def restart(self, name: str, index: int = 0, grace: float = 10.0) -> None:
        self.halt(name, index, grace)
        self.resume(name, index)

    # --- what is where

    @property
    def url(self) -> str:
        return self.gateway_urls[0]

    @property
    def secrets(self) -> Path:
        return self.home.secrets

    @property
    def setup_secret(self) -> str:
        return self.home.secret("setup-secret")

    def database(self, service: str) -> ServiceDatabase:
        return ServiceDatabase(service, self.env.get("QUDAO_DATABASE_PREFIX", "qudao"), self.secrets)

    def database_url(self, service: str) -> str:
        return self.env.get(database_variable(service)) or self.database(service).url(self.admin_url)

    def owner_url(self, service: str) -> str:
        if given := self.env.get(database_variable(service)):
            return self.env.get(owner_variable(service), given)
        return self.database(service).owner_url(self.admin_url)

    def health_url(self, service: str, index: int = 0) -> str:
        return f"http://127.0.0.1:{self.processes[service][index].spec.env['QUDAO_HEALTH_PORT']}"

    def log_of(self, name: str, index: int = 0) -> str:
        """What a process has written, over all its lives; only where output goes to files."""
        assert isinstance(self.output, Files)
        return self.output.text(self.processes[name][index].spec.name)

    def wiring(self) -> Wiring:
        users = {service: self.database_url(service) for service in SERVICES}
        owners = {service: self.owner_url(service) for service in SERVICES}
        return Wiring(self.amqp_uri, users, owners, self.secrets, self.env)

    def say(self, line: str) -> None:
        self.output.say("qudao", line)


def reachable(host: str) -> str:
    """How to call a gateway that listens on this address, which may be all of them."""
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
