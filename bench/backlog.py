"""`bench backlog`: a consumer comes back to what was told while it was away: how fast it catches up, what requests feel of it.

Twice for each consumer. By queue: the broker has kept the events. By sweep: the broker has lost them, and they are asked for.
"""

import json
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import amqp
import psycopg

from bench import machine
from bench.delay import connected
from bench.lines import generate, quantile
from bench.load import Job
from bench.report import markdown
from bench.stand import Person, Stand, standing, wait_for
from embedded.readiness import get
from services.plumbing.bus import address
from services.plumbing.topology import event_queue

CONSUMERS = ("activities", "rules")
WAYS = ("queue", "sweep")
RATE, CLIENTS = 20.0, 10  # requests per second, which the service answers without effort, and how many may wait at once
SLOWEST = 100.0  # events a second: less is given up
LOOK = 0.1  # seconds between looks at how far it is

# Two thirds of the customers are entered and a third is updated afterwards; a fifth came in by the web, with a time to be called.
TOLD_BY_CUSTOMERS = """
    WITH known AS (
        SELECT (md5(%(story)s || n))::uuid AS id, n FROM generate_series(1, %(count)s * 2 / 3) AS n
    ), told AS (
        SELECT id, n, 1 AS version, 'customer_entered' AS name FROM known
        UNION ALL SELECT id, n, 2, 'customer_updated' FROM known WHERE n <= %(count)s - %(count)s * 2 / 3
    )
    INSERT INTO outbox (id, name, aggregate_id, version, agency_id, actor, request_id, occurred_at, data)
    SELECT gen_random_uuid(), name, id, version, %(agency)s, %(owner)s::text, %(story)s, clock(), jsonb_build_object(
        'customer_id', id, 'name', %(story)s::text, 'is_key', n %% 3 = 0, 'owner_id', %(owner)s, 'department_id', %(department)s,
        'holding', 1, 'held_since', clock(), 'source', CASE WHEN n %% 5 = 0 THEN 'web' ELSE 'own' END, 'entered_by', %(owner)s)
    FROM told ORDER BY version, n
"""
TOLD_BY_ACTIVITIES = """
    INSERT INTO outbox (id, name, aggregate_id, version, agency_id, actor, request_id, occurred_at, data)
    SELECT gen_random_uuid(), 'contact_note_written', note, 1, %(agency)s, %(owner)s::text, %(story)s, clock(),
        jsonb_build_object('note_id', note, 'customer_id', (md5(%(story)s || n))::uuid, 'author_id', %(owner)s,
            'department_id', %(department)s, 'method', 'phone', 'maturity', 2, 'is_effective', true, 'holding', 1)
    FROM generate_series(1, %(count)s) AS n, LATERAL (SELECT gen_random_uuid() AS note WHERE n > 0) AS made
"""
UNPUBLISHED = "SELECT count(*) FROM outbox WHERE request_id = %s AND published_at IS NULL"

EFFECTS = {
    "activities": "SELECT count(*) FROM log_entry WHERE request_id = %(story)s",
    "rules": """
        SELECT coalesce(sum(version), 0) + (
            SELECT count(*) FROM contact JOIN holding USING (customer_id) WHERE holding.name = %(story)s
        ) FROM holding WHERE name = %(story)s
    """,
}
"""How many events of a story have had their effect; of a customer's two the second stands for both."""

READS = {"activities": "/v1/customers/{}/notes", "rules": "/v1/me/day"}
"""What is asked meanwhile: of the very service that is catching up."""


@dataclass(frozen=True)
class Wish:
    """How many events, on which broker, for which consumers, in which ways."""

    events: int
    broker: str
    is_json_only: bool
    consumers: Sequence[str] = CONSUMERS
    ways: Sequence[str] = WAYS

    @property
    def limit(self) -> float:
        """Seconds after which the whole run is given up."""
        return 180 + len(self.consumers) * len(self.ways) * (60 + self.events / 25)


def run(wish: Wish) -> None:
    """Prints the table, and the whole as one JSON object on the last line. Raises NotMeasured."""
    say: Callable[[str], None] = (lambda line: None) if wish.is_json_only else (lambda line: print(line, flush=True))
    found: dict[str, Any] = {"bench": "backlog", "commit": machine.commit(), "machine": machine.machine(), "lines": []}
    with standing(wish.broker) as stand:
        found["versions"] = machine.versions(stand.stack, wish.broker)
        people = stand.people(CLIENTS)
        for consumer in wish.consumers:
            for way in wish.ways:
                line = Backlog(stand, consumer, people, wish.events).measure(way)
                say(f"{consumer}, {way}: {line['events_per_second']:.0f}/s, p95 {line['p95_ms']} ms, else {line['p95_usual_ms']}")
                found["lines"].append(line)
    say(table(found["lines"]))
    print(json.dumps(found, ensure_ascii=False))
    sys.stdout.flush()


class Backlog:
    """One consumer's absence and return."""

    def __init__(self, stand: Stand, consumer: str, people: Sequence[Person], count: int) -> None:
        self.stand, self.stack, self.consumer, self.people, self.count = stand, stand.stack, consumer, people, count
        self.patience = 60 + count / SLOWEST
        self.story = f"story {uuid.uuid4()}"

    def measure(self, way: str) -> dict[str, Any]:
        usual = self.requests(4.0)
        self.stack.halt(self.consumer)
        published = self.tell()
        if way == "sweep":
            self.lose()
        began = time.monotonic()
        self.stack.resume(self.consumer)
        with Watch(self.stack.owner_url(self.consumer), EFFECTS[self.consumer], self.story) as watch:
            wait_for(lambda: get(f"{self.stack.health_url(self.consumer)}/readyz")[0] == 200, 60, f"{self.consumer} is not back.")
            during = self.requests(max(1.0, min(6.0, self.count / 1500)))
            asked_until = time.monotonic()
            wait_for(partial(watch.has_seen, self.count), self.patience, f"{self.consumer} has not caught up.")
        first, last = watch.span(self.count)
        return {
            "consumer": self.consumer,
            "way": way,
            "events": self.count,
            "published_per_second": round(published),
            "first_effect_after_s": round(first[0] - began, 2),
            "seconds": round(last[0] - first[0], 2),
            "events_per_second": round((last[1] - first[1]) / max(LOOK, last[0] - first[0])),
            "p95_usual_ms": round(quantile(usual, 0.95), 1),
            "p95_ms": round(quantile(during, 0.95), 1),
            "requests": len(during),
            "asked_beyond_the_end_s": round(max(0.0, asked_until - last[0]), 2),
        }

    def requests(self, seconds: float) -> list[float]:
        """Milliseconds that each took."""
        paths = [[READS[self.consumer].format(customer) for customer in person.customers] for person in self.people]
        tokens = [person.token for person in self.people]
        asked = {"port": self.stand.gateway_port, "status": 200, "paths": paths, "tokens": tokens, "rate": RATE}
        return generate(Job(clients=CLIENTS, seconds=seconds, warm_up=0.5, **asked)).milliseconds

    def tell(self) -> float:
        """Events of customers, and for rules of activities, too; how many per second the broker got."""
        notes = self.count // 4 if self.consumer == "rules" else 0
        others = [service for service in CONSUMERS if service != self.consumer]
        began = time.monotonic()
        self.write("customers", TOLD_BY_CUSTOMERS, self.count - notes)
        if notes:
            self.write("activities", TOLD_BY_ACTIVITIES, notes)
        for producer in ("customers", "activities") if notes else ("customers",):
            with connected(self.stand, producer) as outbox:
                wait_for(partial(is_zero, outbox, UNPUBLISHED, self.story), self.patience, "Events were not sent.")
        seconds = time.monotonic() - began
        for service in others:  # it heard them at once, and shall not be at it still
            with Watch(self.stack.owner_url(service), EFFECTS[service], self.story) as watch:
                wait_for(partial(watch.has_seen, self.count), self.patience, f"{service} does not hear.")
        return self.count / seconds

    def write(self, service: str, statement: str, count: int) -> None:
        with connected(self.stand, service) as outbox:
            owner, agency, department = self.owner()
            values = {"story": self.story, "count": count, "owner": owner, "agency": agency, "department": department}
            outbox.execute(statement, values)
            outbox.execute("NOTIFY outbox")

    def owner(self) -> tuple[Any, ...]:
        """Somebody who holds customers."""
        with connected(self.stand, "customers") as customers:
            asked = "SELECT id, agency_id, department_id FROM person WHERE roles = '{rep}' LIMIT 1"
            return customers.execute(asked).fetchone() or ()

    def lose(self) -> None:
        """As a broker does that was confirmed to and then restarted."""
        with amqp.Connection(**address(self.stack.amqp_uri)) as connection:
            connection.channel().queue_purge(event_queue(self.consumer))


class Watch:
    """Looks again and again how many effects there are: `seen` has pairs of the time, in seconds, and the count."""

    def __init__(self, url: str, asked: str, story: str) -> None:
        self.url, self.asked, self.story = url, asked, story
        self.seen = [(time.monotonic(), 0)]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            while not self._ended.wait(LOOK):
                row = connection.execute(self.asked, {"story": self.story}).fetchone()
                self.seen.append((time.monotonic(), int((row or (0,))[0])))

    def has_seen(self, count: int) -> bool:
        return self.seen[-1][1] >= count

    def span(self, count: int) -> tuple[tuple[float, int], tuple[float, int]]:
        """The last look before the first effect, and the first one that found all."""
        first = max(look for look in self.seen if look[1] == 0)
        return first, next(look for look in self.seen if look[1] >= count)


def is_zero(connection: "psycopg.Connection[Any]", asked: str, *values: Any) -> bool:
    time.sleep(LOOK)
    return (connection.execute(asked, values).fetchone() or (0,))[0] == 0


def table(lines: list[dict[str, Any]]) -> str:
    heads = ["consumer", "way", "events", "seconds", "events/s", "sent to the broker /s", "p95 usual ms", "p95 meanwhile ms"]
    keys = ["consumer", "way", "events", "seconds", "events_per_second", "published_per_second", "p95_usual_ms", "p95_ms"]
    return "\n" + markdown(heads, [[str(line[key]) for key in keys] for line in lines])
