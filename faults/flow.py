"""One direction of a connection through a proxy."""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Literal

from faults.transit import Transit
from faults.weather import AT_ONCE, Direction, Weather

if TYPE_CHECKING:  # a pair makes its sides and flows, which then know it
    from faults.pair import Pair, Side

HELD_AT_MOST = 256 * 1024
"""Bytes that a direction holds back before it stops reading; one read more may come on top."""


class Flow:
    """One direction of a pair: what the source sends reaches the sink in order and once, or is swallowed."""

    def __init__(self, pair: "Pair", direction: Direction, source: "Side", sink: "Side") -> None:
        self.pair, self.direction, self.source, self.sink = pair, direction, source, sink
        source.sends = sink.gets = self
        self.is_deaf = self.has_lost = self.is_over = self.sink_is_full = False
        self.ending: Literal["reset", "eof"] | None = None
        self.held = Transit(pair.proxy.chance)
        self.early: list[bytes] = []
        self.timer: asyncio.TimerHandle | None = None

    def take(self, data: bytes) -> None:
        if self.is_deaf:
            self.has_lost = True
        elif self.pair.connecting and not self.sink.transport:
            self.early.append(data)  # up to Python 3.11.2 a transport that is told to pause at once reads all the same
        elif self.held.pace is AT_ONCE:
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
        self.held.take(data, self.now)
        self.balance()
        if not self.timer:
            self.deliver()

    def deliver(self) -> None:
        """Writes what has arrived by now, and comes back for the rest."""
        self.stop()
        while not self.held.is_empty and self.held.due <= self.now:
            self.write(self.held.arrive())
        if not self.held.is_empty:
            self.timer = self.pair.proxy.loop.call_at(self.held.due, self.deliver)
        self.balance()
        self.finish()

    @property
    def now(self) -> float:
        return self.pair.proxy.loop.time()

    def flush(self) -> None:
        self.stop()
        for chunk in self.held.empty():
            self.write(chunk)
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
        if not self.held.is_empty or self.pair.is_over:
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
        is_full = not self.sink.transport or self.sink_is_full or self.held.size >= HELD_AT_MOST
        if is_full and not self.is_deaf:
            self.source.transport.pause_reading()
        else:
            self.source.transport.resume_reading()

    def adapt(self, weather: Weather) -> None:
        self.is_deaf = self.direction in weather.deaf
        self.held.pace = weather.pace
        if weather.pace is AT_ONCE:
            self.flush()
        self.balance()

    def go_deaf(self) -> None:
        self.is_deaf = self.has_lost = True
        self.balance()

    def stop(self) -> None:
        if self.timer:
            self.timer.cancel()
            self.timer = None
