"""Headquarters' setting of the collision check, what a change of it would do, and how far the registry is filed anew."""

from typing import Annotated

from fastapi import Query, Response

from gateway.caller import Reader, Writer
from gateway.openapi import Responses, reading, writing
from gateway.paging import LINK, Pages
from gateway.problems import MalformedPrecondition, PreconditionRequired
from gateway.routes import make_router
from gateway.versions import ETAG, IF_MATCH, IF_NONE_MATCH, SettingVersion, Tags
from services.contracts import collision_rules as contract
from services.contracts.base import Nothing, Page, PageQuery
from services.contracts.errors import InvalidCursor, VersionConflict

router = make_router("customers")

TAGGED: Responses = {200: {"headers": ETAG}}
NOT_MODIFIED: Responses = {304: {"description": "It is still in the version of If-None-Match", "headers": ETAG}}


@router.get(
    "/collision-rules",
    response_model=contract.CollisionRulesView,
    summary="Show the rules in force, each criterion in words",
    responses=reading() | TAGGED | NOT_MODIFIED,
    openapi_extra=IF_NONE_MATCH,
)
async def show_collision_rules(caller: Reader, tags: Tags) -> contract.CollisionRulesView | Response:
    return tags.unless_known(await caller.ask(contract.SHOW_COLLISION_RULES, Nothing()))


@router.put(
    "/collision-rules",
    summary="Replace the rules",
    description='What is not given is as by default. If-Match is `"0"` as long as nobody has set any.',
    responses=writing(VersionConflict, PreconditionRequired, MalformedPrecondition) | TAGGED,
    openapi_extra=IF_MATCH,
)
async def set_collision_rules(
    body: contract.ProposedRules, caller: Writer, version: SettingVersion, tags: Tags
) -> contract.CollisionRulesView:
    message = contract.SetCollisionRules(expected_version=version, rules=body)
    return tags.tagged(await caller.ask(contract.SET_COLLISION_RULES, message))


@router.get(
    "/collision-rules/versions", summary="List all rules that were set, the newest first", responses=reading(InvalidCursor) | LINK
)
async def list_collision_rules(
    query: Annotated[PageQuery, Query()], caller: Reader, pages: Pages
) -> Page[contract.RulesVersionView]:
    return pages.linked(await caller.ask(contract.LIST_COLLISION_RULES, query))


@router.post(
    "/collision-rules/preview",
    summary="See what other rules would change",
    description="Changes nothing. Ends within 5 s; `examined` says how many customers it came to look at.",
    responses=reading(),
)
async def preview_collision_rules(body: contract.PreviewCollisionRules, caller: Reader) -> contract.CollisionPreview:
    return await caller.ask(contract.PREVIEW_COLLISION_RULES, body)


@router.get("/collision-rules/filing", summary="Show how far customers are filed by the present version", responses=reading())
async def show_filing(caller: Reader) -> contract.FilingProgress:
    return await caller.ask(contract.SHOW_FILING, Nothing())
