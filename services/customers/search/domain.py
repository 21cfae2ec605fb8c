"""By what customers are searched: the words that a search may be part of, and their tokens, by which an index finds them.

A token is a pair of neighbouring characters of a word, with the kind of the word, or the value of something that is filtered by.
So any part of two characters or more is found, and where a part has more, only those that have all of its pairs are looked at.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from services.customers.collision.sounds import sound_of
from services.customers.collision.text import compact

VERSION = 1
"""Of the tokens; a customer whose row is of an older one is made searchable anew."""
SHORTEST = 2
SHORTEST_NUMBER = 3
WHOLE_NUMBER = 7
"""Digits from which on a number counts as known to who searches it; a part of one is searched in one's own customers only."""
LONGEST = 60
NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?([eE][+-]?[0-9]{1,2})?", re.ASCII)
NAME, INITIALS, PERSON, DIGITS = "n", "i", "p", "d"


class Words(NamedTuple):
    """What is known of a customer, as it is searched. `numbers` are phones and faxes as they were typed."""

    names: Sequence[str]
    people: Sequence[str] = ()
    numbers: Sequence[str] = ()
    codes: Sequence[str] = ()


def words_of(known: Words) -> list[str]:
    """Each with its kind before it, so that 王 is not found in a name."""
    names = list(dict.fromkeys(filter(None, map(compact, known.names))))
    people = list(dict.fromkeys(filter(None, map(compact, known.people))))
    words = [f"{NAME}:{name}" for name in names]
    words += [f"{INITIALS}:{initials_of(text)}" for text in (*names, *people)]
    words += [f"{PERSON}:{person}" for person in people]
    words += [f"{DIGITS}:{digits}" for digits in dict.fromkeys(map(digits_of, known.numbers)) if len(digits) >= SHORTEST_NUMBER]
    words += [f"{NAME}:{compact(code)}" for code in known.codes]
    return words


def initials_of(plain: str) -> str:
    """The first letter of each character's sound: 扬州五环 → yzwh, 3m胶带 → 3mjd."""
    return "".join(part if part.isascii() and not part.isalpha() else part[0] for part in _parts(plain))


def _parts(plain: str) -> Iterator[str]:
    for character in plain:
        yield character if character.isascii() else sound_of(character) or character


def digits_of(number: str) -> str:
    return "".join(character for character in compact(number) if character in "0123456789")


def tokens_of(words: Iterable[str], facets: Mapping[str, Any]) -> list[str]:
    found = {token for word in words for token in pairs_of(*word.split(":", 1))}
    return sorted(found.union(facets_of(facets)))


def pairs_of(kind: str, word: str) -> set[str]:
    return {f"{kind}{word[at : at + 2]}" for at in range(len(word) - 1)}


def facets_of(values: Mapping[str, Any]) -> Iterator[str]:
    """Of each value that is filtered by; of a list of values each."""
    for name, value in values.items():
        for each in value if isinstance(value, list | tuple) else [value]:
            if each is not None:
                yield f"={name}:{facet_value(each)}"


def facet_value(value: Any) -> str:
    """A number and a text that is one are the same here: what is found is compared afterwards."""
    if isinstance(value, bool):
        return "true" if value else "false"
    number = number_of(str(value))
    return f"{number:.15g}" if number is not None else str(value)[:LONGEST]


def number_of(text: str) -> float | None:
    return float(text) if NUMBER.fullmatch(text) else None


class Searched(NamedTuple):
    """A search as it is looked up: in one of these words each (any of them), by these tokens of each.

    `is_part_of_number`: it may stand for a number that who searches does not know whole.
    """

    words: tuple[tuple[str, str], ...]
    is_part_of_number: bool


def searched(text: str) -> Searched | None:
    """None for what is too short to be looked for."""
    plain = compact(text)[:LONGEST]
    if len(plain) < SHORTEST:
        return None
    kinds = [(NAME, plain), (PERSON, plain)]
    digits = digits_of(text)
    is_number = digits == plain and len(digits) >= SHORTEST_NUMBER
    if is_number:
        kinds.append((DIGITS, digits))
    if plain.isascii():
        kinds.append((INITIALS, plain))
    return Searched(tuple(kinds), is_number and len(digits) < WHOLE_NUMBER)
