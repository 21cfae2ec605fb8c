"""The only reader of the environment. `X` may be given as a file instead: `X_FILE=/run/secrets/x`."""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError


class SettingMissing(SystemExit):
    """A process was started with a setting missing or wrong; the sentence says which."""


def read(name: str) -> str | None:
    """The variable, or the contents of the file that `<name>_FILE` points to; None when neither is set."""
    if value := os.environ.get(name):
        return value
    if path := os.environ.get(f"{name}_FILE"):
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingMissing(f"{name}_FILE: {path} cannot be read ({error.strerror}).") from None
    return None


def from_json(value: Any) -> Any:
    """What an environment variable cannot hold otherwise: `[1, 5, 25]`."""
    return json.loads(value) if isinstance(value, str) else value


Seconds = Annotated[tuple[float, ...], BeforeValidator(from_json), Field(min_length=1)]


class Settings(BaseModel):
    """Fields are filled from `QUDAO_<FIELD>`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    log_level: str = "INFO"

    @classmethod
    def load(cls, **given: str | None) -> Self:
        """From the environment; `given` values win over it."""
        found = {name: given[name] if name in given else read(f"QUDAO_{name.upper()}") for name in cls.model_fields}
        try:
            return cls.model_validate({name: value for name, value in found.items() if value is not None})
        except ValidationError as error:
            wrong = "; ".join(f"QUDAO_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors(include_input=False))
            raise SettingMissing(f"Settings are missing or wrong. {wrong}.") from None


class BusSettings(Settings):
    """What every process on the broker needs."""

    amqp_uri: SecretStr
    signing_key: SecretStr
    trusted_keys_dir: Path
    heartbeat: int = Field(default=10, description="seconds")
    rpc_timeout: float = Field(default=5.0, description="seconds that a caller waits for an answer")
    failpoint: str | None = Field(default=None, description="tests only: the marked point at which the process kills itself")


class ServiceSettings(BusSettings):
    """What a nameko service needs."""

    service: str
    database_url: SecretStr
    health_host: str = "127.0.0.1"
    health_port: int | None = None
    declare_topology: bool = Field(default=True, description="false where a deploy step with the right to does it")
    workers: int = Field(default=50, description="requests and events in work at once, also the broker's prefetch")
    pool_size: int = Field(default=10, description="connections to the database for writing, and as many for reading")
    statement_timeout_ms: int = 8_000
    relay_poll: float = Field(default=0.5, description="seconds between looks into the outbox when no notice came")
    sweep_every: float = Field(default=30.0, description="seconds between questions to producers for lost events")
    retry_delays: Seconds = Field(default=(1, 5, 25, 120), description="before each new try of a handler; a list in JSON")
    chores_every: float | None = Field(default=None, description="seconds; makes regular work come at least so often")
    audit_days: int | None = Field(
        default=None, ge=184, description="after which old audit rows go; without it they stay for ever"
    )
    inactive_days: int = Field(default=90, ge=1, description="identity only: days without a log-in after which a user is locked")
    log_in_wait: float = Field(
        default=900, ge=60, le=86_400, description="identity only: seconds that a log-in waits at most after failures"
    )
    known_devices: int = Field(default=10, ge=1, le=100, description="identity only: of one person")
    device_days: int = Field(default=90, ge=1, le=3_650, description="identity only: since the last log-in on a known device")
    setup_secret: SecretStr | None = Field(default=None, description="identity only: for the first administrator")

    @classmethod
    def of(cls, service: str) -> Self:
        return cls.load(service=service, database_url=read(f"QUDAO_{service.upper()}_DATABASE_URL"))


class GatewaySettings(BusSettings):
    """What the gateway needs."""

    http_host: str = "127.0.0.1"
    http_port: int = 8080
    header_timeout: float = Field(default=10.0, description="seconds in which a client must have sent its request's head")
    body_timeout: float = Field(default=20.0, description="seconds in which a client must have sent its request's body")
    max_body_bytes: int = 200_000
    max_waiting_sockets: int = Field(default=2_000, description="sockets without a complete head; the oldest is closed past it")
    passport_cache: float = Field(default=0.5, description="seconds; revocation is felt within one")
