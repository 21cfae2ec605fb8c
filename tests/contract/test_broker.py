"""What we rely on in a broker. Every sentence holds for the embedded one as for RabbitMQ."""

import asyncio
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aio_pika
import amqp
import pytest
from amqp import exceptions as refused
from pamqp import commands
from pamqp.heartbeat import Heartbeat

from tests.brokers import Broker
from tests.contract.conftest import Client, RawPeer, eventually

Connect = Callable[..., Client]
DeclareExchange = Callable[[str], str]


# Routing.


def test_a_topic_binding_matches_words_and_rests(client: Client, exchange: DeclareExchange) -> None:
    topic, queue = exchange("topic"), client.queue()
    for pattern in ("a.*", "#.z"):
        client.channel.queue_bind(queue, topic, pattern)

    for key in ("a.b", "a.b.c", "z", "x.y.z", "a.z", "b", ""):
        client.publish(key, key, topic)

    assert client.bodies(queue) == ["a.b", "z", "x.y.z", "a.z"]


def test_a_direct_binding_matches_the_key_alone(client: Client, exchange: DeclareExchange) -> None:
    direct, queue = exchange("direct"), client.queue()
    client.channel.queue_bind(queue, direct, "a")

    for key in ("a", "a.b", "b", ""):
        client.publish(key, key, direct)

    assert client.bodies(queue) == ["a"]


def test_a_fanout_reaches_every_bound_queue(client: Client, exchange: DeclareExchange) -> None:
    fanout, queues = exchange("fanout"), [client.queue() for _ in range(3)]
    for queue in queues:
        client.channel.queue_bind(queue, fanout)

    client.publish("news", "", fanout)

    assert [client.bodies(queue) for queue in queues] == [["news"], ["news"], ["news"]]


def test_a_headers_binding_matches_one_of_its_headers(client: Client, exchange: DeclareExchange) -> None:
    headers, queue = exchange("headers"), client.queue()
    client.channel.queue_bind(queue, headers, "", arguments={"x-match": "any", "city": "上海", "number": 1})

    client.publish("right", "", headers, application_headers={"city": "上海"})
    client.publish("wrong", "", headers, application_headers={"city": "北京"})

    message = client.get(queue)
    assert (message.body, message.headers) == ("right", {"city": "上海"})
    assert client.get(queue) is None


def test_an_unbound_queue_gets_nothing_more(client: Client, exchange: DeclareExchange) -> None:
    topic, queue = exchange("topic"), client.queue()
    client.channel.queue_bind(queue, topic, "a.#")
    client.publish("before", "a.b", topic)

    client.channel.queue_unbind(queue, topic, "a.#")
    client.publish("after", "a.b", topic)

    assert client.bodies(queue) == ["before"]


def test_a_mandatory_message_for_nobody_comes_back(client: Client) -> None:
    returned: list[tuple[Any, ...]] = []
    confirmed: list[int] = []
    client.channel.events["basic_return"].add(lambda error, *rest: returned.append((error.reply_code, *rest[:2])))
    client.channel.events["basic_ack"].add(lambda tag, multiple: confirmed.append(tag))
    client.channel.confirm_select()

    client.channel.basic_publish(amqp.Message("lost"), "", "nobody", mandatory=True)
    client.wait_until(lambda: confirmed)

    assert returned == [(312, "", "nobody")]


# Delivering and acknowledging.


def test_a_requeued_message_is_marked_as_redelivered_and_keeps_its_place(client: Client) -> None:
    queue = client.queue()
    for body in ("first", "second"):
        client.publish(body, queue)
    message = client.get(queue)

    client.channel.basic_reject(message.delivery_tag, requeue=True)
    again = client.get(queue)

    assert (message.body, message.delivery_info["redelivered"]) == ("first", False)
    assert (again.body, again.delivery_info["redelivered"]) == ("first", True)


def test_what_a_lost_client_had_not_acknowledged_goes_to_the_next(client: Client, connect: Connect) -> None:
    other = connect()
    queue = f"orphans-{uuid.uuid4()}"
    client.channel.queue_declare(queue, auto_delete=False)
    for number in range(3):
        client.publish(str(number), queue)
    for _ in range(3):
        other.get(queue)

    other.connection.collect()

    eventually(lambda: client.depth(queue) == 3)
    message = client.get(queue)
    assert (message.body, message.delivery_info["redelivered"]) == ("0", True)
    client.channel.queue_delete(queue)


def test_a_consumer_has_no_more_than_its_prefetch(client: Client) -> None:
    queue, consumer = client.queue(), client.connection.channel()
    seen: list[Any] = []
    consumer.basic_qos(0, 2, False)
    consumer.basic_consume(queue, callback=seen.append)
    for number in range(5):
        client.publish(str(number), queue)

    client.wait_until(lambda: len(seen) == 2)
    eventually(lambda: client.depth(queue) == 3)

    consumer.basic_ack(seen[0].delivery_tag)
    client.wait_until(lambda: len(seen) == 3)
    eventually(lambda: client.depth(queue) == 2)
    assert len(seen) == 3

    consumer.close()
    eventually(lambda: client.depth(queue) == 4)


def test_several_deliveries_are_acknowledged_at_once(client: Client) -> None:
    queue = client.queue()
    for number in range(4):
        client.publish(str(number), queue)
    messages = [client.get(queue) for _ in range(4)]

    client.channel.basic_ack(messages[2].delivery_tag, multiple=True)
    client.channel.basic_recover(requeue=True)

    eventually(lambda: client.depth(queue) == 1)
    assert client.get(queue).body == "3"


def test_two_consumers_take_turns(client: Client) -> None:
    queue = client.queue()
    seen: dict[str, list[str]] = {"one": [], "two": []}
    for name in seen:
        client.channel.basic_consume(queue, no_ack=True, callback=lambda m, name=name: seen[name].append(m.body))

    for number in range(6):
        client.publish(str(number), queue)
    client.wait_until(lambda: sum(map(len, seen.values())) == 6)

    assert {name: len(bodies) for name, bodies in seen.items()} == {"one": 3, "two": 3}


def test_every_publish_is_confirmed(client: Client) -> None:
    queue = client.queue()
    confirmed: list[int] = []

    def remember(tag: int, multiple: bool) -> None:
        confirmed.extend(range(len(confirmed) + 1, tag + 1) if multiple else [tag])

    client.channel.events["basic_ack"].add(remember)
    client.channel.confirm_select()

    for _ in range(10):
        client.publish("x", queue)
    client.wait_until(lambda: len(confirmed) == 10)

    assert sorted(confirmed) == list(range(1, 11))


def test_a_message_of_two_megabytes_arrives_whole(client: Client) -> None:
    queue, text = client.queue(), "上" * 700_000

    client.publish(text, queue, content_type="text/plain", delivery_mode=2, priority=3, correlation_id="c1")

    message = client.get(queue)
    assert message.body == text
    assert message.properties == {
        "content_type": "text/plain",
        "content_encoding": "utf-8",
        "delivery_mode": 2,
        "priority": 3,
        "correlation_id": "c1",
    }


def test_a_consumer_is_told_when_its_queue_is_deleted(client: Client, connect: Connect) -> None:
    queue = f"short-lived-{uuid.uuid4()}"
    client.channel.queue_declare(queue, auto_delete=False)
    cancelled: list[str] = []
    client.channel.basic_consume(queue, "listener", on_cancel=cancelled.append)

    connect().channel.queue_delete(queue)
    client.wait_until(lambda: cancelled)

    assert cancelled == ["listener"]


# Dead letters, times and limits.


@pytest.fixture
def graveyard(client: Client, exchange: DeclareExchange) -> tuple[str, dict[str, str]]:
    """A queue of dead letters and the arguments of a queue that buries there."""
    direct, queue = exchange("direct"), client.queue()
    client.channel.queue_bind(queue, direct, "dead")
    return queue, {"dead_letter_exchange": direct, "dead_letter_routing_key": "dead"}


Graveyard = tuple[str, dict[str, str]]


def test_a_rejected_message_becomes_a_dead_letter(client: Client, graveyard: Graveyard) -> None:
    graves, burying = graveyard
    queue = client.queue(**burying)
    client.publish("bad", queue)

    client.channel.basic_reject(client.get(queue).delivery_tag, requeue=False)

    dead = client.get_soon(graves)
    death = dead.headers["x-death"][0]
    assert (dead.body, dead.delivery_info["routing_key"]) == ("bad", "dead")
    assert (death["queue"], death["reason"], death["count"]) == (queue, "rejected", 1)
    assert (death["exchange"], death["routing-keys"]) == ("", [queue])
    assert (dead.headers["x-first-death-queue"], dead.headers["x-first-death-reason"]) == (queue, "rejected")


def test_deaths_are_counted(client: Client, exchange: DeclareExchange) -> None:
    direct = exchange("direct")
    queue = client.queue(dead_letter_exchange=direct)
    client.channel.queue_bind(queue, direct, queue)
    client.publish("again", queue)

    for _ in range(2):
        client.channel.basic_reject(eventually(lambda: client.get(queue)).delivery_tag, requeue=False)

    assert eventually(lambda: client.get(queue)).headers["x-death"][0]["count"] == 2


def test_a_message_that_waited_too_long_becomes_a_dead_letter(client: Client, graveyard: Graveyard) -> None:
    graves, burying = graveyard
    queue = client.queue(message_ttl=100, **burying)

    client.publish("late", queue)

    assert client.get(graves) is None
    dead = client.get_soon(graves)
    assert (dead.body, dead.headers["x-death"][0]["reason"]) == ("late", "expired")


def test_a_message_may_bring_its_own_time_and_loses_it_as_a_dead_letter(client: Client, graveyard: Graveyard) -> None:
    graves, burying = graveyard
    queue = client.queue(message_ttl=60_000, **burying)

    client.publish("late", queue, expiration="50")

    dead = client.get_soon(graves)
    assert dead.headers["x-death"][0]["original-expiration"] == "50"
    assert "expiration" not in dead.properties


def test_a_message_expires_at_the_head_of_its_queue_only(client: Client, graveyard: Graveyard) -> None:
    graves, burying = graveyard
    queue = client.queue(**burying)
    client.publish("patient", queue)
    client.publish("hasty", queue, expiration="1")
    client.publish("witness", client.queue(message_ttl=50, **burying))

    assert client.get_soon(graves).body == "witness"
    assert client.depth(queue) == 2

    client.channel.basic_ack(client.get(queue).delivery_tag)
    assert client.get_soon(graves).body == "hasty"


def test_a_message_without_time_to_wait_still_reaches_a_waiting_consumer(client: Client) -> None:
    queue = client.queue(message_ttl=0)
    seen: list[Any] = []
    client.channel.basic_consume(queue, no_ack=True, callback=seen.append)

    client.publish("now", queue)
    client.wait_until(lambda: seen)

    assert seen[0].body == "now"


def test_dead_letters_of_two_queues_do_not_share_their_headers(client: Client, exchange: DeclareExchange) -> None:
    fanout, graves = exchange("fanout"), client.queue()
    queues = [client.queue(dead_letter_exchange="", dead_letter_routing_key=graves) for _ in range(2)]
    for queue in queues:
        client.channel.queue_bind(queue, fanout)
    client.publish("shared", "", fanout, application_headers={"mine": 1})

    for queue in queues:
        client.channel.basic_reject(client.get(queue).delivery_tag, requeue=False)

    deaths = [client.get_soon(graves).headers["x-death"] for _ in queues]
    assert sorted([death["queue"] for death in entries] for entries in deaths) == sorted([name] for name in queues)


def test_a_full_queue_drops_its_oldest(client: Client, graveyard: Graveyard) -> None:
    graves, burying = graveyard
    queue = client.queue(max_length=2, **burying)

    for body in ("old", "newer", "newest"):
        client.publish(body, queue)

    dead = client.get_soon(graves)
    assert (dead.body, dead.headers["x-death"][0]["reason"]) == ("old", "maxlen")
    assert client.bodies(queue) == ["newer", "newest"]


def test_a_full_queue_that_refuses_says_so_to_the_publisher(client: Client) -> None:
    queue = client.queue(max_length=2, overflow="reject-publish")
    answers: list[str] = []
    client.channel.events["basic_ack"].add(lambda tag, multiple: answers.append("accepted"))
    client.channel.events["basic_nack"].add(lambda tag, multiple: answers.append("refused"))
    client.channel.confirm_select()

    for number in range(3):
        client.publish(str(number), queue)
        client.wait_until(lambda number=number: len(answers) > number)

    assert answers == ["accepted", "accepted", "refused"]
    assert client.bodies(queue) == ["0", "1"]


def test_a_quorum_queue_gives_up_after_its_delivery_limit(client: Client, graveyard: Graveyard) -> None:
    graves, burying = graveyard
    queue = client.queue(f"quorum-{uuid.uuid4()}", quorum=True, delivery_limit=2, **burying)
    client.publish("poison", queue)

    counts = []
    for _ in range(3):
        message = eventually(lambda: client.get(queue))
        counts.append((message.headers or {}).get("x-delivery-count", 0))
        client.channel.basic_reject(message.delivery_tag, requeue=True)

    dead = client.get_soon(graves)
    assert counts == [0, 1, 2]
    assert (dead.body, dead.headers["x-death"][0]["reason"]) == ("poison", "delivery_limit")
    client.channel.queue_delete(queue)


def test_an_unused_queue_goes_after_its_time(client: Client) -> None:
    queue = f"unused-{uuid.uuid4()}"
    client.channel.queue_declare(queue, auto_delete=False, arguments={"x-expires": 500})
    assert client.is_routable(queue)

    eventually(lambda: not client.is_routable(queue))


def test_a_queue_that_deletes_itself_goes_with_its_last_consumer(client: Client, connect: Connect) -> None:
    queue = f"passing-{uuid.uuid4()}"
    client.channel.queue_declare(queue, auto_delete=True)
    client.channel.basic_consume(queue, "only")
    assert exists(connect, queue)

    client.channel.basic_cancel("only")

    eventually(lambda: not exists(connect, queue))


def test_an_exclusive_queue_goes_with_its_connection(client: Client, connect: Connect) -> None:
    other = connect()
    queue = other.queue()

    other.close()

    eventually(lambda: not exists(connect, queue))


def exists(connect: Connect, queue: str) -> bool:
    asking = connect()
    try:
        asking.channel.queue_declare(queue, passive=True)
    except refused.NotFound:
        return False
    finally:
        asking.close()
    return True


# Refusals.


def test_a_queue_of_another_connection_is_locked(client: Client, connect: Connect) -> None:
    queue = client.queue()

    with pytest.raises(refused.ResourceLocked) as error:
        connect().channel.queue_declare(queue, passive=True)

    assert error.value.code == 405


def test_a_missing_queue_is_not_found(client: Client) -> None:
    with pytest.raises(refused.NotFound) as error:
        client.channel.queue_declare(f"missing-{uuid.uuid4()}", passive=True)

    assert error.value.code == 404
    assert client.connection.channel().queue_declare("", exclusive=True).message_count == 0


def test_a_queue_cannot_be_declared_again_as_another(client: Client) -> None:
    queue = f"durable-{uuid.uuid4()}"
    client.channel.queue_declare(queue, durable=True, auto_delete=False)

    with pytest.raises(refused.PreconditionFailed) as error:
        client.channel.queue_declare(queue, durable=False, auto_delete=False)

    assert error.value.code == 406
    client.connection.channel().queue_delete(queue)


def test_a_queue_cannot_be_declared_again_with_other_limits(client: Client) -> None:
    queue = client.queue(f"short-{uuid.uuid4()}", max_length=1)

    with pytest.raises(refused.PreconditionFailed):
        client.channel.queue_declare(queue, exclusive=True, auto_delete=False, arguments={"x-max-length": 2})


def test_a_queue_with_an_impossible_limit_is_refused(client: Client) -> None:
    with pytest.raises(refused.PreconditionFailed):
        client.queue(message_ttl=-1)


def test_an_exchange_cannot_be_declared_again_as_another(client: Client, exchange: DeclareExchange) -> None:
    topic = exchange("topic")

    with pytest.raises(refused.PreconditionFailed) as error:
        client.channel.exchange_declare(topic, "fanout", auto_delete=False)

    assert error.value.code == 406


def test_publishing_to_a_missing_exchange_closes_the_channel(client: Client) -> None:
    client.publish("lost", "key", f"missing-{uuid.uuid4()}")

    with pytest.raises(refused.NotFound) as error:
        client.channel.basic_qos(0, 1, False)

    assert error.value.code == 404


def test_purging_and_deleting_say_how_many_messages_went(client: Client) -> None:
    queue = client.queue()
    for _ in range(3):
        client.publish("x", queue)
    eventually(lambda: client.depth(queue) == 3)

    assert client.channel.queue_purge(queue) == 3
    client.publish("x", queue)
    eventually(lambda: client.depth(queue) == 1)
    assert client.channel.queue_delete(queue) == 1


def test_an_unknown_delivery_cannot_be_acknowledged(client: Client) -> None:
    client.channel.basic_ack(7)

    with pytest.raises(refused.PreconditionFailed) as error:
        client.channel.basic_qos(0, 1, False)

    assert error.value.code == 406


def test_an_exclusive_consumer_shares_with_nobody(client: Client) -> None:
    queue = client.queue()
    client.channel.basic_consume(queue, exclusive=True)

    with pytest.raises(refused.AccessRefused) as error:
        client.connection.channel().basic_consume(queue)

    assert error.value.code == 403


def test_a_reserved_name_is_refused(client: Client) -> None:
    with pytest.raises(refused.AccessRefused):
        client.channel.queue_declare("amq.mine")


def test_an_unknown_kind_of_exchange_closes_the_connection(client: Client) -> None:
    with pytest.raises(refused.InvalidCommand) as error:
        client.channel.exchange_declare("odd", "surprise")

    assert error.value.code == 503


def test_a_tag_names_one_consumer_only(client: Client) -> None:
    queue = client.queue()
    client.channel.basic_consume(queue, "same")

    with pytest.raises(refused.NotAllowed) as error:
        client.channel.send_method((60, 20), "BssbbbbF", (0, queue, "same", False, False, False, False, {}), wait=(60, 21))

    assert error.value.code == 530


@pytest.mark.parametrize("method", ["PLAIN", "AMQPLAIN"])
def test_a_wrong_password_is_refused(connect: Connect, method: str) -> None:
    with pytest.raises(refused.AccessRefused) as error:
        connect(password="guessed", login_method=method)

    assert error.value.code == 403


@pytest.mark.parametrize("method", ["PLAIN", "AMQPLAIN"])
def test_the_right_password_opens(connect: Connect, method: str) -> None:
    assert connect(login_method=method).queue()


def test_an_unknown_user_is_refused(connect: Connect) -> None:
    with pytest.raises(refused.AccessRefused):
        connect(userid="guest", password="guest")


def test_an_unknown_virtual_host_is_refused(connect: Connect) -> None:
    with pytest.raises(refused.NotAllowed) as error:
        connect(virtual_host="elsewhere")

    assert error.value.code == 530


# Connections.


def test_a_malformed_frame_closes_its_own_connection_only(client: Client, raw_peer: Callable[[int], RawPeer]) -> None:
    peer, queue = raw_peer(0), client.queue()

    peer.send(b"\x01\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x0a\x00")  # ends with 0, not 0xCE

    closed = peer.read()
    assert isinstance(closed, commands.Connection.Close)
    assert closed.reply_code == 501
    client.publish("still here", queue)
    assert client.get(queue).body == "still here"


def test_a_client_of_another_protocol_is_told_ours(broker: Broker, client: Client) -> None:
    with socket.create_connection((broker.host, broker.port), timeout=10) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert stranger.recv(8) == b"AMQP\x00\x00\x09\x01"


def test_the_broker_sends_heartbeats_and_leaves_a_silent_peer(raw_peer: Callable[[int], RawPeer]) -> None:
    peer = raw_peer(1)

    beats = list(iter(peer.read, None))

    assert beats
    assert all(isinstance(beat, Heartbeat) for beat in beats)


# The libraries that we use.


def test_aio_pika_publishes_with_confirms_and_consumes(broker: Broker) -> None:
    async def exchange_one_message() -> bytes:
        connection = await aio_pika.connect(broker.uri)
        async with connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(exclusive=True)
            await channel.default_exchange.publish(aio_pika.Message(b"hello"), queue.name)
            async with queue.iterator(timeout=10) as messages:
                async for message in messages:
                    async with message.process():
                        return message.body
            with pytest.raises(aio_pika.exceptions.DeliveryError):
                await channel.default_exchange.publish(aio_pika.Message(b"lost"), "nobody")
        raise AssertionError("no message came")

    assert asyncio.run(exchange_one_message()) == b"hello"


def test_nameko_calls_and_events_work_as_they_come(broker: Broker) -> None:
    """In a process of its own: nameko changes the standard library for the whole process."""
    program = Path(__file__).with_name("nameko_echo.py")

    done = subprocess.run([sys.executable, program, broker.uri], capture_output=True, text=True, timeout=60, check=False)

    assert done.stdout.splitlines() == ["reply: hello 上海", "event: entered", "unknown service: UnknownService"], done.stderr
