"""The registry, and who holds what."""

from tests.api import company, unique
from tests.matrix.model import by_scope, claim, edit, held, in_pool, open_up, take_back
from tests.matrix.table import Cell, Row, slug_of_only_row

CUSTOMER = "/v1/customers/{customer_id}"
REASON = {"reason": "no_need"}


def new_company(cell: Cell) -> dict[str, str]:
    return {"name": company()}


def to_colleague(cell: Cell) -> dict[str, str]:
    return {"to": cell.world.id_of("companion")}


def to_spare_pool(cell: Cell) -> dict[str, str]:
    """Of the customer's agency."""
    return {"pool_id": cell.world.pool(cell.whose.agency, "open")}


def one(action: str, more: object = None) -> object:
    def body(cell: Cell) -> dict[str, object]:
        return {"action": action, "ids": [cell.ids["customer_id"]], **(cell.value(more) or {})}

    return body


BATCH = "POST /v1/customers/batch"
ROW_OF_BATCH = {"of": "customer", "spends": True, "read": slug_of_only_row, "commits": 3}
"""What a batch commits: that it was opened, its row, the report."""

ROWS = [
    Row("POST /v1/collision-checks", "collision:check", body=new_company, commits=0),
    Row("POST /v1/collision-checks/as-you-type", "collision:check", body=new_company, commits=0),
    Row("POST /v1/customers", "customer:create", body=new_company),
    Row("GET /v1/entry-attempts", "attempt:read"),
    Row(f"GET {CUSTOMER}", "customer:read", of="customer"),
    Row(
        f"PATCH {CUSTOMER}",
        "customer:update",
        of="customer",
        rule=edit,
        body=lambda cell: {"needs": unique("x")},
        version="customer",
        spends=True,
    ),
    Row(f"GET {CUSTOMER}/changes", "customer:read", of="customer"),
    Row(f"GET {CUSTOMER}/ownership", "customer:read", of="customer"),
    Row(f"POST {CUSTOMER}/release", "customer:release", of="customer", rule=held("not-held"), body=REASON, spends=True),
    Row(f"POST {CUSTOMER}/take-back", "customer:release", of="customer", rule=take_back, body=REASON, spends=True),
    Row(f"POST {CUSTOMER}/move", "pool:administer", of="customer", rule=in_pool, body=to_spare_pool, spends=True),
    Row(f"POST {CUSTOMER}/open", "pool:manage", of="customer", rule=open_up, spends=True),
    Row(f"POST {CUSTOMER}/claim", "customer:claim", of="customer", rule=claim, spends=True),
    Row(f"POST {CUSTOMER}/assign", "customer:assign", of="customer", rule=in_pool, body=to_colleague, spends=True),
    Row(
        f"POST {CUSTOMER}/transfer",
        "customer:transfer",
        of="customer",
        rule=held("not-held", by_scope),
        body=to_colleague,
        spends=True,
    ),
    Row(BATCH, "customer:claim", rule=claim, body=one("claim"), variant="claim", **ROW_OF_BATCH),
    Row(BATCH, "customer:assign", rule=in_pool, body=one("assign", to_colleague), variant="assign", **ROW_OF_BATCH),
    Row(BATCH, "customer:release", rule=held("not-held"), body=one("release", REASON), variant="release", **ROW_OF_BATCH),
    Row(BATCH, "pool:administer", rule=in_pool, body=one("move", to_spare_pool), variant="move", **ROW_OF_BATCH),
    Row(
        BATCH,
        "customer:transfer",
        rule=held("not-held"),
        body=one("transfer", to_colleague),
        variant="transfer",
        **ROW_OF_BATCH,
    ),
]
