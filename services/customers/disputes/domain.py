"""What may be disputed, and until when. Values in, decision out."""

from datetime import datetime, timedelta
from uuid import UUID

from services.contracts.errors import AlreadyTheirs, NotDisputable

DISPUTABLE = timedelta(days=14)
"""After the attempt. Longer than the longest holidays, so that nobody misses it who was away, and short enough that the holder's
work of months is not disputed for an attempt that everybody has forgotten."""

DECIDED_WITHIN = timedelta(hours=72)
"""Clock hours: one can sleep over it, hear both sides and look at papers, and the customer is not left hanging."""

REASONS = frozenset({"held_by_colleague", "held_by_other_agency", "in_agency_pool", "in_other_agency_pool"})
"""Refusals by other sellers. Telesales and industry libraries are another line of business, the public pool is claimed."""


def disputable_until(outcome: str, reason: str | None, at: datetime) -> datetime | None:
    """None for an attempt that is not disputed at all."""
    return at + DISPUTABLE if outcome == "refused" and reason in REASONS else None


def check_attempt(outcome: str, reason: str | None, at: datetime, now: datetime) -> None:
    """Raises NotDisputable."""
    until = disputable_until(outcome, reason, at)
    if until is None:
        raise NotDisputable(
            detail="Disputed are entries that were refused because a colleague or another agency has the customer."
        )
    if now >= until:
        raise NotDisputable(detail=f"An attempt is disputed within {DISPUTABLE.days} days: enter the customer again.")


def check_holder(*, claimant_id: UUID, agency_id: UUID, owner_id: UUID | None, of_agency_id: UUID, pool_kind: str | None) -> None:
    """Of the customer as it is held now. Raises AlreadyTheirs, NotDisputable."""
    if owner_id == claimant_id:
        raise AlreadyTheirs()
    if pool_kind in ("telesales", "industry"):
        raise NotDisputable(detail="By now it belongs to another line of business.")
    if pool_kind == "public" and of_agency_id == agency_id:
        raise NotDisputable(detail="By now it lies in your agency's public pool: claim it.")
