"""What an invariant is: a name, and a look that gives the rows that break it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ops.fsck.databases import Databases
from ops.fsck.report import Kind


class Difference(NamedTuple):
    """A row that breaks an invariant; `key` is by what it is looked at again."""

    key: Any
    kind: Kind
    subject: str
    detail: str


@dataclass
class Look:
    """One look at all rows, or at those with the keys `only`. `looked_at` counts them."""

    databases: Databases
    only: Sequence[Any] | None = None
    looked_at: int = 0

    def rows(self, service: str, query: str, **values: Any) -> Iterator[tuple[Any, ...]]:
        """The query may refer to `%(only)s`, null when all rows are meant."""
        return self.databases.rows(service, query, {"only": self.only, **values})


Differences = Callable[[Look], Iterator[Difference]]


@dataclass(frozen=True)
class Invariant:
    """Of a patient one, what differs is looked at again until it agrees: it holds when the services are quiet."""

    service: str
    about: str
    differences: Differences
    is_patient: bool = False

    @property
    def name(self) -> str:
        return f"{self.service}: {self.about}"


def by_sql(service: str, subject: str, counted: str, differing: str, **values: Any) -> Differences:
    """`differing` gives `(key, kind, detail)` of rows that a person knows as `subject`; `counted` is a table or what comes behind
    FROM."""

    def differences(look: Look) -> Iterator[Difference]:
        if look.only is None:
            look.looked_at += look.databases.value(service, f"SELECT count(*) FROM {counted}", values)  # noqa: S608 constants
        for key, kind, detail in look.rows(service, differing, **values):
            yield Difference(key, kind, f"{subject} {key}", detail)

    return differences


def each_of(*parts: Differences) -> Differences:
    """Several looks as one; their keys must not meet."""

    def differences(look: Look) -> Iterator[Difference]:
        for part in parts:
            yield from part(look)

    return differences
