"""What is measured: a throw-away stack, the bare server and the bare service beside it, people with sessions and customers."""

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from embedded.ports import free_port
from embedded.readiness import get
from embedded.stack import Stack
from embedded.supervise import Process, Spec, wait_until
from embedded.wiring import ROOT, database_variable
from tests.api import PASSWORD, Client, Headquarters, company, digits, eventually, expect
from tests.rabbitmq import RabbitNode

BARE, ECHO = "bare", "echo"
REPS = 10
CUSTOMERS_EACH = 20
UNSHED = {"QUDAO_ANSWER_TARGET": "60", "QUDAO_MAX_PENDING_CALLS": "4000"}
"""What is measured is how long it takes, not who is sent away."""


class NotMeasured(Exception):
    """The run cannot give figures: why, in one sentence."""


@dataclass(frozen=True)
class Person:
    """A rep with a session of his own and the customers that he holds."""

    token: str
    customers: list[str]


class Stand:
    """Runs inside `standing`."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.bare_port, self.gateway_port = free_port(), 0

    def start(self) -> None:
        """The bare ones start beside the stack. Raises CannotStart or NotMeasured."""
        self.stack.start()
        self.gateway_port = urlsplit(self.stack.url).port or 0
        self.start_bare()
        self.stack.wait_ready()
        if not wait_until(lambda: get(f"http://127.0.0.1:{self.bare_port}/select/1")[0] == 200, 30):
            raise NotMeasured("The bare service does not answer.")

    def start_bare(self) -> None:
        python = sys.executable
        settings = self.stack.wiring().on_the_broker("customers")
        database = {database_variable("customers"): self.stack.database_url("customers")}
        self.stack.supervisor.add(
            Spec(ECHO, (python, "-m", "bench.echo"), settings | database, folder=ROOT),
            Spec(BARE, (python, "-m", "bench.bare", str(self.bare_port)), settings, folder=ROOT),
        )

    def check(self) -> None:
        """Raises NotMeasured when a process has ended: then something else was measured than what the lines say."""
        ended = [process.spec.name for process in self.stack.supervisor.processes if process.exits]
        if ended:
            raise NotMeasured(f"{', '.join(ended)} ended while being measured.")

    @property
    def processes(self) -> list[Process]:
        return self.stack.supervisor.processes

    def people(self, sessions: int) -> list[Person]:
        """As many sessions, of a few reps in one department."""
        headquarters = Headquarters.set_up(self.stack.url, self.stack.setup_secret)
        department = headquarters.department()["id"]
        reps = [headquarters.person("rep", department) for _ in range(min(REPS, sessions))]
        raise_limit(headquarters, reps)
        held = [[enter(rep) for _ in range(CUSTOMERS_EACH)] for rep in reps]
        logins = [rep.user["login"] for rep in reps]
        tokens = [headquarters.admin.log_in(logins[number % len(reps)], PASSWORD).token for number in range(sessions)]
        return [Person(str(token), held[number % len(reps)]) for number, token in enumerate(tokens)]


def raise_limit(headquarters: Headquarters, reps: Sequence[Client]) -> None:
    """So that thousands may be entered; returns when it holds."""
    agency_id = reps[0].user["agency_id"]
    change = {"subject": "agency", "agency_id": agency_id, "limit": 100_000}
    expect(200, headquarters.admin.request("PUT", "/v1/policies/stock-limit", change))
    for rep in reps:
        eventually(partial(limit_of, rep), until=lambda limit: limit == change["limit"])


def limit_of(rep: Client) -> int:
    return int(rep.get("/v1/me/day")["stock"]["limit"])


def enter(rep: Client) -> str:
    return str(rep.post("/v1/customers", {"name": company(), "phone": f"0514-{digits()}", "city": "扬州"})["customer_id"])


@contextlib.contextmanager
def standing(broker: str, env: Mapping[str, str] = MappingProxyType({})) -> Iterator[Stand]:
    """Everything on free ports of the loopback and in a directory of its own, ended and removed at the end."""
    with tempfile.TemporaryDirectory(prefix="qudao-bench-") as folder, contextlib.ExitStack() as started:
        uri = None
        if broker == "rabbitmq":
            node = RabbitNode(Path(folder) / "rabbitmq")
            started.callback(node.stop)
            node.start()
            uri = node.uri
        stack = Stack(Path(folder) / "home", amqp_uri=uri, env={**UNSHED, **env})  # not `fast`: a commit has to reach the disk
        started.callback(stack.stop)
        stand = Stand(stack)
        stand.start()
        yield stand


def wait_for(condition: Callable[[], bool], seconds: float, sentence: str) -> float:
    """Seconds that it took. Raises NotMeasured."""
    began = time.monotonic()
    if not wait_until(condition, seconds):
        raise NotMeasured(sentence)
    return time.monotonic() - began
