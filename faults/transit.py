"""Bytes under way: what takes its time arrives in order, and once."""

import random
from collections import deque

from faults.weather import AT_ONCE


class Transit:
    """One way at a time, at `pace`. Moments are seconds of the caller's clock; `size` is how many bytes are under way."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.pace = AT_ONCE
        self.size = 0
        self.chunks: deque[tuple[float, memoryview]] = deque()
        self.free_at = 0.0

    @property
    def is_empty(self) -> bool:
        return not self.chunks

    @property
    def due(self) -> float:
        """When the next piece will have arrived; there is one."""
        ready, chunk = self.chunks[0]
        return max(ready, self.free_at) + self.pace.takes(chunk[: self.pace.size])

    def take(self, data: bytes, now: float) -> None:
        self.chunks.append((now + self.pace.lag(self.chance), memoryview(data)))
        self.size += len(data)

    def arrive(self) -> memoryview:
        """The next piece, which is due."""
        self.free_at = self.due
        ready, chunk = self.chunks.popleft()
        piece, rest = chunk[: self.pace.size], chunk[self.pace.size :]
        if rest:
            self.chunks.appendleft((ready, rest))
        self.size -= len(piece)
        return piece

    def empty(self) -> list[memoryview]:
        """All that was under way, at once."""
        chunks = [chunk for _, chunk in self.chunks]
        self.chunks.clear()
        self.size, self.free_at = 0, 0.0
        return chunks
