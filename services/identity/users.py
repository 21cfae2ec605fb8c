"""Users: asked for, added, shown, changed."""

from services.contracts import identity as contract
from services.contracts.base import Page
from services.contracts.errors import VersionConflict
from services.identity import appointing, domain, queries
from services.identity.access import (
    check_scope,
    found,
    found_department,
    found_person,
    lock_administered,
    refuse_empty,
    within_agency,
)
from services.identity.inactivity import AsksWhoIsAway
from services.identity.inactivity_queries import left_to, will_be_locked
from services.identity.models import Person
from services.identity.people import state_of, tell_change, user_view
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.clock import business_time
from services.plumbing.rpc import serves

REMOVABLE = {"staff_no", "email"}
"""What a user may be without, besides a supervisor. One logs in by them: nobody changes his own here, without the password."""


class Users(AsksWhoIsAway):
    @serves(contract.ASK_LOGIN)
    def ask_login(self, query: contract.AskLogin, call: Call) -> contract.LoginAvailability:
        with call.reading() as session:
            return contract.LoginAvailability(login=query.login, is_free=not queries.has_login(session, query.login))

    @serves(contract.ADD_USER)
    def add_user(self, command: contract.AddUser, call: Call) -> contract.UserView:
        with call.transaction() as work:
            appointing.hold(work, command)
            department = found_department(work.session, command.department_id)
            check_scope(call, department.agency_id)
            person = appointing.add(work, call, department, command)
            work.audit(person.id, agency_id=person.agency_id, new=user_view(person))
            return work.answer(user_view(person))

    @serves(contract.LIST_USERS)
    def list_users(self, query: contract.ListUsers, call: Call) -> Page[contract.UserView]:
        visible, after = within_agency(call, Person.agency_id), paging.decode_id(query.cursor)
        with call.reading() as session:
            now = business_time(session)
            if query.locked_within_days is not None:
                visible &= will_be_locked(now, self.inactive_days, query.locked_within_days)
            rows = queries.list_people(session, visible, query, after)
            left = left_to(session, [row.id for row in rows], now, self.inactive_days)
        views = [user_view(row, left.get(row.id)) for row in rows]
        return paging.page(Page[contract.UserView], views, query.limit)

    @serves(contract.SHOW_USER)
    def show_user(self, query: contract.ShowPerson, call: Call) -> contract.UserView:
        with call.reading() as session:
            person = found_person(session, queries.find_person(session, query.user_id), query.user_id)
            check_scope(call, person.agency_id)
            left = left_to(session, [person.id], business_time(session), self.inactive_days)
        return user_view(person, left.get(person.id))

    @serves(contract.SHOW_PERSON)
    def show_person(self, query: contract.ShowPerson, call: Call) -> contract.PersonState:
        with call.reading() as session:
            person = found(queries.find_person(session, query.user_id))
        return contract.PersonState(version=person.version, **state_of(person))

    @serves(contract.UPDATE_USER)
    def update_user(self, command: contract.UpdateUser, call: Call) -> contract.UserView:
        refuse_empty(command, may_be_null=("supervisor_id", *REMOVABLE))
        with call.transaction() as work:
            appointing.hold(work, command)
            person = lock_administered(work, call, command.user_id)
            if person.version != command.expected_version:
                raise VersionConflict(version=person.version)
            old = user_view(person)
            if command.display_name:
                person.display_name = command.display_name
            for name in command.model_fields_set & REMOVABLE:
                if getattr(command, name) != getattr(person, name):
                    domain.check_not_oneself(call.user_id, person.id)
                    setattr(person, name, getattr(command, name))
            appointing.change(work, call, person, command, self.inactive_days)
            if user_view(person) != old:
                tell_change(work, person, "updated")
            work.audit(person.id, agency_id=person.agency_id, old=old, new=user_view(person))
            return work.answer(user_view(person))
