"""Pools: their settings, who works in them, and what lies in them."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from gateway.caller import Reader, Writer
from gateway.openapi import Responses, reading, writing
from gateway.paging import LINK, Pages
from gateway.problems import MalformedPrecondition, PreconditionRequired
from gateway.routes import PREFIX, make_router
from gateway.routes.customers import CustomerRefused, entered
from gateway.versions import ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION, SettingVersion, Tags
from services.contracts.base import Line, Moment, Page, PageQuery
from services.contracts.customers import ENTER_INTO_POOL, CustomerFields, EnterIntoPool, EntryOutcome
from services.contracts.errors import (
    BuiltInPool,
    InvalidCursor,
    NameTaken,
    NotFound,
    PoolArchived,
    PoolNotEmpty,
    ReceiverUnfit,
    VersionConflict,
)
from services.contracts.pools import (
    ARCHIVE_POOL,
    CHANGE_POOL,
    CREATE_POOL,
    LIST_POOL_CUSTOMERS,
    LIST_POOL_MEMBERS,
    LIST_POOLS,
    REMOVE_POOL_MEMBER,
    SET_POOL_MEMBER,
    SHOW_POOL,
    ArchivePool,
    ChangePool,
    CreatePool,
    ListPoolCustomers,
    ListPoolMembers,
    ListPools,
    Membership,
    PoolChanges,
    PooledCustomer,
    PoolMemberView,
    PoolView,
    RemovePoolMember,
    SetPoolMember,
    ShowPool,
)

router = make_router("customers")

TAGGED: Responses = {200: {"headers": ETAG}}
NOT_MODIFIED: Responses = {304: {"description": "It is still in the version of If-None-Match", "headers": ETAG}}


@router.get("/pools", summary="List pools", responses=reading(InvalidCursor) | LINK)
async def list_pools(query: Annotated[ListPools, Query()], caller: Reader, pages: Pages) -> Page[PoolView]:
    return pages.linked(await caller.ask(LIST_POOLS, query))


@router.post(
    "/pools",
    status_code=201,
    summary="Make a custom pool",
    responses=writing(NotFound, NameTaken) | {201: {"headers": LOCATION | ETAG}},
)
async def create_pool(body: CreatePool, caller: Writer, tags: Tags, response: Response) -> PoolView:
    pool = tags.tagged(await caller.ask(CREATE_POOL, body))
    response.headers["Location"] = f"{PREFIX}/pools/{pool.id}"
    return pool


@router.get(
    "/pools/{pool_id}",
    response_model=PoolView,
    summary="Show a pool",
    responses=reading(NotFound) | TAGGED | NOT_MODIFIED,
    openapi_extra=IF_NONE_MATCH,
)
async def show_pool(pool_id: UUID, caller: Reader, tags: Tags) -> PoolView | Response:
    return tags.unless_known(await caller.ask(SHOW_POOL, ShowPool(pool_id=pool_id)))


@router.patch(
    "/pools/{pool_id}",
    summary="Change a pool's settings",
    responses=writing(
        NotFound, NameTaken, BuiltInPool, PoolArchived, VersionConflict, PreconditionRequired, MalformedPrecondition
    )
    | TAGGED,
    openapi_extra=IF_MATCH,
)
async def change_pool(pool_id: UUID, body: PoolChanges, caller: Writer, version: SettingVersion, tags: Tags) -> PoolView:
    message = ChangePool(pool_id=pool_id, expected_version=version, **body.model_dump(exclude_unset=True))
    return tags.tagged(await caller.ask(CHANGE_POOL, message))


@router.post(
    "/pools/{pool_id}/archive",
    summary="End a custom pool in which nothing lies",
    responses=writing(NotFound, BuiltInPool, PoolArchived, PoolNotEmpty) | TAGGED,
)
async def archive_pool(pool_id: UUID, caller: Writer, tags: Tags) -> PoolView:
    return tags.tagged(await caller.ask(ARCHIVE_POOL, ArchivePool(pool_id=pool_id)))


# --- who works in them


@router.get(
    "/pools/{pool_id}/members", summary="List who works in a custom pool", responses=reading(NotFound, InvalidCursor) | LINK
)
async def list_pool_members(
    pool_id: UUID, query: Annotated[PageQuery, Query()], caller: Reader, pages: Pages
) -> Page[PoolMemberView]:
    message = ListPoolMembers(pool_id=pool_id, cursor=query.cursor, limit=query.limit)
    return pages.linked(await caller.ask(LIST_POOL_MEMBERS, message))


@router.put(
    "/pools/{pool_id}/members/{person_id}",
    summary="Let somebody work in a custom pool, as a member or an admin",
    responses=writing(NotFound, BuiltInPool, PoolArchived, ReceiverUnfit),
)
async def set_pool_member(pool_id: UUID, person_id: UUID, body: Membership, caller: Writer) -> PoolMemberView:
    message = SetPoolMember(pool_id=pool_id, person_id=person_id, **body.model_dump(exclude_unset=True))
    return await caller.ask(SET_POOL_MEMBER, message)


@router.delete(
    "/pools/{pool_id}/members/{person_id}",
    status_code=204,
    response_class=Response,
    summary="Let somebody work in a custom pool no more",
    responses=writing(NotFound, BuiltInPool, PoolArchived),
)
async def remove_pool_member(pool_id: UUID, person_id: UUID, caller: Writer) -> None:
    await caller.ask(REMOVE_POOL_MEMBER, RemovePoolMember(pool_id=pool_id, person_id=person_id))


# --- what lies in them


class PoolEntry(CustomerFields):
    """A company to be entered into a pool.

    `keep_twin` says why it shall stand there although somebody has it already; only who manages pools may, and over agencies only
    headquarters. `registered_at` is when a web-registered member signed up.
    """

    registered_at: Moment | None = None
    keep_twin: Line | None = None


@router.get(
    "/pools/{pool_id}/customers",
    summary="List a pool's customers, the newest first",
    responses=reading(NotFound, InvalidCursor) | LINK,
)
async def list_pool_customers(
    pool_id: UUID, query: Annotated[PageQuery, Query()], caller: Reader, pages: Pages
) -> Page[PooledCustomer]:
    message = ListPoolCustomers(pool_id=pool_id, cursor=query.cursor, limit=query.limit)
    return pages.linked(await caller.ask(LIST_POOL_CUSTOMERS, message))


@router.post(
    "/pools/{pool_id}/customers",
    status_code=201,
    summary="Enter a customer into a pool",
    responses=writing(NotFound, PoolArchived, CustomerRefused) | {201: {"headers": LOCATION | ETAG}},
)
async def enter_into_pool(pool_id: UUID, body: PoolEntry, caller: Writer, response: Response) -> EntryOutcome:
    message = EnterIntoPool(pool_id=pool_id, **body.model_dump(exclude_unset=True))
    return entered(await caller.ask(ENTER_INTO_POOL, message), response)
