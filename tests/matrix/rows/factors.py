"""The second factor: nobody here has one, and nothing that begins with one confirms it."""

from tests.api import PASSWORD
from tests.matrix.model import never_oneself, refused_as
from tests.matrix.table import Row

FACTOR = "/v1/me/second-factor"
CODE = {"code": "123456"}
PROOF = {"current": PASSWORD}

ROWS = [
    Row(f"GET {FACTOR}", "factor:manage"),
    Row(f"POST {FACTOR}", "factor:manage", body=PROOF),
    Row(f"POST {FACTOR}/confirm", "factor:manage", rule=refused_as("no-second-factor"), body=CODE),
    Row(f"POST {FACTOR}/disable", "factor:manage", rule=refused_as("no-second-factor"), body=PROOF | CODE),
    Row("POST /v1/users/{user_id}/second-factor-reset", "factor:reset", of="account", rule=never_oneself, spends=True),
]
