"""Set-up, sessions, agencies, departments, users."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from gateway.caller import Reader, Stranger, Writer, WritingStranger
from gateway.openapi import OF_ALL, OF_WRITES, problems, reading, writing
from gateway.paging import LINK, Pages
from gateway.routes import make_router
from gateway.tokens import digest_of, new_session_token
from services.contracts.base import Nothing, Page, PageQuery, View
from services.contracts.errors import (
    AboveYourRights,
    DeadlinePassed,
    HasPassword,
    InvalidCursor,
    LoginTaken,
    NameTaken,
    NotFound,
    PasswordRefused,
    SetupClosed,
    SetupSecretWrong,
    WrongCredentials,
)
from services.contracts.identity import (
    ADD_AGENCY,
    ADD_DEPARTMENT,
    ADD_USER,
    CHANGE_PASSWORD,
    END_SESSION,
    INVITE_USER,
    LIST_AGENCIES,
    LIST_DEPARTMENTS,
    LIST_USERS,
    OPEN_SESSION,
    SET_UP,
    SETUP_STATE,
    SHOW_PROFILE,
    AddAgency,
    AddDepartment,
    AddUser,
    AgencyView,
    ChangePassword,
    Credentials,
    DepartmentView,
    EndSession,
    InviteUser,
    ListDepartments,
    OpenSession,
    ProfileView,
    SessionView,
    SetUp,
    SetupState,
    UserView,
)

router = make_router("identity")


class OpenedSession(View):
    """The token is told this once; send it as `Authorization: Bearer …`."""

    token: str
    session: SessionView


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
    "/sessions",
    status_code=201,
    summary="Log in",
    description="Takes no Idempotency-Key: each request opens a session of its own.",
    responses=problems(*OF_ALL, DeadlinePassed, WrongCredentials),
)
async def open_session(body: Credentials, caller: Stranger) -> OpenedSession:
    token = new_session_token()
    message = OpenSession(login=body.login, password=body.password, token_digest=digest_of(token))
    return OpenedSession(token=token, session=await caller.ask(OPEN_SESSION, message))


@router.delete("/sessions/current", status_code=204, summary="Log out", response_class=Response, responses=writing())
async def end_session(caller: Writer) -> None:
    await caller.ask(END_SESSION, EndSession())
    caller.forget_session()


@router.put(
    "/me/password",
    status_code=204,
    response_class=Response,
    summary="Choose a password; ends all other sessions",
    responses=writing(WrongCredentials, PasswordRefused),
)
async def change_password(body: ChangePassword, caller: Writer) -> None:
    await caller.ask(CHANGE_PASSWORD, body)
    caller.forget_session()


@router.get("/me", summary="Who I am and what I may do", responses=reading())
async def show_profile(caller: Reader) -> ProfileView:
    return await caller.ask(SHOW_PROFILE, Nothing())


@router.post("/agencies", status_code=201, summary="Add an agency", responses=writing(NameTaken))
async def add_agency(body: AddAgency, caller: Writer) -> AgencyView:
    return await caller.ask(ADD_AGENCY, body)


@router.get("/agencies", summary="List agencies", responses=reading(InvalidCursor) | LINK)
async def list_agencies(query: Annotated[PageQuery, Query()], caller: Reader, pages: Pages) -> Page[AgencyView]:
    return pages.linked(await caller.ask(LIST_AGENCIES, query))


@router.post("/departments", status_code=201, summary="Add a department", responses=writing(NotFound, NameTaken))
async def add_department(body: AddDepartment, caller: Writer) -> DepartmentView:
    return await caller.ask(ADD_DEPARTMENT, body)


@router.get("/departments", summary="List departments", responses=reading(InvalidCursor) | LINK)
async def list_departments(query: Annotated[ListDepartments, Query()], caller: Reader, pages: Pages) -> Page[DepartmentView]:
    return pages.linked(await caller.ask(LIST_DEPARTMENTS, query))


@router.post("/users", status_code=201, summary="Add a user", responses=writing(NotFound, LoginTaken, AboveYourRights))
async def add_user(body: AddUser, caller: Writer) -> UserView:
    return await caller.ask(ADD_USER, body)


@router.get("/users", summary="List users", responses=reading(InvalidCursor) | LINK)
async def list_users(query: Annotated[PageQuery, Query()], caller: Reader, pages: Pages) -> Page[UserView]:
    return pages.linked(await caller.ask(LIST_USERS, query))


@router.post(
    "/users/{user_id}/one-time-code",
    status_code=201,
    summary="Give a user without a password a one-time code",
    responses=writing(NotFound, AboveYourRights, HasPassword),
)
async def invite_user(user_id: UUID, caller: Writer) -> OneTimeCode:
    code = caller.backend.codes.code(caller.user_id, caller.command_id, user_id)
    invitation = await caller.ask(INVITE_USER, InviteUser(user_id=user_id, code_digest=digest_of(code)))
    return OneTimeCode(code=code, expires_at=invitation.expires_at)
