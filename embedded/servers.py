"""The servers of a stack that has none given: PostgreSQL and the small broker, each as a process of ours."""

import socket
from collections.abc import Mapping
from pathlib import Path

import psycopg

from embedded import postgres, wiring
from embedded.ports import free_port
from embedded.postgres import Postgres
from embedded.supervise import CannotStart, Process, Supervisor, wait_until

PATIENCE = 60.0
LOOPBACK = "127.0.0.1"


def start_database(
    data: Path, password_file: Path, supervisor: Supervisor, *, fast: bool, settings: Mapping[str, str] | None = None
) -> str:
    """The administrator's address of the running server. Raises CannotStart."""
    server, port = Postgres(data, password_file, fast=fast, settings=settings), free_port()
    server.prepare()
    [process] = supervisor.add(server.spec(port))
    wait_until(lambda: bool(process.exits) or server.is_ready(process.pid), PATIENCE)
    if not server.is_ready(process.pid):
        why = postgres.reason("\n".join(process.output.tail(postgres.NAME)))
        raise CannotStart(f"PostgreSQL does not start on {data}: {why}.")
    close_to_others(server.url(port))
    return server.url(port)


def close_to_others(admin_url: str) -> None:
    """A service's role is to enter its own database alone; the server lets everybody into these two."""
    with psycopg.connect(admin_url) as admin:
        admin.execute("REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC")


def start_broker(password: str, supervisor: Supervisor) -> Process:
    """A broker that soon listens."""
    return supervisor.add(wiring.broker(password))[0]


def broker_uri(process: Process) -> str:
    return f"amqp://qudao:{process.spec.env['QUDAO_BROKER_PASSWORD']}@{LOOPBACK}:{port_of(process)}/"


def wait_for_broker(process: Process) -> None:
    """Raises CannotStart when it ends instead of listening."""
    wait_until(lambda: bool(process.exits) or is_listening(port_of(process)), PATIENCE)
    if not is_listening(port_of(process)):
        raise CannotStart("The embedded broker does not start.", process.output.tail(wiring.BROKER))


def port_of(process: Process) -> int:
    return int(process.spec.command[-1])


def is_listening(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True
