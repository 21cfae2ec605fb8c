"""Keys by which names meet that come near each other, see `nearness`: equality alone finds them, in any size of registry.

Each key is of one place, so that only neighbours meet: it is filed under the city of the name (else its province, else none) and
looked up in the city, in its province and without a place. A key that stands for a slip is met either by itself or by the whole
core: deletions meet the core that lacks the character, never each other, or all short brands of a trade would meet.

A key is a number whose order is that of places, then of the first two characters: most of the fifty keys by which a name is
looked up differ behind those, so they stand side by side on a few pages of the index, however large it is.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import combinations
from zlib import crc32

from services.customers.collision.names import IN_ORDER, VERSION, CompanyName
from services.customers.collision.nearness import (
    LONGEST_END,
    SHORT_BRAND,
    SHORTEST,
    SHORTEST_START,
    TELLING_TRADE,
    branch_start,
    goods_of,
    may_have_become,
)
from services.customers.collision.sounds import sound_of
from services.customers.collision.trades import trade_words

LONGEST = 24
"""Characters of a core beyond which slips are not looked for: keys grow with it, and so long a name is met by its other parts."""
CHARACTER, REST = 8, 27
"""Bits of a key for each of the two characters, and for the whole; those of a place's division code are above them, 63 in all."""


@lru_cache(maxsize=1024)
def filed(name: CompanyName, version: int = VERSION) -> frozenset[int]:
    """Under which a name is filed: some four for each character of its core."""
    places = [_place(name)]
    keys = _numbered(places, [*_whole(name), *_own(name), *_shared(name)], name.branch, version)
    return frozenset([*keys, *_numbered(places, _siblings(name), "", version)])


@lru_cache(maxsize=1024)
def wanted(name: CompanyName, version: int = VERSION) -> frozenset[int]:
    """By which others are looked up that are filed by this version."""
    places = _places(name)
    keys = _numbered(places, [*_shared(name), *_lacking(name), *_of_whole(name)], name.branch, version)
    return frozenset([*keys, *_numbered(places, _siblings(name), "", version)])


def _numbered(places: Sequence[str], keys: Iterable[str], branch: str, version: int) -> Iterator[int]:
    """By version 2 and older they lie scattered over the whole index."""
    if version < IN_ORDER:
        yield from (_hashed(f"{place}|{key}|{branch}") for key in keys for place in places)
        return
    above = [int(place or 0) << 2 * CHARACTER + REST for place in places]
    for key in keys:
        within = _within(key, branch)
        yield from (place | within for place in above)


def _within(key: str, branch: str) -> int:
    start = key.index(" ") + 1
    first, second = (ord(character) % (1 << CHARACTER) for character in f"{key[start : start + 2]:\0<2}")
    return (first << CHARACTER | second) << REST | crc32(f"{key}|{branch}".encode()) % (1 << REST)


def _hashed(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


def _place(name: CompanyName) -> str:
    return name.region.city or name.region.province or ""


def _places(name: CompanyName) -> list[str]:
    return list(dict.fromkeys([_place(name), name.region.province or "", ""]))


def _is_regular(name: CompanyName) -> bool:
    return 0 < len(name.core) <= LONGEST


def _whole(name: CompanyName) -> list[str]:
    return [f"core {name.core}"] if _is_regular(name) else []


def _own(name: CompanyName) -> Iterator[str]:
    """What is left of it without some of its characters, to be met by a core that is just that."""
    if _is_regular(name):
        yield from (f"less {rest}" for rest in _rests(name))


def _of_whole(name: CompanyName) -> list[str]:
    """To meet those that are this core with some characters more."""
    return [f"less {name.core}"] if _is_regular(name) else []


def _lacking(name: CompanyName) -> Iterator[str]:
    """To meet those that are this core with some characters fewer."""
    if _is_regular(name):
        yield from (f"core {rest}" for rest in _rests(name))


def _siblings(name: CompanyName) -> list[str]:
    """To meet branches of the same company that begin alike."""
    return [f"branch {branch_start(name.branch)} {name.core}"] if name.branch and _is_regular(name) else []


def _rests(name: CompanyName) -> set[str]:
    """The core without one character, without two neighbours behind the second, without words of its trade, without its end."""
    core = name.core
    rests = {core[:at] + core[at + 1 :] for at in range(len(core)) if len(core) > SHORTEST}
    rests |= {core[:at] + core[at + 2 :] for at in range(2, len(core) - 1) if len(core) > SHORTEST + 2}
    rests |= {core[:end] for end in range(max(SHORTEST_START, len(core) - LONGEST_END), len(core))}
    rests |= {name.brand + trade for trade in _lesser_trades(name)}
    if may_have_become(name):
        rests.add(name.trade)
    return rests - {"", name.brand, core}


def _lesser_trades(name: CompanyName) -> Iterator[str]:
    """Its trade without some words beside each other, or nothing but those; without two characters, as words are made of words.

    Without a brand the goods are shared instead.
    """
    if not name.brand:
        return
    yield from (name.trade[:at] + name.trade[at + 2 :] for at in range(len(name.trade) - 1))
    words = trade_words(name.trade, VERSION)
    for start, end in combinations(range(len(words) + 1), 2):
        yield "".join(words[start:end])
        yield "".join(words[:start] + words[end:])


def _shared(name: CompanyName) -> Iterator[str]:
    """To meet each other: the same sound, the same goods, the same characters in any order, one character exchanged."""
    if not _is_regular(name):
        return
    core = name.core
    yield f"sound {sound_of(core)}"
    if not name.brand and (goods := goods_of(name)):
        yield f"goods {goods}"
    if len(core) < SHORTEST:
        return
    yield f"order {''.join(sorted(core))}"
    start = len(name.brand) if len(name.brand) <= SHORT_BRAND and len(name.trade) < TELLING_TRADE else 0
    for at in range(start, len(core)):
        yield f"but {core[:at]}?{core[at + 1 :]}"
