"""Tokens of programs."""

from tests.api import PASSWORD, unique
from tests.matrix.model import administer
from tests.matrix.table import Cell, Row


def new_token(cell: Cell) -> dict[str, object]:
    return {"name": unique("t"), "permissions": ["customer:read"], "days": 1, "current": PASSWORD}


ROWS = [
    Row("POST /v1/me/tokens", "token:create", body=new_token),
    Row("GET /v1/me/tokens", "token:read"),
    Row("GET /v1/users/{user_id}/tokens", "token:read", of="account"),
    Row("DELETE /v1/tokens/{token_id}", "token:revoke", of="token", rule=administer, spends=True),
]
