"""Keys by which names meet that come near each other, see `nearness`: equality alone finds them, in any size of registry.

Each key is of one place, so that only neighbours meet: it is filed under the city of the name (else its province, else none) and
looked up in the city, in its province and without a place. A key that stands for a slip is met either by itself or by the whole
core: deletions meet the core that lacks the character, never each other, or all short brands of a trade would meet.
"""

import hashlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import combinations

from services.customers.collision.names import VERSION, CompanyName
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


@lru_cache(maxsize=1024)
def filed(name: CompanyName) -> frozenset[int]:
    """Under which a name is filed: some four for each character of its core, 64 bits each."""
    keys = _hashed(_place(name), [*_whole(name), *_own(name), *_shared(name)], name.branch)
    return frozenset([*keys, *_hashed(_place(name), _siblings(name), "")])


@lru_cache(maxsize=1024)
def wanted(name: CompanyName) -> frozenset[int]:
    """By which others are looked up."""
    keys = [*_shared(name), *_lacking(name), *_of_whole(name)]
    siblings = _siblings(name)
    return frozenset(
        key for place in _places(name) for key in (*_hashed(place, keys, name.branch), *_hashed(place, siblings, ""))
    )


def _hashed(place: str, keys: Iterable[str], branch: str) -> Iterator[int]:
    for key in keys:
        digest = hashlib.blake2b(f"{place}|{key}|{branch}".encode(), digest_size=8).digest()
        yield int.from_bytes(digest, "big", signed=True)


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
