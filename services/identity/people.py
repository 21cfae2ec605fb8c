"""Agencies, departments and users: how one is made and changed, with its event, and how it is shown."""

from typing import Any, Literal
from uuid import UUID

from services.contracts import identity as contract
from services.identity import domain
from services.identity.models import Agency, Department, Person
from services.plumbing.ids import new_id
from services.plumbing.work import Work


def add_agency(work: Work, name: str, *, is_headquarters: bool) -> Agency:
    agency = Agency(id=new_id(), name=name, is_headquarters=is_headquarters, version=1, created_at=work.now)
    work.session.add(agency)
    work.session.flush()
    event = contract.AgencyAdded(agency_id=agency.id, name=name, is_headquarters=is_headquarters)
    work.emit(event, aggregate_id=agency.id, version=1, agency_id=agency.id)
    return agency


def add_department(work: Work, agency: Agency, name: str, parent: Department | None) -> Department:
    department_id = new_id()
    department = Department(
        id=department_id,
        agency_id=agency.id,
        parent_id=parent.id if parent else None,
        name=domain.prefixed(agency.name, name),
        path=f"{parent.path}.{department_id}" if parent else str(department_id),
        version=1,
        created_at=work.now,
    )
    work.session.add(department)
    work.session.flush()
    event = contract.DepartmentAdded(
        department_id=department.id,
        agency_id=agency.id,
        parent_id=department.parent_id,
        name=department.name,
        path=department.path,
    )
    work.emit(event, aggregate_id=department.id, version=1, agency_id=agency.id)
    return department


def add_person(
    work: Work,
    department: Department,
    *,
    login: str,
    display_name: str,
    role: str,
    staff_no: str | None = None,
    email: str | None = None,
    managed_department_ids: list[UUID] | None = None,
    password_hash: str | None = None,
) -> Person:
    person = Person(
        id=new_id(),
        login=login,
        staff_no=staff_no,
        email=email,
        display_name=display_name,
        agency_id=department.agency_id,
        department_id=department.id,
        managed_department_ids=managed_department_ids or [],
        roles=[role],
        status="active",
        password_hash=password_hash,
        password_set_at=work.now if password_hash else None,
        version=1,
        created_at=work.now,
    )
    work.session.add(person)
    work.session.flush()
    event = contract.UserAdded(**state_of(person))
    work.emit(event, aggregate_id=person.id, version=1, agency_id=person.agency_id)
    return person


Change = Literal["updated", "locked", "disabled", "restored", "password_reset", "profile"]


def tell_change(work: Work, person: Person, change: Change) -> None:
    """Counts and tells what was changed of a person whose row this transaction has locked."""
    person.version += 1
    event = contract.UserChanged(**state_of(person), change=change)
    work.emit(event, aggregate_id=person.id, version=person.version, agency_id=person.agency_id)


def state_of(person: Person) -> dict[str, Any]:
    """What the events of a person carry: all that others may know of him."""
    return {
        "user_id": person.id,
        "login": person.login,
        "display_name": person.display_name,
        "agency_id": person.agency_id,
        "department_id": person.department_id,
        "managed_department_ids": person.managed_department_ids,
        "roles": person.roles,
        "status": person.status,
    }


def agency_view(agency: Agency) -> contract.AgencyView:
    return contract.AgencyView(id=agency.id, name=agency.name, is_headquarters=agency.is_headquarters)


def department_view(department: Department) -> contract.DepartmentView:
    return contract.DepartmentView(
        id=department.id,
        agency_id=department.agency_id,
        parent_id=department.parent_id,
        name=department.name,
        path=department.path,
    )


def user_view(person: Person) -> contract.UserView:
    return contract.UserView(
        id=person.id,
        version=person.version,
        login=person.login,
        staff_no=person.staff_no,
        email=person.email,
        display_name=person.display_name,
        title=person.title,
        agency_id=person.agency_id,
        department_id=person.department_id,
        managed_department_ids=person.managed_department_ids,
        roles=person.roles,
        status=person.status,
        has_password=person.password_hash is not None,
        last_login_at=person.last_login_at,
    )
