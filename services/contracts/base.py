"""The kinds of messages, and the registry of operations and events.

Commands refuse unknown fields: a field that would be ignored silently is a lost wish of the caller.
Events, views and answers tolerate them, so that a newer sender does not break an older reader.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Generic, TypeVar
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from services.contracts.permissions import Permission


class Message(BaseModel):
    """Whatever crosses the bus."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Command(Message):
    """Asks for a change; named in the imperative."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Query(Message):
    """Asks for an answer without a change."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class View(Message):
    """What a query answers; named as a noun."""


Item = TypeVar("Item", bound=Message)


class Page(View, Generic[Item]):
    """A part of a list; `next_cursor` is absent on the last one."""

    items: list[Item]
    next_cursor: str | None = None


class PageQuery(Query):
    """What every list takes."""

    cursor: Annotated[str, StringConstraints(max_length=1_200)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class Nothing(View):
    """The answer of an operation that only has to have happened."""


@dataclass(frozen=True)
class Sensitive:
    """Marks a field that may stand in no log, audit row or error."""


@dataclass(frozen=True)
class Personal:
    """Marks who or how somebody is reached, shown only in part to logs and audit."""


def refuse_control_characters(text: str) -> str:
    """NUL cannot be stored by PostgreSQL, the other control characters forge log lines."""
    if any((ord(c) < 32 and c not in "\n\t") or ord(c) == 127 for c in text):
        raise ValueError("must not contain control characters")
    return text


def refuse_the_invisible(text: str) -> str:
    """Names that look alike must be alike: zero-width and direction marks make twins that nobody can tell apart."""
    if any(unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") for c in text):
        raise ValueError("must not contain invisible characters")
    return text


Moment = Annotated[
    AwareDatetime,
    Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC)),
    AfterValidator(lambda moment: moment.astimezone(UTC)),
]
"""A point in time with its zone, kept in UTC."""

Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(refuse_the_invisible)
]
Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000), AfterValidator(refuse_control_characters)
]
Phone = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=3, max_length=40), AfterValidator(refuse_the_invisible), Personal()
]
ContactPerson = Annotated[Line, Personal()]
Password = Annotated[str, StringConstraints(min_length=1, max_length=200), Sensitive()]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$"), Sensitive()]


In = TypeVar("In", bound=Message)
Out = TypeVar("Out", bound=Message)


@dataclass(frozen=True)
class Operation(Generic[In, Out]):
    """One RPC method: who answers, what goes in, what comes out, what the caller must be permitted.

    A service does not start while one of its operations has no permission.
    `changes` says whether it is a command, which is idempotent by its command id, or a query.
    """

    service: str
    name: str
    request: type[In]
    answer: type[Out]
    permission: Permission | None
    changes: bool

    @property
    def route(self) -> str:
        """The routing key on nameko's exchange."""
        return f"{self.service}.{self.name}"


def command(route: str, request: type[In], answer: type[Out], permission: Permission | None) -> Operation[In, Out]:
    service, name = route.split(".")
    return Operation(service, name, request, answer, permission, changes=True)


def query(route: str, request: type[In], answer: type[Out], permission: Permission | None) -> Operation[In, Out]:
    service, name = route.split(".")
    return Operation(service, name, request, answer, permission, changes=False)


class Event(Message):
    """Something that happened; named in the past. `class X(Event, source="customers")` registers it."""

    event_source: ClassVar[str]
    event_name: ClassVar[str]
    registry: ClassVar[dict[tuple[str, str], type["Event"]]] = {}

    def __init_subclass__(cls, source: str = "", **options: Any) -> None:
        super().__init_subclass__(**options)
        if source:
            cls.event_source = source
            cls.event_name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
            Event.registry[(source, cls.event_name)] = cls


class Envelope(Message):
    """An event on its way: who caused it, when, about which aggregate in which version, and its place in the producer's order.

    `position` counts from 1 without gaps per producer, `version` from 1 per aggregate; times are UTC.
    """

    id: UUID
    source: str
    name: str
    position: Annotated[int, Field(ge=1, lt=2**63)]
    aggregate_id: UUID
    version: Annotated[int, Field(ge=1, lt=2**31)]
    agency_id: UUID
    actor: str
    request_id: str
    occurred_at: Moment
    data: dict[str, Any]

    def event(self) -> Event:
        """The event itself. Raises KeyError for a name that this reader does not know, ValidationError for wrong data."""
        return Event.registry[(self.source, self.name)].model_validate(self.data)


class EventsAfter(Query):
    """Every event of the producer after a position, in its order; at most `limit`."""

    position: int
    limit: Annotated[int, Field(ge=1, le=1000)] = 500


class Envelopes(View):
    events: list[Envelope]


class Health(View):
    """`skew_seconds` is how far this process's clock is ahead of its database's."""

    service: str
    skew_seconds: float


SERVICES = ("identity", "customers", "activities", "rules")


def events_after(service: str) -> Operation[EventsAfter, Envelopes]:
    """The operation by which a consumer asks `service` for what the broker may have lost."""
    return query(f"{service}.events_after", EventsAfter, Envelopes, "event:read")


def health(service: str) -> Operation[Nothing, Health]:
    """The operation behind the gateway's readiness: it goes through broker and database."""
    return query(f"{service}.health", Nothing, Health, "health:read")
