"""What everybody does for himself."""

from services.contracts import identity as contract
from services.contracts.base import Nothing
from services.contracts.errors import NotAuthenticated, WrongCredentials
from services.identity import domain, queries
from services.identity.access import found
from services.identity.models import Session
from services.identity.passwords import hash_password, matches
from services.plumbing.call import Call
from services.plumbing.offload import offload
from services.plumbing.rpc import serves
from services.plumbing.service import Service


class Profile(Service):
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
                managed_department_ids=person.managed_department_ids,
                roles=person.roles,
                permissions={permission: scope.value for permission, scope in call.caller.grants.items()},
                password_change_required=call.caller.password_change_required,
            )

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
