"""`bench felt`: for how long an open session keeps what a change has taken from it, on two gateways and two replicas.

Of each kind of change somebody asks all the time, through both gateways, for what he is about to lose. What counts is when the
last request was sent that was still let: the promise is a second after the change was answered. Then once more with a broker that
is killed as soon as the changes are answered, and comes back after a while.
"""

import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from math import inf
from pathlib import Path
from threading import Event, Thread
from types import MappingProxyType
from typing import Any

import httpx

from bench import machine
from bench.report import markdown
from bench.stand import UNSHED, NotMeasured
from embedded.stack import Stack
from tests.api import Client, Headquarters, Team, eventually, expect, unique
from tests.brokers import Broker, EmbeddedBroker
from tests.rabbitmq import RabbitNode

REPLICAS: Mapping[str, int] = MappingProxyType({"identity": 2, "customers": 2, "gateway": 2})
PATIENT = UNSHED | {"QUDAO_RPC_TIMEOUT": "12"}
"""What is measured is when somebody is let, however long a busy machine takes for an answer."""
LIMIT = 1.0  # seconds in which a change is felt
EVERY = 0.25  # seconds from an answer to the next question of the same session at the same gateway
TURNS = 2
WITHOUT_BROKER = 2.5
PATIENCE = 60.0


@dataclass(frozen=True)
class Change:
    """Somebody, what he sees, and what takes it from him."""

    name: str
    who: Client
    paths: tuple[str, ...]
    take: Callable[[], Any]
    is_told: bool = False
    """Services have it from an event, not from the next passport: after an outage it counts when that has come."""


# --- kinds of changes


def changes(headquarters: Headquarters) -> list[Change]:
    """One of each kind, on people of their own. What is seen is asked of customers, activities and rules."""
    team = headquarters.team()
    made = (role, account, session, department, grant, group, agency)
    with ThreadPoolExecutor(4) as pool:
        shown = seen_of(team.rep)
        return list(pool.map(lambda make: make(team, shown), made))


def seen_of(owner: Client) -> tuple[str, ...]:
    customer = owner.entered()
    expect(201, owner.note(customer, maturity=1))
    return (f"/v1/customers/{customer}", f"/v1/customers/{customer}/notes", f"/v1/people/{owner.user['id']}/day")


def role(team: Team, shown: tuple[str, ...]) -> Change:
    who = team.headquarters.person("rep", team.department_id, roles=["rep", "supervisor"])
    return Change("a role is taken away", who, shown, lambda: edited(team, who, roles=["rep"]))


def account(team: Team, shown: tuple[str, ...]) -> Change:
    who = team.headquarters.person("supervisor", team.department_id)
    return Change("a user is disabled", who, shown, lambda: posted(team, f"/v1/users/{who.user['id']}/disable"))


def session(team: Team, shown: tuple[str, ...]) -> Change:
    who = team.headquarters.person("supervisor", team.department_id)
    path = f"/v1/users/{who.user['id']}/sessions"
    return Change("an administrator ends a session", who, shown, lambda: told(team, "DELETE", path))


def department(team: Team, shown: tuple[str, ...]) -> Change:
    """It is above the one of the owner that it moves away, with him, from below a supervisor."""
    headquarters, admin = team.headquarters, team.headquarters.admin
    above = headquarters.department(team.agency_id)["id"]
    below = admin.post("/v1/departments", {"agency_id": team.agency_id, "name": unique("部"), "parent_id": above})["id"]
    who, owner = headquarters.person("supervisor", above), headquarters.person("rep", below)
    moved = {"parent_id": None}
    take = lambda: posted(team, f"/v1/departments/{below}/move", moved)  # noqa: E731
    return Change("a department moves", who, seen_of(owner), take, is_told=True)


def grant(team: Team, shown: tuple[str, ...]) -> Change:
    who = team.headquarters.person("rep", team.other_department_id)
    path, body = f"/v1/users/{who.user['id']}/grants", {"permission": "customer:read", "department_id": team.department_id}
    given = team.headquarters.admin.post(path, body)["id"]
    return Change("a grant is withdrawn", who, shown[:2], lambda: told(team, "DELETE", f"{path}/{given}"))


def group(team: Team, shown: tuple[str, ...]) -> Change:
    who, admin = team.headquarters.person("rep", team.other_department_id), team.headquarters.admin
    made = admin.post("/v1/groups", {"name": unique("组"), "agency_id": team.agency_id})
    path = f"/v1/groups/{made['id']}"
    expect(200, admin.request("PUT", f"{path}/members/{team.rep.user['id']}"))

    def put(*rights: str) -> Any:
        return told(team, "PUT", f"{path}/admins/{who.user['id']}", {"rights": rights})

    put("manage_members", "see_customers", "see_work")
    return Change("a right in a group is taken away", who, shown, lambda: put("manage_members"))


def agency(team: Team, shown: tuple[str, ...]) -> Change:
    other = team.headquarters.team()
    shown = seen_of(other.rep)
    return Change("an agency is frozen", other.rep, shown, lambda: posted(team, f"/v1/agencies/{other.agency_id}/freeze"))


def told(team: Team, method: str, path: str, body: Any = None) -> Any:
    answer = team.headquarters.admin.request(method, path, body)
    assert answer.is_success, answer.text
    return answer


def posted(team: Team, path: str, body: Any = None) -> Any:
    return told(team, "POST", path, body)


def edited(team: Team, who: Client, **changed: Any) -> Any:
    path, admin = f"/v1/users/{who.user['id']}", team.headquarters.admin
    return expect(200, admin.request("PATCH", path, changed, If_Match=f'"{admin.get(path)["version"]}"'))


# --- watching


@dataclass(frozen=True)
class Asked:
    """`at` is when it was sent, monotonic."""

    at: float
    gateway: str
    path: str
    status: int

    @property
    def is_let(self) -> bool:
        return self.status == 200

    @property
    def door(self) -> tuple[str, str]:
        return self.gateway, self.path


@dataclass
class Watch:
    """Asks in one session at every gateway, for one thing after the other, until it is told to stop."""

    change: Change
    gateways: Sequence[str]
    asked: list[Asked] = field(default_factory=list)
    answered_at: float = 0.0
    """When the change was."""

    def __enter__(self) -> "Watch":
        self._stopped = Event()
        self._threads = [Thread(target=self._ask, args=(url,)) for url in self.gateways]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, url: str) -> None:
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {self.change.who.token}"}, timeout=15) as http:
            for path in cycle(self.change.paths):
                if self._stopped.wait(EVERY):
                    return
                at = time.monotonic()
                self.asked.append(Asked(at, url, path, http.get(path).status_code))

    def take(self) -> None:
        self.change.take()
        self.answered_at = time.monotonic()

    @property
    def doors(self) -> set[tuple[str, str]]:
        return {(url, path) for url in self.gateways for path in self.change.paths}

    def since(self, at: float) -> list[Asked]:
        return [each for each in list(self.asked) if each.at >= at]

    @property
    def obeys(self) -> bool:
        """Whether each service has said at each gateway that he sees it no more since the change has to be known: as often as
        it has replicas, which take turns."""
        refused = Counter(each.door for each in self.since(self.answered_at + LIMIT) if each.status in (401, 403, 404))
        return all(refused[door] >= TURNS for door in self.doors)

    def felt_after(self, outage: "Outage | None" = None) -> float:
        """Seconds from the answer, or from the broker's return, to the last request that was still let; 0 when there was none."""
        began = outage.back_at if outage else self.answered_at
        return max((each.at - began for each in self.since(began) if each.is_let), default=0.0)

    def too_late(self, outage: "Outage | None" = None) -> list[str]:
        """Those that should not have been let."""
        until = outage.back_at if outage and self.change.is_told else inf
        late = [each for each in self.since(self.answered_at + LIMIT) if each.is_let and each.at < until]
        return [f"{self.change.name}: {each.path} at {each.gateway} after {each.at - self.answered_at:.2f} s" for each in late]


@contextmanager
def watching(of: Iterable[Change], gateways: Sequence[str]) -> Iterator[list[Watch]]:
    """Each session has been let at every door, and so has every gateway a passport of it that is as fresh as can be."""
    with ExitStack() as opened:
        watches = [opened.enter_context(Watch(change, gateways)) for change in of]
        eventually(
            lambda: all({each.door for each in list(w.asked) if each.is_let} == w.doors for w in watches), seconds=PATIENCE
        )
        yield watches


def take_all(watches: Sequence[Watch]) -> None:
    with ThreadPoolExecutor(len(watches)) as pool:
        list(pool.map(Watch.take, watches))


def change_all(headquarters: Headquarters, gateways: Sequence[str]) -> list[Watch]:
    with watching(changes(headquarters), gateways) as watches:
        take_all(watches)
        eventually(lambda: all(watch.obeys for watch in watches), seconds=PATIENCE)
    return watches


@dataclass(frozen=True)
class Outage:
    """Monotonic: when the broker was killed, and when it could be reached again."""

    killed_at: float
    back_at: float


def change_all_and_kill(headquarters: Headquarters, gateways: Sequence[str], broker: Broker) -> tuple[list[Watch], Outage]:
    """The broker goes with the answers to the changes, and takes with it what was told of them."""
    with watching(changes(headquarters), gateways) as watches:
        take_all(watches)
        broker.kill()
        killed_at = time.monotonic()
        time.sleep(WITHOUT_BROKER)
        broker.start()
        back_at = time.monotonic()
        eventually(lambda: all(watch.obeys for watch in watches), seconds=PATIENCE)
    return watches, Outage(killed_at, back_at)


# --- the benchmark


@dataclass(frozen=True)
class Wish:
    rounds: int
    broker: str
    is_json_only: bool
    limit: float = 900.0


def run(wish: Wish) -> None:
    """Prints a table, and the whole as one JSON object on the last line. Raises NotMeasured."""
    found: dict[str, Any] = {"bench": "felt", "commit": machine.commit(), "machine": machine.machine()}
    with tempfile.TemporaryDirectory(prefix="qudao-bench-") as folder, ExitStack() as started:
        kind = RabbitNode if wish.broker == "rabbitmq" else EmbeddedBroker
        broker: Broker = kind(Path(folder) / "broker")
        broker.start()
        started.callback(broker.stop)
        stack = started.enter_context(Stack(Path(folder) / "home", replicas=REPLICAS, amqp_uri=broker.uri, env=PATIENT))
        headquarters = Headquarters.set_up(stack.url, stack.setup_secret)
        found["versions"] = machine.versions(stack, wish.broker)
        up = [watch for _ in range(wish.rounds) for watch in change_all(headquarters, stack.gateway_urls)]
        down, outage = change_all_and_kill(headquarters, stack.gateway_urls, broker)
    found["seconds"] = {"broker up": figures(up), "after its return": figures(down, outage)}
    if late := [*(line for watch in up for line in watch.too_late()), *(line for w in down for line in w.too_late(outage))]:
        raise NotMeasured(f"Not felt in {LIMIT:g} s: {'; '.join(late)}")
    if not wish.is_json_only:
        print(table(found["seconds"]), flush=True)
    print(json.dumps(found, ensure_ascii=False), flush=True)


def figures(watches: Sequence[Watch], outage: Outage | None = None) -> dict[str, dict[str, float]]:
    felt: dict[str, list[float]] = {}
    for watch in watches:
        felt.setdefault(watch.change.name, []).append(watch.felt_after(outage))
    return {name: {"p50": round(statistics.median(all_), 3), "max": round(max(all_), 3)} for name, all_ in felt.items()}


def table(found: dict[str, dict[str, dict[str, float]]]) -> str:
    heads = ["change", *(f"{state}: {figure} s" for state in found for figure in ("p50", "max"))]
    names = next(iter(found.values()))
    return markdown(
        heads, [[name, *(f"{each[name][key]:g}" for each in found.values() for key in ("p50", "max"))] for name in names]
    )
