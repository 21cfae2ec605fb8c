"""Pools and what lies in them."""

from typing import Any

from sqlalchemy import ColumnElement

from services.contracts import customers as contract
from services.contracts.base import Envelope, Page, PageQuery
from services.contracts.identity import AgencyAdded
from services.contracts.permissions import Scope
from services.customers.holding.ownership import pool_of
from services.customers.models import Pool
from services.customers.pools import queries
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.events import handles
from services.plumbing.rpc import serves
from services.plumbing.work import Work


class PoolService:
    """Where customers lie whom nobody holds."""

    @serves(contract.LIST_POOLS)
    def list_pools(self, query: PageQuery, call: Call) -> Page[contract.PoolView]:
        with call.reading_rows() as connection:
            rows = queries.list_pools(connection, seen_pools(call), paging.decode_id(query.cursor), query.limit + 1)
        return paging.page(Page[contract.PoolView], [pool_view(row, call) for row in rows], query.limit)

    @serves(contract.LIST_POOL_CUSTOMERS)
    def list_pool_customers(self, query: contract.ListPoolCustomers, call: Call) -> Page[contract.PooledCustomer]:
        with call.reading_rows() as connection:
            if not queries.list_pools(connection, seen_pools(call) & (Pool.id == query.pool_id), None, 1):
                raise queries.hidden_pool(connection, query.pool_id)
            rows = queries.list_pool(connection, query.pool_id, paging.decode_id(query.cursor), query.limit + 1)
        items = [contract.PooledCustomer.model_validate(row, from_attributes=True) for row in rows]
        return paging.page(Page[contract.PooledCustomer], items, query.limit)

    @handles(AgencyAdded)
    def make_pools(self, event: AgencyAdded, envelope: Envelope, work: Work) -> None:
        pool_of(work.session, event.agency_id, "public")
        pool_of(work.session, event.agency_id, "agency")
        if event.is_headquarters:
            pool_of(work.session, event.agency_id, "telesales")
            pool_of(work.session, event.agency_id, "industry")


def seen_pools(call: Call) -> ColumnElement[bool]:
    """Everybody sees the public pool of his agency, who manages pools all of his agency's, headquarters every one."""
    if call.scope is Scope.ALL:
        return Pool.id.is_not(None)
    own = Pool.agency_id == call.caller.agency_id
    return own if call.caller.may("pool:manage") else own & (Pool.kind == "public")


def pool_view(row: Any, call: Call) -> contract.PoolView:
    may_claim = row.kind == "public" and row.agency_id == call.caller.agency_id and call.caller.may("customer:claim")
    return contract.PoolView(id=row.id, agency_id=row.agency_id, kind=row.kind, name=row.name, may_claim=may_claim)
