"""Collaborators and handoffs."""

from tests.matrix.model import answer_handoff, held, see_handoff
from tests.matrix.table import Cell, Row

CUSTOMER = "/v1/customers/{customer_id}"
HANDOFF = "/v1/handoffs/{handoff_id}"
COLLABORATION = {"part": "support", "rights": ["read"]}


def helper(cell: Cell) -> str:
    """A colleague who works on nothing yet."""
    return cell.world.companion(cell.whose.agency)


def offer(cell: Cell) -> dict[str, str]:
    return {"to": helper(cell), "part": "sales"}


OF_HELD = {"of": "customer", "rule": held("not-held"), "spends": True}

ROWS = [
    Row(f"GET {CUSTOMER}/collaborators", "customer:read", of="customer"),
    Row(
        f"PUT {CUSTOMER}/collaborators/{{person_id}}",
        "collaborator:manage",
        body=COLLABORATION,
        more={"person_id": helper},
        **OF_HELD,
    ),
    Row(
        f"DELETE {CUSTOMER}/collaborators/{{person_id}}",
        "collaborator:manage",
        **OF_HELD | {"of": "shared customer"},
    ),
    Row(f"POST {CUSTOMER}/handoffs", "handoff:create", body=offer, **OF_HELD),
    Row("GET /v1/handoffs", "handoff:read"),
    Row(f"GET {HANDOFF}", "handoff:read", of="handoff", rule=see_handoff),
    Row(f"POST {HANDOFF}/acceptance", "handoff:answer", of="handoff", rule=answer_handoff, spends=True),
    Row(f"POST {HANDOFF}/refusal", "handoff:answer", of="handoff", rule=answer_handoff, body={"reason": "满了"}, spends=True),
    Row(f"POST {HANDOFF}/withdrawal", "handoff:create", of="handoff", spends=True),
]
