"""Fields that only their own commands change: sent along with any other write they are refused, and nothing of it is done."""

import uuid
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from fastapi.routing import APIRoute
from pydantic import BaseModel

from tests.matrix.asking import headers
from tests.matrix.model import DONE
from tests.matrix.rows import ROWS
from tests.matrix.table import Cell
from tests.matrix.things import KINDS
from tests.matrix.world import CALLERS, World

SOMEBODY = "00000000-0000-7000-8000-000000000000"
PROTECTED: dict[str, Any] = {
    "agency_id": SOMEBODY,
    "created_at": "2026-01-01T00:00:00Z",
    "entered_by": SOMEBODY,
    "grants": {"policy:set": "all"},
    "id": SOMEBODY,
    "owner_id": SOMEBODY,
    "permissions": ["policy:set"],
    "role": "subsystem_admin",
    "roles": ["subsystem_admin"],
    "scope": "all",
    "status": "active",
    "version": 7,
}


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models_in(part)


def declared(route: APIRoute) -> set[str]:
    """What the body of a route may carry: where it takes one of these, that is its command."""
    if route.body_field is None:
        return set()
    return {name for model in models_in(route.body_field.field_info.annotation) for name in model.model_fields}


def permitted(world: World) -> list[Cell]:
    """For each row that writes somebody who may, and something on which he may, or at least somebody who is known."""
    found: dict[str, Cell] = {}
    for row in ROWS:
        if row.method == "GET" or row.permission is None:
            continue
        cells = [
            Cell(world, row, me, whose)
            for me in CALLERS.values()
            if me.standing == "in" and me.may(row.permission)
            for whose in KINDS[row.of].places(me)
        ]
        found[row.name] = next((cell for cell in cells if cell.expected == DONE), cells[0])
    return list(found.values())


def share(cells: Iterable[Cell]) -> None:
    """Makes what they ask for: nothing of it will be spent."""
    for cell in cells:
        cell.ids = cell.world.ids(KINDS[cell.row.of], cell.whose)
        cell.ids = cell.ids | {name: cell.value(value) for name, value in cell.row.more.items()}


def taken(cell: Cell, field: str) -> str | None:
    """What the answer was to a write with a field that it does not have, unless it was refused because of that field."""
    cell.request_id = uuid.uuid4().hex
    body = {**(cell.value(cell.row.body) or {}), field: PROTECTED[field]}
    path = cell.row.path.format(**cell.ids)
    answer = cell.world.client(cell.me).request(cell.row.method, path, body, **headers(cell))
    if answer.status_code == 422:
        pointers = [error["pointer"] for error in answer.json().get("errors", [])]
        if any(pointer.endswith(f"/{field}") for pointer in pointers):
            return None
    return f"{cell} with {field}: {answer.status_code} {answer.text[:200]}"
