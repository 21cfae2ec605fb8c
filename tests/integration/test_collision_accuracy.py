"""How often the collision check is right about companies of which we know it: not less than it was.

Asked through the service's own check in a database. One set is our own (`tests/data`); a larger one is read where it is there.
"""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.companies import companies

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = ROOT / "tests" / "data"
DATA = Path(os.environ.get("QUDAO_DATA") or ROOT.parent / "shared" / "dedupe")
BYSTANDERS = 1_000
COLUMNS = ("id", "name", "phone", "fax", "province", "city")


@dataclass
class Score:
    f1: float
    false_refusals: float
    """Share of the unique companies that were refused."""
    recall: float
    """Share of the duplicates whose company is among the first twenty that are shown."""
    wrong: list[str]


def is_found(asked: dict[str, Any], told: dict[str, Any]) -> bool:
    """Whether the company was called known: refused, or sent to review where that is right too.

    A unique company that must pass is called known by a review as well.
    """
    is_duplicate, is_lenient = asked["expect"] == "duplicate", asked["tier"] == "review_ok"
    if is_duplicate and asked["of"] not in told["candidates"][:20]:
        return False
    return bool(told["decision"] == "block" or (told["decision"] == "review" and is_duplicate == is_lenient))


def scored(queries: Path, predictions: Path) -> Score:
    """Queries that only a policy decides are left out."""
    answers = {told["id"]: told for told in lines(predictions)}
    asked = [line for line in lines(queries) if not line.get("policy")]
    duplicates = [line for line in asked if line["expect"] == "duplicate"]
    unique = [line for line in asked if line["expect"] == "unique"]
    hits, alarms = (sum(is_found(line, answers[line["id"]]) for line in lot) for lot in (duplicates, unique))
    return Score(
        f1=2 * hits / (len(duplicates) + hits + alarms),
        false_refusals=sum(answers[line["id"]]["decision"] == "block" for line in unique) / len(unique),
        recall=sum(line["of"] in answers[line["id"]]["candidates"][:20] for line in duplicates) / len(duplicates),
        wrong=[
            f"{line['kind']} {line['query']['name']}: {answers[line['id']]['decision']}"
            for line in asked
            if is_found(line, answers[line["id"]]) != (line["expect"] == "duplicate")
        ],
    )


def lines(file: Path) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8") as text:
        yield from map(json.loads, text)


def asked_of(corpus: Path, queries: Path, out: Path) -> Score:
    files = {"--corpus": corpus, "--queries": queries, "--out": out}
    options = [str(word) for option in files.items() for word in option]
    done = subprocess.run(
        [sys.executable, "-m", "bench", "collision", *options], cwd=ROOT, capture_output=True, text=True, timeout=1800
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return scored(queries, out)


def among_bystanders(corpus: Path, out: Path) -> Path:
    """The corpus with made-up companies besides, as a registry has many that nobody asks for."""
    rows = [[line[column] for column in COLUMNS] for line in csv.DictReader(corpus.open(encoding="utf-8", newline=""))]
    rows += [
        [f"b{number}", made.name, made.phone or "", made.fax or "", made.province, made.city]
        for number, made in enumerate(companies(BYSTANDERS, seed=5))
    ]
    with out.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return out


def test_it_is_right_about_companies_of_our_own_making(tmp_path: Path) -> None:
    corpus = among_bystanders(OURS / "collision_corpus.csv", tmp_path / "corpus.csv")

    score = asked_of(corpus, OURS / "collision.jsonl", tmp_path / "predictions.jsonl")

    assert score.f1 >= 0.97, score.wrong
    assert score.false_refusals == 0, score.wrong
    assert score.recall >= 0.98, score.wrong


@pytest.mark.skipif(not (DATA / "dev.jsonl").exists(), reason=f"no labelled companies in {DATA}: set QUDAO_DATA")
def test_it_is_right_about_real_companies(tmp_path: Path) -> None:
    score = asked_of(DATA / "dev_corpus.csv", DATA / "dev.jsonl", tmp_path / "predictions.jsonl")

    assert score.f1 >= 0.97, score.wrong
    assert score.false_refusals <= 0.005, score.wrong


@pytest.mark.parametrize(
    ("expect", "tier", "decision", "candidates", "expected"),
    [
        ("duplicate", "strict", "block", [7], True),
        ("duplicate", "strict", "review", [7], False),
        ("duplicate", "review_ok", "review", [7], True),
        ("duplicate", "strict", "block", [8], False),
        ("unique", "strict", "review", [], True),
        ("unique", "review_ok", "review", [], False),
        ("unique", "review_ok", "block", [], True),
        ("unique", "strict", "pass", [], False),
    ],
)
def test_what_counts_as_found(expect: str, tier: str, decision: str, candidates: list[int], expected: bool) -> None:
    asked, told = {"expect": expect, "tier": tier, "of": 7}, {"decision": decision, "candidates": candidates}

    assert is_found(asked, told) is expected
