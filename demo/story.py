"""The transcript: who does what, what came of it, and whether that was expected."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from demo.api import Person, Unusable

PATIENCE = 15.0


@dataclass(frozen=True)
class Deviation:
    part: str
    step: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.part}: {self.step}: expected {self.expected}, got {self.got}"


@dataclass
class Story:
    """Prints each step as it is done and counts."""

    say: Callable[[str], None] = print
    cases: int = 0
    steps: int = 0
    deviations: list[Deviation] = field(default_factory=list)
    part: str = ""

    @contextmanager
    def chapter(self, name: str, title: str) -> Iterator[None]:
        """A part of the story; what hinders it from going on is told, and the next part begins all the same."""
        self.part = name
        self.say(f"\n{name} · {title}")
        try:
            yield
        except Unusable as hindrance:
            self.deviate("goes on to the end", "an answer to work with", str(hindrance))

    @contextmanager
    def case(self, number: int, title: str) -> Iterator[None]:
        self.cases += 1
        with self.chapter(f"Case {number}", title):
            yield

    def step(self, who: Person | str, does: str, got: str, expected: str) -> None:
        """One thing done: `got` is what the system answered, in one line."""
        title = who if isinstance(who, str) else who.title
        if got == expected:
            self.steps += 1
            self.say(f"  ✓ {title} {does} → {got}")
        else:
            self.deviate(f"{title} {does}", expected, got)

    def soon(self, who: Person | str, does: str, ask: Callable[[], str], expected: str) -> None:
        """A step whose answer follows events of other services, so it is asked again until it is as expected."""
        ends = time.monotonic() + PATIENCE
        while (got := ask()) != expected and time.monotonic() < ends:
            time.sleep(0.05)
        self.step(who, does, got, expected)

    def deviate(self, step: str, expected: str, got: str) -> None:
        self.steps += 1
        self.deviations.append(Deviation(self.part, step, expected, got))
        self.say(f"  ✗ {step}\n      expected {expected}\n      got      {got}")

    def remark(self, line: str) -> None:
        self.say(f"    {line}")

    def end(self) -> int:
        """The summary; the exit code."""
        counted = f"{self.cases} case{'' if self.cases == 1 else 's'}, {self.steps} steps"
        if not self.deviations:
            self.say(f"\n{counted}: all as expected")
            return 0
        self.say("\nNot as expected:")
        for deviation in self.deviations:
            self.say(f"  ✗ {deviation}")
        self.say(f"\n{counted}: {len(self.deviations)} not as expected")
        return 1
