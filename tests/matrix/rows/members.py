"""Web-registered members, their sources, territories."""

from tests.api import company, digits
from tests.matrix.model import by_agency, refused_as
from tests.matrix.table import Cell, Row

SOURCE = "/v1/member-sources/{source_id}"
TERRITORY = "/v1/territories/{agency_id}"


def member(cell: Cell) -> dict[str, str]:
    return {"name": company(), "phone": digits()}


ROWS = [
    Row("POST /v1/member-webhooks/{source_id}", None, of="source", rule=refused_as("webhook-refused"), body=member),
    Row("POST /v1/members", "member:create", body=member),
    Row("GET /v1/members", "member:read"),
    Row("GET /v1/members/{member_id}", "member:read", of="member"),
    Row(
        "POST /v1/member-sources",
        "member:configure",
        of="agency",
        rule=by_agency,
        body=lambda cell: {"name": "官网", "agency_id": cell.ids["agency_id"]},
    ),
    Row("GET /v1/member-sources", "member:configure"),
    Row(
        f"PATCH {SOURCE}",
        "member:configure",
        of="source",
        rule=by_agency,
        body={"name": "展会"},
        version="member_source",
        spends=True,
    ),
    Row(f"POST {SOURCE}/rotation", "member:configure", of="source", rule=by_agency, body={}, spends=True),
    Row(f"GET {TERRITORY}", "territory:read", of="agency", rule=by_agency),
    Row(f"PUT {TERRITORY}", "territory:set", of="agency", rule=by_agency, body={}, version="territory"),
]
