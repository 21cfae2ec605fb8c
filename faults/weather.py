"""What a network may do to the connections of a proxy."""

import random
import sys
from dataclasses import dataclass
from typing import Literal

Direction = Literal["to_client", "to_target"]


@dataclass(frozen=True)
class Pace:
    """How bytes travel, each way: seconds until they arrive, bytes of the largest piece, seconds that it occupies the way."""

    latency: float = 0.0
    jitter: float = 0.0
    size: int = sys.maxsize
    per_piece: float = 0.0
    per_byte: float = 0.0

    def lag(self, chance: random.Random) -> float:
        return max(0.0, self.latency + chance.uniform(-self.jitter, self.jitter))

    def takes(self, piece: memoryview) -> float:
        return self.per_piece + len(piece) * self.per_byte


AT_ONCE = Pace()


@dataclass(frozen=True)
class Weather:
    """What becomes of connections, present and new: the fault that is on, or `FINE`."""

    refuses: bool = False
    resets: bool = False
    halves: bool = False
    connects: bool = True
    deaf: frozenset[Direction] = frozenset()
    pace: Pace = AT_ONCE


FINE = Weather()
