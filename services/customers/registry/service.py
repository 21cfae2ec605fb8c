"""Entering, and what is known of a customer."""

from services.contracts import customers as contract
from services.contracts.base import Page
from services.contracts.errors import VersionConflict
from services.customers.check import filing
from services.customers.fields.sight import sight_of
from services.customers.holding.ownership import receivers, state_of
from services.customers.models import Pool
from services.customers.pools import queries as pool_queries
from services.customers.registry import editing, entry, queries
from services.customers.registry.views import again, attempt, line, ownership, record, view
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.rpc import serves
from services.plumbing.work import AlreadyAnswered, Work


class RegistryService:
    """The record of a customer."""

    @serves(contract.ENTER_CUSTOMER)
    def enter_customer(self, command: contract.EnterCustomer, call: Call) -> contract.EntryOutcome:
        subject = entry.subject_of_fields(command, filing.versions.of(call))
        receivers.prepare(call, call.user_id)
        with call.transaction() as work:
            return entry.enter(work, call, command, subject)

    @serves(contract.ENTER_INTO_POOL)
    def enter_into_pool(self, command: contract.EnterIntoPool, call: Call) -> contract.EntryOutcome:
        subject = entry.subject_of_fields(command, filing.versions.of(call))
        with call.transaction() as work:
            pool = work.session.get(Pool, command.pool_id)
            if pool is None:
                raise pool_queries.hidden_pool(work.session, command.pool_id)
            return entry.enter_into(work, call, command, subject, pool)

    @serves(contract.UPDATE_CUSTOMER)
    def update_customer(self, command: contract.UpdateCustomer, call: Call) -> contract.CustomerView:
        try:
            with call.transaction() as work:
                return update(work, call, command)
        except AlreadyAnswered as known:
            return again(call, known)

    @serves(contract.SHOW_CUSTOMER)
    def show_customer(self, query: contract.ShowCustomer, call: Call) -> contract.CustomerView:
        with call.reading_rows() as connection:
            customer = queries.find_customer(connection, query.customer_id, call.scope, call.caller)
            if customer is None:
                raise queries.missing(connection, query.customer_id)
            return view(connection, call, customer)

    @serves(contract.LIST_CUSTOMERS)
    def list_customers(self, query: contract.ListCustomers, call: Call) -> Page[contract.CustomerLine]:
        after = paging.decode_id(query.cursor)
        wanted = contract.CustomerFilter(of=query.of, owner_id=query.owner_id, is_key=query.is_key)
        with call.reading_rows() as connection:
            rows = queries.list_customers(connection, call.scope, call.caller, wanted, after, query.limit + 1)
        return paging.page(Page[contract.CustomerLine], [line(row) for row in rows], query.limit)

    @serves(contract.COUNT_CUSTOMERS)
    def count_customers(self, query: contract.CustomerFilter, call: Call) -> contract.Count:
        with call.reading_rows() as connection:
            return contract.Count(count=queries.count_customers(connection, call.scope, call.caller, query))

    @serves(contract.LIST_OWNERSHIP)
    def list_ownership(self, query: contract.ShowCustomer, call: Call) -> Page[contract.OwnershipView]:
        with call.reading_rows() as connection:
            if queries.find_customer(connection, query.customer_id, call.scope, call.caller) is None:
                raise queries.missing(connection, query.customer_id)
            rows = queries.list_ownership(connection, query.customer_id)
        return Page[contract.OwnershipView](items=[ownership(row) for row in rows])

    @serves(contract.LIST_ENTRY_ATTEMPTS)
    def list_entry_attempts(self, query: contract.ListEntryAttempts, call: Call) -> Page[contract.EntryAttemptView]:
        after = paging.decode_id(query.cursor)
        with call.reading_rows() as connection:
            rows = queries.list_attempts(connection, call.scope, call.caller, query.person_id, after, query.limit + 1)
            sight = sight_of(connection, call)
        items = [attempt(row, sight) for row in rows]
        return paging.page(Page[contract.EntryAttemptView], items, query.limit)


def update(work: Work, call: Call, command: contract.UpdateCustomer) -> contract.CustomerView:
    editing.refuse_uneditable(work, call, command)
    refiling = editing.refile(work, call, command)
    customer = queries.lock_customer(work.session, command.customer_id, call.scope, call.caller)
    if customer.version != command.expected_version:
        raise VersionConflict(version=customer.version)
    old = record(queries.view_of(work.session, customer))
    editing.change(work.session, customer, command, refiling)
    row = queries.view_of(work.session, customer)
    event = contract.CustomerUpdated(**state_of(customer), department_id=call.caller.department_id)
    work.emit(event, aggregate_id=customer.id, version=customer.version, agency_id=customer.agency_id)
    work.audit(customer.id, agency_id=customer.agency_id, old=old, new=record(row))
    return work.answer(view(work.session, call, row))
