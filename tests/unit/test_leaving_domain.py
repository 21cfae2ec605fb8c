"""Whose turn it is, and when a handover is over."""

from collections import Counter
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.leaving import Assignment, LeavingPlan, Share
from services.customers.leaving.domain import in_turn, state_at_end, wanted
from services.identity.domain import status_of_leaving

ONE, OTHER, THIRD, CUSTOMER = (UUID(int=number) for number in range(1, 5))


def test_a_listed_customer_goes_to_nobody_else() -> None:
    shares = (Share(person_id=ONE),)
    assert wanted(LeavingPlan(receivers=shares), CUSTOMER, {}) == [ONE]
    assert wanted(LeavingPlan(receivers=shares, customers=(Assignment(customer_id=CUSTOMER, to=OTHER),)), CUSTOMER, {}) == [OTHER]
    assert wanted(LeavingPlan(receivers=shares, customers=(Assignment(customer_id=CUSTOMER),)), CUSTOMER, {}) == []
    assert wanted(LeavingPlan(), CUSTOMER, {}) == []


def test_the_next_one_goes_to_who_is_least_ahead_of_his_share() -> None:
    receivers = [Share(person_id=ONE, share=2), Share(person_id=OTHER)]
    assert in_turn(receivers, {}) == [ONE, OTHER]
    assert in_turn(receivers, {ONE: 2}) == [OTHER, ONE]
    assert in_turn(receivers, {ONE: 2, OTHER: 1}) == [ONE, OTHER]


@given(st.lists(st.integers(1, 20), min_size=1, max_size=5), st.integers(0, 200))
def test_nobody_is_a_whole_customer_behind_his_share(shares: list[int], customers: int) -> None:
    receivers = [Share(person_id=UUID(int=at), share=share) for at, share in enumerate(shares)]
    got: Counter[UUID] = Counter()
    for _ in range(customers):
        got[in_turn(receivers, got)[0]] += 1
    for receiver in receivers:
        assert got[receiver.person_id] > customers * receiver.share / sum(shares) - 1 - 1e-9


@pytest.mark.parametrize(("held", "left", "state"), [(0, 0, "done"), (1, 0, "with_leftovers"), (0, 1, "with_leftovers")])
def test_it_is_done_when_nothing_is_left(held: int, left: int, state: str) -> None:
    assert state_at_end(held=held, left=left) == state


def test_a_leaving_is_over_when_everybody_who_takes_part_has_said_so() -> None:
    assert status_of_leaving([None, None]) == "planned"
    assert status_of_leaving([None, "done"]) == "running"
    assert status_of_leaving(["running", "done"]) == "running"
    assert status_of_leaving(["done", "done"]) == "done"
    assert status_of_leaving(["with_leftovers", "done"]) == "with_leftovers"
    assert status_of_leaving(["with_leftovers", None]) == "running"
