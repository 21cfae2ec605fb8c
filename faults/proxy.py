"""A TCP proxy that brings the faults of a network into the way between two processes.

One thread with one event loop carries all proxies of a `Proxies`. What is public is called from other threads, and returns when
it has come about. A connection is a pair of sockets, one to the client and one to the target, with two flows between them. A
fault ends with its `with`: held bytes are then delivered, and connections of which anything was swallowed (bytes, an end, a peer)
are reset, as TCP never goes on after a gap. A client whose target cannot be reached is accepted and reset.
"""

import asyncio
import contextlib
import random
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AbstractContextManager
from typing import Any, Self, TypeVar

from embedded.ports import free_port
from faults.pair import Pair
from faults.weather import FINE, Direction, Pace, Weather

T = TypeVar("T")

THROTTLED_PIECES = 20
"""A throttled direction delivers so many pieces a second."""

BACKLOG = 4096


class FaultIsOn(Exception):
    """A proxy has one fault at a time."""


class Proxy:
    """Listens on 127.0.0.1:`port` and forwards to `target`, which is that of new connections. `carried`: bytes, both ways."""

    def __init__(self, proxies: "Proxies", name: str, host: str, port: int) -> None:
        self.proxies, self.name, self.target = proxies, name, (host, port)
        self.loop = proxies.loop
        self.chance = random.Random(f"{proxies.seed} {name}")
        self.pairs: set[Pair] = set()
        self.carried = 0
        self.weather = FINE
        self.listener: asyncio.Server
        # Not one of those for outgoing connections: while the proxy refuses, a client could get it as its own and meet itself.
        self.port = free_port()

    @property
    def connections(self) -> int:
        return len(self.pairs)

    def cut(self) -> AbstractContextManager[None]:
        """Connections are closed, new ones refused."""
        return self.under(Weather(refuses=True))

    def reset(self) -> AbstractContextManager[None]:
        """Connections are reset, new ones accepted and reset at once."""
        return self.under(Weather(resets=True))

    def slow(self, latency: float, jitter: float = 0.0) -> AbstractContextManager[None]:
        """Bytes need `latency` seconds, plus or minus at most `jitter`, each way: a round trip takes twice as long."""
        return self.under(Weather(pace=Pace(latency=latency, jitter=jitter)))

    def throttled(self, bytes_per_second: int) -> AbstractContextManager[None]:
        """Each direction of each connection carries no more than that."""
        size = max(1, bytes_per_second // THROTTLED_PIECES)
        return self.under(Weather(pace=Pace(size=size, per_byte=1 / bytes_per_second)))

    def sliced(self, size: int, delay: float) -> AbstractContextManager[None]:
        """Bytes arrive in pieces of `size`, each `delay` seconds after the one before."""
        return self.under(Weather(pace=Pace(size=size, per_piece=delay)))

    def black_hole(self) -> AbstractContextManager[None]:
        """Connections stay open and all is swallowed, their ends too; new ones are accepted and swallowed without a target."""
        return self.under(Weather(connects=False, deaf=frozenset(("to_client", "to_target"))))

    def half_open(self) -> AbstractContextManager[None]:
        """Connections lose their target, and the client does not learn it; new ones go through."""
        return self.under(Weather(halves=True))

    def deaf(self, direction: Direction) -> AbstractContextManager[None]:
        """All that goes in this direction is swallowed, ends too; the other direction works."""
        return self.under(Weather(deaf=frozenset((direction,))))

    def drop(self) -> None:
        """Resets all present connections."""
        self.proxies.do(self.end_all(reset=True))

    @contextlib.contextmanager
    def under(self, weather: Weather) -> Iterator[None]:
        self.proxies.do(self.begin(weather))
        try:
            yield
        finally:
            self.proxies.do(self.recover())

    async def begin(self, weather: Weather) -> None:
        if self.weather is not FINE:
            raise FaultIsOn(self.name)
        self.weather = weather
        if weather.refuses:
            self.listener.close()
        if weather.refuses or weather.resets:
            await self.end_all(reset=weather.resets)
        for pair in list(self.pairs):
            if weather.halves:
                pair.halve()
            else:
                pair.adapt(weather)

    async def recover(self) -> None:
        refused, self.weather = self.weather.refuses, FINE
        for pair in list(self.pairs):
            pair.adapt(FINE)
            if pair.has_lost:
                pair.end(reset=True)
        if refused:
            await self.listen()

    async def end_all(self, *, reset: bool) -> None:
        pairs = list(self.pairs)
        for pair in pairs:
            pair.end(reset=reset)
        for pair in pairs:
            await pair.gone.wait()

    async def listen(self) -> None:
        self.listener = await self.loop.create_server(lambda: Pair(self).client, "127.0.0.1", self.port, backlog=BACKLOG)

    async def close(self) -> None:
        self.weather = Weather(refuses=True)
        self.listener.close()
        await self.end_all(reset=True)


class Proxies:
    """Proxies and the thread that carries them, inside a `with`. The same seed and names give the same jitter."""

    loop: asyncio.AbstractEventLoop
    leaving: asyncio.Event

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.proxies: list[Proxy] = []
        self.is_running = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.carry()), name="proxies", daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        self.is_running.wait()
        return self

    def __exit__(self, *error: object) -> None:
        self.do(self.close())
        self.thread.join()

    def add(self, name: str, host: str, port: int) -> Proxy:
        """A proxy that listens already. The target need not be there yet."""
        proxy = Proxy(self, name, host, port)
        self.do(proxy.listen())
        self.proxies.append(proxy)
        return proxy

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs in the loop, and gives its result or raises its error here."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    async def carry(self) -> None:
        self.loop, self.leaving = asyncio.get_running_loop(), asyncio.Event()
        self.is_running.set()
        await self.leaving.wait()

    async def close(self) -> None:
        for proxy in self.proxies:
            await proxy.close()
        self.leaving.set()
