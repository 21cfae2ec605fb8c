"""What `rules` answers and tells: limits and minimums as policies, the figures of a day against them, and deadlines."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from services.contracts.base import Command, Event, Page, PageQuery, Query, View, command, query
from services.contracts.permissions import RoleName


class Figure(View):
    """`value` against `limit` (a most) or `minimum` (a least), whichever is set.

    `ok`: within the limit, or the minimum is reached. `full`: at the limit. `open`: the minimum is not reached and the day is not
    over. `missed`: it is over.
    """

    value: int
    limit: int | None = None
    minimum: int | None = None
    verdict: Literal["ok", "full", "open", "missed"] = "ok"


DeadlineState = Literal["open", "met", "late", "missed", "taken_back", "gone"]


class DeadlineView(View):
    """The first contact with a web-registered member, due 24 hours after a rep received it unless the agency has set other hours.

    `open`: not yet made; `is_overdue` when the time is up. `met`: the first note came in time. `late`: it came after the time,
    but before anybody looked. `missed`: there was none when the time was up. `taken_back`: missed, and the customer went back to
    the pool. `gone`: it went to somebody else before.
    """

    id: UUID
    customer_id: UUID
    customer_name: str
    owner_id: UUID
    owner_name: str
    received_at: datetime
    due_at: datetime
    seconds_left: int = Field(description="0 once it is due.")
    state: DeadlineState
    is_overdue: bool


class AskDay(Query):
    """The caller's own day when nobody is named, and today when no day is."""

    person_id: UUID | None = None
    day: date | None = None


class DayView(View):
    """A person's day in his agency's time zone.

    Figures follow the events that other services send, within a second as a rule. The defaults: stock at most 130, at least 35
    effective contacts with distinct customers, at least 3 new key customers. `stock` is of now, whatever the day.
    `web_members` are the first contacts that are still to be made. Nothing is asked of those whose role holds no customers.
    """

    person_id: UUID
    person_name: str
    day: date
    time_zone: str
    stock: Figure
    entered: Figure
    contacts: Figure
    effective_contacts: Figure
    new_key_customers: Figure
    web_members: list[DeadlineView]


class ListDays(PageQuery):
    """Of the people within the caller's reach who may hold customers; today when no day is given."""

    day: date | None = None


class TeamDay(View):
    """One person's line in the list of a team."""

    id: UUID
    person_name: str
    department_id: UUID
    stock: Figure
    effective_contacts: Figure
    new_key_customers: Figure
    open_web_members: int
    overdue_web_members: int


class ListDeadlines(PageQuery):
    """The newest first, within the caller's reach. `overdue`: open past its time, late, missed or taken back."""

    state: DeadlineState | None = None
    overdue: bool = False


# --- policies


Subject = Literal["agency", "role", "department", "person"]


class StockLimitChange(Command):
    """How many customers may be held: by everybody of an agency, a role, a department with those below it, or one person.

    The narrowest one counts: person before department (the nearest) before role before agency before the default of 130.
    `limit` null removes it. A lowered limit takes nothing away; it keeps more from coming.
    """

    subject: Subject
    agency_id: UUID | None = Field(default=None, description="The caller's own when absent.")
    role: RoleName | None = None
    department_id: UUID | None = None
    person_id: UUID | None = None
    limit: Annotated[int, Field(ge=0, le=100_000)] | None


class FollowUpChange(Command):
    """What happens when the first contact with a web-registered member is not made in time.

    `take_back`: the customer goes to the agency pool. `list`: the supervisor sees it, nothing else.
    """

    agency_id: UUID | None = Field(default=None, description="The caller's own when absent.")
    hours: Annotated[int, Field(ge=1, le=720)] = 24
    on_missed: Literal["take_back", "list"] = "take_back"


class StockLimitView(View):
    id: UUID
    version: int
    agency_id: UUID
    subject: Subject
    role: str | None
    department_id: UUID | None
    person_id: UUID | None
    limit: int | None


class FollowUpView(View):
    agency_id: UUID
    version: int
    hours: int
    on_missed: Literal["take_back", "list"]


class AgencyPolicies(View):
    """`default_stock_limit` holds where no limit is set."""

    agency_id: UUID
    default_stock_limit: int
    stock_limits: list[StockLimitView]
    follow_up: FollowUpView


class AskPolicies(Query):
    agency_id: UUID | None = None


class AskAllowance(Query):
    person_id: UUID


class Allowance(View):
    """How many customers a person may hold; a higher version replaces a lower one. `decided_by` names the policy."""

    person_id: UUID
    agency_id: UUID
    version: int
    limit: int
    decided_by: str


SHOW_DAY = query("rules.show_day", AskDay, DayView, "day:read")
LIST_DAYS = query("rules.list_days", ListDays, Page[TeamDay], "day:read")
LIST_DEADLINES = query("rules.list_deadlines", ListDeadlines, Page[DeadlineView], "deadline:read")
SHOW_POLICIES = query("rules.show_policies", AskPolicies, AgencyPolicies, "policy:read")
SET_STOCK_LIMIT = command("rules.set_stock_limit", StockLimitChange, StockLimitView, "policy:set")
SET_FOLLOW_UP = command("rules.set_follow_up", FollowUpChange, FollowUpView, "policy:set")
SHOW_ALLOWANCE = query("rules.show_allowance", AskAllowance, Allowance, "allowance:read")


# --- events


class AllowanceSet(Event, source="rules"):
    """What a person may hold from now on; the aggregate is the person."""

    person_id: UUID
    agency_id: UUID
    limit: int
    decided_by: str


class StockLimitSet(Event, source="rules"):
    """A policy was set, changed or removed (`limit` null)."""

    policy_id: UUID
    subject: Subject
    role: str | None
    department_id: UUID | None
    person_id: UUID | None
    limit: int | None


class FollowUpSet(Event, source="rules"):
    """The policy of an agency for first contacts; the aggregate is the agency."""

    agency_id: UUID
    hours: int
    on_missed: Literal["take_back", "list"]
