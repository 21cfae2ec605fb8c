"""Agencies and their departments: how one is made and changed, with its event, and how it is shown.

Whoever changes a tree has locked the row of its agency, then rows of departments in the order of their ids, then people. Whoever
puts somebody into a department holds that department's row, see `people`; so a department that is frozen or merged takes nobody.
"""

from typing import Any, Literal

from services.contracts import tree as contract
from services.contracts.errors import MergeTooLarge
from services.identity import domain, queries
from services.identity.models import Agency, Department, Person
from services.identity.people import tell_change
from services.plumbing.ids import new_id
from services.plumbing.work import Work

MERGED_AT_ONCE = 5_000
"""People, departments and managers whom a merger changes: each of them has an event, and all of them one transaction."""

AgencyChange = Literal["updated", "frozen", "thawed"]
DepartmentChange = Literal["updated", "moved", "merged", "frozen", "thawed"]


# --- agencies


def add_agency(work: Work, name: str, *, is_headquarters: bool) -> Agency:
    agency = Agency(id=new_id(), name=name, is_headquarters=is_headquarters, is_frozen=False, version=1, created_at=work.now)
    work.session.add(agency)
    work.session.flush()
    event = contract.AgencyAdded(**state_of_agency(agency))
    work.emit(event, aggregate_id=agency.id, version=1, agency_id=agency.id)
    return agency


def tell_agency(work: Work, agency: Agency, change: AgencyChange) -> None:
    """Counts and tells what was changed of an agency whose row this transaction has locked."""
    agency.version += 1
    event = contract.AgencyChanged(**state_of_agency(agency), change=change)
    work.emit(event, aggregate_id=agency.id, version=agency.version, agency_id=agency.id)


def rename_agency(work: Work, agency: Agency, name: str) -> None:
    """And all of its departments, which bear its name."""
    old, agency.name = agency.name, name
    work.session.flush()
    tell_agency(work, agency, "updated")
    for department in queries.lock_departments_of(work.session, agency.id):
        new_name = domain.renamed(department.name, of=old, to=name)
        if new_name != department.name:
            department.name = new_name
            tell_department(work, department, "updated")
    work.session.flush()


# --- departments


def add_department(
    work: Work,
    agency: Agency,
    name: str,
    parent: Department | None,
    *,
    kind: contract.DepartmentKind = "department",
    ceiling: list[str] | None = None,
) -> Department:
    department_id = new_id()
    path = parent.path if parent else None
    domain.check_place(path, department_id=department_id)
    department = Department(
        id=department_id,
        agency_id=agency.id,
        parent_id=parent.id if parent else None,
        kind=kind,
        name=domain.prefixed(agency.name, name),
        path=domain.below(path, department_id),
        ceiling=None if ceiling is None else sorted(ceiling),
        status="active",
        version=1,
        created_at=work.now,
    )
    work.session.add(department)
    work.session.flush()
    event = contract.DepartmentAdded(**state_of_department(department))
    work.emit(event, aggregate_id=department.id, version=1, agency_id=agency.id)
    return department


def tell_department(work: Work, department: Department, change: DepartmentChange) -> None:
    """Counts and tells what was changed of a department whose agency's row this transaction has locked."""
    department.version += 1
    event = contract.DepartmentChanged(**state_of_department(department), change=change)
    work.emit(event, aggregate_id=department.id, version=department.version, agency_id=department.agency_id)


def move(work: Work, department: Department, parent: Department | None) -> None:
    """With all below it, whose paths follow; one event tells it, however many these are."""
    path = parent.path if parent else None
    domain.check_place(path, department_id=department.id, levels=queries.count_levels(work.session, department))
    old_path, department.path = department.path, domain.below(path, department.id)
    department.parent_id = parent.id if parent else None
    work.session.flush()
    queries.follow_path(work.session, department, old_path)
    tell_department(work, department, "moved")


def merge(work: Work, department: Department, into: Department) -> contract.MergedDepartment:
    """Both rows are locked. Raises MergeTooLarge."""
    domain.check_place(into.path, department_id=department.id)
    children = queries.list_children(work.session, department.id)
    people = queries.lock_people_of(work.session, department)
    if len(children) + len(people) > MERGED_AT_ONCE:
        raise MergeTooLarge(most=MERGED_AT_ONCE)
    for child in children:
        move(work, child, into)
    members = [person for person in people if is_in(person, department)]
    managers = [person for person in people if department.id in person.managed_department_ids]
    for person in people:
        give_to(person, department, into)
        tell_change(work, person, "updated")
    department.status, department.merged_into_id = "merged", into.id
    tell_department(work, department, "merged")
    work.session.flush()
    view = department_view(department)
    return contract.MergedDepartment(department=view, people=len(members), departments=len(children), managers=len(managers))


def is_in(person: Person, department: Department) -> bool:
    return department.id in (person.department_id, *person.other_department_ids)


def give_to(person: Person, department: Department, into: Department) -> None:
    """In the other department what he was in this one; his home department is not among the others."""
    if person.department_id == department.id:
        person.department_id = into.id
    others = domain.replaced(person.other_department_ids, old=department.id, new=into.id)
    person.other_department_ids = domain.others(others, home=person.department_id)
    person.managed_department_ids = domain.replaced(person.managed_department_ids, old=department.id, new=into.id)


# --- as they are told and shown


def state_of_agency(agency: Agency) -> dict[str, Any]:
    return {
        "agency_id": agency.id,
        "name": agency.name,
        "is_headquarters": agency.is_headquarters,
        "is_frozen": agency.is_frozen,
    }


def state_of_department(department: Department) -> dict[str, Any]:
    return {
        "department_id": department.id,
        "agency_id": department.agency_id,
        "parent_id": department.parent_id,
        "kind": department.kind,
        "name": department.name,
        "path": department.path,
        "ceiling": department.ceiling,
        "status": department.status,
        "merged_into_id": department.merged_into_id,
    }


def agency_view(agency: Agency) -> contract.AgencyView:
    return contract.AgencyView.model_validate(agency, from_attributes=True)


def department_view(department: Department) -> contract.DepartmentView:
    return contract.DepartmentView.model_validate(department, from_attributes=True)
