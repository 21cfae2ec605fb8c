"""The description of the interface: OpenAPI 3.1, with every error as the problem that it is."""

from collections import defaultdict
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gateway.problems import (
    MEDIA_TYPE,
    BodyTooLarge,
    BodyTooSlow,
    MalformedBody,
    Problem,
    UnsupportedMediaType,
    WrongPart,
)
from services.contracts.errors import (
    CommandExpired,
    CommandInFlight,
    DeadlinePassed,
    IdempotencyKeyReused,
    InternalError,
    InvalidRequest,
    NotAuthenticated,
    PasswordChangeRequired,
    PermissionDenied,
    QudaoError,
    ServiceUnavailable,
)

Responses = dict[int | str, dict[str, Any]]
Errors = tuple[type[QudaoError], ...]

OF_BODIES: Errors = (MalformedBody, BodyTooSlow, BodyTooLarge, UnsupportedMediaType)
OF_ALL: Errors = (*OF_BODIES, InvalidRequest, InternalError, ServiceUnavailable)
OF_WRITES: Errors = (CommandInFlight, IdempotencyKeyReused, CommandExpired, DeadlinePassed)
OF_USERS: Errors = (NotAuthenticated, PermissionDenied, PasswordChangeRequired)

HEADERS_OF_STATUS = {
    401: {"WWW-Authenticate": "How to authenticate: `Bearer`."},
    429: {"Retry-After": "Seconds after which to try again."},
    503: {"Retry-After": "Seconds after which to try again."},
}
DESCRIPTION = """
Errors are `application/problem+json` (RFC 9457); `type` is a stable name. Every answer carries `X-Request-Id`, which finds the
request in the logs; send one of your own (8 to 64 of `A-Z a-z 0-9 . _ -`) and it is kept. Bodies are JSON in UTF-8.
"""


def problems(*errors: type[QudaoError]) -> Responses:
    """The responses by which an operation tells these errors."""
    by_status: dict[int, list[str]] = defaultdict(list)
    for error in errors:
        by_status[error.status].append(f"`{error.slug()}`: {(error.__doc__ or '').strip()}")
    return {status: _response(status, sentences) for status, sentences in by_status.items()}


def reading(*errors: type[QudaoError]) -> Responses:
    return problems(*OF_ALL, *OF_USERS, *errors)


def writing(*errors: type[QudaoError]) -> Responses:
    return problems(*OF_ALL, *OF_WRITES, *OF_USERS, *errors)


def _response(status: int, sentences: list[str]) -> dict[str, Any]:
    headers = {
        name: {"description": text, "schema": {"type": "string"}} for name, text in HEADERS_OF_STATUS.get(status, {}).items()
    }
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": "\n\n".join(sentences), "headers": headers, "content": {MEDIA_TYPE: {"schema": schema}}}


def describe(app: FastAPI) -> dict[str, Any]:
    """The description of what the application has so far."""
    schema = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes)
    schemas = schema["components"]["schemas"]
    schemas["Problem"] = Problem.model_json_schema()
    schemas["WrongPart"] = WrongPart.model_json_schema()
    schemas["Problem"]["properties"]["errors"] = {
        "type": "array",
        "items": {"$ref": "#/components/schemas/WrongPart"},
        "description": "Of `invalid-request`: what is wrong.",
    }
    return schema
