"""The field policy, which is set as it is, and reveals."""

from tests.matrix.model import reveal
from tests.matrix.table import Row

POLICY = "/v1/field-policy"

ROWS = [
    Row(f"GET {POLICY}", "field:configure"),
    Row(f"PUT {POLICY}", "field:configure", body={}, version="field_policy"),
    Row(f"GET {POLICY}/versions", "field:configure"),
    Row(f"GET {POLICY}/mine", "policy:read"),
    Row(
        "POST /v1/customers/{customer_id}/reveals",
        "field:reveal",
        of="customer",
        rule=reveal,
        body={"field": "phone", "reason": "客户投诉"},
    ),
    Row("GET /v1/reveals", "reveal:read"),
]
