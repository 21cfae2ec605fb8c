"""What `identity` answers and tells of users and sessions."""

import re
import unicodedata
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from services.contracts.base import (
    Command,
    Digest,
    Event,
    Line,
    Nothing,
    Page,
    PageQuery,
    Password,
    Personal,
    Query,
    Sensitive,
    View,
    command,
    query,
)
from services.contracts.permissions import Ability, RoleName, abilities_of_built_in

LOGIN_PATTERN = r"^[.@+_-]*(?:[0-9A-Za-z]|[^\x00-\x7f])(?:[0-9A-Za-z.@+_-]|[^\x00-\x7f])*$"
"""Says the same in every dialect of regular expressions, as `\\w` does not; `normalised_login` looks closer."""
LOGIN_RULE = "must be 2 to 80 letters of any script, digits and any of . @ + _ -, with one letter or digit at least"
SHOWS_NOTHING = "\u115f\u1160"  # letters to Unicode: the fillers of Hangul


def normalised_login(typed: str) -> str:
    """One spelling for all that look alike, so that nobody has another one's login in another width, case or composition.

    Raises ValueError for what could be hidden in it: marks, zero-width and control characters.
    """
    login = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", typed).lower()).strip()
    if not re.fullmatch(r"[\w.@+-]{2,80}", login) or not re.search(r"[^\W_]", login) or set(login) & set(SHOWS_NOTHING):
        raise ValueError(LOGIN_RULE)  # in Python \w takes neither marks nor what is invisible
    return login


Login = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=2, max_length=80, pattern=LOGIN_PATTERN),
    AfterValidator(normalised_login),
]


def refuse_an_address(typed: str) -> str:
    """So that a staff number can never be the e-mail address of somebody else."""
    if "@" in typed:
        raise ValueError("must not contain @")
    return typed


def refuse_no_address(typed: str) -> str:
    if not re.fullmatch(r"[^@]+@[^@.]+(\.[^@.]+)+", typed):
        raise ValueError("must be an address such as name@example.com, of letters, digits and . @ + _ -")
    return typed


StaffNo = Annotated[Login, AfterValidator(refuse_an_address)]
"""员工号."""
LoginEmail = Annotated[Login, AfterValidator(refuse_no_address), Personal()]
"""Spelt as a login is, as one can log in by it."""


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


TypedCode = Annotated[str, StringConstraints(strip_whitespace=True, min_length=6, max_length=40), Sensitive()]
"""Six figures, or a recovery code as it was given."""


class OpenSession(Command):
    """Logs in with a password, or with a one-time code before there is one, typed as it was given.

    `login` is a login, a staff number or an e-mail address. The token is made by the gateway and known to it alone; identity sees
    and keeps its SHA-256, in hex. `captcha_id` names a captcha that the gateway has found to be solved; each counts for one try.
    `code` is of the second factor, or a recovery code. `client` and `address`, of which only the network, are what the session's
    owner recognises it by. `device_digest` is of the token of a device that may be known, `new_device_digest` of the one by which
    it will be if it is not; the gateway has made both. The login is masked in the audit: people type passwords there.
    """

    login: Annotated[Login, Personal()]
    password: Password
    token_digest: Digest
    captcha_id: UUID | None = None
    code: TypedCode | None = None
    client: Line | None = None
    address: Line | None = None
    device_digest: Digest | None = None
    new_device_digest: Digest | None = None


class SessionView(View):
    """Where a password or a second factor is required, nothing else may be done before."""

    id: UUID
    user_id: UUID
    expires_at: datetime
    password_change_required: bool
    second_factor_required: bool = False
    is_new_device: bool = Field(default=False, description="Opened by a log-in on a device that was not known.")


class ResolveSession(Query):
    token_digest: Digest


class Passport(View):
    """A signed statement of who is asking, good for ten seconds; see `services.plumbing.passport`."""

    token: str


class EndSession(Command):
    """Ends the caller's own session, the present one when no id is given."""

    session_id: UUID | None = None


class NewPassword(Command):
    """`current` is not asked of a session that was opened with a one-time code or an expired password.

    After 5 wrong ones in a session the next `current` is not looked at and ends that session. Tokens of the caller's programs end
    as well, unless `keep_tokens` says that they go on.
    """

    current: Password | None = None
    new: Password
    keep_tokens: bool = False


class ChangePassword(NewPassword):
    """Ends all other sessions; this one goes on under another token, whose SHA-256 this is. A gateway of before gives none."""

    token_digest: Digest | None = None


class ChangedPassword(SessionView):
    """The session that goes on."""

    ended_tokens: int = Field(default=0, description="How many tokens of programs ended with the old password.")


class ProfileView(View):
    """`version` is the user's, as administrators see it."""

    id: UUID
    version: int = 1
    login: str
    staff_no: str | None = None
    email: Annotated[str | None, Personal()] = None
    display_name: str
    title: str | None = None
    phone: Annotated[str | None, Personal()] = None
    agency_id: UUID
    agency_name: str
    department_id: UUID
    department_name: str
    other_department_ids: list[UUID]
    managed_department_ids: list[UUID]
    supervisor_id: UUID | None = None
    roles: list[str]
    permissions: dict[str, str] = Field(
        description="On whose records each counts: a scope, or several joined by ` + `; `listed` are named departments or people."
    )
    password_change_required: bool


# --- users


UserStatus = Literal["active", "locked", "disabled"]
ManagedDepartments = Annotated[tuple[UUID, ...], Field(max_length=20)]
OtherDepartments = Annotated[tuple[UUID, ...], Field(max_length=10)]
RoleKey = RoleName | UUID
"""Built-in roles are known by their names, the others by their ids."""
RoleKeys = Annotated[tuple[RoleKey, ...], Field(min_length=1, max_length=10)]


class AskLogin(Query):
    """Whether a login is still free."""

    login: Login


class LoginAvailability(View):
    login: str
    is_free: bool


class AddUser(Command):
    """The display name agrees with the login unless it is given. The user has no password until he chooses one.

    By `staff_no` and `email` he may log in as well; no two people share any of the three, whichever it is.
    `department_id` is the home department; he counts as a member of the `other_department_ids` too.
    `managed_department_ids` (管辖部门) are required for who has a role that counts on them, as managers have, and for nobody
    else; all are of the user's agency. So is the supervisor.
    """

    login: Login
    staff_no: StaffNo | None = None
    email: LoginEmail | None = None
    display_name: Line | None = None
    department_id: UUID
    other_department_ids: OtherDepartments = ()
    roles: RoleKeys
    managed_department_ids: ManagedDepartments = ()
    supervisor_id: UUID | None = None


class UserView(View):
    """`locked`: after long inactivity, until an administrator restores it. `disabled`: by an administrator, on leaving."""

    id: UUID
    version: int
    login: str
    staff_no: str | None = None
    email: Annotated[str | None, Personal()] = None
    display_name: str
    title: str | None = None
    agency_id: UUID
    department_id: UUID
    other_department_ids: list[UUID]
    managed_department_ids: list[UUID]
    supervisor_id: UUID | None = None
    roles: list[str]
    status: UserStatus
    has_password: bool
    last_login_at: datetime | None
    locked_in_days: int | None = Field(
        default=None,
        description="Calendar days until the account is locked for inactivity, 0 is now. Told by lists and of a single user; "
        "absent of one who never is.",
    )


class ListUsers(PageQuery):
    """In the order in which they were added; of one status, department, role or supervisor when it is given, or those who will be
    locked for inactivity within so many calendar days."""

    status: UserStatus | None = None
    department_id: UUID | None = None
    role: RoleKey | None = None
    supervisor_id: UUID | None = None
    locked_within_days: Annotated[int, Field(ge=0, le=3650)] | None = None


class UserChanges(Command):
    """What is given is changed, what is absent stays. A department and a supervisor must be of the same agency; without a
    supervisor is null.

    Who loses the last role that counts on managed departments oversees none any more; who gets one needs
    `managed_department_ids`.
    null takes `staff_no` or `email` away.
    """

    staff_no: StaffNo | None = None
    email: LoginEmail | None = None
    display_name: Line | None = None
    department_id: UUID | None = None
    other_department_ids: OtherDepartments | None = None
    roles: RoleKeys | None = None
    managed_department_ids: ManagedDepartments | None = None
    supervisor_id: UUID | None = None


class UpdateUser(UserChanges):
    """Changes a user who is still in `expected_version`."""

    user_id: UUID
    expected_version: Annotated[int, Field(ge=1)]


class DisableUser(Command):
    """Ends all of the user's sessions; he cannot log in until he is restored. What he holds stays his for now."""

    user_id: UUID


class RestoreUser(Command):
    """Makes a locked or disabled user active again, with the password that he had."""

    user_id: UUID


class LockUser(Command):
    """Locks a user who has not logged in for long; does nothing when he has meanwhile, or is the last administrator."""

    user_id: UUID


class ResetPassword(Command):
    """Ends all of the user's sessions, forgets the password and gives a one-time code as `InviteUser` does. Never oneself."""

    user_id: UUID
    code_digest: Digest


class ShowPerson(Query):
    """A user's full state, for services that have not heard of him yet."""

    user_id: UUID


def with_abilities(given: Any) -> Any:
    """An older sender knew the built-in roles alone, and did not say what they make of somebody."""
    if isinstance(given, dict) and "abilities" not in given:
        return given | {"abilities": abilities_of_built_in(given.get("roles", ()))}
    return given


class PersonState(View):
    version: int
    user_id: UUID
    login: str
    display_name: str
    agency_id: UUID
    department_id: UUID
    other_department_ids: tuple[UUID, ...] = ()
    managed_department_ids: list[UUID]
    supervisor_id: UUID | None = None
    roles: list[str]
    abilities: list[Ability]
    status: UserStatus

    _older = model_validator(mode="before")(with_abilities)


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
CHANGE_PASSWORD = command("identity.change_password", ChangePassword, ChangedPassword, "password:change")
SHOW_PROFILE = query("identity.show_profile", Nothing, ProfileView, "profile:read")
ADD_USER = command("identity.add_user", AddUser, UserView, "user:create")
ASK_LOGIN = query("identity.ask_login", AskLogin, LoginAvailability, "user:create")
LIST_USERS = query("identity.list_users", ListUsers, Page[UserView], "user:read")
SHOW_USER = query("identity.show_user", ShowPerson, UserView, "user:read")
UPDATE_USER = command("identity.update_user", UpdateUser, UserView, "user:update")
DISABLE_USER = command("identity.disable_user", DisableUser, UserView, "user:disable")
LOCK_USER = command("identity.lock_user", LockUser, Nothing, "user:lock")
INVITE_USER = command("identity.invite_user", InviteUser, Invitation, "user:invite")
RESET_PASSWORD = command("identity.reset_password", ResetPassword, Invitation, "user:reset")
SHOW_PERSON = query("identity.show_person", ShowPerson, PersonState, "person:read")


# --- events


class UserAdded(Event, source="identity"):
    """Full state. `managed_department_ids`, `other_department_ids`, `status`, `supervisor_id` and `abilities` came later: older
    events stand for none, for active, for nobody, and for what the built-in roles make of somebody."""

    user_id: UUID
    login: str
    display_name: str
    agency_id: UUID
    department_id: UUID
    other_department_ids: tuple[UUID, ...] = ()
    managed_department_ids: tuple[UUID, ...] = ()
    supervisor_id: UUID | None = None
    roles: list[str]
    abilities: list[Ability]
    status: UserStatus = "active"

    _older = model_validator(mode="before")(with_abilities)


class UserChanged(UserAdded, source="identity"):
    """Full state after the change; `change` says which it was."""

    change: Literal["updated", "locked", "disabled", "restored", "password_reset", "profile"]
