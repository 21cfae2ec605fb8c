"""The decisions of activities."""

from datetime import UTC, datetime, timedelta

import pytest

from services.activities.domain import check_note, close, is_effective, judge_first_contact
from services.contracts.errors import FollowUpForfeited, InvalidRequest, NotTheOwner

DUE = datetime(2026, 3, 1, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("maturity", "not_reached", "busy", "counts"),
    [
        (0, False, False, False),
        (2, True, False, False),
        (2, False, True, False),
        (2, False, False, True),
        (1, False, False, True),
    ],
)
def test_an_effective_contact(maturity: int, not_reached: bool, busy: bool, counts: bool) -> None:
    assert is_effective(maturity=maturity, not_reached=not_reached, busy=busy) is counts


@pytest.mark.parametrize(
    ("first_note_at", "verdict"), [(DUE - MOMENT, "met"), (DUE, "met"), (DUE + MOMENT, "late"), (None, "missed")]
)
def test_a_first_contact_is_in_time_up_to_the_very_moment(first_note_at: datetime | None, verdict: str) -> None:
    assert judge_first_contact(first_note_at, DUE) == verdict


def test_nothing_is_missed_before_its_time() -> None:
    with pytest.raises(InvalidRequest):
        close(None, DUE, DUE - MOMENT)
    assert close(None, DUE, DUE) == "missed"
    assert close(DUE - 2 * MOMENT, DUE, DUE - MOMENT) == "met"


def test_who_held_the_customer_before_writes_no_more() -> None:
    with pytest.raises(NotTheOwner):
        check_note(holding=2, present_holding=3, is_forfeited=False)


def test_who_has_forfeited_a_customer_writes_no_more() -> None:
    with pytest.raises(FollowUpForfeited):
        check_note(holding=3, present_holding=3, is_forfeited=True)
    check_note(holding=3, present_holding=3, is_forfeited=False)
