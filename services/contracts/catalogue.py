"""What headquarters lays down for the records of customers: dictionaries, fields of its own; and the places that there are."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from services.contracts.base import Command, Event, Line, Query, View, command, query, refuse_the_invisible

Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
"""Of an entry of a dictionary, or of a custom field; it never changes, its label may."""
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40), AfterValidator(refuse_the_invisible)]
DivisionCode = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{5}$")]
"""Of GB/T 2260: 320000 is 江苏, 321000 扬州, 321081 仪征."""

# --- dictionaries

DictionaryKind = Literal["source", "industry", "release_reason", "visit_method", "category", "key_criterion"]
PRESERVED = frozenset({("source", "own"), ("source", "web"), ("release_reason", "other"), ("category", "potential")})
"""What the system itself enters: it stays active."""


class DictionaryEntryView(View):
    kind: DictionaryKind
    code: Code
    label: str
    position: int
    is_active: bool
    version: int


class DictionaryView(View):
    """All entries of a kind in their order. `is_open`: other texts may be typed as well."""

    kind: DictionaryKind
    is_open: bool
    entries: list[DictionaryEntryView]


class ShowDictionary(Query):
    kind: DictionaryKind


class EntrySetting(Command):
    """How an entry is shown, and whether it may still be chosen; what was chosen before stays."""

    label: Line
    position: Annotated[int, Field(ge=0, le=10_000)] = 1_000
    is_active: bool = True


class SetDictionaryEntry(EntrySetting):
    """Adds an entry (`expected_version` 0) or changes it if it is still in this version."""

    kind: DictionaryKind
    code: Code
    expected_version: Annotated[int, Field(ge=0)]


# --- custom fields

FieldKind = Literal["text", "number", "date", "boolean", "choice", "choices"]
Options = Annotated[tuple[Line, ...], Field(max_length=100)]
MOST_FIELDS = 50
"""Of a headquarters, those that are not used any more included."""
CustomValue = Any
CustomValues = Annotated[dict[Code, CustomValue], Field(max_length=MOST_FIELDS)]


class CustomFieldView(View):
    """`choice`: one of the options; `choices`: several of them. A number has 15 digits at most, a date is 2026-11-30."""

    key: Code
    label: str
    kind: FieldKind
    options: list[str]
    is_required: bool
    is_active: bool
    position: int
    version: int


class CustomFields(View):
    items: list[CustomFieldView]


class FieldSetting(Command):
    """A required field must be filled in by whoever enters a customer; those that are there are not touched."""

    label: Line
    options: Options = ()
    is_required: bool = False
    is_active: bool = True
    position: Annotated[int, Field(ge=0, le=10_000)] = 1_000

    @model_validator(mode="after")
    def refuse_twins(self) -> "FieldSetting":
        if len(set(self.options)) != len(self.options):
            raise ValueError("options must differ from each other")
        return self


class FieldDefinition(FieldSetting):
    kind: FieldKind

    @model_validator(mode="after")
    def need_options(self) -> "FieldDefinition":
        if (self.kind in ("choice", "choices")) != bool(self.options):
            raise ValueError("choice and choices have options, and no other kind has")
        return self


class SetCustomField(FieldDefinition):
    """Adds a field (`expected_version` 0) or changes it if it is still in this version. Its kind stays for good."""

    key: Code
    expected_version: Annotated[int, Field(ge=0)]


# --- places


class ListDivisions(Query):
    """The provinces, or what lies directly in a division."""

    parent: DivisionCode | None = None


class DivisionView(View):
    code: DivisionCode
    name: str
    has_parts: bool


class Divisions(View):
    items: list[DivisionView]


class TagsInUse(View):
    """That the caller's agency has given, in their order."""

    items: list[str]


class ListTags(Query):
    """Those that begin like this, 50 at most."""

    start: Tag | None = None


SHOW_DICTIONARY = query("customers.show_dictionary", ShowDictionary, DictionaryView, "catalogue:read")
SET_DICTIONARY_ENTRY = command("customers.set_dictionary_entry", SetDictionaryEntry, DictionaryEntryView, "catalogue:configure")


class ListCustomFields(Query):
    pass


LIST_CUSTOM_FIELDS = query("customers.list_custom_fields", ListCustomFields, CustomFields, "catalogue:read")
SET_CUSTOM_FIELD = command("customers.set_custom_field", SetCustomField, CustomFieldView, "catalogue:configure")
LIST_DIVISIONS = query("customers.list_divisions", ListDivisions, Divisions, "catalogue:read")
LIST_TAGS = query("customers.list_tags", ListTags, TagsInUse, "customer:read")


# --- events


class DictionaryEntrySet(Event, source="customers"):
    """Full state of an entry; the aggregate's id is made of kind and code."""

    kind: str
    code: str
    label: str
    position: int
    is_active: bool
    set_by: str


class CustomFieldSet(Event, source="customers"):
    """Full state of a field."""

    key: str
    label: str
    kind: str
    options: tuple[str, ...]
    is_required: bool
    is_active: bool
    position: int
    set_by: str


CATALOGUE = UUID("0c2a3c0e-5a4e-5d1c-9a57-6f6d7d3b9c21")
"""The namespace of the ids of entries and fields."""
