"""The file system that a fault fills: small, and gone afterwards, however its maker ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from embedded.supervise import wait_until
from faults.small_disk import MayNotMount, small_disk

MAKER = """
import sys, time
from pathlib import Path
from faults.small_disk import small_disk

with small_disk(Path(sys.argv[1]), megabytes=2):
    print("made", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    try:
        with small_disk(tmp_path / "tried", megabytes=1):
            return tmp_path / "disk"
    except MayNotMount:
        pytest.skip("small file systems are for root alone to make")


def test_it_takes_no_more_than_its_size_and_is_gone_afterwards(folder: Path) -> None:
    with small_disk(folder, megabytes=2):
        assert folder.is_mount()
        (folder / "fits").write_bytes(bytes(1 << 20))
        with pytest.raises(OSError, match="No space left"):
            (folder / "does not").write_bytes(bytes(2 << 20))

    assert not folder.is_mount()
    assert os.listdir(folder) == []


def test_it_is_gone_though_something_in_it_is_still_open(folder: Path) -> None:
    with small_disk(folder, megabytes=2):
        used = (folder / "used").open("w")

    assert not folder.is_mount()
    used.close()


def test_it_is_gone_after_kill_9_of_who_made_it(folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", MAKER, str(folder)], stdout=subprocess.PIPE, text=True) as maker:
        assert maker.stdout
        assert maker.stdout.readline() == "made\n"
        assert folder.is_mount()
        maker.kill()

    assert wait_until(lambda: not folder.is_mount(), 10)


def test_where_it_may_not_be_made_the_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mount").write_text("#!/bin/sh\necho not for you >&2\nexit 1\n")
    (tmp_path / "mount").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    with pytest.raises(MayNotMount, match="not for you"), small_disk(tmp_path / "disk", megabytes=1):
        pytest.fail("it was made")
