"""The audit of all services."""

from tests.matrix.table import Cell, Row


def small(cell: Cell) -> dict[str, object]:
    """Nothing was done under this id before."""
    return {"reason": "检查", "filter": {"request_id": cell.request_id}}


ROWS = [
    Row("GET /v1/audit", "audit:read", query="?limit=1"),
    Row("POST /v1/audit-exports", "audit:export", body=small, commits=4),
]
