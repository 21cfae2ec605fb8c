"""A real gateway before stand-ins of the services, on the embedded broker: the gateway is the subject, the services are foreign.

    python -m tests.unit.gateway_stand AMQP_URI KEYS_DIRECTORY

runs the stand-ins: one asyncio process that answers the operations of all four services as the tests need it.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import aiormq
import httpx
from aiormq.abc import DeliveredMessage

from embedded import supervise
from embedded.supervise import Running, Spec
from ops.keys import make_keys
from services.contracts.customers import CustomerView
from services.contracts.permissions import ROLES
from services.plumbing.passport import Caller, Signer
from tests.brokers import EmbeddedBroker
from tests.nursery.spawning import spawn

ROOT = Path(__file__).parent.parent.parent
SERVICES = ("identity", "customers", "activities", "rules")
USER = UUID(int=7)
CUSTOMER = UUID(int=8)
NOW = "2026-01-02T03:04:05Z"
CUSTOMER_VIEW = dict.fromkeys(CustomerView.model_fields) | {
    "id": str(CUSTOMER),
    "version": 3,
    "name": "上海瑞丽服装有限公司",
    "aliases": [],
    "bound_names": [],
    "source": "own",
    "is_key": False,
    "key_criteria": [],
    "category": "potential",
    "tags": [],
    "custom": {},
    "restricted": {},
    "agency_id": str(UUID(int=1)),
    "owner_id": str(USER),
    "holding": 1,
    "held_since": NOW,
    "entered_by": str(USER),
    "entered_at": NOW,
}
FIGURE = {"value": 1, "limit": None, "minimum": None}


class Raised(Exception):
    """Becomes the error of this name at the caller."""

    def __init__(self, name: str, **details: Any) -> None:
        self.name, self.details = name, details


class StandIns:
    """Answers by what the message says: names and logins tell the stand-in how to behave."""

    def __init__(self, keys: Path) -> None:
        self.identity = Signer("identity", (keys / "signing" / "identity.pem").read_text())
        self.resolved: Counter[str] = Counter()
        self.revoked: set[str] = set()
        self.seen: dict[str, Any] = {}
        self.turn = asyncio.Lock()

    async def answer(self, operation: str, message: dict[str, Any], headers: dict[str, Any]) -> Any:
        self.seen = {"message": message, "headers": {key: str(value) for key, value in headers.items()}}
        return await getattr(self, operation)(message)

    async def health(self, message: dict[str, Any]) -> Any:
        return {"service": "any", "skew_seconds": 0.0}

    async def resolve_session(self, message: dict[str, Any]) -> Any:
        digest = message["token_digest"]
        self.resolved[digest] += 1
        await asyncio.sleep(0.05)
        if digest in self.revoked:
            raise Raised("NotAuthenticated")
        caller = Caller(str(USER), session_id=UUID(int=self.resolved[digest]), grants=ROLES["rep"], display_name="Li Lei")
        return {"token": self.identity.sign(caller)}

    async def open_session(self, message: dict[str, Any]) -> Any:
        if message["password"] != "right":
            raise Raised("WrongCredentials")
        identifier = str(UUID(message["token_digest"][:32]))
        return {"id": identifier, "user_id": str(USER), "expires_at": NOW, "password_change_required": False}

    async def end_session(self, message: dict[str, Any]) -> Any:
        return {}

    async def setup_state(self, message: dict[str, Any]) -> Any:
        return {"needed": True}

    async def invite_user(self, message: dict[str, Any]) -> Any:
        return {"user_id": message["user_id"], "expires_at": NOW}

    async def show_profile(self, message: dict[str, Any]) -> Any:
        """Carries how often sessions were resolved."""
        view = {"id": str(USER), "login": "li", "display_name": str(self.resolved.total()), "roles": ["rep"]}
        unit = {"agency_id": str(USER), "agency_name": "a", "department_id": str(USER), "department_name": "d"}
        departments: dict[str, list[str]] = {"managed_department_ids": [], "other_department_ids": []}
        return view | unit | departments | {"permissions": {}, "password_change_required": False}

    async def add_agency(self, message: dict[str, Any]) -> Any:
        """`revoke DIGEST` revokes a session; `raise NAME` raises; `seen` tells what came last."""
        match message["name"].split():
            case ["revoke", digest]:
                self.revoked.add(digest)
            case ["raise", name]:
                raise Raised(name, reason="as asked", incident="42")
            case ["sleep", seconds]:
                await asyncio.sleep(float(seconds))
            case ["nonsense"]:
                return {"not": "an agency"}
        return {"id": str(USER), "name": json.dumps(self.seen), "is_headquarters": False, "is_frozen": False, "version": 1}

    async def list_agencies(self, message: dict[str, Any]) -> Any:
        start, limit = int(message.get("cursor") or 0), message.get("limit", 50)
        items = [
            {"id": str(UUID(int=n)), "name": f"{n}", "is_headquarters": False, "is_frozen": False, "version": 1}
            for n in range(start, min(start + limit, 5))
        ]
        return {"items": items, "next_cursor": str(start + limit) if start + limit < 5 else None}

    async def suggest_collisions(self, message: dict[str, Any]) -> Any:
        """Carries the request in the words of its verdict; never answers those whose name is `wait`."""
        told = json.dumps(self.seen)
        if message.get("name") == "wait":
            await asyncio.Event().wait()
        return {"fields": {}, "hits": [], "verdict": {"verdict": "free", "message": told}}

    async def enter_customer(self, message: dict[str, Any]) -> Any:
        """Those with `turns` in their names take turns of 20 ms: fifty a second."""
        if "turns" in message["name"]:
            async with self.turn:
                await asyncio.sleep(0.02)
        match message["name"]:
            case "held":
                told = {"reason": "held_by_colleague", "message": "A colleague holds this customer.", "ask": ["Han Mei"]}
                return {"outcome": "refused", "verdict": {"verdict": "refused", **told}}
            case "pooled":
                return {"outcome": "claimable"}
            case "near":
                return {"outcome": "needs_confirmation"}
            case "mine":
                return {"outcome": "bound_to_yours", "customer_id": str(CUSTOMER), "version": 3}
        return {"outcome": "created", "customer_id": str(CUSTOMER), "version": 1}

    async def show_member_source_keys(self, message: dict[str, Any]) -> Any:
        """Of the source with the number 0 none, of others the one of its number, and from 2 on the one before."""
        number = UUID(message["source_id"]).int
        return {"versions": [each for each in (number, number - 1) if each]}

    async def receive_member(self, message: dict[str, Any]) -> Any:
        """Its id is made of the command's; `gone` was disabled just now."""
        if message["name"] == "gone":
            raise Raised("NotFound")
        return {"id": str(uuid5(USER, self.seen["headers"]["nameko.command_id"])), "received_at": NOW}

    async def show_customer(self, message: dict[str, Any]) -> Any:
        if message["customer_id"] != str(CUSTOMER):
            raise Raised("NotFound")
        return CUSTOMER_VIEW

    async def update_customer(self, message: dict[str, Any]) -> Any:
        if message["expected_version"] != 3:
            raise Raised("VersionConflict")
        return CUSTOMER_VIEW | {"version": 4, "city": json.dumps(message)}

    async def list_customers(self, message: dict[str, Any]) -> Any:
        return {"items": [CUSTOMER_VIEW], "next_cursor": None}

    async def show_day(self, message: dict[str, Any]) -> Any:
        """Carries the request in its time zone."""
        names = ("stock", "entered", "contacts", "effective_contacts", "new_key_customers")
        person = {"person_id": str(USER), "person_name": "Li Lei", "web_members": []}
        return {"day": "2026-01-02", "time_zone": json.dumps(self.seen)} | person | dict.fromkeys(names, FIGURE)


async def run_stand_ins(uri: str, keys: Path) -> None:
    connection = await aiormq.connect(uri)
    channel = await connection.channel()
    await channel.exchange_declare(exchange="nameko-rpc", exchange_type="topic", durable=True)
    stand_ins = StandIns(keys)

    async def on_request(message: DeliveredMessage) -> None:
        properties, (request,) = message.header.properties, json.loads(message.body)["args"]
        try:
            operation = str(message.delivery.routing_key).split(".")[1]  # type: ignore[union-attr]
            reply = {"result": await stand_ins.answer(operation, request, dict(properties.headers or {})), "error": None}
        except Raised as raised:
            error = {"exc_type": raised.name, "exc_path": raised.name, "exc_args": [raised.details], "value": "canary"}
            reply = {"result": None, "error": error}
        body = json.dumps(reply).encode()
        answer = aiormq.spec.Basic.Properties(correlation_id=properties.correlation_id, content_type="application/json")
        await channel.basic_publish(body, exchange="nameko-rpc", routing_key=properties.reply_to or "", properties=answer)

    for service in SERVICES:
        await channel.queue_declare(f"rpc-{service}", durable=True)
        await channel.queue_bind(f"rpc-{service}", "nameko-rpc", f"{service}.*")
        await channel.basic_consume(f"rpc-{service}", on_request, no_ack=True)
    print("ready", flush=True)
    await asyncio.Event().wait()


# --- for tests


def wait_until(condition: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Stand:
    """Broker, stand-ins and gateways; all processes of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.keys = directory, directory / "keys"
        make_keys(self.keys)
        self.broker = EmbeddedBroker(directory / "broker")
        self.broker.start()
        self.services = self.start_services()

    def start_services(self) -> Running:
        command = (sys.executable, "-m", "tests.unit.gateway_stand", self.broker.uri, str(self.keys))
        said = self.directory / "services.log"
        with said.open("wb") as log:
            process = spawn(Spec("services", command, os.environ, folder=ROOT), os.dup(log.fileno()))
        wait_until(lambda: process.has_ended() or "ready\n" in said.read_text())
        assert not process.has_ended(), said.read_text()
        return process

    @contextlib.contextmanager
    def gateway(self, **settings: object) -> Iterator["Gateway"]:
        """`python -m gateway` with `QUDAO_<SETTING>` as given, ended and waited for at the end."""
        gateway = Gateway(self, settings)
        try:
            gateway.wait_answering()
            yield gateway
        finally:
            gateway.end()

    def stop(self) -> None:
        end(self.services)
        self.broker.stop()


@contextlib.contextmanager
def running_stand(directory: Path) -> Iterator[Stand]:
    stand = Stand(directory)
    try:
        yield stand
    finally:
        stand.stop()


class Gateway:
    def __init__(self, stand: Stand, settings: dict[str, object]) -> None:
        self.port, self.health_port = free_port(), free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.log_path = stand.directory / f"gateway-{self.port}.log"
        given: dict[str, object] = {
            "amqp_uri": stand.broker.uri,
            "signing_key_file": stand.keys / "signing" / "gateway.pem",
            "trusted_keys_dir": stand.keys / "trusted",
            "http_port": self.port,
            "health_port": self.health_port,
            **settings,
        }
        environment = os.environ | {f"QUDAO_{name.upper()}": str(value) for name, value in given.items()}
        with self.log_path.open("wb") as log:
            spec = Spec("gateway", (sys.executable, "-m", "gateway"), environment, folder=ROOT)
            self.process = spawn(spec, os.dup(log.fileno()))

    def wait_answering(self) -> None:
        wait_until(lambda: self.is_answering("/readyz") or self.process.has_ended(), 20)
        assert not self.process.has_ended(), self.log

    def is_answering(self, path: str) -> bool:
        try:
            return httpx.get(self.base + path, verify=False).status_code == 200
        except httpx.TransportError:
            return False

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def log_lines(self, **fields: object) -> list[dict[str, Any]]:
        """The lines that carry these fields."""
        lines = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        return [line for line in lines if fields.items() <= line.items()]

    def client(self, token: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.base, headers=headers, timeout=10, verify=False)  # no TLS, no certificates to load

    def end(self) -> None:
        end(self.process)


def end(process: Running) -> int:
    """Its exit code; it has been asked to end, and is killed when it does not."""
    if not process.has_ended():
        os.kill(process.pid, signal.SIGTERM)
        if not supervise.wait_until(process.has_ended, 8):
            os.kill(process.pid, signal.SIGKILL)
    return process.wait()


if __name__ == "__main__":
    asyncio.run(run_stand_ins(sys.argv[1], Path(sys.argv[2])))
