"""Clients that go away before they have their answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request
from starlette.types import Receive

STATUS = 499
"""In log and figures alone: nobody hears it."""


class ClientGone(Exception):
    """The client went away before it had its answer."""


@asynccontextmanager
async def while_heard(request: Request) -> AsyncIterator[None]:
    """Raises ClientGone in the middle of what is done inside, as soon as the client goes away. The body must have been read."""
    try:
        async with asyncio.timeout(None) as hearing:
            watch = asyncio.create_task(_end_when_gone(request.receive, hearing))
            try:
                yield
            finally:
                watch.cancel()
    except TimeoutError:
        if not hearing.expired():
            raise
        raise ClientGone() from None


async def _end_when_gone(receive: Receive, hearing: asyncio.Timeout) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    hearing.reschedule(0)
