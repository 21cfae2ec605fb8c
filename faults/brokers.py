"""What can happen to the broker. No process of ours may end by it, and what waits is sent by itself when it is back."""

import time

from faults.trial import Trial
from tests.rabbitmq import RabbitNode

LONGER_THAN_TIMERS = 90.0
"""Seconds: the longest timer that hangs on the broker is that of reply queues, 60 s."""


def killed(trial: Trial) -> None:
    """As by a power cut, and started again."""
    for _ in trial.times(5):
        with trial.outage(f"{trial.system.broker.kind} killed"):
            trial.system.broker.kill()
            trial.pause(0.5, 4)
            trial.system.broker.start()


def stopped(trial: Trial) -> None:
    """Away for longer than anything that waits for it waits."""
    with trial.outage(f"{trial.system.broker.kind} stopped"):
        trial.system.broker.stop()
        time.sleep(trial.seconds(LONGER_THAN_TIMERS, 5))
        trial.system.broker.start()


def alarmed(trial: Trial) -> None:
    """Its disk is said to be full: it takes nothing from publishers, and goes on delivering."""
    node = trial.system.broker
    assert isinstance(node, RabbitNode)
    for _ in trial.times(2):
        with trial.outage("RabbitMQ blocks publishers"):
            node.ctl("set_disk_free_limit", "1000000GB")
            time.sleep(trial.seconds(20, 4))
            node.ctl("set_disk_free_limit", "10MB")
