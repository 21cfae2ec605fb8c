"""Lists, counts, neighbours and saved views."""

from datetime import datetime

from sqlalchemy import Connection

from services.contracts import search as contract
from services.contracts.base import Nothing, Page
from services.contracts.customers import CustomerLine
from services.customers.fields.sight import sight_of
from services.customers.registry import queries as registry
from services.customers.registry.views import line
from services.customers.search import indexing, queries, views
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.chores import Chore, every
from services.plumbing.rpc import serves

BY_DEFAULT = 0
"""The version of the field policy that nobody has set."""


class SearchService:
    """Finding customers."""

    @serves(contract.LIST_CUSTOMERS)
    def list_customers(self, query: contract.ListCustomers, call: Call) -> Page[CustomerLine]:
        order = queries.order_of(query.sort)
        after = key_in(query.cursor, order)
        with call.reading_rows() as connection:
            rows = queries.list_customers(connection, question_of(connection, call, query), order, after, query.limit + 1)
        more = cursor_of(order.key_of(rows[query.limit - 1])) if len(rows) > query.limit else None
        return Page[CustomerLine](items=[line(row) for row in rows[: query.limit]], next_cursor=more)

    @serves(contract.COUNT_CUSTOMERS)
    def count_customers(self, query: contract.CustomerFilter, call: Call) -> contract.Count:
        with call.reading_rows() as connection:
            count = queries.count_customers(connection, question_of(connection, call, query))
        return contract.Count(count=min(count, queries.MOST_COUNTED), is_more=count > queries.MOST_COUNTED)

    @serves(contract.FIND_NEIGHBOURS)
    def find_neighbours(self, query: contract.FindNeighbours, call: Call) -> contract.Neighbours:
        order = queries.order_of(query.sort)
        with call.reading_rows() as connection:
            question = question_of(connection, call, query)
            customer = registry.find_customer(connection, query.customer_id, call.scope, call.caller)
            if customer is None:
                raise registry.missing(connection, query.customer_id)
            place = order.key_of(customer)
            before, after = (
                queries.list_customers(connection, question, towards, place, 1) for towards in (order.reversed(), order)
            )
        previous, following = (rows[0].id if rows else None for rows in (before, after))
        return contract.Neighbours(previous_id=previous, next_id=following)

    @serves(contract.LIST_VIEWS)
    def list_views(self, query: contract.ListViews, call: Call) -> Page[contract.SavedViewView]:
        with call.reading_rows() as connection:
            rows = views.list_views(connection, call, paging.decode_id(query.cursor), query.limit + 1)
        return paging.page(Page[contract.SavedViewView], [views.view(row, call.user_id) for row in rows], query.limit)

    @serves(contract.SAVE_VIEW)
    def save_view(self, command: contract.SaveView, call: Call) -> contract.SavedViewView:
        with call.transaction() as work:
            return views.save(work, call, command)

    @serves(contract.CHANGE_VIEW)
    def change_view(self, command: contract.ChangeView, call: Call) -> contract.SavedViewView:
        with call.transaction() as work:
            return views.change(work, call, command)

    @serves(contract.FORGET_VIEW)
    def forget_view(self, command: contract.ForgetView, call: Call) -> Nothing:
        with call.transaction() as work:
            views.forget(work, call, command.view_id)
            return work.answer(Nothing())

    # --- what was entered before there was a search

    @every(seconds=5)
    def make_all_searchable(self, chore: Chore) -> None:
        while ids := indexing.waiting(chore):
            asked = contract.MakeSearchable(customer_ids=tuple(ids))
            if not chore.ask(contract.MAKE_SEARCHABLE, asked, key=f"searchable-{ids[0]}-{len(ids)}").count:
                return

    @serves(contract.MAKE_SEARCHABLE)
    def make_searchable(self, command: contract.MakeSearchable, call: Call) -> contract.MadeSearchable:
        with call.noting() as session:
            return contract.MadeSearchable(count=indexing.index_waiting(session, command.customer_ids))


def question_of(connection: Connection, call: Call, wanted: contract.CustomerFilter) -> queries.Question:
    """The policy in force is asked only where something is searched in words: what is filtered by everybody sees."""
    sight = sight_of(connection, call, None if wanted.q is not None else BY_DEFAULT)
    return queries.Question(call.scope, call.caller, wanted, sight)


def cursor_of(key: queries.Key) -> str:
    return paging.encode(*(part.isoformat() if isinstance(part, datetime) else part for part in key))


def key_in(cursor: str | None, order: queries.Order) -> queries.Key | None:
    """Raises InvalidCursor."""
    match order.by:
        case "held":
            return paging.decode_moment_and_id(cursor)
        case "name":
            return paging.decode_text_and_id(cursor)
    after = paging.decode_id(cursor)
    return (after,) if after else None
