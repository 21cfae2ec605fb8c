"""Finding customers: lists, counts, neighbours, and questions kept under a name."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from gateway.caller import Reader, Writer
from gateway.openapi import Responses, reading, writing
from gateway.paging import LINK, Pages
from gateway.problems import MalformedPrecondition, PreconditionRequired
from gateway.routes import PREFIX, make_router
from gateway.versions import ETAG, IF_MATCH, LOCATION, ExpectedVersion, Tags
from services.contracts import search as contract
from services.contracts.base import Page, PageQuery
from services.contracts.customers import CustomerLine
from services.contracts.errors import InvalidCursor, NameTaken, NotFound, VersionConflict

router = make_router("customers")

TAGGED: Responses = {200: {"headers": ETAG}}


@router.get("/customers", summary="List and search customers", responses=reading(InvalidCursor) | LINK)
async def list_customers(query: Annotated[contract.ListCustomers, Query()], caller: Reader, pages: Pages) -> Page[CustomerLine]:
    return pages.linked(await caller.ask(contract.LIST_CUSTOMERS, query))


@router.get("/customers/count", summary="Count customers, to ten thousand", responses=reading())
async def count_customers(query: Annotated[contract.CustomerFilter, Query()], caller: Reader) -> contract.Count:
    return await caller.ask(contract.COUNT_CUSTOMERS, query)


class Neighbourhood(contract.CustomerFilter):
    """The list in which the neighbours are looked for."""

    sort: contract.Sort = "-entered"


@router.get(
    "/customers/{customer_id}/neighbours", summary="Find who stands before and after it in a list", responses=reading(NotFound)
)
async def find_neighbours(customer_id: UUID, query: Annotated[Neighbourhood, Query()], caller: Reader) -> contract.Neighbours:
    message = contract.FindNeighbours(customer_id=customer_id, **query.model_dump(exclude_unset=True))
    return await caller.ask(contract.FIND_NEIGHBOURS, message)


# --- saved views


@router.get("/saved-views", summary="List one's own views and those that are shared", responses=reading(InvalidCursor) | LINK)
async def list_views(query: Annotated[PageQuery, Query()], caller: Reader, pages: Pages) -> Page[contract.SavedViewView]:
    message = contract.ListViews(cursor=query.cursor, limit=query.limit)
    return pages.linked(await caller.ask(contract.LIST_VIEWS, message))


@router.post(
    "/saved-views",
    status_code=201,
    summary="Keep a question under a name",
    responses=writing(NameTaken) | {201: {"headers": LOCATION | ETAG}},
)
async def save_view(body: contract.SavedViewFields, caller: Writer, response: Response, tags: Tags) -> contract.SavedViewView:
    saved = await caller.ask(contract.SAVE_VIEW, contract.SaveView.model_validate(body.model_dump(exclude_unset=True)))
    response.headers["Location"] = f"{PREFIX}/saved-views/{saved.id}"
    return tags.tagged(saved)


@router.put(
    "/saved-views/{view_id}",
    summary="Change one of one's own views",
    responses=writing(NotFound, NameTaken, VersionConflict, PreconditionRequired, MalformedPrecondition) | TAGGED,
    openapi_extra=IF_MATCH,
)
async def change_view(
    view_id: UUID, body: contract.SavedViewFields, caller: Writer, version: ExpectedVersion, tags: Tags
) -> contract.SavedViewView:
    given = body.model_dump(exclude_unset=True)
    message = contract.ChangeView.model_validate({"view_id": view_id, "expected_version": version, **given})
    return tags.tagged(await caller.ask(contract.CHANGE_VIEW, message))


@router.delete("/saved-views/{view_id}", status_code=204, summary="Forget one of one's own views", responses=writing(NotFound))
async def forget_view(view_id: UUID, caller: Writer) -> None:
    await caller.ask(contract.FORGET_VIEW, contract.ForgetView(view_id=view_id))
