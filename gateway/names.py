"""Whether a name is taken is told across agencies, as no two people log in by the same one. So that nobody finds out by it who
works elsewhere, who has heard it often waits before he may ask again."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from gateway.limits import RateLimit
from services.contracts.errors import LoginTaken


@dataclass
class Asked:
    """What somebody has heard."""

    is_taken: bool = False


class TakenNames:
    def __init__(self, limit: RateLimit) -> None:
        self._limit = limit

    @contextmanager
    def asking(self, user_id: UUID) -> Iterator[Asked]:
        """Around what may say that a name is taken, which alone is counted. Raises TooManyRequests."""
        self._limit.take(user_id, time.monotonic())
        asked = Asked()
        try:
            yield asked
        except LoginTaken:
            asked.is_taken = True
            raise
        finally:
            if not asked.is_taken:
                self._limit.give_back(user_id)
