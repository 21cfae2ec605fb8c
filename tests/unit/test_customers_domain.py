"""The decisions of customers about people and pools."""

from typing import Any
from uuid import UUID

import pytest

from services.contracts.errors import NotClaimable, ReceiverUnfit
from services.contracts.permissions import Scope, abilities_of_built_in
from services.customers.holding.domain import cause_of_release, check_claimable, check_receiver

OURS, THEIRS = UUID(int=10), UUID(int=11)
REP: dict[str, Any] = {"status": "active", "abilities": ["holds"], "agency_id": OURS, "of_agency_id": OURS, "scope": Scope.AGENCY}


@pytest.mark.parametrize("role", ["rep", "supervisor", "manager"])
def test_sellers_may_be_given_customers(role: str) -> None:
    check_receiver(**{**REP, "abilities": abilities_of_built_in(["auditor", role])})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "locked"}, "the account is not active"),
        ({"status": "disabled"}, "the account is not active"),
        ({"abilities": abilities_of_built_in(["auditor"])}, "people of this role hold no customers"),
        ({"abilities": abilities_of_built_in(["agency_admin"])}, "people of this role hold no customers"),
        ({"of_agency_id": THEIRS}, "the person is of another agency"),
    ],
)
def test_who_cannot_hold_a_customer_is_not_given_one(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ReceiverUnfit) as raised:
        check_receiver(**{**REP, **change})
    assert raised.value.details == {"reason": reason}


def test_headquarters_gives_across_agencies() -> None:
    check_receiver(**{**REP, "of_agency_id": THEIRS, "scope": Scope.ALL})


def test_only_public_and_custom_pools_are_claimed_from() -> None:
    for kind in ("public", "custom"):
        check_claimable(kind)  # type: ignore[arg-type]
    for kind in ("agency", "telesales", "industry"):
        with pytest.raises(NotClaimable):
            check_claimable(kind)  # type: ignore[arg-type]


def test_ones_own_is_released_and_anothers_taken_back() -> None:
    assert cause_of_release(owner_id=OURS, caller_id=OURS) == "release"
    assert cause_of_release(owner_id=OURS, caller_id=THEIRS) == "take_back"
