"""The registry of customers."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from gateway.caller import Reader, Writer
from gateway.openapi import Responses, reading, writing
from gateway.paging import LINK, Pages
from gateway.problems import MalformedPrecondition, PreconditionRequired
from gateway.routes import PREFIX, make_router
from gateway.versions import ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION, ExpectedVersion, Tags
from services.contracts.base import Page
from services.contracts.customers import (
    ENTER_CUSTOMER,
    LIST_CUSTOMERS,
    SHOW_CUSTOMER,
    UPDATE_CUSTOMER,
    CustomerChanges,
    CustomerView,
    EnterCustomer,
    EntryOutcome,
    ListCustomers,
    ShowCustomer,
    UpdateCustomer,
)
from services.contracts.errors import InvalidCursor, NotFound, NotTheOwner, QudaoError, VersionConflict

router = make_router("customers")


class CustomerRefused(QudaoError):
    """Somebody else holds this customer."""

    status = 409


ENTERED: Responses = {
    201: {"model": EntryOutcome, "description": "A new customer of yours", "headers": LOCATION | ETAG},
    200: {"model": EntryOutcome, "description": "It was yours already", "headers": LOCATION},
}
TAGGED: Responses = {200: {"headers": ETAG}}
NOT_MODIFIED: Responses = {304: {"description": "It is still in the version of If-None-Match", "headers": ETAG}}


@router.post("/customers", status_code=201, summary="Enter a customer", responses=writing(CustomerRefused) | ENTERED)
async def enter_customer(body: EnterCustomer, caller: Writer, response: Response) -> EntryOutcome:
    entry = await caller.ask(ENTER_CUSTOMER, body)
    if entry.outcome == "refused":
        raise CustomerRefused(**entry.model_dump(mode="json", exclude_none=True))
    response.headers["Location"] = f"{PREFIX}/customers/{entry.customer_id}"
    if entry.outcome == "bound_to_yours":
        response.status_code = 200
    if entry.version is not None:
        response.headers["ETag"] = f'"{entry.version}"'
    return entry


@router.get("/customers", summary="List my customers, the newest first", responses=reading(InvalidCursor) | LINK)
async def list_customers(query: Annotated[ListCustomers, Query()], caller: Reader, pages: Pages) -> Page[CustomerView]:
    return pages.linked(await caller.ask(LIST_CUSTOMERS, query))


@router.get(
    "/customers/{customer_id}",
    response_model=CustomerView,
    summary="Show a customer",
    responses=reading(NotFound) | TAGGED | NOT_MODIFIED,
    openapi_extra=IF_NONE_MATCH,
)
async def show_customer(customer_id: UUID, caller: Reader, tags: Tags) -> CustomerView | Response:
    return tags.unless_known(await caller.ask(SHOW_CUSTOMER, ShowCustomer(customer_id=customer_id)))


@router.patch(
    "/customers/{customer_id}",
    summary="Change a customer",
    responses=writing(NotFound, NotTheOwner, VersionConflict, PreconditionRequired, MalformedPrecondition) | TAGGED,
    openapi_extra=IF_MATCH,
)
async def update_customer(
    customer_id: UUID, body: CustomerChanges, caller: Writer, version: ExpectedVersion, tags: Tags
) -> CustomerView:
    changes = body.model_dump(exclude_unset=True)
    message = UpdateCustomer(customer_id=customer_id, expected_version=version, **changes)
    return tags.tagged(await caller.ask(UPDATE_CUSTOMER, message))
