"""Users: asked for, added, shown, changed."""

from uuid import UUID

from services.contracts import identity as contract
from services.contracts.base import Page
from services.contracts.errors import VersionConflict
from services.identity import domain, queries
from services.identity.access import (
    check_grant,
    check_managed_departments,
    check_scope,
    found,
    found_department,
    found_person,
    lock_administered,
    put_into,
    refuse_empty,
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


class Users(Service):
    @serves(contract.ASK_LOGIN)
    def ask_login(self, query: contract.AskLogin, call: Call) -> contract.LoginAvailability:
        with call.reading() as session:
            return contract.LoginAvailability(login=query.login, is_free=not queries.has_login(session, query.login))

    @serves(contract.ADD_USER)
    def add_user(self, command: contract.AddUser, call: Call) -> contract.UserView:
        with call.transaction() as work:
            queries.hold_departments(work.session, departments_in(command))
            department = found_department(work.session, command.department_id)
            check_scope(call, department.agency_id)
            check_grant(call, found(queries.find_agency(work.session, department.agency_id)), command.role)
            others = domain.others(command.other_department_ids, home=department.id)
            put_into(work, [department.id, *others], department.agency_id)
            managed = list(dict.fromkeys(command.managed_department_ids))
            check_managed_departments(work, department.agency_id, command.role, managed)
            person = add_person(
                work,
                department,
                login=command.login,
                display_name=command.display_name or command.login,
                role=command.role,
                other_department_ids=others,
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
            queries.hold_departments(work.session, departments_in(command))
            person = lock_administered(work, call, command.user_id)
            if person.version != command.expected_version:
                raise VersionConflict(version=person.version)
            old = user_view(person)
            if command.display_name:
                person.display_name = command.display_name
            change_departments(work, person, command)
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


def departments_in(command: contract.AddUser | contract.UpdateUser) -> list[UUID]:
    """All that it names."""
    named = (command.department_id, *(command.other_department_ids or ()), *(command.managed_department_ids or ()))
    return [department_id for department_id in named if department_id]


def change_departments(work: Work, person: Person, command: contract.UpdateUser) -> None:
    """Who is in one that takes nobody any more may stay there. His home department is not among the others."""
    before = {person.department_id, *person.other_department_ids}
    home = command.department_id or person.department_id
    given = person.other_department_ids if command.other_department_ids is None else command.other_department_ids
    others = domain.others(given, home=home)
    put_into(work, [each for each in (home, *others) if each not in before], person.agency_id)
    person.department_id, person.other_department_ids = home, others
