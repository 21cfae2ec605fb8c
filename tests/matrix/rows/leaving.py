"""Leaving with handover, and what somebody still has."""

from tests.matrix.model import administer, by_agency, never_oneself
from tests.matrix.table import Row

USER, LEAVING = "/v1/users/{user_id}", "/v1/leavings/{leaving_id}"

ROWS = [
    Row(f"POST {USER}/leaving", "user:leave", of="account", rule=never_oneself, body={}, spends=True),
    Row(f"GET {USER}/holdings", "user:disable", of="account", rule=by_agency),
    Row("GET /v1/leavings", "leaving:read"),
    Row(f"GET {LEAVING}", "leaving:read", of="leaving"),
    Row(f"POST {LEAVING}/repeat", "user:leave", of="leaving", rule=administer),
    Row(f"GET {LEAVING}/customers", "leaving:read", of="leaving"),
    Row(f"GET {LEAVING}/others", "leaving:read", of="leaving"),
]
