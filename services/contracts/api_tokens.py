"""Tokens by which programs act for a person: named, with chosen permissions, for a year at most."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.contracts.base import Command, Digest, Line, Nothing, Page, PageQuery, Password, Query, View, command, query
from services.contracts.identity import Passport, TypedCode
from services.contracts.permissions import Permission

PERMISSIONS_OF_ONE = 100


class NewToken(Command):
    """`permissions` are some of those that the caller holds. A program never has more of them than he has at that moment, and
    with his scope. `current` is the caller's password, `code` of his second factor, where he has one, or a recovery code."""

    name: Line
    permissions: Annotated[tuple[Permission, ...], Field(min_length=1, max_length=PERMISSIONS_OF_ONE)]
    days: Annotated[int, Field(ge=1, le=365, description="After which it expires.")]
    current: Password
    code: TypedCode | None = None


class MakeToken(NewToken):
    """The token is derived by the gateway from the command's key; identity keeps its SHA-256, in hex."""

    token_digest: Digest


class TokenView(View):
    """`used_at` is right within a minute."""

    id: UUID
    user_id: UUID
    name: str
    permissions: list[str]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    revoked_at: datetime | None = None


class ListTokens(PageQuery):
    """In the order in which they were made, of the caller or of a user whom he may see; ended ones as well."""

    user_id: UUID | None = None


class RevokeToken(Command):
    """One's own, or that of a user whom the caller may administer. One that is revoked already is told as revoked."""

    token_id: UUID


class ResolveToken(Query):
    token_digest: Digest


MAKE_TOKEN = command("identity.make_token", MakeToken, TokenView, "token:create")
LIST_TOKENS = query("identity.list_tokens", ListTokens, Page[TokenView], "token:read")
REVOKE_TOKEN = command("identity.revoke_token", RevokeToken, Nothing, "token:revoke")
RESOLVE_TOKEN = query("identity.resolve_token", ResolveToken, Passport, "session:resolve")
