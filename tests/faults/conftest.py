"""One world on RabbitMQ and one on the embedded broker, shared by all tests that do not say otherwise.

They end with the last test of this package, which is why it is one.
"""

from collections.abc import Iterator

import pytest

from tests.brokers import make_broker
from tests.faults.world import World
from tests.homes import made_home


def run_world(kind: str, factory: pytest.TempPathFactory) -> Iterator[World]:
    broker = make_broker(kind, factory.mktemp(f"{kind}-broker"))
    broker.start()
    try:
        with World(made_home(factory, f"{kind}-world"), broker) as world:
            yield world
    finally:
        broker.stop()


@pytest.fixture(scope="package")
def rabbitmq_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from run_world("rabbitmq", tmp_path_factory)


@pytest.fixture(scope="package")
def embedded_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from run_world("embedded", tmp_path_factory)


@pytest.fixture(params=["rabbitmq"])
def world(request: pytest.FixtureRequest) -> World:
    """RabbitMQ's; `on_both_brokers` runs a test on the embedded one, too."""
    found: World = request.getfixturevalue(f"{request.param}_world")
    return found
