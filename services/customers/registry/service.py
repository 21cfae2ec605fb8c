"""Entering, and what is known of a customer."""

from services.contracts import contacts as contacts_contract
from services.contracts import customers as contract
from services.contracts.base import Page
from services.contracts.errors import VersionConflict
from services.customers.catalogue.values import Catalogue, as_given
from services.customers.check import filing
from services.customers.fields.sight import levels_of, sight_of
from services.customers.holding.ownership import department_of, receivers, state_of
from services.customers.pools import access
from services.customers.pools import queries as pool_queries
from services.customers.registry import changes, contacts, editing, entry, places, queries
from services.customers.registry.views import again, attempt, ownership, record, view
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.rpc import serves
from services.plumbing.work import AlreadyAnswered, Work


class RegistryService:
    """The record of a customer."""

    @serves(contract.ENTER_CUSTOMER)
    def enter_customer(self, command: contract.EnterCustomer, call: Call) -> contract.EntryOutcome:
        command = places.placed(command)
        subject = entry.subject_of_fields(command, filing.versions.of(call))
        receivers.prepare(call, call.user_id)
        with call.transaction() as work:
            Catalogue(work.session).refuse_unknown(as_given(command), is_new=True)
            return entry.enter(work, call, command, subject)

    @serves(contract.ENTER_INTO_POOL)
    def enter_into_pool(self, command: contract.EnterIntoPool, call: Call) -> contract.EntryOutcome:
        command = places.placed(command)
        subject = entry.subject_of_fields(command, filing.versions.of(call))
        with call.transaction() as work:
            pool = pool_queries.lock_to_fill(work.session, call, command.pool_id, access.administered(call))
            Catalogue(work.session).refuse_unknown(as_given(command), is_new=True)
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

    @serves(contract.LIST_CHANGES)
    def list_changes(self, query: contract.ListChanges, call: Call) -> Page[contract.ChangeView]:
        before = paging.decode_number(query.cursor)
        with call.reading_rows() as connection:
            customer = queries.find_customer(connection, query.customer_id, call.scope, call.caller)
            if customer is None:
                raise queries.missing(connection, query.customer_id)
            levels = levels_of(connection, call, customer, customer.field_policy)
            rows = changes.list_changes(connection, query.customer_id, before, query.limit + 1)
        items = [changes.shown(row, levels) for row in rows[: query.limit]]
        more = paging.encode(str(items[-1].version)) if len(rows) > query.limit else None
        return Page[contract.ChangeView](items=items, next_cursor=more)

    @serves(contacts_contract.LIST_CONTACTS)
    def list_contacts(self, query: contacts_contract.ListContacts, call: Call) -> contacts_contract.Contacts:
        with call.reading_rows() as connection:
            customer = queries.find_customer(connection, query.customer_id, call.scope, call.caller)
            if customer is None:
                raise queries.missing(connection, query.customer_id)
            levels = levels_of(connection, call, customer, customer.field_policy)
            items = contacts.list_contacts(connection, query.customer_id, levels)
        return contacts_contract.Contacts(version=customer.version, items=items)

    @serves(contacts_contract.ADD_CONTACT)
    def add_contact(self, command: contacts_contract.AddContact, call: Call) -> contacts_contract.Contacts:
        return changed_contacts(call, command)

    @serves(contacts_contract.PUT_CONTACT)
    def put_contact(self, command: contacts_contract.PutContact, call: Call) -> contacts_contract.Contacts:
        return changed_contacts(call, command)

    @serves(contacts_contract.REMOVE_CONTACT)
    def remove_contact(self, command: contacts_contract.RemoveContact, call: Call) -> contacts_contract.Contacts:
        return changed_contacts(call, command)

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
        items = [attempt(row, call, sight) for row in rows]
        return paging.page(Page[contract.EntryAttemptView], items, query.limit)


def update(work: Work, call: Call, command: contract.UpdateCustomer) -> contract.CustomerView:
    before = editing.admit(work, call, command)
    command = editing.completed(work, before, command)
    refiling = editing.refile(work, call, before, command)
    customer = queries.lock_customer(work.session, command.customer_id, call.scope, call.caller, "update")
    if customer.version != command.expected_version:
        raise VersionConflict(version=customer.version)
    editing.change(work.session, customer, command, refiling)
    row = queries.view_of(work.session, customer)
    old, new = record(before), record(row)
    changes.record(work, customer, old, new)
    event = contract.CustomerUpdated(**state_of(customer), department_id=department_of(work.session, customer))
    work.emit(event, aggregate_id=customer.id, version=customer.version, agency_id=customer.agency_id)
    work.audit(customer.id, agency_id=customer.agency_id, old=old, new=new)
    return work.answer(view(work.session, call, row))


def changed_contacts(call: Call, command: contacts.Changed) -> contacts_contract.Contacts:
    try:
        with call.transaction() as work:
            return contacts.change(work, call, command)
    except AlreadyAnswered as known:
        return contacts.again(call, command.customer_id, known)
