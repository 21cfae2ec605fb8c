"""Companies that earlier rows of a batch have made: not in the database yet, and met by the same keys as if they were."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from services.customers.collision import near_keys
from services.customers.collision.evidence import Known
from services.customers.collision.nearness import is_within
from services.customers.collision.subject import Key, Subject

START = 2
"""Characters of a key by which patterns look for it: none begins with fewer."""


class Earlier:
    """What `find_matches` is in the database."""

    def __init__(self) -> None:
        self._known: list[Known] = []
        self._by_key: dict[tuple[str, str], dict[int, Key]] = defaultdict(dict)
        self._by_start: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
        self._by_near: dict[int, list[int]] = defaultdict(list)

    def add(self, known: Known, subject: Subject) -> None:
        number = len(self._known)
        self._known.append(known)
        for key in subject.keys:
            self._by_key[key.kind, key.key][number] = key
            self._by_start[key.kind, key.key[:START]].append((key.key, number))
        for near in {near for name in known.names for near in near_keys.filed(name)}:
            self._by_near[near].append(number)

    def met_by(self, subject: Subject) -> list[Known]:
        """In the order in which they were added."""
        matched: dict[int, set[Key]] = defaultdict(set)
        for wanted in subject.wanted:
            for number, key in self._by_key.get((wanted.kind, wanted.key), {}).items():
                matched[number].add(key)
        for number in self._coming_near(subject):
            matched.setdefault(number, set())
        return [replace(self._known[number], matched=frozenset(keys)) for number, keys in sorted(matched.items())]

    def _coming_near(self, subject: Subject) -> Iterator[int]:
        for near in subject.near:
            yield from self._by_near.get(near, ())
        for pattern in subject.patterns:
            for key, number in self._by_start.get((pattern.kind, pattern.start[:START]), ()):
                if key.startswith(pattern.start) and is_within(pattern.core, key[len(pattern.start) :]):
                    yield number
        for number, known in enumerate(self._known if subject.fragments else ()):
            if contains(known, subject.fragments):
                yield number


def contains(known: Known, fragments: Iterable[str]) -> bool:
    names: Sequence[str] = [name.normalised for name in known.names]
    return any(fragment in name for fragment in fragments for name in names)
