"""Work that would hold up every other request of the process, done in a real thread."""

from collections.abc import Callable
from typing import Any, TypeVar

from eventlet import tpool

Result = TypeVar("Result")


def offload(function: Callable[..., Result], *arguments: Any) -> Result:
    """What the function returns or raises. It should release the GIL, as hashing and C libraries do."""
    result: Result = tpool.execute(function, *arguments)
    return result
