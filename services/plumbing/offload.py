"""Work that would hold up every other request of the process, done in a real thread.

It yields to what others ask for: half of the cores are for it at most, in threads that rank behind the process's own. So a flood
of log-ins makes log-ins wait, and hardly anybody else.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from eventlet import tpool
from eventlet.semaphore import Semaphore

from services.contracts.errors import ServiceUnavailable

Result = TypeVar("Result")

CORES = os.cpu_count() or 1
AT_ONCE = max(1, CORES // 2)
PLACES = 8 * CORES  # who stood further behind would wait longer than he likes, and holds up nobody when he is sent away
PATIENCE = 3.0  # seconds, on a machine that is so busy that the line hardly moves
NICE = 10

_threads = Semaphore(AT_ONCE)
_waiting = 0


def is_crowded(share: float = 1) -> bool:
    """Whether the line is so long that who may take this part of it is sent away: for who would only find out late."""
    return _waiting >= PLACES * share


def offload(function: Callable[..., Result], *arguments: Any, share: float = 1) -> Result:
    """What the function returns or raises. It should release the GIL, as hashing and C libraries do.

    Raises ServiceUnavailable when the line is long, or does not move: a flood of log-ins must not starve everything else. `share`
    is the part of the line that may be taken before that.
    """
    global _waiting
    if is_crowded(share):
        raise ServiceUnavailable(reason="busy", retry_after=1)
    _waiting += 1
    try:
        if not _threads.acquire(timeout=PATIENCE):
            raise ServiceUnavailable(reason="busy", retry_after=PATIENCE)
        try:
            result: Result = tpool.execute(ranking_behind, function, *arguments)
            return result
        finally:
            _threads.release()
    finally:
        _waiting -= 1


def ranking_behind(function: Callable[..., Result], *arguments: Any) -> Result:
    """Linux gives each thread a priority of its own; none of these threads does anything else."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
    return function(*arguments)
