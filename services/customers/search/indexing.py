"""Keeps what customers are searched by beside them: written with the customer, in the same transaction."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from services.customers.collision.divisions import is_division, region_of
from services.customers.models import BoundEntry, Contact, Customer, CustomerName
from services.customers.search import domain
from services.customers.search.domain import Known, tokens_of, words_of
from services.plumbing.chores import Chore

AT_ONCE = 200
BETWEEN = "\n"

WRITE = text(
    """
    INSERT INTO customer_search AS old (customer_id, agency_id, words, people, codes, digits, tokens)
    SELECT customer_id, agency_id, words, people, codes, digits, tokens FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS r(customer_id uuid, agency_id uuid, words text, people text, codes text, digits text, tokens integer[])
    ON CONFLICT (customer_id) DO UPDATE SET words = excluded.words, people = excluded.people, codes = excluded.codes,
        digits = excluded.digits, tokens = excluded.tokens
        WHERE (old.words, old.people, old.codes, old.digits, old.tokens)
            IS DISTINCT FROM (excluded.words, excluded.people, excluded.codes, excluded.digits, excluded.tokens)
    """
)


def index_new(session: Session, made: Iterable[tuple[Customer, Sequence[str]]]) -> None:
    """Customers that this transaction has just made, with their names: nothing else is known of them yet."""
    write(session, [row_of(customer, Known(names, *own_words(customer))) for customer, names in made])


def index(session: Session, customers: Sequence[Customer]) -> None:
    """Customers whose rows this transaction has locked, after all its changes."""
    session.flush()
    ids = [customer.id for customer in customers]
    names: dict[UUID, list[str]] = defaultdict(list)
    people: dict[UUID, list[str | None]] = defaultdict(list)
    numbers: dict[UUID, list[str | None]] = defaultdict(list)
    for name in session.scalars(select(CustomerName).where(CustomerName.customer_id.in_(ids))):
        names[name.customer_id].append(name.name)
    for contact in session.scalars(select(Contact).where(Contact.customer_id.in_(ids))):
        people[contact.customer_id].append(contact.name)
        numbers[contact.customer_id].append(contact.phone)
    for entry in session.scalars(select(BoundEntry).where(BoundEntry.customer_id.in_(ids))):
        people[entry.customer_id].append(entry.contact_person)
        numbers[entry.customer_id] += [entry.phone, entry.fax]
    rows = []
    for each in customers:
        own_people, own_numbers, codes = own_words(each)
        more_people, more_numbers = filter(None, people[each.id]), filter(None, numbers[each.id])
        known = Known([each.name, *sorted(names[each.id])], [*own_people, *more_people], [*own_numbers, *more_numbers], codes)
        rows.append(row_of(each, known))
    write(session, rows)


def own_words(customer: Customer) -> tuple[list[str], list[str], list[str]]:
    """People, numbers and codes that stand in the record itself."""
    people, numbers, codes = [customer.contact_person], [customer.phone, customer.fax], [customer.credit_code]
    return [*filter(None, people)], [*filter(None, numbers)], [*filter(None, codes)]


def row_of(customer: Customer, known: Known) -> dict[str, Any]:
    words = words_of(known)
    tokens = tokens_of(words, facets(customer))
    texts = {name: BETWEEN.join(those) for name, those in words._asdict().items()}
    return {"customer_id": customer.id, "agency_id": customer.agency_id, "tokens": tokens, **texts}


def facets(customer: Customer) -> dict[str, Any]:
    """What of a customer is filtered by its value."""
    return {
        "source": customer.source,
        "industry": customer.industry,
        "category": customer.category,
        "tag": customer.tags,
        "criterion": customer.key_criteria,
        "key": customer.is_key or None,
        "at": places_of(customer.division),
        **{f"custom.{key}": value for key, value in customer.custom.items()},
    }


def places_of(division: str | None) -> list[str]:
    """With what it lies in."""
    if not division or not is_division(division):
        return []
    region = region_of(division)
    return [code for code in (region.province, region.city, region.county) if code]


def write(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    session.execute(WRITE, {"rows": to_json(rows).decode()})


# --- what was entered before there was a search

WAITING = select(Customer.id).where(Customer.searchable < domain.VERSION).order_by(Customer.id).limit(AT_ONCE)


def waiting(chore: Chore) -> list[UUID]:
    with chore.reading() as session:
        return list(session.scalars(WAITING))


def index_waiting(session: Session, ids: Sequence[UUID]) -> int:
    """Of those that wait, whom nobody changes at this moment: that makes them searchable as well. How many there were."""
    query = select(Customer).where(Customer.id.in_(ids), Customer.searchable < domain.VERSION).order_by(Customer.id)
    customers = session.scalars(query.with_for_update(key_share=True, skip_locked=True)).all()
    index(session, customers)
    done = [customer.id for customer in customers]
    session.execute(update(Customer).where(Customer.id.in_(done)).values(searchable=domain.VERSION))
    return len(done)
