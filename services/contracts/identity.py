"""What `identity` answers and tells: agencies, departments, users, sessions."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from services.contracts.base import (
    Command,
    Digest,
    Event,
    Line,
    Nothing,
    Page,
    PageQuery,
    Password,
    Query,
    View,
    command,
    query,
)
from services.contracts.permissions import RoleName

Login = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[\w.@+-]{2,80}$")]


# --- set-up and sessions


class SetupState(View):
    needed: bool


class SetUp(Command):
    """Makes headquarters and the first administrator, once."""

    secret: Password
    agency_name: Line
    login: Login
    display_name: Line
    password: Password


class Credentials(Command):
    """A login with its password, or with a one-time code before there is one, typed as it was given."""

    login: Login
    password: Password


class OpenSession(Credentials):
    """Logs in.

    The token is made by the gateway and known to it alone; identity sees and keeps its SHA-256, in hex.
    """

    token_digest: Digest


class SessionView(View):
    id: UUID
    user_id: UUID
    expires_at: datetime
    password_change_required: bool


class ResolveSession(Query):
    token_digest: Digest


class Passport(View):
    """A signed statement of who is asking, good for ten seconds; see `services.plumbing.passport`."""

    token: str


class EndSession(Command):
    """Ends the caller's own session, the present one when no id is given."""

    session_id: UUID | None = None


class ChangePassword(Command):
    """`current` is not asked of a session that was opened with a one-time code. Ends all other sessions."""

    current: Password | None = None
    new: Password


class ProfileView(View):
    id: UUID
    login: str
    display_name: str
    agency_id: UUID
    agency_name: str
    department_id: UUID
    department_name: str
    roles: list[str]
    permissions: dict[str, str]
    password_change_required: bool


# --- agencies, departments, users


class AddAgency(Command):
    name: Line


class AgencyView(View):
    id: UUID
    name: str
    is_headquarters: bool


class AddDepartment(Command):
    """The system puts the agency's name in front of the department's, never twice."""

    agency_id: UUID
    name: Line
    parent_id: UUID | None = None


class DepartmentView(View):
    id: UUID
    agency_id: UUID
    parent_id: UUID | None
    name: str
    path: str = Field(description="Ids from the root to this department, joined by dots.")


class ListDepartments(PageQuery):
    agency_id: UUID | None = None


class AddUser(Command):
    """The display name agrees with the login unless it is given. The user has no password until he chooses one."""

    login: Login
    display_name: Line | None = None
    department_id: UUID
    role: RoleName


class UserView(View):
    id: UUID
    login: str
    display_name: str
    agency_id: UUID
    department_id: UUID
    roles: list[str]
    has_password: bool


class InviteUser(Command):
    """Gives a user without a password a one-time code, good for 72 hours; a newer one replaces it.

    The code is made by the gateway from the command's key; identity keeps its SHA-256, in hex.
    """

    user_id: UUID
    code_digest: Digest


class Invitation(View):
    user_id: UUID
    expires_at: datetime


SETUP_STATE = query("identity.setup_state", Nothing, SetupState, "setup:perform")
SET_UP = command("identity.set_up", SetUp, UserView, "setup:perform")
OPEN_SESSION = command("identity.open_session", OpenSession, SessionView, "session:open")
RESOLVE_SESSION = query("identity.resolve_session", ResolveSession, Passport, "session:resolve")
END_SESSION = command("identity.end_session", EndSession, Nothing, "session:end")
CHANGE_PASSWORD = command("identity.change_password", ChangePassword, Nothing, "password:change")
SHOW_PROFILE = query("identity.show_profile", Nothing, ProfileView, "profile:read")
ADD_AGENCY = command("identity.add_agency", AddAgency, AgencyView, "agency:create")
LIST_AGENCIES = query("identity.list_agencies", PageQuery, Page[AgencyView], "agency:read")
ADD_DEPARTMENT = command("identity.add_department", AddDepartment, DepartmentView, "department:create")
LIST_DEPARTMENTS = query("identity.list_departments", ListDepartments, Page[DepartmentView], "department:read")
ADD_USER = command("identity.add_user", AddUser, UserView, "user:create")
LIST_USERS = query("identity.list_users", PageQuery, Page[UserView], "user:read")
INVITE_USER = command("identity.invite_user", InviteUser, Invitation, "user:invite")


# --- events


class AgencyAdded(Event, source="identity"):
    agency_id: UUID
    name: str
    is_headquarters: bool


class DepartmentAdded(Event, source="identity"):
    department_id: UUID
    agency_id: UUID
    parent_id: UUID | None
    name: str
    path: str


class UserAdded(Event, source="identity"):
    user_id: UUID
    login: str
    display_name: str
    agency_id: UUID
    department_id: UUID
    roles: list[str]
