"""Every error as RFC 9457 `application/problem+json`, and what a client may learn from it."""

import json
import logging
import math
import random
import uuid
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway import disconnects
from services.contracts.collision import Email
from services.contracts.errors import InternalError, InvalidRequest, NotFound, QudaoError
from services.contracts.identity import LOGIN_RULE, Login
from services.plumbing.logs import request_id

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
SPREAD = 4  # seconds over which those who are sent away come back
ERRORS_TOLD = 20
POINTER_LENGTH = 200


class MalformedBody(QudaoError):
    """The body is not JSON as RFC 8259 has it."""

    status = 400


class MalformedPrecondition(QudaoError):
    """If-Match takes one strong entity tag, as the ETag header gave it."""

    status = 400


class MethodNotAllowed(QudaoError):
    """This address does not take this method."""

    status = 405


class BodyTooSlow(QudaoError):
    """The request did not arrive in time."""

    status = 408


class BodyTooLarge(QudaoError):
    """The body is larger than we take."""

    status = 413


class UnsupportedMediaType(QudaoError):
    """Bodies are application/json in UTF-8, not compressed."""

    status = 415


class PreconditionRequired(QudaoError):
    """Send If-Match with the ETag of what you have read."""

    status = 428


class Problem(BaseModel):
    """RFC 9457; further members give the details of the type."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Stable name of the kind of problem.", examples=["urn:qudao:problem:version-conflict"])
    title: str = Field(description="The kind of problem in one sentence.")
    status: int
    detail: str
    instance: str = Field(description="This occurrence.", examples=["urn:qudao:request:0190c6d2"])
    request_id: str = Field(description="Finds the request in our logs.")


class WrongPart(BaseModel):
    """One thing that is wrong with a request. What was sent is not repeated."""

    place: str = Field(alias="in", description="body, query, path or header")
    pointer: str = Field(description="JSON pointer into the body, or to the parameter.", examples=["/phone"])
    detail: str


def problem(error: QudaoError) -> Response:
    """The error as an answer."""
    details = error.details
    if error.status == 500:  # whatever else is known of it is not the client's to know
        details = {"incident": details["incident"]} if "incident" in details else {}
    elif error.status in (429, 503):
        details = {**details, "retry_after": math.ceil(details.get("retry_after", 1)) + random.randint(0, SPREAD)}
    asked = request_id.get() or ""
    content = {
        **details,
        "type": f"urn:qudao:problem:{error.slug()}",
        "title": error.title,
        "status": error.status,
        "detail": told_detail(details) or error.title,
        "instance": f"urn:qudao:request:{asked}",
        "request_id": asked,
    }
    # ASCII only, so that not even a lone surrogate in a detail can make the answer fail.
    return Response(json.dumps(content, default=str), error.status, _headers(error.status, details), MEDIA_TYPE)


def told_detail(details: dict[str, Any]) -> str | None:
    """What is told of this occurrence: a sentence, or at least the reason."""
    return next((told for told in (details.get("detail"), details.get("reason")) if told and isinstance(told, str)), None)


def _headers(status: int, details: dict[str, Any]) -> dict[str, str]:
    match status:
        case 401:
            return {"WWW-Authenticate": "Bearer"}
        case 429 | 503:
            return {"Retry-After": str(details["retry_after"])}
        case 408 | 413:
            return {"Connection": "close"}  # the rest of the body is on its way
    return {}


def incident(error: Exception) -> Response:
    """Something unforeseen: logged under an id, of which alone the client learns."""
    told = InternalError(incident=uuid.uuid4().hex)
    log.error("incident %s", told.details["incident"], exc_info=error)
    return problem(told)


# --- FastAPI's own errors


def pattern_of(constrained: Any) -> str | None:
    """The regular expression that a constrained string carries."""
    patterns = (part.pattern for part in constrained.__metadata__ if isinstance(part, StringConstraints))
    return next((str(pattern) for pattern in patterns if pattern), None)


# pydantic's sentences for these repeat a part of what was sent
SENTENCES = {
    "uuid_parsing": "Input should be a valid UUID",
    "datetime_from_date_parsing": "Input should be a valid date and time",
    "datetime_parsing": "Input should be a valid date and time",
    "date_from_datetime_parsing": "Input should be a valid date",
    "date_parsing": "Input should be a valid date",
}
SENTENCES_OF_PATTERNS = {
    pattern_of(Login): LOGIN_RULE,
    pattern_of(Email): "must be an address such as name@example.com",
}


def wrong_parts(errors: list[Any]) -> list[dict[str, str]]:
    """pydantic's errors without what was sent; as many as help."""
    return [
        {
            "in": str(error["loc"][0]),
            "pointer": "".join(f"/{part}" for part in error["loc"][1:])[:POINTER_LENGTH],
            "detail": sentence(error),
        }
        for error in errors[:ERRORS_TOLD]
    ]


def sentence(error: Any) -> str:
    """For people: neither what was sent, nor a regular expression, nor what pydantic puts before our own words."""
    match error["type"]:
        case "string_pattern_mismatch":
            return SENTENCES_OF_PATTERNS.get(error["ctx"]["pattern"], "has a form or characters that are not taken here")
        case "value_error":
            return str(error["msg"]).removeprefix("Value error, ")
    return str(SENTENCES.get(error["type"], error["msg"]))


def handle_errors(app: FastAPI) -> None:
    """Puts ours in the place of FastAPI's and Starlette's answers."""
    app.add_exception_handler(QudaoError, _on_declared)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(disconnects.ClientGone, _on_gone)
    app.add_exception_handler(Exception, _on_unforeseen)


async def _on_declared(request: Request, error: Exception) -> Response:
    assert isinstance(error, QudaoError)
    return problem(error)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problem(InvalidRequest(errors=wrong_parts(list(error.errors()))))


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    match error.status_code:
        case 404:
            return problem(NotFound())
        case 405:
            answer = problem(MethodNotAllowed())
            answer.headers.update(error.headers or {})
            return answer
        case 400:
            return problem(MalformedBody())
    return incident(error)


async def _on_gone(request: Request, error: Exception) -> Response:
    return Response(status_code=disconnects.STATUS)


async def _on_unforeseen(request: Request, error: Exception) -> Response:
    return incident(error)
