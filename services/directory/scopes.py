"""The predicate of a data scope, in its one place."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, Select, Uuid, any_, bindparam, false, func, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY

from services.contracts.permissions import Scope
from services.directory.models import Department, Person
from services.plumbing.passport import NOBODY, Caller


def visible(scope: Scope, caller: Any, *, owner: Any, agency: Any) -> ColumnElement[bool]:
    """Which rows a permission with this scope counts on, by the columns that say whose they are; `owner` may be null.

    Departments count with those below them, as they stand now: who moves takes his rows with him.
    """
    match scope:
        case Scope.OWN:
            return owner == caller.user_id  # type: ignore[no-any-return]
        case Scope.DEPARTMENT | Scope.MANAGED:
            roots = overseen(scope, caller)
            return (agency == caller.agency_id) & or_(owner == caller.user_id, owner.in_(people_below(roots)))  # type: ignore[no-any-return]
        case Scope.AGENCY:
            return agency == caller.agency_id  # type: ignore[no-any-return]
        case Scope.ALL:
            return true()
    return false()


def overseen(scope: Scope, caller: Any) -> Any:
    """The departments whose people are within a scope, without those below them."""
    if isinstance(caller, Caller):
        managed = caller.managed_department_ids if scope is Scope.MANAGED else ()
        return bindparam(None, [*caller.department_ids, *managed], type_=ARRAY(Uuid))
    return caller.managed if scope is Scope.MANAGED else caller.home


def people_below(departments: Any) -> Select[Any]:
    """Who is in one of these departments or one below them, whether as his home or besides it."""
    # each an array that is made once, before people are looked at
    below = func.array(select(Department.id).where(Department.ancestors.overlap(departments)).scalar_subquery())
    return select(Person.id).where(or_(Person.department_id == any_(below), Person.other_department_ids.overlap(below)))


def has_within(scope: Scope, caller: Caller, person: Any) -> ColumnElement[bool]:
    """Whether a person is within a scope; `person` is the table or an alias of it."""
    return visible(scope, caller, owner=person.id, agency=person.agency_id)


class AnyCaller:
    """Stands for the caller in a statement that is built once; `values_of` fills it in."""

    user_id: BindParameter[UUID] = bindparam("caller_id", type_=Uuid())
    agency_id: BindParameter[UUID] = bindparam("caller_agency_id", type_=Uuid())
    home: BindParameter[Any] = bindparam("caller_home", type_=ARRAY(Uuid))
    managed: BindParameter[Any] = bindparam("caller_managed", type_=ARRAY(Uuid))


def by_scope(build: Callable[[ColumnElement[bool]], Select[Any]], **columns: Any) -> dict[Scope, Select[Any]]:
    """A statement for each scope, built once: building one costs more than sending it."""
    return {scope: build(visible(scope, AnyCaller, **columns)) for scope in Scope}


def values_of(caller: Caller) -> dict[str, Any]:
    return {
        "caller_id": NOBODY if caller.subject.startswith("system:") else caller.user_id,
        "caller_agency_id": caller.agency_id,
        "caller_home": [*caller.department_ids],
        "caller_managed": [*caller.department_ids, *caller.managed_department_ids],
    }
