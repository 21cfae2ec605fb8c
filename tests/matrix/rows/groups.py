"""Sales groups."""

from tests.api import unique
from tests.matrix.model import by_agency, in_group
from tests.matrix.table import Cell, Row

GROUP = "/v1/groups/{group_id}"
OF_GROUP = {"of": "group", "rule": by_agency, "spends": True}
IN_GROUP = {"of": "group", "rule": in_group, "spends": True}
NEWCOMERS = {"ours": "colleague", "theirs": "rival", "headquarters": "head"}


def newcomer(cell: Cell) -> str:
    """Of the group's agency, who has nothing to do with it."""
    return cell.world.id_of(NEWCOMERS[cell.whose.agency])


def old_hand(cell: Cell) -> str:
    """Who is a member and an admin of every group."""
    return cell.world.companion(cell.whose.agency)


ROWS = [
    Row(
        "POST /v1/groups",
        "group:create",
        of="agency",
        rule=by_agency,
        body=lambda cell: {"name": unique("组"), "agency_id": cell.ids["agency_id"]},
    ),
    Row("GET /v1/groups", "group:read"),
    Row(f"GET {GROUP}", "group:read", of="group", rule=by_agency),
    Row(f"PATCH {GROUP}", "group:create", body=lambda cell: {"name": unique("组")}, version="sales_group", **OF_GROUP),
    Row(f"POST {GROUP}/dissolve", "group:create", **OF_GROUP),
    Row(f"PUT {GROUP}/members/{{person_id}}", "group:manage", more={"person_id": newcomer}, **IN_GROUP),
    Row(f"DELETE {GROUP}/members/{{person_id}}", "group:manage", more={"person_id": old_hand}, **IN_GROUP),
    Row(
        f"PUT {GROUP}/admins/{{person_id}}",
        "group:manage",
        body={"rights": ["manage_members"]},
        more={"person_id": newcomer},
        **IN_GROUP,
    ),
    Row(f"DELETE {GROUP}/admins/{{person_id}}", "group:manage", more={"person_id": old_hand}, **IN_GROUP),
]
