"""The history of a customer's fields: what was changed, by whom, from what to what."""

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Connection, Row, Table, func, literal, select

from services.contracts.base import Message
from services.contracts.customers import ChangeView
from services.contracts.fields import Levels
from services.customers.fields.domain import is_shown
from services.customers.fields.sight import shown_value
from services.customers.models import Customer, CustomerChange
from services.directory.models import Person
from services.plumbing.work import Work

UNSAID = frozenset({"version", "owner_name"})
"""What changes with every change, and what is the holder's own."""


def record(work: Work, customer: Customer, old: Message, new: Message) -> None:
    """Keeps what differs between two views of a customer that is in a new version."""
    before, after = old.model_dump(mode="json"), new.model_dump(mode="json")
    fields = {name: [before[name], after[name]] for name in after if name not in UNSAID and before[name] != after[name]}
    record_fields(work, customer, fields)


def record_fields(work: Work, customer: Customer, fields: Mapping[str, Sequence[Any]]) -> None:
    change = CustomerChange(
        customer_id=customer.id,
        version=customer.version,
        agency_id=customer.agency_id,
        at=work.now,
        actor=work.actor,
        fields=dict(fields),
    )
    work.session.add(change)


def shown(row: Any, levels: Levels) -> ChangeView:
    """As far as these levels allow. People at the customer are kept masked."""
    held_back = {field: level for field, level in levels.items() if field in row.fields and not is_shown(level)}
    pairs = {field: tuple(shown_value(field, each, level) for each in row.fields[field]) for field, level in held_back.items()}
    told = {name: getattr(row, name) for name in ("version", "at", "actor", "actor_name")}
    return ChangeView(**told, fields={**row.fields, **pairs}, restricted=held_back)


def list_changes(connection: Connection, customer_id: UUID, before: int | None, limit: int) -> Sequence[Row[Any]]:
    """The newest first."""
    table = cast(Table, CustomerChange.__table__)
    name = func.coalesce(Person.display_name, literal("")).label("actor_name")
    query = select(table, name).join_from(table, Person, func.cast(Person.id, table.c.actor.type) == table.c.actor, isouter=True)
    query = query.where(table.c.customer_id == customer_id)
    if before:
        query = query.where(table.c.version < before)
    return connection.execute(query.order_by(table.c.version.desc()).limit(limit)).all()
