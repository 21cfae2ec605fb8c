"""The face of identity."""

import hashlib
import hmac
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, true

from services.contracts import identity as contract
from services.contracts.base import Nothing, Page, PageQuery
from services.contracts.errors import (
    HasPassword,
    LoginTaken,
    NameTaken,
    NotAuthenticated,
    NotFound,
    OutOfScope,
    SetupClosed,
    SetupSecretWrong,
    WrongCredentials,
)
from services.contracts.permissions import Scope
from services.identity import domain, queries
from services.identity.models import Agency, Department, Person, Session
from services.identity.passwords import hash_password, matches
from services.identity.people import add_agency, add_department, add_person, agency_view, department_view, user_view
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.clock import business_time
from services.plumbing.ids import new_id
from services.plumbing.offload import offload
from services.plumbing.passport import Caller
from services.plumbing.rpc import serves
from services.plumbing.service import Service


class IdentityService(Service):
    name = "identity"
    constraints = {  # noqa: RUF012 read only
        "agency_one_headquarters": SetupClosed,
        "agency_name_key": NameTaken,
        "department_name_key": NameTaken,
        "person_login_key": LoginTaken,
    }

    # --- set-up

    @serves(contract.SETUP_STATE)
    def setup_state(self, query: Nothing, call: Call) -> contract.SetupState:
        with call.reading() as session:
            return contract.SetupState(needed=not queries.has_agencies(session))

    @serves(contract.SET_UP)
    def set_up(self, command: contract.SetUp, call: Call) -> contract.UserView:
        secret = self.plumbing.settings.setup_secret
        if secret is None or not hmac.compare_digest(secret.get_secret_value().encode(), command.secret.encode()):
            raise SetupSecretWrong()
        domain.check_password(command.password, login=command.login, display_name=command.display_name)
        password_hash = offload(hash_password, command.password)
        with call.transaction() as work:
            if queries.has_agencies(work.session):
                raise SetupClosed()
            agency = add_agency(work, command.agency_name, is_headquarters=True)
            department = add_department(work, agency, agency.name, None)
            person = add_person(work, department, command.login, command.display_name, "subsystem_admin", password_hash)
            work.audit(person.id, agency_id=agency.id, new=user_view(person))
            return work.answer(user_view(person))

    # --- sessions

    @serves(contract.OPEN_SESSION)
    def open_session(self, command: contract.OpenSession, call: Call) -> contract.SessionView:
        with call.reading() as session:
            person = queries.find_person_by_login(session, command.login)
            code = queries.find_code(session, person.id) if person else None
            now = business_time(session)
        if code and now < code.expires_at and is_code(command.password, code.digest):
            by_code = True
        elif offload(matches, command.password, person.password_hash if person else None):
            by_code = False
        else:
            raise WrongCredentials()
        assert person is not None
        with call.transaction() as work:
            # What was verified may have been replaced meanwhile: hashing takes its time.
            locked = found(queries.lock_person(work.session, person.id))
            now_code = queries.find_code(work.session, person.id)
            if by_code and not (now_code and is_code(command.password, now_code.digest)):
                raise WrongCredentials()
            if not by_code and locked.password_hash != person.password_hash:
                raise WrongCredentials()
            opened = Session(
                id=new_id(),
                person_id=person.id,
                token_digest=command.token_digest,
                by_code=by_code,
                opened_at=work.now,
                used_at=work.now,
                expires_at=work.now + domain.SESSION_LIMIT,
            )
            work.session.add(opened)
            view = contract.SessionView(
                id=opened.id, user_id=person.id, expires_at=opened.expires_at, password_change_required=by_code
            )
            work.audit(person.id, agency_id=person.agency_id, new={"session_id": str(opened.id), "by_code": by_code})
            return work.answer(view)

    @serves(contract.RESOLVE_SESSION)
    def resolve_session(self, query: contract.ResolveSession, call: Call) -> contract.Passport:
        with call.reading_rows() as connection:
            opened = queries.find_session(connection, query.token_digest)
        if opened is None or not domain.is_live(
            opened.now, used_at=opened.used_at, expires_at=opened.expires_at, ended_at=opened.ended_at
        ):
            raise NotAuthenticated()
        if opened.now - opened.used_at > domain.USED_RESOLUTION:
            with call.noting() as session:
                queries.touch_session(session, opened.id, opened.now)
        caller = Caller(
            subject=str(opened.person_id),
            agency_id=opened.agency_id,
            department_id=opened.department_id,
            session_id=opened.id,
            grants=domain.grants_of(opened.roles, by_code=opened.by_code),
            display_name=opened.display_name,
            password_change_required=opened.by_code,
        )
        return contract.Passport(token=self.plumbing.signer.sign(caller))

    @serves(contract.END_SESSION)
    def end_session(self, command: contract.EndSession, call: Call) -> Nothing:
        session_id = command.session_id or call.caller.session_id
        with call.transaction() as work:
            queries.end_sessions(work.session, work.now, Session.id == session_id, Session.person_id == call.user_id)
            work.audit(call.user_id, new={"ended_session_id": str(session_id)})
            return work.answer(Nothing())

    @serves(contract.CHANGE_PASSWORD)
    def change_password(self, command: contract.ChangePassword, call: Call) -> Nothing:
        call.answer_again()
        with call.reading() as session:
            person = found(queries.find_person(session, call.user_id))
        if not call.caller.password_change_required and not (
            command.current and offload(matches, command.current, person.password_hash)
        ):
            raise WrongCredentials()
        domain.check_password(command.new, login=person.login, display_name=person.display_name)
        password_hash = offload(hash_password, command.new)
        with call.transaction() as work:
            locked = found(queries.lock_person(work.session, call.user_id))
            if locked.password_hash != person.password_hash:
                raise WrongCredentials()  # changed meanwhile: the current one that was given is not it any more
            locked.password_hash = password_hash
            own = found(queries.lock_session(work.session, call.caller.session_id))
            if own.ended_at or own.by_code != call.caller.password_change_required:
                raise NotAuthenticated()  # the passport is older than what has happened to its session
            own.by_code = False
            queries.end_sessions(work.session, work.now, Session.person_id == locked.id, Session.id != own.id)
            queries.drop_code(work.session, locked.id)
            work.audit(locked.id, new={"password": "changed"})
            return work.answer(Nothing())

    @serves(contract.SHOW_PROFILE)
    def show_profile(self, query: Nothing, call: Call) -> contract.ProfileView:
        with call.reading() as session:
            person = found(queries.find_person(session, call.user_id))
            return contract.ProfileView(
                id=person.id,
                login=person.login,
                display_name=person.display_name,
                agency_id=person.agency_id,
                agency_name=found(queries.find_agency(session, person.agency_id)).name,
                department_id=person.department_id,
                department_name=found(queries.find_department(session, person.department_id)).name,
                roles=person.roles,
                permissions={permission: scope.value for permission, scope in call.caller.grants.items()},
                password_change_required=call.caller.password_change_required,
            )

    # --- agencies, departments, users

    @serves(contract.ADD_AGENCY)
    def add_agency(self, command: contract.AddAgency, call: Call) -> contract.AgencyView:
        with call.transaction() as work:
            agency = add_agency(work, command.name, is_headquarters=False)
            work.audit(agency.id, agency_id=agency.id, new=agency_view(agency))
            return work.answer(agency_view(agency))

    @serves(contract.LIST_AGENCIES)
    def list_agencies(self, query: PageQuery, call: Call) -> Page[contract.AgencyView]:
        visible = true() if call.scope is Scope.ALL else Agency.id == call.caller.agency_id
        with call.reading() as session:
            rows = queries.list_agencies(session, visible, paging.decode_id(query.cursor), query.limit + 1)
        return paging.page(Page[contract.AgencyView], [agency_view(row) for row in rows], query.limit)

    @serves(contract.ADD_DEPARTMENT)
    def add_department(self, command: contract.AddDepartment, call: Call) -> contract.DepartmentView:
        with call.transaction() as work:
            agency = found(queries.find_agency(work.session, command.agency_id))
            check_scope(call, agency.id)
            parent = found(queries.find_department(work.session, command.parent_id)) if command.parent_id else None
            if parent and parent.agency_id != agency.id:
                raise NotFound()
            department = add_department(work, agency, command.name, parent)
            work.audit(department.id, agency_id=agency.id, new=department_view(department))
            return work.answer(department_view(department))

    @serves(contract.LIST_DEPARTMENTS)
    def list_departments(self, query: contract.ListDepartments, call: Call) -> Page[contract.DepartmentView]:
        visible = within_agency(call, Department.agency_id)
        with call.reading() as session:
            rows = queries.list_departments(session, visible, query.agency_id, paging.decode_id(query.cursor), query.limit + 1)
        return paging.page(Page[contract.DepartmentView], [department_view(row) for row in rows], query.limit)

    @serves(contract.ADD_USER)
    def add_user(self, command: contract.AddUser, call: Call) -> contract.UserView:
        with call.transaction() as work:
            department = found(queries.find_department(work.session, command.department_id))
            check_scope(call, department.agency_id)
            agency = found(queries.find_agency(work.session, department.agency_id))
            domain.check_grant(
                call.scope,
                command.role,
                agency_id=agency.id,
                own_agency_id=call.caller.agency_id,
                is_headquarters=agency.is_headquarters,
            )
            person = add_person(work, department, command.login, command.display_name or command.login, command.role, None)
            work.audit(person.id, agency_id=person.agency_id, new=user_view(person))
            return work.answer(user_view(person))

    @serves(contract.LIST_USERS)
    def list_users(self, query: PageQuery, call: Call) -> Page[contract.UserView]:
        visible = within_agency(call, Person.agency_id)
        with call.reading() as session:
            rows = queries.list_people(session, visible, paging.decode_id(query.cursor), query.limit + 1)
        return paging.page(Page[contract.UserView], [user_view(row) for row in rows], query.limit)

    @serves(contract.INVITE_USER)
    def invite_user(self, command: contract.InviteUser, call: Call) -> contract.Invitation:
        with call.transaction() as work:
            person = found(queries.lock_person(work.session, command.user_id))
            check_scope(call, person.agency_id)
            for role in person.roles:
                domain.check_grant(
                    call.scope,
                    role,
                    agency_id=person.agency_id,
                    own_agency_id=call.caller.agency_id,
                    is_headquarters=found(queries.find_agency(work.session, person.agency_id)).is_headquarters,
                )
            if person.password_hash is not None:
                raise HasPassword()
            expires_at = work.now + domain.CODE_LIMIT
            queries.end_sessions(work.session, work.now, Session.person_id == person.id, Session.by_code.is_(True))
            queries.put_code(work.session, person.id, command.code_digest, expires_at)
            work.audit(
                person.id, agency_id=person.agency_id, new={"one_time_code": "given", "expires_at": expires_at.isoformat()}
            )
            return work.answer(contract.Invitation(user_id=person.id, expires_at=expires_at))


Row = TypeVar("Row")


def found(row: Row | None) -> Row:
    """Raises NotFound for what is not there."""
    if row is None:
        raise NotFound()
    return row


def check_scope(call: Call, agency_id: UUID) -> None:
    """Raises OutOfScope when the caller may not administer this agency."""
    if call.scope is not Scope.ALL and agency_id != call.caller.agency_id:
        raise OutOfScope()


def within_agency(call: Call, column: Any) -> ColumnElement[bool]:
    """Colleagues and departments are seen throughout the own agency, elsewhere by headquarters."""
    return true() if call.scope is Scope.ALL else column == call.caller.agency_id


def is_code(typed: str, digest: str) -> bool:
    return hmac.compare_digest(hashlib.sha256(typed.encode()).hexdigest(), digest)
