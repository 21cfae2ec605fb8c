"""Decisions of rules: values in, decision out."""

from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from services.contracts.errors import InvalidRequest
from services.contracts.rules import DeadlineState, Figure, StockLimitChange

# The resource rules of HC360's training deck.
STOCK_LIMIT = 130
MIN_EFFECTIVE_CONTACTS = 35
MIN_NEW_KEY_CUSTOMERS = 3

TIME_ZONE = "Asia/Shanghai"


def business_day(moment: datetime, time_zone: str = TIME_ZONE) -> date:
    """The day on which something counts, in the agency's time zone."""
    return moment.astimezone(ZoneInfo(time_zone)).date()


# --- figures


def against_most(value: int, limit: int) -> Figure:
    return Figure(value=value, limit=limit, verdict="full" if value >= limit else "ok")


def against_least(value: int, minimum: int, *, is_over: bool) -> Figure:
    """`is_over`: whether the day is, so that nothing can be added."""
    if value >= minimum:
        return Figure(value=value, minimum=minimum, verdict="ok")
    return Figure(value=value, minimum=minimum, verdict="missed" if is_over else "open")


# --- first contacts


def judge_deadline(
    *,
    due_at: datetime | None,
    first_contact_at: datetime | None,
    verdict: DeadlineState | None,
    moved_on_at: datetime | None,
    is_taken_back: bool,
) -> DeadlineState:
    """What is known of a deadline, in whatever order it was heard, as one state.

    A verdict of activities stands, except that nobody has missed what was gone before it was due: rules may have asked for the
    verdict before it heard of that. A supervisor takes back, too, and not because of a deadline: only what was missed counts
    as taken back.
    """
    if verdict in ("met", "late"):
        return verdict
    if verdict is None and first_contact_at and due_at:
        return "met" if first_contact_at <= due_at else "late"
    if moved_on_at and (due_at is None or moved_on_at <= due_at):
        return "gone"
    if verdict == "missed" and is_taken_back:
        return "taken_back"
    return "missed" if verdict or moved_on_at else "open"


def is_overdue(state: DeadlineState, due_at: datetime, now: datetime) -> bool:
    return state in ("late", "missed", "taken_back") or (state == "open" and due_at <= now)


def seconds_left(due_at: datetime, now: datetime) -> int:
    return max(0, int((due_at - now).total_seconds()))


# --- how much somebody may hold

Limits = dict[tuple[str, UUID | str | None], int]
"""The limits of an agency by subject: `("agency", None)`, `("role", "rep")`, `("department", id)`, `("person", id)`."""


class Decision(NamedTuple):
    """`decided_by` names the policy: `default`, `agency`, `role:rep`, `department:<id>`, `person:<id>`."""

    limit: int
    decided_by: str


def decide_limit(limits: Limits, *, person_id: UUID, departments: list[UUID], roles: list[str]) -> Decision:
    """The narrowest limit counts; `departments` from the nearest up. Of several roles the one that allows most."""
    for subject, of in [("person", person_id), *(("department", department) for department in departments)]:
        if (subject, of) in limits:
            return Decision(limits[subject, of], f"{subject}:{of}")
    of_roles = [Decision(limits["role", role], f"role:{role}") for role in sorted(roles) if ("role", role) in limits]
    if of_roles:
        return max(of_roles)
    if ("agency", None) in limits:
        return Decision(limits["agency", None], "agency")
    return Decision(STOCK_LIMIT, "default")


def check_subject(change: StockLimitChange) -> None:
    """Raises InvalidRequest unless exactly what names the subject is given."""
    named = {
        name
        for name, value in (("role", change.role), ("department_id", change.department_id), ("person_id", change.person_id))
        if value is not None
    }
    needed = {"agency": set(), "role": {"role"}, "department": {"department_id"}, "person": {"person_id"}}[change.subject]
    if named != needed:
        expected = f"{', '.join(needed)} and nothing else" if needed else "neither role, department_id nor person_id"
        raise InvalidRequest(reason=f"a limit of the subject {change.subject} needs {expected}")
