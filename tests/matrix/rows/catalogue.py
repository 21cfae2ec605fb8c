"""Dictionaries, custom fields, places, tags."""

from tests.api import unique
from tests.matrix.table import Cell, Row


def new(cell: Cell) -> str:
    return unique("x")


ROWS = [
    Row("GET /v1/dictionaries/{kind}", "catalogue:read", more={"kind": "source"}),
    Row(
        "PUT /v1/dictionaries/{kind}/{code}",
        "catalogue:configure",
        body={"label": "展会"},
        version=0,
        more={"kind": "source", "code": new},
    ),
    Row("GET /v1/custom-fields", "catalogue:read"),
    Row(
        "PUT /v1/custom-fields/{key}",
        "catalogue:configure",
        body={"label": "人数", "kind": "number"},
        version=0,
        more={"key": new},
    ),
    Row("GET /v1/divisions", "catalogue:read"),
    Row("GET /v1/tags", "customer:read"),
]
