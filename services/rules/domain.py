"""Decisions of rules: values in, decision out."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

# The resource rules of HC360's training deck.
STOCK_LIMIT = 130
MIN_EFFECTIVE_CONTACTS = 35
MIN_NEW_KEY_CUSTOMERS = 3

TIME_ZONE = "Asia/Shanghai"


def business_day(moment: datetime, time_zone: str = TIME_ZONE) -> date:
    """The day on which something counts, in the agency's time zone."""
    return moment.astimezone(ZoneInfo(time_zone)).date()
