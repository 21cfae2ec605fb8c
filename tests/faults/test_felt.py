"""A change of rights is felt within a second in open sessions: at each gateway, by each replica, with the broker and without."""

from collections.abc import Iterator

import pytest

from bench.felt import LIMIT, PATIENCE, PATIENT, REPLICAS, Change, change_all, change_all_and_kill, seen_of, watching
from embedded.stack import Stack
from tests.api import Headquarters, eventually
from tests.brokers import Broker, make_broker
from tests.homes import made_home


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    made = make_broker("rabbitmq", tmp_path_factory.mktemp("felt-broker"))
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def stack(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    home = made_home(tmp_path_factory, "felt")
    with Stack(home, fast=True, amqp_uri=broker.uri, replicas=REPLICAS, env=PATIENT) as running:
        yield running


@pytest.fixture(scope="module")
def headquarters(stack: Stack) -> Headquarters:
    return Headquarters.set_up(stack.url, stack.setup_secret)


def test_a_second_after_a_change_nobody_has_any_more_what_it_took(stack: Stack, headquarters: Headquarters) -> None:
    watches = change_all(headquarters, stack.gateway_urls)

    assert [late for watch in watches for late in watch.too_late()] == []


def test_while_the_broker_is_away_nobody_is_let_in_and_afterwards_the_change_counts(
    stack: Stack, headquarters: Headquarters, broker: Broker
) -> None:
    rep = headquarters.team().rep
    untouched = Change("nothing", rep, seen_of(rep), lambda: None)
    with watching([untouched], stack.gateway_urls) as [control]:
        watches, outage = change_all_and_kill(headquarters, stack.gateway_urls, broker)
        is_let_again = lambda: {each.door for each in control.since(outage.back_at) if each.is_let} == control.doors  # noqa: E731
        eventually(is_let_again, seconds=PATIENCE)

    assert [late for watch in watches for late in watch.too_late(outage)] == []
    meanwhile = {each.status for each in control.asked if outage.killed_at + LIMIT <= each.at < outage.back_at}
    assert meanwhile == {503}
