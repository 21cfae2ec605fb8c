"""Tokens of programs."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from gateway.caller import Reader, Writer
from gateway.openapi import reading, writing
from gateway.paging import LINK, Pages
from gateway.routes import make_router
from gateway.tokens import digest_of
from services.contracts import api_tokens as contract
from services.contracts.base import Page, PageQuery, View
from services.contracts.errors import (
    AboveYourRights,
    CurrentPasswordWrong,
    IdempotencyKeyForgotten,
    InvalidCursor,
    NoSecondFactor,
    NotForTokens,
    NotFound,
    SecondFactorRequired,
    SecondFactorWrong,
    SessionForfeited,
    TokenNameTaken,
    TooManyCodes,
    TooManyTokens,
)

router = make_router("identity")


class MadeToken(View):
    """The secret is told this once; a program sends it as `Authorization: Bearer qdt_…`."""

    secret: str
    token: contract.TokenView


@router.post(
    "/me/tokens",
    status_code=201,
    summary="Make a token for a program",
    responses=writing(
        NotForTokens,
        TokenNameTaken,
        TooManyTokens,
        CurrentPasswordWrong,
        SessionForfeited,
        SecondFactorRequired,
        SecondFactorWrong,
        NoSecondFactor,
        TooManyCodes,
        IdempotencyKeyForgotten,
    ),
)
async def make_token(body: contract.NewToken, caller: Writer) -> MadeToken:
    secret = caller.backend.derived.api_token(caller.user_id, caller.command_id)
    message = contract.MakeToken(token_digest=digest_of(secret), **dict(body))
    with caller.forgetting_session():
        return MadeToken(secret=secret, token=await caller.ask(contract.MAKE_TOKEN, message))


@router.get("/me/tokens", summary="List my tokens", responses=reading(InvalidCursor) | LINK)
async def list_my_tokens(query: Annotated[PageQuery, Query()], caller: Reader, pages: Pages) -> Page[contract.TokenView]:
    message = contract.ListTokens(**query.model_dump(exclude_unset=True))
    return pages.linked(await caller.ask(contract.LIST_TOKENS, message))


@router.get("/users/{user_id}/tokens", summary="List a user's tokens", responses=reading(NotFound, InvalidCursor) | LINK)
async def list_tokens(
    user_id: UUID, query: Annotated[PageQuery, Query()], caller: Reader, pages: Pages
) -> Page[contract.TokenView]:
    message = contract.ListTokens(user_id=user_id, **query.model_dump(exclude_unset=True))
    return pages.linked(await caller.ask(contract.LIST_TOKENS, message))


@router.delete(
    "/tokens/{token_id}",
    status_code=204,
    summary="Revoke a token, one's own or a user's",
    response_class=Response,
    responses=writing(NotFound, AboveYourRights),
)
async def revoke_token(token_id: UUID, caller: Writer) -> None:
    await caller.ask(contract.REVOKE_TOKEN, contract.RevokeToken(token_id=token_id))
