"""Ranges by equality: what lies in a range has one of the buckets that cover it, and hardly anything else has."""

import math
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.customers.search.ranges import DAY, FIRST, LAST, NUMBER, buckets_of, covering, place_of

numbers = st.one_of(st.integers(-(10**15), 10**15), st.floats(-1e99, 1e99))
days = st.dates().map(date.isoformat)


def at(value: object) -> int:
    place = place_of(value)
    assert place
    return place.at


def is_met(value: object, first: object = None, last: object = None) -> bool:
    place = place_of(value)
    assert place
    cover = covering(place.kind, FIRST if first is None else at(first), LAST if last is None else at(last))
    return not set(cover).isdisjoint(buckets_of(value))


@given(numbers, numbers)
def test_numbers_have_their_places_in_their_order(one: float, other: float) -> None:
    low, high = sorted((one, other))

    assert FIRST <= at(low) <= at(high) <= LAST


@given(numbers, numbers, numbers)
def test_a_number_in_a_range_is_met_and_one_outside_only_at_its_ends(value: float, one: float, other: float) -> None:
    low, high = sorted((one, other))
    if low <= value <= high:
        assert is_met(value, low, high)
    assert is_met(value, low, high) == (at(low) <= at(value) <= at(high))
    assert is_met(value, first=low) == (at(value) >= at(low))
    assert is_met(value, last=high) == (at(value) <= at(high))


@given(days, days, days)
def test_a_day_is_met_by_just_the_ranges_in_which_it_lies(day: str, one: str, other: str) -> None:
    low, high = sorted((one, other))

    assert is_met(day, low, high) == (low <= day <= high)


@given(st.integers(FIRST, LAST), st.integers(FIRST, LAST))
def test_few_buckets_cover_any_range(one: int, other: int) -> None:
    first, last = sorted((one, other))

    assert 1 <= len(covering(NUMBER, first, last)) <= 2 * 15 * 6
    assert covering(NUMBER, last + 1, first) == []


def test_whole_numbers_of_a_firm_are_told_apart() -> None:
    assert [is_met(staff, first=50) for staff in (48, 49, 50, 51, 4_000)] == [False, False, True, True, True]
    assert [is_met(staff, 100, 120) for staff in (99, 100, 110, 120, 121)] == [False, True, True, True, False]
    assert len(covering(NUMBER, at(50), LAST)) < 60


def test_a_day_behind_the_other_is_told_from_it() -> None:
    day = date(2026, 2, 28)
    for _ in range(3):
        assert not is_met(day.isoformat(), first=(day + timedelta(1)).isoformat())
        day += timedelta(1)
    assert len(covering(DAY, at("2026-01-05"), at("2026-11-12"))) < 60


@pytest.mark.parametrize("value", [True, None, "fifty", "50", "2026-02-30", "2026-2-3", ["2026-02-03"], {}, ""])
def test_what_is_neither_number_nor_date_has_no_buckets(value: object) -> None:
    assert place_of(value) is None
    assert list(buckets_of(value)) == []


def test_zero_has_one_place() -> None:
    assert at(0) == at(-0.0) == at(0.0)
    assert at(-math.ulp(0.0)) < at(0)
