"""After how many days accounts are locked; what is set says nothing."""

from tests.matrix.model import by_agency
from tests.matrix.table import Row

POLICY = "/v1/policies/inactivity"
OF_AGENCY = {"of": "agency", "rule": by_agency}

ROWS = [
    Row(f"GET {POLICY}", "policy:read", query=lambda cell: f"?agency_id={cell.ids['agency_id']}", **OF_AGENCY),
    Row(f"PUT {POLICY}", "policy:set", body=lambda cell: {"agency_id": cell.ids["agency_id"], "days": None}, **OF_AGENCY),
]
