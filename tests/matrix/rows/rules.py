"""Days, deadlines, policies."""

from tests.matrix.model import by_agency, day, own_agency_alone
from tests.matrix.table import Row

OF_AGENCY = {"of": "agency", "rule": by_agency}

ROWS = [
    Row("GET /v1/me/day", "day:read"),
    Row("GET /v1/people/{person_id}/day", "day:read", of="person", rule=day),
    Row("GET /v1/days", "day:read"),
    Row("GET /v1/deadlines", "deadline:read"),
    Row("GET /v1/policies", "policy:read", query=lambda cell: f"?agency_id={cell.ids['agency_id']}", **OF_AGENCY),
    Row(
        "PUT /v1/policies/stock-limit",
        "policy:set",
        body=lambda cell: {"subject": "agency", "agency_id": cell.ids["agency_id"], "limit": 1_000},
        **OF_AGENCY,
    ),
    Row(
        "PUT /v1/policies/stock-limit",
        "policy:set",
        body=lambda cell: {"subject": "person", "person_id": cell.ids["person_id"], "limit": 1_000},
        of="person",
        rule=own_agency_alone,
        variant="of a person",
    ),
    Row("PUT /v1/policies/follow-up", "policy:set", body=lambda cell: {"agency_id": cell.ids["agency_id"]}, **OF_AGENCY),
]
