"""SIGTERM under load: of one process, and of all replicas one by one as in an upgrade. Clients send again once, no more."""

import signal
import time

from embedded.wiring import GATEWAY
from faults.ledger import LONGEST_PAUSE
from faults.trial import Trial


def terminate(trial: Trial) -> None:
    """Each process once; it is started again by its supervisor."""
    processes = trial.system.processes()
    trial.random.shuffle(processes)
    for process in processes[: len(trial.times(len(processes), 2))]:
        with trial.outage(f"SIGTERM to {process.spec.name}"):
            process.signal(signal.SIGTERM)
            trial.pause(1, 2)
    trial.system.wait_ready()
    expect_no_failure(trial)


def roll(trial: Trial) -> None:
    """Every replica of everything; in a brief run those of customers and the gateway. The next one when all are ready again and
    those whom the last one sent away have come to another door: no door may be shut to them twice."""
    for round_ in trial.times(2):
        for process in trial.system.processes(*(("customers", GATEWAY) if trial.is_brief else ())):
            trial.say(f"round {round_ + 1}: {process.spec.name}")
            trial.result.times += 1
            trial.system.stack.supervisor.end([process], 15.0)
            trial.system.stack.supervisor.resume(process)
            trial.system.wait_ready()
            time.sleep(LONGEST_PAUSE + 0.5)
    expect_no_failure(trial)


def expect_no_failure(trial: Trial) -> None:
    failed = [entry for entry in trial.ledger.entries if entry.outcome == "unknown" and len(entry.answers) > 1]
    if failed:
        told = ", ".join(f"{entry.kind} {entry.answers}" for entry in failed[:5])
        trial.complain(f"{len(failed)} requests had no outcome after one retry with the same key: {told}")
