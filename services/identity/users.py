"""Users: asked for, added, shown, changed."""

from services.contracts import identity as contract
from services.contracts.base import Command, Page
from services.contracts.errors import InvalidRequest, VersionConflict
from services.identity import domain, queries
from services.identity.access import (
    check_grant,
    check_managed_departments,
    check_scope,
    department_of,
    found,
    found_department,
    found_person,
    lock_administered,
    within_agency,
)
from services.identity.inactivity import check_administrator_remains
from services.identity.models import Person
from services.identity.people import add_person, state_of, tell_change, user_view
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.rpc import serves
from services.plumbing.service import Service
from services.plumbing.work import Work

REMOVABLE = {"staff_no", "email"}
"""What a user may be without."""


class Users(Service):
    @serves(contract.ASK_LOGIN)
    def ask_login(self, query: contract.AskLogin, call: Call) -> contract.LoginAvailability:
        with call.reading() as session:
            return contract.LoginAvailability(login=query.login, is_free=not queries.has_login(session, query.login))

    @serves(contract.ADD_USER)
    def add_user(self, command: contract.AddUser, call: Call) -> contract.UserView:
        with call.transaction() as work:
            department = found_department(work.session, command.department_id)
            check_scope(call, department.agency_id)
            check_grant(call, found(queries.find_agency(work.session, department.agency_id)), command.role)
            managed = list(dict.fromkeys(command.managed_department_ids))
            check_managed_departments(work, department.agency_id, command.role, managed)
            person = add_person(
                work,
                department,
                login=command.login,
                display_name=command.display_name or command.login,
                role=command.role,
                staff_no=command.staff_no,
                email=command.email,
                managed_department_ids=managed,
            )
            work.audit(person.id, agency_id=person.agency_id, new=user_view(person))
            return work.answer(user_view(person))

    @serves(contract.LIST_USERS)
    def list_users(self, query: contract.ListUsers, call: Call) -> Page[contract.UserView]:
        visible, after = within_agency(call, Person.agency_id), paging.decode_id(query.cursor)
        with call.reading() as session:
            rows = queries.list_people(session, visible, query.status, query.department_id, after, query.limit + 1)
        return paging.page(Page[contract.UserView], [user_view(row) for row in rows], query.limit)

    @serves(contract.SHOW_USER)
    def show_user(self, query: contract.ShowPerson, call: Call) -> contract.UserView:
        with call.reading() as session:
            person = found_person(session, queries.find_person(session, query.user_id), query.user_id)
        check_scope(call, person.agency_id)
        return user_view(person)

    @serves(contract.SHOW_PERSON)
    def show_person(self, query: contract.ShowPerson, call: Call) -> contract.PersonState:
        with call.reading() as session:
            person = found(queries.find_person(session, query.user_id))
        return contract.PersonState(version=person.version, **state_of(person))

    @serves(contract.UPDATE_USER)
    def update_user(self, command: contract.UpdateUser, call: Call) -> contract.UserView:
        refuse_empty(command)
        with call.transaction() as work:
            person = lock_administered(work, call, command.user_id)
            if person.version != command.expected_version:
                raise VersionConflict(version=person.version)
            old = user_view(person)
            if command.display_name:
                person.display_name = command.display_name
            for name in command.model_fields_set & REMOVABLE:
                setattr(person, name, getattr(command, name))
            if command.department_id:
                person.department_id = department_of(work, call, command.department_id, person.agency_id).id
            self.change_role(work, call, person, command)
            if user_view(person) != old:
                tell_change(work, person, "updated")
            work.audit(person.id, agency_id=person.agency_id, old=old, new=user_view(person))
            return work.answer(user_view(person))

    def change_role(self, work: Work, call: Call, person: Person, command: contract.UpdateUser) -> None:
        """The role, and what goes with it: who stops being a manager oversees nothing, unless he says otherwise."""
        roles: list[str] = [command.role] if command.role else person.roles
        if roles != person.roles:
            check_grant(call, found(queries.find_agency(work.session, person.agency_id)), roles[0])
            if domain.ADMINISTRATOR not in roles:
                check_administrator_remains(work, person, self.plumbing.settings.inactive_days)
        managed = person.managed_department_ids if domain.MANAGER in roles else []
        if command.managed_department_ids is not None:
            managed = list(dict.fromkeys(command.managed_department_ids))
        for role in roles:
            check_managed_departments(work, person.agency_id, role, managed)
        person.roles, person.managed_department_ids = roles, managed


def refuse_empty(command: Command) -> None:
    """Raises InvalidRequest: of a user nearly everything has a value, and null would be neither a change nor none."""
    empty = [name for name in sorted(command.model_fields_set - REMOVABLE) if getattr(command, name) is None]
    if empty:
        raise InvalidRequest(errors=[{"in": "body", "pointer": f"/{name}", "detail": "must not be null"} for name in empty])
