"""Leaving with handover, and what somebody still has."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from gateway.caller import Caller, Reader, Writer
from gateway.openapi import reading, writing
from gateway.paging import LINK, Pages
from gateway.routes import PREFIX, make_router
from gateway.versions import LOCATION
from services.contracts import leaving as contract
from services.contracts.base import Page, PageQuery
from services.contracts.errors import (
    AboveYourRights,
    DeadlinePassed,
    InvalidCursor,
    LastAdministrator,
    LeavingUnderWay,
    NotFound,
    OwnAccount,
    ServiceUnavailable,
    UserIsBack,
)

router = make_router("identity")


class Items(PageQuery):
    outcome: contract.Outcome | None = None


@router.post(
    "/users/{user_id}/leaving",
    status_code=202,
    summary="Shut a user's account and hand over what he holds, by a plan",
    responses=writing(NotFound, AboveYourRights, OwnAccount, LastAdministrator, LeavingUnderWay) | {202: {"headers": LOCATION}},
)
async def leave_user(user_id: UUID, body: contract.LeavingPlan, caller: Writer, response: Response) -> contract.LeavingView:
    leaving = await caller.ask(contract.LEAVE_USER, contract.LeaveUser(user_id=user_id, plan=body))
    response.headers["Location"] = f"{PREFIX}/leavings/{leaving.id}"
    return leaving


@router.get("/users/{user_id}/holdings", summary="What a user still has", responses=reading(NotFound))
async def show_held(user_id: UUID, caller: Reader) -> contract.Held:
    return await caller.ask(contract.SHOW_HELD, contract.ShowHeld(user_id=user_id))


@router.get("/leavings", summary="List leavings, the newest first", responses=reading(InvalidCursor) | LINK)
async def list_leavings(
    query: Annotated[contract.ListLeavings, Query()], caller: Reader, pages: Pages
) -> Page[contract.LeavingView]:
    return pages.linked(await caller.ask(contract.LIST_LEAVINGS, query))


@router.get("/leavings/{leaving_id}", summary="Show a leaving and how far it is", responses=reading(NotFound))
async def show_leaving(leaving_id: UUID, caller: Reader) -> contract.LeavingView:
    return await caller.ask(contract.SHOW_LEAVING, contract.ShowLeaving(leaving_id=leaving_id))


@router.post(
    "/leavings/{leaving_id}/repeat",
    status_code=202,
    summary="Go through a leaving once more, by the same plan",
    responses=writing(NotFound, AboveYourRights, LeavingUnderWay, UserIsBack),
)
async def repeat_leaving(leaving_id: UUID, caller: Writer) -> contract.LeavingView:
    return await caller.ask(contract.REPEAT_LEAVING, contract.RepeatLeaving(leaving_id=leaving_id))


@router.get(
    "/leavings/{leaving_id}/customers",
    summary="List what became of each customer of a leaving",
    responses=reading(NotFound, InvalidCursor) | LINK,
)
async def list_leaving_customers(
    leaving_id: UUID, query: Annotated[Items, Query()], caller: Reader, pages: Pages
) -> Page[contract.LeavingItem]:
    return pages.linked(await items_of(caller, contract.ListLeavingItems(leaving_id=leaving_id, **query.model_dump())))


@router.get(
    "/leavings/{leaving_id}/others",
    summary="List what became of everything else: rights, offers, appeals, pools",
    responses=reading(NotFound, InvalidCursor) | LINK,
)
async def list_leaving_others(
    leaving_id: UUID, query: Annotated[Items, Query()], caller: Reader, pages: Pages
) -> Page[contract.LeavingItem]:
    wanted = contract.ListLeavingItems(leaving_id=leaving_id, of="others", **query.model_dump())
    return pages.linked(await items_of(caller, wanted))


async def items_of(caller: Caller, wanted: contract.ListLeavingItems) -> Page[contract.LeavingItem]:
    """Customers knows of no leaving before it has begun with it; whether there is one, identity says."""
    await caller.ask(contract.SHOW_LEAVING, contract.ShowLeaving(leaving_id=wanted.leaving_id))
    return await caller.ask(contract.LIST_LEAVING_ITEMS, wanted)


async def held_if_known(caller: Caller, user_id: UUID) -> contract.Held | None:
    """For who has just been disabled: that does not wait for a service that is away."""
    try:
        return await caller.ask(contract.SHOW_HELD, contract.ShowHeld(user_id=user_id))
    except (ServiceUnavailable, DeadlinePassed):
        return None
