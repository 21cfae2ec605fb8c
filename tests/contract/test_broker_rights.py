"""The broker's users and their rights, on a real RabbitMQ that starts with the files of production."""

import ast
import contextlib
import http.client
import importlib
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import amqp
import pytest
from amqp.exceptions import AccessRefused, NotAllowed

from embedded import servers
from embedded.output import Files
from embedded.ports import free_port
from embedded.supervise import Supervisor
from ops.broker import ASKS, VHOST
from ops.compose import PASSWORDS, make_files
from ops.keys import SERVICES, make_keys
from services.contracts.base import Operation
from services.contracts.subscriptions import producers_for
from services.plumbing.bus import address
from services.plumbing.migrate import migrations_of
from tests.api import Headquarters, eventually, unique
from tests.brokers import make_broker
from tests.compose import CONTAINERS, ROOT, command_of, environment_here
from tests.rabbitmq import RabbitNode

PATIENCE = 60.0
UNKNOWN_UUID = str(uuid.uuid4())


class ProductionNode(RabbitNode):
    """Starts with deploy/rabbitmq.conf and the definitions, and with no user besides."""

    definitions: Path

    def start(self) -> None:
        self._write_configuration()
        settings = (ROOT / "deploy" / "rabbitmq.conf").read_text()
        settings = settings.replace("/run/secrets/broker-definitions", str(self.definitions))
        settings = settings.replace("disk_free_limit.absolute = 1GB", "disk_free_limit.absolute = 10MB")
        (self._directory / "rabbitmq.conf").write_text(f"listeners.tcp.1 = {self.host}:{self.port}\n{settings}")
        self._epmd = self._run_epmd()
        with (self._directory / "console.log").open("ab") as console:
            self._node = subprocess.Popen(
                [self._binaries / "rabbitmq-server"],
                env=self._environment(),
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        wait_until(self.is_listening, "RabbitMQ")

    def is_listening(self) -> bool:
        assert self._node is not None
        assert self._node.poll() is None, self._last_words()
        return servers.is_listening(self.port)

    @property
    def log(self) -> str:
        return (self._directory / "console.log").read_text(errors="replace")


@dataclass
class Installation:
    """A broker, databases and all processes of docker-compose.yml; `logs` has a file of each."""

    node: ProductionNode
    secrets: Path
    logs: Path
    gateway_port: int
    health_ports: dict[str, int]

    def connection(self, user: str) -> amqp.Connection:
        """Waits for the broker's confirm of what is published, so that a refusal is raised there."""
        uri = (self.secrets / f"{user}-amqp-uri").read_text()
        return amqp.Connection(**address(uri), confirm_publish=True)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("compose")
    secrets, logs = folder / "secrets", folder / "logs"
    logs.mkdir()
    with contextlib.ExitStack() as running:
        make_broker("rabbitmq", folder)  # skips where there is none
        node = ProductionNode(folder / "rabbitmq")
        make_keys(secrets)
        supervisor = Supervisor(Files(logs))
        running.callback(lambda: supervisor.end(supervisor.processes, 5))
        running.callback(supervisor.stop)
        admin_url = servers.start_database(folder / "postgresql", secrets / "postgres-password", supervisor, fast=True)
        make_files(secrets, postgres=admin_url.split("@")[1].split("/")[0], broker=f"127.0.0.1:{node.port}")
        node.definitions = secrets / "broker-definitions"
        running.callback(node.stop)
        node.start()
        for step in ("provision", "migrate", "topology"):
            done = subprocess.run(
                command_of(step), env=environment_here(step, secrets), cwd=ROOT, capture_output=True, text=True, timeout=60
            )
            assert done.returncode == 0, f"{step}: {done.stdout}{done.stderr}"
        gateway_port, health_ports = free_port(), {name: free_port() for name in (*SERVICES, "gateway")}
        started = [
            running.enter_context(process(name, secrets, logs, QUDAO_HTTP_PORT=str(gateway_port), QUDAO_HEALTH_PORT=str(port)))
            for name, port in health_ports.items()
        ]
        wait_until(lambda: is_ready(gateway_port, started), f"the gateway, see {logs}")
        yield Installation(node, secrets, logs, gateway_port, health_ports)


@contextlib.contextmanager
def process(name: str, secrets: Path, logs: Path, **ports: str) -> Iterator[subprocess.Popen[bytes]]:
    with (logs / name).open("wb") as log:
        started = subprocess.Popen(
            command_of(name),
            env=environment_here(name, secrets, **ports),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(20)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def is_ready(port: int, processes: list[subprocess.Popen[bytes]]) -> bool:
    assert all(process.poll() is None for process in processes), f"{processes} do not all run"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    return False


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what} was not ready in {PATIENCE:g} s"
        time.sleep(0.1)


# --- what must work


def test_a_request_goes_through_all_services_and_its_events_reach_the_figures(installation: Installation) -> None:
    setup_secret = (installation.secrets / "setup-secret").read_text()
    headquarters = Headquarters.set_up(f"http://127.0.0.1:{installation.gateway_port}", setup_secret)
    rep = headquarters.person()

    entered = rep.post("/v1/customers", {"name": unique("蓝鲸"), "is_key": True})
    rep.post(f"/v1/customers/{entered['customer_id']}/notes", {"method": "phone", "content": "谈了合作", "maturity": 2})

    eventually(lambda: rep.get("/v1/me/day"), until=lambda day: day["stock"]["value"] == day["effective_contacts"]["value"] == 1)
    eventually(lambda: headquarters.admin.get("/v1/log")["items"], until=lambda items: "customer_entered" in names(items))


def names(log: list[dict[str, Any]]) -> set[str]:
    return {entry["name"] for entry in log}


def test_the_broker_refuses_nothing_that_a_process_does(installation: Installation) -> None:
    rules = (installation.logs / "rules").read_text()

    assert "sweep of" not in rules
    for log in installation.logs.iterdir():
        assert "ACCESS_REFUSED" not in log.read_text(errors="replace"), log.name


@pytest.mark.parametrize("name", [*SERVICES, "gateway"])
def test_the_health_check_of_a_container_finds_a_ready_process(installation: Installation, name: str) -> None:
    program = CONTAINERS[name]["healthcheck"]["test"][-1]

    for port, expected in ((installation.health_ports[name], 0), (free_port(), 1)):
        here = program.replace("9000", str(port))
        assert subprocess.run([sys.executable, "-c", here], capture_output=True, timeout=30).returncode == expected


# --- what must not

Act = Callable[[amqp.Channel], Any]


def publish(exchange: str, routing_key: str) -> Act:
    return lambda channel: channel.basic_publish(amqp.Message("{}"), exchange, routing_key)


def with_own_reply_queue(act: Callable[[amqp.Channel, str], Any]) -> Act:
    def make_and_act(channel: amqp.Channel) -> None:
        queue = f"rpc.reply-activities-{uuid.uuid4()}"
        channel.queue_declare(queue, exclusive=True)
        act(channel, queue)

    return make_and_act


REFUSED: dict[str, Act] = {
    "publish another's events": publish("customers.events", "customer_entered"),
    "write into a queue past the exchanges": publish("", "rpc-identity"),
    "dead-letter by hand": publish("dead-letters", "any"),
    "send requests to what is no service": publish("nameko-rpc", "everybody.health"),
    "read another's requests": lambda channel: channel.basic_consume("rpc-identity"),
    "take one of another's requests": lambda channel: channel.basic_get("rpc-identity"),
    "throw away another's requests": lambda channel: channel.queue_purge("rpc-identity"),
    "read another's events": lambda channel: channel.basic_consume("events-rules"),
    "read what was dead-lettered": lambda channel: channel.basic_get("dead-letters"),
    "make a queue": lambda channel: channel.queue_declare("mine"),
    "make a queue without a name": lambda channel: channel.queue_declare(""),
    "make a reply queue of another": lambda channel: channel.queue_declare(f"rpc.reply-gateway-{uuid.uuid4()}"),
    "make its own work queue": lambda channel: channel.queue_declare("rpc-activities", durable=True, auto_delete=False),
    "make an exchange": lambda channel: channel.exchange_declare("mine", "topic"),
    "delete its own work queue": lambda channel: channel.queue_delete("rpc-activities"),
    "delete an exchange": lambda channel: channel.exchange_delete("activities.events"),
    "bind its work queue to others' requests": lambda channel: channel.queue_bind("rpc-activities", "nameko-rpc", "#"),
    "copy others' requests": with_own_reply_queue(lambda channel, queue: channel.queue_bind(queue, "nameko-rpc", "identity.*")),
    "copy everything": with_own_reply_queue(lambda channel, queue: channel.queue_bind(queue, "nameko-rpc", "#")),
    "copy another's events": with_own_reply_queue(lambda channel, queue: channel.queue_bind(queue, "customers.events", "#")),
}


@pytest.mark.parametrize("deed", REFUSED)
def test_the_broker_refuses_the_user_activities_to(installation: Installation, deed: str) -> None:
    with installation.connection("activities") as connection, pytest.raises(AccessRefused):
        REFUSED[deed](connection.channel())


def test_a_service_sends_requests_only_to_those_that_it_asks(installation: Installation) -> None:
    with installation.connection("identity") as connection, pytest.raises(AccessRefused):
        publish("nameko-rpc", "rules.health")(connection.channel())


def test_a_user_makes_binds_and_reads_its_own_reply_queue(installation: Installation) -> None:
    with installation.connection("activities") as connection:
        channel = connection.channel()
        queue = f"rpc.reply-activities-{UNKNOWN_UUID}"
        channel.queue_declare(queue, exclusive=True)
        channel.queue_bind(queue, "nameko-rpc", UNKNOWN_UUID)
        channel.basic_publish(amqp.Message("{}"), "nameko-rpc", UNKNOWN_UUID)

        assert channel.basic_get(queue, no_ack=True).body == "{}"


def test_no_user_reads_the_reply_queue_of_another(installation: Installation) -> None:
    listed = installation.node.ctl("list_queues", "--vhost", VHOST, "name").split()
    replies = [name for name in listed if name.startswith("rpc.reply-customers-")]
    assert replies, "customers has no reply queue"

    for user in ("identity", "activities", "rules", "gateway"):
        with installation.connection(user) as connection, pytest.raises(AccessRefused):
            connection.channel().basic_consume(replies[0])


@pytest.mark.parametrize("user", [*SERVICES, "gateway"])
@pytest.mark.parametrize("service", SERVICES)
def test_only_a_service_publishes_its_events_and_reads_its_requests(installation: Installation, user: str, service: str) -> None:
    expected = contextlib.nullcontext() if user == service else pytest.raises(AccessRefused)

    with installation.connection(user) as connection, expected:
        connection.channel().basic_publish(amqp.Message("{}"), f"{service}.events", "nobody_hears_this")
    with installation.connection(user) as connection, expected:
        tag = connection.channel().basic_consume(f"rpc-{service}")
        assert tag


def test_guest_is_gone_and_so_is_the_default_vhost(installation: Installation) -> None:
    node = installation.node

    assert set(node.ctl("list_users", "--no-table-headers").split()) - {"[]"} == set(PASSWORDS)
    assert node.ctl("list_vhosts", "--no-table-headers").split() == [VHOST]
    for vhost in ("/", VHOST):
        with pytest.raises(AccessRefused):
            amqp.Connection(f"{node.host}:{node.port}", userid="guest", password="guest", virtual_host=vhost).connect()


def test_a_user_enters_no_other_vhost(installation: Installation) -> None:
    password = (installation.secrets / PASSWORDS["gateway"]).read_text()
    node = installation.node

    with pytest.raises(NotAllowed):
        amqp.Connection(f"{node.host}:{node.port}", userid="gateway", password=password, virtual_host="/").connect()


def test_definitions_made_anew_change_a_password(installation: Installation) -> None:
    before = (installation.secrets / "deployer-amqp-uri").read_text()
    postgres = (installation.secrets / "admin-database-url").read_text().split("@")[1].split("/")[0]
    (installation.secrets / PASSWORDS["deployer"]).unlink()
    make_files(installation.secrets, postgres=postgres, broker=f"127.0.0.1:{installation.node.port}")

    installation.node.ctl("import_definitions", str(installation.secrets / "broker-definitions"))

    installation.connection("deployer").connect()
    with pytest.raises(AccessRefused):
        amqp.Connection(**address(before)).connect()


# --- the table behind the rights


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_asks_only_those_that_it_may_ask(service: str) -> None:
    asked = {operation.service for operation in operations_asked_by(service)}

    assert asked <= producers_for(service) | set(ASKS.get(service, ())), "ops.broker.ASKS does not know it: RabbitMQ would refuse"


ASKING = ("ask", "ask_in_own_name")


def operations_asked_by(service: str) -> Iterator[Operation[Any, Any]]:
    """Those who keep a directory ask identity for people of whom they have not heard."""
    own, directory = sorted((ROOT / "services" / service).rglob("*.py")), sorted((ROOT / "services/directory").rglob("*.py"))
    keeps_one = any(migration.track == "directory" for migration in migrations_of(service))
    for path in [*own, *directory] if keeps_one else own:
        module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ASKING:
                match node.args[0]:
                    case ast.Name(name):
                        yield getattr(module, name)
                    case ast.Attribute(ast.Name(imported), name):
                        yield getattr(getattr(module, imported), name)
                    case _:
                        pytest.fail(f"{path}:{node.lineno} asks for what cannot be read from the source")
