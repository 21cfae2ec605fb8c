"""What each process is told: its own settings, and nothing of what belongs to another."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from embedded.ports import free_port
from embedded.supervise import Spec
from ops.keys import SERVICES

ROOT = Path(__file__).resolve().parent.parent
GATEWAY = "gateway"
BROKER = "broker"


@dataclass(frozen=True)
class Part:
    """A kind of process: its name, how one is started, and what it is told besides what all are."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


PARTS = (
    *(Part(service, (sys.executable, "-m", "services.plumbing.run", service)) for service in SERVICES),
    Part(GATEWAY, (sys.executable, "-m", "gateway")),
)
MIGRATION = (sys.executable, "-m", "services.plumbing.migrate", *SERVICES)


def database_variable(service: str) -> str:
    return f"QUDAO_{service.upper()}_DATABASE_URL"


def owner_variable(service: str) -> str:
    return f"QUDAO_{service.upper()}_OWNER_DATABASE_URL"


# What is decided here, so that the launcher's own environment does not decide it for a process.
DECIDED = frozenset(
    f"{name}{suffix}"
    for suffix in ("", "_FILE")
    for name in (
        "DATABASE_URL",
        "AMQP_URI",
        "QUDAO_ADMIN_DATABASE_URL",
        "QUDAO_AMQP_URI",
        "QUDAO_BROKER_PASSWORD",
        "QUDAO_HEALTH_PORT",
        "QUDAO_HTTP_HOST",
        "QUDAO_HTTP_PORT",
        "QUDAO_SETUP_SECRET",
        "QUDAO_SIGNING_KEY",
        "QUDAO_TRUSTED_KEYS_DIR",
        *map(database_variable, SERVICES),
        *map(owner_variable, SERVICES),
    )
)


@dataclass(frozen=True)
class Wiring:
    """Where the servers and secrets of one stack are; `extra` goes to every process."""

    amqp_uri: str
    database_urls: Mapping[str, str]
    owner_urls: Mapping[str, str]
    secrets: Path
    extra: Mapping[str, str]

    def services(self, part: Part, count: int) -> list[Spec]:
        own = {database_variable(part.name): self.database_urls[part.name]}
        if part.name == "identity":
            own["QUDAO_SETUP_SECRET_FILE"] = str(self.secrets / "setup-secret")
        ports = [{"QUDAO_HEALTH_PORT": str(free_port())} for _ in range(count)]
        return self.specs(part, [self.on_the_broker(part.name) | own | port for port in ports])

    def gateways(self, part: Part, host: str, ports: Sequence[int]) -> list[Spec]:
        own = [{"QUDAO_HTTP_HOST": host, "QUDAO_HTTP_PORT": str(port)} for port in ports]
        return self.specs(part, [self.on_the_broker(part.name) | listening for listening in own])

    def migration(self, command: Sequence[str]) -> Spec:
        owners = {owner_variable(service): url for service, url in self.owner_urls.items()}
        users = {database_variable(service): url for service, url in self.database_urls.items()}
        return Spec("migrate", command, inherited(self.extra) | owners | users, folder=ROOT)

    def on_the_broker(self, issuer: str) -> dict[str, str]:
        return inherited(self.extra) | {
            "QUDAO_AMQP_URI": self.amqp_uri,
            "QUDAO_SIGNING_KEY_FILE": str(self.secrets / "signing" / f"{issuer}.pem"),
            "QUDAO_TRUSTED_KEYS_DIR": str(self.secrets / "trusted"),
        }

    def specs(self, part: Part, envs: Sequence[Mapping[str, str]]) -> list[Spec]:
        """The first is called like the part, the others `customers.2` and so on."""
        names = [part.name, *(f"{part.name}.{number}" for number in range(2, len(envs) + 1))]
        return [Spec(name, part.command, {**env, **part.env}, folder=ROOT) for name, env in zip(names, envs, strict=True)]


def inherited(extra: Mapping[str, str]) -> dict[str, str]:
    """The launcher's environment and `extra`, without what is decided here. Unbuffered, or lines arrive in lumps."""
    given = {**os.environ, **extra, "PYTHONUNBUFFERED": "1"}
    return {name: value for name, value in given.items() if name not in DECIDED}


def broker(password: str) -> Spec:
    command = (sys.executable, "-m", "embedded.broker", "--port", str(free_port()))
    return Spec(BROKER, command, inherited({}) | {"QUDAO_BROKER_PASSWORD": password}, folder=ROOT)
