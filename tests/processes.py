"""Processes that a test has started."""

from collections.abc import Iterable

import psutil


def running(family: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended; one may end while it is being asked."""
    return [process for process in family if is_running(process)]


def is_running(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
