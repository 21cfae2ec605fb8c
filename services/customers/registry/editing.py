"""Changing what is known of a customer: what would make it the same company as another one is refused.

Only what the change brings about counts: a twin that was kept, or whom changed rules have made one, is no news, nor is who was
seen beside it already.
"""

from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from services.contracts import customers as contract
from services.contracts.errors import CustomerCollides, VersionConflict
from services.customers.catalogue import queries as catalogue
from services.customers.catalogue.values import Catalogue
from services.customers.check import filing, matching, onfile
from services.customers.check.checking import viewpoint_of
from services.customers.check.filing import kinds_of
from services.customers.collision.subject import Subject
from services.customers.collision.verdict import hit
from services.customers.fields import sight
from services.customers.models import Customer
from services.customers.registry import places, queries
from services.customers.registry.entry import refuse_unreadable
from services.customers.reviews import items as review_items
from services.customers.search import indexing
from services.plumbing.call import Call
from services.plumbing.work import Work

FILED_BY = frozenset({"aliases", "phone", "fax", "province", "city", "website", "email", "contact_person"})
"""What of it may be changed by an edit."""


def admit(work: Work, call: Call, command: contract.UpdateCustomer) -> Any:
    """The customer as it is in the expected version, in which alone it will be changed: so what is decided by it stays true.

    Before anything is compared: what may not be changed tells nothing either. Raises NotFound, OutOfScope, VersionConflict,
    FieldNotEditable.
    """
    row = queries.find_customer(work.session, command.customer_id, call.scope, call.caller, "update")
    if row is None:
        raise queries.missing(work.session, command.customer_id)
    if row.version != command.expected_version:
        raise VersionConflict(version=row.version)
    levels = sight.levels_of(work.session, call, row, row.field_policy)
    sight.refuse_uneditable(levels, row, command.model_dump(exclude_unset=True))
    return row


def completed(work: Work, row: Any, command: contract.UpdateCustomer) -> contract.UpdateCustomer:
    """With the place made whole, see `places`. Raises InvalidRequest for what is not laid down."""
    given = command.model_dump(exclude_unset=True)
    Catalogue(work.session).refuse_unknown(given, is_new=False)
    typed = places.OF_PLACE & command.model_fields_set
    if not typed:
        return command
    known = {} if given.get("division") else {name: getattr(row, name) for name in places.TEXTS}
    place = places.completed({**known, **{name: given[name] for name in typed}})
    return command.model_copy(update=place)


class Refiling(NamedTuple):
    names: list[filing.Named]
    subject: Subject


def refile(work: Work, call: Call, row: Any, command: contract.UpdateCustomer) -> Refiling | None:
    """Under what the changed customer will be filed, checked under the locks of an entry; None when that stays.

    Before the customer's row is locked, because an entry locks in this order too. Raises CustomerCollides.
    """
    if not FILED_BY & command.model_fields_set:
        return None
    [known] = onfile.load(work.session, [row])
    before, oldest = known, filing.versions.oldest(work.session)
    if "aliases" in command.model_fields_set:
        bound = [(name, kind) for name, kind in known.names if kind == "bound"]
        known = known._replace(names=[*kinds_of(row.name, command.aliases), *bound])
    changes = command.model_dump(include=set(onfile.COMPARED_BY), exclude_unset=True)
    refuse_unreadable(changes)
    subject = known.subject(oldest, changes)
    matching.lock(work.session, subject)
    refuse_or_review(work, call, row, before.subject(oldest), subject)
    return Refiling(known.placed(changes), subject)


def refuse_or_review(work: Work, call: Call, customer: Customer, before: Subject, after: Subject) -> None:
    """Raises CustomerCollides."""
    stood, stands = matching.find_each(work.session, [before, after])
    was_same = {found.known.id for found in stood if found.effect == "same"}
    news = [found for found in stands if found.known.id not in was_same | {customer.id}]
    if same := [found for found in news if found.effect == "same"]:
        raise CustomerCollides(hits=[hit(found, viewpoint_of(call)).model_dump(mode="json") for found in same])
    near = review_items.near_of(news)
    seen = review_items.has_seen(work.session, customer.id, near)
    unseen = [other for other in near if other not in seen]
    review_items.open_made(work, customer, unseen, by=call.user_id, origin="changed", reason="changed")


def change(session: Session, customer: Customer, command: contract.UpdateCustomer, refiling: Refiling | None) -> None:
    """Of a customer whose row is locked and in the expected version."""
    for field in command.model_fields_set - {"customer_id", "expected_version", "aliases", "custom"}:
        setattr(customer, field, getattr(command, field))
    merged = {**customer.custom, **command.custom}
    customer.custom = {key: value for key, value in merged.items() if value is not None}
    customer.key_criteria = list(customer.key_criteria) if customer.is_key else []
    customer.version += 1
    if refiling:
        filing.file_anew(session, customer, refiling.names, refiling.subject)
    catalogue.keep_tags(session, customer.agency_id, command.tags)
    indexing.index(session, [customer])
