"""The review queue."""

from tests.matrix.model import judge, own_alone, refused_as
from tests.matrix.table import Row

REVIEW = "/v1/reviews/{review_id}"

ROWS = [
    Row("GET /v1/reviews", "review:read"),
    Row(f"GET {REVIEW}", "review:read", of="review"),
    Row(f"POST {REVIEW}/decision", "review:decide", of="review", rule=judge, body={"decision": "different"}, spends=True),
    Row(f"POST {REVIEW}/withdrawal", "customer:create", of="review", rule=refused_as("not-waiting", own_alone)),
]
