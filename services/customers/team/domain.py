"""Decisions about collaborators and handoffs: values in, decision out."""

from datetime import datetime, timedelta
from uuid import UUID

from services.contracts.errors import HandoffClosed, HandoffLapsed, InvalidRequest, ReceiverUnfit
from services.contracts.team import Right

EVERY_RIGHT: tuple[Right, ...] = ("note", "read", "update")
"""Of who was handed off the support of a customer."""
RIGHTS_KEPT: tuple[Right, ...] = ("note", "read")
"""Of who has handed off a customer and keeps a part."""
DEFAULT_WAIT = timedelta(hours=72)
LONGEST_WAIT = timedelta(days=30)


def check_collaborator(*, status: str, agency_id: UUID, of_agency_id: UUID) -> None:
    """Raises ReceiverUnfit when a person may not work on a customer of this agency: nobody but colleagues ever may."""
    if agency_id != of_agency_id:
        raise ReceiverUnfit(reason="the person is of another agency")
    if status != "active":
        raise ReceiverUnfit(reason="the account is not active")


def check_end(until: datetime | None, now: datetime) -> None:
    """Raises InvalidRequest for rights that would have ended before they began."""
    if until is not None and until <= now:
        raise invalid("/until", "must be later than now")


def end_of_wait(asked: datetime | None, now: datetime) -> datetime:
    """Until when a handoff waits for an answer. Raises InvalidRequest."""
    if asked is None:
        return now + DEFAULT_WAIT
    if not now < asked <= now + LONGEST_WAIT:
        raise invalid("/expires_at", "must be later than now, and 30 days from now at most")
    return asked


def invalid(pointer: str, detail: str) -> InvalidRequest:
    return InvalidRequest(errors=[{"in": "body", "pointer": pointer, "detail": detail}])


def takes_over(part: str) -> bool:
    """Whether who accepts becomes the holder; otherwise he becomes a collaborator."""
    return part != "support"


def check_is_due(*, expires_at: datetime, now: datetime) -> None:
    """Raises InvalidRequest when it is asked too early to close what nobody has answered."""
    if now < expires_at:
        raise InvalidRequest(reason="the time is not up yet")


def check_open(*, state: str, expires_at: datetime, now: datetime, is_as_offered: bool = True) -> None:
    """Whether a handoff may still be answered. `is_as_offered`: who held the customer then has held it since.

    Raises HandoffLapsed when nothing can come of it any more, HandoffClosed when it was answered or withdrawn.
    """
    if state not in ("open", "lapsed"):
        raise HandoffClosed(state=state)
    if state == "lapsed" or now >= expires_at or not is_as_offered:
        raise HandoffLapsed()
