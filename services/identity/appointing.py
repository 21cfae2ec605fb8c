"""What a user is made: his roles, the departments that he is in and oversees, his supervisor. Never by himself."""

from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from sqlalchemy.orm import Session as DatabaseSession

from services.contracts import identity as contract
from services.contracts.errors import InvalidRequest
from services.contracts.permissions import ROLES, Ability, abilities_of
from services.contracts.reach import Grants, Place
from services.identity import domain, granting, queries
from services.identity.access import check_roles, grants_of_roles, ids_of, place_about, place_of, put_into
from services.identity.inactivity import check_administrator_remains
from services.identity.models import Department, Person
from services.identity.people import add_person
from services.identity.rights import grants_of_group, rights_of, scopes_of_role
from services.plumbing.call import Call
from services.plumbing.passport import Caller
from services.plumbing.work import Work


def hold(work: Work, command: contract.AddUser | contract.UpdateUser) -> None:
    """What it names and where he is, before the user himself: who changes a role locks its holders after it, and who moves,
    freezes or merges a department its people."""
    queries.lock_roles(work.session, keys_of(command.roles or ()))
    named = [command.department_id, *(command.other_department_ids or ()), *(command.managed_department_ids or ())]
    if isinstance(command, contract.UpdateUser):
        named += queries.departments_of_person(work.session, command.user_id)
    queries.hold_departments(work.session, [department_id for department_id in named if department_id])


def add(work: Work, call: Call, department: Department, command: contract.AddUser) -> Person:
    """Raises InvalidRequest, AboveYourRights, AboveCeiling, DepartmentFrozen, DepartmentMerged, ManagedDepartmentsMissing,
    SupervisorUnfit. What the command names is held."""
    session, keys = work.session, keys_of(command.roles)
    abilities = abilities_in(session, keys, department.agency_id)
    check_roles(session, call, keys, Place(department.agency_id, None, ids_of(department.path)))
    others = domain.others(command.other_department_ids, home=department.id)
    put_into(work, [department.id, *others], department.agency_id)
    check_ceilings(session, keys, [department.id, *others])
    managed = list(dict.fromkeys(command.managed_department_ids))
    check_managed(session, department.agency_id, abilities, managed)
    if command.supervisor_id:
        check_supervisor(session, call, Place(department.agency_id), command.supervisor_id)
    return add_person(
        work,
        department,
        login=command.login,
        display_name=command.display_name or command.login,
        staff_no=command.staff_no,
        email=command.email,
        roles=keys,
        abilities=abilities,
        other_department_ids=others,
        managed_department_ids=managed,
        supervisor_id=command.supervisor_id,
    )


def change(work: Work, call: Call, person: Person, command: contract.UpdateUser, inactive_days: int) -> None:
    """Raises besides OwnAccount, LastAdministrator; the person is locked, what the command names is held."""
    before, stood = what_counts(person), place_of(work.session, person)
    home, others = new_departments(work, person, command)
    roles, abilities = person.roles, person.abilities
    if command.roles:
        roles, abilities = new_roles(work, call, person, keys_of(command.roles), inactive_days)
    if (home, others, roles) != (person.department_id, person.other_department_ids, person.roles):
        check_ceilings(work.session, roles, [home, *others])
        check_ceilings_besides(work.session, receiver_at(person, home, others), ceilings_of(work.session, [home, *others]))
    managed = person.managed_department_ids if "oversees" in abilities else []
    if command.managed_department_ids is not None:
        managed = list(dict.fromkeys(command.managed_department_ids))
    check_managed(work.session, person.agency_id, abilities, managed)
    if "supervisor_id" in command.model_fields_set:
        put_supervisor(work.session, call, person, command.supervisor_id)
    person.department_id, person.other_department_ids, person.managed_department_ids = home, others, managed
    person.roles, person.abilities = roles, abilities
    if what_counts(person) != before:
        domain.check_not_oneself(call.user_id, person.id)
        work.session.flush()
        granting.check_sight(call.caller, call.caller.grants, stood, place_of(work.session, person))


def what_counts(person: Person) -> tuple[object, ...]:
    departments = (person.department_id, person.other_department_ids, person.managed_department_ids)
    return (*departments, person.roles, person.supervisor_id)


def new_departments(work: Work, person: Person, command: contract.UpdateUser) -> tuple[UUID, list[UUID]]:
    """Home and others, in which he will be. Who is in one that takes nobody any more may stay there."""
    before = {person.department_id, *person.other_department_ids}
    home = command.department_id or person.department_id
    given = person.other_department_ids if command.other_department_ids is None else command.other_department_ids
    others = domain.others(given, home=home)
    put_into(work, [each for each in (home, *others) if each not in before], person.agency_id)
    return home, others


def new_roles(work: Work, call: Call, person: Person, keys: list[str], inactive_days: int) -> tuple[list[str], list[str]]:
    abilities = abilities_in(work.session, keys, person.agency_id)
    check_roles(work.session, call, keys, Place(person.agency_id, person.id))
    if domain.ADMINISTRATOR not in keys:
        check_administrator_remains(work, person, inactive_days)
    return keys, list(abilities)


def put_supervisor(session: DatabaseSession, call: Call, person: Person, supervisor_id: UUID | None) -> None:
    """Raises SupervisorUnfit; one at a time in an agency, so that no circle comes about."""
    if supervisor_id:
        queries.lock_supervisors(session, person.agency_id)
        check_supervisor(session, call, Place(person.agency_id, person.id), supervisor_id)
    person.supervisor_id = supervisor_id


def check_supervisor(session: DatabaseSession, call: Call, of: Place, supervisor_id: UUID) -> None:
    """Raises SupervisorUnfit, AboveYourRights. Over somebody new there cannot be one who is below him."""
    supervisor = queries.find_person(session, supervisor_id)
    is_ours = supervisor is not None and supervisor.agency_id == of.agency_id
    above = {supervisor_id, *queries.supervisors_of(session, supervisor_id)}
    domain.check_supervisor(of_the_agency=is_ours, is_below=of.person_id in above)
    granting.check_leaders(call.caller, call.caller.grants, map(rights_of, queries.list_facts(session, above)), of)


def keys_of(roles: Iterable[contract.RoleKey]) -> list[str]:
    return list(dict.fromkeys(map(str, roles)))


def abilities_in(session: DatabaseSession, keys: list[str], agency_id: UUID, *, named_in: str = "roles") -> list[Ability]:
    """What these roles make of somebody. Raises InvalidRequest for one that is not to be had in the agency."""
    custom = queries.roles_by_key(session, [key for key in keys if key not in ROLES])
    usable = {key: role.grants for key, role in custom.items() if role.archived_at is None}
    usable = {key: grants for key, grants in usable.items() if custom[key].is_common or custom[key].agency_id == agency_id}
    wrong = [at for at, key in enumerate(keys) if key not in ROLES and key not in usable]
    if wrong:
        told = "is no role that can be given in this agency"
        raise InvalidRequest(errors=[{"in": "body", "pointer": f"/{named_in}/{at}", "detail": told} for at in wrong])
    return abilities_of(scopes_of_role(key, usable) for key in keys)


def check_managed(session: DatabaseSession, agency_id: UUID, abilities: Collection[str], departments: list[UUID]) -> None:
    """Raises ManagedDepartmentsMissing."""
    known = queries.departments_of(session, agency_id, departments) if departments else set()
    domain.check_managed_departments(abilities, departments, of_the_agency=known)


def check_ceilings(session: DatabaseSession, keys: Collection[str], department_ids: Collection[UUID]) -> None:
    """Raises AboveCeiling when these roles are more than somebody who is in all of these departments may have."""
    granting.check_ceilings(grants_of_roles(session, keys), ceilings_of(session, department_ids))


def check_ceilings_besides(session: DatabaseSession, receiver: Caller, ceilings: Sequence[Grants]) -> None:
    """Raises AboveCeiling when grants or rights in groups give more to somebody who is in these departments than he may have."""
    facts = queries.find_facts(session, receiver.user_id) if ceilings else None
    if facts is None:
        return
    for grant in facts.row_grants:
        about = (UUID(grant[name]) if grant[name] else None for name in ("department_id", "about_id"))
        place = place_about(session, receiver.agency_id, *about)
        granting.check_row_ceilings(receiver, grant["permission"], place, ceilings)
    for group in facts.groups:
        granting.check_ceilings(grants_of_group(UUID(group["id"]), group["rights"]), ceilings)


def receiver_at(person: Person, home: UUID, others: Sequence[UUID]) -> Caller:
    """He, as who is in these departments."""
    return Caller(str(person.id), person.agency_id, home, tuple(person.managed_department_ids), tuple(others))


def check_ceilings_of_moved(session: DatabaseSession, department: Department, into: Department) -> None:
    """Raises AboveCeiling when somebody in a department, or below it, has what he may not have below the other one."""
    ceilings = ceilings_of(session, {into.id})
    for key in queries.roles_below(session, department) if ceilings else ():
        granting.check_ceilings(grants_of_roles(session, [key]), ceilings)
    for person in queries.list_granted_below(session, department) if ceilings else ():
        receiver = receiver_at(person, person.department_id, person.other_department_ids)
        check_ceilings_besides(session, receiver, ceilings)


def check_ceilings_of_all(session: DatabaseSession, grants: Grants, people: Iterable[Person]) -> None:
    """Raises AboveCeiling when this is more than one of these people may have."""
    departments = {each for person in people for each in (person.department_id, *person.other_department_ids)}
    granting.check_ceilings(grants, ceilings_of(session, departments))


def ceilings_of(session: DatabaseSession, department_ids: Collection[UUID]) -> list[Grants]:
    """Of these departments and those above them: what all roles of each ceiling give together."""
    ceilings = (each.ceiling for each in queries.list_above(session, department_ids))
    return [grants_of_roles(session, keys) for keys in ceilings if keys is not None]
