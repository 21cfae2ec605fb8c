"""What a row of the table says."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from tests.matrix.model import ABSENT, DENIED, DONE, HIDDEN, NOT_AUTHENTICATED, Person, Rule, Whose, anyhow, by_scope

if TYPE_CHECKING:
    from tests.matrix.world import World

NOBODYS = Whose("", "")
"""Of what asks for no object."""


def slug_of(answer: httpx.Response) -> str:
    """`done`, or the slug of the problem."""
    return DONE if answer.is_success else str(answer.json()["type"]).removeprefix("urn:qudao:problem:")


def slug_of_only_row(answer: httpx.Response) -> str:
    """Of a batch of one."""
    if not answer.is_success:
        return slug_of(answer)
    [row] = answer.json()["rows"]
    return DONE if row["outcome"] == "done" else str(row["problem"])


@dataclass(frozen=True)
class Row:
    """How one address is asked, and what decides about the answer. Several rows may ask one address, as `variant`s.

    `permission` is what it takes, None where it takes no session. `of` is the kind of object that is asked for (`things.KINDS`);
    its ids fill in the path. `rule` says what somebody with the permission is told, by whose the object is. `body` is what a
    permitted caller could send, or makes it for a cell; `query` stands behind the path. `version` names the table whose row's
    version goes into If-Match, or is the version itself. A row that `spends` changes its object, so that each permitted caller
    gets a new one; with `anew` he asks in a new session of his own. Rows of one `turn` are asked one after the other.
    `read` finds the word in the answer.
    """

    route: str
    permission: str | None
    of: str = "nothing"
    rule: Rule | None = None
    body: Any = None
    query: Any = ""
    version: str | int | None = None
    spends: bool = False
    anew: bool = False
    turn: str = ""
    variant: str = ""
    read: Callable[[httpx.Response], str] = slug_of
    commits: int | None = None
    """How many commands a permitted call commits, where it is not one for a write and none for a read."""
    more: dict[str, Any] = field(default_factory=dict)
    """What the path needs besides the object's ids, as values or made for a cell."""

    @property
    def method(self) -> str:
        return self.route.split()[0]

    @property
    def path(self) -> str:
        return self.route.split()[1]

    @property
    def name(self) -> str:
        return f"{self.route} {self.variant}".strip()

    def expected(self, me: Person, whose: Whose) -> str:
        rule = self.rule or (anyhow if self.of == "nothing" else by_scope)
        if self.permission is None:
            return rule(me, whose, "")
        if me.standing == "out":
            return NOT_AUTHENTICATED
        if not me.may(self.permission):
            return "password-change-required" if me.standing == "code" else DENIED
        return rule(me, whose, self.permission)


@dataclass
class Cell:
    """One question: who asks what of whose object, and what he must be told."""

    world: "World"
    row: Row
    me: Person
    whose: Whose
    ids: dict[str, str] = field(default_factory=dict)
    request_id: str = ""
    answer: httpx.Response | None = None

    @property
    def expected(self) -> str:
        return self.row.expected(self.me, self.whose)

    @property
    def told(self) -> str:
        assert self.answer is not None
        told = self.row.read(self.answer)
        return ABSENT if told == HIDDEN and self.expected == ABSENT else told

    def value(self, given: Any) -> Any:
        return given(self) if callable(given) else given

    def __str__(self) -> str:
        return f"{self.me.name}: {self.row.name}{f' of {self.whose.name}' if self.whose.name else ''}"
