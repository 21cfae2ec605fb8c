"""On whose records a reach counts, as a predicate over identity's own people; `reach.covers` says the same of one.

Elsewhere the copies are asked, by `services.directory.scopes`: here a department's path stands in its own row.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Text, Uuid, any_, false, func, literal, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY

from services.contracts.permissions import Scope
from services.contracts.reach import MOMENT, Listed, Mixed, Reach, lasts
from services.identity.models import Department, Person, SalesGroup
from services.plumbing.passport import Caller


def people_within(reach: Reach, caller: Caller, now: datetime, *, person: Any, agency: Any) -> ColumnElement[bool]:
    """Which rows it counts on, by the columns that say whose they are."""
    if reach is Scope.ALL:
        return true()
    if reach is Scope.AGENCY:
        return agency == caller.agency_id  # type: ignore[no-any-return]
    mixed = reach if isinstance(reach, Mixed) else Mixed(frozenset({reach}))
    return (agency == caller.agency_id) & or_(false(), *parts(mixed, caller, now, person))  # type: ignore[no-any-return]


def parts(mixed: Mixed, caller: Caller, now: datetime, person: Any) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if mixed.scopes:
        found.append(person == caller.user_id)
    if Scope.SUBORDINATES in mixed.scopes:
        found.append(person.in_(select(func.subordinates_of(caller.user_id))))
    if Scope.DEPARTMENT_ALONE in mixed.scopes:
        found.append(person.in_(people_in(literal([*caller.department_ids], ARRAY(Uuid)))))
    if below := [*overseen(mixed, caller), *still(mixed.departments, now)]:
        found.append(person.in_(people_below(caller.agency_id, below)))
    if people := still(mixed.people, now):
        found.append(person.in_(people))
    if mixed.groups:
        members = select(func.unnest(SalesGroup.member_ids)).where(SalesGroup.id.in_(mixed.groups), ~SalesGroup.is_dissolved)
        found.append(person.in_(members))
    return found


def overseen(mixed: Mixed, caller: Caller) -> list[UUID]:
    """Without those below them."""
    homes = caller.department_ids if mixed.scopes & {Scope.DEPARTMENT, Scope.MANAGED} else ()
    managed = caller.managed_department_ids if Scope.MANAGED in mixed.scopes else ()
    return [*homes, *managed]


def still(listed: frozenset[Listed], now: datetime) -> list[UUID]:
    return [each.id for each in listed if lasts(each, now + MOMENT)]


def people_below(agency_id: UUID, department_ids: list[UUID]) -> Select[Any]:
    """Who is in one of these departments or one below them."""
    above = func.string_to_array(Department.path, ".", type_=ARRAY(Text))
    is_below = above.overlap(literal([str(each) for each in department_ids], ARRAY(Text)))
    places = select(Department.id).where(Department.agency_id == agency_id, is_below)
    return people_in(func.array(places.scalar_subquery(), type_=ARRAY(Uuid)))


def people_in(departments: ColumnElement[Any]) -> Select[Any]:
    """Whether as his home or besides it."""
    is_in = or_(Person.department_id == any_(departments), Person.other_department_ids.overlap(departments))
    return select(Person.id).where(is_in)
