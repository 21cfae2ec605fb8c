"""What keeps a service from starting, so that nobody finds out later."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=60)


SENTENCES = """
WithoutPermission: WithoutPermission.show_day declares no permission: anybody could call it.
StockRpc: StockRpc.anybody declares no permission: anybody could call it.
StockEventHandler: StockEventHandler.anything declares no permission: anybody could call it.
StockTimer: StockTimer.by_itself declares no permission: anybody could call it.
HandlerTooFew: rules: contracts.subscriptions and the handlers differ in ContactNoteWritten.
HandlerTooMany: rules: contracts.subscriptions and the handlers differ in AllowanceSet.
"""


def test_a_service_without_a_permission_ends_with_a_sentence() -> None:
    ended = run("-m", "tests.faults.refused_services", "WithoutPermission")

    assert ended.returncode == 1
    assert ended.stderr.strip() == "WithoutPermission.show_day declares no permission: anybody could call it."


def test_every_gap_in_a_service_keeps_it_from_starting() -> None:
    """Also nameko's own entrypoints, around which nobody would ask for a passport."""
    ended = run("-m", "tests.faults.refused_services")

    assert ended.stdout.splitlines() == SENTENCES.split("\n")[1:-1]


def test_a_service_that_would_block_all_its_requests_does_not_start() -> None:
    ended = run("-c", "import psycopg; from services.plumbing import run")

    assert ended.returncode != 0
    assert "services.plumbing.green must be imported before psycopg" in ended.stderr


def test_the_recipe_is_asserted_and_not_only_hoped_for() -> None:
    spoiled = "from services.plumbing import green; import psycopg; psycopg.waiting.wait = len; green.assert_cooperative()"

    ended = run("-c", spoiled)

    assert ended.returncode != 0
    assert "NotCooperative: psycopg does not wait in Python" in ended.stderr
