"""Decisions of identity: values in, decision out."""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from services.contracts.errors import LastAdministrator, ManagedDepartmentsMissing, OwnAccount, PasswordRefused, SupervisorUnfit

ADMINISTRATOR = "subsystem_admin"

# NIST 800-63B asks for 8 and recommends more where the password is the only factor.
MIN_PASSWORD_LENGTH, MAX_PASSWORD_LENGTH = 12, 200

# OWASP session management: 15 to 30 minutes idle; NIST AAL2: 12 hours in all.
IDLE_LIMIT, SESSION_LIMIT = timedelta(minutes=30), timedelta(hours=12)
CODE_LIMIT = timedelta(hours=72)
USED_RESOLUTION = timedelta(minutes=1)

# OWASP ASVS 5.0, 6.3.1 asks for a control against guessing that cannot be used to lock somebody out: after this many failures
# within this time a log-in takes a solved captcha, and a session in which one more password is tried is ended.
# NIST 800-63B-4, 3.2.2 allows 100 failures in a row, however slow.
FREE_FAILURES, FAILURES_WINDOW, FAILURES_IN_A_ROW = 5, timedelta(minutes=15), 100
FAILURES_KEPT = CAPTCHAS_KEPT = timedelta(days=1)


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


def check_not_oneself(caller_id: UUID, user_id: UUID) -> None:
    """Raises OwnAccount: who could do this to himself could shut himself out, or pass by his own password."""
    if caller_id == user_id:
        raise OwnAccount()


def check_managed_departments(abilities: Collection[str], departments: list[UUID], *, of_the_agency: set[UUID]) -> None:
    """Raises ManagedDepartmentsMissing with the reason; `of_the_agency` are those that the user's agency has."""
    if "oversees" in abilities and not departments:
        raise ManagedDepartmentsMissing(reason="a role counts on managed departments: name one at least")
    if "oversees" not in abilities and departments:
        raise ManagedDepartmentsMissing(reason="no role counts on managed departments")
    if not of_the_agency.issuperset(departments):
        raise ManagedDepartmentsMissing(reason="a department is not of the user's agency")


def check_supervisor(*, of_the_agency: bool, is_below: bool) -> None:
    """Raises SupervisorUnfit with the reason; `is_below`: the user himself stands above the supervisor, or is the supervisor."""
    if not of_the_agency:
        raise SupervisorUnfit(reason="there is no such person in the user's agency")
    if is_below:
        raise SupervisorUnfit(reason="nobody is above himself")


def check_administrator_remains(*, others: int) -> None:
    """Raises LastAdministrator when nobody else could administer the subsystem; `others` can all log in."""
    if not others:
        raise LastAdministrator()


def active_since(*, created_at: datetime, last_login_at: datetime | None, restored_at: datetime | None) -> datetime:
    """From when a user's inactivity counts."""
    return max(moment for moment in (created_at, last_login_at, restored_at) if moment)


def inactivity_limit(now: datetime, days: int) -> datetime:
    """Who has been active after this is not inactive."""
    return now - timedelta(days=days)


def are_many(now: datetime, *, recent: list[datetime], in_a_row: int) -> bool:
    """Whether one more try has its price after these failures; `recent` holds at most the last FREE_FAILURES of them."""
    is_quick = len(recent) >= FREE_FAILURES and now - min(recent) < FAILURES_WINDOW
    return is_quick or in_a_row >= FAILURES_IN_A_ROW


def is_live(now: datetime, *, used_at: datetime, expires_at: datetime, ended_at: datetime | None) -> bool:
    """Whether a session still counts."""
    return ended_at is None and now < expires_at and now < used_at + IDLE_LIMIT
