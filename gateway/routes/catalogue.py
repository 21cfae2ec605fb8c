"""What headquarters lays down for the records of customers: dictionaries, custom fields; places and tags to choose from."""

from typing import Annotated

from fastapi import Query

from gateway.caller import Reader, Writer
from gateway.openapi import Responses, reading, writing
from gateway.problems import MalformedPrecondition, PreconditionRequired
from gateway.routes import make_router
from gateway.versions import ETAG, IF_MATCH, SettingVersion, Tags
from services.contracts import catalogue as contract
from services.contracts.errors import FieldKindIsKept, VersionConflict

router = make_router("customers")

TAGGED: Responses = {200: {"headers": ETAG}}
NEW = 'If-Match is `"0"` for a new one.'


@router.get("/dictionaries/{kind}", summary="Show what may be chosen", responses=reading())
async def show_dictionary(kind: contract.DictionaryKind, caller: Reader) -> contract.DictionaryView:
    return await caller.ask(contract.SHOW_DICTIONARY, contract.ShowDictionary(kind=kind))


@router.put(
    "/dictionaries/{kind}/{code}",
    summary="Add or change an entry",
    description=f"{NEW} What is not active is not chosen any more; customers keep it.",
    responses=writing(VersionConflict, PreconditionRequired, MalformedPrecondition) | TAGGED,
    openapi_extra=IF_MATCH,
)
async def set_dictionary_entry(
    kind: contract.DictionaryKind,
    code: contract.Code,
    body: contract.EntrySetting,
    caller: Writer,
    version: SettingVersion,
    tags: Tags,
) -> contract.DictionaryEntryView:
    message = contract.SetDictionaryEntry(kind=kind, code=code, expected_version=version, **body.model_dump())
    return tags.tagged(await caller.ask(contract.SET_DICTIONARY_ENTRY, message))


@router.get("/custom-fields", summary="List the custom fields of customers", responses=reading())
async def list_custom_fields(caller: Reader) -> contract.CustomFields:
    return await caller.ask(contract.LIST_CUSTOM_FIELDS, contract.ListCustomFields())


@router.put(
    "/custom-fields/{key}",
    summary="Add or change a custom field",
    description=NEW,
    responses=writing(VersionConflict, FieldKindIsKept, PreconditionRequired, MalformedPrecondition) | TAGGED,
    openapi_extra=IF_MATCH,
)
async def set_custom_field(
    key: contract.Code, body: contract.FieldDefinition, caller: Writer, version: SettingVersion, tags: Tags
) -> contract.CustomFieldView:
    message = contract.SetCustomField(key=key, expected_version=version, **body.model_dump())
    return tags.tagged(await caller.ask(contract.SET_CUSTOM_FIELD, message))


@router.get("/divisions", summary="List provinces, cities, districts with their codes", responses=reading())
async def list_divisions(query: Annotated[contract.ListDivisions, Query()], caller: Reader) -> contract.Divisions:
    return await caller.ask(contract.LIST_DIVISIONS, query)


@router.get("/tags", summary="List the agency's tags that begin like this", responses=reading())
async def list_tags(query: Annotated[contract.ListTags, Query()], caller: Reader) -> contract.TagsInUse:
    return await caller.ask(contract.LIST_TAGS, query)
