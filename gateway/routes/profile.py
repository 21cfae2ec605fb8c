"""One's own profile and preferences."""

from gateway.caller import Reader, Writer
from gateway.limits import TooManyRequests
from gateway.openapi import Responses, reading, writing
from gateway.problems import MalformedPrecondition, PreconditionRequired
from gateway.routes import make_router
from gateway.versions import ETAG, IF_MATCH, ExpectedVersion, SettingVersion, Tags
from services.contracts import profile as contract
from services.contracts.base import Nothing
from services.contracts.errors import CurrentPasswordWrong, LoginTaken, SessionForfeited, VersionConflict
from services.contracts.identity import SHOW_PROFILE, ProfileView

router = make_router("identity")

TAGGED: Responses = {200: {"headers": ETAG}}


@router.get("/me", summary="Who I am and what I may do", responses=reading() | TAGGED)
async def show_profile(caller: Reader, tags: Tags) -> ProfileView:
    return tags.tagged(await caller.ask(SHOW_PROFILE, Nothing()))


@router.patch(
    "/me",
    summary="Change how I am called and reached",
    responses=writing(
        LoginTaken,
        TooManyRequests,
        CurrentPasswordWrong,
        SessionForfeited,
        VersionConflict,
        PreconditionRequired,
        MalformedPrecondition,
    )
    | TAGGED,
    openapi_extra=IF_MATCH,
)
async def update_profile(body: contract.ProfileChanges, caller: Writer, version: ExpectedVersion, tags: Tags) -> ProfileView:
    message = contract.UpdateProfile(expected_version=version, **body.model_dump(exclude_unset=True))
    with caller.forgetting_session(), caller.backend.names.asking(caller.user_id):
        return tags.tagged(await caller.ask(contract.UPDATE_PROFILE, message))


@router.get("/me/preferences", summary="How the console looks to me", responses=reading() | TAGGED)
async def show_preferences(caller: Reader, tags: Tags) -> contract.PreferencesView:
    return tags.tagged(await caller.ask(contract.SHOW_PREFERENCES, Nothing()))


@router.patch(
    "/me/preferences",
    summary="Change how the console looks to me",
    description='If-Match is `"0"` as long as nothing was changed.',
    responses=writing(VersionConflict, PreconditionRequired, MalformedPrecondition) | TAGGED,
    openapi_extra=IF_MATCH,
)
async def update_preferences(
    body: contract.PreferenceChanges, caller: Writer, version: SettingVersion, tags: Tags
) -> contract.PreferencesView:
    message = contract.UpdatePreferences(expected_version=version, **body.model_dump(exclude_unset=True))
    return tags.tagged(await caller.ask(contract.UPDATE_PREFERENCES, message))
