"""Open sessions, and the settings of log-ins."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from gateway.caller import Reader, Writer
from gateway.openapi import Responses, reading, writing
from gateway.problems import MalformedPrecondition, PreconditionRequired
from gateway.routes import make_router
from gateway.versions import ETAG, IF_MATCH, SettingVersion, Tags
from services.contracts import login as contract
from services.contracts.errors import AboveYourRights, NotFound, VersionConflict

router = make_router("identity")

TAGGED: Responses = {200: {"headers": ETAG}}


@router.get("/sessions", summary="List my open sessions", responses=reading())
async def list_my_sessions(caller: Reader) -> contract.OpenSessions:
    return await caller.ask(contract.LIST_SESSIONS, contract.ListSessions())


@router.delete(
    "/sessions/{session_id}",
    status_code=204,
    summary="End one of my sessions",
    response_class=Response,
    responses=writing(NotFound),
)
async def end_my_session(session_id: UUID, caller: Writer) -> None:
    await caller.ask(contract.END_ONE_SESSION, contract.EndOneSession(session_id=session_id))
    caller.forget_session()


@router.post(
    "/sessions/end-others",
    status_code=204,
    summary="End all of my sessions but this one",
    response_class=Response,
    responses=writing(),
)
async def end_my_other_sessions(caller: Writer) -> None:
    await caller.ask(contract.END_ALL_SESSIONS, contract.EndAllSessions())


@router.get("/users/{user_id}/sessions", summary="List a user's open sessions", responses=reading(NotFound))
async def list_sessions(user_id: UUID, caller: Reader) -> contract.OpenSessions:
    return await caller.ask(contract.LIST_SESSIONS, contract.ListSessions(user_id=user_id))


@router.delete(
    "/users/{user_id}/sessions/{session_id}",
    status_code=204,
    summary="End a user's session",
    response_class=Response,
    responses=writing(NotFound, AboveYourRights),
)
async def end_session_of(user_id: UUID, session_id: UUID, caller: Writer) -> None:
    await caller.ask(contract.END_ONE_SESSION, contract.EndOneSession(session_id=session_id, user_id=user_id))


@router.delete(
    "/users/{user_id}/sessions",
    status_code=204,
    summary="End all of a user's sessions; of one's own, all but this one",
    response_class=Response,
    responses=writing(NotFound, AboveYourRights),
)
async def end_sessions_of(user_id: UUID, caller: Writer) -> None:
    await caller.ask(contract.END_ALL_SESSIONS, contract.EndAllSessions(user_id=user_id))


@router.get("/settings/login", summary="Show an agency's settings of log-ins", responses=reading(NotFound) | TAGGED)
async def show_login_settings(
    query: Annotated[contract.AskLoginSettings, Query()], caller: Reader, tags: Tags
) -> contract.LoginSettingsView:
    return tags.tagged(await caller.ask(contract.SHOW_LOGIN_SETTINGS, query))


@router.put(
    "/settings/login",
    summary="Replace an agency's settings of log-ins",
    description='Those of headquarters count for all. If-Match is `"0"` as long as nobody has set any.',
    responses=writing(NotFound, AboveYourRights, VersionConflict, PreconditionRequired, MalformedPrecondition) | TAGGED,
    openapi_extra=IF_MATCH,
)
async def set_login_settings(
    body: contract.LoginSettingsChange, caller: Writer, version: SettingVersion, tags: Tags
) -> contract.LoginSettingsView:
    message = contract.SetLoginSettings(expected_version=version, **body.model_dump(exclude_unset=True))
    return tags.tagged(await caller.ask(contract.SET_LOGIN_SETTINGS, message))
