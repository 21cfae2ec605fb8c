"""Days against the rules, deadlines, and the policies that say what the rules are."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Query

from gateway.caller import Reader, Writer
from gateway.openapi import reading, writing
from gateway.paging import LINK, Pages
from gateway.routes import make_router
from services.contracts import base
from services.contracts.base import Page
from services.contracts.errors import DepartmentMerged, InvalidCursor, NotFound
from services.contracts.rules import (
    LIST_DAYS,
    LIST_DEADLINES,
    SET_FOLLOW_UP,
    SET_STOCK_LIMIT,
    SHOW_DAY,
    SHOW_POLICIES,
    AgencyPolicies,
    AskDay,
    AskPolicies,
    DayView,
    DeadlineView,
    FollowUpChange,
    FollowUpView,
    ListDays,
    ListDeadlines,
    StockLimitChange,
    StockLimitView,
    TeamDay,
)

router = make_router("rules")


class OfDay(base.Query):
    """Today when no day is given."""

    day: date | None = None


@router.get("/me/day", summary="My figures of a day", responses=reading())
async def show_my_day(query: Annotated[OfDay, Query()], caller: Reader) -> DayView:
    return await caller.ask(SHOW_DAY, AskDay(**query.model_dump(exclude_unset=True)))


@router.get("/people/{person_id}/day", summary="Somebody's figures of a day", responses=reading(NotFound))
async def show_day(person_id: UUID, query: Annotated[OfDay, Query()], caller: Reader) -> DayView:
    return await caller.ask(SHOW_DAY, AskDay(person_id=person_id, **query.model_dump(exclude_unset=True)))


@router.get("/days", summary="List the figures of a team", responses=reading(InvalidCursor) | LINK)
async def list_days(query: Annotated[ListDays, Query()], caller: Reader, pages: Pages) -> Page[TeamDay]:
    return pages.linked(await caller.ask(LIST_DAYS, query))


@router.get(
    "/deadlines",
    summary="List first contacts with web-registered members, the newest first",
    responses=reading(InvalidCursor) | LINK,
)
async def list_deadlines(query: Annotated[ListDeadlines, Query()], caller: Reader, pages: Pages) -> Page[DeadlineView]:
    return pages.linked(await caller.ask(LIST_DEADLINES, query))


@router.get("/policies", summary="Show an agency's policies", responses=reading(NotFound))
async def show_policies(query: Annotated[AskPolicies, Query()], caller: Reader) -> AgencyPolicies:
    return await caller.ask(SHOW_POLICIES, query)


@router.put("/policies/stock-limit", summary="Set or remove a limit of stock", responses=writing(NotFound, DepartmentMerged))
async def set_stock_limit(body: StockLimitChange, caller: Writer) -> StockLimitView:
    return await caller.ask(SET_STOCK_LIMIT, body)


@router.put("/policies/follow-up", summary="Say what a missed first contact leads to", responses=writing(NotFound))
async def set_follow_up(body: FollowUpChange, caller: Writer) -> FollowUpView:
    return await caller.ask(SET_FOLLOW_UP, body)
