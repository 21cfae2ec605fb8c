"""Decisions of customers about people and pools; those of the collision check stand in `collision`. Values in, decision out."""

from collections.abc import Sequence
from uuid import UUID

from services.contracts.customers import Cause, PoolKind
from services.contracts.errors import NotClaimable, ReceiverUnfit
from services.contracts.permissions import Scope
from services.contracts.reach import Reach


def check_receiver(*, status: str, abilities: Sequence[str], agency_id: UUID, of_agency_id: UUID, scope: Reach) -> None:
    """Raises ReceiverUnfit when a person may not be given a customer of this agency; headquarters gives across agencies."""
    if status != "active":
        raise ReceiverUnfit(reason="the account is not active")
    if "holds" not in abilities:
        raise ReceiverUnfit(reason="people of this role hold no customers")
    if agency_id != of_agency_id and scope is not Scope.ALL:
        raise ReceiverUnfit(reason="the person is of another agency")


def check_claimable(kind: PoolKind) -> None:
    """Raises NotClaimable for pools other than the public and custom ones."""
    if kind not in ("public", "custom"):
        raise NotClaimable(pool=kind)


def cause_of_release(*, owner_id: UUID, caller_id: UUID) -> Cause:
    """A rep's own is released; who oversees him takes it back."""
    return "release" if owner_id == caller_id else "take_back"
