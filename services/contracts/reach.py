"""On whose records a permission counts when several sources of rights give it: a scope, or several things together.

Decisions alone: values in, decision out. The same as a predicate over rows stands in `services.directory.scopes`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol
from uuid import UUID

from services.contracts.permissions import Permission, Scope

HOLDS: dict[Scope, frozenset[Scope]] = {
    Scope.OWN: frozenset(),
    Scope.SUBORDINATES: frozenset({Scope.OWN}),
    Scope.DEPARTMENT_ALONE: frozenset({Scope.OWN}),
    Scope.DEPARTMENT: frozenset({Scope.OWN, Scope.DEPARTMENT_ALONE}),
    Scope.MANAGED: frozenset({Scope.OWN, Scope.DEPARTMENT_ALONE, Scope.DEPARTMENT}),
    Scope.LISTED: frozenset({Scope.OWN}),
    Scope.AGENCY: frozenset(Scope) - {Scope.AGENCY, Scope.ALL},
    Scope.ALL: frozenset(Scope) - {Scope.ALL},
}
"""Which scopes each one holds, whoever asks. AGENCY holds listed departments, as those count in one's own agency alone."""


class Listed(NamedTuple):
    """A department, with those below it, or a person; until that moment when there is one, which itself is outside."""

    id: UUID
    until: datetime | None = None


@dataclass(frozen=True)
class Mixed:
    """What no single scope says, nor AGENCY or ALL among others. All of it counts in the caller's own agency alone; without
    scopes, not on what is his own."""

    scopes: frozenset[Scope] = frozenset()
    departments: frozenset[Listed] = frozenset()
    people: frozenset[Listed] = frozenset()


MOMENT = timedelta(microseconds=1)
Reach = Scope | Mixed
Grants = Mapping[Permission, Reach]
"""All that somebody may, by permission."""


def listing(departments: Iterable[UUID]) -> Mixed:
    """What a role with the scope `listed` gives."""
    return Mixed(frozenset({Scope.OWN}), frozenset(Listed(department) for department in departments))


def together(*reaches: Reach) -> Reach:
    """All that one of them reaches, in the simplest form; the order does not matter."""
    mixed = [Mixed(frozenset({each})) if isinstance(each, Scope) else each for each in reaches]
    given = frozenset().union(*(each.scopes for each in mixed))
    scopes = frozenset(scope for scope in given if not any(scope in HOLDS[other] for other in given))
    if scopes & {Scope.AGENCY, Scope.ALL}:
        return next(iter(scopes))
    departments = lasting_longest(listed for each in mixed for listed in each.departments)
    people = lasting_longest(listed for each in mixed for listed in each.people)
    if len(scopes) == 1 and not departments and not people:
        return next(iter(scopes))
    return Mixed(scopes, departments, people)


def scopes_in(reach: Reach) -> frozenset[Scope]:
    return frozenset({reach}) if isinstance(reach, Scope) else reach.scopes


def lasting_longest(listed: Iterable[Listed]) -> frozenset[Listed]:
    """Each once, until the latest of its ends."""
    found: dict[UUID, datetime | None] = {}
    for id_, until in listed:
        held = found.get(id_, until)
        found[id_] = None if held is None or until is None else max(held, until)
    return frozenset(Listed(id_, until) for id_, until in found.items())


def union_of(sources: Iterable[Grants]) -> Grants:
    """What several sources of rights give together."""
    found: dict[Permission, set[Reach]] = defaultdict(set)
    for grants in sources:
        for permission, reach in grants.items():
            found[permission].add(reach)
    return {permission: together(*reaches) if len(reaches) > 1 else next(iter(reaches)) for permission, reaches in found.items()}


# --- whether a reach is enough


class Viewer(Protocol):
    """Whose reach it is."""

    @property
    def subject(self) -> str: ...
    @property
    def agency_id(self) -> UUID: ...
    @property
    def department_id(self) -> UUID: ...
    @property
    def managed_department_ids(self) -> tuple[UUID, ...]: ...


@dataclass(frozen=True)
class Place:
    """Where a record stands: with a person, whose departments are named from the root down and whose supervisors in any order;
    or, without a person, with a department and all those below it."""

    agency_id: UUID
    person_id: UUID | None = None
    ancestors: tuple[UUID, ...] = ()
    supervisors: frozenset[UUID] = frozenset()


def covers(reach: Reach, viewer: Viewer, place: Place, until: datetime | None) -> bool:
    """Whether all of a place is within a reach, and will be up to this moment; for good when it is None."""
    if reach is Scope.ALL:
        return True
    if place.agency_id != viewer.agency_id:
        return False
    if isinstance(reach, Mixed):
        of_scopes = any(covers(scope, viewer, place, until) for scope in reach.scopes)
        departments = {listed.id for listed in reach.departments if lasts(listed, until)}
        people = {listed.id for listed in reach.people if lasts(listed, until)}
        return of_scopes or not departments.isdisjoint(place.ancestors) or place.person_id in people
    return reach is Scope.AGENCY or covers_by_scope(reach, viewer, place)


def covers_now(reach: Reach, viewer: Viewer, place: Place, now: datetime) -> bool:
    return covers(reach, viewer, place, now + MOMENT)


def covers_by_scope(scope: Scope, viewer: Viewer, place: Place) -> bool:
    """Of the scopes that count on some people of the own agency."""
    if place.person_id is not None:
        if str(place.person_id) == viewer.subject:
            return True
        if scope is Scope.SUBORDINATES:
            return any(str(supervisor) == viewer.subject for supervisor in place.supervisors)
        if scope is Scope.DEPARTMENT_ALONE:
            return place.ancestors[-1:] == (viewer.department_id,)
    if scope not in (Scope.DEPARTMENT, Scope.MANAGED):
        return False
    managed = viewer.managed_department_ids if scope is Scope.MANAGED else ()
    return not {viewer.department_id, *managed}.isdisjoint(place.ancestors)


def lasts(listed: Listed, until: datetime | None) -> bool:
    return listed.until is None or (until is not None and listed.until >= until)


def is_within(narrow: Reach, wide: Reach) -> bool:
    """Whether one and the same person reaches no more by the first than by the second, whoever he is."""
    return together(narrow, wide) == together(wide)


def words_of(reach: Reach) -> str:
    """For people: a scope, or several joined by ` + `."""
    if isinstance(reach, Scope):
        return reach.value
    named = {Scope.LISTED} if reach.departments or reach.people else set()
    return " + ".join(sorted(reach.scopes | named))
