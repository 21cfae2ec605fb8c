"""A TCP proxy that brings the faults of a network into the way between two processes.

One thread with one event loop carries all proxies of a `Proxies`. What is public is called from other threads, and returns when
it has come about. A connection is a pair of sockets, one to the client and one to the target, with two flows between them. A
fault ends with its `with`: held bytes are then delivered, and connections of which anything was swallowed (bytes, an end, a peer)
are reset, as TCP never goes on after a gap. A client whose target cannot be reached is accepted and reset.
"""

import asyncio
import contextlib
import random
import socket
import struct
import sys
import threading
from collections import deque
from collections.abc import Coroutine, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeVar

from embedded.ports import free_port

Direction = Literal["to_client", "to_target"]
T = TypeVar("T")

HELD_AT_MOST = 256 * 1024
"""Bytes that a direction holds back before it stops reading; one read more may come on top."""

THROTTLED_PIECES = 20
"""A throttled direction delivers so many pieces a second."""

BACKLOG = 4096
NO_LINGER = struct.pack("ii", 1, 0)


class FaultIsOn(Exception):
    """A proxy has one fault at a time."""


@dataclass(frozen=True)
class Pace:
    """How bytes travel, each way: seconds until they arrive, bytes of the largest piece, seconds that it occupies the way."""

    latency: float = 0.0
    jitter: float = 0.0
    size: int = sys.maxsize
    per_piece: float = 0.0
    per_byte: float = 0.0

    def lag(self, chance: random.Random) -> float:
        return max(0.0, self.latency + chance.uniform(-self.jitter, self.jitter))

    def takes(self, piece: memoryview) -> float:
        return self.per_piece + len(piece) * self.per_byte


AT_ONCE = Pace()


@dataclass(frozen=True)
class Weather:
    """What becomes of connections, present and new: the fault that is on, or `FINE`."""

    refuses: bool = False
    resets: bool = False
    halves: bool = False
    connects: bool = True
    deaf: frozenset[Direction] = frozenset()
    pace: Pace = AT_ONCE


FINE = Weather()


class Side(asyncio.Protocol):
    """One of the two sockets of a pair, or the place of one that is not yet there or gone."""

    transport: asyncio.Transport | None = None
    sends: "Flow"
    gets: "Flow"

    def __init__(self, pair: "Pair") -> None:
        self.pair = pair

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.pair.joined(self)

    def data_received(self, data: bytes) -> None:
        self.sends.take(data)

    def eof_received(self) -> bool:
        self.sends.end(reset=False)
        return True

    def pause_writing(self) -> None:
        self.gets.sink_is_full = True
        self.gets.balance()

    def resume_writing(self) -> None:
        self.gets.sink_is_full = False
        self.gets.balance()

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        self.pair.left(self, error)

    def end(self, *, reset: bool) -> None:
        if not self.transport:
            return
        if reset:
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self.transport.abort()


class Flow:
    """One direction of a pair: what the source sends reaches the sink in order and once, or is swallowed."""

    def __init__(self, pair: "Pair", direction: Direction, source: Side, sink: Side) -> None:
        self.pair, self.direction, self.source, self.sink = pair, direction, source, sink
        source.sends = sink.gets = self
        self.pace, self.is_deaf = AT_ONCE, False
        self.has_lost = self.is_over = self.sink_is_full = False
        self.ending: Literal["reset", "eof"] | None = None
        self.held: deque[tuple[float, memoryview]] = deque()
        self.early: list[bytes] = []
        self.held_bytes = 0
        self.free_at = 0.0
        self.timer: asyncio.TimerHandle | None = None

    def take(self, data: bytes) -> None:
        if self.is_deaf:
            self.has_lost = True
        elif self.pair.connecting and not self.sink.transport:
            self.early.append(data)  # up to Python 3.11.2 a transport that is told to pause at once reads all the same
        elif self.pace is AT_ONCE:
            self.write(data)
        else:
            self.hold(data)

    def catch_up(self) -> None:
        """The sink is there."""
        early, self.early = self.early, []
        for data in early:
            self.take(data)
        self.balance()

    def hold(self, data: bytes) -> None:
        ready = self.pair.proxy.loop.time() + self.pace.lag(self.pair.proxy.chance)
        self.held.append((ready, memoryview(data)))
        self.held_bytes += len(data)
        self.balance()
        if not self.timer:
            self.deliver()

    def deliver(self) -> None:
        """Writes what has arrived by now, and comes back for the rest."""
        self.timer = None
        while self.held:
            ready, chunk = self.held[0]
            piece, rest = chunk[: self.pace.size], chunk[self.pace.size :]
            due = max(ready, self.free_at) + self.pace.takes(piece)
            if due > self.pair.proxy.loop.time():
                self.timer = self.pair.proxy.loop.call_at(due, self.deliver)
                break
            self.free_at = due
            self.held_bytes -= len(piece)
            if rest:
                self.held[0] = (ready, rest)
            else:
                self.held.popleft()
            self.write(piece)
        self.balance()
        self.finish()

    def flush(self) -> None:
        self.stop()
        while self.held:
            self.write(self.held.popleft()[1])
        self.held_bytes, self.free_at = 0, 0.0
        self.finish()

    def write(self, data: bytes | memoryview) -> None:
        if self.sink.transport and not self.sink.transport.is_closing():
            self.sink.transport.write(data)
            self.pair.proxy.carried += len(data)

    def end(self, *, reset: bool) -> None:
        """The source has ended: so shall the sink, after the bytes before it."""
        if self.is_deaf:
            self.has_lost = True
        else:
            self.ending = "reset" if reset else "eof"
            self.finish()

    def finish(self) -> None:
        """Ends the sink, if the source has ended and nothing is held. A reset may still follow an end of file."""
        if self.held or self.pair.is_over:
            return
        if self.ending == "reset":
            self.pair.end(reset=True)
        elif self.ending == "eof" and not self.is_over:
            self.is_over = True
            if self.sink.transport:
                with contextlib.suppress(OSError):  # reset by its peer, of which the loop is yet to tell
                    self.sink.transport.write_eof()
            if self.pair.is_over:
                self.pair.close()

    def balance(self) -> None:
        """Reads from the source only what the sink can take."""
        if self.ending or not self.source.transport:
            return
        is_full = not self.sink.transport or self.sink_is_full or self.held_bytes >= HELD_AT_MOST
        if is_full and not self.is_deaf:
            self.source.transport.pause_reading()
        else:
            self.source.transport.resume_reading()

    def adapt(self, weather: Weather) -> None:
        self.is_deaf = self.direction in weather.deaf
        self.pace = weather.pace
        if self.pace is AT_ONCE:
            self.flush()
        self.balance()

    def go_deaf(self) -> None:
        self.is_deaf = self.has_lost = True
        self.balance()

    def stop(self) -> None:
        if self.timer:
            self.timer.cancel()
            self.timer = None


class Pair:
    """A client's connection and the one to the target that belongs to it."""

    def __init__(self, proxy: "Proxy") -> None:
        self.proxy = proxy
        self.client, self.target = Side(self), Side(self)
        self.flows = (Flow(self, "to_target", self.client, self.target), Flow(self, "to_client", self.target, self.client))
        self.connecting: asyncio.Task[None] | None = None
        self.gone = asyncio.Event()

    @property
    def has_lost(self) -> bool:
        return any(flow.has_lost for flow in self.flows)

    @property
    def is_over(self) -> bool:
        """Both sides have ended; the last bytes may still be on their way."""
        return all(flow.is_over for flow in self.flows)

    def joined(self, side: Side) -> None:
        if side is self.client:
            self.open()
        else:
            self.client.sends.catch_up()

    def open(self) -> None:
        weather = self.proxy.weather
        self.proxy.pairs.add(self)
        self.adapt(weather)
        if weather.refuses or weather.resets:
            self.end(reset=weather.resets)
        elif weather.connects:
            self.connecting = self.proxy.loop.create_task(self.connect())
            self.connecting.add_done_callback(self.connected)
        else:
            self.client.sends.has_lost = True

    async def connect(self) -> None:
        try:
            await self.proxy.loop.create_connection(lambda: self.target, *self.proxy.target)
        except OSError:
            self.end(reset=True)

    def connected(self, _: asyncio.Task[None]) -> None:
        self.connecting = None
        self.forget_if_gone()

    def left(self, side: Side, error: Exception | None) -> None:
        if not side.gets.is_over:
            side.gets.go_deaf()
        if error:
            side.sends.end(reset=True)
        self.forget_if_gone()

    def forget_if_gone(self) -> None:
        if not (self.client.transport or self.target.transport or self.connecting):
            self.stop()
            self.proxy.pairs.discard(self)
            self.gone.set()

    def close(self) -> None:
        for side in (self.client, self.target):
            if side.transport:
                side.transport.close()

    def adapt(self, weather: Weather) -> None:
        for flow in self.flows:
            flow.adapt(weather)

    def halve(self) -> None:
        """Closes the target's side; the client is not told."""
        for flow in self.flows:
            flow.go_deaf()
        self.give_up_connecting()
        self.target.end(reset=False)

    def end(self, *, reset: bool) -> None:
        """Ends both sides, with RST or with FIN (which the kernel makes an RST where bytes are unread)."""
        self.stop()
        self.give_up_connecting()
        for side in (self.client, self.target):
            side.end(reset=reset)

    def give_up_connecting(self) -> None:
        if self.connecting and self.connecting is not asyncio.current_task():
            self.connecting.cancel()

    def stop(self) -> None:
        for flow in self.flows:
            flow.stop()


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
