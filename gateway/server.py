"""uvicorn with limits on what waits, and an end that lets running requests finish."""

import asyncio
import contextlib
import resource
import signal
import sys
from collections.abc import Iterator

import uvicorn
import uvloop
from starlette.types import ASGIApp

from gateway.app import make_app, make_backend, make_health_app
from gateway.settings import GatewaySettings
from gateway.sockets import Room, sockets_of
from services.plumbing.logs import configure_logs

GRACE = 4  # seconds in which running requests may finish
OTHER_FILES = 64  # descriptors that are not clients' sockets


def raise_file_limit() -> int:
    """As many descriptors as the system lets us have; how many that is."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else sys.maxsize


def make_room(settings: GatewaySettings) -> Room:
    """A host that gives few descriptors gives fewer places to wait."""
    max_open = raise_file_limit() - OTHER_FILES
    max_waiting = min(settings.max_waiting_sockets, max(1, max_open // 2))
    return Room(settings.header_timeout, max_waiting, max_open, settings.max_body_bytes)


class QuietServer(uvicorn.Server):
    """The second server of a process: the first one hears the signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def configure(app: ASGIApp, host: str, port: int, room: Room, *, lifespan: bool) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=sockets_of(room),
        ws="none",
        lifespan="on" if lifespan else "off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=4096,
        timeout_graceful_shutdown=GRACE,
    )


async def serve(settings: GatewaySettings) -> None:
    """Serves until SIGTERM or SIGINT, then stops accepting and lets running requests finish."""
    room = make_room(settings)
    backend = make_backend(settings)
    main = uvicorn.Server(configure(make_app(settings, backend), settings.http_host, settings.http_port, room, lifespan=True))
    watch = asyncio.create_task(room.watch())
    side: list[asyncio.Task[None]] = []
    if settings.health_port is not None:
        inner = Room(settings.header_timeout, 100, 200, settings.max_body_bytes)
        health = QuietServer(
            configure(make_health_app(backend), settings.health_host, settings.health_port, inner, lifespan=False)
        )
        side = [asyncio.create_task(inner.watch()), asyncio.create_task(health.serve())]
    try:
        await main.serve()
    finally:
        for task in (watch, *side):
            task.cancel()
        await asyncio.gather(watch, *side, return_exceptions=True)


def run(settings: GatewaySettings) -> None:
    configure_logs("gateway", settings.log_level)
    for ending in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises it again when it is done: a clean end, not a death
        signal.signal(ending, lambda number, frame: sys.exit(0))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings))
