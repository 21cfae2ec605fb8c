"""Who is let in: as many requests as are answered in good time. The rest is refused at once, before anything is done for it.

What is in work equals the answers per second times the seconds that each takes (Little's law). So when most answers take longer
than the target, the place for as many as are answered within the target is what there is; more in work would be answered no
faster, only later, and in the end after their deadline. Each service has places of its own, for its questions and for its
commands: one that is slow fills its own.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from gateway import metrics
from services.contracts.base import Operation
from services.contracts.errors import QudaoError, ServiceUnavailable

WINDOW = 0.5  # seconds between looks at what was answered
FLOOR = 5  # places that stay, or a service whose work takes long by nature would be shut out
START = 0.25  # of all places: before anything is known, and again when nothing is in work
GROWTH = 1.1  # per window in which somebody was refused although answers were prompt
RETRY_AFTER = 2  # seconds


@dataclass
class Gate:
    """Places that become fewer and more. `now` is in seconds of a clock that only goes forward, `target` in seconds."""

    target: float
    ceiling: int
    places: float = field(init=False)
    in_work: dict[int, float] = field(default_factory=dict)
    """When each was let in, the oldest first."""
    _number: int = 0
    _window_began: float = 0.0
    _prompt: int = 0
    _late: int = 0
    _answered: int = 0
    _refused: int = 0

    def __post_init__(self) -> None:
        self.places = self._start

    @property
    def _start(self) -> float:
        return max(FLOOR, START * self.ceiling)

    def may_enter(self, now: float) -> bool:
        """Whether there is a place; whoever is told that there is none goes away."""
        self._look(now)
        if len(self.in_work) < self.places:
            return True
        self._refused += 1
        return False

    def enter(self, now: float) -> int:
        """Takes a place, which `leave` gives back."""
        self._number += 1
        self.in_work[self._number] = now
        return self._number

    def leave(self, number: int, now: float, *, is_answered: bool) -> None:
        """A refusal or a failure that comes at once says nothing about how long answers take."""
        is_late = now - self.in_work.pop(number) > self.target
        self._late += is_late
        self._prompt += is_answered and not is_late
        self._answered += is_answered
        self._look(now)

    def _look(self, now: float) -> None:
        """At the end of a window. What should have been answered by now counts as late: who waits for a service that has
        stopped would learn of it only with the deadline of the first."""
        seconds = now - self._window_began
        if seconds < WINDOW:
            return
        overdue = sum(now - entered > self.target for entered in self.in_work.values())
        if not self.in_work:
            self.places = max(self.places, self._start)
        elif self._late + overdue > self._prompt:
            self.places = max(FLOOR, self._answered / seconds * self.target, min(self.places, len(self.in_work)) / 2)
        elif self._refused:
            self.places = min(self.ceiling, self.places * GROWTH + 1)
        self._window_began = now
        self._prompt = self._late = self._answered = self._refused = 0


class Gates:
    """The gates of one process."""

    def __init__(self, target: float, ceiling: int) -> None:
        self._target, self._ceiling = target, ceiling
        self._gates: dict[tuple[str, bool], Gate] = {}

    def of(self, service: str, *, changes: bool) -> Gate:
        key = (service, changes)
        if key not in self._gates:
            self._gates[key] = gate = Gate(self._target, self._ceiling)
            metrics.PLACES.labels(service, kind(changes=changes)).set_function(lambda: gate.places)
        return self._gates[key]

    def check(self, service: str, *, changes: bool) -> None:
        """Raises ServiceUnavailable when there is no place."""
        if not self.of(service, changes=changes).may_enter(time.monotonic()):
            metrics.SHED.labels(service, kind(changes=changes)).inc()
            raise ServiceUnavailable(service=service, reason="busy", retry_after=RETRY_AFTER)

    @contextmanager
    def place(self, operation: Operation[Any, Any]) -> Iterator[None]:
        """A place while the operation is in work. Raises ServiceUnavailable when there is none."""
        self.check(operation.service, changes=operation.changes)
        gate = self.of(operation.service, changes=operation.changes)
        number = gate.enter(time.monotonic())
        is_answered = False
        try:
            yield
            is_answered = True
        except QudaoError as error:
            is_answered = error.status not in (503, 504)
            raise
        finally:
            gate.leave(number, time.monotonic(), is_answered=is_answered)


def kind(*, changes: bool) -> str:
    return "command" if changes else "query"
