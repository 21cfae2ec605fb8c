"""Logging in, being known, logging out."""

import hashlib
import hmac
from typing import Any

from services.contracts import identity as contract
from services.contracts.base import Nothing
from services.contracts.errors import (
    AccountLocked,
    AgencyFrozen,
    CaptchaRequired,
    NotAuthenticated,
    ServiceUnavailable,
    WrongCredentials,
)
from services.contracts.permissions import BEFORE_OWN_PASSWORD
from services.identity import domain, queries
from services.identity.guessing import TryToLogIn
from services.identity.inactivity import is_overdue
from services.identity.models import Person, Session
from services.identity.passwords import matches
from services.identity.rights import rights_of
from services.plumbing.call import Call
from services.plumbing.clock import business_time
from services.plumbing.ids import new_id
from services.plumbing.offload import offload
from services.plumbing.passport import Caller
from services.plumbing.rpc import serves
from services.plumbing.service import Service
from services.plumbing.work import Work


class Sessions(Service):
    @serves(contract.OPEN_SESSION)
    def open_session(self, command: contract.OpenSession, call: Call) -> contract.SessionView:
        attempt = TryToLogIn(command, call)
        attempt.begin()
        try:
            person, by_code = verify(command, call)
            with call.transaction() as work:
                locked = lock_verified(work, command, person, by_code)
                attempt.succeed(work)
                if locked.status == "locked" or is_overdue(work.session, locked, work.now, self.plumbing.settings.inactive_days):
                    raise AccountLocked()
                if queries.hold_agency(work.session, locked.agency_id).is_frozen:
                    raise AgencyFrozen()
                locked.last_login_at = work.now
                view = add_session(work, command, locked, by_code)
                opened = {"session_id": str(view.id), "by_code": by_code}
                work.audit(person.id, agency_id=person.agency_id, on_behalf_of=person.id, new=opened)
                return work.answer(view)
        except WrongCredentials:
            attempt.fail()
            raise

    @serves(contract.RESOLVE_SESSION)
    def resolve_session(self, query: contract.ResolveSession, call: Call) -> contract.Passport:
        with call.reading_rows() as connection:
            opened = queries.find_session(connection, query.token_digest)
        if (
            opened is None
            or opened.status != "active"
            or opened.is_frozen
            or not domain.is_live(opened.now, used_at=opened.used_at, expires_at=opened.expires_at, ended_at=opened.ended_at)
        ):
            raise NotAuthenticated()
        if opened.now - opened.used_at > domain.USED_RESOLUTION:
            with call.noting() as session:
                queries.touch_session(session, opened.id, opened.now)
        return contract.Passport(token=self.plumbing.signer.sign(caller_of(opened)))

    @serves(contract.END_SESSION)
    def end_session(self, command: contract.EndSession, call: Call) -> Nothing:
        session_id = command.session_id or call.caller.session_id
        with call.transaction() as work:
            queries.end_sessions(work.session, work.now, Session.id == session_id, Session.person_id == call.user_id)
            work.audit(call.user_id, new={"ended_session_id": str(session_id)})
            return work.answer(Nothing())


def caller_of(opened: Any) -> Caller:
    """Whom a session's passport speaks for, and what he may now."""
    return Caller(
        subject=str(opened.person_id),
        agency_id=opened.agency_id,
        department_id=opened.department_id,
        managed_department_ids=tuple(opened.managed_department_ids),
        other_department_ids=tuple(opened.other_department_ids),
        session_id=opened.id,
        roles=tuple(opened.roles),
        grants=BEFORE_OWN_PASSWORD if opened.by_code else rights_of(opened),
        display_name=opened.display_name,
        password_change_required=opened.by_code,
    )


def verify(command: contract.OpenSession, call: Call) -> tuple[Person, bool]:
    """Whose login and secret these are, and whether it is a code. Raises WrongCredentials.

    It takes as long for a login that nobody has and for a disabled user as for a wrong password.
    """
    with call.reading() as session:
        person, code = queries.find_credentials(session, command.login) or (None, None)
        now = business_time(session)
    if person is not None:
        call.concerns(person.id, person.agency_id)
    if person is None or person.status == "disabled":
        is_right(command, None)
        raise WrongCredentials()
    if code and now < code.expires_at and is_code(command.password, code.digest):
        return person, True
    if not is_right(command, person.password_hash):
        raise WrongCredentials()
    return person, False


def lock_verified(work: Work, command: contract.OpenSession, person: Person, by_code: bool) -> Person:
    """Looks again under the lock: what was verified may have been replaced meanwhile, as hashing takes its time."""
    locked = queries.lock_person(work.session, person.id)
    if locked is None or locked.status == "disabled":
        raise WrongCredentials()
    code = queries.find_code(work.session, person.id)
    if by_code and not (code and is_code(command.password, code.digest)):
        raise WrongCredentials()
    if not by_code and locked.password_hash != person.password_hash:
        raise WrongCredentials()
    return locked


def add_session(work: Work, command: contract.OpenSession, person: Person, by_code: bool) -> contract.SessionView:
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
    return contract.SessionView(id=opened.id, user_id=person.id, expires_at=opened.expires_at, password_change_required=by_code)


def is_right(command: contract.OpenSession, password_hash: str | None) -> bool:
    """Half of the line is kept for tries with a captcha: a flood without any shuts nobody out, whoever its log-ins are for."""
    try:
        return offload(matches, command.password, password_hash, share=1 if command.captcha_id else 0.5)
    except ServiceUnavailable:
        if command.captcha_id:
            raise
        raise CaptchaRequired(reason="very many log in at this moment") from None


def is_code(typed: str, digest: str) -> bool:
    return hmac.compare_digest(hashlib.sha256(typed.encode()).hexdigest(), digest)
