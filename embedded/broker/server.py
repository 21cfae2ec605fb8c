"""Listening on the loopback interface, and stopping without leaving clients in the dark."""

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Final

from embedded.broker.broker import Broker
from embedded.broker.connection import Connection
from embedded.broker.login import Credentials

HOST: Final = "127.0.0.1"
_GOODBYE_SECONDS: Final = 1.0


class Server:
    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._broker = Broker()
        self._connections: set[Connection] = set()
        self._everyone_left = asyncio.Event()
        self._listener: asyncio.Server | None = None

    async def start(self, port: int) -> int:
        """The port it listens on: the one asked for, or a free one for 0."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(self._accept, HOST, port)
        chosen: int = self._listener.sockets[0].getsockname()[1]
        return chosen

    async def stop(self) -> None:
        """Says goodbye to every client; those that do not answer within a second are cut off."""
        if self._listener:
            self._listener.close()
        for connection in list(self._connections):
            connection.shut_down()
        if self._connections:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._everyone_left.wait(), _GOODBYE_SECONDS)
        for connection in list(self._connections):
            connection.abort()

    def _accept(self) -> Connection:
        return Connection(self._broker, self._credentials, self._arrived, self._left)

    def _arrived(self, connection: Connection) -> None:
        self._connections.add(connection)
        self._everyone_left.clear()

    def _left(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._everyone_left.set()


def write_port(file: Path, port: int) -> None:
    """At once or not at all: whoever waits for the file never reads half a number."""
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    unfinished.write_text(f"{port}\n")
    unfinished.replace(file)
