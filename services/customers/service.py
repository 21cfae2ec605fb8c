"""The face of customers."""

from typing import Any

from sqlalchemy import ColumnElement, Row

from services.contracts import customers as contract
from services.contracts.base import Page
from services.contracts.errors import VersionConflict
from services.contracts.permissions import Scope
from services.customers import domain, queries
from services.customers.models import Customer, EntryAttempt
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.ids import new_id
from services.plumbing.rpc import serves
from services.plumbing.scopes import visible
from services.plumbing.service import Service
from services.plumbing.work import Work

Stored = Customer | Row[Any]
"""A customer as an object or as a row of its table."""


class CustomersService(Service):
    name = "customers"

    @serves(contract.ENTER_CUSTOMER)
    def enter_customer(self, command: contract.EnterCustomer, call: Call) -> contract.EntryOutcome:
        with call.transaction() as work:
            entered = queries.insert_unless_known(work.session, new_customer(command, call, work))
            if entered is None:
                return work.answer(collide(command, call, work))
            event = contract.CustomerEntered(**state_of(entered))
            work.emit(event, aggregate_id=entered.id, version=entered.version)
            work.audit(entered.id, new=view(entered))
            return work.answer(contract.EntryOutcome(outcome="created", customer_id=entered.id, version=entered.version))

    @serves(contract.UPDATE_CUSTOMER)
    def update_customer(self, command: contract.UpdateCustomer, call: Call) -> contract.CustomerView:
        with call.transaction() as work:
            customer = queries.lock_customer(work.session, command.customer_id, seen(call, call.scope))
            if customer is None:
                raise queries.missing(work.session, command.customer_id)
            if customer.version != command.expected_version:
                raise VersionConflict(version=customer.version)
            old = view(customer)
            for field in command.model_fields_set - {"customer_id", "expected_version"}:
                setattr(customer, field, getattr(command, field))
            customer.version += 1
            work.emit(contract.CustomerUpdated(**state_of(customer)), aggregate_id=customer.id, version=customer.version)
            work.audit(customer.id, agency_id=customer.agency_id, old=old, new=view(customer))
            return work.answer(view(customer))

    @serves(contract.SHOW_CUSTOMER)
    def show_customer(self, query: contract.ShowCustomer, call: Call) -> contract.CustomerView:
        with call.reading_rows() as connection:
            customer = queries.find_customer(connection, query.customer_id, call.scope, call.caller)
            if customer is None:
                raise queries.missing(connection, query.customer_id)
        return view(customer)

    @serves(contract.LIST_CUSTOMERS)
    def list_customers(self, query: contract.ListCustomers, call: Call) -> Page[contract.CustomerView]:
        after = paging.decode_id(query.cursor)
        with call.reading_rows() as connection:
            rows = queries.list_customers(connection, Scope.OWN, call.caller, after, query.limit + 1)
        return paging.page(Page[contract.CustomerView], [view(row) for row in rows], query.limit)


def seen(call: Call, scope: Scope) -> ColumnElement[bool]:
    return visible(scope, call.caller, owner=Customer.owner_id, department=Customer.department_id, agency=Customer.agency_id)


def new_customer(command: contract.EnterCustomer, call: Call, work: Work) -> dict[str, object]:
    return {
        "id": new_id(),
        "version": 1,
        "name": command.name,
        "name_key": domain.name_key(command.name),
        "phone": command.phone,
        "city": command.city,
        "contact_person": command.contact_person,
        "is_key": command.is_key,
        "agency_id": call.caller.agency_id,
        "department_id": call.caller.department_id,
        "owner_id": call.user_id,
        "owner_name": call.caller.display_name,
        "entered_at": work.now,
    }


def collide(command: contract.EnterCustomer, call: Call, work: Work) -> contract.EntryOutcome:
    """Says what the entry comes to, and keeps the attempt."""
    known = queries.find_by_name(work.session, domain.name_key(command.name))
    outcome = domain.judge_collision(
        customer_id=known.id,
        version=known.version,
        owner_id=known.owner_id,
        owner_name=known.owner_name,
        agency_id=known.agency_id,
        caller_id=call.user_id,
        caller_agency_id=call.caller.agency_id,
    )
    attempt = EntryAttempt(
        id=new_id(),
        at=work.now,
        person_id=call.user_id,
        agency_id=call.caller.agency_id,
        name=command.name,
        outcome=outcome.outcome,
        customer_id=known.id,
    )
    work.session.add(attempt)
    work.audit(known.id, new={"outcome": outcome.outcome, "typed_name": command.name})
    return outcome


def state_of(customer: Stored) -> dict[str, object]:
    """What the customer's events carry."""
    return {
        "customer_id": customer.id,
        "name": customer.name,
        "is_key": customer.is_key,
        "owner_id": customer.owner_id,
        "department_id": customer.department_id,
    }


def view(customer: Stored) -> contract.CustomerView:
    return contract.CustomerView.model_validate(customer, from_attributes=True)
