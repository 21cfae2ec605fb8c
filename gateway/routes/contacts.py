"""People at a customer. They are part of it: each change takes and gives its version."""

from uuid import UUID

from gateway.caller import Reader, Writer
from gateway.openapi import Responses, reading, writing
from gateway.problems import MalformedPrecondition, PreconditionRequired
from gateway.routes import make_router
from gateway.versions import ETAG, IF_MATCH, ExpectedVersion, Tags
from services.contracts import contacts as contract
from services.contracts.errors import CustomerCollides, FieldNotEditable, NotFound, VersionConflict

router = make_router("customers")

TAGGED: Responses = {200: {"headers": ETAG}}
CHANGING = (
    writing(NotFound, FieldNotEditable, CustomerCollides, VersionConflict, PreconditionRequired, MalformedPrecondition) | TAGGED
)
PATH = "/customers/{customer_id}/contacts"


@router.get(PATH, summary="List the people at a customer", responses=reading(NotFound) | TAGGED)
async def list_contacts(customer_id: UUID, caller: Reader, tags: Tags) -> contract.Contacts:
    return tags.tagged(await caller.ask(contract.LIST_CONTACTS, contract.ListContacts(customer_id=customer_id)))


@router.post(PATH, summary="Add a person", responses=CHANGING, openapi_extra=IF_MATCH)
async def add_contact(
    customer_id: UUID, body: contract.ContactFields, caller: Writer, version: ExpectedVersion, tags: Tags
) -> contract.Contacts:
    message = contract.AddContact(customer_id=customer_id, expected_version=version, **body.model_dump())
    return tags.tagged(await caller.ask(contract.ADD_CONTACT, message))


@router.put(PATH + "/{contact_id}", summary="Replace what is known of a person", responses=CHANGING, openapi_extra=IF_MATCH)
async def put_contact(
    customer_id: UUID, contact_id: UUID, body: contract.ContactFields, caller: Writer, version: ExpectedVersion, tags: Tags
) -> contract.Contacts:
    message = contract.PutContact(customer_id=customer_id, contact_id=contact_id, expected_version=version, **body.model_dump())
    return tags.tagged(await caller.ask(contract.PUT_CONTACT, message))


@router.delete(PATH + "/{contact_id}", summary="Remove a person", responses=CHANGING, openapi_extra=IF_MATCH)
async def remove_contact(
    customer_id: UUID, contact_id: UUID, caller: Writer, version: ExpectedVersion, tags: Tags
) -> contract.Contacts:
    message = contract.RemoveContact(customer_id=customer_id, contact_id=contact_id, expected_version=version)
    return tags.tagged(await caller.ask(contract.REMOVE_CONTACT, message))
