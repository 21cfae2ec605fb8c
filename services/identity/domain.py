"""Decisions of identity: values in, decision out."""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from services.contracts.errors import (
    AboveYourRights,
    DepartmentBelowItself,
    DepartmentFrozen,
    DepartmentMerged,
    GroupDissolved,
    LastAdministrator,
    ManagedDepartmentsMissing,
    NotForTokens,
    OwnAccount,
    PasswordRefused,
    RightMissing,
    SupervisorUnfit,
    TreeTooDeep,
)
from services.contracts.leaving import HandoverState, LeavingStatus
from services.contracts.permissions import NOT_FOR_TOKENS, Permission
from services.contracts.reach import Grants
from services.contracts.tree import MOST_LEVELS

ADMINISTRATOR = "subsystem_admin"

# NIST 800-63B asks for 8 and recommends more where the password is the only factor.
MIN_PASSWORD_LENGTH, MAX_PASSWORD_LENGTH = 12, 200

# OWASP session management: 15 to 30 minutes idle; NIST AAL2: 12 hours in all.
IDLE_MINUTES, SESSION_HOURS, MAX_SESSIONS = 30, 12, 20
CODE_LIMIT = timedelta(hours=72)
USED_RESOLUTION = timedelta(minutes=1)

# OWASP ASVS 5.0, 6.3.1 asks for a control against guessing that cannot be used to lock somebody out: after this many failures
# in a row a log-in takes a solved captcha, and after one more it has to wait; a session in which one more password is tried is
# ended. NIST 800-63B-4, 3.2.2 allows 100 failures in a row, however slow: from then on one is looked at a day.
FREE_FAILURES, FAILURES_IN_A_ROW = 5, 100
FIRST_WAIT, LAST_WAIT = timedelta(minutes=1), timedelta(days=1)
FAILURES_KEPT = CAPTCHAS_KEPT = timedelta(days=1)
MANY_FAILURES_KEPT = timedelta(days=30)


OF_THE_PRODUCT = ("qudao", "渠道", "password")
SHORTEST_WORD = {True: 4, False: 2}
"""Letters of a word that a password may not contain, of ASCII and of other scripts: a Chinese name has two."""


def check_password(password: str, *, words: Iterable[str | None], is_common: Callable[[str], bool]) -> None:
    """Raises PasswordRefused with the reason; counts code points, asks for no kinds of characters.

    `words` are what is known of the person: names, numbers, addresses. `is_common` says whether many have a (folded) password.
    """
    if len(password) < MIN_PASSWORD_LENGTH:
        raise PasswordRefused(reason=f"it has fewer than {MIN_PASSWORD_LENGTH} characters")
    folded = folded_password(password)
    if len(set(folded)) < 5:
        raise PasswordRefused(reason="it repeats the same few characters")
    for word in (*OF_THE_PRODUCT, *(part for known in words if known for part in parts_of(known))):
        if len(word) >= SHORTEST_WORD[word.isascii()] and folded_password(word) in folded:
            raise PasswordRefused(reason=f"it contains {word!r}")
    if any(is_common(variant) for variant in variants_of(folded)) or is_made_of_two(folded, is_common):
        raise PasswordRefused(reason="it is among those that are tried first: many people use it, or parts of it")


def folded_password(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def parts_of(word: str) -> list[str]:
    """A word as it is, its parts between marks, and a telephone number without any."""
    return [word, *re.split(r"[\W_]+", word), re.sub(r"\D", "", word)]


LOOK_ALIKE = str.maketrans("013457@$!", "oieastasi")


def variants_of(folded: str) -> set[str]:
    """What is left of a password when one takes away what people add so that it is long enough or not in the list."""
    bare = re.sub(r"^[\d\W_]+|[\d\W_]+$", "", folded)
    found = {folded, bare, bare.translate(LOOK_ALIKE), re.sub(r"[\W_]", "", folded)}
    return {period_of(each) for each in found} | found


def period_of(text: str) -> str:
    """`abcabcabc` is `abc` again and again."""
    length = (text + text).find(text, 1)
    return text[:length] if text else text


def is_made_of_two(folded: str, is_common: Callable[[str], bool]) -> bool:
    """Two that are common, one behind the other, are no third one."""
    bare = re.sub(r"[\W_]", "", folded)
    return any(is_common(bare[:middle]) and is_common(bare[middle:]) for middle in range(3, len(bare) - 2))


def prefixed(agency_name: str, department_name: str) -> str:
    """A department's name starts with its company's, which is never doubled."""
    return department_name if department_name.startswith(agency_name) else f"{agency_name}{department_name}"


def renamed(name: str, *, of: str, to: str) -> str:
    """A department's name when its company, which was called `of`, is called `to` from now on."""
    return prefixed(to, name.removeprefix(of))


def below(path: str | None, department_id: UUID) -> str:
    """The path of a department whose parent has this one; without a parent it is a root."""
    return f"{path}.{department_id}" if path else str(department_id)


def check_place(path: str | None, *, department_id: UUID, levels: int = 1) -> None:
    """Whether a department with so many levels, its own included, may stand below the parent that has this path.

    Raises DepartmentBelowItself when the parent is itself or below it, TreeTooDeep.
    """
    above = path.split(".") if path else []
    if str(department_id) in above:
        raise DepartmentBelowItself()
    if len(above) + levels > MOST_LEVELS:
        raise TreeTooDeep(most_levels=MOST_LEVELS)


def check_is_live(*, status: str, merged_into_id: UUID | None) -> None:
    """Raises DepartmentMerged with the department that is there instead."""
    if status == "merged":
        raise DepartmentMerged(merged_into_id=str(merged_into_id))


def check_takes(*, status: str, merged_into_id: UUID | None) -> None:
    """Whether somebody or a department may come into it. Raises DepartmentFrozen, DepartmentMerged."""
    check_is_live(status=status, merged_into_id=merged_into_id)
    if status == "frozen":
        raise DepartmentFrozen()


def others(ids: Sequence[UUID], *, home: UUID) -> list[UUID]:
    """Departments besides the home department, each once."""
    return [each for each in dict.fromkeys(ids) if each != home]


def replaced(ids: list[UUID], *, old: UUID, new: UUID) -> list[UUID]:
    """With the new one in the place of the old one, each once."""
    return list(dict.fromkeys(new if each == old else each for each in ids))


def check_group_is_live(*, is_dissolved: bool) -> None:
    """Raises GroupDissolved."""
    if is_dissolved:
        raise GroupDissolved()


def check_group_right(right: str, *, held: Sequence[str]) -> None:
    """Raises RightMissing when who looks after a group does not have the right that something takes."""
    if right not in held:
        raise RightMissing(right=right)


def check_group_rights(*, own: Sequence[str], given: Sequence[str], held: Sequence[str], is_oneself: bool) -> None:
    """Whether an admin of a group may give somebody these rights in the place of those that are `held`, none as well.

    Raises AboveYourRights: nobody changes what goes beyond his own rights, and nobody changes his own.
    """
    if is_oneself:
        raise AboveYourRights(reason="nobody changes his own rights in a group")
    if beyond := sorted({*given, *held} - set(own)):
        raise AboveYourRights(reason="these rights in the group are not your own", rights=beyond)


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


TIME_ZONE = "Asia/Shanghai"
"""Of every agency, as rules has it."""
NOTICE_DAYS = 7


class Inactivity(NamedTuple):
    """What somebody has set; None is what he leaves to others. `version` is 0 where nothing is set."""

    days: int | None
    notice_days: int | None
    version: int = 0


UNSET = Inactivity(None, None)


class InactivityRule(NamedTuple):
    """What holds for an agency. `general_days` are headquarters', of which its own may only be stricter. `decided_by` names the
    policy that the days come from, with its version: `default`, `headquarters:3`, `agency:2`."""

    days: int
    notice_days: int
    general_days: int
    decided_by: str


def strictest(default_days: int, general: Inactivity, own: Inactivity) -> InactivityRule:
    """Headquarters' days, or the agency's where those are fewer; the notice is the agency's own, and shorter than the days."""
    general_days = general.days or default_days
    days = min(general_days, own.days or general_days)
    decided_by = f"headquarters:{general.version}" if general.days else "default"
    if days < general_days:
        decided_by = f"agency:{own.version}"
    notices = [each for each in (own.notice_days, general.notice_days, NOTICE_DAYS) if each is not None]
    return InactivityRule(days, min(notices[0], days), general_days, decided_by)


def business_day(moment: datetime) -> date:
    return moment.astimezone(ZoneInfo(TIME_ZONE)).date()


def locked_on(since: datetime, days: int) -> date:
    """The day after so many whole ones without a log-in."""
    return business_day(since) + timedelta(days=days + 1)


def days_left(now: datetime, *, since: datetime, days: int) -> int:
    """Calendar days until an account is locked; none when it is to be locked now."""
    return (locked_on(since, days) - business_day(now)).days


def inactivity_limit(now: datetime, days: int) -> datetime:
    """Who has been active since this moment is not inactive: so many whole days before the one that is now."""
    first = business_day(now) - timedelta(days=days)
    return datetime.combine(first, time(), ZoneInfo(TIME_ZONE)).astimezone(UTC)


def are_many(in_a_row: int) -> bool:
    """Whether one more try has its price after so many failures: a captcha, or the session."""
    return in_a_row >= FREE_FAILURES


def wait_after(in_a_row: int, *, longest: timedelta) -> timedelta:
    """For how long after the last of so many failures nothing is looked at: 1, 2, 4 minutes and so on, `longest` at most, from
    the first one on that took a captcha; a day when there were as many as there may be."""
    if in_a_row >= FAILURES_IN_A_ROW:
        return LAST_WAIT
    doublings = min(in_a_row - FREE_FAILURES - 1, 20)  # no figure grows beyond what a timedelta holds
    return min(FIRST_WAIT * 2**doublings, longest) if doublings >= 0 else timedelta()


def are_forgotten(now: datetime, *, in_a_row: int, last_at: datetime) -> bool:
    """Whether failures count no more. Very many are kept for long: else a day's rest would buy as many more."""
    return now - last_at >= (MANY_FAILURES_KEPT if in_a_row >= FAILURES_IN_A_ROW else FAILURES_KEPT)


@dataclass(frozen=True)
class SessionLimits:
    """What counts for the sessions and passwords of somebody."""

    idle: timedelta = timedelta(minutes=IDLE_MINUTES)
    absolute: timedelta = timedelta(hours=SESSION_HOURS)
    most: int = MAX_SESSIONS
    password_age: timedelta | None = None


def status_of_leaving(states: Collection[HandoverState | None]) -> LeavingStatus:
    """How far a leaving is, by what each service has reported of this round; None where it has not begun."""
    if all(state in ("done", "with_leftovers") for state in states):
        return "with_leftovers" if "with_leftovers" in states else "done"
    return "running" if any(states) else "planned"


def is_back(*, ordered_at: datetime, restored_at: datetime | None) -> bool:
    """Whether somebody was restored after he had left: what he has since then is not that leaving's."""
    return restored_at is not None and restored_at > ordered_at


def stricter(headquarters: int | None, agency: int | None, default: int) -> int:
    """An agency can be stricter than headquarters, whatever it says; headquarters need not be stricter than the default."""
    basis = headquarters or default
    return min(basis, agency) if agency else basis


@dataclass(frozen=True)
class SaidSettings:
    """Of headquarters or an agency, as far as they say something."""

    idle_minutes: int | None = None
    session_hours: int | None = None
    max_sessions: int | None = None
    password_days: int | None = None


def limits_by(basis: SaidSettings, own: SaidSettings) -> SessionLimits:
    """By what headquarters and the agency say."""
    days = min((given for given in (basis.password_days, own.password_days) if given), default=None)
    return SessionLimits(
        idle=timedelta(minutes=stricter(basis.idle_minutes, own.idle_minutes, IDLE_MINUTES)),
        absolute=timedelta(hours=stricter(basis.session_hours, own.session_hours, SESSION_HOURS)),
        most=stricter(basis.max_sessions, own.max_sessions, MAX_SESSIONS),
        password_age=timedelta(days=days) if days else None,
    )


def is_live(
    now: datetime,
    *,
    opened_at: datetime,
    used_at: datetime,
    expires_at: datetime,
    ended_at: datetime | None,
    limits: SessionLimits,
) -> bool:
    """Whether a session still counts. Stricter limits count at once, wider ones for sessions that are opened then."""
    return ended_at is None and now < min(expires_at, opened_at + limits.absolute) and now < used_at + limits.idle


def has_expired(now: datetime, *, set_at: datetime | None, limits: SessionLimits) -> bool:
    """Whether a password must be replaced."""
    return limits.password_age is not None and set_at is not None and now >= set_at + limits.password_age


def lacks_factor(
    roles: Collection[str], *, held: Collection[Permission], asked_of: Mapping[str, Collection[Permission]], is_on: bool
) -> bool:
    """Whether somebody with these roles must enrol a second factor before anything else.

    `asked_of` names roles with what each permits. Who holds all that one of them permits, by whatever roles, is asked as well: a
    copy of a role is no way round.
    """
    return not is_on and any(key in roles or (given and set(held).issuperset(given)) for key, given in asked_of.items())


def check_token_permissions(chosen: Iterable[Permission], held: Grants) -> None:
    """Raises NotForTokens with the permissions that the maker does not hold, or that no token may have."""
    for_people = sorted(set(chosen) & NOT_FOR_TOKENS)
    if for_people:
        raise NotForTokens(reason=f"these take a person: {', '.join(for_people)}", permissions=for_people)
    missing = sorted(set(chosen) - held.keys())
    if missing:
        raise NotForTokens(reason=f"you do not hold these yourself: {', '.join(missing)}", permissions=missing)


def grants_of_token(chosen: Iterable[str], held: Grants) -> Grants:
    """Never more than its maker has now, as far as it reaches for him."""
    wanted = set(chosen) - NOT_FOR_TOKENS
    return {permission: scope for permission, scope in held.items() if permission in wanted}


# RFC 6238: steps of 30 seconds; one before and one after for clocks that differ and people who type.
STEP, SKEW, CODE_FAILURES, FAILURES_WINDOW = 30, 1, 5, timedelta(minutes=15)


def steps_around(now: datetime) -> range:
    """The time steps whose codes are taken, the oldest first."""
    step = int(now.timestamp()) // STEP
    return range(step - SKEW, step + SKEW + 1)


def are_many_codes(now: datetime, failures: list[datetime]) -> bool:
    """Whether no further code is looked at. He who gives them knows the password, so that this shuts out nobody else."""
    return len(failures) >= CODE_FAILURES and now - min(failures) < FAILURES_WINDOW


def with_failure(now: datetime, failures: list[datetime]) -> list[datetime]:
    return [*failures, now][-CODE_FAILURES:]
