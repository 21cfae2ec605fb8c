"""How people log in: the sessions that are open, and the settings by which headquarters and agencies are stricter."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.contracts.base import Command, Line, Message, Nothing, Query, View, command, query
from services.contracts.identity import RoleKey

# --- sessions


class ListSessions(Query):
    """The live sessions of the caller, or of a user whom he may administer."""

    user_id: UUID | None = None


class OpenSessionView(View):
    """A live session as its owner may recognise it. `used_at` is right within a minute; `address` names only the network."""

    id: UUID
    opened_at: datetime
    used_at: datetime
    expires_at: datetime
    client: str | None = Field(default=None, description='The kind of program, such as "Firefox on Windows".')
    address: str | None = None
    is_current: bool


class OpenSessions(View):
    """The latest first. There are never more than the settings allow, 100 at most, so that this is no list of pages."""

    items: list[OpenSessionView]


class EndOneSession(Command):
    """Of the caller, or of a user whom he may administer. One that has ended already is told as ended."""

    session_id: UUID
    user_id: UUID | None = None


class EndAllSessions(Command):
    """All of the caller's but the present one, or all of a user whom he may administer."""

    user_id: UUID | None = None


# --- settings

IdleMinutes = Annotated[int, Field(ge=5, le=480)]
SessionHours = Annotated[int, Field(ge=1, le=72)]
MaxSessions = Annotated[int, Field(ge=1, le=100)]
PasswordDays = Annotated[int, Field(ge=30, le=730)]

FactorRoles = tuple[Line, ...]


class LoginSettings(Message):
    """Headquarters' count for all; an agency's for its people besides, and of the two the stricter one. null: nothing is said.

    `captcha_always`: no log-in without a solved captcha. `idle_minutes`: a session that has not been used for so long is over.
    `session_hours`: and so is one that was opened so long ago. `max_sessions`: of one person at a time; one more ends the oldest.
    `password_days`: a password that is older must be replaced at the next log-in. `factor_roles`: who has one of these roles, or
    by others all that one of them permits, may do nothing before he has enrolled a second factor.
    """

    captcha_always: bool = False
    idle_minutes: IdleMinutes | None = None
    session_hours: SessionHours | None = None
    max_sessions: MaxSessions | None = None
    password_days: PasswordDays | None = None
    factor_roles: FactorRoles = ()


class LoginSettingsChange(LoginSettings, Command):
    """Replaces the settings of an agency, the own one when none is named; what is absent is said no more."""

    agency_id: UUID | None = None
    factor_roles: Annotated[tuple[RoleKey, ...], Field(max_length=50)] = ()  # type: ignore[assignment]


class SetLoginSettings(LoginSettingsChange):
    """If they are still in `expected_version`, 0 as long as nothing was set."""

    expected_version: Annotated[int, Field(ge=0)]


class EffectiveSettings(View):
    """What counts for the agency's people, by defaults, headquarters' settings and its own."""

    captcha_always: bool
    idle_minutes: int
    session_hours: int
    max_sessions: int
    password_days: int | None
    factor_roles: list[str]


class LoginSettingsView(View):
    agency_id: UUID
    version: int
    settings: LoginSettings
    effective: EffectiveSettings


class AskLoginSettings(Query):
    """Of an agency, the own one when none is named."""

    agency_id: UUID | None = None


LIST_SESSIONS = query("identity.list_sessions", ListSessions, OpenSessions, "session:read")
END_ONE_SESSION = command("identity.end_one_session", EndOneSession, Nothing, "session:end")
END_ALL_SESSIONS = command("identity.end_all_sessions", EndAllSessions, Nothing, "session:end")
SHOW_LOGIN_SETTINGS = query("identity.show_login_settings", AskLoginSettings, LoginSettingsView, "login:configure")
SET_LOGIN_SETTINGS = command("identity.set_login_settings", SetLoginSettings, LoginSettingsView, "login:configure")
