"""Set-up, sessions, users."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from pydantic import StringConstraints

from gateway.caller import Backend, Reader, Stranger, Writer, WritingStranger
from gateway.captchas import Captcha, Kind
from gateway.clients import kind_of, shown_address
from gateway.limits import TooManyRequests
from gateway.openapi import OF_ALL, OF_WRITES, Responses, problems, reading, writing
from gateway.paging import LINK, Pages
from gateway.problems import MalformedPrecondition, PreconditionRequired
from gateway.routes import PREFIX, make_router
from gateway.routes.leaving import held_if_known
from gateway.tokens import digest_of, new_device_token, new_session_token
from gateway.versions import ETAG, IF_MATCH, LOCATION, ExpectedVersion, Tags
from services.contracts.base import Command, Nothing, Page, Password, Sensitive, View
from services.contracts.errors import (
    AboveCeiling,
    AboveYourRights,
    AccountLocked,
    AgencyFrozen,
    CaptchaRequired,
    CurrentPasswordWrong,
    DeadlinePassed,
    DepartmentFrozen,
    DepartmentMerged,
    HasPassword,
    IdempotencyKeyForgotten,
    InvalidCursor,
    LastAdministrator,
    LeavingUnderWay,
    LoginTaken,
    ManagedDepartmentsMissing,
    NoSecondFactor,
    NotFound,
    OwnAccount,
    PasswordRefused,
    SecondFactorRequired,
    SecondFactorWrong,
    SessionForfeited,
    SetupClosed,
    SetupSecretWrong,
    SupervisorUnfit,
    TooManyCodes,
    TooManyFailures,
    UserNotActive,
    VersionConflict,
    WrongCredentials,
)
from services.contracts.identity import (
    ADD_USER,
    ASK_LOGIN,
    CHANGE_PASSWORD,
    DISABLE_USER,
    END_SESSION,
    INVITE_USER,
    LIST_USERS,
    OPEN_SESSION,
    RESET_PASSWORD,
    SET_UP,
    SETUP_STATE,
    SHOW_USER,
    UPDATE_USER,
    AddUser,
    AskLogin,
    ChangedPassword,
    ChangePassword,
    DisableUser,
    EndSession,
    InviteUser,
    ListUsers,
    Login,
    LoginAvailability,
    NewPassword,
    OpenSession,
    ResetPassword,
    RestoreUser,
    SessionView,
    SetUp,
    SetupState,
    ShowPerson,
    TypedCode,
    UpdateUser,
    UserChanges,
    UserView,
)
from services.contracts.leaving import RESTORE_USER, DisabledUser, RestoredUser

router = make_router("identity")

TAGGED: Responses = {200: {"headers": ETAG}}
ADDED: Responses = {201: {"headers": LOCATION | ETAG}}


class SolvedCaptcha(Command):
    """The id that `POST /v1/captchas` gave, and what is to be read in its image; capitals do not matter."""

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_=-]{1,500}$")]
    answer: Annotated[str, StringConstraints(min_length=1, max_length=20)]


DeviceToken = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$"), Sensitive()]


class LogIn(Command):
    """A login, staff number or e-mail address with its password, or with a one-time code before there is one, typed as given.

    `code`: of the second factor, or a recovery code. `device_token`: as the last log-in of this person on this device gave it.
    """

    login: Login
    password: Password
    captcha: SolvedCaptcha | None = None
    code: TypedCode | None = None
    device_token: DeviceToken | None = None


class CaptchaWish(Command):
    """`audio` for whoever cannot see the image: seven figures spoken in English."""

    kind: Kind = "image"


class OpenedSession(View):
    """The token is told this once; send it as `Authorization: Bearer …`."""

    token: str
    session: SessionView


class LoggedIn(OpenedSession):
    """`device_token` opens nothing. Keep it on the device, for this login, and send it with the next log-in: on a device that is
    known nobody waits because of others' failures."""

    device_token: str | None


class PasswordChosen(OpenedSession):
    """The session goes on under this token."""

    session: ChangedPassword


class OneTimeCode(View):
    """For `POST /v1/sessions` in the place of a password, typed as it stands. Told to the inviter alone."""

    code: str
    expires_at: datetime


@router.get("/setup", summary="Whether the system waits for its first administrator", responses=problems(*OF_ALL))
async def show_setup(caller: Stranger) -> SetupState:
    return await caller.ask(SETUP_STATE, Nothing())


@router.post(
    "/setup",
    status_code=201,
    summary="Make headquarters and the first administrator",
    responses=problems(*OF_ALL, *OF_WRITES, SetupClosed, SetupSecretWrong, PasswordRefused),
)
async def set_up(body: SetUp, caller: WritingStranger) -> UserView:
    return await caller.ask(SET_UP, body)


@router.post(
    "/captchas",
    status_code=201,
    summary="Draw or speak a captcha, good for 5 minutes",
    responses=problems(*OF_ALL, TooManyRequests),
)
async def draw_captcha(request: Request, body: CaptchaWish | None = None) -> Captcha:
    backend = Backend.of(request)
    backend.clients.take_captcha(request)
    return await backend.captchas.draw(body.kind if body else "image")


@router.post(
    "/sessions",
    status_code=201,
    summary="Log in",
    description="Takes no Idempotency-Key: each request opens a session of its own. After 5 failures in a row an account, "
    "whether or not anybody has it, needs a solved captcha; so does every log-in while very many come at once, every one from "
    "an address of which very many failed, and every one where headquarters say so. Each captcha counts for one try. After one "
    "more failure the account waits: 1 minute, then 2, 4 and so on up to 15, and a day after 100. On a device that is known by "
    "its `device_token` failures are counted apart. Where an agency asks for a captcha, who sends none is told "
    "`wrong-credentials`.",
    responses=problems(
        *OF_ALL,
        DeadlinePassed,
        WrongCredentials,
        CaptchaRequired,
        TooManyFailures,
        AccountLocked,
        AgencyFrozen,
        SecondFactorRequired,
        SecondFactorWrong,
        NoSecondFactor,
        TooManyCodes,
    ),
)
async def open_session(body: LogIn, request: Request, caller: Stranger) -> LoggedIn:
    backend, token, new_device = caller.backend, new_session_token(), new_device_token()
    with backend.clients.trying(request, has_captcha=body.captcha is not None):
        message = OpenSession(
            login=body.login,
            password=body.password,
            token_digest=digest_of(token),
            captcha_id=backend.captchas.check(body.captcha.id, body.captcha.answer) if body.captcha else None,
            code=body.code,
            client=kind_of(request.headers.get("user-agent", "")),
            address=shown_address(backend.clients.address_of(request)),
            device_digest=digest_of(body.device_token) if body.device_token else None,
            new_device_digest=digest_of(new_device),
        )
        session = await caller.ask(OPEN_SESSION, message)
        return LoggedIn(token=token, session=session, device_token=new_device if session.is_new_device else body.device_token)


@router.delete("/sessions/current", status_code=204, summary="Log out", response_class=Response, responses=writing())
async def end_session(caller: Writer) -> None:
    await caller.ask(END_SESSION, EndSession())
    caller.forget_session()


@router.put(
    "/me/password",
    summary="Choose a password; ends all other sessions, and this one goes on under another token",
    responses=writing(CurrentPasswordWrong, SessionForfeited, PasswordRefused, IdempotencyKeyForgotten),
)
async def change_password(body: NewPassword, caller: Writer) -> PasswordChosen:
    token = caller.backend.derived.session_token(caller.user_id, caller.command_id)
    message = ChangePassword(token_digest=digest_of(token), **body.model_dump(exclude_unset=True))
    with caller.forgetting_session():
        return PasswordChosen(token=token, session=await caller.ask(CHANGE_PASSWORD, message))


@router.get("/logins/{login}", summary="Whether a login is still free", responses=reading(NotFound, TooManyRequests))
async def ask_login(login: Annotated[Login, Path()], caller: Reader) -> LoginAvailability:
    with caller.backend.names.asking(caller.user_id) as asked:
        found = await caller.ask(ASK_LOGIN, AskLogin(login=login))
        asked.is_taken = not found.is_free
        return found


OF_WHO_IS_PLACED = (
    NotFound,
    LoginTaken,
    TooManyRequests,
    AboveYourRights,
    AboveCeiling,
    DepartmentFrozen,
    DepartmentMerged,
    ManagedDepartmentsMissing,
    SupervisorUnfit,
)
"""What adding and changing users may be refused for."""


@router.post(
    "/users",
    status_code=201,
    summary="Add a user",
    responses=writing(*OF_WHO_IS_PLACED) | ADDED,
)
async def add_user(body: AddUser, caller: Writer, response: Response, tags: Tags) -> UserView:
    with caller.backend.names.asking(caller.user_id):
        user = await caller.ask(ADD_USER, body)
    response.headers["Location"] = f"{PREFIX}/users/{user.id}"
    return tags.tagged(user)


@router.get("/users", summary="List users", responses=reading(InvalidCursor) | LINK)
async def list_users(query: Annotated[ListUsers, Query()], caller: Reader, pages: Pages) -> Page[UserView]:
    return pages.linked(await caller.ask(LIST_USERS, query))


@router.get(
    "/users/{user_id}",
    summary="Show a user",
    description="The version counts what administrators change; log-ins and the own choice of a password it does not.",
    responses=reading(NotFound) | TAGGED,
)
async def show_user(user_id: UUID, caller: Reader, tags: Tags) -> UserView:
    return tags.tagged(await caller.ask(SHOW_USER, ShowPerson(user_id=user_id)))


@router.patch(
    "/users/{user_id}",
    summary="Change a user's name, department or rights",
    responses=writing(
        *OF_WHO_IS_PLACED,
        OwnAccount,
        LastAdministrator,
        VersionConflict,
        PreconditionRequired,
        MalformedPrecondition,
    )
    | TAGGED,
    openapi_extra=IF_MATCH,
)
async def update_user(user_id: UUID, body: UserChanges, caller: Writer, version: ExpectedVersion, tags: Tags) -> UserView:
    changes = body.model_dump(exclude_unset=True)
    with caller.backend.names.asking(caller.user_id):
        return tags.tagged(await caller.ask(UPDATE_USER, UpdateUser(user_id=user_id, expected_version=version, **changes)))


@router.post(
    "/users/{user_id}/disable",
    summary="Shut a user's account, and end his sessions; what he holds stays his for now",
    description="The answer says what he `holds`. `POST /v1/users/{id}/leaving` hands it over.",
    responses=writing(NotFound, AboveYourRights, OwnAccount, LastAdministrator) | TAGGED,
)
async def disable_user(user_id: UUID, caller: Writer, tags: Tags) -> DisabledUser:
    user = tags.tagged(await caller.ask(DISABLE_USER, DisableUser(user_id=user_id)))
    return DisabledUser(**user.model_dump(), holds=await held_if_known(caller, user_id))


@router.post(
    "/users/{user_id}/restore",
    summary="Open a locked or disabled account again",
    description="What was handed over does not come back; `handed_over` names the leaving.",
    responses=writing(NotFound, AboveYourRights, LeavingUnderWay) | TAGGED,
)
async def restore_user(user_id: UUID, caller: Writer, tags: Tags) -> RestoredUser:
    return tags.tagged(await caller.ask(RESTORE_USER, RestoreUser(user_id=user_id)))


@router.post(
    "/users/{user_id}/one-time-code",
    status_code=201,
    summary="Give a user without a password a one-time code",
    responses=writing(NotFound, AboveYourRights, HasPassword, UserNotActive),
)
async def invite_user(user_id: UUID, caller: Writer) -> OneTimeCode:
    code = caller.backend.codes.code(caller.user_id, caller.command_id, user_id)
    invitation = await caller.ask(INVITE_USER, InviteUser(user_id=user_id, code_digest=digest_of(code)))
    return OneTimeCode(code=code, expires_at=invitation.expires_at)


@router.post(
    "/users/{user_id}/password-reset",
    status_code=201,
    summary="Forget a user's password, end his sessions and give a one-time code",
    responses=writing(NotFound, AboveYourRights, OwnAccount, LastAdministrator, UserNotActive),
)
async def reset_password(user_id: UUID, caller: Writer) -> OneTimeCode:
    code = caller.backend.codes.code(caller.user_id, f"reset {caller.command_id}", user_id)
    invitation = await caller.ask(RESET_PASSWORD, ResetPassword(user_id=user_id, code_digest=digest_of(code)))
    return OneTimeCode(code=code, expires_at=invitation.expires_at)
