"""More than can be done, and nobody there to do it."""

import time
from collections.abc import Iterable

import psutil

from faults import overload
from faults.overload import Entry, OverloadOutcome
from faults.system import halted
from faults.trial import Trial

CLIENTS = 20
BACK_TO_NORMAL = 60.0
UNKNOWN_AT_MOST = 0.01
"""Of what is sent: who is let in is to be answered in time, but for those who were let in before it was noticed."""
GROWTH_AT_MOST = 0.6
"""Of any process's memory, by all that it keeps after its first busy time."""


def overloaded(trial: Trial) -> None:
    """Three times as many entries as can be made: the rest is sent away at once, and told when to come again."""
    before = memory(trial)
    with trial.outage("three times what the system can take"):
        tokens = [str(rep.token) for rep in trial.ledger.cast.reps]
        seconds = trial.seconds(120, 6)
        prefix = f"O{trial.ledger.prefix}"
        found = overload.overload(trial.system.doors, tokens, seconds, clients=CLIENTS, prefix=prefix)
    judge(trial, found)
    check(trial, found)
    growth = {name: after / before[name] - 1 for name, after in memory(trial).items() if name in before}
    trial.result.figures |= {"capacity": found.capacity, "goodput": found.goodput, "most grown": max(growth.values())}
    if max(growth.values()) > GROWTH_AT_MOST:
        trial.complain(f"{max(growth, key=lambda name: growth[name])} has grown by {max(growth.values()):.0%}")


def judge(trial: Trial, found: OverloadOutcome) -> None:
    expected = {200, 201, 409, 429, 503}
    if odd := {status: count for status, count in found.answered.items() if status not in expected | {0, 504}}:
        trial.complain(f"answers that nobody should get: {odd}")
    if found.without_retry_after:
        trial.complain(f"{found.without_retry_after} were sent away without Retry-After")
    if (unknown := found.answered.get(504, 0) + found.answered.get(0, 0)) > max(2, UNKNOWN_AT_MOST * found.sent):
        trial.complain(f"{unknown} of {found.sent} had no answer in time")
    if found.worst_seconds > trial.fault.limits.wait:
        trial.complain(f"somebody waited {found.worst_seconds:.1f} s")
    if found.seconds_to_normal is None or found.seconds_to_normal > BACK_TO_NORMAL:
        trial.complain(f"normal again after {found.seconds_to_normal} s")
    if not trial.is_brief and found.goodput < found.capacity / 2:
        trial.complain(f"{found.goodput:.0f} entries a second were made of {found.capacity:.0f} that could have been")


def check(trial: Trial, found: OverloadOutcome) -> None:
    """What it entered is the ledger's business as well."""
    there = dict(trial.system.rows("customers", COUNT, [entry.name for entry in (*found.accepted, *found.unknown)]))
    lost = [entry for entry in found.accepted if not there.get(entry.name)]
    trial.result.reckoning.lost.extend(sentences(lost, "accepted, and is not there"))
    trial.result.reckoning.doubled.extend(f"{name}: there {count} times" for name, count in there.items() if count > 1)


COUNT = "SELECT name, count(*) FROM customer WHERE name = ANY(%s) GROUP BY name"


def sentences(entries: Iterable[Entry], what: str) -> list[str]:
    return [f"{entry.name}: {what}" for entry in entries]


def memory(trial: Trial) -> dict[str, int]:
    """Bytes of each process of ours."""
    return {process.spec.name: psutil.Process(process.pid).memory_info().rss for process in trial.system.processes()}


def consumer_away(trial: Trial) -> None:
    """Who hears most is down while others write; what it missed reaches it when it is back."""
    for kind in ("rules", "activities"):
        with trial.outage(f"{kind} away"):
            with halted(trial.system, trial.system.processes(kind)):
                time.sleep(trial.seconds(60, 3))
            trial.system.wait_ready()
