"""The lines of the measure: what is asked, of whom, and what each repetition gave."""

import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.load import GRACE, Job, Outcome
from bench.processor import Times, per_request, times_of
from bench.stand import NotMeasured, Person, Stand
from embedded.wiring import ROOT


@dataclass(frozen=True)
class Line:
    """`job` makes what so many clients ask."""

    name: str
    what: str
    job: Callable[[int], dict[str, Any]]


@dataclass
class Figures:
    """What the repetitions of a line gave at one number of clients."""

    rates: list[float] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    processor: list[Times] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        kinds = sorted({kind for times in self.processor for kind in times})
        return {
            "requests_per_second": round(statistics.fmean(self.rates), 1),
            "rounds": [round(rate, 1) for rate in self.rates],
            "p50_ms": round(quantile(self.milliseconds, 0.50), 2),
            "p99_ms": round(quantile(self.milliseconds, 0.99), 2),
            "requests": len(self.milliseconds),
            "processor_ms": {kind: median_of(self.processor, kind) for kind in kinds},
        }


def lines_of(stand: Stand, people: Sequence[Person]) -> dict[str, Line]:
    """In the order in which they are told."""

    def bare(path: str) -> Callable[[int], dict[str, Any]]:
        return lambda clients: {"port": stand.bare_port, "status": 200, "paths": [[f"/{path}/word-{n}" for n in range(10)]]}

    def as_people(status: int, paths: list[list[str]], sessions: int = 0, **more: Any) -> dict[str, Any]:
        tokens = [person.token for person in people[: sessions or None]]
        return {"port": stand.gateway_port, "status": status, "paths": paths, "tokens": tokens, **more}

    shown = [[f"/v1/customers/{customer}" for customer in person.customers] for person in people]

    def entry(clients: int) -> dict[str, Any]:
        body = '{"name": "扬州{brand}印花厂", "phone": "{phone}", "city": "扬州", "is_key": false}'
        return as_people(201, [["/v1/customers"]], method="POST", body=body)

    lines = [
        Line("alone", "(0) FastAPI alone", bare("alone")),
        Line("echo", "(a) bare FastAPI → RPC echo", bare("echo")),
        Line("select", "(b) the same with a SELECT 1", bare("select")),
        Line("read", "(c) GET /v1/customers/{id}", lambda clients: as_people(200, shown)),
        Line("read_one_session", "(c) the same, one session for all", lambda clients: as_people(200, shown[:1], sessions=1)),
        Line("list", "(c) GET /v1/customers?limit=20", lambda clients: as_people(200, [["/v1/customers?limit=20"]])),
        Line("entry", "(d) POST /v1/customers", entry),
    ]
    return {line.name: line for line in lines}


def measure(stand: Stand, line: Line, clients: int, seconds: float, figures: Figures) -> None:
    """One repetition. Raises NotMeasured when an answer was wrong or a process ended."""
    warm_up = min(0.5, seconds / 3)
    before = times_of(stand.processes)
    outcome = generate(Job(clients=clients, seconds=seconds, warm_up=warm_up, **line.job(clients)))
    after = times_of(stand.processes)
    stand.check()
    if not outcome.milliseconds:
        raise NotMeasured(f"{line.what}, {clients} clients: no answer in {seconds:g} s.")
    rate = len(outcome.milliseconds) / seconds
    figures.rates.append(rate)
    figures.milliseconds += outcome.milliseconds
    figures.processor.append(per_request(before, after, round(rate * (seconds + warm_up))))


def generate(job: Job) -> Outcome:
    """Runs the load generator. Raises NotMeasured with what it saw."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=job.model_dump_json(),
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=job.warm_up + job.seconds + GRACE + 30,
    )
    if done.returncode:
        raise NotMeasured(f"The load generator failed: {done.stderr[-1000:]}")
    outcome = Outcome.model_validate_json(done.stdout)
    if outcome.failure:
        raise NotMeasured(f"{job.method} {job.paths[0][0]}, {job.clients} clients: {outcome.failure}")
    return outcome


def quantile(values: Sequence[float], share: float) -> float:
    """By nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median_of(times: Sequence[Times], kind: str) -> float:
    return round(statistics.median(one.get(kind, 0.0) for one in times), 3)
