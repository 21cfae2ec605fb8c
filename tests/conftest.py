"""Stacks for tests: everything is started on free ports, in throw-away directories, and ended."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from embedded.stack import Stack
from tests.api import Headquarters
from tests.brokers import TESTED
from tests.homes import made_home
from tests.lots import lot_of, turn_of
from tests.nursery.spawning import spawn

Stack.spawn = staticmethod(spawn)

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
"""How long an example takes says more of the machine than of what is tried."""


class Lots(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return lot_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Lots | None:
    """Where files are shared out, lots are."""
    return Lots(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: turn_of(item.nodeid))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says against which brokers the run was, as one of them may be missing on this machine."""
    if TESTED:
        terminalreporter.write_line(f"brokers tested: {' and '.join(sorted(TESTED))}")


CHEAP_HASHES = {"QUDAO_HASHES_OF_TESTS": "cheap"}
"""See tests/nursery. How passwords are hashed in earnest is tested where people log in."""

OFTEN = {"QUDAO_CHORES_EVERY": "0.5"} | CHEAP_HASHES
"""What comes by itself every few seconds shall not keep a test waiting."""

UNSHED = {"QUDAO_ANSWER_TARGET": "30"} | CHEAP_HASHES
"""Nobody is sent away because the machine is busy with other tests; overload has tests of its own."""


REPLICAS = {"customers": 2, "gateway": 2}


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole system on its embedded servers, two replicas of customers and of the gateway."""
    with Stack(made_home(tmp_path_factory, "stack"), fast=True, replicas=REPLICAS, env=OFTEN | UNSHED) as running:
        yield running


@pytest.fixture(scope="session")
def headquarters(stack: Stack) -> Headquarters:
    return Headquarters.set_up(stack.url, stack.setup_secret)
