"""The benchmark runs, and its last line can be read by a program. What it measures is nobody's verdict here."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VERSIONS = {"python", "nameko", "kombu", "eventlet", "sqlalchemy", "psycopg", "fastapi", "uvicorn", "broker", "postgresql"}


def test_bench_path_ends_with_one_json_object() -> None:
    short = ["path", "--seconds", "0.3", "--clients", "1", "--rounds", "1"]
    done = subprocess.run([sys.executable, "-m", "bench", *short], cwd=ROOT, capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert {"bench", "commit", "machine", "versions", "seconds", "lines", "ratios", "events"} <= found.keys()
    assert set(found["lines"]) == {"alone", "echo", "select", "read", "read_one_session", "list", "entry"}
    for line in found["lines"].values():
        figures = line["clients"]["1"]
        assert figures["requests_per_second"] > 0
        assert 0 < figures["p50_ms"] <= figures["p99_ms"]
    assert found["ratios"]["read"]["1"]["min"] > 0
    assert found["events"]["events"] > 0
    assert {
        "python",
        "nameko",
        "kombu",
        "eventlet",
        "sqlalchemy",
        "psycopg",
        "fastapi",
        "uvicorn",
        "broker",
        "postgresql",
    } <= set(found["versions"])


def test_a_wish_that_makes_no_sense_is_refused_at_once() -> None:
    done = subprocess.run([sys.executable, "-m", "bench", "path", "--clients", "0"], cwd=ROOT, capture_output=True, timeout=60)

    assert done.returncode == 2
    assert b"numbers from 1 to 200" in done.stderr
