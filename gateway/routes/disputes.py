"""Disputes: appeals against refused entries, and who decides about them."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from gateway.caller import Reader, Writer
from gateway.openapi import reading, writing
from gateway.paging import LINK, Pages
from gateway.routes import PREFIX, make_router
from gateway.versions import LOCATION
from services.contracts.base import Page
from services.contracts.disputes import (
    ANSWER_DISPUTE,
    DECIDE_DISPUTE,
    LIST_DISPUTES,
    OPEN_DISPUTE,
    SHOW_DISPUTE,
    WITHDRAW_DISPUTE,
    AnswerDispute,
    DecideDispute,
    DisputeLine,
    DisputeView,
    ListDisputes,
    OpenDispute,
    Reply,
    Ruling,
    ShowDispute,
    WithdrawDispute,
)
from services.contracts.errors import (
    AlreadyDecided,
    AlreadyDisputed,
    AlreadyTheirs,
    HeldElsewhere,
    HolderChanged,
    HolderOutOfReach,
    InvalidCursor,
    NotDisputable,
    NotFound,
    OverseesOneSide,
    PartyToDispute,
    ReceiverUnfit,
    SideHasAnswered,
    StockIsFull,
)

router = make_router("customers")


@router.post(
    "/disputes",
    status_code=201,
    summary="Appeal against the refusal of an own entry",
    responses=writing(NotFound, NotDisputable, AlreadyTheirs, AlreadyDisputed) | {201: {"headers": LOCATION}},
)
async def open_dispute(body: OpenDispute, caller: Writer, response: Response) -> DisputeView:
    opened = await caller.ask(OPEN_DISPUTE, body)
    response.headers["Location"] = f"{PREFIX}/disputes/{opened.id}"
    return opened


@router.get("/disputes", summary="List disputes, the newest first", responses=reading(InvalidCursor) | LINK)
async def list_disputes(query: Annotated[ListDisputes, Query()], caller: Reader, pages: Pages) -> Page[DisputeLine]:
    return pages.linked(await caller.ask(LIST_DISPUTES, query))


@router.get("/disputes/{dispute_id}", summary="Show a dispute with what the sides say", responses=reading(NotFound))
async def show_dispute(dispute_id: UUID, caller: Reader) -> DisputeView:
    return await caller.ask(SHOW_DISPUTE, ShowDispute(dispute_id=dispute_id))


@router.post(
    "/disputes/{dispute_id}/answer",
    summary="Answer for the holder's side",
    responses=writing(NotFound, AlreadyDecided, SideHasAnswered),
)
async def answer_dispute(dispute_id: UUID, body: Reply, caller: Writer) -> DisputeView:
    return await caller.ask(ANSWER_DISPUTE, AnswerDispute(dispute_id=dispute_id, **body.model_dump(exclude_unset=True)))


@router.post(
    "/disputes/{dispute_id}/decision",
    summary="Decide whose the customer is",
    responses=writing(
        NotFound,
        PartyToDispute,
        OverseesOneSide,
        AlreadyDecided,
        HolderChanged,
        HolderOutOfReach,
        AlreadyTheirs,
        HeldElsewhere,
        ReceiverUnfit,
        StockIsFull,
    ),
)
async def decide_dispute(dispute_id: UUID, body: Ruling, caller: Writer) -> DisputeView:
    return await caller.ask(DECIDE_DISPUTE, DecideDispute(dispute_id=dispute_id, **body.model_dump(exclude_unset=True)))


@router.post("/disputes/{dispute_id}/withdrawal", summary="Take an own dispute back", responses=writing(NotFound, AlreadyDecided))
async def withdraw_dispute(dispute_id: UUID, caller: Writer) -> DisputeView:
    return await caller.ask(WITHDRAW_DISPUTE, WithdrawDispute(dispute_id=dispute_id))
