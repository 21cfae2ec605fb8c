"""What becomes of a user's account: codes, lock, end, return."""

from datetime import datetime
from uuid import UUID

from services.contracts import identity as contract
from services.contracts.base import Nothing
from services.contracts.errors import HasPassword, LeavingUnderWay, UserNotActive
from services.contracts.leaving import RESTORE_USER, RestoredUser
from services.identity import domain, queries
from services.identity.access import found, lock_administered
from services.identity.guessing import forget_failures
from services.identity.inactivity import AsksWhoIsAway, check_administrator_remains, is_overdue
from services.identity.inactivity_queries import list_overdue, rule_of
from services.identity.leaving_queries import find_last
from services.identity.models import Person, Session
from services.identity.people import tell_change, user_view
from services.plumbing.call import Call
from services.plumbing.chores import Chore, every
from services.plumbing.clock import business_time
from services.plumbing.masking import masked
from services.plumbing.rpc import serves
from services.plumbing.work import Work

LOCKED_AT_ONCE = 500


class Accounts(AsksWhoIsAway):
    @serves(contract.INVITE_USER)
    def invite_user(self, command: contract.InviteUser, call: Call) -> contract.Invitation:
        with call.transaction() as work:
            person = lock_administered(work, call, command.user_id)
            if person.password_hash is not None:
                raise HasPassword()
            self.check_active(work, person)
            queries.end_sessions(work.session, work.now, Session.person_id == person.id, Session.by_code.is_(True))
            forget_failures(work, call, person)
            expires_at = give_code(work, person, command.code_digest)
            given = {"one_time_code": "given", "expires_at": expires_at.isoformat()}
            work.audit(person.id, agency_id=person.agency_id, new=given)
            return work.answer(contract.Invitation(user_id=person.id, expires_at=expires_at))

    @serves(contract.RESET_PASSWORD)
    def reset_password(self, command: contract.ResetPassword, call: Call) -> contract.Invitation:
        with call.transaction() as work:
            person = self.lock_another(work, call, command.user_id)
            self.check_active(work, person)
            # An administrator without a password is none until he has used his code.
            check_administrator_remains(work, person, self.inactive_days)
            person.password_hash = person.password_set_at = None
            end_all_sessions(work, person)
            forget_failures(work, call, person)
            expires_at = give_code(work, person, command.code_digest)
            tell_change(work, person, "password_reset")
            given = {"password": "reset", "one_time_code": "given", "expires_at": expires_at.isoformat()}
            work.audit(person.id, agency_id=person.agency_id, new=given)
            return work.answer(contract.Invitation(user_id=person.id, expires_at=expires_at))

    @serves(contract.DISABLE_USER)
    def disable_user(self, command: contract.DisableUser, call: Call) -> contract.UserView:
        with call.transaction() as work:
            person = self.lock_another(work, call, command.user_id)
            check_administrator_remains(work, person, self.inactive_days)
            old = user_view(person)
            disable(work, person)
            work.audit(person.id, agency_id=person.agency_id, old=old, new=user_view(person))
            return work.answer(user_view(person))

    @serves(RESTORE_USER)
    def restore_user(self, command: contract.RestoreUser, call: Call) -> RestoredUser:
        with call.transaction() as work:
            person = lock_administered(work, call, command.user_id)
            old, handed_over = user_view(person), leaving_of(work, person)
            if person.status != "active" or is_overdue(work.session, person, work.now, self.inactive_days):
                person.status, person.restored_at = "active", work.now
                tell_change(work, person, "restored")
            work.audit(person.id, agency_id=person.agency_id, old=old, new=user_view(person))
            return work.answer(RestoredUser(**user_view(person).model_dump(), handed_over=handed_over))

    @serves(contract.LOCK_USER)
    def lock_user(self, command: contract.LockUser, call: Call) -> Nothing:
        with call.transaction() as work:
            person = found(queries.lock_person(work.session, command.user_id))
            if domain.ADMINISTRATOR in person.roles:
                queries.lock_administrators(work.session)
            old, rule = user_view(person), rule_of(work.session, person.agency_id, self.inactive_days)
            if is_overdue(work.session, person, work.now, self.inactive_days):
                person.status = "locked"
                end_all_sessions(work, person)
                tell_change(work, person, "locked")
            new = masked(user_view(person)) | {"decided_by": rule.decided_by}
            work.audit(person.id, agency_id=person.agency_id, old=old, new=new)
            return work.answer(Nothing())

    @every(seconds=3600)
    def lock_the_inactive(self, chore: Chore) -> None:
        """Asks once a day for each: the last administrator, who stays, may not be the last one tomorrow."""
        with chore.reading() as session:
            now = business_time(session)
            inactive = list_overdue(session, now, chore.settings.inactive_days, LOCKED_AT_ONCE)
        for user_id, version in inactive:
            key = f"lock/{user_id}/{version}/{now.date()}"
            chore.ask(contract.LOCK_USER, contract.LockUser(user_id=user_id), key=key)

    def lock_another(self, work: Work, call: Call, user_id: UUID) -> Person:
        """As `lock_administered`; raises OwnAccount besides."""
        domain.check_not_oneself(call.user_id, user_id)
        return lock_administered(work, call, user_id)

    def check_active(self, work: Work, person: Person) -> None:
        """Raises UserNotActive: a code for an account that stays shut would only seem to help."""
        if person.status != "active":
            raise UserNotActive(user_status=person.status)
        if is_overdue(work.session, person, work.now, self.inactive_days):
            raise UserNotActive(user_status="locked")


def give_code(work: Work, person: Person, digest: str) -> datetime:
    """In the place of an older one; until when it is good."""
    expires_at = work.now + domain.CODE_LIMIT
    queries.put_code(work.session, person.id, digest, expires_at)
    return expires_at


def disable(work: Work, person: Person) -> None:
    """Shuts the account of somebody whose row is locked, unless it is shut."""
    if person.status != "disabled":
        person.status = "disabled"
        end_all_sessions(work, person)
        queries.drop_code(work.session, person.id)
        tell_change(work, person, "disabled")


def leaving_of(work: Work, person: Person) -> UUID | None:
    """The leaving by which somebody is out whose row is locked. Raises LeavingUnderWay with its id: what is being handed over
    may not come back to life meanwhile."""
    leaving = find_last(work.session, person.id) if person.status == "disabled" else None
    if leaving and leaving.finished_at is None:
        raise LeavingUnderWay(leaving_id=str(leaving.id))
    is_back = leaving is None or domain.is_back(ordered_at=leaving.ordered_at, restored_at=person.restored_at)
    return None if is_back or leaving is None else leaving.id


def end_all_sessions(work: Work, person: Person) -> None:
    """And the tokens of his programs and devices, which come back with nobody."""
    queries.end_sessions(work.session, work.now, Session.person_id == person.id)
    queries.revoke_tokens(work.session, work.now, person.id)
    queries.drop_devices(work.session, person.id)
