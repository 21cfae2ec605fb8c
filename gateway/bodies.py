"""What a request's body must be before anybody looks at it: small, in time, JSON, and meaning one thing only."""

import asyncio
import json
import re
from typing import Any

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.disconnects import ClientGone
from gateway.problems import (
    ERRORS_TOLD,
    POINTER_LENGTH,
    BodyTooLarge,
    BodyTooSlow,
    MalformedBody,
    UnsupportedMediaType,
    problem,
)
from services.contracts.errors import InvalidRequest, QudaoError

MAX_DEPTH = 64
MAX_PARTS = 2_000
STRING = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)  # an unclosed one reaches to the end: linear, whatever is sent
BRACES_AS_BRACKETS = bytes.maketrans(b"{}", b"[]")
ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class Bodies:
    """ASGI middleware that reads the whole body first. Nothing behind it sees a body that it refused."""

    def __init__(self, app: ASGIApp, *, max_bytes: int, max_seconds: float) -> None:
        self.app, self.max_bytes, self.max_seconds = app, max_bytes, max_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"]) if scope["type"] == "http" else {}
        if b"transfer-encoding" not in headers and headers.get(b"content-length", b"0") == b"0":
            return await self.app(scope, receive, send)
        try:
            body = await self._read(headers, receive)
            if body:
                check_media_type(headers)
                check_json(body)
        except ClientGone:
            return None
        except QudaoError as error:
            return await problem(error)(scope, receive, send)
        return await self.app(scope, _replay(body, receive), send)

    async def _read(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        if int(headers.get(b"content-length", b"0")) > self.max_bytes:
            raise BodyTooLarge(max_bytes=self.max_bytes)
        body = bytearray()
        try:
            async with asyncio.timeout(self.max_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGone()
                    body += message.get("body", b"")
                    if len(body) > self.max_bytes:
                        raise BodyTooLarge(max_bytes=self.max_bytes)
                    if not message.get("more_body"):
                        return bytes(body)
        except TimeoutError:
            raise BodyTooSlow() from None


def _replay(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def check_media_type(headers: dict[bytes, bytes]) -> None:
    """Raises UnsupportedMediaType."""
    media_type, *parameters = headers.get(b"content-type", b"").decode("latin-1").lower().replace(" ", "").split(";")
    if (
        media_type != "application/json"
        or any(parameter not in ("", "charset=utf-8", 'charset="utf-8"') for parameter in parameters)
        or headers.get(b"content-encoding", b"identity").lower() != b"identity"
    ):
        raise UnsupportedMediaType()


def check_json(body: bytes) -> None:
    """Raises MalformedBody for what is not JSON, and for what two readers could understand differently."""
    try:
        text = body.decode()
        if body.count(b",") + body.count(b"[") + body.count(b"{") > MAX_PARTS and _has_too_many_parts(body):
            raise MalformedBody(detail=f"The body has more than {MAX_PARTS} parts.")
        if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _is_too_deep(body):
            raise MalformedBody(detail=f"The body is nested deeper than {MAX_DEPTH} levels.")
        json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise MalformedBody(detail="The body is not UTF-8.") from None
    except ValueError:
        raise MalformedBody() from None


def _has_too_many_parts(body: bytes) -> bool:
    """Counted outside of strings, before anything is built: a million parts would hold up everybody for a second."""
    bare = STRING.sub(b"", body)
    return bare.count(b",") + bare.count(b"[") + bare.count(b"{") > MAX_PARTS


def _is_too_deep(body: bytes) -> bool:
    """Takes the innermost pairs away, level by level. Unbalanced ones stay as well, and are not JSON either."""
    brackets = STRING.sub(b"", body).translate(BRACES_AS_BRACKETS, ALL_BUT_BRACKETS)
    for _ in range(MAX_DEPTH):
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len({key for key, _ in pairs}) < len(pairs):
        raise MalformedBody(detail="An object of the body names a member twice.")


def _refuse_constant(name: str) -> None:
    raise MalformedBody(detail=f"{name} is not a number of JSON.")


async def refuse_surplus(request: Request) -> None:
    """A route without a body would silently ignore what is sent to it. Raises InvalidRequest."""
    if request.scope["route"].body_field is not None:
        return
    given = json.loads(await request.body() or b"null")
    if given not in (None, {}):
        pointers = [f"/{name}"[:POINTER_LENGTH] for name in given] if isinstance(given, dict) else [""]
        told = [{"in": "body", "pointer": pointer, "detail": "is not taken here"} for pointer in pointers]
        raise InvalidRequest(errors=told[:ERRORS_TOLD])
