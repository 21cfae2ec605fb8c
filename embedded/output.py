"""Where the output of the processes goes: a terminal with a prefix per line, or one file per process."""

import os
import signal
import sys
import threading
from collections import deque
from pathlib import Path
from typing import Protocol, TextIO

COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)
KEPT_LINES = 15


class Output(Protocol):
    def sink(self, name: str) -> int:
        """A descriptor for the output of this process; who starts the process closes it."""

    def say(self, name: str, line: str) -> None: ...

    def tail(self, name: str) -> list[str]:
        """The last lines, for the message that a process did not start."""


class Terminal:
    """Lines with a prefix, whole and in the order in which they came; colours only for somebody who sees them."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self.stream = stream
        self.is_seen = stream.isatty()
        self.kept: dict[str, deque[str]] = {}
        self.copiers: dict[str, threading.Thread] = {}
        self.lock = threading.Lock()

    def sink(self, name: str) -> int:
        reading, writing = os.pipe()
        self.copiers[name] = threading.Thread(target=self.copy, args=(name, reading), daemon=True)
        self.copiers[name].start()
        return writing

    def copy(self, name: str, reading: int) -> None:
        with open(reading, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                self.say(name, line.rstrip())

    def say(self, name: str, line: str) -> None:
        with self.lock:
            self.kept.setdefault(name, deque(maxlen=KEPT_LINES)).append(line)
            try:
                print(f"{self.prefix(name)} {line}", file=self.stream, flush=True)
            except OSError:  # who read us is gone, `up | head` for example: stop as on Ctrl-C
                os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())
                os.kill(os.getpid(), signal.SIGTERM)

    def prefix(self, name: str) -> str:
        text = f"{name:<12}|"
        if not self.is_seen:
            return text
        colour = COLOURS[list(self.kept).index(name) % len(COLOURS)]
        return f"\033[{colour}m{text}\033[0m"

    def tail(self, name: str) -> list[str]:
        if name in self.copiers:
            self.copiers[name].join(timeout=1)  # what has ended may have lines in the pipe still
        with self.lock:
            return list(self.kept.get(name, ()))


class Files:
    """One file per process, for tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def sink(self, name: str) -> int:
        return os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def say(self, name: str, line: str) -> None:
        with self.path(name).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def text(self, name: str) -> str:
        path = self.path(name)
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def tail(self, name: str) -> list[str]:
        return self.text(name).splitlines()[-KEPT_LINES:]
