"""docker-compose.yml as an engine reads it, and its commands run as plain processes where there is no engine."""

import os
import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
FILE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
CONTAINERS: dict[str, dict[str, Any]] = FILE["services"]
MOUNTED = "/run/secrets/"


def substituted(text: str) -> str:
    """With the defaults of `${NAME:-default}`."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def environment_of(container: str) -> dict[str, str]:
    return {name: substituted(value) for name, value in CONTAINERS[container].get("environment", {}).items()}


def secret_file(name: str) -> Path:
    """Relative to the directory that `ops.compose` fills."""
    return Path(FILE["secrets"][name]["file"]).relative_to("secrets")


def command_of(container: str) -> list[str]:
    """The image's entry point is `python -m`."""
    return [sys.executable, "-m", *CONTAINERS[container]["command"]]


def environment_here(container: str, secrets: Path, **others: str) -> dict[str, str]:
    """What the container is told, with its mounts found in `secrets` and `others` instead of what cannot be the same here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUDAO_")}
    return kept | {name: here(value, secrets) for name, value in environment_of(container).items()} | others


def here(value: str, secrets: Path) -> str:
    if value.startswith(MOUNTED):
        return str(secrets / secret_file(value.removeprefix(MOUNTED)))
    return {"/etc/qudao/trusted": str(secrets / "trusted"), "/run/secrets": str(secrets), "0.0.0.0": "127.0.0.1"}.get(
        value, value
    )
