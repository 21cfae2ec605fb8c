"""`./qudao up`: runs the stack until somebody stops it, and tells how to begin."""

import json
import os
import shlex
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from embedded.output import Terminal
from embedded.readiness import get_json
from embedded.stack import Stack
from embedded.supervise import CannotStart
from embedded.wiring import MIGRATION, PARTS, Part, database_variable, owner_variable
from ops.keys import SERVICES
from services.plumbing.settings import read

FIRST_ADMINISTRATOR = {
    "secret": "",
    "agency_name": "Headquarters",
    "login": "admin",
    "display_name": "Administrator",
    "password": "<password>",
}


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """Ctrl-C, or somebody asked the launcher to end."""


def up(parts: Sequence[Part] = PARTS, migration: Sequence[str] = MIGRATION) -> int:
    """Runs until a signal comes. Raises CannotStart."""
    for number in SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # as nohup leaves it
            signal.signal(number, stop)
    begun = time.monotonic()
    try:
        stack = from_settings(parts, migration)
        try:
            stack.start()
            stack.wait_ready()
            for line in welcome(stack, time.monotonic() - begun):
                stack.say(line)
            threading.Event().wait()
        except Stopped:
            stack.say("stopping")
        finally:
            ignore_signals()
            stack.stop()
    except Stopped:
        pass
    return 0


def stop(_number: int, _frame: FrameType | None) -> None:
    ignore_signals()
    raise Stopped


def ignore_signals() -> None:
    """Stopping takes less than five seconds and is not to be interrupted."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def from_settings(parts: Sequence[Part], migration: Sequence[str]) -> Stack:
    names = [name for service in SERVICES for name in (database_variable(service), owner_variable(service))]
    return Stack(
        Path(os.environ["QUDAO_HOME"]),
        replicas=replicas(read("QUDAO_REPLICAS") or "", {part.name for part in parts}),
        env={name: url for name in names if (url := read(name))},
        amqp_uri=read("AMQP_URI"),
        database_url=read("DATABASE_URL"),
        host=read("QUDAO_HTTP_HOST") or "127.0.0.1",
        port=port(read("QUDAO_HTTP_PORT") or "8080"),
        output=Terminal(),
        parts=parts,
        migration=migration,
    )


def port(text: str) -> int:
    if text.isdecimal() and 0 < int(text) < 65536:
        return int(text)
    raise CannotStart(f"QUDAO_HTTP_PORT is {text!r}; it has to be a number from 1 to 65535.")


def replicas(text: str, known: set[str]) -> dict[str, int]:
    """`customers=2,gateway=2` as numbers."""
    wanted = dict(pair.strip().partition("=")[::2] for pair in text.split(",") if pair.strip())
    if wanted.keys() <= known and all(count.isdecimal() and 0 < int(count) <= 50 for count in wanted.values()):
        return {name: int(count) for name, count in wanted.items()}
    raise CannotStart(f"QUDAO_REPLICAS is {text!r}; it has to look like customers=2,gateway=2.")


def welcome(stack: Stack, seconds: float) -> list[str]:
    lines = [
        f"ready after {seconds:.1f} s; Ctrl-C stops everything, the data stays in {stack.home.folder}",
        *(f"address:   {url}" for url in stack.gateway_urls),
        f"API docs:  {stack.url}/docs",
    ]
    state = get_json(f"{stack.url}/v1/setup")
    if isinstance(state, dict) and state.get("needed"):
        lines += ["no administrator yet; make the first one, with a password of your own:", first_administrator(stack)]
    return lines


def first_administrator(stack: Stack) -> str:
    body = json.dumps({**FIRST_ADMINISTRATOR, "secret": stack.setup_secret})
    return f"curl -X POST {stack.url}/v1/setup -H 'Content-Type: application/json' -d {shlex.quote(body)}"
