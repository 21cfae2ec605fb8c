"""Who may see and administer whom."""

from collections.abc import Collection
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, true
from sqlalchemy.orm import Session as DatabaseSession

from services.contracts.base import Command
from services.contracts.errors import InvalidRequest, NotFound, OutOfScope
from services.contracts.permissions import ROLES, Scope
from services.contracts.reach import Grants, Place, Reach, Viewer, union_of
from services.identity import domain, granting, queries
from services.identity.models import Department, Person
from services.identity.rights import grants_of_role, rights_of
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
    if not reaches_agency(call.scope, call.caller, agency_id):
        raise OutOfScope()


def reaches_agency(reach: Reach, viewer: Viewer, agency_id: UUID) -> bool:
    """Of what counts on agencies as a whole."""
    return reach is Scope.ALL or agency_id == viewer.agency_id


def within_agency(call: Call, column: Any) -> ColumnElement[bool]:
    """Colleagues and departments are seen throughout the own agency, elsewhere by headquarters."""
    return true() if call.scope is Scope.ALL else column == call.caller.agency_id


def place_of(session: DatabaseSession, person: Person) -> Place:
    """Where a person's records stand."""
    home, *others = (
        ids_of(found(queries.find_department(session, each)).path)
        for each in (person.department_id, *person.other_department_ids)
    )
    above = queries.supervisors_of(session, person.id)
    groups = queries.groups_of(session, person.id)
    return Place(person.agency_id, person.id, home, frozenset(above), tuple(others), groups)


def place_about(session: DatabaseSession, agency_id: UUID, department_id: UUID | None, about_id: UUID | None) -> Place:
    """Where the records of a grant stand: a department's, or a person's."""
    if department_id:
        return Place(agency_id, None, ids_of(found(queries.find_department(session, department_id)).path))
    assert about_id
    return place_of(session, found(queries.find_person(session, about_id)))


def ids_of(path: str) -> tuple[UUID, ...]:
    return tuple(map(UUID, path.split(".")))


def grants_of_roles(session: DatabaseSession, keys: Collection[str]) -> Grants:
    """What these roles give together; one that is not there gives nothing."""
    custom = queries.roles_by_key(session, [key for key in keys if key not in ROLES])
    built_in = [ROLES[key] for key in keys if key in ROLES]
    return union_of([*built_in, *(grants_of_role(role.grants) for role in custom.values())])


def check_roles(session: DatabaseSession, call: Call, keys: Collection[str], place: Place) -> None:
    """Raises AboveYourRights when the caller may not give these roles to somebody who stands there."""
    check_rights(session, call, grants_of_roles(session, keys), place)


def check_rights(session: DatabaseSession, call: Call, given: Grants, place: Place) -> None:
    agency = found(queries.find_agency(session, place.agency_id))
    granting.check_role(call.caller, call.caller.grants, given, granting.Receiver(place, agency.is_headquarters))


def check_administered(session: DatabaseSession, call: Call, user_id: UUID, place: Place) -> None:
    """Raises AboveYourRights for somebody of whose rights the caller could not give one, whatever gives it: by his password he
    would have it himself."""
    check_rights(session, call, rights_of(found(queries.find_facts(session, user_id))), place)


def lock_administered(work: Work, call: Call, user_id: UUID) -> Person:
    """A user whom the caller may change, his row locked: nobody administers who holds what he could not give.

    Raises NotFound, OutOfScope or AboveYourRights.
    """
    person = found_person(work.session, queries.lock_person(work.session, user_id), user_id)
    check_scope(call, person.agency_id)
    check_administered(work.session, call, person.id, place_of(work.session, person))
    return person


def put_into(work: Work, department_ids: list[UUID], agency_id: UUID) -> None:
    """Whether somebody of this agency may be put into departments, whose rows are held. Raises NotFound, OutOfScope,
    DepartmentFrozen, DepartmentMerged."""
    for department_id in department_ids:
        department = found_department(work.session, department_id)
        if department.agency_id != agency_id:
            raise NotFound(reason="the department is of another agency")
        domain.check_takes(status=department.status, merged_into_id=department.merged_into_id)


def refuse_empty(command: Command, may_be_null: Collection[str] = ()) -> None:
    """Raises InvalidRequest: what else has always a value, and null would be neither a change nor none."""
    given = command.model_fields_set.difference(may_be_null)
    empty = [name for name in sorted(given) if getattr(command, name) is None]
    if empty:
        raise InvalidRequest(errors=[{"in": "body", "pointer": f"/{name}", "detail": "must not be null"} for name in empty])


def department_of(work: Work, call: Call, department_id: UUID, agency_id: UUID) -> Department:
    """A department of this very agency. Raises NotFound or OutOfScope."""
    department = found_department(work.session, department_id)
    check_scope(call, department.agency_id)
    if department.agency_id != agency_id:
        raise NotFound(reason="the department is of another agency")
    return department
