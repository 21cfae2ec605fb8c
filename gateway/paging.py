"""Pages by cursor: `{items, next_cursor}`, and the next one as a `Link`."""

from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, Request, Response

from services.contracts.base import Message, Page

Item = TypeVar("Item", bound=Message)

LINK: dict[int | str, dict[str, Any]] = {
    200: {"headers": {"Link": {"description": 'The next page, `rel="next"`, if there is one.', "schema": {"type": "string"}}}}
}


class NextPage:
    """Adds the link to a page."""

    def __init__(self, request: Request, response: Response) -> None:
        self._request, self._response = request, response

    def linked(self, page: Page[Item]) -> Page[Item]:
        if page.next_cursor is not None:
            query = urlencode({**self._request.query_params, "cursor": page.next_cursor})
            self._response.headers["Link"] = f'<{self._request.url.path}?{query}>; rel="next"'
        return page


async def next_page(request: Request, response: Response) -> NextPage:
    """Async, so that FastAPI does not hand it to a thread."""
    return NextPage(request, response)


Pages = Annotated[NextPage, Depends(next_page)]
