"""Processes that are killed or asked to stop while they work."""

import uuid

import pytest

from services.contracts.customers import ENTER_CUSTOMER, EnterCustomer
from tests.faults.probe_contract import COUNT, Count
from tests.faults.world import World, eventually, is_ok, unique

GRACE = 8.0  # seconds, less than the consumers wait for work that is not done

POINTS = ["before_transaction", "in_transaction", "after_commit", "before_reply"]


@pytest.mark.parametrize(
    ("world", "point"), [*(("rabbitmq", point) for point in POINTS), ("embedded", "after_commit")], indirect=["world"]
)
def test_a_command_whose_process_is_killed_is_carried_out_once_and_answered(world: World, point: str) -> None:
    name, key = unique("killed"), uuid.uuid4().hex

    with world.killed_at("customers", point):
        first = world.begin(ENTER_CUSTOMER, EnterCustomer(name=name), key=key)
    answer = first.result()
    again = world.enter(name, key=key)

    assert answer.outcome == "created"
    assert again == answer
    assert world.customers(name) == 1
    assert world.value("customers", "SELECT count(*) FROM audit WHERE command_id = %s", key) == 1
    assert world.value("customers", "SELECT count(*) FROM outbox WHERE data ->> 'name' = %s", name) == 1
    world.wait_heard(name)


def test_nothing_runs_twice_and_all_is_answered_when_the_process_is_asked_to_stop_under_load(world: World) -> None:
    labels = [unique("load") for _ in range(150)]

    calls = [world.begin(COUNT, Count(label=label, seconds=0.1)) for label in labels]
    eventually(lambda: world.count("execution", labels) >= 20)
    world.terminate("rules")

    assert [call.result().label for call in calls] == labels
    assert world.count("execution", labels) == len(labels)
    assert world.count("effect", labels) == len(labels)


@pytest.mark.parametrize("world", ["embedded"], indirect=True)
def test_a_process_that_is_asked_to_stop_while_the_broker_is_away_stops_by_itself(world: World) -> None:
    with world.broker_away():
        rules = world.process("rules")
        eventually(lambda: not is_ok(world.ready_url(rules)))
        said = world.stack.log_of("rules").count('"stopped"')
        world.stack.supervisor.end([rules], GRACE)
        assert world.stack.log_of("rules").count('"stopped"') == said + 1, "it had to be killed"
        world.stack.supervisor.resume(rules)
    world.wait_ready()
