"""How often somebody may ask: a bucket of tokens for each, of which every request takes one and which fills by itself."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from services.contracts.errors import QudaoError

REMEMBERED = 10_000


class TooManyRequests(QudaoError):
    """You ask more often than we answer: wait a little."""

    status = 429


@dataclass
class Bucket:
    tokens: float
    filled_at: float


class RateLimit:
    """`per_second` in the long run, `burst` at once; `now` is in seconds of a clock that only goes forward.

    A bucket that is full again is forgotten, so only those are kept who have asked within `burst / per_second` seconds, and of
    these at most `REMEMBERED`. Each gateway counts for itself.
    """

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second, self._burst = per_second, burst
        self._buckets: OrderedDict[Hashable, Bucket] = OrderedDict()
        """Of those who have asked, the longest ago first."""

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, who: Hashable, now: float) -> None:
        """Raises TooManyRequests with the time until there is a token; who is refused takes none."""
        self._forget(now)
        bucket = self._buckets.setdefault(who, Bucket(self._burst, now))
        self._buckets.move_to_end(who)
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.filled_at) * self._per_second)
        bucket.filled_at = now
        if bucket.tokens < 1:
            raise TooManyRequests(retry_after=(1 - bucket.tokens) / self._per_second)
        bucket.tokens -= 1

    def give_back(self, who: Hashable) -> None:
        """What was taken and not needed."""
        if bucket := self._buckets.get(who):
            bucket.tokens = min(self._burst, bucket.tokens + 1)

    def _forget(self, now: float) -> None:
        full_again = now - self._burst / self._per_second
        while self._buckets:
            oldest = next(iter(self._buckets.values()))
            if oldest.filled_at > full_again and len(self._buckets) < REMEMBERED:
                break
            self._buckets.popitem(last=False)
