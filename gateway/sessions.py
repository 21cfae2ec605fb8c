"""From a bearer token, of a session or of a program, to a passport."""

import logging
import re
from dataclasses import dataclass

from gateway.admission import Gates
from gateway.coalescing import Coalescing
from gateway.rpc import RpcClient
from gateway.tokens import API_TOKEN, digest_of
from services.contracts.api_tokens import RESOLVE_TOKEN, ResolveToken
from services.contracts.errors import NotAuthenticated, ServiceUnavailable
from services.contracts.identity import RESOLVE_SESSION, Passport, ResolveSession
from services.plumbing.passport import Caller, Signer, Verifier

log = logging.getLogger(__name__)

TOKEN = re.compile(rf"(?:{API_TOKEN})?[A-Za-z0-9_-]{{43}}")
CACHED = 4_096


@dataclass(frozen=True)
class Session:
    passport: str
    user: Caller


class Sessions:
    """A revoked session is refused `max_age` seconds later at most. Without identity nobody is let in, known before or not."""

    def __init__(self, rpc: RpcClient, gates: Gates, signer: Signer, verifier: Verifier, max_age: float) -> None:
        self._rpc, self._gates, self._signer, self._verifier = rpc, gates, signer, verifier
        self._known: Coalescing[Session] = Coalescing(max_age, size=CACHED)

    async def resolve(self, token: str | None, request_id: str) -> Session:
        """Raises NotAuthenticated, or ServiceUnavailable when identity does not answer."""
        if token is None or not TOKEN.fullmatch(token):
            raise NotAuthenticated()
        digest = digest_of(token)
        is_programs = len(token) > 43
        return await self._known.get(digest, lambda: self._ask(digest, request_id, is_programs=is_programs))

    def forget(self, token: str) -> None:
        """Called when the session has changed by our own doing, so that this gateway feels it at once."""
        self._known.forget(digest_of(token))

    async def _ask(self, digest: str, request_id: str, *, is_programs: bool) -> Session:
        passport = await (self._ask_for_token if is_programs else self._ask_for_session)(digest, request_id)
        try:
            return Session(passport.token, self._verifier.verify(passport.token))
        except NotAuthenticated:
            log.error("identity's answer does not carry its signature")
            raise ServiceUnavailable(service="identity") from None

    async def _ask_for_session(self, digest: str, request_id: str) -> Passport:
        with self._gates.place(RESOLVE_SESSION):
            message = ResolveSession(token_digest=digest)
            return await self._rpc.call(RESOLVE_SESSION, message, passport=self._signer.own(), request_id=request_id)

    async def _ask_for_token(self, digest: str, request_id: str) -> Passport:
        with self._gates.place(RESOLVE_TOKEN):
            message = ResolveToken(token_digest=digest)
            return await self._rpc.call(RESOLVE_TOKEN, message, passport=self._signer.own(), request_id=request_id)
