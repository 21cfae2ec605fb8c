"""A client that writes as people do, and keeps books of it: every request, its key, and what was said about it.

What nobody can know from outside, because no answer came, is `unknown` until the request is sent again under the same key.
"""

import asyncio
import itertools
import random
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

from demo.names import CHARACTERS
from tests.api import Client, Headquarters, eventually

Outcome = Literal["accepted", "refused", "unknown"]
Kind = Literal["enter", "contest", "note", "transfer", "add_user", "set_limit"]

KINDS: dict[Kind, int] = {"enter": 50, "contest": 10, "note": 22, "transfer": 10, "add_user": 6, "set_limit": 2}
"""What is written, and how often in a hundred: every service has writes of its own."""

OPERATIONS: dict[Kind, str] = {
    "enter": "customers.enter_customer",
    "contest": "customers.enter_customer",
    "note": "activities.write_note",
    "transfer": "customers.transfer_customer",
    "add_user": "identity.add_user",
    "set_limit": "rules.set_stock_limit",
}
PATIENCE = 20.0
"""Seconds after which a client gives up; none should ever wait for more than half of that."""
LONGEST_PAUSE = 2.0
"""Seconds that a client waits before it sends again, whatever `Retry-After` says."""
TOO_BUSY = (429, 503, 504)


@dataclass(frozen=True)
class Cast:
    """Who writes: reps of one department, their supervisor, and the administrator."""

    admin: Client
    supervisor: Client
    reps: Sequence[Client]
    agency_id: str
    department_id: str

    @classmethod
    def assemble(cls, url: str, setup_secret: str, reps: int = 6) -> "Cast":
        """Makes them in a system that is new. Their limit of stock never binds."""
        headquarters = Headquarters.set_up(url, setup_secret)
        agency = headquarters.agency()["id"]
        department = headquarters.department(agency)["id"]
        limit = {"subject": "agency", "agency_id": agency, "limit": LIMIT}
        # rules hears of a new agency some milliseconds later
        eventually(lambda: headquarters.admin.request("PUT", "/v1/policies/stock-limit", limit).status_code == 200)
        people = headquarters.people(reps, department)
        for rep in people:
            eventually(lambda rep=rep: rep.get("/v1/me/day")["stock"]["limit"] == LIMIT, seconds=30)  # type: ignore[misc]
        return cls(headquarters.admin, headquarters.person("supervisor", department), people, agency, department)


LIMIT = 50_000
"""Of stock, per person: more than any run enters."""


@dataclass
class Entry:
    """One write. `answers` are what was said each time it was sent: a status, or 0 for none."""

    kind: Kind
    key: str
    client: Client
    method: str
    path: str
    body: dict[str, Any]
    door: int = 0
    answers: list[int] = field(default_factory=list)
    outcome: Outcome = "unknown"
    answer: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    """The longest that it waited for one answer."""
    oddities: list[str] = field(default_factory=list)
    """What no answer may be: an internal error, a refusal for now that does not say until when."""


class Ledger:
    """Writes at a steady rate from a thread of its own, through all doors in turn, until it is stopped."""

    def __init__(self, doors: Sequence[str], cast: Cast, seed: str, *, rate: float = 20.0, resends: int = 0) -> None:
        self.cast, self.rate, self.resends = cast, rate, resends
        self.random = random.Random(seed)
        self.prefix = f"{self.random.randrange(16**8):08x}{uuid.uuid4().hex[:6]}"
        self.entries: list[Entry] = []
        self.accepted_at: list[float] = []
        self.failed_at: list[float] = []
        self.held: list[tuple[str, int]] = []
        self._doors = list(doors)
        self._next_door = itertools.count()
        self._numbers = itertools.count(1)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._write()), name="ledger")

    def __enter__(self) -> "Ledger":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Returns when every request under way has ended."""
        self._stopping.set()
        self._thread.join()

    # --- writing

    async def _write(self) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=50)
        async with httpx.AsyncClient(timeout=PATIENCE, limits=limits) as http:
            under_way: set[asyncio.Task[None]] = set()
            due = time.monotonic()
            while not self._stopping.is_set():
                entry = self._next()
                self.entries.append(entry)
                task = asyncio.create_task(self._carry_out(http, entry))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
                due += 1 / self.rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            await asyncio.gather(*under_way)

    async def _carry_out(self, http: httpx.AsyncClient, entry: Entry) -> None:
        for _ in range(1 + self.resends):
            pause = await self.send(http, entry)
            if entry.outcome != "unknown":
                break
            await asyncio.sleep(min(pause, LONGEST_PAUSE))
        (self.failed_at if entry.outcome == "unknown" else self.accepted_at).append(time.monotonic())
        if entry.kind == "enter" and entry.outcome == "accepted":
            self.held.append((entry.answer["customer_id"], self.cast.reps.index(entry.client)))

    async def send(self, http: httpx.AsyncClient, entry: Entry) -> float:
        """Sends it once more, each time through another door; seconds to wait before the next time."""
        if not entry.answers:
            entry.door = next(self._next_door)
        door = self._doors[(entry.door + len(entry.answers)) % len(self._doors)]
        headers = {"Authorization": f"Bearer {entry.client.token}", "Idempotency-Key": entry.key}
        began = time.monotonic()
        try:
            answer = await http.request(entry.method, f"{door}{entry.path}", json=entry.body, headers=headers)
        except httpx.HTTPError:
            entry.answers.append(0)
            return 0.5
        finally:
            entry.seconds = max(entry.seconds, time.monotonic() - began)
        entry.answers.append(answer.status_code)
        told = told_by(answer)
        entry.outcome = outcome_of(answer.status_code, told)
        if entry.outcome != "unknown":
            entry.answer = told
        if oddity := oddity_of(entry.kind, answer):
            entry.oddities.append(oddity)
        return float(answer.headers.get("Retry-After", 0.5))

    def settle(self) -> None:
        """Sends what is unknown again, under the same keys, until it is known, 20 times at most; for a system that is well."""

        async def resend(http: httpx.AsyncClient, entry: Entry) -> None:
            for _ in range(20):
                pause = await self.send(http, entry)
                if entry.outcome != "unknown":
                    return
                await asyncio.sleep(min(pause, LONGEST_PAUSE))

        async def resend_all() -> None:
            async with httpx.AsyncClient(timeout=PATIENCE) as http:
                unknown = [entry for entry in self.entries if entry.outcome == "unknown"]
                for few in batched(unknown, 8):
                    await asyncio.gather(*(resend(http, entry) for entry in few))

        asyncio.run(resend_all())

    # --- what is written

    def _next(self) -> Entry:
        [kind] = self.random.choices(list(KINDS), weights=list(KINDS.values()))
        if kind in ("note", "transfer") and not self.held:
            kind = "enter"
        make: Callable[[Kind, str], Entry] = getattr(self, f"_{kind}")
        return make(kind, f"{self.prefix}-{next(self._numbers)}")

    def _enter(self, kind: Kind, key: str) -> Entry:
        name = f"扬州{''.join(self.random.sample(CHARACTERS, 4))}机械厂"
        rep = self.random.choice(self.cast.reps)
        return Entry(kind, key, rep, "POST", "/v1/customers", {"name": name, "city": "扬州", "contact_person": key})

    def _contest(self, kind: Kind, key: str) -> Entry:
        """Somebody else enters what has just been entered, or is being entered at this moment."""
        rivals = [entry for entry in self.entries[-20:] if entry.kind == "enter"]
        if not rivals:
            return self._enter("enter", key)
        rival = self.random.choice(rivals)
        others = [rep for rep in self.cast.reps if rep is not rival.client]
        return Entry(kind, key, self.random.choice(others), "POST", "/v1/customers", {**rival.body, "contact_person": key})

    def _note(self, kind: Kind, key: str) -> Entry:
        customer_id, owner = self.random.choice(self.held)
        note = {"method": "phone", "content": key, "maturity": self.random.randrange(10)}
        return Entry(kind, key, self.cast.reps[owner], "POST", f"/v1/customers/{customer_id}/notes", note)

    def _transfer(self, kind: Kind, key: str) -> Entry:
        """The customer is not written about any more: who holds it depends on what becomes of this."""
        customer_id, owner = self.held.pop(self.random.randrange(len(self.held)))
        other = self.cast.reps[(owner + 1 + self.random.randrange(len(self.cast.reps) - 1)) % len(self.cast.reps)]
        body = {"to": other.user["id"], "reason": key}
        return Entry(kind, key, self.cast.supervisor, "POST", f"/v1/customers/{customer_id}/transfer", body)

    def _add_user(self, kind: Kind, key: str) -> Entry:
        body = {"login": key, "roles": ["rep"], "department_id": self.cast.department_id}
        return Entry(kind, key, self.cast.admin, "POST", "/v1/users", body)

    def _set_limit(self, kind: Kind, key: str) -> Entry:
        rep = self.random.choice(self.cast.reps)
        subject = {"subject": "person", "agency_id": self.cast.agency_id, "person_id": rep.user["id"]}
        body = {**subject, "limit": LIMIT + self.random.randrange(LIMIT)}
        return Entry(kind, key, self.cast.admin, "PUT", "/v1/policies/stock-limit", body)

    # --- what came of it

    def count(self, outcome: Outcome) -> int:
        return sum(entry.outcome == outcome for entry in self.entries)

    def longest_wait(self) -> Entry | None:
        return max(self.entries, key=lambda entry: entry.seconds, default=None)

    def oddities(self) -> list[str]:
        return [f"{entry.kind} {entry.key}: {oddity}" for entry in self.entries for oddity in entry.oddities]

    def last_failure(self, since: float) -> float:
        """When the last write ended without an outcome (monotonic seconds), or `since` when none did."""
        return max((moment for moment in self.failed_at if moment > since), default=since)

    def longest_silence(self) -> float:
        """The longest time, in seconds, in which no write had an outcome."""
        moments = sorted(self.accepted_at)
        return max((after - before for before, after in itertools.pairwise(moments)), default=0.0)


def told_by(answer: httpx.Response) -> dict[str, Any]:
    """Empty for what is no JSON, which comes with a status that is odd by itself."""
    try:
        return dict(answer.json()) if answer.content else {}
    except ValueError:
        return {}


def outcome_of(status: int, told: dict[str, Any]) -> Outcome:
    if status < 300:
        return "accepted"
    is_in_flight = str(told.get("type", "")).endswith("command-in-flight")
    return "unknown" if status >= 500 or status == 429 or is_in_flight else "refused"


def oddity_of(kind: Kind, answer: httpx.Response) -> str:
    is_no_longer_his = kind == "note" and answer.status_code == 404  # transferred in the meantime
    is_wrong = answer.status_code in (401, 404, 422) or (answer.status_code >= 500 and answer.status_code not in TOO_BUSY)
    if is_wrong and not is_no_longer_his:
        return f"{answer.status_code} {answer.text[:300]}"
    if answer.status_code in (429, 503) and "Retry-After" not in answer.headers:
        return f"{answer.status_code} without Retry-After"
    return ""


def batched(entries: Sequence[Entry], size: int) -> list[Sequence[Entry]]:
    return [entries[start : start + size] for start in range(0, len(entries), size)]
