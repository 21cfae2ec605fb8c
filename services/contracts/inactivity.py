"""Accounts that nobody uses: after how many days they are locked, and who is told before."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.contracts.base import Command, Event, Nothing, Query, View, command, query

Days = Annotated[int, Field(ge=1, le=3650)]
NoticeDays = Annotated[int, Field(ge=0, le=365)]


class SetInactivity(Command):
    """After how many whole calendar days without a log-in accounts are locked; from how many days before it is noticed.

    Headquarters' own holds for everybody. Another agency's may only be stricter; `days` null takes it back, and headquarters'
    counts again. The caller's own agency when none is named.
    """

    agency_id: UUID | None = None
    days: Days | None
    notice_days: NoticeDays | None = None


class AskInactivity(Query):
    agency_id: UUID | None = None


class InactivityView(View):
    """`days` and `notice_days` hold by now; `own_days` and `own_notice_days` are what the agency has set itself."""

    agency_id: UUID
    version: int = Field(description="0 as long as the agency has set nothing.")
    days: int
    notice_days: int
    own_days: int | None
    own_notice_days: int | None


class NoticeInactivity(Command):
    """Tells that a user is about to be locked; does nothing when that was told already, or is true no more."""

    user_id: UUID


SHOW_INACTIVITY = query("identity.show_inactivity", AskInactivity, InactivityView, "policy:read")
SET_INACTIVITY = command("identity.set_inactivity", SetInactivity, InactivityView, "policy:set")
NOTICE_INACTIVITY = command("identity.notice_inactivity", NoticeInactivity, Nothing, "user:lock")


# --- events


class InactivitySet(Event, source="identity"):
    """Full state of what an agency has set; headquarters' holds for all."""

    agency_id: UUID
    days: int | None
    notice_days: int | None


class InactivityNoticed(Event, source="identity"):
    """Somebody will be locked unless he logs in; told once for each time that he stays away. `locked_on` in the agency's time
    zone."""

    user_id: UUID
    agency_id: UUID
    department_id: UUID
    display_name: str
    active_at: datetime
    locked_on: date
