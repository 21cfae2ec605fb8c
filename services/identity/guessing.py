"""Against guessing: wrong passwords are counted for every login alike, wherever they are given, and several of them have a price.

A login is never locked by failures, so that a stranger cannot lock somebody out: a solved captcha is always enough to try.
"""

import hashlib
import hmac

from sqlalchemy.orm import Session as DatabaseSession

from services.contracts.errors import CaptchaRequired, SessionForfeited
from services.contracts.identity import OpenSession
from services.identity import domain, queries
from services.identity.models import LoginFailures
from services.plumbing.call import Call
from services.plumbing.clock import business_time
from services.plumbing.work import Work

REASON = "too many failures"  # as many of a login that nobody has


class Try:
    """One try to give the password of a login. `refuse` raises what it takes after too many failures."""

    def __init__(self, login: str, call: Call) -> None:
        self.call = call
        self.login_digest = hmac.digest(call.runtime.hash_key, f"login {login}".encode(), hashlib.sha256).hex()

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

    def refuse_after_many(self, session: DatabaseSession, known: LoginFailures | None) -> None:
        if known and domain.are_many(business_time(session), recent=known.recent, in_a_row=known.in_a_row):
            self.refuse()

    def refuse(self) -> None:
        raise NotImplementedError


class TryToLogIn(Try):
    def __init__(self, command: OpenSession, call: Call) -> None:
        super().__init__(command.login, call)
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
