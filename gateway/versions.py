"""Entity tags: a version as `"3"`, by which nobody overwrites what he has not seen."""

import re
from typing import Annotated, Any, Protocol, TypeVar

from fastapi import Depends, Request, Response

from gateway.problems import MalformedPrecondition, PreconditionRequired

STRONG_TAG = re.compile(r'"(0|[1-9][0-9]{0,9})"')

ETAG = {"ETag": {"description": "The version, as If-Match and If-None-Match take it.", "schema": {"type": "string"}}}
LOCATION = {"Location": {"description": "Where the new thing is.", "schema": {"type": "string", "format": "uri-reference"}}}


def _parameter(name: str, description: str, *, is_required: bool) -> dict[str, Any]:
    schema = {"type": "string", "examples": ['"3"']}
    return {"name": name, "in": "header", "required": is_required, "description": description, "schema": schema}


IF_MATCH = {"parameters": [_parameter("If-Match", "The ETag of what was read.", is_required=True)]}
IF_NONE_MATCH = {"parameters": [_parameter("If-None-Match", "The ETag of what is known.", is_required=False)]}


class Versioned(Protocol):
    @property
    def version(self) -> int: ...


View = TypeVar("View", bound=Versioned)


async def expected_version(request: Request) -> int:
    """The version in If-Match, 1 at least."""
    version = await version_of_setting(request)
    if version == 0:
        raise MalformedPrecondition()
    return version


async def version_of_setting(request: Request) -> int:
    """As `expected_version`, or 0 as long as nothing was set. Weak tags, lists and `*` are refused: they name no one state."""
    given = request.headers.getlist("if-match")
    if not given:
        raise PreconditionRequired()
    found = STRONG_TAG.fullmatch(given[0])
    if len(given) > 1 or found is None:
        raise MalformedPrecondition()
    return int(found[1])


class EntityTags:
    """Puts the ETag on an answer."""

    def __init__(self, request: Request, response: Response) -> None:
        self._known = request.headers.get("if-none-match", "")
        self._response = response

    def tagged(self, view: View) -> View:
        self._response.headers["ETag"] = f'"{view.version}"'
        return view

    def unless_known(self, view: View) -> View | Response:
        """The view, or 304 when the client has this version."""
        tag = f'"{view.version}"'
        known = {given.strip().removeprefix("W/") for given in self._known.split(",")}
        if tag in known or "*" in known:
            return Response(status_code=304, headers={"ETag": tag})
        return self.tagged(view)


async def entity_tags(request: Request, response: Response) -> EntityTags:
    """Async, so that FastAPI does not hand it to a thread."""
    return EntityTags(request, response)


ExpectedVersion = Annotated[int, Depends(expected_version)]
SettingVersion = Annotated[int, Depends(version_of_setting)]
Tags = Annotated[EntityTags, Depends(entity_tags)]
