"""What log-ins cost others, and whether their time tells anything: `bench log-ins`.

Reads at a fixed rate, first alone and then beside 50 log-ins a second (half of them right, half wrong, of many people); and how
long a refusal takes for a name that nobody has, a wrong password and a disabled user, in turn.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx

from bench import machine
from bench.lines import generate, quantile
from bench.load import Job
from bench.stand import Person, Stand, standing
from tests.api import PASSWORD, Client, Headquarters, unique

READS_PER_SECOND, LOG_INS_PER_SECOND, CLIENTS = 40, 50, 10
PATIENCE = 240
OPEN_WIDE = {"QUDAO_FAILED_LOG_INS_BURST": "1000000"}
"""Every wrong password is to be looked at: the flood comes from one address."""


@dataclass(frozen=True)
class Wish:
    """How many seconds each measure of the flood takes, and how many refusals of each kind are timed."""

    seconds: float
    refusals: int
    is_json_only: bool

    @property
    def limit(self) -> float:
        return PATIENCE + 3 * self.seconds + 3 * self.refusals


def run(wish: Wish) -> None:
    """Prints what came of it, and the whole as one JSON object on the last line. Raises NotMeasured."""
    say: Callable[[str], None] = (lambda line: None) if wish.is_json_only else (lambda line: print(line, flush=True))
    found: dict[str, Any] = {"bench": "log-ins", "commit": machine.commit(), "machine": machine.machine()}
    with standing("embedded", OPEN_WIDE) as stand:
        found["versions"] = machine.versions(stand.stack, "embedded")
        people = stand.people(CLIENTS)
        headquarters = Headquarters(Client(httpx.Client(base_url=stand.stack.url, timeout=15)))
        headquarters.admin = headquarters.admin.log_in("root", PASSWORD)
        found["refusals"] = refusals(headquarters, wish.refusals)
        say("refusals, ms: " + ", ".join(f"{kind} {figure}" for kind, figure in found["refusals"].items()))
        found["flood"] = flood(stand, headquarters, people, wish.seconds)
        say("flood: " + ", ".join(f"{name} {figure}" for name, figure in found["flood"].items()))
    print(json.dumps(found, ensure_ascii=False))
    sys.stdout.flush()


def refusals(headquarters: Headquarters, count: int) -> dict[str, float]:
    """Medians of milliseconds. Of each person and name four tries alone: the sixth would take a captcha and no hash."""
    department = headquarters.department()["id"]
    known = [headquarters.person("rep", department).user for _ in range(count // 4)]
    disabled = [headquarters.person("rep", department).user for _ in range(count // 4)]
    for user in disabled:
        headquarters.admin.post(f"/v1/users/{user['id']}/disable", None, status=200)
    times: dict[str, list[float]] = {"wrong": [], "unknown": [], "disabled": []}
    for number in range(count // 4 * 4):
        names = {
            "wrong": known[number // 4]["login"],
            "disabled": disabled[number // 4]["login"],
            "unknown": f"nobody{number // 4}",
        }
        for kind, login in names.items():
            began = time.perf_counter()
            answer = headquarters.admin.http.post("/v1/sessions", json={"login": login, "password": f"guess {number}"})
            times[kind].append(1000 * (time.perf_counter() - began))
            assert answer.status_code == 401, answer.text
    return {kind: round(statistics.median(found), 2) for kind, found in times.items()}


def flood(stand: Stand, headquarters: Headquarters, people: Sequence[Person], seconds: float) -> dict[str, Any]:
    alone = reads(stand, people, seconds)
    right = headquarters.people(20, headquarters.department()["id"])
    bodies = [
        [
            json.dumps({"login": who.user["login"], "password": PASSWORD}),
            json.dumps({"login": unique("nobody"), "password": "a guess"}),
        ]
        for who in right
    ]
    job = Job(
        port=stand.gateway_port,
        status=201,
        also=[401, 403, 429, 503],
        clients=len(bodies),
        seconds=seconds + 1,
        warm_up=0.5,
        method="POST",
        paths=[["/v1/sessions"]],
        bodies=bodies,
        rate=LOG_INS_PER_SECOND,
    )
    with ThreadPoolExecutor(1) as pool:
        flooding = pool.submit(generate, job)
        time.sleep(1)
        beside = reads(stand, people, seconds)
        outcome = flooding.result()
    return {
        "p95_alone_ms": round(quantile(alone, 0.95), 1),
        "p95_beside_ms": round(quantile(beside, 0.95), 1),
        "log_ins_per_second": round(len(outcome.milliseconds) / outcome.seconds, 1),
        "log_ins_by_status": outcome.statuses,
        "p50_log_in_ms": round(quantile(outcome.milliseconds, 0.5), 1),
    }


def reads(stand: Stand, people: Sequence[Person], seconds: float) -> list[float]:
    paths = [[f"/v1/customers/{customer}" for customer in person.customers] for person in people]
    tokens = [person.token for person in people]
    asked: dict[str, Any] = {"port": stand.gateway_port, "status": 200, "paths": paths, "tokens": tokens}
    return generate(Job(clients=CLIENTS, seconds=seconds, warm_up=0.5, rate=READS_PER_SECOND, **asked)).milliseconds
