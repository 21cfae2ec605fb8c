"""Processor time per kind of process, from /proc: steadier than requests per second on a machine that others use, too."""

import os
from collections.abc import Sequence
from pathlib import Path

from embedded.supervise import Process

PROC = Path("/proc")
POSTGRES = "postgresql"

Times = dict[str, float]
"""Milliseconds of processor time so far, by kind of process."""


def times_of(processes: Sequence[Process]) -> Times:
    """Empty where there is no /proc. PostgreSQL's are those of its server processes as well."""
    if not (PROC / "self/stat").exists():
        return {}
    found: Times = {}
    for process in processes:
        if process.pid is not None:
            pids = [process.pid, *(children(process.pid) if process.spec.kind == POSTGRES else ())]
            found[process.spec.kind] = found.get(process.spec.kind, 0.0) + sum(map(milliseconds, pids))
    return found


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in (PROC / f"{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def milliseconds(pid: int) -> float:
    """Of the process and of its children that have ended."""
    try:
        after_name = (PROC / f"{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, after_name[11:15])) * 1000 / os.sysconf("SC_CLK_TCK")


def per_request(before: Times, after: Times, requests: int) -> Times:
    """What each kind spent on one request; those that had no part in it are left out."""
    spent = {kind: (after[kind] - before.get(kind, 0.0)) / requests for kind in after} if requests else {}
    return {kind: round(each, 3) for kind, each in spent.items() if each >= 0.02}
