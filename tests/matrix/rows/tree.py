"""Agencies and their departments."""

from tests.api import unique
from tests.matrix.model import by_agency, refused_as
from tests.matrix.table import Cell, Row

AGENCY, DEPARTMENT = "/v1/agencies/{agency_id}", "/v1/departments/{department_id}"
SPARE_AGENCY = {"of": "spare agency", "rule": by_agency, "spends": True}
OF_DEPARTMENT = {"of": "department", "rule": by_agency, "spends": True}


def another_department(cell: Cell) -> str:
    """Of the same agency."""
    return cell.ids["other_department_id"]


ROWS = [
    Row("POST /v1/agencies", "agency:create", body=lambda cell: {"name": unique("代理")}),
    Row("GET /v1/agencies", "agency:read"),
    Row(f"GET {AGENCY}", "agency:read", of="agency", rule=by_agency),
    Row(f"PATCH {AGENCY}", "agency:update", body=lambda cell: {"name": unique("代理")}, version="agency", **SPARE_AGENCY),
    Row(f"POST {AGENCY}/freeze", "agency:freeze", **SPARE_AGENCY),
    Row(
        f"POST {AGENCY}/freeze",
        "agency:freeze",
        rule=refused_as("headquarters-stays"),
        more={"agency_id": lambda cell: cell.world.agencies["headquarters"]},
        variant="of headquarters",
    ),
    Row(f"POST {AGENCY}/thaw", "agency:freeze", **SPARE_AGENCY),
    Row(
        "POST /v1/departments",
        "department:create",
        of="agency",
        rule=by_agency,
        body=lambda cell: {"agency_id": cell.ids["agency_id"], "name": unique("部")},
    ),
    Row("GET /v1/departments", "department:read"),
    Row(f"GET {DEPARTMENT}", "department:read", of="department", rule=by_agency),
    Row(f"PATCH {DEPARTMENT}", "department:update", body={"kind": "team"}, version="department", **OF_DEPARTMENT),
    Row(
        f"POST {DEPARTMENT}/move",
        "department:move",
        body=lambda cell: {"parent_id": another_department(cell)},
        **OF_DEPARTMENT,
    ),
    Row(
        f"POST {DEPARTMENT}/merge",
        "department:merge",
        body=lambda cell: {"into_id": another_department(cell)},
        **OF_DEPARTMENT,
    ),
    Row(f"POST {DEPARTMENT}/freeze", "department:freeze", **OF_DEPARTMENT),
    Row(f"POST {DEPARTMENT}/thaw", "department:freeze", **OF_DEPARTMENT),
]
