"""Walks the audit chains of all services: `python -m ops.verify [--heads FILE] [--write-heads FILE]`.

Ends with 1 when one does not hold, after naming the first broken row of each, with 2 when it could not look.
Reads `QUDAO_<SERVICE>_DATABASE_URL`; the application's role is enough.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg

from services.contracts.base import SERVICES
from services.plumbing.audit import Head, heads
from services.plumbing.database import describe
from services.plumbing.settings import SettingMissing, read
from services.plumbing.verification import Verdict, verify


class CannotLook(Exception):
    """A database or a file cannot be read; the sentence says which and why."""


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="verify", description="Whether the audit of all services is as it was written.")
    parser.add_argument(
        "--heads", metavar="FILE", action="append", default=[], help="compare with heads of before; may be repeated"
    )
    parser.add_argument("--write-heads", metavar="FILE", help="keep the heads of today, if everything holds")
    asked = parser.parse_args(words)
    try:
        older = [told for path in asked.heads for told in read_heads(Path(path))]
        return verify_all(older, Path(asked.write_heads) if asked.write_heads else None)
    except (CannotLook, SettingMissing) as problem:
        print(f"verify: {problem}", file=sys.stderr)
        return 2


def verify_all(older: list[dict[str, Any]], kept: Path | None) -> int:
    broken, ends = 0, []
    for service in SERVICES:
        try:
            with psycopg.connect(url_of(service)) as connection:
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ  # what is pruned meanwhile is not missing
                verdict = verify(connection, [Head.from_json(told) for told in older if told["service"] == service])
                ends += [head.as_json(service) for head in heads(connection)]
        except psycopg.Error as error:
            raise CannotLook(f"The database of {service} cannot be read ({describe(error)}).") from error
        broken += len(verdict.breaks)
        print("\n".join(describe_verdict(service, verdict)), flush=True)
    if kept and not broken:
        kept.write_text("".join(f"{json.dumps(head)}\n" for head in ends), encoding="utf-8")
    return 1 if broken else 0


def describe_verdict(service: str, verdict: Verdict) -> list[str]:
    said = [f"{service}: BROKEN at {broken}" for broken in verdict.breaks]
    return [*said, f"{service}: {verdict.rows} rows chained, {verdict.unchained} still to come"]


def read_heads(path: Path) -> Iterator[dict[str, Any]]:
    """A file that was kept, or lines of the services' logs. Raises CannotLook."""
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            told = json.loads(line) if line.startswith("{") else {}
            if head := told.get("head", told if "hash" in told else None):
                Head.from_json(head)
                yield head
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CannotLook(f"{path} cannot be read as heads ({type(error).__name__}).") from error


def url_of(service: str) -> str:
    name = f"QUDAO_{service.upper()}_DATABASE_URL"
    if url := read(name):
        return url
    raise SettingMissing(f"{name} is needed.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
