"""Homes for the stacks of tests: databases made and migrated once a run, then copied, which saves a third of each start."""

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from embedded.stack import Stack


def made_home(factory: pytest.TempPathFactory, name: str) -> Path:
    """A folder of its own for a stack on its first start, as far as anybody can see from outside."""
    return shutil.copytree(template(factory), factory.mktemp(name) / "home")


def template(factory: pytest.TempPathFactory) -> Path:
    """One for all workers of the run; whoever comes first makes it."""
    shared = factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else factory.getbasetemp()
    folder = shared / "made-home"
    with (shared / "made-home.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made").exists():
            with Stack(folder, fast=True, parts=(), replicas={"gateway": 0}):
                pass
            shutil.rmtree(folder / "logs")
            (folder / "made").touch()
    return folder
