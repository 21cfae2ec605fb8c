"""Stacks for tests: everything is started on free ports, in throw-away directories, and ended."""

from collections.abc import Iterator

import pytest

from embedded.stack import Stack
from tests.api import Headquarters
from tests.brokers import TESTED
from tests.homes import made_home


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says against which brokers the run was, as one of them may be missing on this machine."""
    if TESTED:
        terminalreporter.write_line(f"brokers tested: {' and '.join(sorted(TESTED))}")


OFTEN = {"QUDAO_CHORES_EVERY": "0.5"}
"""What comes by itself every few seconds shall not keep a test waiting."""

UNSHED = {"QUDAO_ANSWER_TARGET": "30"}
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
