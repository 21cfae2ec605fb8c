"""People at a customer: who they are, what they decide, how they like to be addressed."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from services.contracts.base import Command, ContactPerson, Line, Personal, Phone, Query, Text, View, command, query
from services.contracts.collision import Email
from services.contracts.fields import RestrictedView

ContactChannel = Literal["phone", "visit", "wechat", "email"]
Wechat = Annotated[Line, Personal()]
ShownPersonal = Annotated[str, Personal()]
MOST_CONTACTS = 50
"""Of a customer."""


class ContactFields(Command):
    """A person at a customer. The number is met by the collision check like the customer's own."""

    name: ContactPerson
    title: Line | None = None
    department: Line | None = None
    phone: Phone | None = None
    email: Email | None = None
    wechat: Wechat | None = None
    is_decision_maker: bool = False
    best_time: Line | None = Field(default=None, description="When they like to be called or visited.")
    channel: ContactChannel | None = Field(default=None, description="By which they like to be addressed.")
    likes: Line | None = Field(default=None, description="What they like besides.")
    note: Text | None = None


class AddContact(ContactFields):
    """Part of the customer: adds one if it is still in `expected_version`."""

    customer_id: UUID
    expected_version: Annotated[int, Field(ge=1)]


class PutContact(ContactFields):
    """Replaces what is known of a person."""

    customer_id: UUID
    contact_id: UUID
    expected_version: Annotated[int, Field(ge=1)]


class RemoveContact(Command):
    customer_id: UUID
    contact_id: UUID
    expected_version: Annotated[int, Field(ge=1)]


class ListContacts(Query):
    customer_id: UUID


class ContactView(RestrictedView):
    """Its name goes with the customer's `contact_person`, WeChat with the phone."""

    id: UUID
    name: ShownPersonal
    title: str | None
    department: str | None
    phone: ShownPersonal | None
    email: ShownPersonal | None
    wechat: ShownPersonal | None
    is_decision_maker: bool
    best_time: str | None
    channel: ContactChannel | None
    likes: str | None
    note: str | None


class Contacts(View):
    """All people at a customer in its `version`, those who decide first."""

    version: int
    items: list[ContactView]


LIST_CONTACTS = query("customers.list_contacts", ListContacts, Contacts, "customer:read")
ADD_CONTACT = command("customers.add_contact", AddContact, Contacts, "customer:update")
PUT_CONTACT = command("customers.put_contact", PutContact, Contacts, "customer:update")
REMOVE_CONTACT = command("customers.remove_contact", RemoveContact, Contacts, "customer:update")
