"""The README's first tour does what it says."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from embedded.stack import Stack
from tests.homes import made_home

README = Path(__file__).parent.parent.parent / "README.md"


@pytest.mark.skipif(shutil.which("curl") is None, reason="the tour needs curl")
def test_the_first_tour_runs_as_it_stands(tmp_path_factory: pytest.TempPathFactory) -> None:
    [tour] = re.findall(r"```sh\n(URL=.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    with Stack(made_home(tmp_path_factory, "readme"), fast=True) as stack:
        here = tour.replace("http://127.0.0.1:8080", stack.url).replace(".qudao/secrets", str(stack.secrets))
        wait = """until DAY=$(api GET /me/day); echo "$DAY" | grep -q '"effective_contacts":{"value":1,'; do :; done"""
        script = f'set -eu; TOKEN=; {here}\n{wait}\necho "$DAY"'
        env = {**os.environ, "LC_ALL": "C.UTF-8"}
        ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, env=env, timeout=60)
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert "bound_to_yours" in lines
    assert "True" in lines
    assert '"new_key_customers":{"value":1,' in lines[-1]
