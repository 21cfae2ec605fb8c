"""Users: how one is made and changed, with its event, and how he is shown."""

from typing import Any, Literal
from uuid import UUID

from services.contracts import identity as contract
from services.contracts.permissions import Ability
from services.identity.models import Department, Person
from services.plumbing.ids import new_id
from services.plumbing.work import Work


def add_person(
    work: Work,
    department: Department,
    *,
    login: str,
    display_name: str,
    roles: list[str],
    abilities: list[Ability],
    other_department_ids: list[UUID] | None = None,
    staff_no: str | None = None,
    email: str | None = None,
    managed_department_ids: list[UUID] | None = None,
    supervisor_id: UUID | None = None,
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
        other_department_ids=other_department_ids or [],
        managed_department_ids=managed_department_ids or [],
        supervisor_id=supervisor_id,
        roles=roles,
        abilities=list(abilities),
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
        "other_department_ids": person.other_department_ids,
        "managed_department_ids": person.managed_department_ids,
        "supervisor_id": person.supervisor_id,
        "roles": person.roles,
        "abilities": person.abilities,
        "status": person.status,
    }


def user_view(person: Person, locked_in_days: int | None = None) -> contract.UserView:
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
        other_department_ids=person.other_department_ids,
        managed_department_ids=person.managed_department_ids,
        supervisor_id=person.supervisor_id,
        roles=person.roles,
        status=person.status,
        has_password=person.password_hash is not None,
        last_login_at=person.last_login_at,
        locked_in_days=locked_in_days,
    )
