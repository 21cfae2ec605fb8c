"""The decisions of rules."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.contracts.errors import InvalidRequest
from services.contracts.rules import StockLimitChange
from services.rules.domain import (
    Limits,
    against_least,
    against_most,
    business_day,
    check_subject,
    decide_limit,
    is_overdue,
    judge_deadline,
    seconds_left,
)

DUE = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
EARLY, LATE = DUE - HOUR, DUE + HOUR
ME, TEAM, HOUSE = UUID(int=1), UUID(int=2), UUID(int=3)


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 3, 1, 15, 59, 59, tzinfo=UTC), date(2026, 3, 1)),
        (datetime(2026, 3, 1, 16, 0, tzinfo=UTC), date(2026, 3, 2)),
        (datetime(1988, 7, 1, 15, 0, tzinfo=UTC), date(1988, 7, 2)),  # China had summer time from 1986 to 1991
    ],
)
def test_a_day_is_the_agencys(moment: datetime, day: date) -> None:
    assert business_day(moment) == day


# --- figures


@pytest.mark.parametrize(("value", "verdict"), [(0, "ok"), (129, "ok"), (130, "full"), (131, "full")])
def test_a_stock_is_full_at_its_limit(value: int, verdict: str) -> None:
    assert against_most(value, 130).verdict == verdict


def test_a_limit_of_nothing_is_full_at_once() -> None:
    assert against_most(0, 0).verdict == "full"


@pytest.mark.parametrize(
    ("value", "is_over", "verdict"), [(34, False, "open"), (34, True, "missed"), (35, False, "ok"), (36, True, "ok")]
)
def test_a_minimum_is_open_until_the_day_is_over(value: int, is_over: bool, verdict: str) -> None:
    assert against_least(value, 35, is_over=is_over).verdict == verdict


# --- deadlines


def judge(**known: Any) -> str:
    nothing = {"due_at": DUE, "first_contact_at": None, "verdict": None, "moved_on_at": None, "is_taken_back": False}
    return judge_deadline(**{**nothing, **known})


@pytest.mark.parametrize(
    ("known", "state"),
    [
        ({}, "open"),
        ({"first_contact_at": EARLY}, "met"),
        ({"first_contact_at": DUE}, "met"),
        ({"first_contact_at": LATE}, "late"),
        ({"moved_on_at": EARLY}, "gone"),
        ({"first_contact_at": EARLY, "moved_on_at": EARLY}, "met"),
        ({"moved_on_at": LATE}, "missed"),
        ({"verdict": "missed"}, "missed"),
        ({"verdict": "missed", "moved_on_at": LATE}, "missed"),
        ({"verdict": "missed", "moved_on_at": LATE, "is_taken_back": True}, "taken_back"),
        ({"moved_on_at": LATE, "is_taken_back": True}, "missed"),
        ({"moved_on_at": EARLY, "is_taken_back": True}, "gone"),
        ({"first_contact_at": EARLY, "moved_on_at": EARLY, "is_taken_back": True}, "met"),
    ],
)
def test_the_state_of_a_deadline_follows_from_what_is_known(known: dict[str, Any], state: str) -> None:
    assert judge(**known) == state


def test_a_verdict_stands_whatever_is_written_later() -> None:
    assert judge(verdict="missed", first_contact_at=LATE) == "missed"
    assert judge(verdict="late", first_contact_at=LATE, moved_on_at=LATE) == "late"


def test_nobody_has_missed_what_was_gone_before_it_was_due() -> None:
    assert judge(verdict="missed", moved_on_at=EARLY) == "gone"


def test_what_is_overdue() -> None:
    assert not is_overdue("open", DUE, DUE - HOUR)
    assert is_overdue("open", DUE, DUE)
    assert all(is_overdue(state, DUE, EARLY) for state in ("late", "missed", "taken_back"))
    assert not any(is_overdue(state, DUE, LATE) for state in ("met", "gone"))


def test_no_less_than_no_time_is_left() -> None:
    assert (seconds_left(DUE, EARLY), seconds_left(DUE, DUE), seconds_left(DUE, LATE)) == (3600, 0, 0)


# --- limits

EVERY_LIMIT: Limits = {
    ("person", ME): 5,
    ("department", TEAM): 6,
    ("department", HOUSE): 7,
    ("role", "rep"): 8,
    ("agency", None): 9,
}
FROM_NARROW_TO_WIDE = [
    (5, f"person:{ME}"),
    (6, f"department:{TEAM}"),
    (7, f"department:{HOUSE}"),
    (8, "role:rep"),
    (9, "agency"),
    (130, "default"),
]


@pytest.mark.parametrize("missing", range(6))
def test_the_narrowest_limit_counts(missing: int) -> None:
    limits = dict(list(EVERY_LIMIT.items())[missing:])
    assert decide_limit(limits, person_id=ME, departments=[TEAM, HOUSE], roles=["rep"]) == FROM_NARROW_TO_WIDE[missing]


def test_limits_of_others_do_not_count() -> None:
    limits: Limits = {("person", TEAM): 1, ("department", ME): 2, ("role", "manager"): 3}
    assert decide_limit(limits, person_id=ME, departments=[TEAM], roles=["rep"]).limit == 130


def test_of_several_roles_the_one_that_allows_most_counts() -> None:
    limits: Limits = {("role", "rep"): 10, ("role", "supervisor"): 20}
    assert decide_limit(limits, person_id=ME, departments=[], roles=["supervisor", "rep"]) == (20, "role:supervisor")


@pytest.mark.parametrize(
    "change",
    [
        {"subject": "agency", "role": "rep"},
        {"subject": "role"},
        {"subject": "role", "role": "rep", "person_id": ME},
        {"subject": "department", "person_id": ME},
        {"subject": "person"},
    ],
)
def test_a_limit_names_its_subject_and_nothing_else(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_subject(StockLimitChange(**change, limit=1))
    assert refused.value.details["reason"]


@pytest.mark.parametrize(
    "change",
    [
        {"subject": "agency", "agency_id": HOUSE},
        {"subject": "role", "role": "rep"},
        {"subject": "department", "department_id": TEAM},
        {"subject": "person", "person_id": ME},
    ],
)
def test_a_limit_that_names_its_subject_is_taken(change: dict[str, Any]) -> None:
    check_subject(StockLimitChange(**change, limit=None))
