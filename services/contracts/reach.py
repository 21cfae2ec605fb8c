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
    groups: frozenset[UUID] = frozenset()


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
    groups = frozenset[UUID]().union(*(each.groups for each in mixed))
    if len(scopes) == 1 and not departments and not people and not groups:
        return next(iter(scopes))
    return Mixed(scopes, departments, people, groups)


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
    def department_ids(self) -> tuple[UUID, ...]: ...
    @property
    def managed_department_ids(self) -> tuple[UUID, ...]: ...


@dataclass(frozen=True)
class Place:
    """Where a record stands: with a person, whose departments are named from the root down, those besides his home as `others`,
    and whose supervisors and sales groups in any order; or, without a person, with a department and all those below it."""

    agency_id: UUID
    person_id: UUID | None = None
    ancestors: tuple[UUID, ...] = ()
    supervisors: frozenset[UUID] = frozenset()
    others: tuple[tuple[UUID, ...], ...] = ()
    groups: frozenset[UUID] = frozenset()

    @property
    def departments(self) -> set[UUID]:
        """Those right above it."""
        return {path[-1] for path in (self.ancestors, *self.others) if path}

    @property
    def all_above(self) -> set[UUID]:
        return {department for path in (self.ancestors, *self.others) for department in path}


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
        of_groups = not reach.groups.isdisjoint(place.groups)
        return of_scopes or of_groups or not departments.isdisjoint(place.all_above) or place.person_id in people
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
            return not place.departments.isdisjoint(viewer.department_ids)
    if scope not in (Scope.DEPARTMENT, Scope.MANAGED):
        return False
    managed = viewer.managed_department_ids if scope is Scope.MANAGED else ()
    return not {*viewer.department_ids, *managed}.isdisjoint(place.all_above)


def lasts(listed: Listed, until: datetime | None) -> bool:
    return listed.until is None or (until is not None and listed.until >= until)


def is_within(narrow: Reach, wide: Reach) -> bool:
    """Whether one and the same person reaches no more by the first than by the second, whoever he is."""
    return together(narrow, wide) == together(wide)


def words_of(reach: Reach) -> str:
    """For people: a scope, or several joined by ` + `."""
    if isinstance(reach, Scope):
        return reach.value
    named = {Scope.LISTED} if reach.departments or reach.people or reach.groups else set()
    return " + ".join(sorted(reach.scopes | named))
