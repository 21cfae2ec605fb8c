"""Pools and what lies in them."""

from typing import Any

from services.contracts import pools as contract
from services.contracts.base import Envelope, Nothing, Page
from services.contracts.tree import AgencyAdded
from services.customers.holding.ownership import pool_of
from services.customers.pools import changing, queries
from services.directory.service import agency_within, known_person
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.events import handles
from services.plumbing.rpc import serves
from services.plumbing.work import Work


class PoolService:
    """Where customers lie whom nobody holds."""

    @serves(contract.LIST_POOLS)
    def list_pools(self, query: contract.ListPools, call: Call) -> Page[contract.PoolView]:
        after = paging.decode_id(query.cursor)
        with call.reading_rows() as connection:
            rows = queries.list_pools(connection, call, after, query.limit + 1, archived=query.archived)
        return paging.page(Page[contract.PoolView], [pool_view(row) for row in rows], query.limit)

    @serves(contract.SHOW_POOL)
    def show_pool(self, query: contract.ShowPool, call: Call) -> contract.PoolView:
        with call.reading_rows() as connection:
            return pool_view(queries.find_pool(connection, query.pool_id, call))

    @serves(contract.CREATE_POOL)
    def create_pool(self, command: contract.CreatePool, call: Call) -> contract.PoolView:
        call.answer_again()
        agency_id = agency_within(call, command.agency_id)
        with call.transaction() as work:
            pool = changing.create(work, command, agency_id)
            return work.answer(pool_view(queries.view_of(work.session, pool, call)))

    @serves(contract.CHANGE_POOL)
    def change_pool(self, command: contract.ChangePool, call: Call) -> contract.PoolView:
        with call.transaction() as work:
            pool = changing.change(work, call, command)
            return work.answer(pool_view(queries.view_of(work.session, pool, call)))

    @serves(contract.ARCHIVE_POOL)
    def archive_pool(self, command: contract.ArchivePool, call: Call) -> contract.PoolView:
        with call.transaction() as work:
            pool = changing.archive(work, call, command)
            return work.answer(pool_view(queries.view_of(work.session, pool, call)))

    # --- who works in them

    @serves(contract.LIST_POOL_MEMBERS)
    def list_pool_members(self, query: contract.ListPoolMembers, call: Call) -> Page[contract.PoolMemberView]:
        after = paging.decode_id(query.cursor)
        with call.reading_rows() as connection:
            pool = queries.find_pool(connection, query.pool_id, call)
            rows = queries.list_members(connection, pool.id, after, query.limit + 1)
        return paging.page(Page[contract.PoolMemberView], [member_view(row) for row in rows], query.limit)

    @serves(contract.SET_POOL_MEMBER)
    def set_pool_member(self, command: contract.SetPoolMember, call: Call) -> contract.PoolMemberView:
        call.answer_again()
        known_person(call, command.person_id)
        with call.transaction() as work:
            pool = changing.set_member(work, call, command)
            return work.answer(member_view(queries.member_of(work.session, pool.id, command.person_id)))

    @serves(contract.REMOVE_POOL_MEMBER)
    def remove_pool_member(self, command: contract.RemovePoolMember, call: Call) -> Nothing:
        with call.transaction() as work:
            changing.remove_member(work, call, command)
            return work.answer(Nothing())

    # --- what lies in them

    @serves(contract.LIST_POOL_CUSTOMERS)
    def list_pool_customers(self, query: contract.ListPoolCustomers, call: Call) -> Page[contract.PooledCustomer]:
        after = paging.decode_id(query.cursor)
        with call.reading_rows() as connection:
            pool = queries.find_pool(connection, query.pool_id, call)
            rows = queries.list_pool(connection, pool.id, after, query.limit + 1)
        hidden = [] if pool.may_administer else pool.hidden_fields
        items = [pooled(row, hidden) for row in rows]
        return paging.page(Page[contract.PooledCustomer], items, query.limit)

    @handles(AgencyAdded)
    def make_pools(self, event: AgencyAdded, envelope: Envelope, work: Work) -> None:
        pool_of(work.session, event.agency_id, "public")
        pool_of(work.session, event.agency_id, "agency")
        if event.is_headquarters:
            pool_of(work.session, event.agency_id, "telesales")
            pool_of(work.session, event.agency_id, "industry")


def pool_view(row: Any) -> contract.PoolView:
    return contract.PoolView.model_validate(row, from_attributes=True)


def member_view(row: Any) -> contract.PoolMemberView:
    return contract.PoolMemberView.model_validate(row, from_attributes=True)


def pooled(row: Any, hidden: list[str]) -> contract.PooledCustomer:
    return contract.PooledCustomer(**row._asdict() | dict.fromkeys(hidden), hidden_fields=hidden)
