"""SQL of the search.

A page over many people's customers is looked for in two steps. Most questions are answered by the newest few thousand in the
list's own order, without looking further. What is rarer than that is found by its tokens, or by whose they are, and then put in
order: a set that is small, because it is rare.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, cast
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Integer,
    Numeric,
    Row,
    Select,
    Table,
    Text,
    Uuid,
    any_,
    case,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    tuple_,
    union,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY

from services.contracts.fields import Level, RestrictedField
from services.contracts.permissions import Scope
from services.contracts.reach import Reach
from services.contracts.search import CONDITION, CustomerFilter
from services.customers.catalogue.domain import DATE
from services.customers.fields.domain import is_as_wide
from services.customers.fields.sight import Sight
from services.customers.models import CollisionKey, Customer, Pool
from services.customers.registry.queries import BOUND, LINES
from services.customers.search import domain, ranges
from services.customers.search.models import CustomerSearch
from services.customers.team.access import shared_with
from services.directory.scopes import people_within, visible
from services.plumbing.passport import Caller

TABLE = cast(Table, Customer.__table__)
INTEGERS, RANGES = ARRAY(Integer), ARRAY(Integer, dimensions=2)
LOOKED_AT, LOOKED_AT_FOR_PEOPLE = 8_000, 40_000
"""Customers of the first step, some 20 ms; more where only some people's are meant, who are a part of the list."""
MOST_COUNTED = 10_000
IS_WAITING = TABLE.c.searchable < literal_column(str(domain.VERSION))
"""With the figure in it: by a parameter the index of those who wait is not taken."""
DATES = f"^{DATE.pattern}$"
MOST_RANGES = 3
"""That are looked up; more are compared only."""
MOST_IN_RANGE = 20_000
"""Beyond which all are looked at: looking each up takes as long by then, by our estimate."""
FACETS = {"source": "source", "industry": "industry", "category": "category", "criterion": "criterion", "division": "at"}
"""Which part of the filter is which token."""

Key = tuple[datetime, UUID] | tuple[str, UUID] | tuple[UUID]
SORTED_BY: dict[str, list[ColumnElement[Any]]] = {
    "entered": [TABLE.c.id],
    "held": [TABLE.c.held_since, TABLE.c.id],
    "name": [TABLE.c.name, TABLE.c.id],
}


@dataclass(frozen=True)
class Order:
    """Of a list. `key` is what its cursor says of a row."""

    by: str
    is_descending: bool

    @property
    def columns(self) -> list[ColumnElement[Any]]:
        return SORTED_BY[self.by]

    def key_of(self, row: Any) -> Key:
        """Where a customer stands in the list, whether it is in it or not."""
        return cast(Key, tuple(getattr(row, column.name) for column in self.columns))

    def sorted(self, query: Select[Any], columns: Sequence[ColumnElement[Any]] | None = None) -> Select[Any]:
        return query.order_by(*(each.desc() if self.is_descending else each for each in columns or self.columns))

    def behind(self, key: Key, columns: Sequence[ColumnElement[Any]] | None = None) -> ColumnElement[bool]:
        own, given = tuple_(*(columns or self.columns)), tuple_(*(literal(part) for part in key))
        return own < given if self.is_descending else own > given

    def reversed(self) -> "Order":
        return Order(self.by, not self.is_descending)


def order_of(sort: str) -> Order:
    return Order(sort.removeprefix("-"), sort.startswith("-"))


class Question:
    """What a caller asks for, as conditions on the table of customers."""

    def __init__(self, scope: Reach, caller: Caller, wanted: CustomerFilter, sight: Sight) -> None:
        self.caller, self.wanted, self.sight = caller, wanted, sight
        self.reach: Reach = scope if wanted.of == "visible" else Scope.OWN
        self.searched = domain.searched(wanted.q) if wanted.q is not None else None

    @property
    def is_for_nothing(self) -> bool:
        """A search that is too short to be looked for."""
        return self.wanted.q is not None and self.searched is None

    @property
    def base(self) -> ColumnElement[bool]:
        """The list in which all of it stands, in whose order an index goes."""
        if self.wanted.pool_id:
            # with its agency, in whose order indexes go
            its_agency = select(Pool.agency_id).where(Pool.id == self.wanted.pool_id).scalar_subquery()
            return (TABLE.c.pool_id == self.wanted.pool_id) & (TABLE.c.agency_id == its_agency)
        if self.wanted.owner_id:
            return TABLE.c.owner_id == self.wanted.owner_id
        if self.wanted.agency_id:
            return TABLE.c.agency_id == self.wanted.agency_id
        return true() if self.reach is Scope.ALL else TABLE.c.agency_id == self.caller.agency_id

    @property
    def is_of_people(self) -> bool:
        """Whether only some people's customers of the base are meant."""
        return self.reach not in (Scope.OWN, Scope.AGENCY, Scope.ALL)

    @property
    def is_of_one(self) -> bool:
        return self.reach is Scope.OWN or self.wanted.owner_id is not None

    def is_seen(self, owner: Any, agency: Any) -> ColumnElement[bool]:
        return visible(self.reach, self.caller, owner=owner, agency=agency)

    def conditions(self) -> list[ColumnElement[bool]]:
        """All that must hold of a row, the caller's reach first."""
        wanted = self.wanted
        seen = self.is_seen(TABLE.c.owner_id, TABLE.c.agency_id)
        if wanted.of == "shared":
            seen = TABLE.c.id.in_(shared_with(self.caller, "read"))
        found: list[ColumnElement[bool]] = [seen, self.base]
        found += [TABLE.c.agency_id == wanted.agency_id] if wanted.agency_id else []
        found += [TABLE.c[name] == value for name in ("source", "industry", "category") if (value := getattr(wanted, name))]
        if wanted.is_key is not None:
            found.append(TABLE.c.is_key.is_(wanted.is_key))
        if wanted.criterion:
            found.append(holds(TABLE.c.key_criteria, [wanted.criterion]))
        if wanted.tag:
            found.append(holds(TABLE.c.tags, wanted.tag))
        if wanted.division:
            found.append(func.starts_with(TABLE.c.division, meaning_part(wanted.division)))
        for column, since, until in (
            (TABLE.c.entered_at, wanted.entered_from, wanted.entered_until),
            (TABLE.c.held_since, wanted.held_from, wanted.held_until),
        ):
            found += [column >= since] if since else []
            found += [column < until] if until else []
        found += [custom_condition(condition) for condition in wanted.custom]
        if self.searched:
            found.append(self._stands_in_words(self.searched))
        return found

    def _stands_in_words(self, searched: domain.Searched) -> ColumnElement[bool]:
        """By a field only where it is shown. Of a masked number the whole may be searched, but no part, which would tell the
        rest; of a hidden one nothing. Numbers of all kinds stand together, so the narrower of their levels counts."""
        are_apart = TABLE.c.searchable >= domain.APART  # until they are, people and codes stand among the names
        stands = [
            CustomerSearch.words.contains(searched.word) & (self._shown("contact_person", "credit_code") | are_apart),
            CustomerSearch.people.contains(searched.word) & self._shown("contact_person"),
            CustomerSearch.codes.contains(searched.word) & self._shown("credit_code"),
        ]
        if searched.digits:
            whole = select(CollisionKey.customer_id).where(CollisionKey.kind == "number", CollisionKey.key.in_(searched.whole))
            is_whole = self._shown("phone", "fax", level="masked") & TABLE.c.id.in_(whole)
            stands.append(CustomerSearch.digits.contains(searched.digits) & (self._shown("phone", "fax") | is_whole))
        return select(CustomerSearch.customer_id).where(CustomerSearch.customer_id == TABLE.c.id, or_(*stands)).exists()

    def _shown(self, *fields: RestrictedField, level: Level = "read") -> ColumnElement[bool]:
        """Where the caller sees all of these fields at least so far: everywhere, in his own customers, in others', or nowhere."""
        own, overseen = (
            all(is_as_wide(levels[field], level) for field in fields) for levels in (self.sight.own, self.sight.overseen)
        )
        if own == overseen or self.wanted.of == "shared":
            return true() if own else false()
        is_own = TABLE.c.owner_id.is_not_distinct_from(self.caller.user_id)
        return is_own if own else ~is_own

    def tokens(self) -> set[str]:
        """Which every customer has that is asked for."""
        wanted = self.wanted
        values: dict[str, Any] = {token: getattr(wanted, name) for name, token in FACETS.items()}
        values |= {"tag": wanted.tag, "key": wanted.is_key or None}
        for condition in wanted.custom:
            key, sign, value = read(condition)
            if sign == "=":
                values[f"custom.{key}"] = value
        return set(domain.facets_of(values))

    def tokens_of_ranges(self) -> list[list[str]]:
        """Of each range of a custom field the tokens of which every customer has one that is asked for."""
        bounds: dict[tuple[str, str], tuple[int, int]] = {}
        for key, sign, text in map(read, self.wanted.custom):
            number = domain.number_of(text)
            place = ranges.place_of(text if number is None else number)
            if place is None or sign == "=":
                continue
            first, last = bounds.get((key, place.kind), (ranges.FIRST, ranges.LAST))
            bounds[key, place.kind] = (max(first, place.at), last) if sign == ">=" else (first, min(last, place.at))
        return [
            [domain.in_range(f"custom.{key}", bucket) for bucket in ranges.covering(kind, first, last)]
            for (key, kind), (first, last) in bounds.items()
        ]

    def by_tokens(self, owners: Sequence[UUID] | None = None) -> "Narrowing | None":
        """Those that an index finds, of these owners; None when there is nothing by which it could."""
        facets, (word, digits) = self.tokens(), (self.searched.word, self.searched.digits) if self.searched else ("", None)
        of_words = domain.hashed(facets | domain.parts_of(domain.WORD, word))
        of_ranges = [domain.hashed(tokens) for tokens in self.tokens_of_ranges()[:MOST_RANGES]]
        if not of_words and not of_ranges:
            return None
        of_digits = domain.hashed(facets | domain.parts_of(domain.DIGITS, digits)) if digits else None
        longest = max([1, *map(len, of_ranges)])
        as_table = [[*tokens, *[0] * (longest - len(tokens))] for tokens in of_ranges]  # at worst a token more finds some more
        most, at_most = (None, None) if of_words else (MOST_IN_RANGE, MOST_IN_RANGE + 1)
        asked = (literal(of_words, INTEGERS), literal(of_digits, INTEGERS))
        of_owners, limit = literal(owners, ARRAY(Uuid)), literal(at_most, Integer)
        found = select(func.find_searched(*asked, literal(as_table, RANGES), of_owners, limit).label("id"))
        if not of_ranges:
            return Narrowing(found)
        waiting = select(TABLE.c.id).where(IS_WAITING, self.base)
        if of_words:
            by_words = func.find_searched(*asked, literal([], RANGES), of_owners, limit)
            waiting = waiting.where(TABLE.c.id.in_(select(by_words)))
        either = union(found, waiting.limit(at_most)).subquery("either")
        return Narrowing(select(either.c.id), most)


class Narrowing(NamedTuple):
    """The ids that are left. `most`: of a range alone, which nearly all may meet, too many when there are more than so many."""

    ids: Select[Any]
    most: int | None = None


def holds(column: ColumnElement[Any], values: Sequence[str]) -> ColumnElement[bool]:
    return column.op("@>", is_comparison=True)(literal(list(values), ARRAY(Text)))


def meaning_part(division: str) -> str:
    """What all codes in a division begin with."""
    return division[:2] if division.endswith("0000") else division[:4] if division.endswith("00") else division


def read(condition: str) -> tuple[str, str, str]:
    """Key, sign and value."""
    found = CONDITION.fullmatch(condition)
    assert found
    key, sign, value = found.groups()
    return key, sign, value


def custom_condition(condition: str) -> ColumnElement[bool]:
    """Equal whatever the field's kind; larger and smaller of numbers, and of dates, which are in the order of their texts."""
    key, sign, text = read(condition)
    value, number = TABLE.c.custom[key], domain.number_of(text)
    kind = "string" if number is None else "number"
    own = value.astext if number is None else value.astext.cast(Numeric)
    given = literal(text) if number is None else literal(number, Numeric)
    of_kind = func.jsonb_typeof(value) == kind
    if sign != "=" and ranges.place_of(text):
        of_kind &= value.astext.regexp_match(DATES)  # a text that is none is neither before nor after it
    if sign == "=":
        equal = case((of_kind, own == given), else_=value.astext == text)
        return func.coalesce(equal, false()) | TABLE.c.custom.contains({key: [text]})
    return func.coalesce(case((of_kind, own >= given if sign == ">=" else own <= given)), false())


def list_customers(connection: Connection, question: Question, order: Order, after: Key | None, limit: int) -> Sequence[Row[Any]]:
    """In that order, from behind `after`."""
    if question.is_for_nothing:
        return []
    if question.wanted.of == "all":
        return _list_with_bound(connection, question, order, after, limit)
    conditions = [*question.conditions(), *([order.behind(after)] if after else [])]
    if question.is_of_one:
        return connection.execute(order.sorted(LINES.where(*conditions)).limit(limit)).all()
    rows = connection.execute(_among_the_first(question, order, after, limit)).all()
    if len(rows) == limit:
        return rows
    whole = (
        _narrowed(select(*order.columns).where(*conditions), question.by_tokens(_owners(connection, question)))
        .cte("whole")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    top = order.sorted(select(whole.c.id), [whole.c[column.name] for column in order.columns]).limit(limit).subquery("top")
    return connection.execute(order.sorted(LINES.where(TABLE.c.id.in_(select(top.c.id))))).all()


def _among_the_first(question: Question, order: Order, after: Key | None, limit: int) -> Select[Any]:
    """Those that are found among the first of the list; all of them when nothing but the list itself is asked for."""
    base = [question.base, *([order.behind(after)] if after else [])]
    most = LOOKED_AT_FOR_PEOPLE if question.is_of_people else LOOKED_AT
    first = order.sorted(select(TABLE.c.id).where(*base)).limit(most)
    if question.is_of_people:  # most of the list is others', and the index that it is in the order of says whose
        each = first.add_columns(TABLE.c.owner_id, TABLE.c.agency_id).subquery("each")
        first = select(each.c.id).where(question.is_seen(each.c.owner_id, each.c.agency_id))
    # as an array: what is joined may be turned round, and all customers' words be read before the first are known
    ids = func.array(first.scalar_subquery(), type_=ARRAY(Uuid))
    query = LINES.where(TABLE.c.id == any_(ids), *question.conditions())
    return order.sorted(query).limit(limit)


def _narrowed(all_of_it: Select[Any], found: Narrowing | None) -> Select[Any] | CompoundSelect[Any]:
    """Those of it that an index has found; all of it when these were too many."""
    if found is None:
        return all_of_it
    ids = found.ids.cte("found").prefix_with("MATERIALIZED", dialect="postgresql")
    narrow = all_of_it.join_from(ids, TABLE, TABLE.c.id == ids.c.id)
    if found.most is None:
        return narrow
    are_few = select(func.count() <= found.most).select_from(ids).scalar_subquery()
    return union_all(narrow.where(are_few), all_of_it.where(~are_few))


def _owners(connection: Connection, question: Question) -> list[UUID] | None:
    """Whose customers are meant, where these are only some people's."""
    if not question.is_of_people:
        return None
    caller = question.caller
    people = connection.scalars(people_within(question.reach, caller)).all()
    return [caller.user_id, *people]


def _list_with_bound(
    connection: Connection, question: Question, order: Order, after: Key | None, limit: int
) -> Sequence[Row[Any]]:
    """With what the caller has entered and was bound, each in its place by when that was."""
    conditions = question.conditions()
    both = union_all(LINES.where(*conditions), BOUND.where(*conditions)).subquery("both")
    columns = [both.c[column.name] for column in order.columns]
    query = select(both).where(order.behind(after, columns)) if after else select(both)
    return connection.execute(order.sorted(query, columns).limit(limit)).all()


def count_customers(connection: Connection, question: Question) -> int:
    """One more than MOST_COUNTED at most."""
    if question.is_for_nothing:
        return 0
    conditions = question.conditions()
    found = None if question.is_of_one else question.by_tokens(_owners(connection, question))
    each = _narrowed(select(TABLE.c.id).where(*conditions), found)
    if question.wanted.of == "all":
        each = union_all(each, select(BOUND.where(*conditions).subquery("bound").c.id))
    counted = each.limit(MOST_COUNTED + 1).subquery("counted")
    return connection.execute(select(func.count()).select_from(counted)).scalar_one()
