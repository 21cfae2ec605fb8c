"""The predicate of a data scope, in its one place."""

from typing import Any

from sqlalchemy import ColumnElement, false, true

from services.contracts.permissions import Scope
from services.plumbing.passport import Caller


def visible(scope: Scope, caller: Caller, *, owner: Any, department: Any, agency: Any) -> ColumnElement[bool]:
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
