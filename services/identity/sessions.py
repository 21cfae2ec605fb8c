"""Logging in, being known, logging out."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from services.contracts import identity as contract
from services.contracts.base import Nothing
from services.contracts.errors import (
    AccountLocked,
    AgencyFrozen,
    CaptchaRequired,
    NotAuthenticated,
    SecondFactorRequired,
    ServiceUnavailable,
    WrongCredentials,
)
from services.contracts.permissions import BEFORE_OWN_PASSWORD, BEFORE_SECOND_FACTOR
from services.contracts.reach import Grants
from services.identity import domain, queries
from services.identity.devices import find_known, keep_device
from services.identity.factors import is_on, prove_given_factor
from services.identity.guessing import TryToLogIn
from services.identity.inactivity import AsksWhoIsAway, is_overdue
from services.identity.login_settings import factor_roles_by, limits_by, limits_of
from services.identity.models import KnownDevice, OneTimeCode, Person, Session
from services.identity.passports import caller_of, is_asked_for_factor, lacks_factor
from services.identity.passwords import hash_password, is_outdated, matches
from services.identity.rights import rights_of
from services.plumbing.call import Call
from services.plumbing.clock import business_time
from services.plumbing.ids import new_id
from services.plumbing.offload import is_crowded, offload
from services.plumbing.rpc import serves
from services.plumbing.work import Work

UNKNOWN = 0.5  # the part of the line for who has neither a captcha nor a known device
CROWD = "very many log in at this moment"


class Sessions(AsksWhoIsAway):
    @serves(contract.OPEN_SESSION)
    def open_session(self, command: contract.OpenSession, call: Call) -> contract.SessionView:
        if is_crowded(UNKNOWN) and not (command.captcha_id or command.device_digest):
            raise CaptchaRequired(reason=CROWD)  # before the database is asked anything
        known = look_up(command, call)
        attempt = TryToLogIn(command, known.person, known.device, call)
        attempt.begin()
        try:
            person, by_code = verify(command, known, attempt)
            proof = self.prove_besides(command, known, attempt, call)
            renewed = renewed_hash(command, person, by_code)
            with call.transaction() as work:
                locked = lock_verified(work, command, person, by_code)
                if proof is None and is_on(queries.find_factor(work.session, person.id)):
                    raise SecondFactorRequired()
                attempt.succeed(work)
                self.check_admitted(work, locked)
                locked.password_hash = renewed or locked.password_hash
                return work.answer(self.let_in(work, command, known, locked, by_code=by_code, proof=proof))
        except WrongCredentials:
            attempt.fail()
            raise

    def check_admitted(self, work: Work, person: Person) -> None:
        """Raises AccountLocked, AgencyFrozen."""
        if person.status == "locked" or is_overdue(work.session, person, work.now, self.inactive_days):
            raise AccountLocked()
        if queries.hold_agency(work.session, person.agency_id).is_frozen:
            raise AgencyFrozen()

    def let_in(
        self, work: Work, command: contract.OpenSession, known: "Known", person: Person, *, by_code: bool, proof: str | None
    ) -> contract.SessionView:
        """A session for somebody whose row is locked."""
        person.last_login_at = work.now
        is_old = domain.has_expired(work.now, set_at=person.password_set_at, limits=known.limits)
        view = add_session(work, command, person, known.limits, may_only_choose=by_code or is_old)
        ended = queries.end_oldest(work.session, work.now, person.id, known.limits)
        is_new = keep_device(work, command, person, self.plumbing.settings)
        new = {"session_id": str(view.id), "by_code": by_code, "second_factor": proof, "ended_sessions": ended}
        where = {"address": command.address, "client": command.client, "is_new_device": is_new}
        work.audit(person.id, agency_id=person.agency_id, on_behalf_of=person.id, new=new | where)
        lacks = not known.has_factor and is_asked_for_factor(work.session, person, known.factor_roles)
        return view.model_copy(update={"second_factor_required": lacks, "is_new_device": is_new})

    def prove_besides(self, command: contract.OpenSession, known: "Known", attempt: TryToLogIn, call: Call) -> str | None:
        """By what the second factor was proved, where there is one. Raises SecondFactorRequired and those of `prove_factor`."""
        if not known.has_factor or known.person is None:
            return None
        attempt.stand()
        return prove_given_factor(call, known.person.id, command.code)

    @serves(contract.RESOLVE_SESSION)
    def resolve_session(self, query: contract.ResolveSession, call: Call) -> contract.Passport:
        with call.reading_rows() as connection:
            opened = queries.find_session(connection, query.token_digest)
        if (
            opened is None
            or opened.status != "active"
            or opened.is_frozen
            or not domain.is_live(
                opened.now,
                opened_at=opened.opened_at,
                used_at=opened.used_at,
                expires_at=opened.expires_at,
                ended_at=opened.ended_at,
                limits=limits_of(opened),
            )
        ):
            raise NotAuthenticated()
        if opened.now - opened.used_at > domain.USED_RESOLUTION:
            with call.noting() as session:
                queries.touch_session(session, opened.id, opened.now)
        return contract.Passport(
            token=self.plumbing.signer.sign(caller_of(opened, grants_of(opened), must_choose=opened.by_code))
        )

    @serves(contract.END_SESSION)
    def end_session(self, command: contract.EndSession, call: Call) -> Nothing:
        session_id = command.session_id or call.caller.session_id
        with call.transaction() as work:
            queries.end_sessions(work.session, work.now, Session.id == session_id, Session.person_id == call.user_id)
            work.audit(call.user_id, new={"ended_session_id": str(session_id)})
            return work.answer(Nothing())


def grants_of(opened: Row[Any]) -> Grants:
    """What a session's passport carries: little before one has chosen a password, or a second factor where it is asked for."""
    if opened.by_code:
        return BEFORE_OWN_PASSWORD
    if lacks_factor(opened):
        return BEFORE_SECOND_FACTOR
    return rights_of(opened)


@dataclass(frozen=True)
class Known:
    """What there is to a name that somebody has typed."""

    now: datetime
    person: Person | None
    device: KnownDevice | None
    """On which he has logged in before."""
    code: OneTimeCode | None
    has_factor: bool
    factor_roles: list[str]
    limits: domain.SessionLimits
    wants_captcha: bool
    """The person's agency does. Who has none is told that his password is wrong: a stranger must not learn where somebody is."""


def look_up(command: contract.OpenSession, call: Call) -> Known:
    """Raises CaptchaRequired where headquarters want one of everybody, whoever it is."""
    with call.reading() as session:
        now, headquarters = business_time(session), queries.find_headquarters_settings(session)
        found = queries.find_credentials(session, command.login)
        device = find_known(session, command, found[0] if found else None, now)
    if headquarters and headquarters.captcha_always and not command.captcha_id:
        raise CaptchaRequired(reason="every log-in takes one")
    if found is None:
        return Known(now, None, None, None, has_factor=False, factor_roles=[], limits=domain.SessionLimits(), wants_captcha=False)
    person, code, factor, own = found
    call.concerns(person.id, person.agency_id)
    limits = limits_by(headquarters, own)
    return Known(
        now,
        person,
        device,
        code,
        is_on(factor),
        factor_roles_by(headquarters, own),
        limits,
        wants_captcha=bool(own and own.captcha_always),
    )


def verify(command: contract.OpenSession, known: Known, attempt: TryToLogIn) -> tuple[Person, bool]:
    """Whose login and secret these are, and whether it is a code. Raises WrongCredentials.

    It takes as long for a login that nobody has and for a disabled user as for a wrong password.
    """
    person = known.person
    if person is None or person.status == "disabled" or (known.wants_captcha and not command.captcha_id):
        is_right(command, None, is_preferred=attempt.is_preferred)
        raise WrongCredentials()
    if known.code and known.now < known.code.expires_at and is_code(command.password, known.code.digest):
        return person, True
    if not is_right(command, person.password_hash, is_preferred=attempt.is_preferred):
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
    if not by_code and (locked.password_hash is None or locked.password_set_at != person.password_set_at):
        raise WrongCredentials()
    return locked


def renewed_hash(command: contract.OpenSession, person: Person, by_code: bool) -> str | None:
    """Of a password that was hashed with other parameters than today's."""
    if by_code or person.password_hash is None or not is_outdated(person.password_hash):
        return None
    return offload(hash_password, command.password)


def add_session(
    work: Work, command: contract.OpenSession, person: Person, limits: domain.SessionLimits, *, may_only_choose: bool
) -> contract.SessionView:
    opened = Session(
        id=new_id(),
        person_id=person.id,
        token_digest=command.token_digest,
        by_code=may_only_choose,
        opened_at=work.now,
        used_at=work.now,
        expires_at=work.now + limits.absolute,
        client=command.client,
        address=command.address,
    )
    work.session.add(opened)
    work.session.flush()
    return session_view(opened)


def session_view(opened: Session) -> contract.SessionView:
    return contract.SessionView(
        id=opened.id, user_id=opened.person_id, expires_at=opened.expires_at, password_change_required=opened.by_code
    )


def is_right(command: contract.OpenSession, password_hash: str | None, *, is_preferred: bool) -> bool:
    """Half of the line is kept for tries with a captcha or on a known device: a flood without any shuts nobody out, whoever its
    log-ins are for."""
    try:
        return offload(matches, command.password, password_hash, share=1 if is_preferred else UNKNOWN)
    except ServiceUnavailable:
        if is_preferred:
            raise
        raise CaptchaRequired(reason=CROWD) from None


def is_code(typed: str, digest: str) -> bool:
    return hmac.compare_digest(hashlib.sha256(typed.encode()).hexdigest(), digest)
