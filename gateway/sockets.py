"""What uvicorn leaves out: sockets that send nothing, half a head, or read nothing, must not live for ever or crowd others out.

A socket *waits* from when it is opened, or has had its last answer, until a complete head has come. Who waits too long is closed;
when too many wait, the oldest is, so that strangers can fill the house and a newcomer with a real request still gets in.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway import metrics

KEEP_ALIVE = 30.0  # seconds that an idle socket stays open
STALLED = 30.0  # seconds that a client may leave our answer unread
LOOK_EVERY = 0.25  # seconds
MAX_HEAD = 32_768  # bytes of request line and headers, of trailers too
FRAMING = 8  # a chunked body of single bytes is six times its contents

REFUSAL = (
    b"HTTP/1.1 %d %s\r\ncontent-type: application/problem+json\r\ncontent-length: %d\r\nconnection: close\r\n"
    b"x-content-type-options: nosniff\r\nreferrer-policy: no-referrer\r\ncache-control: no-store\r\n"
    b"content-security-policy: default-src 'none'; frame-ancestors 'none'\r\n\r\n%s"
)
PROBLEM = b'{"type": "urn:qudao:problem:%s", "title": "%s", "status": %d, "detail": "%s"}'


def refusal(status: int, reason: bytes, slug: bytes, sentence: bytes) -> bytes:
    """An answer to what never became a request."""
    problem = PROBLEM % (slug, sentence, status, sentence)
    return REFUSAL % (status, reason, len(problem), problem)


MALFORMED = refusal(400, b"Bad Request", b"malformed-request", b"This is not HTTP as RFC 9112 has it.")
TOO_SLOW = refusal(408, b"Request Timeout", b"head-too-slow", b"The request did not arrive in time.")
TOO_LARGE = refusal(431, b"Request Header Fields Too Large", b"head-too-large", b"The request's head is larger than we take.")


@dataclass
class Room:
    """The sockets that wait, oldest first, each with when its patience ends; shared by all of one server."""

    header_timeout: float
    max_waiting: int
    max_open: int
    max_body: int
    waiting: "dict[Socket, float]" = field(default_factory=dict)

    def enter(self, socket: "Socket", patience: float) -> None:
        self.waiting.pop(socket, None)
        self.waiting[socket] = asyncio.get_running_loop().time() + patience
        if len(self.waiting) > self.max_waiting:
            self.close_oldest()

    def leave(self, socket: "Socket") -> None:
        self.waiting.pop(socket, None)

    def close_oldest(self) -> None:
        socket = next(iter(self.waiting))
        self.leave(socket)
        socket.give_up("crowded")

    async def watch(self) -> None:
        """Runs as long as the server."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            now = asyncio.get_running_loop().time()
            for socket in [socket for socket, ends in self.waiting.items() if ends <= now]:
                self.leave(socket)
                socket.give_up("waited too long")
            metrics.SOCKETS_WAITING.set(len(self.waiting))


class Socket(HttpToolsProtocol):
    """uvicorn's protocol with limits. A subclass names its `room`."""

    room: Room
    _received = 0  # bytes of the present request
    _has_head = False
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        metrics.SOCKETS_OPEN.inc()
        if len(self.connections) > self.room.max_open and self.room.waiting:
            self.room.close_oldest()
        self.room.enter(self, self.room.header_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        metrics.SOCKETS_OPEN.dec()
        self.room.leave(self)
        self._cancel_stalled()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return  # of a request that was refused
        if not self._has_head and not self._received and self.cycle is not None:
            self.room.enter(self, self.room.header_timeout)  # an idle socket begins its next request
        self._received += len(data)
        super().data_received(data)
        if self._received > (FRAMING * self.room.max_body if self._has_head else 0) + MAX_HEAD:
            self._refuse(TOO_LARGE, "too large")

    def on_message_begin(self) -> None:
        self._has_head = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._has_head = True
        self.room.leave(self)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._received = 0

    def on_response_complete(self) -> None:
        is_pipelined = bool(self.pipeline)
        super().on_response_complete()
        self._unset_keepalive_if_required()  # the room watches instead
        if not is_pipelined and not self.transport.is_closing():
            self._has_head = False
            self.room.enter(self, KEEP_ALIVE)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(STALLED, self._abort, "answer unread")

    def resume_writing(self) -> None:
        super().resume_writing()
        self._cancel_stalled()

    def send_400_response(self, msg: str) -> None:
        self._refuse(MALFORMED, "malformed")

    def give_up(self, why: str) -> None:
        """Closes; tells why only to one who has begun to ask."""
        if self.transport.get_write_buffer_size():
            self._abort("answer unread")
        elif self._received:
            self._refuse(TOO_SLOW, why)
        else:
            metrics.SOCKETS_CLOSED.labels(why).inc()
            self.transport.close()

    def _refuse(self, answer: bytes, why: str) -> None:
        if self.transport.is_closing():
            return
        metrics.SOCKETS_CLOSED.labels(why).inc()
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(answer)
        self.transport.close()

    def _abort(self, why: str) -> None:
        metrics.SOCKETS_CLOSED.labels(why).inc()
        self.transport.abort()

    def _cancel_stalled(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None


def sockets_of(room: Room) -> type[Any]:
    """The protocol class of one server."""
    return type("SocketOfRoom", (Socket,), {"room": room})
