"""One's own profile and preferences."""

from tests.api import unique
from tests.matrix.table import Cell, Row

NOBODY = "00000000-0000-7000-8000-000000000000"


def oneself(cell: Cell) -> str:
    return cell.world.id_of(cell.me.name) or NOBODY


OF_ONESELF = {"more": {"user_id": oneself}, "turn": "account"}

ROWS = [
    Row("GET /v1/me", "profile:read"),
    Row("PATCH /v1/me", "profile:update", body=lambda cell: {"title": unique("t")}, version="person", **OF_ONESELF),
    Row("GET /v1/me/preferences", "profile:read"),
    Row("PATCH /v1/me/preferences", "profile:update", body={"density": "compact"}, version="preferences", **OF_ONESELF),
]
