"""One fault, several times, under load; and the reckoning afterwards."""

import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from faults.ledger import Cast, Ledger
from faults.reckoning import Reckoning, reckon
from faults.system import NotQuiet, System
from ops import fsck

STEADY, STEADY_IN_BRIEF = 3.0, 1.0
"""Seconds without a failure after which the system is taken to be back."""
BRIEF = 0.05
"""A run of this scale or less is there to try each fault once."""


@dataclass(frozen=True)
class Limits:
    """What is promised, in seconds. `recover`: after the end of a fault, until no write fails any more."""

    wait: float = 10.0
    recover: float = 15.0
    quiet: float = 30.0


@dataclass(frozen=True)
class Fault:
    """`run` does it, as often as it says; `seconds` is what a full run takes about; `world` names the servers it needs.

    Unless it `ends_processes` itself, none of ours may end by it: who only waits for a server needs no supervisor.
    """

    name: str
    what: str
    run: Callable[["Trial"], None]
    world: str = "rabbitmq"
    seconds: float = 60.0
    limits: Limits = Limits()
    resends: int = 0
    """How often a client sends again at once what had no answer; the rest is asked for when all is well."""
    rate: float = 20.0
    can_be_brief: bool = True
    """Whether `test` tries it; not what takes long by nature, or what another fault does as well."""
    ends_processes: bool = False


@dataclass
class Result:
    fault: Fault
    times: int = 0
    accepted: int = 0
    refused: int = 0
    unknown: int = 0
    reckoning: Reckoning = field(default_factory=Reckoning)
    oddities: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    wait: float = 0.0
    waited: str = ""
    recovered: float = 0.0
    quiet: float = 0.0
    figures: dict[str, float] = field(default_factory=dict)
    """What this fault alone measures."""

    @property
    def lost(self) -> int:
        return len(self.reckoning.lost)

    @property
    def doubled(self) -> int:
        return len(self.reckoning.doubled) + len(self.reckoning.stray)

    def broken_promises(self) -> list[str]:
        """In sentences; none when all held."""
        limits, found = self.fault.limits, [*self.reckoning.lost, *self.reckoning.doubled, *self.reckoning.stray]
        found += [*self.oddities, *self.complaints]
        if self.wait > limits.wait:
            found.append(f"a request waited {self.wait:.1f} s, longer than {limits.wait:g}: {self.waited}")
        if self.recovered > limits.recover:
            found.append(f"writes failed for {self.recovered:.1f} s after it was over, longer than {limits.recover:g}")
        if self.quiet > limits.quiet:
            found.append(f"quiet came after {self.quiet:.1f} s, later than {limits.quiet:g}")
        return found


class Trial:
    """What a fault may use. `scale` shortens it: 1 is a full run."""

    def __init__(self, fault: Fault, system: System, cast: Cast, seed: int, scale: float, say: Callable[[str], None]) -> None:
        self.fault, self.system, self.scale = fault, system, scale
        self.random = random.Random(f"{seed}/{fault.name}")
        self.ledger = Ledger(system.doors, cast, f"{seed}/{fault.name}/ledger", rate=fault.rate, resends=fault.resends)
        self.result = Result(fault)
        self._say = say

    # --- what a fault says and does

    @property
    def is_brief(self) -> bool:
        return self.scale <= BRIEF

    def times(self, full: int, least: int = 1) -> range:
        """So many rounds, fewer in a short run."""
        return range(max(least, round(full * self.scale)))

    def seconds(self, full: float, least: float) -> float:
        return max(least, full * self.scale)

    def say(self, line: str) -> None:
        """What is done, so that a run can be followed and compared with its replay."""
        self._say(line)

    def pause(self, least: float, most: float) -> None:
        time.sleep(self.random.uniform(least, most))

    @contextlib.contextmanager
    def outage(self, what: str) -> Iterator[None]:
        """Around what is broken. At its end all is whole again, and it is measured how long writes go on to fail."""
        self.say(what)
        self.result.times += 1
        yield
        self.await_recovery(time.monotonic())

    def await_recovery(self, over_at: float) -> float:
        """Seconds from then until the last write that failed; returns once none has failed for a while."""
        steady = STEADY_IN_BRIEF if self.is_brief else STEADY
        ends = over_at + 2 * self.fault.limits.recover + steady
        last = self.ledger.last_failure(over_at)
        while time.monotonic() - last < steady and time.monotonic() < ends:
            time.sleep(0.1)
            last = self.ledger.last_failure(over_at)
        seconds = last - over_at
        if seconds > 1:
            self.say(f"  writes failed for {seconds:.1f} s more")
        self.result.recovered = max(self.result.recovered, seconds)
        return seconds

    def complain(self, sentence: str) -> None:
        """A promise of this fault alone was broken."""
        self.result.complaints.append(sentence)

    # --- the whole of it

    def carry_out(self) -> Result:
        """Loads, breaks, heals, waits for quiet and reckons."""
        pids = self.pids()
        with self.ledger:
            time.sleep(1)
            try:
                self.fault.run(self)
            except NotQuiet as problem:
                self.complain(str(problem))
        self.settle()
        if not self.fault.ends_processes:
            self.check_pids(pids)
        return self.result

    def settle(self) -> None:
        result, ledger = self.result, self.ledger
        try:
            self.system.wait_ready()
            result.quiet = self.system.wait_quiet(2 * self.fault.limits.quiet)
            result.unknown = ledger.count("unknown")
            ledger.settle()
            self.system.wait_quiet(2 * self.fault.limits.quiet)
        except NotQuiet as problem:
            self.complain(f"the system does not come to rest: {problem}")
        result.accepted, result.refused = ledger.count("accepted"), ledger.count("refused")
        if left := ledger.count("unknown"):
            self.complain(f"{left} requests stay without an outcome, sent again and again to a system that is well")
        result.oddities = ledger.oddities()
        if longest := ledger.longest_wait():
            result.wait, result.waited = longest.seconds, f"{longest.kind} {longest.key}, answered {longest.answers}"
        urls = self.system.database_urls()
        result.reckoning += reckon(ledger, urls)
        for finding in fsck.check(urls, wait=self.fault.limits.quiet).findings:
            kinds = {"missing": result.reckoning.lost, "doubled": result.reckoning.doubled}
            sentence = f"fsck: {finding.service}, {finding.invariant}: {finding.subject} {finding.detail}"
            kinds.get(finding.kind, result.complaints).append(sentence)

    def pids(self) -> dict[str, int | None]:
        return {process.spec.name: process.pid for process in self.system.processes()}

    def check_pids(self, before: dict[str, int | None]) -> None:
        for name, pid in self.pids().items():
            if pid != before[name]:
                self.complain(f"{name} ended by itself")


def shortened(pairs: Sequence[tuple[str, str]], most: int) -> list[tuple[str, str]]:
    """The first so many; of every second part one before any has two."""
    seen: Counter[str] = Counter()
    ranked = []
    for pair in pairs:
        ranked.append((seen[pair[1]], pair))
        seen[pair[1]] += 1
    return [pair for _, pair in sorted(ranked, key=lambda rank: rank[0])][:most]
