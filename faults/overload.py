"""More entries than the system can take: `overload` drives them from a process of its own and tells what became of each.

The arrivals of an overload do not wait for answers (an open loop): clients that do would slow down with the system and spare it.
"""

import asyncio
import contextlib
import json
import random
import resource
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import uvloop
from pydantic import BaseModel

from bench.load import BRAND, CONTENT_LENGTH
from demo.names import CHARACTERS
from embedded.wiring import ROOT

WINDOW = 1.0  # seconds, in which the return to normal is looked for
PATIENCE = 20.0  # seconds that a client waits for an answer, beyond all that is promised
SPEED, SLOWNESS = 0.8, 2.0  # of what was measured before: normal again
LATEST = 120.0  # seconds after which it is not waited for any longer
PAUSE = 0.1  # seconds between tries of a client that waits for answers and was refused


class Entry(BaseModel):
    """What was sent, and the customer that was made of it where the answer said so."""

    key: str
    name: str
    customer_id: str | None = None


class OverloadOutcome(BaseModel):
    """Rates are accepted entries per second. `answered` counts what was sent in the overload, 0 standing for no answer.

    `accepted` and `unknown` (no answer, or 504) are of all phases: exactly the accepted entries must exist, and of the unknown
    ones each once or not at all.
    """

    capacity: float
    p95_before: float
    sent: int
    answered: dict[int, int]
    without_retry_after: int
    goodput: float
    p99_accepted: float
    p99_refused: float
    worst_seconds: float
    seconds_to_normal: float | None
    accepted: list[Entry]
    unknown: list[Entry]


class Job(BaseModel):
    urls: list[str]
    tokens: list[str]
    seconds: float
    factor: float
    measured: float
    clients: int
    prefix: str


class OverloadFailed(Exception):
    """The load could not be driven: why, in one sentence."""


def overload(
    urls: Sequence[str],
    tokens: Sequence[str],
    seconds: float,
    *,
    factor: float = 3.0,
    clients: int,
    prefix: str,
    measured: float = 6.0,
) -> OverloadOutcome:
    """Measures with so many clients for `measured` seconds, sends `factor` times that, and measures until all is as before.

    The tokens' holders must be allowed to hold all that is entered; `prefix` is letters and digits that no other name has.
    Raises OverloadFailed.
    """
    job = Job(
        urls=list(urls),
        tokens=list(tokens),
        seconds=seconds,
        factor=factor,
        measured=measured,
        clients=clients,
        prefix=prefix,
    )
    done = subprocess.run(
        [sys.executable, "-m", "faults.overload"],
        input=job.model_dump_json(),
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=2 * measured + seconds + LATEST + 4 * PATIENCE,
    )
    if done.returncode:
        raise OverloadFailed(f"The load generator failed: {done.stderr[-1000:]}")
    return OverloadOutcome.model_validate_json(done.stdout)


@dataclass
class Answer:
    """`status` is 0 when none came."""

    at: float
    seconds: float
    status: int
    has_retry_after: bool

    @property
    def is_accepted(self) -> bool:
        return self.status in (200, 201)


class Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, one request at a time."""

    def __init__(self) -> None:
        self.received = b""
        self.answer: asyncio.Future[tuple[int, bytes, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    async def ask(self, request: bytes) -> tuple[int, bytes, bytes]:
        """Status, head in small letters and body. Raises ConnectionError."""
        self.received, self.answer = b"", asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self.answer

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, blank, body = self.received.partition(b"\r\n\r\n")
        length = CONTENT_LENGTH.search(head)
        if blank and length and len(body) >= int(length[1]) and self.answer and not self.answer.done():
            self.answer.set_result((int(head[9:12]), head.lower(), body))

    def connection_lost(self, error: Exception | None) -> None:
        if self.answer and not self.answer.done():
            self.answer.set_exception(ConnectionError())


@dataclass
class Generator:
    """All phases of one job."""

    job: Job
    idle: dict[str, list[Connection]] = field(default_factory=dict)
    accepted: list[Entry] = field(default_factory=list)
    unknown: list[Entry] = field(default_factory=list)

    async def run(self) -> OverloadOutcome:
        measured = self.job.measured
        await self.closed_loop(measured / 3)
        before = await self.closed_loop(measured)
        capacity, p95 = rate_of(before, measured), quantile(before, 0.95)
        if not capacity:
            raise SystemExit(f"No entry was accepted: {Counter(answer.status for answer in before)}")
        answers = await self.open_loop(self.job.factor * capacity)
        seconds_to_normal = await self.until(lambda found: self.is_normal(found, capacity, p95))
        refused = [answer for answer in answers if answer.status in (429, 503)]
        return OverloadOutcome(
            capacity=capacity,
            p95_before=p95,
            sent=len(answers),
            answered=Counter(answer.status for answer in answers),
            without_retry_after=sum(not answer.has_retry_after for answer in refused),
            goodput=rate_of(answers, self.job.seconds),
            p99_accepted=quantile(answers, 0.99),
            p99_refused=quantile(refused, 0.99, lambda answer: True),
            worst_seconds=max(answer.seconds for answer in answers),
            seconds_to_normal=seconds_to_normal,
            accepted=self.accepted,
            unknown=self.unknown,
        )

    async def closed_loop(self, seconds: float) -> list[Answer]:
        """Each client asks again when it has its answer; those that came in time."""
        ends = time.perf_counter() + seconds
        answers: list[Answer] = []

        async def client(number: int) -> None:
            while time.perf_counter() < ends:
                answers.append(answer := await self.enter(number))
                if not answer.is_accepted:
                    await asyncio.sleep(PAUSE)

        await asyncio.gather(*(client(number) for number in range(self.job.clients)))
        return [answer for answer in answers if answer.at < ends]

    async def open_loop(self, rate: float) -> list[Answer]:
        """Requests at fixed times, whatever became of those before."""
        began = time.perf_counter()
        asked: list[Awaitable[Answer]] = []
        for number in range(round(rate * self.job.seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            asked.append(asyncio.create_task(self.enter(number)))
        return await asyncio.gather(*asked)

    async def until(self, is_normal: Callable[[list[Answer]], bool]) -> float | None:
        """Seconds until the window began in which everything was normal; None when none came."""
        began = time.perf_counter()
        while (waited := time.perf_counter() - began) < LATEST:
            if is_normal(await self.closed_loop(WINDOW)):
                return waited
        return None

    def is_normal(self, answers: list[Answer], capacity: float, p95: float) -> bool:
        return rate_of(answers, WINDOW) >= SPEED * capacity and quantile(answers, 0.95) <= SLOWNESS * p95

    async def enter(self, number: int) -> Answer:
        """One entry of a company that nobody else enters; noted under its key."""
        url = self.job.urls[number % len(self.job.urls)]
        token = self.job.tokens[number % len(self.job.tokens)]
        entry = Entry(key=uuid.uuid4().hex, name=f"扬州{''.join(random.sample(CHARACTERS, BRAND))}{self.job.prefix}印花厂")
        began = time.perf_counter()
        status, head, body = await self.ask(url, request_of(token, entry))
        if status in (200, 201):
            entry.customer_id = json.loads(body)["customer_id"]
            self.accepted.append(entry)
        elif status in (0, 504):
            self.unknown.append(entry)
        now = time.perf_counter()
        return Answer(now, now - began, status, b"\r\nretry-after:" in head)

    async def ask(self, url: str, request: bytes) -> tuple[int, bytes, bytes]:
        idle = self.idle.setdefault(url, [])
        connection = None
        try:
            async with asyncio.timeout(PATIENCE):
                while connection is None or connection.transport.is_closing():
                    connection = idle.pop() if idle else await connect(url)
                answer = await connection.ask(request)
        except (OSError, TimeoutError):
            if connection:
                connection.transport.abort()
            return 0, b"", b""
        idle.append(connection)
        return answer


async def connect(url: str) -> Connection:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    _, connection = await asyncio.get_running_loop().create_connection(Connection, host, port)
    return connection


def request_of(token: str, entry: Entry) -> bytes:
    phone = f"13{random.randrange(10**9):09d}"
    body = json.dumps({"name": entry.name, "phone": phone, "city": "扬州", "is_key": False}).encode()
    head = (
        f"POST /v1/customers HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\nidempotency-key: {entry.key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def rate_of(answers: Sequence[Answer], seconds: float) -> float:
    return sum(answer.is_accepted for answer in answers) / seconds


def quantile(answers: Sequence[Answer], share: float, counts: Callable[[Answer], bool] = lambda a: a.is_accepted) -> float:
    """Seconds, by nearest rank; nothing that came is 0."""
    ordered = sorted(answer.seconds for answer in answers if counts(answer)) or [0.0]
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main() -> None:
    job = Job.model_validate_json(sys.stdin.read())
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(runner.run(Generator(job).run()).model_dump_json())


if __name__ == "__main__":
    main()
