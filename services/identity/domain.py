"""Decisions of identity: values in, decision out."""

from datetime import datetime, timedelta
from uuid import UUID

from services.contracts.errors import AboveYourRights, PasswordRefused
from services.contracts.permissions import BEFORE_OWN_PASSWORD, Grants, Scope, union_of

# NIST 800-63B asks for 8 and recommends more where the password is the only factor.
MIN_PASSWORD_LENGTH, MAX_PASSWORD_LENGTH = 12, 200

# OWASP session management: 15 to 30 minutes idle; NIST AAL2: 12 hours in all.
IDLE_LIMIT, SESSION_LIMIT = timedelta(minutes=30), timedelta(hours=12)
CODE_LIMIT = timedelta(hours=72)
USED_RESOLUTION = timedelta(minutes=1)


def check_password(password: str, *, login: str, display_name: str) -> None:
    """Raises PasswordRefused with the reason; counts code points, asks for no kinds of characters."""
    if len(password) < MIN_PASSWORD_LENGTH:
        raise PasswordRefused(reason=f"it has fewer than {MIN_PASSWORD_LENGTH} characters")
    if len(set(password)) < 5:
        raise PasswordRefused(reason="it repeats the same few characters")
    for word in (login, display_name, "qudao", "password"):
        if len(word) >= 4 and word.casefold() in password.casefold():
            raise PasswordRefused(reason=f"it contains {word!r}")


def prefixed(agency_name: str, department_name: str) -> str:
    """A department's name starts with its company's, which is never doubled."""
    return department_name if department_name.startswith(agency_name) else f"{agency_name}{department_name}"


def check_grant(scope: Scope, role: str, *, agency_id: UUID, own_agency_id: UUID, is_headquarters: bool) -> None:
    """Raises AboveYourRights when a caller whose `user:create` has this scope may not give this role in this agency."""
    if scope is not Scope.ALL and agency_id != own_agency_id:
        raise AboveYourRights(reason="the department is of another agency")
    if role == "subsystem_admin" and (scope is not Scope.ALL or not is_headquarters):
        raise AboveYourRights(reason="only headquarters has subsystem administrators")


def is_live(now: datetime, *, used_at: datetime, expires_at: datetime, ended_at: datetime | None) -> bool:
    """Whether a session still counts."""
    return ended_at is None and now < expires_at and now < used_at + IDLE_LIMIT


def grants_of(roles: list[str], *, by_code: bool) -> Grants:
    """What a session's passport carries."""
    return BEFORE_OWN_PASSWORD if by_code else union_of(roles)
