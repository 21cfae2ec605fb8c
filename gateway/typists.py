"""Questions asked at every key stroke: only so many of a user, the newest of an input, while he hears it, and soon or never."""

import time
from dataclasses import dataclass, replace
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request

from gateway.caller import Caller, Reader
from gateway.disconnects import while_heard
from gateway.limits import RateLimit
from gateway.superseding import Superseding
from gateway.tokens import digest_of
from services.contracts.base import Message, Operation

In = TypeVar("In", bound=Message)
Out = TypeVar("Out", bound=Message)


class Typing:
    """What all who type at one gateway share; `timeout` in seconds."""

    def __init__(self, per_second: float, burst: int, timeout: float) -> None:
        self.limit = RateLimit(per_second, burst)
        self.superseding = Superseding()
        self.timeout = timeout


@dataclass(frozen=True)
class TypingCaller:
    """Somebody who types, and where: his session and what he calls the input there."""

    caller: Caller
    request: Request
    superseding: Superseding
    input: tuple[str, str | None]

    async def ask(self, operation: Operation[In, Out], message: In) -> Out:
        """As `Caller.ask`. Raises besides Superseded, and ClientGone; the answer of the service is then dropped."""
        async with while_heard(self.request), self.superseding.turn(self.input):
            return await self.caller.ask(operation, message)


TypingId = Annotated[
    str | None,
    Header(
        alias="Typing-Id",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="Tells windows of one session apart, so that none ends what another one asks.",
        examples=["window-1"],
    ),
]


async def read_as_typist(request: Request, caller: Reader, typing_id: TypingId = None) -> TypingCaller:
    """Asks under the user's passport. Raises TooManyRequests."""
    typing = request.app.state.typing
    assert isinstance(typing, Typing)
    typing.limit.take(caller.user_id, time.monotonic())
    hurried = replace(caller, deadline=min(caller.deadline, time.time() + typing.timeout))
    return TypingCaller(hurried, request, typing.superseding, (digest_of(caller.token or ""), typing_id))


Typist = Annotated[TypingCaller, Depends(read_as_typist)]
