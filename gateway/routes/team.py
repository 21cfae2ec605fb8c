"""Working on a customer together: collaborators, and handoffs."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from gateway.caller import Reader, Writer
from gateway.openapi import reading, writing
from gateway.paging import LINK, Pages
from gateway.routes import PREFIX, make_router
from gateway.versions import LOCATION
from services.contracts import team as contract
from services.contracts.base import Page
from services.contracts.customers import ShowCustomer
from services.contracts.errors import (
    AlreadyTheirs,
    HandoffClosed,
    HandoffLapsed,
    HandoffOpen,
    HeldElsewhere,
    InvalidCursor,
    NotFound,
    NotHeld,
    OwnRights,
    ReceiverUnfit,
    StockIsFull,
    TeamIsFull,
)

router = make_router("customers")


# --- collaborators


@router.get(
    "/customers/{customer_id}/collaborators", summary="List who works on it besides its holder", responses=reading(NotFound)
)
async def list_collaborators(customer_id: UUID, caller: Reader) -> Page[contract.CollaboratorView]:
    return await caller.ask(contract.LIST_COLLABORATORS, ShowCustomer(customer_id=customer_id))


@router.put(
    "/customers/{customer_id}/collaborators/{person_id}",
    summary="Give a colleague a part and rights on a customer",
    responses=writing(NotFound, NotHeld, AlreadyTheirs, OwnRights, ReceiverUnfit, TeamIsFull),
)
async def put_collaborator(
    customer_id: UUID, person_id: UUID, body: contract.Collaboration, caller: Writer
) -> contract.CollaboratorView:
    message = contract.PutCollaborator(customer_id=customer_id, person_id=person_id, **body.model_dump(exclude_unset=True))
    return await caller.ask(contract.PUT_COLLABORATOR, message)


@router.delete(
    "/customers/{customer_id}/collaborators/{person_id}",
    status_code=204,
    response_class=Response,
    summary="End a colleague's rights on a customer",
    responses=writing(NotFound, NotHeld),
)
async def remove_collaborator(customer_id: UUID, person_id: UUID, caller: Writer) -> None:
    message = contract.RemoveCollaborator(customer_id=customer_id, person_id=person_id)
    await caller.ask(contract.REMOVE_COLLABORATOR, message)


# --- handoffs


@router.post(
    "/customers/{customer_id}/handoffs",
    status_code=201,
    summary="Offer a customer to a colleague",
    responses=writing(NotFound, NotHeld, AlreadyTheirs, OwnRights, ReceiverUnfit, HandoffOpen) | {201: {"headers": LOCATION}},
)
async def offer_handoff(
    customer_id: UUID, body: contract.HandoffOffer, caller: Writer, response: Response
) -> contract.HandoffView:
    message = contract.OfferHandoff(customer_id=customer_id, **body.model_dump(exclude_unset=True))
    handoff = await caller.ask(contract.OFFER_HANDOFF, message)
    response.headers["Location"] = f"{PREFIX}/handoffs/{handoff.id}"
    return handoff


@router.get("/handoffs", summary="List handoffs, the newest first", responses=reading(InvalidCursor) | LINK)
async def list_handoffs(
    query: Annotated[contract.ListHandoffs, Query()], caller: Reader, pages: Pages
) -> Page[contract.HandoffView]:
    return pages.linked(await caller.ask(contract.LIST_HANDOFFS, query))


@router.get("/handoffs/{handoff_id}", summary="Show a handoff", responses=reading(NotFound))
async def show_handoff(handoff_id: UUID, caller: Reader) -> contract.HandoffView:
    return await caller.ask(contract.SHOW_HANDOFF, contract.ShowHandoff(handoff_id=handoff_id))


@router.post(
    "/handoffs/{handoff_id}/acceptance",
    summary="Accept what was offered to oneself",
    responses=writing(NotFound, HandoffClosed, HandoffLapsed, HeldElsewhere, ReceiverUnfit, StockIsFull, TeamIsFull),
)
async def accept_handoff(handoff_id: UUID, caller: Writer) -> contract.HandoffView:
    return await caller.ask(contract.ACCEPT_HANDOFF, contract.AcceptHandoff(handoff_id=handoff_id))


@router.post(
    "/handoffs/{handoff_id}/refusal",
    summary="Decline what was offered to oneself",
    responses=writing(NotFound, HandoffClosed, HandoffLapsed),
)
async def refuse_handoff(handoff_id: UUID, body: contract.Refusal, caller: Writer) -> contract.HandoffView:
    return await caller.ask(contract.REFUSE_HANDOFF, contract.RefuseHandoff(handoff_id=handoff_id, reason=body.reason))


@router.post(
    "/handoffs/{handoff_id}/withdrawal",
    summary="Take back an offer",
    responses=writing(NotFound, HandoffClosed, HandoffLapsed),
)
async def withdraw_handoff(handoff_id: UUID, caller: Writer) -> contract.HandoffView:
    return await caller.ask(contract.WITHDRAW_HANDOFF, contract.WithdrawHandoff(handoff_id=handoff_id))
