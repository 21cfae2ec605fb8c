"""Which faults there are, in which world each of them happens, and a run through all of them."""

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from faults import brokers, databases, events, kills, load, networks, stops
from faults.ledger import Cast
from faults.small_disk import MayNotMount, on_a_small_disk
from faults.system import System
from faults.trial import Fault, Limits, Result, Trial

FAULTS = (
    Fault("marked-kills", "kill -9 at each marked point", kills.at_marked_points, seconds=400, ends_processes=True),
    Fault(
        "random-kills",
        "200 times kill -9 in ten minutes",
        kills.at_random,
        seconds=600,
        can_be_brief=False,
        ends_processes=True,
    ),
    Fault(
        "terminations",
        "SIGTERM to each process",
        stops.terminate,
        seconds=90,
        can_be_brief=False,
        ends_processes=True,
        resends=1,
    ),
    Fault(
        "rolling-restart",
        "every replica replaced, one by one",
        stops.roll,
        seconds=120,
        can_be_brief=False,
        ends_processes=True,
        resends=1,
    ),
    Fault("rabbitmq-killed", "kill -9 of RabbitMQ", brokers.killed, seconds=120),
    Fault("rabbitmq-stopped", "RabbitMQ away for longer than every timer", brokers.stopped, seconds=120, can_be_brief=False),
    Fault("rabbitmq-alarmed", "RabbitMQ without disk, blocking publishers", brokers.alarmed, seconds=70),
    Fault("broker-killed", "kill -9 of the embedded broker, which loses all messages", brokers.killed, "embedded", seconds=60),
    Fault("postgresql-killed", "kill -9 of PostgreSQL", databases.killed, seconds=90, limits=Limits(recover=10)),
    Fault("disk-full", "PostgreSQL without space", databases.full, "small disk", seconds=120, limits=Limits(recover=30)),
    Fault(
        "fail-over",
        "PostgreSQL lost, a standby promoted",
        databases.failed_over,
        "standby",
        seconds=90,
        limits=Limits(recover=60),
    ),
    Fault("network", "each way between two parts broken", networks.broken, seconds=1800, limits=Limits(recover=30)),
    Fault(
        "consumer-away",
        "nobody who hears what is told",
        load.consumer_away,
        seconds=150,
        can_be_brief=False,
        ends_processes=True,
    ),
    Fault("overload", "three times what the system can take", load.overloaded, seconds=180, rate=2.0, can_be_brief=False),
    Fault("repeated-events", "every event again, twice, in any order", events.repeated, seconds=60, limits=Limits(quiet=60)),
)
Say = Callable[[str], None]


def faults_named(*names: str) -> list[Fault]:
    """All of them when none is named, in their order."""
    return [fault for fault in FAULTS if not names or fault.name in names]


@contextlib.contextmanager
def world(name: str, folder: Path) -> Iterator[System]:
    """The servers that faults of this world need. Raises MayNotMount."""
    home = folder / name.replace(" ", "-")
    with contextlib.ExitStack() as started:
        if name == "small disk":
            started.enter_context(on_a_small_disk(home))
        yield started.enter_context(System(home, broker="embedded" if name == "embedded" else "rabbitmq"))


class Campaign:
    """Faults of one world share its system, in their order; a seed decides everything else that is chosen."""

    def __init__(self, faults: Sequence[Fault], seed: int, minutes: float | None, say: Say) -> None:
        self.faults, self.seed, self.say = faults, seed, say
        self.results: list[Result] = []
        whole = sum(fault.seconds for fault in faults)
        self.scale = 1.0 if minutes is None else min(1.0, minutes * 60 / whole)

    def run(self) -> None:
        """Fills `results`, fault by fault."""
        worlds = dict.fromkeys(fault.world for fault in self.faults)
        with tempfile.TemporaryDirectory(prefix="qudao-faults-") as folder:
            for name in worlds:
                try:
                    with world(name, Path(folder)) as system:
                        cast = Cast.assemble(system.stack.url, system.stack.setup_secret)
                        for fault in self.faults:
                            if fault.world == name:
                                self.results.append(self.carry_out(fault, system, cast))
                except MayNotMount as problem:
                    self.say(f"left out: {', '.join(f.name for f in self.faults if f.world == name)} ({problem})")

    def carry_out(self, fault: Fault, system: System, cast: Cast) -> Result:
        self.say(f"{fault.name}: {fault.what}")
        began = time.monotonic()
        trial = Trial(fault, system, cast, self.seed, self.scale, say=lambda line: self.say(f"    {line}"))
        result = trial.carry_out()
        broken = result.broken_promises()
        self.say(f"  {'FAILED' if broken else 'ok'} after {time.monotonic() - began:.0f} s")
        for promise in broken[:20]:
            self.say(f"  {promise}")
        if len(broken) > 20:
            self.say(f"  … and {len(broken) - 20} more")
        return result
