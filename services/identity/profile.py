"""What everybody does for himself."""

from services.contracts import identity as contract
from services.contracts.base import Nothing
from services.contracts.errors import CurrentPasswordWrong, NotAuthenticated, SessionForfeited
from services.contracts.reach import words_of
from services.identity import domain, queries
from services.identity.access import found
from services.identity.guessing import TryToBeOneself
from services.identity.models import Person, Session
from services.identity.passwords import hash_password, matches
from services.plumbing.call import Call
from services.plumbing.clock import business_time
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
                other_department_ids=person.other_department_ids,
                managed_department_ids=person.managed_department_ids,
                supervisor_id=person.supervisor_id,
                roles=person.roles,
                permissions={permission: words_of(reach) for permission, reach in call.caller.grants.items()},
                password_change_required=call.caller.password_change_required,
            )

    @serves(contract.CHANGE_PASSWORD)
    def change_password(self, command: contract.ChangePassword, call: Call) -> Nothing:
        call.answer_again()
        with call.reading() as session:
            person = found(queries.find_person(session, call.user_id))
        # before the current one is looked at, so that the refusal of a new one does not tell that it was right
        domain.check_password(command.new, login=person.login, display_name=person.display_name)
        if call.caller.password_change_required:
            return change(command, call, person, None)
        if not command.current:
            raise CurrentPasswordWrong(detail="Give the current password as `current`.")
        attempt = TryToBeOneself(person.login, call)
        try:
            attempt.begin()
            try:
                if not offload(matches, command.current, person.password_hash):
                    raise CurrentPasswordWrong()
                return change(command, call, person, attempt)
            except CurrentPasswordWrong:
                attempt.fail()
                raise
        except SessionForfeited:
            with call.noting() as session:
                queries.end_sessions(session, business_time(session), Session.id == call.caller.session_id)
            raise


def change(command: contract.ChangePassword, call: Call, person: Person, attempt: TryToBeOneself | None) -> Nothing:
    """What was verified may have been replaced meanwhile, as hashing takes its time. Without `attempt` nothing had to be."""
    password_hash = offload(hash_password, command.new)
    with call.transaction() as work:
        locked = found(queries.lock_person(work.session, call.user_id))
        own = found(queries.lock_session(work.session, call.caller.session_id))
        if own.ended_at or own.by_code != call.caller.password_change_required:
            raise NotAuthenticated()  # the passport is older than what has happened to its session
        if locked.password_hash != person.password_hash:
            raise CurrentPasswordWrong()
        if attempt:
            attempt.succeed(work)
        locked.password_hash = password_hash
        own.by_code = False
        queries.end_sessions(work.session, work.now, Session.person_id == locked.id, Session.id != own.id)
        queries.drop_code(work.session, locked.id)
        work.audit(locked.id, new={"password": "changed"})
        return work.answer(Nothing())
