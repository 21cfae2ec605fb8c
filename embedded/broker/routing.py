"""Exchanges: which queues a message goes to."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from embedded.broker.queues import Queue

KINDS: Final = ("direct", "fanout", "topic", "headers")
_REMEMBERED_ROUTES = 10_000


@dataclass(frozen=True, slots=True)
class Binding:
    queue: "Queue"
    key: str
    arguments: dict[str, Any]


@dataclass(slots=True, eq=False)
class Exchange:
    name: str
    kind: str
    durable: bool = True
    auto_delete: bool = False
    internal: bool = False
    bindings: list[Binding] = field(default_factory=list)
    # Routing keys repeat, so topic patterns are matched once for each, until a binding changes.
    _routes: dict[str, list["Queue"]] = field(default_factory=dict)

    def bind(self, binding: Binding) -> None:
        if binding not in self.bindings:
            self.bindings.append(binding)
            self._routes.clear()

    def unbind(self, binding: Binding) -> bool:
        """Whether there was such a binding."""
        if binding not in self.bindings:
            return False
        self.bindings.remove(binding)
        self._routes.clear()
        return True

    def unbind_queue(self, queue: "Queue") -> bool:
        """Whether the queue was bound."""
        kept = [binding for binding in self.bindings if binding.queue is not queue]
        was_bound = len(kept) < len(self.bindings)
        if was_bound:
            self.bindings = kept
            self._routes.clear()
        return was_bound

    def route(self, routing_key: str, headers: dict[str, Any]) -> list["Queue"]:
        """Each queue once, however many of its bindings match."""
        if self.kind == "headers":
            return _once(binding for binding in self.bindings if headers_match(binding.arguments, headers))
        queues = self._routes.get(routing_key)
        if queues is None:
            if len(self._routes) >= _REMEMBERED_ROUTES:
                self._routes.clear()
            queues = self._routes[routing_key] = self._match(routing_key)
        return queues

    def _match(self, routing_key: str) -> list["Queue"]:
        if self.kind == "fanout":
            return _once(self.bindings)
        if self.kind == "direct":
            return _once(binding for binding in self.bindings if binding.key == routing_key)
        return _once(binding for binding in self.bindings if topic_matches(binding.key, routing_key))


def topic_matches(pattern: str, routing_key: str) -> bool:
    """`*` stands for one word, `#` for any number of words.

    Goes through the pattern once and keeps the set of positions in the key that it can have reached, so that a pattern
    of many `#` costs no more than any other.
    """
    words = _words(routing_key)
    reached = {0}
    for part in _words(pattern):
        if part == "#":
            reached = set(range(min(reached), len(words) + 1))
        else:
            reached = {at + 1 for at in reached if at < len(words) and part in ("*", words[at])}
        if not reached:
            return False
    return len(words) in reached


def headers_match(wanted: dict[str, Any], headers: dict[str, Any]) -> bool:
    """`x-match: any` wants one of the bound headers, otherwise all; a bound value of None wants presence only."""
    mode = wanted.get("x-match", "all")
    with_x = mode in ("any-with-x", "all-with-x")
    hits = (
        name in headers and (value is None or headers[name] == value)
        for name, value in wanted.items()
        if name != "x-match" and (with_x or not name.startswith("x-"))
    )
    return any(hits) if mode in ("any", "any-with-x") else all(hits)


def _words(dotted: str) -> list[str]:
    return dotted.split(".") if dotted else []


def _once(bindings: Iterable[Binding]) -> list["Queue"]:
    return list(dict.fromkeys(binding.queue for binding in bindings))
