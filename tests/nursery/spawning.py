"""The way to the nurseries: `spawn` does what `embedded.supervise.spawn` does."""

import json
import os
import select
import socket
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from embedded import supervise
from embedded.supervise import Running, Spec

ROOT = Path(__file__).resolve().parent.parent.parent
KINDS = {
    "services.plumbing.run": "services",
    "services.plumbing.migrate": "others",
    "embedded.broker": "others",
    "gateway": "others",
    "tests.unit.gateway_stand": "others",
}
PATIENCE = 60.0


def spawn(spec: Spec, output: int) -> Running:
    """Forks what a nursery has, and starts everything else."""
    match spec.command:
        case (sys.executable, "-m", module, *words) if module in KINDS and hasattr(os, "pidfd_open"):
            try:
                return nursery(KINDS[module]).fork(module, words, spec, output)
            finally:
                os.close(output)
    return supervise.spawn(spec, output)


nurseries: dict[str, "Nursery"] = {}
opening = threading.Lock()


def nursery(kind: str) -> "Nursery":
    """Made when the first process of its kind is wanted."""
    with opening:
        if kind not in nurseries:
            nurseries[kind] = Nursery(kind)
        return nurseries[kind]


class Nursery:
    """It ends with this process, and all that were forked with it."""

    def __init__(self, kind: str) -> None:
        self.lock = threading.Lock()
        with tempfile.TemporaryDirectory(prefix="qudao-nursery-") as folder:
            path = f"{folder}/socket"
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
                listening.bind(path)
                listening.listen()
                listening.settimeout(PATIENCE)
                command = (sys.executable, "-u", "-m", "tests.nursery", kind, path)
                supervise.spawn(Spec(f"nursery of {kind}", command, os.environ, folder=ROOT), os.dup(2))
                self.socket, _ = listening.accept()

    def fork(self, module: str, words: Sequence[str], spec: Spec, output: int) -> "Forked":
        wanted = {"module": module, "words": words, "env": dict(spec.env), "folder": str(spec.folder or ROOT)}
        return Forked(self, self.ask(wanted, output))

    def ask(self, wanted: dict[str, Any], *descriptors: int) -> int:
        with self.lock:
            socket.send_fds(self.socket, [json.dumps(wanted).encode()], descriptors)
            answer = self.socket.recv(64)
        if not answer:
            raise ChildProcessError("the nursery has ended")
        return int(answer)


class Forked:
    """As far as a supervisor can tell, a child of this process."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.nursery, self.pid = nursery, pid
        self.handle = os.pidfd_open(pid)  # its number cannot be another's yet, as nobody has reaped it
        self.code: int | None = None

    def has_ended(self) -> bool:
        return self.code is not None or self.ends_within(0)

    def wait(self) -> int:
        if self.code is None:
            self.ends_within(None)
            os.close(self.handle)
            self.code = self.nursery.ask({"reaped": self.pid})
        return self.code

    def ends_within(self, milliseconds: int | None) -> bool:
        poll = select.poll()
        poll.register(self.handle, select.POLLIN)
        return bool(poll.poll(milliseconds))
