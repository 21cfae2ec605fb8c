"""Changing what is known of a customer: what would make it the same company as another one is refused."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from services.contracts import customers as contract
from services.contracts.errors import CustomerCollides, VersionConflict
from services.customers import criteria, filing, matching, queries, review_items
from services.customers.collision.subject import Subject, subject_of
from services.customers.collision.verdict import hit
from services.customers.entry import kinds_of, named, refuse_unreadable, viewpoint_of
from services.customers.models import Customer
from services.plumbing.call import Call
from services.plumbing.work import Work

COMPARED_BY = ("phone", "fax", "province", "city", "credit_code", "website", "email", "contact_person")
OF_BOUND = ("phone", "fax", "province", "city", "credit_code", "contact_person")
FILED_BY = frozenset({"aliases", "phone", "fax", "province", "city", "website", "email", "contact_person"})
"""What of it may be changed by an edit."""


class Refiling(NamedTuple):
    names: list[filing.Named]
    subject: Subject


def refile(work: Work, call: Call, command: contract.UpdateCustomer) -> Refiling | None:
    """Under what the changed customer will be filed, checked under the locks of an entry; None when that stays.

    Before the customer's row is locked, because an entry locks in this order too. Raises CustomerCollides, VersionConflict.
    """
    if not FILED_BY & command.model_fields_set:
        return None
    customer = queries.get_customer(work.session, command.customer_id, call.scope, call.caller)
    if customer.version != command.expected_version:
        raise VersionConflict(version=customer.version)
    names = names_on_file(work.session, customer)
    if "aliases" in command.model_fields_set:
        bound = [(name, kind) for name, kind in names if kind == "bound"]
        names = [*kinds_of(customer.name, command.aliases), *bound]
    changes = command.model_dump(include=set(COMPARED_BY), exclude_unset=True)
    refuse_unreadable(changes)
    subject = subject_on_file(work.session, customer, names, changes)
    matching.lock(work.session, subject)
    matches = matching.find(work.session, subject, criteria.in_force(work.session).rules, but=customer.id)
    if same := [found for found in matches if found.effect == "same"]:
        raise CustomerCollides(hits=[hit(found, viewpoint_of(call)).model_dump(mode="json") for found in same])
    near = review_items.near_of(matches)
    review_items.open_made(work, customer, near, by=call.user_id, origin="changed", reason="changed")
    return Refiling(placed(work.session, customer, names, changes), subject)


def change(session: Session, customer: Customer, command: contract.UpdateCustomer, refiling: Refiling | None) -> None:
    """Of a customer whose row is locked and in the expected version."""
    for field in command.model_fields_set - {"customer_id", "expected_version", "aliases"}:
        setattr(customer, field, getattr(command, field))
    customer.version += 1
    if refiling:
        filing.file_anew(session, customer, refiling.names, refiling.subject)


def file_again(session: Session, customer: Customer) -> None:
    """Under the names that are known of it, or the one that it was entered under."""
    names = names_on_file(session, customer)
    filing.file_anew(session, customer, placed(session, customer, names, {}), subject_on_file(session, customer, names, {}))


def filed_subject(session: Session, customer: Customer) -> Subject:
    """By what a customer that is there already is compared."""
    return subject_on_file(session, customer, names_on_file(session, customer), {})


def subject_on_file(
    session: Session, customer: Customer, names: Sequence[tuple[str, str]], changes: Mapping[str, str | None]
) -> Subject:
    """With what was typed for it later, each in the place that was typed with it."""
    oldest = filing.versions.oldest(session)
    own = {field: getattr(customer, field) for field in COMPARED_BY}
    subject = subject_of([name for name, _ in names], oldest=oldest, **{**own, **changes})
    bound = queries.list_bound(session, customer.id)
    typed = ({field: getattr(each, field) for field in OF_BOUND} for each in bound)
    return subject.joined(subject_of([each.name], oldest=oldest, **fields) for each, fields in zip(bound, typed, strict=True))


def placed(
    session: Session, customer: Customer, names: Sequence[tuple[str, str]], changes: Mapping[str, str | None]
) -> list[filing.Named]:
    """The customer's names in its place, those that were bound to it in the place that was typed with them."""
    bound = {each.name: each for each in queries.list_bound(session, customer.id)}
    own = {field: changes.get(field, getattr(customer, field)) for field in ("province", "city")}
    return [
        named([(name, kind)], bound[name])[0]
        if kind == "bound" and name in bound
        else filing.Named(name, kind, own["province"], own["city"])
        for name, kind in names
    ]


def names_on_file(session: Session, customer: Customer) -> list[tuple[str, str]]:
    return queries.names_of(session, customer.id) or kinds_of(customer.name, ())
