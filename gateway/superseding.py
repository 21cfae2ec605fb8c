"""Of somebody who types only the newest question is worth an answer: it ends the one before, wherever that stands."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from services.contracts.errors import QudaoError


class Superseded(QudaoError):
    """A newer question of the same input has taken the place of this one."""

    status = 409


class Superseding:
    """The questions in work, one for each input at most."""

    def __init__(self) -> None:
        self._in_work: dict[Hashable, asyncio.Timeout] = {}

    def __len__(self) -> int:
        return len(self._in_work)

    @asynccontextmanager
    async def turn(self, of: Hashable) -> AsyncIterator[None]:
        """Raises Superseded in the middle of what is done inside, as soon as the next turn of the same input begins."""
        try:
            async with asyncio.timeout(None) as turn:
                if older := self._in_work.get(of):
                    older.reschedule(0)
                self._in_work[of] = turn
                try:
                    yield
                finally:
                    if self._in_work.get(of) is turn:
                        del self._in_work[of]
        except TimeoutError:
            if not turn.expired():
                raise
            raise Superseded() from None
