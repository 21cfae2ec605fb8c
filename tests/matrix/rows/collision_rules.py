"""The rules of the collision check. They are set as they are."""

from tests.matrix.table import Row

RULES = "/v1/collision-rules"

ROWS = [
    Row(f"GET {RULES}", "policy:read"),
    Row(f"PUT {RULES}", "collision:configure", body={}, version="collision_rules"),
    Row(f"GET {RULES}/versions", "collision:configure"),
    Row(f"POST {RULES}/preview", "collision:configure", body={"rules": {}, "sample_size": 1}, commits=0),
    Row(f"GET {RULES}/filing", "collision:configure"),
]
