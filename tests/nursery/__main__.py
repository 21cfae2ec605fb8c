"""`python -m tests.nursery KIND SOCKET`: waits at a Unix socket for what is to be forked, and for what is to be reaped."""

import ctypes
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
from typing import Any

from embedded.child import PR_SET_PDEATHSIG, succeed

MODULES = {
    "services": (
        "services.plumbing.run",
        *(f"services.{name}.service" for name in ("identity", "customers", "activities", "rules")),
    ),
    "others": ("gateway.__main__", "embedded.broker.__main__", "services.plumbing.migrate"),
}
"""Services are cooperative before anything else is imported, the others never are."""
LONGEST = 1 << 20
waitpid = os.waitpid
"""Before it becomes cooperative, as here is nobody to cooperate with."""
HASHES = "QUDAO_HASHES_OF_TESTS"
"""Nothing of the product reads it."""


def wait_for_one(asked: socket.socket) -> dict[str, Any]:
    """Returns in the process that was forked, with what it was asked to be; ends when nobody can ask any more."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(asked, LONGEST, 1)
        if not message:
            sys.exit()
        request = json.loads(message)
        if "reaped" in request:
            answer = os.waitstatus_to_exitcode(waitpid(request["reaped"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                asked.close()
                become(request, *descriptors)
                return request
            os.close(*descriptors)
        asked.send(str(answer).encode())


def become(request: dict[str, Any], output: int) -> None:
    """As embedded/child.py and an exec would leave it."""
    succeed(ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, number in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(descriptor, number)
    os.close(nothing)
    os.close(output)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["folder"])
    sys.argv = [request["module"], *request["words"]]
    if "eventlet" in sys.modules:
        importlib.import_module("eventlet.hubs").use_hub()  # the one at hand waits by an epoll that all would share


def hash_cheaply() -> None:
    """Passwords, as nobody attacks those of tests: a log-in costs half as much, and so does whoever is made for a test."""
    passwords = importlib.import_module("services.identity.passwords")
    passwords.HASHER = passwords.argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    passwords.NOBODYS = passwords.HASHER.hash("nobody has this password")


def main(kind: str, path: str) -> None:
    asked = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # before sockets become cooperative
    asked.connect(path)
    for module in MODULES[kind]:
        importlib.import_module(module)
    if kind == "others":
        importlib.import_module("gateway.app").description()
    gc.collect()
    gc.freeze()
    module = wait_for_one(asked)["module"]
    if kind == "services" and os.environ.get(HASHES) == "cheap":
        hash_cheaply()
    for name in (module, f"{module}.__main__"):
        if name in MODULES[kind]:
            del sys.modules[name]  # it was imported, and is to run
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
