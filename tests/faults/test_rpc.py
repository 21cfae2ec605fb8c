"""Requests that are wrong, late or slow, and answers that cannot be sent."""

import json
import time
import uuid
from typing import Any

import pytest

from services.contracts.base import Nothing, query
from services.contracts.customers import ENTER_CUSTOMER, EnterCustomer, ShowCustomer
from services.contracts.errors import DeadlinePassed, InternalError, NotFound, QudaoError, ServiceUnavailable
from tests.faults.probe_contract import ASK, COUNT, FAIL, IDLE, SLEEP, Count, Fail, Sleep
from tests.faults.world import World, eventually, on_both_brokers, unique

SLACK = 3.0  # seconds that a busy machine may add to a timeout
JSON = {"content_type": "application/json", "content_encoding": "utf-8"}
ASKED = json.dumps({"args": [{}], "kwargs": {}})
NOWHERE = {"reply_to": str(uuid.UUID(int=0))}


def answers(world: World) -> bool:
    try:
        world.call(IDLE, Nothing())
    except QudaoError:
        return False
    return True


# --- the broker goes away


@on_both_brokers
def test_a_request_that_ends_while_the_broker_is_away_ends_no_process(world: World) -> None:
    label, key, pids = unique("away"), uuid.uuid4().hex, world.pids()
    held = world.begin(COUNT, Count(label=label, seconds=1), key=key)
    eventually(lambda: world.runs(label))

    with world.broker_away():
        with pytest.raises(DeadlinePassed):
            held.result()
        eventually(lambda: world.effects(label))
        began = time.monotonic()
        with pytest.raises(ServiceUnavailable):
            world.call(IDLE, Nothing(), timeout=2)
        assert time.monotonic() - began < 2 + SLACK
    eventually(lambda: answers(world))

    assert world.call(COUNT, Count(label=label, seconds=1), key=key).label == label
    assert world.effects(label) == 1
    assert world.pids() == pids


@pytest.mark.parametrize("world", ["embedded"], indirect=True)
def test_a_service_that_asks_another_while_the_broker_goes_away_is_told_so(world: World) -> None:
    """Its own client, too, neither hangs nor takes its process along."""
    with world.down("customers"):
        pids = {name: pid for name, pid in world.pids().items() if name != "customers"}
        asked = world.begin(ASK, ShowCustomer(customer_id=uuid.uuid4()), timeout=60)
        eventually(lambda: world.depth("rpc-customers"))
        with world.broker_away(), pytest.raises(QudaoError):
            asked.result()

    eventually(lambda: isinstance(error_of(world, uuid.uuid4()), NotFound))
    assert pids.items() <= world.pids().items()


def error_of(world: World, customer_id: uuid.UUID) -> QudaoError | None:
    try:
        world.call(ASK, ShowCustomer(customer_id=customer_id))
    except QudaoError as error:
        return error
    return None


# --- poison

POISON: dict[str, tuple[Any, dict[str, Any]]] = {
    "nobody to answer": (ASKED, JSON),
    "nobody to answer and no content type": (ASKED, {}),
    "no content type": (ASKED, NOWHERE),
    "an answer's address that nobody has": (ASKED, NOWHERE | JSON),
    "an answer's address that is a method": (ASKED, {"reply_to": IDLE.route, **JSON}),
    "no JSON": ("{", NOWHERE | JSON),
    "nothing": ("", NOWHERE | JSON),
    "no UTF-8": (b"\xff\xfe{}", NOWHERE | JSON),
    "an unknown encoding": (
        ASKED.encode(),
        NOWHERE | JSON | {"content_encoding": "klingon"},
    ),
    "an unknown content type": (ASKED, NOWHERE | {"content_type": "application/x-klingon"}),
    "a list": ("[]", NOWHERE | JSON),
    "null": ("null", NOWHERE | JSON),
    "arguments that are no list": ('{"args": 1, "kwargs": {}}', NOWHERE | JSON),
    "names as well": ('{"args": [{}], "kwargs": {"a": 1}}', NOWHERE | JSON),
    "a megabyte of garbage": (b"\x00\x9f" * 500_000, NOWHERE | JSON),
    "a megabyte of brackets": ("[" * 1_000_000, NOWHERE | JSON),
    "a number of many digits": ('{"args": [%s]}' % ("9" * 100_000), NOWHERE | JSON),
    "a type that kombu should make": ('{"args": [{"__type__": "x", "__value__": 1}]}', NOWHERE | JSON),
    "headers of wrong types": (
        ASKED,
        {
            **NOWHERE,
            "application_headers": {"nameko.passport": ["a"], "nameko.deadline": {"b": 1}, "nameko.request_id": 7},
            **JSON,
        },
    ),
}


@on_both_brokers
def test_poisonous_requests_leave_the_service_as_it_is(world: World) -> None:
    pids = world.pids()

    for body, properties in POISON.values():
        world.publish_raw("nameko-rpc", IDLE.route, body, **properties)
        world.publish_raw("nameko-rpc", COUNT.route, body, **properties)
        world.publish_raw("nameko-rpc", "rules.no_such_method", body, **properties)

    assert world.call(IDLE, Nothing()) == Nothing()
    assert world.depth("rpc-rules") == 0
    assert world.pids() == pids


def test_an_answer_is_sent_to_callers_alone(world: World) -> None:
    """A forged address could make it a request to somebody else."""
    with world.channel() as channel:
        queue = channel.queue_declare("", exclusive=True).queue
        channel.queue_bind(queue, "nameko-rpc", "somewhere.else")
        world.publish_raw("nameko-rpc", IDLE.route, ASKED, reply_to="somewhere.else", **JSON)
        world.call(IDLE, Nothing())
        eventually(lambda: world.depth("rpc-rules") == 0)

        assert channel.basic_get(queue) is None


@pytest.mark.parametrize(
    "body",
    ["[]", "null", "7", '{"args": 1}', '{"args": [{}, {}]}', '{"args": [{}], "kwargs": {"a": 1}}', "{}"],
)
def test_a_request_of_the_wrong_shape_is_answered_with_a_declared_error(world: World, body: str) -> None:
    answer = world.ask_raw(IDLE.route, body, **JSON)

    assert answer["error"]["exc_type"] == "InvalidRequest"


@pytest.mark.parametrize(
    ("route", "message", "headers", "expected"),
    [
        ("rules.no_such_method", {}, {}, "NotFound"),
        ("rules.__init__", {}, {}, "NotFound"),
        ("rules.receive_event", {}, {}, "NotFound"),
        (COUNT.route, {"label": "x"}, {"nameko.deadline": "soon"}, "InvalidRequest"),
        (COUNT.route, {"label": "x"}, {"nameko.command_id": None}, "InvalidRequest"),
        (COUNT.route, {"label": 7}, {}, "InvalidRequest"),
        (COUNT.route, {"label": "x", "wish": 1}, {}, "InvalidRequest"),
        (COUNT.route, "text", {}, "InvalidRequest"),
        (SLEEP.route, {"seconds": "NaN"}, {}, "InvalidRequest"),
    ],
)
def test_what_is_not_in_the_contract_is_refused(
    world: World, route: str, message: Any, headers: dict[str, Any], expected: str
) -> None:
    answer = ask(world, route, message, headers)

    assert answer["error"]["exc_type"] == expected


def ask(world: World, route: str, message: Any, headers: dict[str, Any]) -> dict[str, Any]:
    """A request with good headers, but for those given; None leaves one away."""
    good = {"nameko.passport": world.passport(), "nameko.command_id": uuid.uuid4().hex, "nameko.deadline": str(time.time() + 30)}
    sent = {name: value for name, value in {**good, **headers}.items() if value is not None}
    return world.ask_raw(route, json.dumps({"args": [message], "kwargs": {}}), application_headers=sent, **JSON)


# --- time


def test_a_caller_waits_no_longer_than_it_said_and_its_command_does_not_run_later(world: World) -> None:
    late, later = unique("late"), unique("later")

    with world.down("customers"):
        began = time.monotonic()
        with pytest.raises(DeadlinePassed):
            world.enter(late, timeout=1)
        assert 1 <= time.monotonic() - began < 1 + SLACK
        pending = world.begin(ENTER_CUSTOMER, EnterCustomer(name=later))

    assert pending.result().outcome == "created"
    assert world.customers(late) == 0


def test_a_command_that_arrives_after_its_deadline_is_not_run(world: World) -> None:
    """Also where no broker has dropped it, as this one has no time to live."""
    label = unique("expired")

    answer = ask(world, COUNT.route, {"label": label}, {"nameko.deadline": str(time.time() - 1)})

    assert answer["error"]["exc_type"] == "CommandExpired"
    assert world.runs(label) == 0


def test_twenty_slow_queries_run_at_once_and_hold_up_nobody(world: World) -> None:
    slow = [world.begin(SLEEP, Sleep(seconds=0.5)) for _ in range(20)]
    began = time.monotonic()

    world.call(IDLE, Nothing())
    unfinished = sum(not query.done() for query in slow)
    for one in slow:
        one.result()

    assert unfinished >= 15, "the short call had to wait for the slow ones"
    assert time.monotonic() - began < 20 * 0.5 / 3, "one after the other they take 10 s"


# --- what may be told


@pytest.mark.parametrize("kind", ["RuntimeError", "ValueError", "KeyError", "RecursionError", "TimeoutError", "SystemExit"])
def test_the_text_of_an_undeclared_exception_never_crosses(world: World, kind: str) -> None:
    canary, pids = unique("canary"), world.pids()

    answer = ask(world, FAIL.route, {"kind": kind, "text": canary}, {})

    assert canary not in json.dumps(answer)
    assert answer["error"]["exc_type"] == "InternalError"
    [details] = answer["error"]["exc_args"]
    assert list(details) == ["incident"]
    eventually(lambda: canary in incident_in(world.stack.log_of("rules"), details["incident"]))
    assert world.pids() == pids


def incident_in(log: str, incident: str) -> str:
    return next((line for line in log.splitlines() if incident in line), "")


def test_the_caller_of_a_failing_method_gets_an_incident_and_nothing_else(world: World) -> None:
    with pytest.raises(InternalError) as caught:
        world.call(FAIL, Fail(kind="RuntimeError", text="secret"))

    assert "secret" not in repr(caught.value.details)


def test_a_method_that_does_not_exist_is_told_as_such(world: World) -> None:
    with pytest.raises(NotFound):
        world.call(query("rules.no_such_method", Nothing, Nothing, "day:read"), Nothing())
