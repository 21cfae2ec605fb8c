"""What is known of customers that are there already: under which names they are filed, and by what they are compared."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.customers.check import filing
from services.customers.check.filing import kinds_of, names_in
from services.customers.collision.subject import Subject, subject_of
from services.customers.models import BoundEntry, Contact, Customer, CustomerName

COMPARED_BY = ("phone", "fax", "province", "city", "credit_code", "website", "email", "contact_person")
NO_CHANGES: Mapping[str, str | None] = {}


class OnFile(NamedTuple):
    """`names` with their kinds, the one on the licence first; `bound` is what was typed for it later."""

    customer: Customer
    names: Sequence[tuple[str, str]]
    bound: Sequence[BoundEntry]
    contacts: Sequence[Contact] = ()

    def subject(self, oldest: int, changes: Mapping[str, str | None] = NO_CHANGES) -> Subject:
        """By what it is compared: itself, and what was typed for it later, each in the place that was typed with it."""
        later = self._typed_later()
        own = [name for name, kind in self.names if kind != "bound" or name not in later]
        subject = subject_of(own, oldest=oldest, **{**compared(self.customer), **changes})
        subject = subject.joined(subject_of(names_in(each), oldest=oldest, **compared(each)) for each in self.bound)
        place = {**compared(self.customer), **changes}
        return subject.joined(subject_of_contact(each, place["province"], place["city"], oldest) for each in self.contacts)

    def placed(self, changes: Mapping[str, str | None] = NO_CHANGES) -> list[filing.Named]:
        """Its names in its place, those that were bound to it in the place that was typed with them."""
        later = self._typed_later()
        own = {field: changes.get(field, getattr(self.customer, field)) for field in ("province", "city")}
        placed = []
        for name, kind in self.names:
            typed = later.get(name) if kind == "bound" else None
            place = (typed.province, typed.city) if typed else (own["province"], own["city"])
            placed.append(filing.Named(name, kind, *place))
        return placed

    def _typed_later(self) -> dict[str, BoundEntry]:
        return {name: each for each in self.bound for name in names_in(each)}


def subject_of_contact(contact: Contact, province: str | None, city: str | None, oldest: int) -> Subject:
    """A number without an area code is one of the customer's place."""
    return subject_of(
        (), phone=contact.phone, email=contact.email, contact_person=contact.name, province=province, city=city, oldest=oldest
    )


def compared(row: Customer | BoundEntry) -> dict[str, Any]:
    return {field: getattr(row, field) for field in COMPARED_BY}


def load(session: Session, customers: Sequence[Customer]) -> list[OnFile]:
    """In the order of the customers; one that was never filed has the name that it was entered under."""
    ids = [customer.id for customer in customers]
    names, bound, contacts = defaultdict(list), defaultdict(list), defaultdict(list)
    query = select(CustomerName.customer_id, CustomerName.name, CustomerName.kind).where(CustomerName.customer_id.in_(ids))
    for customer_id, name, kind in session.execute(query.order_by(CustomerName.kind.desc(), CustomerName.name)):
        names[customer_id].append((name, kind))
    for entry in session.scalars(select(BoundEntry).where(BoundEntry.customer_id.in_(ids)).order_by(BoundEntry.id)):
        bound[entry.customer_id].append(entry)
    for contact in session.scalars(select(Contact).where(Contact.customer_id.in_(ids)).order_by(Contact.id)):
        contacts[contact.customer_id].append(contact)
    return [OnFile(each, names[each.id] or kinds_of(each.name, ()), bound[each.id], contacts[each.id]) for each in customers]


def filed_subject(session: Session, customer: Customer) -> Subject:
    """By what a customer that is there already is compared."""
    return load(session, [customer])[0].subject(filing.versions.oldest(session))
