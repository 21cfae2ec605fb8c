"""One question for many who ask it at the same time."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Coalescing(Generic[Value]):
    """Answers for at most `max_age` seconds, counted from when the question was asked, not from when its answer came:
    the world may have changed while the answer was on its way. A failure is told to those who wait for it and to nobody else."""

    def __init__(self, max_age: float, *, size: int = 1) -> None:
        self._max_age, self._size = max_age, size
        self._asked: OrderedDict[str, tuple[float, asyncio.Future[Value]]] = OrderedDict()

    async def get(self, key: str, ask: Callable[[], Awaitable[Value]]) -> Value:
        asked_at, answer = self._asked.get(key, (0.0, None))
        if answer is None or time.monotonic() - asked_at >= self._max_age:
            answer = self._ask(key, ask)
        return await asyncio.shield(answer)  # who goes away must not take the answer from the others

    def forget(self, key: str) -> None:
        self._asked.pop(key, None)

    def _ask(self, key: str, ask: Callable[[], Awaitable[Value]]) -> "asyncio.Future[Value]":
        answer = asyncio.ensure_future(ask())
        self._asked[key] = (time.monotonic(), answer)
        self._asked.move_to_end(key)
        if len(self._asked) > self._size:
            self._asked.popitem(last=False)
        answer.add_done_callback(lambda done: self._drop_failure(key, done))
        return answer

    def _drop_failure(self, key: str, answer: "asyncio.Future[Value]") -> None:
        failed = answer.cancelled() or answer.exception() is not None
        if failed and self._asked.get(key, (0.0, None))[1] is answer:
            self.forget(key)
