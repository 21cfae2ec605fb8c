"""What may be disputed and until when, and what of a text the other side reads."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.contracts.errors import AlreadyTheirs, NotDisputable
from services.customers.disputes.domain import DISPUTABLE, REASONS, check_attempt, check_holder, disputable_until
from services.customers.disputes.views import without_numbers

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
ME, OTHER, OURS, THEIRS = (UUID(int=number) for number in range(1, 5))
HELD: dict[str, Any] = {"claimant_id": ME, "agency_id": OURS, "owner_id": OTHER, "of_agency_id": OURS, "pool_kind": None}


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_a_refusal_by_other_sellers_is_disputed_for_fourteen_days(reason: str) -> None:
    until = disputable_until("refused", reason, AT)
    assert until == AT + timedelta(days=14)
    check_attempt("refused", reason, AT, until - timedelta(microseconds=1))
    with pytest.raises(NotDisputable, match="cannot be disputed"):
        check_attempt("refused", reason, AT, until)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        ("refused", "held_by_telesales"),
        ("refused", "held_by_industry"),
        ("refused", "in_public_pool"),
        ("refused", None),
        ("bound_to_yours", None),
        ("claimable", None),
        ("needs_confirmation", None),
    ],
)
def test_nothing_else_is_disputed(outcome: str, reason: str | None) -> None:
    assert disputable_until(outcome, reason, AT) is None
    with pytest.raises(NotDisputable):
        check_attempt(outcome, reason, AT, AT)


def test_fourteen_days_outlast_the_longest_holidays() -> None:
    assert timedelta(days=9) < DISPUTABLE


@pytest.mark.parametrize(
    "held",
    [
        {},
        {"of_agency_id": THEIRS},
        {"owner_id": None, "pool_kind": "agency"},
        {"owner_id": None, "pool_kind": "public", "of_agency_id": THEIRS},
    ],
)
def test_what_others_have_is_disputed_with_them(held: dict[str, Any]) -> None:
    check_holder(**HELD | held)


@pytest.mark.parametrize(
    ("held", "error"),
    [
        ({"owner_id": ME}, AlreadyTheirs),
        ({"owner_id": None, "pool_kind": "public"}, NotDisputable),
        ({"owner_id": None, "pool_kind": "telesales", "of_agency_id": THEIRS}, NotDisputable),
        ({"owner_id": None, "pool_kind": "industry", "of_agency_id": THEIRS}, NotDisputable),
    ],
)
def test_what_one_has_or_may_claim_or_sells_otherwise_is_not(held: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        check_holder(**HELD | held)


@pytest.mark.parametrize(
    "number", ["13800138000", "138 0013 8000", "0514-87654321", "(0514) 8765432", "１３８００１３８０００", "8765432"]
)
def test_a_number_by_which_somebody_is_called_is_masked(number: str) -> None:
    told = without_numbers(f"找刘女士{number}谈")
    assert number not in told
    assert "****" in told
    assert told.startswith("找刘女士")


@pytest.mark.parametrize("text", ["2026-03-02 见面", "3 次, 120000 元", "2026年3月2日下午 3 点"])
def test_days_and_small_numbers_stay(text: str) -> None:
    assert without_numbers(text) == text
