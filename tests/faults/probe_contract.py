"""What the probe service answers, besides what every service does: operations that take time, fail, and count their runs."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.contracts.base import Command, Event, Nothing, Query, View, command, query
from services.contracts.customers import CustomerView, ShowCustomer

Seconds = Annotated[float, Field(ge=0, le=60)]


class Count(Command):
    """Leaves one effect under this label, `then_fail` none; it takes `seconds` before and `seconds_inside` its transaction."""

    label: str
    seconds: Seconds = 0
    seconds_inside: Seconds = 0
    then_fail: bool = False


class Counted(View):
    """`ticket` is drawn by chance, so that an answer given again can be told from a new one."""

    label: str
    ticket: UUID


class Sleep(Query):
    seconds: Seconds


class Fail(Query):
    """`kind` is the exception's class, `text` what must never be told."""

    kind: str
    text: str


class Say(Command):
    """Emits an event that no queue takes."""

    words: str


class ProbeSpoke(Event, source="rules"):
    words: str


COUNT = command("rules.count", Count, Counted, "customer:create")
SLEEP = query("rules.sleep", Sleep, Nothing, "day:read")
IDLE = query("rules.idle", Nothing, Nothing, "day:read")
FAIL = query("rules.fail", Fail, Nothing, "day:read")
SAY = command("rules.say", Say, Nothing, "customer:create")
ASK = query("rules.ask", ShowCustomer, CustomerView, "customer:read")
