"""Row grants."""

from tests.matrix.model import give_on
from tests.matrix.table import Row
from tests.matrix.world import HEAD, MARKET, SALES, THEIRS

GRANTS = "/v1/users/{user_id}/grants"
ABROAD = {"theirs": THEIRS, "headquarters": HEAD}


def on(departments: dict[str, str]) -> object:
    """A right on the records of a department of the receiver's agency."""
    return lambda cell: {
        "permission": "customer:read",
        "department_id": cell.world.departments[departments[cell.whose.agency]],
    }


ROWS = [
    Row(f"GET {GRANTS}", "grant:read", of="account"),
    *(
        Row(
            f"POST {GRANTS}",
            "grant:give",
            of="account",
            rule=give_on({"ours": department} | ABROAD),
            body=on({"ours": department} | ABROAD),
            variant=f"on {department}",
        )
        for department in (SALES, MARKET)
    ),
    Row(f"DELETE {GRANTS}/{{grant_id}}", "grant:give", of="grant", spends=True),
]
