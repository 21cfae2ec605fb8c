"""The load generator, a process of its own: `python -m bench.load` reads a Job from its input and prints what came of it.

HTTP/1.1 by hand on asyncio's protocols, keep-alive, one request at a time per client: an HTTP library would be slower than
what is measured. A client that has its answer asks again at once; with a `rate`, requests are due at fixed times instead.
"""

import asyncio
import gc
import itertools
import random
import re
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from typing import cast

import uvloop
from pydantic import BaseModel, Field

from demo.names import CHARACTERS

BRAND = 6
"""Characters: with fewer, some of thousands would come near each other, which an entry has to confirm."""
GRACE = 15.0  # seconds for the last answers
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Job(BaseModel):
    """What to ask, and how. Client number i uses the i-th of `tokens`, of `paths` and of `bodies`, over and over.

    Without `bodies`, `body` is sent; `{brand}` in it is a brand and `{phone}` a mobile number that no other
    request has, or comes near.
    """

    port: int
    status: int
    also: list[int] = Field(default=[], description="statuses that are as good")
    clients: int
    seconds: float
    warm_up: float
    method: str = "GET"
    paths: list[list[str]] = Field(description="one list per client, taken in turn")
    tokens: list[str] = []
    body: str = ""
    bodies: list[list[str]] = Field(default=[], description="one list per client, taken in turn")
    rate: float | None = Field(default=None, description="requests per second of all clients together")


class Outcome(BaseModel):
    """`milliseconds` of each request that was answered in the measured time; `statuses` counts all answers."""

    seconds: float
    milliseconds: list[float]
    statuses: dict[str, int] = {}
    failure: str | None = None


def requests_of(job: Job, client: int) -> Iterator[bytes]:
    """Every client's own requests, without end."""
    paths = job.paths[client % len(job.paths)]
    login = f"authorization: Bearer {job.tokens[client % len(job.tokens)]}\r\n" if job.tokens else ""
    first = random.randrange(10**9)
    bodies = itertools.cycle(job.bodies[client % len(job.bodies)] if job.bodies else [job.body])
    for number, path, wanted in zip(itertools.count(), itertools.cycle(paths), bodies):
        phone = f"13{(first + number) % 10**9:09d}"
        brand = "".join(random.sample(CHARACTERS, BRAND))
        body = (wanted if job.bodies else wanted.replace("{brand}", brand).replace("{phone}", phone)).encode()
        framing = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n" if body else ""
        yield f"{job.method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{login}{framing}\r\n".encode() + body


class Client(asyncio.Protocol):
    def __init__(self, run: "Run", number: int) -> None:
        self.run, self.requests = run, requests_of(run.job, number)
        self.answer = b""
        self.sent_at: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def send(self) -> None:
        self.sent_at = time.perf_counter()
        self.transport.write(next(self.requests))

    def data_received(self, data: bytes) -> None:
        self.answer += data
        head, blank, body = self.answer.partition(b"\r\n\r\n")
        if not blank:
            return
        length = CONTENT_LENGTH.search(head)
        if length is None or head[9:12] not in self.run.good:
            self.run.fail(f"{head.decode('latin-1').splitlines()[0]} {body[:500].decode(errors='replace')}")
        elif len(body) >= int(length[1]):
            self.answer = b""
            self.run.statuses[head[9:12].decode()] += 1
            sent_at, self.sent_at = self.sent_at, None
            assert sent_at is not None
            self.run.answered(self, sent_at)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.run.done.done():
            self.run.fail(f"a connection was closed on us: {error}")


class Run:
    """All clients of one measure."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.good = {str(status).encode() for status in (job.status, *job.also)}
        self.statuses: Counter[str] = Counter()
        self.loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self.loop.create_future()
        self.milliseconds: list[float] = []
        self.idle: deque[Client] = deque()
        self.busy = 0
        self.owed = 0  # requests that were due while every client was waiting
        self.begins = self.ends = 0.0

    async def measure(self) -> Outcome:
        clients = [await self._connect(number) for number in range(self.job.clients)]
        self.begins = time.perf_counter() + self.job.warm_up
        self.ends = self.begins + self.job.seconds
        if self.job.rate:
            self.idle.extend(clients)
            self._due(time.perf_counter(), 1 / self.job.rate)
        else:
            for client in clients:
                self._send(client)
        failure = None
        try:
            await asyncio.wait_for(self.done, self.job.warm_up + self.job.seconds + GRACE)
        except (Failed, TimeoutError) as error:
            failure = str(error) or f"{self.busy} answers did not come within {GRACE:g} s"
        return Outcome(seconds=self.job.seconds, milliseconds=self.milliseconds, statuses=self.statuses, failure=failure)

    async def _connect(self, number: int) -> Client:
        _, client = await self.loop.create_connection(lambda: Client(self, number), "127.0.0.1", self.job.port)
        return client

    def answered(self, client: Client, sent_at: float) -> None:
        now = time.perf_counter()
        self.busy -= 1
        if self.begins <= now < self.ends:
            self.milliseconds.append((now - sent_at) * 1000)
        if now >= self.ends:
            self._end_when_idle()
        elif self.job.rate is None:
            self._send(client)
        elif self.owed:
            self.owed -= 1
            self._send(client)
        else:
            self.idle.append(client)

    def fail(self, why: str) -> None:
        if not self.done.done():
            self.done.set_exception(Failed(why))

    def _send(self, client: Client) -> None:
        self.busy += 1
        client.send()

    def _due(self, when: float, interval: float) -> None:
        """One request, and the next one at its own time, however late this one is."""
        if when >= self.ends:
            self._end_when_idle()
            return
        if self.idle:
            self._send(self.idle.popleft())
        else:
            self.owed += 1
        self.loop.call_later(max(0.0, when + interval - time.perf_counter()), self._due, when + interval, interval)

    def _end_when_idle(self) -> None:
        if not self.busy and not self.done.done():
            self.done.set_result(None)


class Failed(Exception):
    """An answer was not the right one."""


async def run(job: Job) -> Outcome:
    return await Run(job).measure()


def main() -> None:
    job = Job.model_validate_json(sys.stdin.read())
    gc.disable()  # its pauses would be measured as the others'
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(runner.run(run(job)).model_dump_json())


if __name__ == "__main__":
    main()
