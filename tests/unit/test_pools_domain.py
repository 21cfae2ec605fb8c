"""What the rules of a pool forbid, to the instant."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.contracts.errors import (
    ChangedHandsTooOften,
    ClaimTooSoon,
    CoolingDown,
    DayOfClaimsFull,
    NewInPool,
    QudaoError,
)
from services.contracts.pools import ClaimRules
from services.customers.pools.domain import Past, business_day, check_claim, next_day

NOW = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
PAST = Past(claims=0, last_claim_at=None, pooled_at=NOW - timedelta(days=400), given_up_at=None, moves=0)


def claim(now: datetime = NOW, *, rules: dict[str, Any] | None = None, **past: Any) -> None:
    check_claim(ClaimRules.model_validate(rules or {}), PAST._replace(**past), now)


def test_without_rules_nothing_is_forbidden() -> None:
    claim(claims=1_000, last_claim_at=NOW, pooled_at=NOW, given_up_at=NOW, moves=1_000)


PASSING: list[tuple[dict[str, int], str, timedelta, type[QudaoError]]] = [
    ({"claim_interval_minutes": 10}, "last_claim_at", timedelta(minutes=10), ClaimTooSoon),
    ({"cool_down_days": 30}, "given_up_at", timedelta(days=30), CoolingDown),
    ({"protected_hours": 24}, "pooled_at", timedelta(hours=24), NewInPool),
]


@pytest.mark.parametrize(("rules", "what", "lasts", "error"), PASSING)
def test_what_passes_is_over_at_an_exact_instant_which_is_told(
    rules: dict[str, int], what: str, lasts: timedelta, error: type[QudaoError]
) -> None:
    with pytest.raises(error) as raised:
        claim(NOW + lasts - INSTANT, rules=rules, **{what: NOW})
    assert datetime.fromisoformat(raised.value.details["until"]) == NOW + lasts
    claim(NOW + lasts, rules=rules, **{what: NOW})


@pytest.mark.parametrize("rules", [{"claim_interval_minutes": 10}, {"cool_down_days": 30}])
def test_who_has_claimed_nothing_and_given_nothing_up_waits_for_nothing(rules: dict[str, int]) -> None:
    claim(rules=rules)


def test_a_day_has_so_many_claims_and_the_next_one_begins_at_midnight_in_shanghai() -> None:
    rules = {"claims_per_day": 5}
    claim(rules=rules, claims=4)
    with pytest.raises(DayOfClaimsFull) as raised:
        claim(rules=rules, claims=5)
    assert raised.value.details == {"claims": 5, "claims_per_day": 5, "until": "2026-11-26T16:00:00+00:00"}


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 11, 26, 15, 59, 59, 999_999, UTC), "2026-11-26"),
        (datetime(2026, 11, 26, 16, 0, tzinfo=UTC), "2026-11-27"),
        (datetime(2028, 2, 28, 16, 0, tzinfo=UTC), "2028-02-29"),
    ],
)
def test_a_claim_counts_on_the_day_in_shanghai(moment: datetime, day: str) -> None:
    assert business_day(moment).isoformat() == day
    assert business_day(next_day(moment)) == business_day(moment) + timedelta(days=1)
    assert business_day(next_day(moment) - INSTANT) == business_day(moment)


def test_what_has_changed_hands_too_often_is_assigned() -> None:
    rules = {"transfer_cap": 3}
    claim(rules=rules, moves=2)
    with pytest.raises(ChangedHandsTooOften) as raised:
        claim(rules=rules, moves=3)
    assert raised.value.details == {"moves": 3, "transfer_cap": 3}


def test_what_never_passes_is_told_before_what_does() -> None:
    with pytest.raises(ChangedHandsTooOften):
        claim(rules={"transfer_cap": 1, "cool_down_days": 1, "claims_per_day": 1}, moves=1, given_up_at=NOW, claims=1)
