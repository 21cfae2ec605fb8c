"""Handlers that fail, and events that cannot be read."""

import itertools
import json
import pickle
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.faults.world import RETRY_DELAYS, World, eventually, on_both_brokers, unique

REDRIVE = "UPDATE inbox SET state = 'failed', tries = 0, next_try = clock() WHERE event_id = %s"
KINDS = ("failing 5", "failing 2", "exiting 2", "stalling 2", "fine 0")


@pytest.fixture(scope="module")
def names(rabbitmq_world: World) -> dict[str, str]:
    """Customers whose handlers fail in these ways, entered one right after the other."""
    names = {kind: unique(kind) for kind in KINDS}
    for name in names.values():
        rabbitmq_world.enter(name)
    return names


def inbox(world: World, name: str) -> tuple[Any, ...]:
    """State, tries and error of the event of this customer's entry."""
    asked = "SELECT state, tries, error FROM inbox WHERE handler = 'hear_entry' AND event_id = %s"
    return next(iter(world.rows("rules", asked, event_of(world, name))), ())


def event_of(world: World, name: str) -> Any:
    return world.value("customers", "SELECT id FROM outbox WHERE data ->> 'name' = %s", name)


def test_events_behind_a_failing_one_are_not_held_up(world: World, names: dict[str, str]) -> None:
    failing, fine = names["failing 5"], names["fine 0"]

    world.wait_heard(fine)
    eventually(lambda: world.runs(failing) > 1)

    assert runs_of(world, fine)[-1] - runs_of(world, failing)[0] < timedelta(seconds=5)


def runs_of(world: World, name: str) -> list[Any]:
    """When each began."""
    return [at for (at,) in world.rows("rules", "SELECT at FROM execution WHERE label = %s ORDER BY at", name)]


@pytest.mark.parametrize("kind", ["failing 2", "exiting 2", "stalling 2"])
def test_a_handler_that_fails_twice_and_then_works_has_its_effect_once(world: World, names: dict[str, str], kind: str) -> None:
    """Whether it raises, wants to leave the process, or waits for the database too long. In a batch with others who waits gives
    way, and that is no try."""
    world.wait_heard(names[kind])

    assert world.runs(names[kind]) == 3
    assert inbox(world, names[kind]) in {("done", 3, None), ("done", 2 if kind == "stalling 2" else 3, None)}


def test_a_handler_that_always_fails_is_tried_again_ever_later_then_parked_until_it_is_redriven(
    world: World, names: dict[str, str]
) -> None:
    name = names["failing 5"]

    eventually(lambda: inbox(world, name)[0] == "parked")
    assert inbox(world, name) == ("parked", len(RETRY_DELAYS) + 1, "RuntimeError: as its name demands")
    began = runs_of(world, name)
    gaps = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(began)]
    assert len(gaps) == len(RETRY_DELAYS), "it ran hot"
    assert all(gap >= delay for gap, delay in zip(gaps, RETRY_DELAYS, strict=True))
    assert world.effects(name) == 0
    eventually(lambda: world.metric("qudao_inbox", world.process("rules"), state="parked"))

    with world.database("rules", "owner") as connection:
        connection.execute(REDRIVE, [event_of(world, name)])
    world.wait_heard(name)
    assert world.runs(name) == 6


def test_the_way_to_redrive_is_written_where_operators_look(world: World) -> None:
    documented = world.value("rules", "SELECT col_description('inbox'::regclass, 5)")

    assert REDRIVE.partition(" WHERE")[0] in documented


# --- what cannot be read

UNREADABLE = {
    "no JSON": ("{", "application/json"),
    "no UTF-8": (b"\xff\xfe", "application/json"),
    "a list": ('["no envelope"]', "application/json"),
    "no envelope": ('{"name": "customer_entered"}', "application/json"),
    "no content type": ('{"name": "no content type"}', None),
    "YAML": ("name: customer_entered", "application/x-yaml"),
}


@on_both_brokers
def test_events_that_cannot_be_read_end_among_the_dead_letters_and_the_consumer_lives(world: World) -> None:
    world.dead_letters()
    pids = world.pids()

    for body, kind in UNREADABLE.values():
        world.publish_raw("customers.events", "customer_entered", body, **({"content_type": kind} if kind else {}))
    name = unique("after the unreadable")
    world.enter(name)
    world.wait_heard(name)

    sent = [body if isinstance(body, bytes) else body.encode() for body, _ in UNREADABLE.values()]
    found: list[bytes] = []
    eventually(lambda: found.extend(world.dead_letters()) or all(found.count(body) == 2 for body in sent))  # two consumers
    assert world.pids() == pids


FORGED = {
    "source": "customers",
    "name": "customer_entered",
    "position": 1_000_000,
    "version": 1,
    "actor": "nobody",
    "request_id": "forged",
    "occurred_at": "2026-03-01T12:00:00Z",
}


def test_an_event_that_another_service_tells_in_ones_name_is_not_believed(world: World) -> None:
    world.dead_letters()
    name, ids = unique("forged 0"), {key: str(uuid.uuid4()) for key in ("id", "aggregate_id", "agency_id")}
    ids_of = {key: str(uuid.uuid4()) for key in ("customer_id", "owner_id", "department_id")}
    forged = json.dumps({**FORGED, **ids, "data": {"name": name, "is_key": True, **ids_of}})

    world.publish_raw("activities.events", "contact_note_written", forged, content_type="application/json")
    found: list[bytes] = []
    eventually(lambda: found.extend(world.dead_letters()) or forged.encode() in found)

    assert world.runs(name) == 0


class Exploit:
    """Touches a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize(("exchange", "routing_key"), [("customers.events", "customer_entered"), ("nameko-rpc", "rules.idle")])
def test_a_pickled_message_is_refused_and_never_unpickled(world: World, tmp_path: Path, exchange: str, routing_key: str) -> None:
    trap, pids = tmp_path / "sprung", world.pids()

    for content_type in ("application/x-python-serialize", "application/x-yaml", "application/x-msgpack"):
        body = pickle.dumps({"args": [Exploit(trap)], "kwargs": {}})
        world.publish_raw(exchange, routing_key, body, content_type=content_type, content_encoding="binary")
    name = unique("after the pickle")
    world.enter(name)
    world.wait_heard(name)
    eventually(lambda: world.depth("rpc-rules") == 0)

    assert not trap.exists()
    assert world.pids() == pids
    world.dead_letters()
