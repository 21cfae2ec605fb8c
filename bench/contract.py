"""What the measures ask that no service answers: the least that a request over the bus can be, and a batch of an import."""

from services.contracts.base import Command, Query, View, command, query
from services.contracts.customers import CustomerFields

SERVICE = "bench"


class Say(Query):
    word: str


class Said(View):
    word: str


ECHO = query(f"{SERVICE}.echo", Say, Said, None)
SELECT = query(f"{SERVICE}.select", Say, Said, None)


class EnterMany(Command):
    """What an import asks for, a batch at a time."""

    rows: list[CustomerFields]


class ManyEntered(View):
    created: int


ENTER_MANY = command(f"{SERVICE}.enter_many", EnterMany, ManyEntered, "pool:manage")
