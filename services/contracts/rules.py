"""What `rules` answers: the figures of a day against what is asked of a person."""

from datetime import date

from services.contracts.base import Nothing, View, query


class Figure(View):
    """`value` against `limit` (a most) or `minimum` (a least), whichever is set."""

    value: int
    limit: int | None = None
    minimum: int | None = None


class DayView(View):
    """The caller's day in his agency's time zone.

    Figures follow the events that other services send, within a second as a rule. Defaults of the deck: stock at most 130,
    at least 35 effective contacts with distinct customers, at least 3 new key customers.
    """

    day: date
    time_zone: str
    stock: Figure
    entered: Figure
    contacts: Figure
    effective_contacts: Figure
    new_key_customers: Figure


SHOW_DAY = query("rules.show_day", Nothing, DayView, "day:read")
