"""The inbox on its own, against a real database: what must hold though a process ends in the middle."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url

from embedded.stack import Stack
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
