"""What `customers` answers and tells: the registry and who holds what."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from services.contracts.base import Command, Event, Line, Page, PageQuery, Personal, Phone, Query, View, command, query

ShownPhone = Annotated[str, Personal()]


class EnterCustomer(Command):
    """Enters a company, always behind the collision check. `name` is the one on its licence."""

    name: Line
    phone: Phone | None = None
    city: Line | None = None
    contact_person: Line | None = None
    is_key: bool = False


class CustomerView(View):
    id: UUID
    version: int
    name: str
    phone: ShownPhone | None
    city: str | None
    contact_person: str | None
    is_key: bool
    agency_id: UUID
    owner_id: UUID
    entered_at: datetime


class EntryOutcome(View):
    """What became of an entry; never a silent success.

    `created`: a new customer of yours. `bound_to_yours`: it was yours already, `customer_id` names it.
    `refused`: somebody else holds it; inside the own agency `held_by` names whom to ask.
    """

    outcome: Literal["created", "bound_to_yours", "refused"]
    customer_id: UUID | None = None
    version: int | None = None
    reason: Literal["held_by_colleague", "held_by_other_agency"] | None = None
    held_by: str | None = None


class CustomerChanges(Command):
    """What may be changed. What is given is changed, what is absent stays; null empties a field."""

    phone: Phone | None = None
    city: Line | None = None
    contact_person: Line | None = None
    is_key: bool = False


class UpdateCustomer(CustomerChanges):
    """Changes the customer if it is still in `expected_version`."""

    customer_id: UUID
    expected_version: Annotated[int, Field(ge=1)]


class ShowCustomer(Query):
    customer_id: UUID


class ListCustomers(PageQuery):
    """The caller's own customers, the newest first."""


ENTER_CUSTOMER = command("customers.enter_customer", EnterCustomer, EntryOutcome, "customer:create")
UPDATE_CUSTOMER = command("customers.update_customer", UpdateCustomer, CustomerView, "customer:update")
SHOW_CUSTOMER = query("customers.show_customer", ShowCustomer, CustomerView, "customer:read")
LIST_CUSTOMERS = query("customers.list_customers", ListCustomers, Page[CustomerView], "customer:read")


class CustomerEntered(Event, source="customers"):
    """Full state at entry."""

    customer_id: UUID
    name: str
    is_key: bool
    owner_id: UUID
    department_id: UUID


class CustomerUpdated(Event, source="customers"):
    """Full state after the change."""

    customer_id: UUID
    name: str
    is_key: bool
    owner_id: UUID
    department_id: UUID
