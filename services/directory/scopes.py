"""The predicate of a reach, in its one place."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    DateTime,
    Select,
    Uuid,
    any_,
    bindparam,
    column,
    func,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY

from services.contracts.permissions import Scope
from services.contracts.reach import Listed, Mixed, Reach
from services.directory.models import Department, Person, SalesGroup
from services.plumbing.passport import NOBODY, Caller

MOMENT = DateTime(timezone=True)


def visible(reach: Reach, caller: Any, *, owner: Any, agency: Any) -> ColumnElement[bool]:
    """Which rows a permission with this reach counts on, by the columns that say whose they are; `owner` may be null.

    Departments count with those below them, as they stand now: who moves takes his rows with him.
    """
    match reach:
        case Scope.OWN:
            return owner == caller.user_id  # type: ignore[no-any-return]
        case Scope.AGENCY:
            return agency == caller.agency_id  # type: ignore[no-any-return]
        case Scope.ALL:
            return true()
        case Scope():
            of_people = or_(owner == caller.user_id, owner.in_(people_within(reach, caller)))
            return (agency == caller.agency_id) & of_people  # type: ignore[no-any-return]
    return (agency == caller.agency_id) & owner.in_(people_within(reach, caller))  # type: ignore[no-any-return]


def people_within(reach: Reach, caller: Any) -> Select[Any] | CompoundSelect[Any]:
    """The ids of the people of the own agency on whose records a reach counts that is neither theirs alone nor all of it."""
    match reach:
        case Scope.SUBORDINATES:
            return select(func.subordinates_of(caller.user_id))
        case Scope.DEPARTMENT_ALONE:
            return people_of(home(caller))
        case Scope.DEPARTMENT | Scope.MANAGED:
            return people_below(overseen(reach, caller))
    parts = bound_parts(caller, reach) if isinstance(caller, Caller) else AnyCaller.parts
    return union_all(
        select(func.unnest(parts["people"])),
        select(func.subordinates_of(parts["leader"])),
        people_of(parts["alone"]),
        people_below(still(parts["below"], parts["below_until"])),
        select(func.unnest(still(parts["listed"], parts["listed_until"]))),
        select(func.unnest(SalesGroup.member_ids)).where(SalesGroup.id == any_(parts["groups"])),
    )


def people_of(departments: Any) -> Select[Any]:
    return select(Person.id).where(
        or_(Person.department_id == any_(departments), Person.other_department_ids.overlap(departments))
    )


def people_below(departments: Any) -> Select[Any]:
    """Who is in one of these departments or one below them, whether as his home or besides it."""
    # each an array that is made once, before people are looked at
    below = func.array(select(Department.id).where(Department.ancestors.overlap(departments)).scalar_subquery())
    return select(Person.id).where(or_(Person.department_id == any_(below), Person.other_department_ids.overlap(below)))


def overseen(scope: Reach, caller: Any) -> Any:
    """The departments whose people are within a scope, without those below them."""
    if isinstance(caller, Caller):
        managed = caller.managed_department_ids if scope is Scope.MANAGED else ()
        return bindparam(None, [*caller.department_ids, *managed], type_=ARRAY(Uuid))
    return caller.managed if scope is Scope.MANAGED else caller.home


def home(caller: Any) -> Any:
    return bindparam(None, [*caller.department_ids], type_=ARRAY(Uuid)) if isinstance(caller, Caller) else caller.home


def still(ids: Any, until: Any) -> ColumnElement[Any]:
    """Those whose end has not come, by the business clock: rights end in the predicate, with nobody's help."""
    listed = func.unnest(ids, until).table_valued(column("id", Uuid), column("until", MOMENT)).render_derived()
    lasting = select(listed.c.id).where(or_(listed.c.until.is_(None), listed.c.until > func.clock()))
    return func.array(lasting.scalar_subquery(), type_=ARRAY(Uuid))


def has_within(reach: Reach, caller: Caller, person: Any) -> ColumnElement[bool]:
    """Whether a person is within a reach; `person` is the table or an alias of it."""
    return visible(reach, caller, owner=person.id, agency=person.agency_id)


# --- the parts of what no single scope says

PARTS: dict[str, Any] = {
    "people": ARRAY(Uuid),
    "leader": Uuid(),
    "alone": ARRAY(Uuid),
    "below": ARRAY(Uuid),
    "below_until": ARRAY(MOMENT),
    "listed": ARRAY(Uuid),
    "listed_until": ARRAY(MOMENT),
    "groups": ARRAY(Uuid),
}


def parts_of(reach: Reach, caller: Caller) -> dict[str, Any]:
    """people: himself when a scope counts. leader: whose subordinates. alone: departments without those below them."""
    mixed = reach if isinstance(reach, Mixed) else Mixed()
    managed = caller.managed_department_ids if Scope.MANAGED in mixed.scopes else ()
    homes = caller.department_ids if mixed.scopes & {Scope.DEPARTMENT, Scope.MANAGED} else ()
    below = [*(Listed(department) for department in (*homes, *managed)), *mixed.departments]
    return {
        "people": [caller.user_id] if mixed.scopes else [],
        "leader": caller.user_id if Scope.SUBORDINATES in mixed.scopes else NOBODY,
        "alone": [*caller.department_ids] if Scope.DEPARTMENT_ALONE in mixed.scopes else [],
        "below": [department.id for department in below],
        "below_until": [department.until for department in below],
        "listed": [person.id for person in mixed.people],
        "listed_until": [person.until for person in mixed.people],
        "groups": [*mixed.groups],
    }


def bound_parts(caller: Caller, reach: Reach) -> dict[str, BindParameter[Any]]:
    return {name: bindparam(None, value, type_=PARTS[name]) for name, value in parts_of(reach, caller).items()}


# --- statements that are built once


class AnyCaller:
    """Stands for the caller in a statement that is built once; `values_of` fills it in."""

    user_id: BindParameter[UUID] = bindparam("caller_id", type_=Uuid())
    agency_id: BindParameter[UUID] = bindparam("caller_agency_id", type_=Uuid())
    home: BindParameter[Any] = bindparam("caller_home", type_=ARRAY(Uuid))
    managed: BindParameter[Any] = bindparam("caller_managed", type_=ARRAY(Uuid))
    parts: Mapping[str, BindParameter[Any]] = {name: bindparam(f"reach_{name}", type_=type_) for name, type_ in PARTS.items()}


class ByReach:
    """A statement for each reach, built once: building one costs more than sending it."""

    def __init__(self, build: Callable[[ColumnElement[bool]], Select[Any]], **columns: Any) -> None:
        self.of_scope: dict[Scope, Select[Any]] = {
            scope: build(visible(scope, AnyCaller, **columns)) for scope in Scope if scope is not Scope.LISTED
        }
        self.mixed = build(visible(Mixed(), AnyCaller, **columns))

    def __getitem__(self, reach: Reach) -> Select[Any]:
        return self.of_scope[reach] if isinstance(reach, Scope) else self.mixed


def values_of(caller: Caller, reach: Reach = Scope.OWN) -> dict[str, Any]:
    """`reach` is the one by which the statement was chosen."""
    parts = {f"reach_{name}": value for name, value in parts_of(reach, caller).items()} if isinstance(reach, Mixed) else {}
    return {
        "caller_id": NOBODY if caller.subject.startswith("system:") else caller.user_id,
        "caller_agency_id": caller.agency_id,
        "caller_home": [*caller.department_ids],
        "caller_managed": [*caller.department_ids, *caller.managed_department_ids],
        **parts,
    }
