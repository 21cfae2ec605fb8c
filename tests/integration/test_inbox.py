"""The inbox on its own, against a real database: what must hold though a process ends in the middle."""

import itertools
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url

from embedded.stack import Stack
from embedded.supervise import wait_until
from ops.addresses import derive
from services.contracts.base import Envelope, Event
from services.plumbing import inbox, migrate, retries
from services.plumbing.work import Work
from tests.api import unique

AT_ONCE = (0.0, 0.0, 0.0, 0.0)
SAMPLE = {"agency_id": str(uuid.UUID(int=1)), "name": "扬州代理", "is_headquarters": False}


class Killed(BaseException):
    """As if the process had ended here: nothing below catches it."""


@pytest.fixture(scope="module")
def engine(stack: Stack) -> Iterator[Engine]:
    name = unique("inbox")
    with psycopg.connect(stack.admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        url = derive(stack.admin_url, name)
        migrate.migrate(url, "rules", "qudao_rules")
        made = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
        yield made
        made.dispose()
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def envelope(position: int) -> Envelope:
    return Envelope(
        id=uuid.uuid4(),
        source="identity",
        name="agency_added",
        position=position,
        aggregate_id=uuid.uuid4(),
        version=1,
        agency_id=uuid.UUID(int=1),
        actor="test",
        request_id="test",
        occurred_at=datetime.now(UTC),
        data=SAMPLE,
    )


def state_of(engine: Engine, event: Envelope) -> tuple[str, int, str | None]:
    with engine.connect() as connection:
        asked = "SELECT state, tries, error FROM inbox WHERE event_id = %(id)s"
        row = connection.exec_driver_sql(asked, {"id": event.id}).one()
        return row.state, row.tries, row.error


def test_an_event_that_ends_its_process_is_parked_in_the_end(engine: Engine) -> None:
    event, runs = envelope(1), []

    def kill(event: Event, envelope: Envelope, work: Work) -> None:
        runs.append(envelope.id)
        raise Killed

    lost = [inbox.Delivery("kill", kill, event)]
    retries.note_lost(engine, lost, AT_ONCE)
    with pytest.raises(Killed):
        retries.try_lost(engine, lost, AT_ONCE)
    for _ in range(4):
        assert retries.due(engine, ["kill"], 10) == [("kill", event.id, True)]
        assert retries.due(engine, ["another"], 10) == []
        with pytest.raises(Killed):
            retries.retry(engine, "kill", event.id, kill, AT_ONCE)
    retries.retry(engine, "kill", event.id, kill, AT_ONCE)

    assert len(runs) == 5
    assert state_of(engine, event) == ("parked", 5, "the process ended while it was handled")
    assert retries.due(engine, ["kill"], 10) == []


def test_a_lost_event_is_handled_once_though_the_broker_brings_it_too(engine: Engine) -> None:
    event, runs = envelope(2), []

    def note(event: Event, envelope: Envelope, work: Work) -> None:
        runs.append(envelope.id)

    lost = [inbox.Delivery("note", note, event)]
    retries.note_lost(engine, lost, AT_ONCE)
    inbox.receive(engine, "note", note, event, AT_ONCE)
    retries.note_lost(engine, lost, AT_ONCE)
    retries.try_lost(engine, lost, AT_ONCE)
    retries.try_lost(engine, lost, AT_ONCE)
    inbox.receive(engine, "note", note, event, AT_ONCE)

    assert runs == [event.id]
    assert state_of(engine, event) == ("done", 1, None)


def test_an_old_copy_that_comes_after_its_row_was_pruned_has_no_second_effect(engine: Engine) -> None:
    event, runs = envelope(3), []

    def note(event: Event, envelope: Envelope, work: Work) -> None:
        runs.append(envelope.id)

    inbox.receive(engine, "note", note, event, AT_ONCE)
    inbox.move_cursor(engine, "identity", 3)
    inbox.receive(engine, "note", note, event, AT_ONCE)

    assert runs == [event.id]
    assert inbox.cursor_of(engine, "identity") == 3
    inbox.move_cursor(engine, "identity", 2)
    assert inbox.cursor_of(engine, "identity") == 3


# --- a batch that meets a lock

THINGS = """
    CREATE TABLE IF NOT EXISTS thing (id uuid PRIMARY KEY);
    CREATE TABLE IF NOT EXISTS effect (event_id uuid NOT NULL);
"""
HOLD = "SELECT FROM thing WHERE id = %s FOR UPDATE"


class Things:
    """What handlers change, one for each event of a batch; `began` says whose handlers were run, in which order."""

    def __init__(self, url: str, position: int) -> None:
        self.url = url
        told = [envelope(position + n) for n in range(3)]
        self.events = sorted(told, key=lambda event: event.aggregate_id)  # as a batch runs them
        self.first, self.second, self.third = self.events
        self.deliveries = [inbox.Delivery("change", self.change, event) for event in self.events]
        self.began: list[uuid.UUID] = []
        with self.connected() as connection:
            connection.execute(THINGS)
            for event in self.events:
                connection.execute("INSERT INTO thing VALUES (%s)", [event.aggregate_id])

    def connected(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url, autocommit=True)

    def change(self, event: Event, envelope: Envelope, work: Work) -> None:
        self.began.append(envelope.id)
        work.session.execute(text("INSERT INTO effect VALUES (:id)"), {"id": envelope.id})
        work.session.execute(text("SELECT FROM thing WHERE id = :id FOR UPDATE"), {"id": envelope.aggregate_id})

    @contextmanager
    def held(self, event: Envelope) -> Iterator[psycopg.Connection[Any]]:
        """By somebody else's transaction."""
        with self.connected() as connection, connection.transaction():
            connection.execute(HOLD, [event.aggregate_id])
            yield connection

    def effects(self) -> list[int]:
        """How many each event has had."""
        with self.connected() as connection:
            asked = "SELECT count(*) FROM effect WHERE event_id = %s"
            return [count for event in self.events for (count,) in connection.execute(asked, [event.id])]

    def wait_for(self, condition: Callable[[], bool]) -> None:
        assert wait_until(condition, 20), self.began


@pytest.fixture
def things(engine: Engine) -> Things:
    return Things(engine.url.set(drivername="postgresql").render_as_string(hide_password=False), next(POSITIONS))


POSITIONS = itertools.count(100, 10)


@pytest.fixture
def impatient(engine: Engine) -> Iterator[Engine]:
    """As a service's: a statement that waits too long for a lock fails."""
    made = create_engine(engine.url, connect_args={"options": "-c lock_timeout=400"})
    yield made
    made.dispose()


def count_one_after_the_other(things: Things) -> int:
    """How many wait for a lock outside of a batch, which has its own patience."""
    with things.connected() as connection:
        asked = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            " AND query LIKE '%%receive_event%%'"
        )
        [(count,)] = connection.execute(asked)
        return int(count)


def test_a_batch_gives_way_to_a_lock_and_each_event_has_its_effect_once(engine: Engine, things: Things) -> None:
    with ThreadPoolExecutor() as pool:
        with things.held(things.second):
            batch = pool.submit(inbox.receive_all, engine, things.deliveries, AT_ONCE)
            things.wait_for(lambda: things.effects() == [1, 0, 0])
        batch.result()

    first, second, third = (event.id for event in things.events)
    assert things.began == [first, second, *(first, second, third)]  # together, then one after the other
    assert things.effects() == [1, 1, 1]
    assert [state_of(engine, event) for event in things.events] == [("done", 0, None)] * 3


def test_an_event_whose_lock_is_not_to_be_had_at_all_is_tried_again_and_keeps_nobody_waiting(
    engine: Engine, impatient: Engine, things: Things
) -> None:
    with things.held(things.second):
        inbox.receive_all(impatient, things.deliveries, AT_ONCE)
        assert things.effects() == [1, 0, 1]
        assert state_of(engine, things.second)[:2] == ("failed", 1)

    retries.retry(impatient, "change", things.second.id, things.change, AT_ONCE)
    inbox.receive_all(impatient, things.deliveries, AT_ONCE)

    assert things.effects() == [1, 1, 1]
    assert [state_of(engine, event)[0] for event in things.events] == ["done"] * 3


def test_who_locks_the_other_way_round_is_not_ended_by_a_batch(engine: Engine, things: Things) -> None:
    with ThreadPoolExecutor() as pool:
        with things.held(things.second) as request:
            batch = pool.submit(inbox.receive_all, engine, things.deliveries, AT_ONCE)
            things.wait_for(lambda: len(things.began) >= 2)
            request.execute(HOLD, [things.first.aggregate_id])
        batch.result()

    assert things.effects() == [1, 1, 1]


def test_two_batches_with_the_same_events_have_one_effect_each(engine: Engine, things: Things) -> None:
    """As the broker brings again, to another replica, what the first one is still at."""
    again = list(reversed(things.deliveries))
    with ThreadPoolExecutor() as pool:
        with things.held(things.third):
            first = pool.submit(inbox.receive_all, engine, things.deliveries[:1], AT_ONCE)
            batches = [pool.submit(inbox.receive_all, engine, told, AT_ONCE) for told in (things.deliveries, again)]
            things.wait_for(lambda: things.effects() == [1, 1, 0] and count_one_after_the_other(things) > 0)
        for batch in (first, *batches):
            batch.result()

    assert things.effects() == [1, 1, 1]
    assert [state_of(engine, event) for event in things.events] == [("done", 0, None)] * 3


def test_who_takes_many_has_all_at_once_each_once_and_one_by_one_when_one_of_them_fails(engine: Engine, things: Things) -> None:
    taken: list[list[uuid.UUID]] = []
    spoilt = {things.second.id}

    def take(heard: Sequence[inbox.Heard]) -> None:
        taken.append([envelope.id for envelope, _ in heard])
        for envelope, work in heard:
            work.session.execute(text("INSERT INTO effect VALUES (:id)"), {"id": envelope.id})
        if spoilt & {envelope.id for envelope, _ in heard}:
            raise ValueError("spoilt")

    take.takes_many = True  # type: ignore[attr-defined]
    deliveries = [delivery._replace(handler=take) for delivery in things.deliveries]
    first, second, third = (event.id for event in things.events)
    inbox.receive_all(engine, [*deliveries, *deliveries], AT_ONCE)
    assert taken == [[first, second, third], *([each] for each in (first, second, third))]
    assert things.effects() == [1, 0, 1]
    assert state_of(engine, things.second)[:2] == ("failed", 1)

    spoilt.clear()
    retries.retry(engine, "change", second, take, AT_ONCE)
    inbox.receive_all(engine, deliveries, AT_ONCE)
    assert things.effects() == [1, 1, 1]
    assert taken[4:] == [[second]]


def test_lost_events_that_meet_a_lock_have_their_effect_once_too(engine: Engine, impatient: Engine, things: Things) -> None:
    with things.held(things.second):
        retries.note_lost(engine, things.deliveries, AT_ONCE)
        retries.try_lost(impatient, things.deliveries, AT_ONCE)
        assert things.effects() == [1, 0, 1]
        assert state_of(engine, things.second)[0] == "failed"

    retries.retry(impatient, "change", things.second.id, things.change, AT_ONCE)
    inbox.receive_all(impatient, things.deliveries, AT_ONCE)

    assert things.effects() == [1, 1, 1]
