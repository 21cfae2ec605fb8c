"""Which fields of a customer who sees: headquarters' policy, one's own levels, and reveals."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from gateway.caller import Reader, Writer
from gateway.openapi import Responses, reading, writing
from gateway.paging import LINK, Pages
from gateway.problems import MalformedPrecondition, PreconditionRequired
from gateway.routes import make_router
from gateway.versions import ETAG, IF_MATCH, IF_NONE_MATCH, SettingVersion, Tags
from services.contracts import fields as contract
from services.contracts.base import Nothing, Page, PageQuery
from services.contracts.errors import InvalidCursor, NotFound, NotRevealable, RevealLimitReached, VersionConflict

router = make_router("customers")

TAGGED: Responses = {200: {"headers": ETAG}}
NOT_MODIFIED: Responses = {304: {"description": "It is still in the version of If-None-Match", "headers": ETAG}}


@router.get(
    "/field-policy",
    response_model=contract.FieldPolicyView,
    summary="Show the field policy in force",
    responses=reading() | TAGGED | NOT_MODIFIED,
    openapi_extra=IF_NONE_MATCH,
)
async def show_field_policy(caller: Reader, tags: Tags) -> contract.FieldPolicyView | Response:
    return tags.unless_known(await caller.ask(contract.SHOW_FIELD_POLICY, Nothing()))


@router.put(
    "/field-policy",
    summary="Replace the field policy",
    description='What is not given is as by default. If-Match is `"0"` as long as nobody has set any.',
    responses=writing(VersionConflict, PreconditionRequired, MalformedPrecondition) | TAGGED,
    openapi_extra=IF_MATCH,
)
async def set_field_policy(
    body: contract.FieldPolicy, caller: Writer, version: SettingVersion, tags: Tags
) -> contract.FieldPolicyView:
    message = contract.SetFieldPolicy(expected_version=version, policy=body)
    return tags.tagged(await caller.ask(contract.SET_FIELD_POLICY, message))


@router.get(
    "/field-policy/versions", summary="List all policies that were set, the newest first", responses=reading(InvalidCursor) | LINK
)
async def list_field_policies(
    query: Annotated[PageQuery, Query()], caller: Reader, pages: Pages
) -> Page[contract.FieldPolicyView]:
    return pages.linked(await caller.ask(contract.LIST_FIELD_POLICIES, query))


@router.get("/field-policy/mine", summary="Show what the caller sees, changes and may reveal", responses=reading())
async def show_own_levels(caller: Reader) -> contract.OwnLevels:
    return await caller.ask(contract.SHOW_OWN_LEVELS, Nothing())


@router.post(
    "/customers/{customer_id}/reveals",
    status_code=201,
    summary="See a masked field as it is, for a reason",
    responses=writing(NotFound, NotRevealable, RevealLimitReached),
)
async def reveal_field(customer_id: UUID, body: contract.Reveal, caller: Writer) -> contract.RevealView:
    message = contract.RevealField(customer_id=customer_id, field=body.field, reason=body.reason)
    return await caller.ask(contract.REVEAL_FIELD, message)


@router.get("/reveals", summary="List who has revealed what and why, the newest first", responses=reading(InvalidCursor) | LINK)
async def list_reveals(
    query: Annotated[contract.ListReveals, Query()], caller: Reader, pages: Pages
) -> Page[contract.RevealLine]:
    return pages.linked(await caller.ask(contract.LIST_REVEALS, query))
