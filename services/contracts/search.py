"""Finding customers: what may be asked for, in which order, and under which names somebody keeps such questions."""

import re
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from services.contracts.base import Command, Line, Moment, Nothing, Page, PageQuery, Personal, Query, View, command, query
from services.contracts.catalogue import Code, DivisionCode, Tag
from services.contracts.customers import CustomerLine

ListOf = Annotated[
    Literal["mine", "all", "visible", "shared"],
    Field(
        description="`mine`: what the caller holds. `all`: also what he entered and was bound. `visible`: what his role lets him "
        "see. `shared`: what he works on as a collaborator, which is in none of the others."
    ),
]
Sort = Annotated[
    Literal["-entered", "entered", "-held", "held", "name", "-name"],
    Field(
        description="By when it was entered, since when it is held where it is, or its name, character by character; with `-` the"
        " newest or the last first."
    ),
]
CONDITION = re.compile(r"([a-z][a-z0-9_]{0,39})(>=|<=|=)(.{1,1000})", re.DOTALL)


def readable(condition: str) -> str:
    if not CONDITION.fullmatch(condition) or "\0" in condition:
        raise ValueError("must be a custom field's key, one of = >= <=, and a value: staff>=50")
    return condition


Condition = Annotated[str, StringConstraints(max_length=1_100), AfterValidator(readable)]


class CustomerFilter(Query):
    """What is asked for must hold all together. Codes are those of the dictionaries."""

    of: ListOf = "mine"
    q: Annotated[
        Line | None,
        Personal(),
        Field(
            description="Part of a name, its initials in pinyin (yzwh), a contact person, a credit code, or a number; by a field"
            " only where one sees it, and of a masked number by the whole. Two characters at least."
        ),
    ] = None
    agency_id: UUID | None = None
    owner_id: UUID | None = None
    pool_id: UUID | None = None
    is_key: bool | None = None
    source: Code | None = None
    industry: Line | None = None
    category: Code | None = None
    criterion: Code | None = None
    tag: Annotated[tuple[Tag, ...], Field(max_length=10, description="May be repeated: all of them.")] = ()
    division: Annotated[DivisionCode | None, Field(description="The place or what lies in it.")] = None
    entered_from: Moment | None = None
    entered_until: Annotated[Moment | None, Field(description="Not included.")] = None
    held_from: Moment | None = None
    held_until: Annotated[Moment | None, Field(description="Not included.")] = None
    custom: Annotated[
        tuple[Condition, ...],
        Field(max_length=10, description="Conditions on custom fields, `staff>=50`, `certified=true`; may be repeated."),
    ] = ()


class ListCustomers(CustomerFilter, PageQuery):
    sort: Sort = "-entered"


class FindNeighbours(CustomerFilter):
    """Of a customer in such a list."""

    customer_id: UUID
    sort: Sort = "-entered"


class Neighbours(View):
    """Who stands before and after it; null at either end. A customer that the filter leaves out has its place all the same."""

    previous_id: UUID | None
    next_id: UUID | None


class Count(View):
    """`is_more`: there are at least so many, nobody has counted further."""

    count: int
    is_more: bool = False


LIST_CUSTOMERS = query("customers.list_customers", ListCustomers, Page[CustomerLine], "customer:read")
COUNT_CUSTOMERS = query("customers.count_customers", CustomerFilter, Count, "customer:read")
FIND_NEIGHBOURS = query("customers.find_neighbours", FindNeighbours, Neighbours, "customer:read")


# --- saved views


class SavedViewFields(Command):
    """`is_shared`: the people of the own agency see it too, each his own customers through it."""

    name: Line
    filter: CustomerFilter
    sort: Sort = "-entered"
    is_shared: bool = False


class SaveView(SavedViewFields):
    """Under a new name."""


class ChangeView(SavedViewFields):
    """Of one's own views, if it is still in `expected_version`."""

    view_id: UUID
    expected_version: Annotated[int, Field(ge=1)]


class ForgetView(Command):
    """Of one's own views."""

    view_id: UUID


class ListViews(PageQuery):
    """One's own, and those that are shared in the own agency."""


class SavedViewView(View):
    id: UUID
    name: str
    filter: CustomerFilter
    sort: Sort
    is_shared: bool
    is_mine: bool
    version: int


LIST_VIEWS = query("customers.list_views", ListViews, Page[SavedViewView], "customer:read")
SAVE_VIEW = command("customers.save_view", SaveView, SavedViewView, "customer:read")
CHANGE_VIEW = command("customers.change_view", ChangeView, SavedViewView, "customer:read")
FORGET_VIEW = command("customers.forget_view", ForgetView, Nothing, "customer:read")


class MakeSearchable(Command):
    """Writes anew what customers are searched by, of those that wait for it."""

    customer_ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=200)]


class MadeSearchable(View):
    count: int


MAKE_SEARCHABLE = command("customers.make_searchable", MakeSearchable, MadeSearchable, "customer:file")
