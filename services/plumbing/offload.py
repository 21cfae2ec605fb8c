"""Work that would hold up every other request of the process, done in a real thread."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

from eventlet import tpool
from eventlet.semaphore import Semaphore

from services.contracts.errors import ServiceUnavailable

Result = TypeVar("Result")

AT_ONCE = os.cpu_count() or 1
LINE = 8  # per thread; who stands further behind would wait longer than he likes, and holds up nobody when he is sent away

_threads = Semaphore(AT_ONCE)
_waiting = 0


def offload(function: Callable[..., Result], *arguments: Any, share: float = 1) -> Result:
    """What the function returns or raises. It should release the GIL, as hashing and C libraries do.

    Raises ServiceUnavailable when the line is long: a flood of log-ins must not starve everything else. `share` is the part of
    the line that may be taken before that.
    """
    global _waiting
    if _waiting >= AT_ONCE * LINE * share:
        raise ServiceUnavailable(reason="busy", retry_after=1)
    _waiting += 1
    try:
        with _threads:
            result: Result = tpool.execute(function, *arguments)
            return result
    finally:
        _waiting -= 1
