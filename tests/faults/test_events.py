"""Events whose consumer, producer or broker fails on the way: each has its effect, once."""

import pytest

from services.contracts.base import Envelope, EventsAfter, events_after
from services.contracts.customers import ENTER_CUSTOMER, EnterCustomer
from tests.faults.probe_contract import SAY, Say
from tests.faults.world import World, eventually, on_both_brokers, unique


@on_both_brokers
def test_an_event_for_a_consumer_that_is_down_arrives_when_it_is_back(world: World) -> None:
    name = unique("meanwhile")

    with world.down("rules"):
        world.enter(name)
        world.wait_published()

    world.wait_heard(name)


def test_events_that_rabbitmq_confirmed_and_lost_arrive_by_the_sweep(world: World) -> None:
    names = [unique("lost") for _ in range(3)]

    with world.down("rules"):
        for name in names:
            world.enter(name)
        world.wait_published()
        with world.channel() as channel:
            channel.queue_purge("events-rules")

    world.wait_heard(*names)
    assert world.metric("qudao_events_swept_total", world.process("rules"), source="customers") >= len(names)


@pytest.mark.parametrize("world", ["embedded"], indirect=True)
def test_events_that_were_lost_with_the_broker_arrive_by_the_sweep(world: World) -> None:
    """Though the consumer was not started anew: it asks after every reconnect."""
    names = [unique("lost") for _ in range(3)]
    with world.down("rules"):
        for name in names:
            world.enter(name)
        world.wait_published()
        with world.broker_away():
            pass

    world.wait_heard(*names)


@pytest.mark.parametrize("world", ["embedded"], indirect=True)
def test_events_of_commands_committed_while_the_broker_was_away_arrive(world: World) -> None:
    name = unique("committed")
    world.wait_published()

    with world.killed_at("customers", "relay_before_publish"):
        entered = world.begin(ENTER_CUSTOMER, EnterCustomer(name=name), timeout=5)
        eventually(lambda: world.customers(name))
        with world.broker_away():
            entered.exception()

    world.wait_heard(name)
    world.wait_published()


@pytest.mark.parametrize("point", ["relay_before_publish", "relay_after_confirm"])
def test_an_event_whose_sender_is_killed_between_commit_and_stamp_has_its_effect_once(world: World, point: str) -> None:
    name = unique("sent")

    with world.killed_at("customers", point):
        entered = world.begin(ENTER_CUSTOMER, EnterCustomer(name=name))
    entered.result()

    world.wait_heard(name)
    world.wait_published()
    assert world.customers(name) == 1


@pytest.mark.parametrize(
    ("world", "point"),
    [("rabbitmq", "inbox_before_commit"), ("rabbitmq", "inbox_after_commit"), ("embedded", "inbox_after_commit")],
    indirect=["world"],
)
def test_an_event_whose_consumer_is_killed_has_its_effect_once(world: World, point: str) -> None:
    name, after = unique("heard"), unique("heard")

    with world.killed_at("rules", point):
        world.enter(name)
    world.enter(after)
    world.wait_heard(name, after)
    eventually(lambda: world.depth("events-rules") == 0)

    assert world.effects(name) == 1


def test_an_event_without_a_queue_is_kept_counted_and_can_be_asked_for(world: World) -> None:
    words, sender = unique("into the void"), world.process("rules")
    before = world.metric("qudao_events_unroutable_total", sender)

    world.call(SAY, Say(words=words))
    world.wait_published("rules")

    assert world.metric("qudao_events_unroutable_total", sender) == before + 1
    passport = world.signer("activities").own()
    kept = world.call(events_after("rules"), EventsAfter(position=0), passport=passport).events
    assert words in [envelope.data["words"] for envelope in kept]


def test_the_same_event_published_again_and_again_is_handled_once(world: World) -> None:
    name = unique("again")
    world.enter(name)
    world.wait_heard(name)
    [envelope] = [e for e in all_events(world) if e.data.get("name") == name]

    for _ in range(20):
        world.publish_raw("customers.events", envelope.name, envelope.model_dump_json(), content_type="application/json")
    eventually(lambda: world.depth("events-rules") == 0)
    last = unique("last")
    world.enter(last)
    world.wait_heard(last)

    assert world.effects(name) == 1
    assert world.runs(name) == 1


def all_events(world: World) -> list[Envelope]:
    passport, position, found = world.signer("rules").own(), 0, []
    while page := world.call(events_after("customers"), EventsAfter(position=position), passport=passport).events:
        found += page
        position = page[-1].position
    return found


def test_the_inbox_forgets_what_the_cursor_has_passed(world: World) -> None:
    """What came before it is refused by the cursor alone."""
    name = unique("swept")
    world.enter(name)
    world.wait_heard(name)
    [envelope] = [e for e in all_events(world) if e.data.get("name") == name]

    with world.down("rules"):
        pass
    passed = "SELECT count(*) FROM event_cursor WHERE source = 'customers' AND position >= %s"
    eventually(lambda: world.value("rules", passed, envelope.position))
    world.publish_raw("customers.events", envelope.name, envelope.model_dump_json(), content_type="application/json")
    last = unique("last")
    world.enter(last)
    world.wait_heard(last)
    eventually(lambda: world.depth("events-rules") == 0)

    assert world.value("rules", "SELECT count(*) FROM inbox WHERE event_id = %s", envelope.id) == 0
    assert world.runs(name) == 1
