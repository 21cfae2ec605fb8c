"""Buckets of tokens under a clock of the test."""

import pytest

from gateway import limits
from gateway.limits import RateLimit, TooManyRequests


def taken(limit: RateLimit, who: str, moments: list[float]) -> int:
    """How many of those who ask are answered."""
    return sum(is_taken(limit, who, now) for now in moments)


def is_taken(limit: RateLimit, who: str, now: float) -> bool:
    try:
        limit.take(who, now)
    except TooManyRequests:
        return False
    return True


def every(seconds: float, *, until: float) -> list[float]:
    return [number * seconds for number in range(round(until / seconds))]


def test_a_burst_is_answered_and_no_more() -> None:
    assert taken(RateLimit(10, 20), "li", [5.0] * 100) == 20


@pytest.mark.parametrize("pace", [0.1, 0.25, 3.0])
def test_whoever_keeps_to_the_rate_is_always_answered(pace: float) -> None:
    moments = every(pace, until=300)

    assert taken(RateLimit(10, 20), "li", moments) == len(moments)


def test_what_is_given_back_was_not_taken() -> None:
    limit = RateLimit(0.001, 3)
    for _ in range(20):
        limit.take("li", 5.0)
        limit.give_back("li")
    limit.give_back("somebody else")
    assert taken(limit, "li", [5.0] * 10) == 3


def test_a_flood_is_answered_at_the_rate() -> None:
    assert taken(RateLimit(10, 20), "li", every(0.001, until=60)) == pytest.approx(20 + 10 * 60, abs=1)


def test_the_refused_learn_when_there_is_a_token_again() -> None:
    limit = RateLimit(0.5, 1)
    limit.take("li", 10.0)

    with pytest.raises(TooManyRequests) as refused:
        limit.take("li", 10.5)

    assert refused.value.details == {"retry_after": 1.5}
    assert not is_taken(limit, "li", 11.9)
    assert is_taken(limit, "li", 12.0)


def test_nobody_pays_for_another() -> None:
    limit = RateLimit(10, 20)
    taken(limit, "li", [0.0] * 100)

    assert taken(limit, "han", [0.0] * 20) == 20


def test_who_has_not_asked_for_long_is_forgotten() -> None:
    limit = RateLimit(10, 20)
    for number in range(50):
        limit.take(f"user {number}", number * 0.01)
    assert len(limit) == 50

    limit.take("li", 2.25)

    assert len(limit) == 25  # the twenty-four of the last two seconds, and li


def test_a_flood_of_users_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REMEMBERED", 100)
    limit = RateLimit(0.001, 1)
    for number in range(1_000):
        limit.take(f"user {number}", 0.0)

    assert len(limit) == 100
    assert not is_taken(limit, "user 999", 1.0)


def test_one_who_asks_all_the_time_is_not_forgotten() -> None:
    """Not even by a bucket that was full when he came."""
    limit = RateLimit(1, 2)

    assert taken(limit, "li", [0.0, 10.0, 10.0, 10.0]) == 3
