"""kill -9: at every marked point of every process, and at random moments."""

import time

from embedded.supervise import Process
from embedded.wiring import GATEWAY
from faults.trial import Trial, shortened

OF_A_COMMAND = ("before_transaction", "in_transaction", "after_commit", "before_reply")
OF_THE_RELAY = ("relay_before_publish", "relay_after_confirm", "relay_after_stamp")
OF_A_HANDLER = ("inbox_before_commit", "inbox_after_commit")
OF_THE_LEADER = ("leader_elected", "sweep_before_noting", "sweep_before_cursor", "chain_before_commit")
OF_THE_GATEWAY = ("gateway_before_call", "gateway_after_answer")

POINTS: dict[str, tuple[str, ...]] = {
    "identity": (*OF_A_COMMAND, *OF_THE_RELAY, "leader_elected", "chain_before_commit"),
    "customers": (*OF_A_COMMAND, *OF_THE_RELAY, *OF_A_HANDLER, *OF_THE_LEADER),
    "activities": (*OF_A_COMMAND, *OF_THE_RELAY, *OF_A_HANDLER, *OF_THE_LEADER),
    "rules": (*OF_A_COMMAND, *OF_THE_RELAY, *OF_A_HANDLER, *OF_THE_LEADER),
    GATEWAY: OF_THE_GATEWAY,
}
"""Where each kind of process may be killed: around its transaction, its events on both sides, its answer, its leadership."""

BY_CHANGE_OF_LEADER = {"leader_elected", "sweep_before_noting", "sweep_before_cursor"}
"""Reached soon only if a leader begins: the present one is killed for it, and its successor at the point."""

REACHED_WITHIN = 20.0


def at_marked_points(trial: Trial) -> None:
    """Each point of each kind of process in random order; in a short run its share of them, of many points one each."""
    points = [(kind, point) for kind in POINTS for point in POINTS[kind]]
    trial.random.shuffle(points)
    for kind, point in shortened(points, len(trial.times(len(points), 4))):
        kill_at(trial, kind, point)


def kill_at(trial: Trial, kind: str, point: str) -> None:
    mark = trial.system.failpoints / kind
    with trial.outage(f"{kind} at {point}"):
        mark.write_text(point)
        if point in BY_CHANGE_OF_LEADER:
            lose_leader(trial, kind)
        ends = time.monotonic() + REACHED_WITHIN
        while mark.exists() and time.monotonic() < ends:
            time.sleep(0.02)
        if mark.exists():
            mark.unlink(missing_ok=True)
            trial.complain(f"{kind} did not reach {point} within {REACHED_WITHIN:g} s")


def lose_leader(trial: Trial, kind: str) -> None:
    """Ends the leader's connection, with which it loses its lock: it stands for election again, as does the other replica."""
    trial.system.rows(
        kind,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'leader'"
        " AND datname = current_database()",
    )


def at_random(trial: Trial) -> None:
    """200 kills in ten minutes, of any replica of anything but the servers."""
    ends = time.monotonic() + trial.seconds(600, 5)
    while time.monotonic() < ends:
        victim = trial.random.choice(trial.system.processes())
        trial.result.times += kill(trial, victim)
        trial.pause(1.0, 5.0)
    trial.await_recovery(time.monotonic())
    silence = trial.ledger.longest_silence()
    trial.result.figures["longest silence"] = silence
    trial.result.recovered = max(trial.result.recovered, silence)


def kill(trial: Trial, victim: Process) -> bool:
    """Whether it was there to be killed: one that has just been is being started again."""
    if not victim.is_running:
        return False
    trial.say(f"{victim.spec.name}")
    victim.signal(9)
    return True
