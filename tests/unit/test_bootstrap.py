"""The script and the making of environments, as they are on a machine with nothing installed."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from embedded import bootstrap

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPT = ROOT / "qudao"


def run(*words: str, script: Path = SCRIPT, folder: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    settings = {"PATH": os.environ["PATH"], "QUDAO_PYTHON": sys.executable, **env}
    return subprocess.run(["/bin/sh", str(script), *words], env=settings, cwd=folder, capture_output=True, text=True)


def is_one_sentence(done: subprocess.CompletedProcess[str], words: str) -> bool:
    [line] = done.stderr.splitlines()
    return done.returncode == 1 and not done.stdout and line.startswith("qudao: ") and line.endswith(".") and words in line


@pytest.fixture
def no_python(tmp_path):
    """A PATH with what the script needs besides a Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("readlink", "env"):
        (folder / name).symlink_to(str(shutil.which(name)))
    return folder


def old_python(folder: Path) -> None:
    (folder / "python3").write_text("#!/bin/sh\nexit 1\n")
    (folder / "python3").chmod(0o755)


@pytest.fixture
def nothing_to_install(tmp_path):
    lock = tmp_path / "nothing.lock"
    lock.write_text("# no packages\n")
    return lock


@pytest.fixture
def installs(monkeypatch):
    """Counts the installations instead of doing them, as there is nothing to install."""
    done = []
    monkeypatch.setattr(bootstrap.Installer, "install", lambda self, lock: not done.append(lock))
    return done


# --- the script


def test_help_needs_no_environment(tmp_path):
    done = run("help", QUDAO_HOME=str(tmp_path / "home"))

    assert (done.returncode, done.stdout) == (0, bootstrap.HELP)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("words", [("dance",), ("dance", "up"), ("--up",)])
def test_an_unknown_command_shows_the_help_and_exits_with_2(words):
    done = run(*words)

    assert (done.returncode, done.stderr) == (2, bootstrap.HELP)


def test_it_runs_from_any_directory_and_through_links(tmp_path):
    (tmp_path / "absolute").symlink_to(SCRIPT)
    (tmp_path / "relative").symlink_to("absolute")

    assert run("help", script=Path("relative"), folder=tmp_path).stdout == bootstrap.HELP


def test_no_python_is_told_in_one_sentence(no_python):
    assert is_one_sentence(run("up", PATH=str(no_python), QUDAO_PYTHON=""), "Python 3.11, 3.12 or 3.13 is needed")


def test_an_old_python_is_no_python(no_python):
    old_python(no_python)

    assert is_one_sentence(run("up", PATH=str(no_python), QUDAO_PYTHON=""), "Python 3.11, 3.12 or 3.13 is needed")


def test_a_chosen_python_that_does_not_suit_is_not_replaced_by_another(no_python):
    old_python(no_python)

    assert is_one_sentence(run("up", QUDAO_PYTHON=str(no_python / "python3")), "QUDAO_PYTHON")


def test_a_home_that_cannot_be_written_is_told_in_one_sentence(tmp_path):
    (tmp_path / "file").touch()

    assert is_one_sentence(run("up", QUDAO_HOME=str(tmp_path / "file" / "home")), "QUDAO_HOME")


# --- the environment


def test_an_environment_is_made_once(tmp_path, nothing_to_install, installs):
    first = bootstrap.environment(tmp_path, nothing_to_install)
    again = bootstrap.environment(tmp_path, nothing_to_install)

    assert first == again
    assert len(installs) == 1
    assert subprocess.run([first, "-c", "import sys; assert sys.prefix != sys.base_prefix"]).returncode == 0


def test_an_interrupted_one_is_made_again(tmp_path, nothing_to_install, installs):
    python = bootstrap.environment(tmp_path, nothing_to_install)
    folder = python.parent.parent
    (folder / "complete").unlink()
    (folder / "half-made").touch()

    assert bootstrap.environment(tmp_path, nothing_to_install) == python
    assert len(installs) == 2
    assert not (folder / "half-made").exists()


def test_one_whose_python_has_gone_is_made_again(tmp_path, nothing_to_install, installs):
    python = bootstrap.environment(tmp_path, nothing_to_install)
    python.unlink()
    python.symlink_to("/nowhere/python")

    assert subprocess.run([bootstrap.environment(tmp_path, nothing_to_install), "-c", ""]).returncode == 0


def test_another_lock_file_is_another_environment(tmp_path, nothing_to_install, installs):
    before = bootstrap.environment(tmp_path, nothing_to_install)
    nothing_to_install.write_text("# still no packages\n")

    assert bootstrap.environment(tmp_path, nothing_to_install) != before


def test_two_at_once_make_one(tmp_path, nothing_to_install, installs):
    made = []
    makers = [threading.Thread(target=lambda: made.append(bootstrap.environment(tmp_path, nothing_to_install))) for _ in range(3)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()

    assert len(set(made)) == 1
    assert len(installs) == 1


def test_a_package_that_is_not_what_was_pinned_is_refused(tmp_path):
    """Offline as well: whatever hinders the installation ends in one sentence, and nothing counts as made."""
    lock = tmp_path / "wrong.lock"
    lock.write_text(f"six==1.17.0 --hash=sha256:{'0' * 64}\n")

    with pytest.raises(bootstrap.Refused, match=r"The packages of wrong\.lock could not be installed: .+\."):
        bootstrap.environment(tmp_path, lock)

    assert not list(tmp_path.glob("environments/*/complete"))


def test_a_full_disk_is_named(tmp_path):
    (tmp_path / "log").write_text("installing\nerror: failed to write: No space left on device (os error 28)\n")

    assert bootstrap.reason(tmp_path / "log") == "there is no space left on the disk"


@pytest.mark.parametrize("lock", sorted(ROOT.glob("requirements*.lock")), ids=lambda path: path.name)
def test_lock_files_pin_every_package_and_name_no_registry(lock):
    text = lock.read_text()
    pinned = [line for line in text.splitlines() if "==" in line and not line.lstrip().startswith("#")]

    assert len(pinned) == len([line for line in text.splitlines() if line and line[0] not in " #"])
    assert "://" not in text
    assert text.count("--hash=sha256:") >= len(pinned)
