"""Ranges of numbers and dates, found by equality: as tokens of the buckets in which a value lies, from coarse to fine.

A value's place in the order of its kind is a number of 24 bits, and each of its beginnings, of 4 bits, 8, and so on to all of
them, is a bucket. Any range is covered by few buckets, at most fifteen of each size at either end. At the ends it takes in what
lies in the same finest bucket, so what is found is compared afterwards.
"""

import struct
from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple

from services.customers.catalogue.domain import DATE

BITS, STEP = 24, 4
FIRST, LAST = 0, (1 << BITS) - 1
NUMBER, DAY = "n", "d"


class Place(NamedTuple):
    """Where a value stands among all of its kind."""

    kind: str
    at: int


def place_of(value: Any) -> Place | None:
    """Of a number or a date; None of anything else. Numbers may share one that differ by a four-thousandth of themselves."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Place(NUMBER, _bits_of(value))
    if isinstance(value, str) and DATE.fullmatch(value):
        try:
            return Place(DAY, date.fromisoformat(value).toordinal())
        except ValueError:
            return None
    return None


def _bits_of(value: float) -> int:
    """The first bits of a double, in the order of numbers: those of negative ones are turned round."""
    bits = int.from_bytes(struct.pack(">d", value + 0.0), "big")  # no -0
    in_order = ~bits & (1 << 64) - 1 if bits >> 63 else bits | 1 << 63
    return in_order >> 64 - BITS


def buckets_of(value: Any) -> Iterator[str]:
    """All in which it lies; none of what is neither number nor date."""
    if place := place_of(value):
        kind, bits = place
        yield from (_bucket(kind, length, bits >> BITS - length) for length in range(STEP, BITS + 1, STEP))


def covering(kind: str, first: int, last: int) -> list[str]:
    """The buckets, each as large as may be, in which everything from the first to the last place lies and nothing else."""
    return [_bucket(kind, length, at) for length, at in _parts(first, last)]


def _parts(first: int, last: int) -> Iterator[tuple[int, int]]:
    """From the finest to the coarsest: at either end what does not fill a bucket of the next size."""
    for length in range(BITS, STEP, -STEP):
        while first <= last and first % (1 << STEP):
            yield length, first
            first += 1
        while first <= last and (last + 1) % (1 << STEP):
            yield length, last
            last -= 1
        if first > last:
            return
        first, last = first >> STEP, last >> STEP
    yield from ((STEP, at) for at in range(first, last + 1))


def _bucket(kind: str, length: int, at: int) -> str:
    return f"{kind}{length}:{at:x}"
