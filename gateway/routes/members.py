"""Web-registered members: how they come in, from which sources, and whose they are."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response

from gateway.caller import Reader, Writer
from gateway.limits import TooManyRequests
from gateway.openapi import OF_ALL, OF_WRITES, Responses, problems, reading, writing
from gateway.paging import LINK, Pages
from gateway.problems import MalformedPrecondition, PreconditionRequired
from gateway.routes import PREFIX, make_router
from gateway.versions import ETAG, IF_MATCH, LOCATION, ExpectedVersion, SettingVersion, Tags
from gateway.webhooks import Sender, WebhookRefused, Webhooks
from services.contracts import members as contract
from services.contracts.base import Page, PageQuery
from services.contracts.errors import InvalidCursor, NotFound, TerritoryIsGiven, VersionConflict

router = make_router("customers")

TAGGED: Responses = {200: {"headers": ETAG}}
MADE: Responses = {201: {"headers": LOCATION}}


# --- members


@router.post(
    "/member-webhooks/{source_id}",
    summary="Send a web-registered member, signed instead of in a session",
    description="As Standard Webhooks 1.0 has it, with the secret of the source. Whether the company is known is not told.",
    responses=problems(*OF_ALL, *OF_WRITES, WebhookRefused, TooManyRequests),
)
async def receive_member(source_id: UUID, body: contract.MemberFields, sender: Sender) -> contract.MemberReceipt:
    message = contract.ReceiveMember(source_id=source_id, **body.model_dump(exclude_unset=True))
    try:
        return await sender.ask(contract.RECEIVE_MEMBER, message)
    except NotFound:  # disabled since its signature was checked
        raise WebhookRefused() from None


@router.post("/members", status_code=201, summary="Enter a web-registered member", responses=writing() | MADE)
async def create_member(body: contract.MemberFields, caller: Writer, response: Response) -> contract.MemberView:
    member = await caller.ask(contract.CREATE_MEMBER, body)
    response.headers["Location"] = f"{PREFIX}/members/{member.id}"
    return member


@router.get("/members", summary="List members that have arrived, the newest first", responses=reading(InvalidCursor) | LINK)
async def list_members(
    query: Annotated[contract.ListMembers, Query()], caller: Reader, pages: Pages
) -> Page[contract.MemberLine]:
    return pages.linked(await caller.ask(contract.LIST_MEMBERS, query))


@router.get("/members/{member_id}", summary="Show all that a member has told", responses=reading(NotFound))
async def show_member(member_id: UUID, caller: Reader) -> contract.MemberView:
    return await caller.ask(contract.SHOW_MEMBER, contract.ShowMember(member_id=member_id))


# --- sources


class MemberSourceWithSecret(contract.MemberSourceView):
    """`secret` is told this once, and again when the same request is repeated under its Idempotency-Key."""

    secret: str


def with_secret(source: contract.MemberSourceView, request: Request) -> MemberSourceWithSecret:
    webhooks = request.app.state.webhooks
    assert isinstance(webhooks, Webhooks)
    return MemberSourceWithSecret(**source.model_dump(), secret=webhooks.secrets.shown(source.id, source.key_version))


@router.post(
    "/member-sources", status_code=201, summary="Add a source of members, and see its secret once", responses=writing(NotFound)
)
async def add_member_source(body: contract.NewMemberSource, caller: Writer, request: Request) -> MemberSourceWithSecret:
    return with_secret(await caller.ask(contract.ADD_MEMBER_SOURCE, body), request)


@router.get("/member-sources", summary="List sources of members", responses=reading(InvalidCursor) | LINK)
async def list_member_sources(
    query: Annotated[PageQuery, Query()], caller: Reader, pages: Pages
) -> Page[contract.MemberSourceView]:
    return pages.linked(await caller.ask(contract.LIST_MEMBER_SOURCES, query))


@router.patch(
    "/member-sources/{source_id}",
    summary="Rename, disable or enable a source",
    responses=writing(NotFound, VersionConflict, PreconditionRequired, MalformedPrecondition) | TAGGED,
    openapi_extra=IF_MATCH,
)
async def change_member_source(
    source_id: UUID, body: contract.MemberSourceChanges, caller: Writer, version: ExpectedVersion, tags: Tags
) -> contract.MemberSourceView:
    given = body.model_dump(exclude_unset=True)
    message = contract.ChangeMemberSource(source_id=source_id, expected_version=version, **given)
    return tags.tagged(await caller.ask(contract.CHANGE_MEMBER_SOURCE, message))


@router.post(
    "/member-sources/{source_id}/rotation", summary="Give a source a new secret, and see it once", responses=writing(NotFound)
)
async def rotate_member_source(
    source_id: UUID, body: contract.SecretRotation, caller: Writer, request: Request
) -> MemberSourceWithSecret:
    message = contract.RotateMemberSource(source_id=source_id, **body.model_dump(exclude_unset=True))
    return with_secret(await caller.ask(contract.ROTATE_MEMBER_SOURCE, message), request)


# --- territories


@router.get("/territories/{agency_id}", summary="Show whose members an agency receives", responses=reading(NotFound) | TAGGED)
async def show_territory(agency_id: UUID, caller: Reader, tags: Tags) -> contract.TerritoryView:
    return tags.tagged(await caller.ask(contract.SHOW_TERRITORY, contract.AskTerritory(agency_id=agency_id)))


@router.put(
    "/territories/{agency_id}",
    summary="Set whose members an agency receives, and whose turn it can be",
    description='What is not given is as by default. If-Match is `"0"` as long as nothing was set.',
    responses=writing(NotFound, TerritoryIsGiven, VersionConflict, PreconditionRequired, MalformedPrecondition) | TAGGED,
    openapi_extra=IF_MATCH,
)
async def set_territory(
    agency_id: UUID, body: contract.TerritoryChange, caller: Writer, version: SettingVersion, tags: Tags
) -> contract.TerritoryView:
    given = body.model_dump(exclude_unset=True)
    message = contract.SetTerritory(agency_id=agency_id, expected_version=version, **given)
    return tags.tagged(await caller.ask(contract.SET_TERRITORY, message))
