"""The catalogue: dictionaries, custom fields, places, tags."""

from services.contracts import catalogue as contract
from services.customers.catalogue import queries, settings
from services.customers.collision.divisions import divisions, parts_of
from services.plumbing.call import Call
from services.plumbing.rpc import serves

MOST_TAGS = 50


class CatalogueService:
    """What headquarters lays down."""

    @serves(contract.SHOW_DICTIONARY)
    def show_dictionary(self, query: contract.ShowDictionary, call: Call) -> contract.DictionaryView:
        with call.reading_rows() as connection:
            entries = [settings.entry_view(row) for row in queries.list_entries(connection, query.kind)]
        return contract.DictionaryView(kind=query.kind, is_open=query.kind == "industry", entries=entries)

    @serves(contract.SET_DICTIONARY_ENTRY)
    def set_dictionary_entry(self, command: contract.SetDictionaryEntry, call: Call) -> contract.DictionaryEntryView:
        with call.transaction() as work:
            return settings.set_entry(work, command)

    @serves(contract.LIST_CUSTOM_FIELDS)
    def list_custom_fields(self, query: contract.ListCustomFields, call: Call) -> contract.CustomFields:
        with call.reading_rows() as connection:
            return contract.CustomFields(items=[settings.field_view(row) for row in queries.list_fields(connection)])

    @serves(contract.SET_CUSTOM_FIELD)
    def set_custom_field(self, command: contract.SetCustomField, call: Call) -> contract.CustomFieldView:
        with call.transaction() as work:
            return settings.set_field(work, command)

    @serves(contract.LIST_DIVISIONS)
    def list_divisions(self, query: contract.ListDivisions, call: Call) -> contract.Divisions:
        parts = parts_of(query.parent)
        items = [contract.DivisionView(code=code, name=divisions()[code], has_parts=bool(parts_of(code))) for code in parts]
        return contract.Divisions(items=items)

    @serves(contract.LIST_TAGS)
    def list_tags(self, query: contract.ListTags, call: Call) -> contract.TagsInUse:
        with call.reading_rows() as connection:
            return contract.TagsInUse(items=queries.list_tags(connection, call.caller.agency_id, query.start or "", MOST_TAGS))
