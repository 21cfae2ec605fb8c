"""Agencies, departments and users: how one is made, with its event, and how it is shown."""

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


def add_person(work: Work, department: Department, login: str, display_name: str, role: str, password_hash: str | None) -> Person:
    person = Person(
        id=new_id(),
        login=login,
        display_name=display_name,
        agency_id=department.agency_id,
        department_id=department.id,
        roles=[role],
        password_hash=password_hash,
        version=1,
        created_at=work.now,
    )
    work.session.add(person)
    work.session.flush()
    event = contract.UserAdded(
        user_id=person.id,
        login=login,
        display_name=display_name,
        agency_id=person.agency_id,
        department_id=person.department_id,
        roles=person.roles,
    )
    work.emit(event, aggregate_id=person.id, version=1, agency_id=person.agency_id)
    return person


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
        login=person.login,
        display_name=person.display_name,
        agency_id=person.agency_id,
        department_id=person.department_id,
        roles=person.roles,
        has_password=person.password_hash is not None,
    )
