"""What the measure's own service answers: the least that a request over the bus can be."""

from services.contracts.base import Query, View, query

SERVICE = "bench"


class Say(Query):
    word: str


class Said(View):
    word: str


ECHO = query(f"{SERVICE}.echo", Say, Said, None)
SELECT = query(f"{SERVICE}.select", Say, Said, None)
