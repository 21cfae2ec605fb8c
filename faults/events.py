"""Every event that was ever sent, sent again twice and in any order."""

import hashlib
import json
from typing import Any

import amqp
import psycopg
from psycopg.rows import dict_row

from faults.trial import Trial
from ops.keys import SERVICES
from services.contracts.base import Envelope
from services.plumbing.topology import event_exchange, event_queue

TOLD = f"SELECT {', '.join(Envelope.model_fields.keys() - {'source'})} FROM outbox WHERE position IS NOT NULL"  # noqa: S608 constants
HEARD = {
    "customers": ("agency", "department", "person", "stock"),
    "activities": ("agency", "department", "person", "log_entry", "follow_up", "contact_note"),
    "rules": ("agency", "department", "person", "holding", "contact", "deadline", "allowance"),
}
"""Where what was heard is kept."""

FEW = 500


def repeated(trial: Trial) -> None:
    """While others write. What was there before must be there afterwards, unchanged by what has come again."""
    for _ in trial.times(2):
        events = [envelope for service in SERVICES for envelope in told(trial, service)]
        events = (trial.random.sample(events, min(len(events), FEW)) if trial.is_brief else events) * 2
        trial.random.shuffle(events)
        with trial.outage(f"{len(events)} events again"):
            publish(trial, events)
    trial.ledger.stop()
    trial.system.wait_quiet()
    before = {service: digest(trial, service) for service in HEARD}
    publish(trial, events)
    trial.system.wait(lambda: is_empty(trial), 120, "repeated events are still waiting")
    trial.system.wait_quiet()
    for service in HEARD:
        if digest(trial, service) != before[service]:
            trial.complain(f"{service} differs after its events have come again")


def told(trial: Trial, service: str) -> list[Envelope]:
    with psycopg.connect(trial.system.database_urls()[service], row_factory=dict_row) as connection:
        return [Envelope(source=service, **row) for row in connection.execute(TOLD)]


def connected(trial: Trial) -> amqp.Connection:
    broker = trial.system.broker
    return amqp.Connection(f"{broker.host}:{broker.port}", userid=broker.user, password=broker.password)


def publish(trial: Trial, events: list[Envelope]) -> None:
    with connected(trial) as connection:
        channel = connection.channel()
        for event in events:
            message = amqp.Message(event.model_dump_json(), content_type="application/json", delivery_mode=2)
            channel.basic_publish(message, event_exchange(event.source), event.name)


def is_empty(trial: Trial) -> bool:
    with connected(trial) as connection:
        channel = connection.channel()
        return not any(channel.queue_declare(event_queue(service), passive=True).message_count for service in HEARD)


def digest(trial: Trial, service: str) -> str:
    """Of all rows of these tables, whatever their order."""
    rows: list[Any] = []
    for table in HEARD[service]:
        found = trial.system.rows(service, f"SELECT to_jsonb(t) FROM {table} AS t")  # noqa: S608 constants
        rows += sorted(json.dumps(row, default=str, sort_keys=True) for (row,) in found)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()
