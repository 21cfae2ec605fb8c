"""`./qudao demo` plays the main job and finds every outcome as it should be: on a system of its own and on one that is in use."""

import ast
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from demo.cases import TEMPLATES, TITLES
from demo.names import CHARACTERS, IN_BOTH_SPELLINGS, TRADITIONAL, Names, is_number
from demo.story import Story
from embedded.stack import Stack
from services.customers.collision.names import decompose
from services.customers.collision.text import fold
from tests.api import PASSWORD
from tests.homes import made_home
from tests.processes import running

ROOT = Path(__file__).resolve().parent.parent.parent
ALL_AS_EXPECTED = re.compile(r"(\d+) cases?, (\d+) steps: all as expected")


def demo(*words: str, **env: str) -> "subprocess.Popen[str]":
    """As `./qudao demo` does once its environment is made."""
    return subprocess.Popen(
        [sys.executable, "-m", "embedded.cli", "demo", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def played(*words: str, **env: str) -> tuple[int, str]:
    process = demo(*words, **env)
    said, _ = process.communicate(timeout=120)
    return process.returncode, said


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Path]]:
    """A system, and the file with its administrator's password."""
    with Stack(made_home(tmp_path_factory, "used"), fast=True) as stack:
        file = tmp_path_factory.mktemp("password") / "password"
        file.write_text(f"{PASSWORD}\n")
        yield stack, file


def test_the_ten_cases_come_out_as_they_are_written_on_a_system_that_it_brings_and_takes_away(tmp_path: Path) -> None:
    code, said = played(TMPDIR=str(tmp_path))

    assert code == 0, said
    counted = ALL_AS_EXPECTED.fullmatch(said.splitlines()[-1])
    assert counted, said
    assert int(counted[1]) == 10
    assert int(counted[2]) == said.count("  ✓ ") > 100
    for template in TEMPLATES:
        assert Names(own=False)(template) in said
    assert list(tmp_path.iterdir()) == []


def test_a_system_without_an_administrator_is_set_up(used: tuple[Stack, Path]) -> None:
    stack, file = used
    secret = ("--setup-secret-file", str(stack.secrets / "setup-secret"))

    code, said = played("--url", stack.url, *secret, "--password-file", str(file), "--case", "1")

    assert code == 0, said
    assert ALL_AS_EXPECTED.fullmatch(said.splitlines()[-1]), said
    assert "扬州五环印花厂" in said
    assert PASSWORD not in said
    code, said = played("--url", stack.url, *secret)
    told = f"qudao: {stack.url} is set up already: an administrator's password is needed"
    assert (code, said.splitlines()) == (1, [told])


def test_any_case_can_be_played_alone_on_a_system_in_use_whatever_it_needs_of_others(used: tuple[Stack, Path]) -> None:
    """Others at each run."""
    stack, file = used
    for number in random.sample(sorted(TITLES), 2):
        code, said = played("--url", stack.url, "--password-file", str(file), "--case", str(number))
        assert code == 0, said
        assert ALL_AS_EXPECTED.fullmatch(said.splitlines()[-1]), said
        assert "names of its own" in said
        assert [line for line in said.splitlines() if line.startswith("Case ")] == [f"Case {number} · {TITLES[number]}"]


def test_a_wrong_password_or_address_is_told_in_one_line(used: tuple[Stack, Path], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("not the right one")
    code, said = played("--url", used[0].url, "--password-file", str(wrong))
    assert (code, said.splitlines()[-1].startswith("qudao: ")) == (1, True)
    code, said = played("--url", "http://127.0.0.1:9", "--password-file", str(wrong))
    assert (code, len(said.splitlines()), said.startswith("qudao: http://127.0.0.1:9 does not answer")) == (1, 1, True)
    assert played("--url", used[0].url)[0] == 2


def test_ctrl_c_ends_everything_that_it_has_started() -> None:
    process = demo()
    assert process.stdout
    while "Case 1" not in (line := process.stdout.readline()):
        assert line
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) > 5

    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=30)

    assert process.returncode == 130, said
    assert said.splitlines()[-1] == "qudao: stopped"
    assert not running(family)


# --- its parts


def test_a_deviation_is_told_and_makes_the_exit_code_1() -> None:
    said: list[str] = []
    story = Story(said.append)
    with story.case(1, "a title"):
        story.step("somebody", "does something", "got", "got")
        story.step("somebody", "does another thing", "got", "wanted")
    assert story.end() == 1
    assert said[-1] == "\n1 case, 2 steps: 1 not as expected"
    assert "  ✗ Case 1: somebody does another thing: expected wanted, got got" in said


def test_names_of_a_run_keep_the_structure_of_the_cases() -> None:
    names = Names(own=True)
    names.draw(TEMPLATES, lambda word: True)
    assert names("{五环}") != "五环"
    assert fold(names("揚州{五環}印花廠")) == names("扬州{五环}印花厂")
    assert [a == b for a, b in zip(names("{瑞丽}"), names("{锦丽}"), strict=True)] == [False, True]
    assert names("{２３９８５７７}").translate(str.maketrans("０１２３４５６７８９", "0123456789")) == names("{2398577}")
    assert is_number(names("{2398577}"))


def test_names_that_are_taken_are_not_chosen() -> None:
    asked: list[str] = []
    names = Names(own=True)
    names.draw(TEMPLATES, lambda word: asked.append(word) or len(asked) > 3)  # type: ignore[func-returns-value]
    assert names("{五环}") not in asked[:3]
    with pytest.raises(LookupError):
        Names(own=True).draw(TEMPLATES, lambda word: False)


def test_no_two_characters_for_brands_make_a_place_or_a_trade() -> None:
    """Each beside some others, another choice at each run."""
    for first in CHARACTERS:
        for second in random.sample(CHARACTERS, 25):
            if first != second:
                parts = decompose(f"上海{first}{second}服装厂")
                assert (parts.brand, parts.trade) == (first + second, "服装")


def test_traditional_spellings_fold_to_the_simple_ones() -> None:
    for simple, traditional in {**TRADITIONAL, **IN_BOTH_SPELLINGS}.items():
        assert (simple != traditional, fold(traditional)) == (True, simple)


def test_it_needs_nothing_but_the_standard_library_and_the_launcher() -> None:
    for path in (ROOT / "demo").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.split(".")[0] in sys.stdlib_module_names | {"demo", "embedded"}, path
