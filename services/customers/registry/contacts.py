"""People at a customer: part of it, changed under its version, and met by the collision check like what it says itself."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, select
from sqlalchemy.orm import Session

from services.contracts import contacts as contract
from services.contracts.customers import CustomerUpdated
from services.contracts.errors import InvalidRequest, NotFound, VersionConflict
from services.contracts.fields import Levels
from services.customers.check import filing, matching, onfile
from services.customers.fields import sight
from services.customers.fields.domain import is_shown
from services.customers.fields.sight import OUT_OF_SIGHT, levels_of
from services.customers.holding.ownership import department_of, state_of
from services.customers.models import Contact, Customer
from services.customers.registry import changes, queries
from services.customers.registry.editing import refuse_or_review
from services.customers.registry.entry import refuse_unreadable
from services.customers.search import indexing
from services.plumbing.call import Call
from services.plumbing.ids import new_id
from services.plumbing.masking import masked
from services.plumbing.work import AlreadyAnswered, Work

OF_CONTACT = tuple(contract.ContactFields.model_fields)
Changed = contract.AddContact | contract.PutContact | contract.RemoveContact


def change(work: Work, call: Call, command: Changed) -> contract.Contacts:
    """Adds, replaces or removes a person; nothing is written before the locks, which are those of an entry in its order.

    Raises CustomerCollides, FieldNotEditable, InvalidRequest, NotFound, VersionConflict.
    """
    session = work.session
    customer = queries.get_customer(session, command.customer_id, call.scope, call.caller, "update")
    if customer.version != command.expected_version:
        raise VersionConflict(version=customer.version)
    [known] = onfile.load(session, [customer])
    after, oldest = known._replace(contacts=changed(known.contacts, customer, command)), filing.versions.oldest(session)
    refuse_uneditable(levels_of(session, call, customer), known.contacts, command)
    if isinstance(command, contract.ContactFields):
        refuse_unreadable({"phone": command.phone})
    subject = after.subject(oldest)
    matching.lock(session, subject)
    customer = queries.lock_customer(session, command.customer_id, call.scope, call.caller, "update")
    if customer.version != command.expected_version:
        raise VersionConflict(version=customer.version)
    refuse_or_review(work, call, customer, known.subject(oldest), subject)
    old, new = ({"contacts": [masked(view(each)) for each in in_order(those)]} for those in (known.contacts, after.contacts))
    write(session, known.contacts, after.contacts)
    customer.version += 1
    filing.file_anew(session, customer, after.placed(), subject)
    indexing.index(session, [customer])
    changes.record_fields(work, customer, {"contacts": (old["contacts"], new["contacts"])})
    state = state_of(customer) | {"department_id": department_of(session, customer)}
    work.emit(CustomerUpdated(**state), aggregate_id=customer.id, version=customer.version, agency_id=customer.agency_id)
    work.audit(customer.id, agency_id=customer.agency_id, old=old, new=new)
    levels = levels_of(session, call, customer)
    items = [shown(view(each), levels) for each in in_order(after.contacts)]
    return work.answer(contract.Contacts(version=customer.version, items=items))


def again(call: Call, customer_id: UUID, known: AlreadyAnswered) -> contract.Contacts:
    """For a repetition: what was answered then, as far as the caller may see the customer by now."""
    kept = contract.Contacts.model_validate_json(known.answer)
    with call.reading_rows() as connection:
        row = queries.find_customer(connection, customer_id, call.caller.scope("customer:read"), call.caller)
        levels = levels_of(connection, call, row, row.field_policy) if row else OUT_OF_SIGHT
    return kept.model_copy(update={"items": [shown(each, levels) for each in kept.items]})


def refuse_uneditable(levels: Levels, contacts: Sequence[Contact], command: Changed) -> None:
    """As of the customer's own fields. Raises FieldNotEditable."""
    before = next((each for each in contacts if each.id == getattr(command, "contact_id", None)), None)
    old, new = (restricted_of(each) for each in (before, command))
    changes = {field: value for field, value in new.items() if before or value is not None}
    sight.refuse_uneditable(levels, SimpleNamespace(**old), changes)


def restricted_of(contact: Any) -> dict[str, str | None]:
    """By the customer's field under whose level it stands."""
    stands_in = {"phone": "phone", "email": "email", "contact_person": "name"}
    return {field: getattr(contact, name, None) for field, name in stands_in.items()}


def changed(contacts: Sequence[Contact], customer: Customer, command: Changed) -> list[Contact]:
    """The people as they will be. Raises InvalidRequest, NotFound."""
    if isinstance(command, contract.AddContact):
        if len(contacts) >= contract.MOST_CONTACTS:
            most = f"has {contract.MOST_CONTACTS} people, and that is the most"
            raise InvalidRequest(errors=[{"in": "path", "pointer": "/customer_id", "detail": most}])
        return [*contacts, contact_of(new_id(), customer, command)]
    if not any(each.id == command.contact_id for each in contacts):
        raise NotFound()
    if isinstance(command, contract.PutContact):
        put = contact_of(command.contact_id, customer, command)
        return [put if each.id == put.id else each for each in contacts]
    return [each for each in contacts if each.id != command.contact_id]


def contact_of(id_: UUID, customer: Customer, fields: contract.ContactFields) -> Contact:
    """Not in the session yet."""
    values = {name: getattr(fields, name) for name in OF_CONTACT}
    return Contact(id=id_, customer_id=customer.id, agency_id=customer.agency_id, **values)


def write(session: Session, before: Sequence[Contact], after: Sequence[Contact]) -> None:
    for gone in {each.id: each for each in before}.keys() - {each.id for each in after}:
        session.execute(delete(Contact).where(Contact.id == gone))
    for each in after:
        session.merge(each)


def in_order(contacts: Sequence[Contact]) -> list[Contact]:
    """Those who decide first."""
    return sorted(contacts, key=lambda each: (not each.is_decision_maker, each.id))


def list_contacts(connection: Connection, customer_id: UUID, levels: Levels) -> list[contract.ContactView]:
    query = select(Contact.__table__).where(Contact.customer_id == customer_id)
    return [shown(view(row), levels) for row in connection.execute(query.order_by(Contact.is_decision_maker.desc(), Contact.id))]


def shown(contact: contract.ContactView, levels: Levels) -> contract.ContactView:
    """As far as these levels allow."""
    of_name, of_phone, before = levels["contact_person"], levels["phone"], contact.restricted
    told: dict[str, Any] = {}
    if not is_shown(of_phone) and "phone" not in before:
        told["wechat"] = sight.shown_value("phone", contact.wechat, of_phone)
    if not is_shown(of_name) and "contact_person" not in before:
        told["name"] = sight.shown_value("contact_person", contact.name, of_name) or "**"
        told["restricted"] = {**before, "contact_person": of_name}
    return sight.restrict(contact.model_copy(update=told), levels)


def view(contact: Any) -> contract.ContactView:
    return contract.ContactView.model_validate(contact, from_attributes=True)
