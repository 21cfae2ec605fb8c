"""Against guessing: wrong passwords are counted for all accounts alike, wherever they are given, and several have a price.

An account is never locked by failures, so that a stranger cannot lock somebody out: what is tried on a device on which its owner
has logged in before is counted for that device, and waits for no other failures than its own. All else is counted together,
takes a captcha after some failures and waits ever longer after more. Whichever of his names somebody's password is guessed with,
it counts for him; names that nobody has count each for itself.
"""

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from sqlalchemy.orm import Session as DatabaseSession

from services.contracts.errors import CaptchaRequired, CurrentPasswordWrong, SessionForfeited, TooManyFailures
from services.contracts.identity import OpenSession
from services.identity import domain, queries
from services.identity.models import KnownDevice, LoginFailures, Person, Session
from services.identity.passwords import matches
from services.plumbing.call import Call
from services.plumbing.clock import business_time
from services.plumbing.offload import offload
from services.plumbing.work import Work

REASON = "too many failures"  # as many of a login that nobody has


class Try:
    """One try to give a password. `refuse_after` raises what one more takes after some failures."""

    def __init__(self, counted_for: UUID | str, call: Call) -> None:
        self.call = call
        self.login_digest = hmac.digest(call.runtime.hash_key, f"login {counted_for}".encode(), hashlib.sha256).hex()

    def begin(self) -> None:
        """Before the password is looked at."""
        with self.call.reading() as session:
            self.check(session, queries.find_failures(session, self.login_digest))

    def fail(self) -> None:
        """Counts a failure. Refuses when others came first: of many at once no more are told than of few."""
        with self.call.noting() as session:
            known = queries.lock_failures(session, self.login_digest)
            in_a_row, now = self.check(session, known), business_time(session)
            if known is None:
                known = LoginFailures(login_digest=self.login_digest)
                session.add(known)
            known.in_a_row, known.last_at = in_a_row + 1, now
            session.flush()
            queries.prune_failures(session, now)

    def succeed(self, work: Work) -> None:
        """The failures are forgotten. Refuses as `fail` does: a right password looks like a wrong one then."""
        known = queries.lock_failures(work.session, self.login_digest)
        self.check(work.session, known)
        if known:
            work.session.delete(known)

    def stand(self) -> None:
        """As `succeed` for a password that is right and does not suffice: nothing is forgotten."""
        with self.call.noting() as session:
            self.check(session, queries.lock_failures(session, self.login_digest))

    def check(self, session: DatabaseSession, known: LoginFailures | None) -> int:
        """How many failures in a row there are, unless `refuse_after` raises."""
        now = business_time(session)
        if known is None or domain.are_forgotten(now, in_a_row=known.in_a_row, last_at=known.last_at):
            return 0
        since = max(now - known.last_at, timedelta())  # a clock that was set back makes nobody wait longer
        self.refuse_after(known.in_a_row, since)
        return known.in_a_row

    def refuse_after(self, in_a_row: int, since: timedelta) -> None:
        raise NotImplementedError


class TryToLogIn(Try):
    """Counted for the device if its owner has logged in on it before, else for the person, or for the name that nobody has."""

    def __init__(self, command: OpenSession, person: Person | None, device: KnownDevice | None, call: Call) -> None:
        super().__init__(f"device {device.token_digest}" if device else person.id if person else command.login, call)
        self.token_digest, self.captcha_id = command.token_digest, command.captcha_id
        self.longest = timedelta(seconds=call.runtime.settings.log_in_wait)
        self.is_preferred = bool(device or command.captcha_id)

    def begin(self) -> None:
        """Raises CaptchaRequired or TooManyFailures; a captcha is spent unless the try has to wait, whatever comes of it."""
        super().begin()
        if self.captcha_id:
            self.spend_captcha(self.captcha_id)

    def refuse_after(self, in_a_row: int, since: timedelta) -> None:
        left = domain.wait_after(in_a_row, longest=self.longest) - since
        if left > timedelta():
            raise TooManyFailures(retry_after=left.total_seconds())
        if domain.are_many(in_a_row) and not self.captcha_id:
            raise CaptchaRequired(reason=REASON)

    def spend_captcha(self, captcha_id: UUID) -> None:
        with self.call.noting() as session:
            now = business_time(session)
            queries.prune_captchas(session, now - domain.CAPTCHAS_KEPT)
            if queries.put_captcha(session, captcha_id, self.token_digest, now) != self.token_digest:
                raise CaptchaRequired(reason="the captcha has been used")


def forget_failures(work: Work, call: Call, person: Person) -> None:
    """For somebody who gets a code in the place of a password: whatever was guessed before, it was not that."""
    known = queries.lock_failures(work.session, Try(person.id, call).login_digest)
    if known:
        work.session.delete(known)


class TryToBeOneself(Try):
    """The current password, given in a session: who guesses there has found it open, and loses it. Counted for this session, so
    that failed log-ins of strangers cost nobody his."""

    def refuse_after(self, in_a_row: int, since: timedelta) -> None:
        if domain.are_many(in_a_row):
            raise SessionForfeited()


@contextmanager
def as_oneself(current: str | None, person: Person, call: Call) -> Iterator[TryToBeOneself]:
    """Inside it the caller has given his current password; the transaction there looks again by `lock_proven`.

    Raises CurrentPasswordWrong or SessionForfeited.
    """
    if not current:
        raise CurrentPasswordWrong(detail="Give the current password as `current`.")
    attempt = TryToBeOneself(f"session {call.caller.session_id}", call)
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
