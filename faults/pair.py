"""A connection through a proxy: two sockets, and two flows between them."""

import asyncio
import socket
import struct
from typing import TYPE_CHECKING

from faults.flow import Flow
from faults.weather import Weather

if TYPE_CHECKING:  # which makes pairs
    from faults.proxy import Proxy

NO_LINGER = struct.pack("ii", 1, 0)
"""Closed so, a socket ends with a reset."""


class Side(asyncio.Protocol):
    """One of the two sockets of a pair, or the place of one that is not yet there or gone."""

    transport: asyncio.Transport | None = None
    sends: Flow
    gets: Flow

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
