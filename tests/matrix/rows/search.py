"""Finding customers, and saved views."""

from tests.api import unique
from tests.matrix.model import own_alone
from tests.matrix.table import Cell, Row

VIEW = "/v1/saved-views/{view_id}"


def question(cell: Cell) -> dict[str, object]:
    return {"name": unique("v"), "filter": {}}


ROWS = [
    Row("GET /v1/customers", "customer:read"),
    Row("GET /v1/customers", "customer:read", query="?of=visible", variant="visible"),
    Row("GET /v1/customers/count", "customer:read"),
    Row("GET /v1/customers/{customer_id}/neighbours", "customer:read", of="customer"),
    Row("GET /v1/saved-views", "customer:read"),
    Row("POST /v1/saved-views", "customer:read", body=question),
    Row(f"PUT {VIEW}", "customer:read", of="view", rule=own_alone, body=question, version="saved_view", spends=True),
    Row(f"DELETE {VIEW}", "customer:read", of="view", rule=own_alone, spends=True),
]
