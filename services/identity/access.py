"""Who may see and administer whom."""

from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, true
from sqlalchemy.orm import Session as DatabaseSession

from services.contracts.base import Command
from services.contracts.errors import InvalidRequest, NotFound, OutOfScope
from services.contracts.permissions import Scope
from services.identity import domain, queries
from services.identity.models import Agency, Department, Person
from services.plumbing.call import Call
from services.plumbing.work import Work

Row = TypeVar("Row")


def found(row: Row | None) -> Row:
    """Raises NotFound for what is not there."""
    if row is None:
        raise NotFound()
    return row


def found_person(session: DatabaseSession, row: Person | None, user_id: UUID) -> Person:
    """Raises NotFound, or OutOfScope for one who is behind the wall of another agency."""
    if row is None and queries.has_person(session, user_id):
        raise OutOfScope()
    return found(row)


def found_department(session: DatabaseSession, department_id: UUID) -> Department:
    """Raises NotFound, or OutOfScope for one that is behind the wall of another agency."""
    row = queries.find_department(session, department_id)
    if row is None and queries.has_department(session, department_id):
        raise OutOfScope()
    return found(row)


def check_scope(call: Call, agency_id: UUID) -> None:
    """Raises OutOfScope when the caller may not see or administer this agency."""
    if call.scope is not Scope.ALL and agency_id != call.caller.agency_id:
        raise OutOfScope()


def within_agency(call: Call, column: Any) -> ColumnElement[bool]:
    """Colleagues and departments are seen throughout the own agency, elsewhere by headquarters."""
    return true() if call.scope is Scope.ALL else column == call.caller.agency_id


def check_grant(call: Call, agency: Agency, role: str) -> None:
    """Raises AboveYourRights when the caller may not give this role in this agency."""
    domain.check_grant(
        call.scope, role, agency_id=agency.id, own_agency_id=call.caller.agency_id, is_headquarters=agency.is_headquarters
    )


def lock_administered(work: Work, call: Call, user_id: UUID) -> Person:
    """A user whom the caller may change, his row locked: nobody administers who holds a role that he could not grant.

    Raises NotFound, OutOfScope or AboveYourRights.
    """
    person = found_person(work.session, queries.lock_person(work.session, user_id), user_id)
    check_scope(call, person.agency_id)
    agency = found(queries.find_agency(work.session, person.agency_id))
    for role in person.roles:
        check_grant(call, agency, role)
    return person


def put_into(work: Work, department_ids: list[UUID], agency_id: UUID) -> None:
    """Whether somebody of this agency may be put into departments, whose rows are held. Raises NotFound, OutOfScope,
    DepartmentFrozen, DepartmentMerged."""
    for department_id in department_ids:
        department = found_department(work.session, department_id)
        if department.agency_id != agency_id:
            raise NotFound(reason="the department is of another agency")
        domain.check_takes(status=department.status, merged_into_id=department.merged_into_id)


def check_managed_departments(work: Work, agency_id: UUID, role: str, departments: list[UUID]) -> None:
    """Raises ManagedDepartmentsMissing."""
    known = queries.departments_of(work.session, agency_id, departments) if departments else set()
    domain.check_managed_departments(role, departments, of_the_agency=known)


def refuse_empty(command: Command) -> None:
    """Raises InvalidRequest: everything has a value, and null would be neither a change nor none."""
    empty = [name for name in sorted(command.model_fields_set) if getattr(command, name) is None]
    if empty:
        raise InvalidRequest(errors=[{"in": "body", "pointer": f"/{name}", "detail": "must not be null"} for name in empty])
