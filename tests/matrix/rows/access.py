"""Permission explains itself: what it says is what the request itself would be told."""

import httpx

from tests.matrix.model import explain_another, explained
from tests.matrix.table import Cell, Row, slug_of

EXPLAIN = "GET /v1/access/explain"


def answer_of(answer: httpx.Response) -> str:
    """`allowed`, `not-allowed`, or `not-seen`, once it explains."""
    if not answer.is_success:
        return slug_of(answer)
    explained = answer.json()
    if any(reason["code"] == "no_such_object" for reason in explained["reasons"]):
        return "not-seen"
    return "allowed" if explained["is_allowed"] else "not-allowed"


def about(action: str) -> object:
    return lambda cell: f"?action={action}&object=customer:{cell.ids['customer_id']}"


def about_account(cell: Cell) -> str:
    user_id = cell.ids["user_id"]
    return f"?user={user_id}&action=user:read&object=user:{user_id}"


ROWS = [
    Row(
        EXPLAIN,
        "access:explain",
        of="customer",
        rule=explained(action),
        query=about(action),
        read=answer_of,
        variant=f"of {action}",
    )
    for action in ("customer:read", "customer:transfer")
] + [Row(EXPLAIN, "access:explain", of="account", rule=explain_another, query=about_account, variant="of an account")]
