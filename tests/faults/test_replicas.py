"""Two processes of a service: both answer, one leads, and no event counts twice."""

import uuid
from collections.abc import Iterator

import pytest

from embedded.supervise import Process
from services.contracts.customers import ENTER_CUSTOMER, EnterCustomer
from services.contracts.errors import CommandInFlight
from tests.faults.probe_contract import COUNT, Count
from tests.faults.world import World, eventually, unique

TAKEOVER = 15.0  # seconds


@pytest.fixture(scope="module")
def pair(rabbitmq_world: World) -> Iterator[World]:
    with rabbitmq_world.second_replicas("customers", "rules"):
        yield rabbitmq_world


def leaders(world: World, service: str) -> list[Process]:
    return [process for process in world.stack.processes[service] if world.metric("qudao_leader", process) == 1]


def handled_by(world: World, process: Process) -> float:
    return world.metric("qudao_events_handled_total", process, handler="hear_entry", outcome="done")


def test_two_processes_share_the_events_and_handle_each_once(pair: World) -> None:
    names = [unique("shared") for _ in range(60)]

    calls = [pair.begin(ENTER_CUSTOMER, EnterCustomer(name=name)) for name in names]
    outcomes = {call.result().outcome for call in calls}
    pair.wait_heard(*names)

    assert outcomes == {"created"}
    assert pair.count("execution", names) == len(names)
    assert all(handled_by(pair, process) > 0 for process in pair.stack.processes["rules"])
    assert len(leaders(pair, "rules")) == len(leaders(pair, "customers")) == 1


def test_two_processes_carry_out_a_repeated_command_once(pair: World) -> None:
    name, key = unique("twins"), uuid.uuid4().hex

    calls = [pair.begin(ENTER_CUSTOMER, EnterCustomer(name=name), key=key) for _ in range(20)]
    errors = [call.exception() for call in calls]
    again = pair.enter(name, key=key)

    assert all(isinstance(error, CommandInFlight | None) for error in errors)
    assert {call.result() for call, error in zip(calls, errors, strict=True) if not error} == {again}
    assert pair.customers(name) == 1
    assert pair.value("customers", "SELECT count(*) FROM audit WHERE command_id = %s", key) == 1


def test_nothing_runs_twice_and_all_is_answered_when_one_is_asked_to_stop_under_load(pair: World) -> None:
    labels = [unique("load") for _ in range(150)]

    calls = [pair.begin(COUNT, Count(label=label, seconds=0.1)) for label in labels]
    eventually(lambda: pair.count("execution", labels) >= 20)
    pair.terminate("rules")

    assert [call.result().label for call in calls] == labels
    assert pair.count("execution", labels) == len(labels)
    assert pair.count("effect", labels) == len(labels)


def test_when_the_leader_is_killed_the_other_leads_and_sends_what_waits(pair: World) -> None:
    names = [unique("led") for _ in range(10)]
    [leader] = leaders(pair, "customers")
    [other] = [process for process in pair.stack.processes["customers"] if process is not leader]

    pair.kill_for_good(leader)
    calls = [pair.begin(ENTER_CUSTOMER, EnterCustomer(name=name)) for name in names]
    eventually(lambda: leaders(pair, "customers") == [other], seconds=TAKEOVER)

    assert {call.result().outcome for call in calls} == {"created"}
    pair.wait_heard(*names)
    pair.wait_published()
