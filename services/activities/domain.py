"""Decisions of activities: values in, decision out."""

from datetime import datetime
from typing import Literal

from services.contracts.errors import FollowUpForfeited, InvalidRequest, NotTheOwner

Verdict = Literal["met", "late", "missed"]


def is_effective(*, maturity: int, not_reached: bool, busy: bool) -> bool:
    """HC360's rule: grade 0, "not reached" (未联系到客户) and "busy, call again" (客户正忙) do not count."""
    return maturity > 0 and not not_reached and not busy


def check_note(*, holding: int, present_holding: int, is_forfeited: bool) -> None:
    """Whether a holder may still write. Raises NotTheOwner when it has moved on, FollowUpForfeited when it is too late."""
    if holding < present_holding:
        raise NotTheOwner()
    if holding == present_holding and is_forfeited:
        raise FollowUpForfeited()


def judge_first_contact(first_note_at: datetime | None, due: datetime) -> Verdict:
    """A note in the very moment of `due` is in time."""
    if first_note_at is None:
        return "missed"
    return "met" if first_note_at <= due else "late"


def close(first_note_at: datetime | None, due: datetime, now: datetime) -> Verdict:
    """The verdict once the time is up. Raises InvalidRequest when it is asked too early to say that something is missing."""
    verdict = judge_first_contact(first_note_at, due)
    if verdict == "missed" and now < due:
        raise InvalidRequest(reason="the time is not up yet")
    return verdict
