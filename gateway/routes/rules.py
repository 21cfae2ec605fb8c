"""Figures and limits."""

from gateway.caller import Reader
from gateway.openapi import reading
from gateway.routes import make_router
from services.contracts.base import Nothing
from services.contracts.rules import SHOW_DAY, DayView

router = make_router("rules")


@router.get("/me/day", summary="My figures of today", responses=reading())
async def show_day(caller: Reader) -> DayView:
    return await caller.ask(SHOW_DAY, Nothing())
