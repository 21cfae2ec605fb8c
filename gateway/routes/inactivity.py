"""After how many days without a log-in accounts are locked."""

from typing import Annotated

from fastapi import Query

from gateway.caller import Reader, Writer
from gateway.openapi import reading, writing
from gateway.routes import make_router
from services.contracts.errors import NotFound
from services.contracts.inactivity import (
    SET_INACTIVITY,
    SHOW_INACTIVITY,
    AskInactivity,
    InactivityView,
    SetInactivity,
)

router = make_router("identity")


@router.get("/policies/inactivity", summary="After how many days accounts are locked", responses=reading(NotFound))
async def show_inactivity(query: Annotated[AskInactivity, Query()], caller: Reader) -> InactivityView:
    return await caller.ask(SHOW_INACTIVITY, query)


@router.put("/policies/inactivity", summary="Say after how many days accounts are locked", responses=writing(NotFound))
async def set_inactivity(body: SetInactivity, caller: Writer) -> InactivityView:
    return await caller.ask(SET_INACTIVITY, body)
