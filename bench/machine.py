"""On what it was measured."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import amqp
import psycopg

from embedded.stack import Stack
from embedded.wiring import ROOT

PACKAGES = ("nameko", "kombu", "amqp", "eventlet", "SQLAlchemy", "psycopg", "fastapi", "uvicorn", "uvloop", "aiormq", "pydantic")


def machine() -> dict[str, Any]:
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "processor": processor(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "load_before": round(os.getloadavg()[0], 2),
    }


def processor() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())


def versions(stack: Stack, broker: str) -> dict[str, str]:
    return {
        "python": platform.python_version(),
        **{package.lower(): version(package) for package in PACKAGES},
        "broker": f"{broker}: {broker_version(stack.amqp_uri)}",
        "postgresql": postgresql_version(stack.admin_url),
    }


def broker_version(uri: str) -> str:
    parts = urlsplit(uri)
    with amqp.Connection(f"{parts.hostname}:{parts.port}", parts.username, parts.password) as connection:
        told = connection.server_properties
    return f"{told.get('product', '?')} {told.get('version', '?')}"


def postgresql_version(url: str) -> str:
    with psycopg.connect(url) as connection:
        return connection.info.parameter_status("server_version") or "?"


def commit() -> str:
    """Of the checkout, with `+` when it has changes; empty outside of one."""
    try:
        head = git("rev-parse", "--short=12", "HEAD")
        return head + ("+" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True, timeout=20).stdout.strip()
