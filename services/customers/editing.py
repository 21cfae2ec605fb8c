"""Changing what is known of a customer: what would make it the same company as another one is refused."""

from typing import NamedTuple

from sqlalchemy.orm import Session

from services.contracts import customers as contract
from services.contracts.errors import CustomerCollides, VersionConflict
from services.customers import matching, queries
from services.customers.collision.subject import Subject, subject_of
from services.customers.collision.verdict import hit
from services.customers.entry import kinds_of, viewpoint_of
from services.customers.models import Customer
from services.plumbing.call import Call
from services.plumbing.work import Work

COMPARED_BY = ("phone", "fax", "province", "city", "credit_code")
FILED_BY = frozenset({"aliases", "phone", "fax", "province", "city"})
"""What of it may be changed by an edit."""


class Refiling(NamedTuple):
    names: list[tuple[str, str]]
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
    if "aliases" in command.model_fields_set:
        names = kinds_of(customer.name, command.aliases)
    else:
        names = queries.names_of(work.session, customer.id)
    known = {field: getattr(customer, field) for field in COMPARED_BY}
    subject = subject_of([name for name, _ in names], **{**known, **command.model_dump(include=set(known), exclude_unset=True)})
    matching.lock(work.session, subject)
    matches = matching.find(work.session, subject, but=customer.id)
    if same := [found for found in matches if found.effect == "same"]:
        raise CustomerCollides(hits=[hit(found, viewpoint_of(call)).model_dump(mode="json") for found in same])
    return Refiling(names, subject)


def change(session: Session, customer: Customer, command: contract.UpdateCustomer, refiling: Refiling | None) -> None:
    """Of a customer whose row is locked and in the expected version."""
    for field in command.model_fields_set - {"customer_id", "expected_version", "aliases"}:
        setattr(customer, field, getattr(command, field))
    customer.version += 1
    if refiling:
        matching.file_anew(session, customer, refiling.names, refiling.subject)


def file_again(session: Session, customer: Customer) -> None:
    """Under the names that are known of it, or the one that it was entered under."""
    matching.file_anew(session, customer, names_on_file(session, customer), filed_subject(session, customer))


def filed_subject(session: Session, customer: Customer) -> Subject:
    """By what a customer that is there already is compared."""
    names = [name for name, _ in names_on_file(session, customer)]
    return subject_of(names, **{field: getattr(customer, field) for field in COMPARED_BY})


def names_on_file(session: Session, customer: Customer) -> list[tuple[str, str]]:
    return queries.names_of(session, customer.id) or kinds_of(customer.name, ())
