"""The predicate of a data scope, in its one place."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, Select, bindparam, false, true

from services.contracts.permissions import Scope
from services.plumbing.passport import NOBODY, Caller


def visible(scope: Scope, caller: Any, *, owner: Any, department: Any, agency: Any) -> ColumnElement[bool]:
    """Which rows a permission with this scope counts on, by the columns that say whose they are."""
    match scope:
        case Scope.OWN:
            return owner == caller.user_id  # type: ignore[no-any-return]
        case Scope.DEPARTMENT:
            return department == caller.department_id  # type: ignore[no-any-return]
        case Scope.AGENCY:
            return agency == caller.agency_id  # type: ignore[no-any-return]
        case Scope.ALL:
            return true()
    return false()


class AnyCaller:
    """Stands for the caller in a statement that is built once; `values_of` fills it in."""

    user_id: BindParameter[UUID] = bindparam("caller_id")
    department_id: BindParameter[UUID] = bindparam("caller_department_id")
    agency_id: BindParameter[UUID] = bindparam("caller_agency_id")


def by_scope(build: Callable[[ColumnElement[bool]], Select[Any]], **columns: Any) -> dict[Scope, Select[Any]]:
    """A statement for each scope, built once: building one costs more than sending it."""
    return {scope: build(visible(scope, AnyCaller, **columns)) for scope in Scope}


def values_of(caller: Caller) -> dict[str, UUID]:
    return {
        "caller_id": NOBODY if caller.subject.startswith("system:") else caller.user_id,
        "caller_department_id": caller.department_id,
        "caller_agency_id": caller.agency_id,
    }
