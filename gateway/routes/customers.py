"""The collision check, the registry of customers, and who holds what."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Body, Query, Response

from gateway.caller import Reader, Writer
from gateway.limits import TooManyRequests
from gateway.openapi import Responses, reading, writing
from gateway.paging import LINK, Pages
from gateway.problems import MalformedPrecondition, PreconditionRequired
from gateway.routes import PREFIX, make_router
from gateway.superseding import Superseded
from gateway.typists import Typist
from gateway.versions import ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION, ExpectedVersion, Tags
from services.contracts import customers as contract
from services.contracts.base import Command, Line, Operation, Page, PageQuery
from services.contracts.batches import (
    ASSIGN_MANY,
    CLAIM_MANY,
    MOVE_MANY,
    RELEASE_MANY,
    TRANSFER_MANY,
    AssignMany,
    Batch,
    BatchReport,
    ClaimMany,
    MoveMany,
    ReleaseMany,
    TransferMany,
)
from services.contracts.collision import (
    CHECK_COLLISION,
    SUGGEST_COLLISIONS,
    CheckCollision,
    CollisionCheck,
    CollisionSuggestions,
    SuggestCollisions,
)
from services.contracts.errors import (
    AlreadyTheirs,
    ChangedHandsTooOften,
    ClaimTooSoon,
    CoolingDown,
    CustomerCollides,
    DayOfClaimsFull,
    FieldNotEditable,
    HeldElsewhere,
    InvalidCursor,
    LiesThere,
    NewInPool,
    NotClaimable,
    NotFound,
    NotHeld,
    NotInPool,
    PoolArchived,
    QudaoError,
    ReceiverUnfit,
    StockIsFull,
    VersionConflict,
)
from services.contracts.pools import MOVE_CUSTOMER, MoveCustomer

router = make_router("customers")


class CustomerRefused(QudaoError):
    """Somebody else has this customer."""

    status = 409


class CustomerClaimable(QudaoError):
    """This customer lies in a public pool: ask again with `claim` to take it."""

    status = 409


class ConfirmationNeeded(QudaoError):
    """Other customers come near: ask again with `confirmation`."""

    status = 409


UNSAVED: dict[str, type[QudaoError]] = {
    "refused": CustomerRefused,
    "claimable": CustomerClaimable,
    "needs_confirmation": ConfirmationNeeded,
}
ENTERED: Responses = {
    201: {"model": contract.EntryOutcome, "description": "A new customer", "headers": LOCATION | ETAG},
    200: {"model": contract.EntryOutcome, "description": "It was yours already, or has been claimed", "headers": LOCATION | ETAG},
    202: {"model": contract.EntryOutcome, "description": "It waits for a supervisor's decision", "headers": LOCATION},
}
OF_CLAIMS = (DayOfClaimsFull, ClaimTooSoon, CoolingDown, NewInPool, ChangedHandsTooOften)
"""What the rules of a pool forbid."""
TAGGED: Responses = {200: {"headers": ETAG}}
NOT_MODIFIED: Responses = {304: {"description": "It is still in the version of If-None-Match", "headers": ETAG}}


# --- the check, and entering


@router.post(
    "/collision-checks",
    summary="Search before entering: who has it, and may I enter it",
    description="Changes nothing; a POST so that numbers stand in no address.",
    responses=reading(),
)
async def check_collision(body: CheckCollision, caller: Reader) -> CollisionCheck:
    return await caller.ask(CHECK_COLLISION, body)


@router.post(
    "/collision-checks/as-you-type",
    summary="Search at every key stroke, before all is typed",
    description="Changes nothing. Ends the question that the same session (and `Typing-Id`) still has in work.",
    responses=reading(Superseded, TooManyRequests),
)
async def suggest_collisions(body: SuggestCollisions, typist: Typist) -> CollisionSuggestions:
    return await typist.ask(SUGGEST_COLLISIONS, body)


@router.post(
    "/customers",
    status_code=201,
    summary="Enter a customer",
    responses=writing(CustomerRefused, CustomerClaimable, ConfirmationNeeded, *OF_CLAIMS, ReceiverUnfit, StockIsFull) | ENTERED,
)
async def enter_customer(body: contract.EnterCustomer, caller: Writer, response: Response) -> contract.EntryOutcome:
    return entered(await caller.ask(contract.ENTER_CUSTOMER, body), response)


def entered(entry: contract.EntryOutcome, response: Response) -> contract.EntryOutcome:
    """Where the customer is, or the review that it waits for. Raises what tells that nothing was saved."""
    if error := UNSAVED.get(entry.outcome):
        told = {"detail": entry.verdict.message} if entry.verdict else {}
        raise error(**told, **entry.model_dump(mode="json", exclude_none=True))
    if entry.outcome == "waiting":
        response.headers["Location"] = f"{PREFIX}/reviews/{entry.review_id}"
        response.status_code = 202
        return entry
    response.headers["Location"] = f"{PREFIX}/customers/{entry.customer_id}"
    response.headers["ETag"] = f'"{entry.version}"'
    if entry.outcome != "created":
        response.status_code = 200
    return entry


@router.get("/entry-attempts", summary="List entries that met an existing customer", responses=reading(InvalidCursor) | LINK)
async def list_entry_attempts(
    query: Annotated[contract.ListEntryAttempts, Query()], caller: Reader, pages: Pages
) -> Page[contract.EntryAttemptView]:
    return pages.linked(await caller.ask(contract.LIST_ENTRY_ATTEMPTS, query))


# --- the registry


@router.get(
    "/customers/{customer_id}",
    response_model=contract.CustomerView,
    summary="Show a customer",
    responses=reading(NotFound) | TAGGED | NOT_MODIFIED,
    openapi_extra=IF_NONE_MATCH,
)
async def show_customer(customer_id: UUID, caller: Reader, tags: Tags) -> contract.CustomerView | Response:
    return tags.unless_known(await caller.ask(contract.SHOW_CUSTOMER, contract.ShowCustomer(customer_id=customer_id)))


@router.patch(
    "/customers/{customer_id}",
    summary="Change a customer",
    responses=writing(NotFound, FieldNotEditable, CustomerCollides, VersionConflict, PreconditionRequired, MalformedPrecondition)
    | TAGGED,
    openapi_extra=IF_MATCH,
)
async def update_customer(
    customer_id: UUID, body: contract.CustomerChanges, caller: Writer, version: ExpectedVersion, tags: Tags
) -> contract.CustomerView:
    changes = body.model_dump(exclude_unset=True)
    message = contract.UpdateCustomer(customer_id=customer_id, expected_version=version, **changes)
    return tags.tagged(await caller.ask(contract.UPDATE_CUSTOMER, message))


@router.get(
    "/customers/{customer_id}/changes",
    summary="List what of it was changed by whom, the newest first",
    responses=reading(NotFound, InvalidCursor) | LINK,
)
async def list_changes(
    customer_id: UUID, query: Annotated[PageQuery, Query()], caller: Reader, pages: Pages
) -> Page[contract.ChangeView]:
    message = contract.ListChanges(customer_id=customer_id, cursor=query.cursor, limit=query.limit)
    return pages.linked(await caller.ask(contract.LIST_CHANGES, message))


@router.get("/customers/{customer_id}/ownership", summary="List who has held it from when to when", responses=reading(NotFound))
async def list_ownership(customer_id: UUID, caller: Reader) -> Page[contract.OwnershipView]:
    return await caller.ask(contract.LIST_OWNERSHIP, contract.ShowCustomer(customer_id=customer_id))


# --- who holds what


class Release(Command):
    """`pool_id`: another pool than the agency's, for who manages pools."""

    reason: contract.ReleaseReason
    comment: Line | None = None
    pool_id: UUID | None = None


class TakingBack(Command):
    reason: Line
    pool_id: UUID | None = None


class Move(Command):
    pool_id: UUID
    reason: Line | None = None


class Assignment(Command):
    to: UUID


class Transfer(Assignment):
    reason: Line | None = None
    keep_collaborators: bool = False


@router.post(
    "/customers/{customer_id}/release",
    summary="Give a customer up, to the agency pool",
    responses=writing(NotFound, NotHeld, PoolArchived),
)
async def release_customer(customer_id: UUID, body: Release, caller: Writer) -> contract.CustomerLine:
    message = contract.ReleaseCustomer(customer_id=customer_id, **body.model_dump(exclude_unset=True))
    return await caller.ask(contract.RELEASE_CUSTOMER, message)


@router.post(
    "/customers/{customer_id}/take-back",
    summary="Take a customer from a person that one oversees, to the agency pool",
    responses=writing(NotFound, NotHeld, AlreadyTheirs, PoolArchived),
)
async def take_back_customer(customer_id: UUID, body: TakingBack, caller: Writer) -> contract.CustomerLine:
    message = contract.TakeBackCustomer(customer_id=customer_id, **body.model_dump(exclude_unset=True))
    return await caller.ask(contract.TAKE_BACK_CUSTOMER, message)


@router.post(
    "/customers/{customer_id}/move",
    summary="Move a customer from one pool to another of the same agency",
    responses=writing(NotFound, NotInPool, LiesThere, PoolArchived),
)
async def move_customer(customer_id: UUID, body: Move, caller: Writer) -> contract.CustomerLine:
    message = MoveCustomer(customer_id=customer_id, **body.model_dump(exclude_unset=True))
    return await caller.ask(MOVE_CUSTOMER, message)


@router.post(
    "/customers/{customer_id}/open",
    summary="Move a customer from the agency pool to the public one",
    responses=writing(NotFound, NotInPool),
)
async def open_customer(customer_id: UUID, caller: Writer) -> contract.CustomerLine:
    return await caller.ask(contract.OPEN_CUSTOMER, contract.OpenCustomer(customer_id=customer_id))


@router.post(
    "/customers/{customer_id}/claim",
    summary="Take a customer from the public pool, or from a custom one that is open to the caller",
    responses=writing(NotFound, NotInPool, NotClaimable, AlreadyTheirs, HeldElsewhere, *OF_CLAIMS, ReceiverUnfit, StockIsFull)
    | TAGGED,
)
async def claim_customer(customer_id: UUID, caller: Writer, tags: Tags) -> contract.CustomerView:
    return tags.tagged(await caller.ask(contract.CLAIM_CUSTOMER, contract.ClaimCustomer(customer_id=customer_id)))


@router.post(
    "/customers/{customer_id}/assign",
    summary="Give a customer of a pool to a person",
    responses=writing(NotFound, NotInPool, HeldElsewhere, ReceiverUnfit, StockIsFull),
)
async def assign_customer(customer_id: UUID, body: Assignment, caller: Writer) -> contract.CustomerLine:
    return await caller.ask(contract.ASSIGN_CUSTOMER, contract.AssignCustomer(customer_id=customer_id, to=body.to))


@router.post(
    "/customers/{customer_id}/transfer",
    summary="Give a customer from one person to another",
    responses=writing(NotFound, NotHeld, AlreadyTheirs, HeldElsewhere, ReceiverUnfit, StockIsFull),
)
async def transfer_customer(customer_id: UUID, body: Transfer, caller: Writer) -> contract.CustomerLine:
    message = contract.TransferCustomer(customer_id=customer_id, **body.model_dump(exclude_unset=True))
    return await caller.ask(contract.TRANSFER_CUSTOMER, message)


ACTIONS: dict[type[Command], Operation[Any, BatchReport]] = {
    ClaimMany: CLAIM_MANY,
    AssignMany: ASSIGN_MANY,
    ReleaseMany: RELEASE_MANY,
    MoveMany: MOVE_MANY,
    TransferMany: TRANSFER_MANY,
}


@router.post(
    "/customers/batch",
    summary="Claim, assign, release, move or transfer many customers, with a report of each",
    description="Each by its own right and for itself. After 504 the rest is done by repeating it with the same Idempotency-Key.",
    responses=writing(NotFound),
)
async def act_on_many(body: Annotated[Batch, Body(discriminator="action")], caller: Writer) -> BatchReport:
    return await caller.ask(ACTIONS[type(body)], body)
