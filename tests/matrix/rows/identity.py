"""Set-up, sessions, users."""

from tests.api import PASSWORD, unique
from tests.matrix.model import administer, by_agency, invite, make_head, never_oneself, refused_as
from tests.matrix.table import Cell, Row

USER = "/v1/users/{user_id}"


def first_administrator(cell: Cell) -> dict[str, str]:
    return {
        "secret": cell.world.setup_secret,
        "agency_name": "总部",
        "login": unique("u"),
        "display_name": "总管",
        "password": PASSWORD,
    }


def new_user(cell: Cell, role: str = "rep") -> dict[str, object]:
    return {"login": unique("u"), "roles": [role], "department_id": cell.ids["department_id"]}


OF_ACCOUNT = {"of": "account", "spends": True}

ROWS = [
    Row("GET /v1/setup", None),
    Row("POST /v1/setup", None, rule=refused_as("setup-closed"), body=first_administrator),
    Row("POST /v1/captchas", None, commits=0),
    Row(
        "POST /v1/sessions",
        None,
        rule=refused_as("wrong-credentials"),
        body=lambda cell: {"login": unique("u"), "password": PASSWORD},
    ),
    Row("DELETE /v1/sessions/current", "session:end", anew=True, turn="sessions"),
    Row("PUT /v1/me/password", "password:change", rule=refused_as("password-refused"), body={"new": "too short"}),
    Row("GET /v1/logins/{login}", "user:create", more={"login": lambda cell: unique("u")}),
    Row("POST /v1/users", "user:create", of="agency", rule=by_agency, body=new_user),
    Row(
        "POST /v1/users",
        "user:create",
        of="agency",
        rule=make_head,
        body=lambda cell: new_user(cell, "subsystem_admin"),
        variant="who administer all",
    ),
    Row("GET /v1/users", "user:read"),
    Row(f"GET {USER}", "user:read", of="account", rule=by_agency),
    Row(
        f"PATCH {USER}",
        "user:update",
        rule=administer,
        body=lambda cell: {"display_name": unique("名")},
        version="person",
        turn="account",
        **OF_ACCOUNT,
    ),
    Row(f"POST {USER}/disable", "user:disable", rule=never_oneself, **OF_ACCOUNT),
    Row(f"POST {USER}/restore", "user:restore", rule=administer, **OF_ACCOUNT),
    Row(f"POST {USER}/one-time-code", "user:invite", rule=invite, **OF_ACCOUNT),
    Row(f"POST {USER}/password-reset", "user:reset", rule=never_oneself, **OF_ACCOUNT),
]
