"""Row grants: what a colleague is given on the records of a department or a person."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from gateway.caller import Reader, Writer
from gateway.openapi import reading, writing
from gateway.paging import LINK, Pages
from gateway.routes import make_router
from services.contracts import grants as contract
from services.contracts.base import Page
from services.contracts.errors import (
    AboveCeiling,
    AboveYourRights,
    DepartmentMerged,
    GrantEnds,
    InvalidCursor,
    NotFound,
    OwnAccount,
    TooManyGrants,
    UserNotActive,
)

router = make_router("identity")


@router.get(
    "/users/{user_id}/grants", summary="List what somebody has been granted", responses=reading(NotFound, InvalidCursor) | LINK
)
async def list_grants(
    user_id: UUID, query: Annotated[contract.GrantFilter, Query()], caller: Reader, pages: Pages
) -> Page[contract.GrantView]:
    message = contract.ListGrants(user_id=user_id, **query.model_dump(exclude_unset=True))
    return pages.linked(await caller.ask(contract.LIST_GRANTS, message))


@router.post(
    "/users/{user_id}/grants",
    status_code=201,
    summary="Grant a permission on the records of a department or a person",
    responses=writing(
        NotFound, OwnAccount, UserNotActive, GrantEnds, DepartmentMerged, AboveYourRights, AboveCeiling, TooManyGrants
    ),
)
async def give_grant(user_id: UUID, body: contract.RowGrant, caller: Writer) -> contract.GrantView:
    return await caller.ask(contract.GIVE_GRANT, contract.GiveGrant(user_id=user_id, **body.model_dump(exclude_unset=True)))


@router.delete(
    "/users/{user_id}/grants/{grant_id}",
    status_code=204,
    response_class=Response,
    summary="Withdraw a grant",
    responses=writing(NotFound),
)
async def withdraw_grant(user_id: UUID, grant_id: UUID, caller: Writer) -> None:
    await caller.ask(contract.WITHDRAW_GRANT, contract.WithdrawGrant(user_id=user_id, grant_id=grant_id))
