"""What is known of customers that are there already: under which names they are filed, and by what they are compared."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.customers import filing
from services.customers.collision.subject import Subject, subject_of
from services.customers.entry import kinds_of, named
from services.customers.models import BoundEntry, Customer, CustomerName

COMPARED_BY = ("phone", "fax", "province", "city", "credit_code", "website", "email", "contact_person")
OF_BOUND = ("phone", "fax", "province", "city", "credit_code", "contact_person")
NO_CHANGES: Mapping[str, str | None] = {}


class OnFile(NamedTuple):
    """`names` with their kinds, the one on the licence first; `bound` is what was typed for it later."""

    customer: Customer
    names: Sequence[tuple[str, str]]
    bound: Sequence[BoundEntry]

    def subject(self, oldest: int, changes: Mapping[str, str | None] = NO_CHANGES) -> Subject:
        """By what it is compared: itself, and what was typed for it later, each in the place that was typed with it."""
        own = {field: getattr(self.customer, field) for field in COMPARED_BY}
        subject = subject_of([name for name, _ in self.names], oldest=oldest, **{**own, **changes})
        typed = ({field: getattr(each, field) for field in OF_BOUND} for each in self.bound)
        later = zip(self.bound, typed, strict=True)
        return subject.joined(subject_of([each.name], oldest=oldest, **fields) for each, fields in later)

    def placed(self, changes: Mapping[str, str | None] = NO_CHANGES) -> list[filing.Named]:
        """Its names in its place, those that were bound to it in the place that was typed with them."""
        bound = {each.name: each for each in self.bound}
        own = {field: changes.get(field, getattr(self.customer, field)) for field in ("province", "city")}
        return [
            named([(name, kind)], bound[name])[0]
            if kind == "bound" and name in bound
            else filing.Named(name, kind, own["province"], own["city"])
            for name, kind in self.names
        ]


def load(session: Session, customers: Sequence[Customer]) -> list[OnFile]:
    """In the order of the customers; one that was never filed has the name that it was entered under."""
    ids = [customer.id for customer in customers]
    names, bound = defaultdict(list), defaultdict(list)
    query = select(CustomerName.customer_id, CustomerName.name, CustomerName.kind).where(CustomerName.customer_id.in_(ids))
    for customer_id, name, kind in session.execute(query.order_by(CustomerName.kind.desc(), CustomerName.name)):
        names[customer_id].append((name, kind))
    for entry in session.scalars(select(BoundEntry).where(BoundEntry.customer_id.in_(ids)).order_by(BoundEntry.id)):
        bound[entry.customer_id].append(entry)
    return [OnFile(each, names[each.id] or kinds_of(each.name, ()), bound[each.id]) for each in customers]
