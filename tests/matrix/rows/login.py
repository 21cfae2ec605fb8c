"""Open sessions, and the settings of log-ins, which are set as they are.

Who ends all of his sessions but one ends those that other rows have opened for him: these rows take turns.
"""

from tests.matrix.model import administer, by_agency, own_alone
from tests.matrix.table import Row

SESSION, OF_USER = "/v1/sessions/{session_id}", "/v1/users/{user_id}/sessions"
OF_SESSION = {"of": "session", "spends": True, "turn": "sessions"}
OF_AGENCY = {"of": "agency", "rule": by_agency}

ROWS = [
    Row("GET /v1/sessions", "session:read"),
    Row(f"DELETE {SESSION}", "session:end", rule=own_alone, **OF_SESSION),
    Row("POST /v1/sessions/end-others", "session:end", turn="sessions"),
    Row(f"GET {OF_USER}", "session:read", of="account"),
    Row(f"DELETE {OF_USER}/{{session_id}}", "session:end", rule=administer, **OF_SESSION),
    Row(f"DELETE {OF_USER}", "session:end", of="account", rule=administer, spends=True, turn="sessions"),
    Row("GET /v1/settings/login", "login:configure", query=lambda cell: f"?agency_id={cell.ids['agency_id']}", **OF_AGENCY),
    Row(
        "PUT /v1/settings/login",
        "login:configure",
        body=lambda cell: {"agency_id": cell.ids["agency_id"]},
        version="login_settings",
        **OF_AGENCY,
    ),
]
