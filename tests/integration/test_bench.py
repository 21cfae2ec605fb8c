"""The benchmark runs, and its last line can be read by a program. What it measures is nobody's verdict here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.companies import companies
from bench.questions import Split

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


def test_bench_scale_ends_with_a_table_and_one_json_object(tmp_path: Path) -> None:
    names = tmp_path / "names.csv"
    rows = [f"扬州{company.name},江苏,扬州" for company in companies(300, seed=3)]
    names.write_text("\n".join(["name,province,city", *rows]), encoding="utf-8")
    short = ["scale", "--names", str(names), "--size", "400", "--seconds", "0.5"]

    done = subprocess.run([sys.executable, "-m", "bench", *short], cwd=ROOT, capture_output=True, text=True, timeout=240)

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["load"]["rows"] == 400
    assert 0 < found["check"]["p50_ms"] <= found["check"]["p99_ms"]
    for measured in ("http_check", "http_typing", "http_entry"):
        assert all(found[measured][clients]["requests_per_second"] > 0 for clients in ("1", "4"))
    assert found["bulk"]["rows_per_second"] > 0
    assert set(found["bulk"]["outcomes"]) <= {"created", "created, for review", "duplicate"}
    assert sum(found["new"]["name"][share] for share in ("free", "review", "refused")) == pytest.approx(1, abs=0.01)
    assert found["sizes"]["total_bytes"] > 0
    assert found["others"]["pg_trgm"]["p50_ms"] > 0
    assert "check in the service" in done.stdout


@pytest.mark.parametrize("wrong", [["--size", "10"], ["--size", "1000", "--names", "nowhere.csv"]])
def test_a_registry_that_cannot_be_is_refused_at_once(wrong: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "bench", "scale", *wrong], cwd=ROOT, capture_output=True, timeout=60)

    assert done.returncode in (1, 2)
    assert b"Traceback" not in done.stderr


def test_what_is_held_back_is_not_loaded() -> None:
    split = Split(900, 90, seed=5, names=None)
    loaded = list(split.loaded())

    assert (len(loaded), len(split.held)) == (900, 90)
    assert not {each.name for each in loaded} & {each.name for each in split.held}
