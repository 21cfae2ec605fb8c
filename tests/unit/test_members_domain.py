"""Which customer a member is, and whose turn it is."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.customers.collision.divisions import Region
from services.customers.collision.evidence import Effect, Known, Match
from services.customers.collision.verdict import Viewpoint
from services.customers.members.domain import choose_known, codes_of, in_turn, may_assign

OURS, THEIRS, REP = UUID(int=1), UUID(int=2), UUID(int=3)
VIEWPOINT = Viewpoint(UUID(int=0), OURS, may_claim=False)


def met(number: int, effect: Effect = "same", agency_id: UUID = OURS, **held: Any) -> Match:
    known = Known(UUID(int=number), f"{number}", (), None, None, agency_id, None, None, None, None)
    return Match(replace(known, **held), (), effect)


COLLEAGUE = met(19, owner_id=REP)
ELSEWHERE = met(18, owner_id=REP, agency_id=THEIRS)
TELESALES = met(17, pool_kind="telesales", agency_id=THEIRS)
AGENCY_POOL = met(16, pool_kind="agency")
OTHER_POOL = met(15, pool_kind="public", agency_id=THEIRS)
PUBLIC_POOL = met(14, pool_kind="public")
IN_ORDER = [COLLEAGUE, ELSEWHERE, TELESALES, AGENCY_POOL, OTHER_POOL, PUBLIC_POOL]


@given(st.lists(st.sampled_from(IN_ORDER), min_size=1))
def test_it_is_the_one_by_which_an_entry_would_be_refused(matches: list[Match]) -> None:
    assert choose_known(matches, VIEWPOINT) == min(matches, key=IN_ORDER.index).known


def test_of_several_alike_it_is_the_oldest() -> None:
    older = met(4, pool_kind="public")
    assert choose_known([PUBLIC_POOL, older, met(5, pool_kind="public")], VIEWPOINT) == older.known


def test_who_only_comes_near_it_is_not() -> None:
    assert choose_known([], VIEWPOINT) is None
    assert choose_known([met(1, "near", owner_id=REP), met(2, "listed", pool_kind="agency")], VIEWPOINT) is None


@pytest.mark.parametrize(
    ("match", "of_agency", "of_headquarters"),
    [
        (AGENCY_POOL, True, True),
        (PUBLIC_POOL, True, True),
        (OTHER_POOL, False, True),
        (COLLEAGUE, False, False),
        (ELSEWHERE, False, False),
        (TELESALES, False, False),
    ],
)
def test_only_what_lies_in_a_pool_is_given_away(match: Match, of_agency: bool, of_headquarters: bool) -> None:
    assert may_assign(match.known, OURS, by_territory=False) == of_agency
    assert may_assign(match.known, OURS, by_territory=True) == of_headquarters


@pytest.mark.parametrize(
    ("typed", "named", "codes"),
    [
        (Region(), Region(), []),
        (Region("320000"), Region(), ["320000"]),
        (Region("320000"), Region("320000", "321000"), ["321000", "320000"]),
        (Region("320000", "320100"), Region("320000", "321000"), ["320100", "320000"]),
        (Region(), Region("320000", "321000", "321084"), ["321084", "321000", "320000"]),
        (Region("310000", "310000"), Region(), ["310000"]),
    ],
)
def test_the_place_is_what_was_typed_then_what_the_name_says(typed: Region, named: Region, codes: list[str]) -> None:
    assert codes_of(typed, named) == codes


@given(st.sets(st.uuids(), min_size=1, max_size=8), st.integers(0, 60))
def test_turns_are_fair_within_one(waiting: set[UUID], rounds: int) -> None:
    last, counts = None, dict.fromkeys(waiting, 0)
    for _ in range(rounds):
        last = in_turn(waiting, last)[0]
        counts[last] += 1
    assert max(counts.values()) - min(counts.values()) <= 1


@given(st.sets(st.uuids(), max_size=8), st.none() | st.uuids())
def test_everybody_has_a_turn_whoever_was_last(waiting: set[UUID], last: UUID | None) -> None:
    order = in_turn(waiting, last)
    assert set(order) == waiting
    assert last not in order[:-1]
