"""By what customers are searched: the words that a search may be part of, and their tokens, by which an index finds them.

A token is a pair of neighbouring characters of a word, three neighbouring figures of a number, the value of something that is
filtered by, or a range in which it lies (`ranges`). So any part of two characters or of three figures is found, and where a part
has more, only those that have all of its tokens are looked at. Names, people, codes and numbers stand apart: by what
somebody may not see he must not search, as that would tell him what it is, bit by bit.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from zlib import crc32

from services.customers.collision.numbers import parse
from services.customers.collision.sounds import sound_of
from services.customers.collision.text import compact
from services.customers.search.ranges import buckets_of

VERSION = 3
"""Of the tokens; a customer whose row is of an older one is made searchable anew. From 2 on people and codes stand apart from
names, from 3 on there are tokens of ranges."""
APART = 2
SHORTEST = 2
SHORTEST_NUMBER = 3
LONGEST = 60
NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?([eE][+-]?[0-9]{1,2})?", re.ASCII)
WORD, DIGITS, FACET, RANGE = "w", "d", "=", "<"
OF_EACH = {WORD: SHORTEST, DIGITS: SHORTEST_NUMBER}
"""Characters of a token."""
OF_FORMS = frozenset({"有限", "限公", "公司", "yx", "xg", "gs"})
"""Pairs of 有限公司 and of its initials, which nearly all have: as tokens they would tell nothing."""


class Known(NamedTuple):
    """What is known of a customer, as it is searched. `numbers` are phones and faxes as they were typed."""

    names: Sequence[str]
    people: Sequence[str] = ()
    numbers: Sequence[str] = ()
    codes: Sequence[str] = ()


class Words(NamedTuple):
    """What a search may be part of. `words` are names."""

    words: list[str]
    people: list[str]
    codes: list[str]
    digits: list[str]


def words_of(known: Known) -> Words:
    """Names and people each with its initials. Numbers by their figures."""
    digits = [digits for digits in map(digits_of, known.numbers) if len(digits) >= SHORTEST_NUMBER]
    codes = list(dict.fromkeys(map(compact, known.codes)))
    return Words(with_initials(known.names), with_initials(known.people), codes, list(dict.fromkeys(digits)))


def with_initials(names: Iterable[str]) -> list[str]:
    plain = list(filter(None, map(compact, names)))
    return list(dict.fromkeys([*plain, *map(initials_of, plain)]))


def initials_of(plain: str) -> str:
    """The first letter of each character's sound: 扬州五环 → yzwh, 3m胶带 → 3mjd."""
    return "".join(part if part.isascii() and not part.isalpha() else part[0] for part in _parts(plain))


def _parts(plain: str) -> Iterator[str]:
    for character in plain:
        yield character if character.isascii() else sound_of(character) or character


def digits_of(number: str) -> str:
    return "".join(character for character in compact(number) if character in "0123456789")


def tokens_of(words: Words, facets: Mapping[str, Any]) -> list[int]:
    of_words = (parts_of(WORD, each) for those in (words.words, words.people, words.codes) for each in those)
    of_digits = (parts_of(DIGITS, each) for each in words.digits)
    return hashed(set[str]().union(*of_words, *of_digits, facets_of(facets), ranges_of(facets)))


def parts_of(kind: str, text: str) -> set[str]:
    """The tokens of a word or a number, or of what is searched in it."""
    size = OF_EACH[kind]
    found = {text[at : at + size] for at in range(len(text) - size + 1)}
    return {f"{kind}{part}" for part in found - OF_FORMS}


def hashed(tokens: Iterable[str]) -> list[int]:
    """As they are stored, in 32 bits with a sign: a third of the text's size. What is found is compared afterwards."""
    return sorted({crc32(token.encode()) - 2**31 for token in tokens})


def facets_of(values: Mapping[str, Any]) -> Iterator[str]:
    """Of each value that is filtered by; of a list of values each."""
    for name, value in values.items():
        for each in value if isinstance(value, list | tuple) else [value]:
            if each is not None:
                yield f"{FACET}{name}:{facet_value(each)}"


def ranges_of(values: Mapping[str, Any]) -> Iterator[str]:
    """Of each number and date those of the ranges in which it lies."""
    return (in_range(name, bucket) for name, value in values.items() for bucket in buckets_of(value))


def in_range(name: str, bucket: str) -> str:
    return f"{RANGE}{name}:{bucket}"


def facet_value(value: Any) -> str:
    """A number and a text that is one are the same here: what is found is compared afterwards."""
    if isinstance(value, bool):
        return "true" if value else "false"
    number = number_of(str(value))
    return f"{number:.15g}" if number is not None else str(value)[:LONGEST]


def number_of(text: str) -> float | None:
    return float(text) if NUMBER.fullmatch(text) else None


class Searched(NamedTuple):
    """A search as it is looked up: `word` in the words, `digits` in the numbers.

    `whole`: the numbers that it is when it is no part of one; without area code, as they are filed for the collision check.
    """

    word: str
    digits: str | None = None
    whole: tuple[str, ...] = ()


def searched(text: str) -> Searched | None:
    """None for what is too short to be looked for."""
    plain = compact(text)[:LONGEST]
    if len(plain) < SHORTEST:
        return None
    digits = digits_of(text)
    if digits != plain or len(digits) < SHORTEST_NUMBER:
        return Searched(plain)
    return Searched(plain, digits, tuple(number.bare for number in parse(text)))
