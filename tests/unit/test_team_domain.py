"""The decisions about collaborators and handoffs."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from pydantic import ValidationError

from services.contracts.errors import HandoffClosed, HandoffLapsed, InvalidRequest, ReceiverUnfit
from services.contracts.team import Collaboration, HandoffPart
from services.customers.team import domain

OURS, THEIRS = UUID(int=10), UUID(int=11)
NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
A_MOMENT = timedelta(microseconds=1)


def test_colleagues_with_an_active_account_may_collaborate() -> None:
    domain.check_collaborator(status="active", agency_id=OURS, of_agency_id=OURS)


@pytest.mark.parametrize(
    ("status", "agency_id", "reason"),
    [
        ("active", THEIRS, "the person is of another agency"),
        ("locked", OURS, "the account is not active"),
        ("disabled", OURS, "the account is not active"),
    ],
)
def test_nobody_else_may(status: str, agency_id: UUID, reason: str) -> None:
    with pytest.raises(ReceiverUnfit) as raised:
        domain.check_collaborator(status=status, agency_id=agency_id, of_agency_id=OURS)
    assert raised.value.details == {"reason": reason}


def test_rights_end_later_than_they_begin() -> None:
    domain.check_end(None, NOW)
    domain.check_end(NOW + A_MOMENT, NOW)
    for until in (NOW, NOW - A_MOMENT):
        with pytest.raises(InvalidRequest):
            domain.check_end(until, NOW)


def test_a_handoff_waits_three_days_unless_told_otherwise_and_thirty_at_most() -> None:
    longest = NOW + timedelta(days=30)
    assert domain.end_of_wait(None, NOW) == NOW + timedelta(hours=72)
    assert domain.end_of_wait(longest, NOW) == longest
    for asked in (NOW, longest + A_MOMENT):
        with pytest.raises(InvalidRequest):
            domain.end_of_wait(asked, NOW)


@pytest.mark.parametrize(("part", "is_so"), [("sales", True), ("account_manager", True), ("support", False)])
def test_sales_and_account_management_are_taken_over(part: HandoffPart, is_so: bool) -> None:
    assert domain.takes_over(part) is is_so


def test_an_open_handoff_may_be_answered_until_its_last_moment() -> None:
    domain.check_open(state="open", expires_at=NOW + A_MOMENT, now=NOW)
    with pytest.raises(HandoffLapsed):
        domain.check_open(state="open", expires_at=NOW, now=NOW)


def test_nothing_comes_of_one_whose_customer_has_changed_hands_or_that_has_lapsed() -> None:
    with pytest.raises(HandoffLapsed):
        domain.check_open(state="open", expires_at=NOW + A_MOMENT, now=NOW, is_as_offered=False)
    with pytest.raises(HandoffLapsed):
        domain.check_open(state="lapsed", expires_at=NOW + A_MOMENT, now=NOW)


@pytest.mark.parametrize("state", ["accepted", "refused", "withdrawn"])
def test_who_comes_too_late_is_told_how_it_was_answered(state: str) -> None:
    with pytest.raises(HandoffClosed) as raised:
        domain.check_open(state=state, expires_at=NOW - A_MOMENT, now=NOW, is_as_offered=False)
    assert raised.value.details == {"state": state}


def test_what_nobody_has_answered_is_closed_when_its_time_is_up_and_not_before() -> None:
    domain.check_is_due(expires_at=NOW, now=NOW)
    with pytest.raises(InvalidRequest):
        domain.check_is_due(expires_at=NOW + A_MOMENT, now=NOW)


def test_rights_are_in_one_order_and_hold_read() -> None:
    assert Collaboration(part="support", rights=("update", "read", "update")).rights == ("read", "update")
    for rights in ((), ("update",), ("read", "own")):
        with pytest.raises(ValidationError):
            Collaboration(part="support", rights=rights)  # type: ignore[arg-type]
