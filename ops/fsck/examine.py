"""All invariants, and how often each is looked at."""

import time
from collections import Counter
from collections.abc import Mapping
from itertools import chain
from typing import Any

from ops.fsck import activities, copies, customers, everywhere, identity, received, references, rules
from ops.fsck.databases import Databases
from ops.fsck.invariant import Invariant, Look
from ops.fsck.report import Finding, Kind, Report
from services.contracts.base import SERVICES

LISTED = 20
KEPT = 10_000
"""Of how many rows it is remembered that they differ. Where there are more, all are looked at again."""

INVARIANTS: tuple[Invariant, ...] = (
    *chain.from_iterable(everywhere.invariants_of(service) for service in SERVICES),
    *chain.from_iterable(part.invariants() for part in (identity, customers, activities, rules, copies, received)),
    *(reference.invariant for reference in references.REFERENCES),
)


def check(urls: Mapping[str, str], *, wait: float = 30.0) -> Report:
    """Looks at the databases at `urls`, by service, as the application's role or one that sees more.

    What differs between services is looked at again for `wait` seconds, or until it agrees. An event that the broker has lost
    comes by the sweep, so it takes a longer patience than `QUDAO_SWEEP_EVERY` to call one lost. Raises CannotLook.
    """
    report = Report()
    with Databases(urls) as databases:
        looks = {invariant: Look(databases) for invariant in INVARIANTS}
        for invariant, look in looks.items():
            report.found[invariant.name] = examine(report, invariant, look)
            report.counted[invariant.name] = look.looked_at
        ends, pause = time.monotonic() + wait, 0.1
        while waiting := [each for each in INVARIANTS if each.is_patient and report.found[each.name]]:
            databases.let_go()
            if (left := ends - time.monotonic()) <= 0:
                break
            time.sleep(min(pause, left))
            pause = min(2.0, pause * 1.5)
            databases.take_snapshots()
            for invariant in waiting:
                report.found[invariant.name] = examine(report, invariant, looks[invariant])
    return report


def examine(report: Report, invariant: Invariant, look: Look) -> Counter[Kind]:
    """What breaks the invariant now, in the place of what did before; the next look is at that alone."""
    found: Counter[Kind] = Counter()
    keys: list[Any] = []
    listed: list[Finding] = []
    for difference in invariant.differences(look):
        found[difference.kind] += 1
        if len(keys) <= KEPT:
            keys.append(difference.key)
        if len(listed) < LISTED:
            listed.append(Finding(invariant.name, invariant.service, difference.subject, difference.detail, difference.kind))
    look.only = keys if len(keys) <= KEPT else None
    report.findings = [finding for finding in report.findings if finding.invariant != invariant.name] + listed
    return found
