"""Against guessing: wrong passwords are counted for all accounts alike, wherever they are given, and several have a price.

An account is never locked by failures, so that a stranger cannot lock somebody out: a solved captcha is always enough to try.
Whichever of his names somebody's password is guessed with, it counts for him; names that nobody has count each for itself.
"""

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy.orm import Session as DatabaseSession

from services.contracts.errors import CaptchaRequired, CurrentPasswordWrong, SessionForfeited
from services.contracts.identity import OpenSession
from services.identity import domain, queries
from services.identity.models import LoginFailures, Person, Session
from services.identity.passwords import matches
from services.plumbing.call import Call
from services.plumbing.clock import business_time
from services.plumbing.offload import offload
from services.plumbing.work import Work

REASON = "too many failures"  # as many of a login that nobody has


class Try:
    """One try to give the password of an account. `refuse` raises what it takes after too many failures."""

    def __init__(self, account: UUID | str, call: Call) -> None:
        self.call = call
        self.login_digest = hmac.digest(call.runtime.hash_key, f"login {account}".encode(), hashlib.sha256).hex()

    def begin(self) -> None:
        """Before the password is looked at."""
        with self.call.reading() as session:
            self.refuse_after_many(session, queries.find_failures(session, self.login_digest))

    def fail(self) -> None:
        """Counts a failure. Refuses when others came first: of many at once no more are told than of few."""
        with self.call.noting() as session:
            known = queries.lock_failures(session, self.login_digest)
            self.refuse_after_many(session, known)
            now = business_time(session)
            if known is None:
                known = LoginFailures(login_digest=self.login_digest, recent=[], in_a_row=0)
                session.add(known)
            known.recent = [*known.recent, now][-domain.FREE_FAILURES :]
            known.in_a_row += 1
            known.last_at = now
            session.flush()
            queries.prune_failures(session, now - domain.FAILURES_KEPT)

    def succeed(self, work: Work) -> None:
        """The failures are forgotten. Refuses as `fail` does: a right password looks like a wrong one then."""
        known = queries.lock_failures(work.session, self.login_digest)
        self.refuse_after_many(work.session, known)
        if known:
            work.session.delete(known)

    def stand(self) -> None:
        """As `succeed` for a password that is right and does not suffice: nothing is forgotten."""
        with self.call.noting() as session:
            self.refuse_after_many(session, queries.lock_failures(session, self.login_digest))

    def refuse_after_many(self, session: DatabaseSession, known: LoginFailures | None) -> None:
        if known and domain.are_many(business_time(session), recent=known.recent, in_a_row=known.in_a_row):
            self.refuse()

    def refuse(self) -> None:
        raise NotImplementedError


class TryToLogIn(Try):
    def __init__(self, command: OpenSession, account: UUID | str, call: Call) -> None:
        super().__init__(account, call)
        self.token_digest, self.captcha_id = command.token_digest, command.captcha_id

    def begin(self) -> None:
        """Raises CaptchaRequired; spends the captcha, whatever comes of the try."""
        if self.captcha_id:
            self.spend_captcha()
        else:
            super().begin()

    def refuse(self) -> None:
        if not self.captcha_id:
            raise CaptchaRequired(reason=REASON)

    def spend_captcha(self) -> None:
        assert self.captcha_id is not None
        with self.call.noting() as session:
            now = business_time(session)
            queries.prune_captchas(session, now - domain.CAPTCHAS_KEPT)
            if queries.put_captcha(session, self.captcha_id, self.token_digest, now) != self.token_digest:
                raise CaptchaRequired(reason="the captcha has been used")


class TryToBeOneself(Try):
    """The current password, given in a session: who guesses there has found it open, and loses it."""

    def refuse(self) -> None:
        raise SessionForfeited()


@contextmanager
def as_oneself(current: str | None, person: Person, call: Call) -> Iterator[TryToBeOneself]:
    """Inside it the caller has given his current password; the transaction there looks again by `lock_proven`.

    Raises CurrentPasswordWrong or SessionForfeited.
    """
    if not current:
        raise CurrentPasswordWrong(detail="Give the current password as `current`.")
    attempt = TryToBeOneself(person.id, call)
    try:
        attempt.begin()
        try:
            if not offload(matches, current, person.password_hash):
                raise CurrentPasswordWrong()
            yield attempt
        except CurrentPasswordWrong:
            attempt.fail()
            raise
    except SessionForfeited:
        with call.noting() as session:
            queries.end_sessions(session, business_time(session), Session.id == call.caller.session_id)
        raise


def lock_proven(work: Work, attempt: TryToBeOneself, person: Person) -> Person:
    """The caller's row, locked. Raises CurrentPasswordWrong when the password was replaced meanwhile: hashing takes its time."""
    locked = queries.lock_person(work.session, person.id)
    if locked is None or locked.password_set_at != person.password_set_at or locked.password_hash is None:
        raise CurrentPasswordWrong()
    attempt.succeed(work)
    return locked
