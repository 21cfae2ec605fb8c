"""The same command more than once."""

import uuid

import pytest

from services.contracts.customers import ENTER_CUSTOMER, EnterCustomer
from services.contracts.errors import CommandInFlight, IdempotencyKeyReused, InternalError
from tests.faults.probe_contract import COUNT, Count
from tests.faults.world import World, eventually, on_both_brokers, unique


@on_both_brokers
def test_a_command_sent_ten_times_at_once_is_carried_out_once(world: World) -> None:
    name, key = unique("tenfold"), uuid.uuid4().hex

    calls = [world.begin(ENTER_CUSTOMER, EnterCustomer(name=name), key=key) for _ in range(10)]
    errors = [call.exception() for call in calls]
    answers = {call.result() for call, error in zip(calls, errors, strict=True) if error is None}

    assert all(isinstance(error, CommandInFlight | None) for error in errors)
    assert answers == {world.enter(name, key=key)}
    assert world.customers(name) == 1
    assert world.value("customers", "SELECT count(*) FROM audit WHERE command_id = %s", key) == 1
    assert world.value("customers", "SELECT count(*) FROM outbox WHERE data ->> 'name' = %s", name) == 1
    world.wait_heard(name)


def test_a_command_that_is_being_carried_out_is_not_begun_again(world: World) -> None:
    label, key = unique("slow"), uuid.uuid4().hex

    first = world.begin(COUNT, Count(label=label, seconds_inside=1), key=key)
    eventually(lambda: world.runs(label))
    second = world.begin(COUNT, Count(label=label, seconds_inside=1), key=key)

    outcomes = [type(call.exception()) for call in (first, second)]
    assert sorted(outcomes, key=str) == sorted([type(None), CommandInFlight], key=str)
    assert world.effects(label) == 1


def test_a_repeated_command_is_answered_as_before(world: World) -> None:
    label, key = unique("repeated"), uuid.uuid4().hex

    answers = [world.call(COUNT, Count(label=label), key=key) for _ in range(3)]

    assert answers[0] == answers[1] == answers[2]
    assert world.effects(label) == 1


def test_an_entry_that_was_only_bound_is_answered_as_before(world: World) -> None:
    name, key = unique("bound"), uuid.uuid4().hex
    world.enter(name)

    first, again = (world.enter(name, key=key) for _ in range(2))

    assert first.outcome == "bound_to_yours"
    assert again == first


def test_another_command_under_a_used_key_is_refused(world: World) -> None:
    label, key = unique("reused"), uuid.uuid4().hex
    world.call(COUNT, Count(label=label), key=key)

    with pytest.raises(IdempotencyKeyReused):
        world.call(COUNT, Count(label=f"{label}, changed"), key=key)

    assert world.effects(f"{label}, changed") == 0


def test_a_command_that_was_rolled_back_may_run_again(world: World) -> None:
    label, key = unique("rolled back"), uuid.uuid4().hex

    with pytest.raises(InternalError):
        world.call(COUNT, Count(label=label, then_fail=True), key=key)
    assert world.effects(label) == 0
    world.call(COUNT, Count(label=label), key=key)

    assert world.effects(label) == 1


def test_somebody_elses_key_is_another_key(world: World) -> None:
    label, key = unique("shared key"), uuid.uuid4().hex

    mine = world.call(COUNT, Count(label=label), key=key)
    theirs = world.call(COUNT, Count(label=label), key=key, caller=world.new_person())

    assert mine != theirs
    assert world.effects(label) == 2
