"""Roles: built-in ones are read, others made, changed and archived."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from gateway.caller import Reader, Writer
from gateway.openapi import reading, writing
from gateway.paging import LINK, Pages
from gateway.problems import MalformedPrecondition, PreconditionRequired
from gateway.routes import PREFIX, make_router
from gateway.versions import ETAG, IF_MATCH, LOCATION, ExpectedVersion, Tags
from services.contracts import roles as contract
from services.contracts.base import Page
from services.contracts.errors import (
    AboveCeiling,
    AboveYourRights,
    InvalidCursor,
    ManagedDepartmentsMissing,
    NameTaken,
    NotFound,
    OwnAccount,
    RoleArchived,
    RoleInUse,
    VersionConflict,
)
from services.contracts.identity import RoleKey

router = make_router("identity")


@router.get("/roles", summary="List roles that may be given, the built-in ones first", responses=reading(InvalidCursor) | LINK)
async def list_roles(query: Annotated[contract.ListRoles, Query()], caller: Reader, pages: Pages) -> Page[contract.RoleView]:
    return pages.linked(await caller.ask(contract.LIST_ROLES, query))


@router.post(
    "/roles",
    status_code=201,
    summary="Make a role",
    responses=writing(NotFound, NameTaken, AboveYourRights) | {201: {"headers": LOCATION | ETAG}},
)
async def create_role(body: contract.CreateRole, caller: Writer, tags: Tags, response: Response) -> contract.RoleView:
    role = tags.tagged(await caller.ask(contract.CREATE_ROLE, body))
    response.headers["Location"] = f"{PREFIX}/roles/{role.id}"
    return role


@router.get("/roles/{role_id}", summary="Show a role", responses=reading(NotFound) | {200: {"headers": ETAG}})
async def show_role(role_id: RoleKey, caller: Reader, tags: Tags) -> contract.RoleView:
    return tags.tagged(await caller.ask(contract.SHOW_ROLE, contract.ShowRole(role=role_id)))


@router.patch(
    "/roles/{role_id}",
    summary="Change a role, for all who have it",
    responses=writing(
        NotFound,
        NameTaken,
        AboveYourRights,
        AboveCeiling,
        ManagedDepartmentsMissing,
        OwnAccount,
        RoleArchived,
        VersionConflict,
        PreconditionRequired,
        MalformedPrecondition,
    )
    | {200: {"headers": ETAG}},
    openapi_extra=IF_MATCH,
)
async def update_role(
    role_id: UUID, body: contract.RoleChanges, caller: Writer, version: ExpectedVersion, tags: Tags
) -> contract.RoleView:
    message = contract.UpdateRole(role_id=role_id, expected_version=version, **body.model_dump(exclude_unset=True))
    return tags.tagged(await caller.ask(contract.UPDATE_ROLE, message))


@router.post(
    "/roles/{role_id}/archive",
    summary="End a role that nobody has",
    responses=writing(NotFound, AboveYourRights, RoleArchived, RoleInUse) | {200: {"headers": ETAG}},
)
async def archive_role(role_id: UUID, caller: Writer, tags: Tags) -> contract.RoleView:
    return tags.tagged(await caller.ask(contract.ARCHIVE_ROLE, contract.ArchiveRole(role_id=role_id)))
