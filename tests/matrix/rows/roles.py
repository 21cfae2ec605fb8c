"""Roles."""

from tests.api import unique
from tests.matrix.model import by_agency, change_role, make_head, show_role
from tests.matrix.table import Cell, Row

ROLE = "/v1/roles/{role_id}"


def new_role(cell: Cell, permission: str = "customer:read", scope: str = "own") -> dict[str, object]:
    grants = [{"permission": permission, "scope": scope}]
    return {"name": unique("岗"), "agency_id": cell.ids["agency_id"], "grants": grants}


ROWS = [
    Row("GET /v1/roles", "role:read"),
    Row("POST /v1/roles", "role:manage", of="agency", rule=by_agency, body=new_role),
    Row(
        "POST /v1/roles",
        "role:manage",
        of="agency",
        rule=make_head,
        body=lambda cell: new_role(cell, "agency:create", "all"),
        variant="that counts on all agencies",
    ),
    Row(f"GET {ROLE}", "role:read", of="role", rule=show_role),
    Row(
        f"PATCH {ROLE}",
        "role:manage",
        of="role",
        rule=change_role,
        body=lambda cell: {"duties": unique("d")},
        version="role",
        spends=True,
    ),
    Row(f"POST {ROLE}/archive", "role:manage", of="role", rule=change_role, spends=True),
]
