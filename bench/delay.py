"""(e) From commit to effect: how long after an entry is committed does what rules does about it stand in rules' database.

A deferred trigger runs as the first step of a COMMIT. One on customers' outbox and one on rules' inbox note the server's clock
with the event's id, so that both times come from the same clock and are taken at the same step of both transactions: what lies
between them is the commit itself, the relay's wake-up, the broker, and the handler with all its statements.
"""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg

from bench.lines import Line, generate, quantile
from bench.load import Job
from bench.stand import NotMeasured, Stand, wait_for

RATE = 100.0  # entries per second
CLIENTS = 50
PATIENCE = 60.0  # seconds for the last effect

TABLE = """
    CREATE TABLE bench_commit (event_id uuid PRIMARY KEY, at timestamptz NOT NULL);
    CREATE FUNCTION bench_note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
    BEGIN
        INSERT INTO bench_commit VALUES ({id}, clock_timestamp());
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER bench_note AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION bench_note();
"""
AT_ENTRY = TABLE.format(id="NEW.id", table="outbox", condition="NEW.name = 'customer_entered'")
AT_EFFECT = TABLE.format(id="NEW.event_id", table="inbox", condition="NEW.handler = 'follow_customer'")
COMMITS = "SELECT event_id, extract(epoch FROM at) * 1000 FROM bench_commit"


def measure_delay(stand: Stand, line: Line, seconds: float) -> dict[str, Any]:
    """Raises NotMeasured when an event has no effect in time."""
    with connected(stand, "customers") as customers, connected(stand, "rules") as rules:
        counts = count_of(customers, "customer"), count_of(rules, "holding")
        caught_up = wait_for(lambda: counts[0]() == counts[1](), PATIENCE, "rules does not catch up with customers.")
        customers.execute(AT_ENTRY)
        rules.execute(AT_EFFECT)
        warm_up = min(1.0, seconds / 3)
        outcome = generate(Job(clients=CLIENTS, seconds=seconds, warm_up=warm_up, rate=RATE, **line.job(CLIENTS)))
        ended = time.monotonic()
        entered = commits(customers)
        wait_for(lambda: len(commits(rules)) >= len(entered), PATIENCE, "Events are without their effect.")
        drained = time.monotonic() - ended
        stand.check()
        delays = delays_between(entered, commits(rules), warm_up)
    rate = len(outcome.milliseconds) / seconds
    return {
        "asked_per_second": RATE,
        "entered_per_second": round(rate, 1),
        "is_steady": rate >= 0.95 * RATE,
        "p50_ms": round(quantile(delays, 0.50), 1),
        "p99_ms": round(quantile(delays, 0.99), 1),
        "max_ms": round(max(delays), 1),
        "events": len(delays),
        "last_effect_after_s": round(drained, 2),
        "caught_up_after_entries_s": round(caught_up, 2),
    }


def delays_between(entered: dict[UUID, float], effects: dict[UUID, float], warm_up: float) -> list[float]:
    """Milliseconds, of what was entered after the warm-up. Raises NotMeasured."""
    if not entered:
        raise NotMeasured("Nothing was entered.")
    begins = min(entered.values()) + warm_up * 1000
    return [effects[event] - at for event, at in entered.items() if at >= begins]


def connected(stand: Stand, service: str) -> "psycopg.Connection[Any]":
    return psycopg.connect(stand.stack.owner_url(service), autocommit=True)


def count_of(connection: "psycopg.Connection[Any]", table: str) -> Callable[[], int]:
    query = psycopg.sql.SQL("SELECT count(*) FROM {}").format(psycopg.sql.Identifier(table))
    return lambda: int((connection.execute(query).fetchone() or (0,))[0])


def commits(connection: "psycopg.Connection[Any]") -> dict[UUID, float]:
    return {event: float(at) for event, at in connection.execute(COMMITS)}
