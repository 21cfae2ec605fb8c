"""Sales groups."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from gateway.caller import Reader, Writer
from gateway.openapi import Responses, reading, writing
from gateway.paging import LINK, Pages
from gateway.problems import MalformedPrecondition, PreconditionRequired
from gateway.routes import PREFIX, make_router
from gateway.versions import ETAG, IF_MATCH, LOCATION, ExpectedVersion, Tags
from services.contracts import groups as contract
from services.contracts.base import Page
from services.contracts.errors import (
    AboveCeiling,
    AboveYourRights,
    GroupDissolved,
    GroupIsFull,
    InvalidCursor,
    NameTaken,
    NotFound,
    RightMissing,
    UserNotActive,
    VersionConflict,
)

router = make_router("identity")

TAGGED: Responses = {200: {"headers": ETAG}}
ADDED: Responses = {201: {"headers": LOCATION | ETAG}}


@router.post("/groups", status_code=201, summary="Make a sales group", responses=writing(NotFound, NameTaken) | ADDED)
async def add_group(body: contract.NewGroup, caller: Writer, response: Response, tags: Tags) -> contract.GroupView:
    group = await caller.ask(contract.ADD_GROUP, body)
    response.headers["Location"] = f"{PREFIX}/groups/{group.id}"
    return tags.tagged(group)


@router.get("/groups", summary="List sales groups", responses=reading(InvalidCursor) | LINK)
async def list_groups(query: Annotated[contract.ListGroups, Query()], caller: Reader, pages: Pages) -> Page[contract.GroupLine]:
    return pages.linked(await caller.ask(contract.LIST_GROUPS, query))


@router.get("/groups/{group_id}", summary="Show a sales group", responses=reading(NotFound) | TAGGED)
async def show_group(group_id: UUID, caller: Reader, tags: Tags) -> contract.GroupView:
    return tags.tagged(await caller.ask(contract.SHOW_GROUP, contract.ShowGroup(group_id=group_id)))


@router.patch(
    "/groups/{group_id}",
    summary="Rename a sales group",
    responses=writing(NotFound, NameTaken, GroupDissolved, VersionConflict, PreconditionRequired, MalformedPrecondition) | TAGGED,
    openapi_extra=IF_MATCH,
)
async def update_group(
    group_id: UUID, body: contract.GroupChanges, caller: Writer, version: ExpectedVersion, tags: Tags
) -> contract.GroupView:
    message = contract.UpdateGroup(group_id=group_id, expected_version=version, name=body.name)
    return tags.tagged(await caller.ask(contract.UPDATE_GROUP, message))


@router.post(
    "/groups/{group_id}/dissolve", summary="End a sales group and all rights in it", responses=writing(NotFound) | TAGGED
)
async def dissolve_group(group_id: UUID, caller: Writer, tags: Tags) -> contract.GroupView:
    return tags.tagged(await caller.ask(contract.DISSOLVE_GROUP, contract.DissolveGroup(group_id=group_id)))


@router.put(
    "/groups/{group_id}/members/{person_id}",
    summary="Add a colleague to a sales group",
    responses=writing(NotFound, AboveYourRights, GroupDissolved, GroupIsFull, RightMissing, UserNotActive) | TAGGED,
)
async def add_group_member(group_id: UUID, person_id: UUID, caller: Writer, tags: Tags) -> contract.GroupView:
    message = contract.AddGroupMember(group_id=group_id, person_id=person_id)
    return tags.tagged(await caller.ask(contract.ADD_GROUP_MEMBER, message))


@router.delete(
    "/groups/{group_id}/members/{person_id}",
    summary="Remove a member of a sales group",
    responses=writing(NotFound, GroupDissolved, RightMissing) | TAGGED,
)
async def remove_group_member(group_id: UUID, person_id: UUID, caller: Writer, tags: Tags) -> contract.GroupView:
    message = contract.RemoveGroupMember(group_id=group_id, person_id=person_id)
    return tags.tagged(await caller.ask(contract.REMOVE_GROUP_MEMBER, message))


@router.put(
    "/groups/{group_id}/admins/{person_id}",
    summary="Give a colleague rights in a sales group",
    responses=writing(NotFound, AboveCeiling, AboveYourRights, GroupDissolved, GroupIsFull, RightMissing, UserNotActive) | TAGGED,
)
async def put_group_admin(
    group_id: UUID, person_id: UUID, body: contract.GroupAdminRights, caller: Writer, tags: Tags
) -> contract.GroupView:
    message = contract.PutGroupAdmin(group_id=group_id, person_id=person_id, rights=body.rights)
    return tags.tagged(await caller.ask(contract.PUT_GROUP_ADMIN, message))


@router.delete(
    "/groups/{group_id}/admins/{person_id}",
    summary="Take all rights in a sales group from somebody, or give up one's own",
    responses=writing(NotFound, AboveYourRights, GroupDissolved, RightMissing) | TAGGED,
)
async def remove_group_admin(group_id: UUID, person_id: UUID, caller: Writer, tags: Tags) -> contract.GroupView:
    message = contract.RemoveGroupAdmin(group_id=group_id, person_id=person_id)
    return tags.tagged(await caller.ask(contract.REMOVE_GROUP_ADMIN, message))
