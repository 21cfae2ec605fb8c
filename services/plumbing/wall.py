"""The second wall between agencies: PostgreSQL shows and takes only rows of the agency that is set, and fails when none is.

Migrations put it on a table by `wall_off`; here is what sets the agency.
"""

from typing import TYPE_CHECKING

from sqlalchemy import Connection, text

from services.contracts.permissions import Scope

if TYPE_CHECKING:
    from services.plumbing.call import Call

EVERY_AGENCY = "*"
"""For callers whose permission counts on all agencies, and for services under their own name."""

SET_FOR_SESSION = text("SELECT set_config('qudao.agency', :agency, false)")
SET_FOR_TRANSACTION = text("SELECT set_config('qudao.agency', :agency, true)")


def agency_of(call: "Call") -> str:
    return EVERY_AGENCY if call.scope is Scope.ALL else str(call.caller.agency_id)


def stand_in(connection: Connection, agency: str) -> None:
    """Sets the agency of a connection that only reads, each statement by itself; remembered, as most ask for the same again."""
    if connection.info.get("agency") != agency:
        connection.execute(SET_FOR_SESSION, {"agency": agency})
        connection.info["agency"] = agency
