"""Starts processes, starts them again when they end, and ends them all.

Every process has a group of its own, so that Ctrl-C reaches the launcher alone, and dies with the launcher (see child.py).
The kernel takes the *thread* that forked for the parent, so all are forked by one thread that lives as long as we do.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from embedded.output import Output

FORKER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="forker")
CHILD = Path(__file__).with_name("child.py")
FIRST_DELAY, LONGEST_DELAY, SETTLED_AFTER = 0.5, 15.0, 10.0
HOPELESS_EXITS = 5
LOOK_EVERY = 0.05


class CannotStart(Exception):
    """The stack cannot run: why, in one sentence, and the last lines of the process that is to blame."""

    def __init__(self, sentence: str, lines: Sequence[str] = ()) -> None:
        super().__init__("\n".join((sentence, *lines)))
        self.sentence, self.lines = sentence, lines


@dataclass(frozen=True)
class Spec:
    """How to run one process."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    stop_signals: tuple[int, ...] = (signal.SIGTERM,)
    death_signal: int = signal.SIGKILL
    identity: str = "same"
    folder: Path | None = None

    @property
    def kind(self) -> str:
        """`customers` for `customers.2`."""
        return self.name.partition(".")[0]


class Running(Protocol):
    """What was started and is not reaped: its number is nobody else's."""

    @property
    def pid(self) -> int: ...

    def has_ended(self) -> bool:
        """Looks without reaping."""

    def wait(self) -> int:
        """Its exit code, once it has ended; reaps it."""


class Child(subprocess.Popen[bytes]):
    """A process of ours."""

    def has_ended(self) -> bool:
        if self.returncode is not None:
            return True
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def spawn(spec: Spec, output: int) -> Child:
    """Starts it with its output going to this descriptor, which is closed here."""
    child = (sys.executable, "-I", "-S", str(CHILD), str(os.getpid()), str(int(spec.death_signal)), spec.identity)

    def fork() -> Child:
        return Child(
            [*child, *spec.command],
            env=spec.env,
            cwd=spec.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    try:
        return FORKER.submit(fork).result()
    finally:
        os.close(output)


class Spawn(Protocol):
    """A way to start processes: `spawn`, or another for tests."""

    def __call__(self, spec: Spec, output: int, /) -> Running: ...


def next_delay(previous: float, lived: float) -> float:
    """Seconds before a process that lived this long is started again: doubling, from the start once it had settled."""
    if lived >= SETTLED_AFTER or not previous:
        return FIRST_DELAY
    return min(previous * 2, LONGEST_DELAY)


@dataclass
class Process:
    """One process over all its lives."""

    spec: Spec
    output: Output
    spawn: Spawn = spawn
    is_wanted: bool = True
    running: Running | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    delay: float = 0.0
    exits: int = 0

    @property
    def pid(self) -> int | None:
        return self.running.pid if self.running else None

    @property
    def is_running(self) -> bool:
        return self.running is not None and not self.has_ended()

    def start(self) -> None:
        self.running = self.spawn(self.spec, self.output.sink(self.spec.name))
        self.started_at = time.monotonic()

    def has_ended(self) -> bool:
        """Looks without reaping: the number of the process, and so of its group, stays taken until `reap`."""
        assert self.running is not None
        return self.running.has_ended()

    def reap(self) -> int:
        """Ends it and what it may have left behind in its group."""
        if self.running is None:
            return 0
        self.signal_group(signal.SIGKILL)
        code = self.running.wait()
        self.running = None
        return code

    def ask_to_stop(self, turn: int) -> None:
        if self.is_running and turn < len(self.spec.stop_signals):
            self.signal(self.spec.stop_signals[turn])

    def signal(self, number: int) -> None:
        if self.running is not None:
            os.kill(self.running.pid, number)

    def signal_group(self, number: int) -> None:
        assert self.running is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):  # the latter where only an ended one is left
            os.killpg(self.running.pid, number)

    def look_after(self, now: float) -> None:
        """Starts it when it should run and does not."""
        if self.running is not None and self.has_ended():
            code = self.reap()
            self.exits += 1
            self.delay = next_delay(self.delay, now - self.started_at)
            self.start_at = now + self.delay
            if self.is_wanted:
                self.output.say(self.spec.name, f"[exited with {code}, starting again in {self.delay:g} s]")
        if self.is_wanted and self.running is None and now >= self.start_at:
            self.start()


class Supervisor:
    """Looks after the processes until it is stopped."""

    def __init__(self, output: Output, spawn: Spawn = spawn) -> None:
        self.output, self.spawn = output, spawn
        self.processes: list[Process] = []
        self.lock = threading.RLock()
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.watch, name="supervisor", daemon=True)

    def add(self, *specs: Spec) -> list[Process]:
        added = [Process(spec, self.output, self.spawn) for spec in specs]
        with self.lock:
            for process in added:
                process.start()
            self.processes.extend(added)
        if not self.thread.is_alive():
            self.thread.start()
        return added

    def watch(self) -> None:
        while not self.stopping.wait(LOOK_EVERY):
            with self.lock:
                for process in self.processes:
                    process.look_after(time.monotonic())

    @property
    def hopeless(self) -> Process | None:
        """Somebody who, before all was ready, has ended too often to be waited for."""
        return next((process for process in self.processes if process.exits >= HOPELESS_EXITS), None)

    def resume(self, process: Process) -> None:
        with self.lock:
            process.is_wanted, process.start_at, process.delay = True, 0.0, 0.0
            process.look_after(time.monotonic())

    def end(self, processes: Sequence[Process], *graces: float) -> None:
        """Asks them to stop and leaves them down: as many seconds for each way of asking, then kills what is still there."""
        with self.lock:
            for process in processes:
                process.is_wanted = False
            for turn, grace in enumerate(graces):
                for process in processes:
                    process.ask_to_stop(turn)
                wait_until(lambda: not any(process.is_running for process in processes), grace)
            for process in processes:
                process.reap()

    def stop(self) -> None:
        """Ends the watching, not the processes."""
        self.stopping.set()
        if self.thread.is_alive():
            self.thread.join()


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(0.01)
    return True
