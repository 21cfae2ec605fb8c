"""Messages that are signed instead of sent in a session, as Standard Webhooks 1.0 has it: by whom, how old, and how many."""

import base64
import hmac
import re
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, NamedTuple
from uuid import UUID

from fastapi import Depends, Header, Request

from gateway.caller import Caller, Stranger
from gateway.coalescing import Coalescing
from gateway.limits import RateLimit
from gateway.tokens import SourceSecrets
from services.contracts.errors import QudaoError
from services.contracts.members import SHOW_MEMBER_SOURCE_KEYS, AskMemberSourceKeys

TOLERANCE = 300  # seconds by which a message may be old, and clocks differ
CACHED = 1_024
KEYS = 2  # the present one and the one before
NOBODYS = 0
"""A version of the key that no source ever has."""
SIGNATURES = 5  # in one header, as a sender has several while it changes its secret
ID = re.compile(r"[\x21-\x2d\x2f-\x7e]{1,200}")  # no full stop: it parts id, time and body in what is signed
TIMESTAMP = re.compile(r"[0-9]{1,12}")


class WebhookRefused(QudaoError):
    """The signature is missing, wrong or too old, or there is no such source."""

    status = 401


class Signed(NamedTuple):
    """A message as it came; `id` and `timestamp` are well formed."""

    id: str
    timestamp: str
    body: bytes
    signatures: Sequence[str]

    def expected(self, key: bytes) -> bytes:
        content = f"{self.id}.{self.timestamp}.".encode() + self.body
        return b"v1," + base64.b64encode(hmac.digest(key, content, "sha256"))


class Webhooks:
    """What all senders at one gateway share. A source that is disabled, or whose secret has changed, is felt `max_age` seconds
    later at most."""

    def __init__(self, secrets: SourceSecrets, per_second: float, burst: int, max_age: float) -> None:
        self.secrets = secrets
        self.limit = RateLimit(per_second, burst)
        self._strangers = RateLimit(per_second, burst)
        self._versions: Coalescing[tuple[int, ...]] = Coalescing(max_age, size=CACHED)
        self._signed: OrderedDict[UUID, None] = OrderedDict()
        """Sources that have signed something, the longest ago first."""

    async def check(self, source_id: UUID, signed: Signed, caller: Caller) -> None:
        """Raises WebhookRefused, and TooManyRequests to who has signed: nobody else can use up what a source may send.

        Of sources that have not signed anything yet, all together, as many are asked for as one may send; then TooManyRequests.
        """
        versions = await self._versions.get(str(source_id), lambda: self._ask(source_id, caller))
        # always as many keys, so that the time tells nobody whether there is such a source
        keys = [self.secrets.key(source_id, version) for version in (*versions, NOBODYS, NOBODYS)[:KEYS]]
        if not is_signed(signed, keys):
            raise WebhookRefused()
        self._remember(source_id)
        self.limit.take(source_id, time.monotonic())

    async def _ask(self, source_id: UUID, caller: Caller) -> tuple[int, ...]:
        if source_id not in self._signed:
            self._strangers.take(None, time.monotonic())
        return (await caller.ask(SHOW_MEMBER_SOURCE_KEYS, AskMemberSourceKeys(source_id=source_id))).versions

    def _remember(self, source_id: UUID) -> None:
        self._signed[source_id] = None
        self._signed.move_to_end(source_id)
        if len(self._signed) > CACHED:
            self._signed.popitem(last=False)


def is_signed(signed: Signed, keys: Sequence[bytes]) -> bool:
    """Every signature is compared with every key, also when one has matched already."""
    expected = [signed.expected(key) for key in keys]
    return any([hmac.compare_digest(one, given.encode()) for one in expected for given in signed.signatures])


Id = Annotated[
    str | None,
    Header(alias="Webhook-Id", description="Names the message. Sent again, also with a new time, it is answered alike."),
]
Timestamp = Annotated[str | None, Header(alias="Webhook-Timestamp", description="When it was sent, in seconds since 1970.")]
Signature = Annotated[
    str | None,
    Header(
        alias="Webhook-Signature",
        description="`v1,` and the base64 of HMAC-SHA256 of `id.timestamp.body`; several are parted by blanks.",
    ),
]


async def send_signed(
    request: Request,
    source_id: UUID,
    caller: Stranger,
    webhook_id: Id = None,
    timestamp: Timestamp = None,
    signature: Signature = None,
) -> Caller:
    """Asks under the gateway's passport for the source that has signed; what it calls the message is the key of the command.

    Raises WebhookRefused, TooManyRequests.
    """
    if not ID.fullmatch(webhook_id or "") or not is_timely(timestamp or "", time.time()):
        raise WebhookRefused()
    webhooks = request.app.state.webhooks
    assert isinstance(webhooks, Webhooks)
    signatures = (signature or "").split(" ")[:SIGNATURES]
    await webhooks.check(source_id, Signed(str(webhook_id), str(timestamp), await request.body(), signatures), caller)
    return replace(caller, command_id=f"{source_id}/{webhook_id}")


def is_timely(timestamp: str, now: float) -> bool:
    return bool(TIMESTAMP.fullmatch(timestamp)) and abs(now - int(timestamp)) <= TOLERANCE


Sender = Annotated[Caller, Depends(send_signed)]
