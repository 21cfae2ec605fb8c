"""The second factor: enrolled by its owner, asked for at log-ins, reset by an administrator."""

import base64
import hashlib
import hmac
from datetime import datetime
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP
from sqlalchemy.orm import Session as DatabaseSession

from services.contracts import factors as contract
from services.contracts.base import Nothing
from services.contracts.errors import (
    NoSecondFactor,
    SecondFactorRequired,
    SecondFactorUsed,
    SecondFactorWrong,
    TooManyCodes,
)
from services.identity import domain, queries
from services.identity.access import found, lock_administered
from services.identity.guessing import as_oneself, lock_proven
from services.identity.models import RecoveryCode, SecondFactor, Session
from services.plumbing.call import Call
from services.plumbing.clock import business_time
from services.plumbing.rpc import serves
from services.plumbing.service import Service

FIGURES = 6


class Factors(Service):
    @serves(contract.SHOW_FACTOR)
    def show_factor(self, query: Nothing, call: Call) -> contract.FactorView:
        with call.reading() as session:
            return factor_view(session, queries.find_factor(session, call.user_id))

    @serves(contract.ENROL_FACTOR)
    def enrol_factor(self, command: contract.EnrolFactor, call: Call) -> contract.FactorView:
        call.answer_again()
        with call.reading() as session:
            person = found(queries.find_person(session, call.user_id))
        with as_oneself(command.current, person, call) as attempt, call.transaction() as work:
            lock_proven(work, attempt, person)
            kept = queries.find_factor(work.session, person.id)
            if kept is None:
                kept = SecondFactor(person_id=person.id, last_step=0, failures=[])
                work.session.add(kept)
            elif is_on(kept):
                raise SecondFactorUsed()
            kept.secret = seal_of(call).encrypt(command.secret.encode()).decode()
            work.audit(person.id, new={"second_factor": "enrolled"})
            return work.answer(factor_view(work.session, None))

    @serves(contract.CONFIRM_FACTOR)
    def confirm_factor(self, command: contract.ConfirmFactor, call: Call) -> contract.FactorView:
        call.answer_again()
        prove_factor(call, call.user_id, command.code, is_confirmed=False)
        with call.transaction() as work:
            found(queries.lock_person(work.session, call.user_id))
            factor = queries.find_factor(work.session, call.user_id)
            if factor is None:
                raise NoSecondFactor()
            if is_on(factor):
                raise SecondFactorUsed()
            factor.confirmed_at = work.now
            for digest in command.code_digests:
                work.session.add(RecoveryCode(person_id=factor.person_id, digest=digest))
            work.session.flush()
            work.audit(factor.person_id, new={"second_factor": "on"})
            return work.answer(factor_view(work.session, factor))

    @serves(contract.DISABLE_FACTOR)
    def disable_factor(self, command: contract.DisableFactor, call: Call) -> contract.FactorView:
        call.answer_again()
        with call.reading() as session:
            person = found(queries.find_person(session, call.user_id))
        with as_oneself(command.current, person, call) as attempt:
            prove_factor(call, person.id, command.code)
            with call.transaction() as work:
                lock_proven(work, attempt, person)
                queries.drop_factor(work.session, person.id)
                work.audit(person.id, new={"second_factor": "off"})
                return work.answer(factor_view(work.session, None))

    @serves(contract.RESET_FACTOR)
    def reset_factor(self, command: contract.ResetFactor, call: Call) -> Nothing:
        domain.check_not_oneself(call.user_id, command.user_id)
        with call.transaction() as work:
            person = lock_administered(work, call, command.user_id)
            queries.drop_factor(work.session, person.id)
            queries.end_sessions(work.session, work.now, Session.person_id == person.id)
            work.audit(person.id, agency_id=person.agency_id, new={"second_factor": "reset"})
            return work.answer(Nothing())


def is_on(factor: SecondFactor | None) -> bool:
    return factor is not None and factor.confirmed_at is not None


def factor_view(session: DatabaseSession, factor: SecondFactor | None) -> contract.FactorView:
    if factor is None or factor.confirmed_at is None:
        return contract.FactorView(is_on=False)
    left = queries.count_recovery_codes(session, factor.person_id)
    return contract.FactorView(is_on=True, confirmed_at=factor.confirmed_at, recovery_codes_left=left)


def prove_factor(call: Call, person_id: UUID, typed: str, *, is_confirmed: bool = True) -> str:
    """Counts a code; "code" or "recovery code", whichever it was. Raises NoSecondFactor, SecondFactorWrong or TooManyCodes.

    In a transaction of its own, before that of the command: of many guesses at once each finds those before it counted, and a
    code that was right once is spent whatever becomes of the rest.
    """
    with call.noting() as session:
        factor = queries.lock_factor(session, person_id)
        if factor is None or is_on(factor) is not is_confirmed:
            raise NoSecondFactor()
        now = business_time(session)
        if domain.are_many_codes(now, factor.failures):
            raise TooManyCodes(retry_after=(min(factor.failures) + domain.FAILURES_WINDOW - now).total_seconds())
        step = step_of(unsealed(call, factor), typed, now)
        proof = "code" if step is not None and step > factor.last_step else None
        if proof and step is not None:
            factor.last_step = step
        elif is_confirmed and queries.spend_recovery_code(session, person_id, recovery_digest(typed), now):
            proof = "recovery code"
        factor.failures = [] if proof else domain.with_failure(now, factor.failures)
    if proof is None:
        raise SecondFactorWrong()
    return proof


def prove_given_factor(call: Call, person_id: UUID, typed: str | None) -> str:
    """As `prove_factor`; raises SecondFactorRequired when no code was given."""
    if typed is None:
        raise SecondFactorRequired()
    return prove_factor(call, person_id, typed)


def step_of(secret: bytes | None, typed: str, now: datetime) -> int | None:
    """The time step whose code this is. Every one is compared, so that the time tells nothing."""
    if secret is None or not typed.isascii():
        return None
    codes = HOTP(secret, FIGURES, SHA1())
    steps = [step for step in domain.steps_around(now) if hmac.compare_digest(codes.generate(step), typed.encode())]
    return max(steps, default=None)


def recovery_digest(typed: str) -> str:
    """As the gateway makes it: capitals or not, with hyphens or without."""
    return hashlib.sha256(typed.upper().replace("-", "").encode()).hexdigest()


def seal_of(call: Call) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hmac.digest(call.runtime.hash_key, b"second factors", hashlib.sha256)))


def unsealed(call: Call, factor: SecondFactor) -> bytes | None:
    """None once the service has another key: then recovery codes alone are taken."""
    try:
        return base64.b32decode(seal_of(call).decrypt(factor.secret.encode()))
    except InvalidToken:
        return None
