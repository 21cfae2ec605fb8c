"""Makes the environment in which every command runs, then runs the command in it.

Standard library only, as nothing is installed yet. Packages come from lock files with hashes and as wheels alone, so that
nothing unpinned is ever fetched or run; from where they come is what pip and uv are configured to use.
"""

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INSTALLER = ROOT / "requirements-bootstrap.lock"
LOCKS = {
    **dict.fromkeys(("up", "demo", "fsck", "audit"), ROOT / "requirements-embedded.lock"),
    **dict.fromkeys(("test", "fuzz", "faults", "bench", "lock", "check"), ROOT / "requirements-dev.lock"),
}
HELP = """\
Usage: ./qudao COMMAND

  up                   start everything and print the address; Ctrl-C stops it, the data stays
  demo [WORDS…]        play the main job over HTTP in a throw-away stack, and check it; `demo --help` for a running one
  test [WORDS…]        run the tests in throw-away stacks; the words go to pytest
  fuzz [WORDS…]        send odd requests to every operation, 100 each; the words go to pytest
  fsck [WORDS…]        check what must hold in and between the databases; `--wait SECONDS`, `--json`
  audit verify         walk the chains of the audit; `--heads FILE` compares with those that `--write-heads FILE` kept
  faults [WORDS…]      kill, cut and fill what a throw-away system stands on, under load, and reckon up; `faults --help`
  bench NAME [WORDS…]  run a benchmark
  check                lint and check types
  lock                 re-make the lock files from requirements*.in
  help                 this text

  QUDAO_HOME           where data, keys and environments live (.qudao beside this script)
  QUDAO_HTTP_PORT      where the gateway listens (8080)
  QUDAO_REPLICAS       more processes of one kind, e.g. customers=2,gateway=2
  DATABASE_URL         an administrator's address of a PostgreSQL to use instead of the embedded one
  AMQP_URI             a RabbitMQ to use instead of the embedded broker
  QUDAO_PYTHON         the Python to use
"""
# They would lead Python or pip away from the environment that is made here.
MISLEADING = ("PYTHONHOME", "PYTHONPATH", "PYTHONSAFEPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "VIRTUAL_ENV")


class Refused(Exception):
    """What hinders, in one sentence."""


def home() -> Path:
    """The folder of everything that is kept; it is made when missing. Raises Refused when it cannot be written."""
    folder = Path(os.path.abspath(os.environ.get("QUDAO_HOME") or ROOT / ".qudao"))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise Refused(f"{folder} cannot be written ({error.strerror}); set QUDAO_HOME to a folder that can.") from None


def environment(home: Path, lock: Path) -> Path:
    """The Python of the environment for this lock file; the environment is made when missing or unfinished."""
    key = hashlib.sha256(lock.read_bytes() + INSTALLER.read_bytes() + f"{sys.version} {sys.executable}".encode())
    folder = home / "environments" / f"{lock.stem}-{platform.python_version()}-{key.hexdigest()[:12]}"
    folder.parent.mkdir(exist_ok=True)
    if not is_complete(folder):
        with one_at_a_time(folder.with_name(folder.name + ".lock")):
            if not is_complete(folder):
                build(folder, lock)
    return python_of(folder)


def python_of(folder: Path) -> Path:
    return folder / "bin" / "python"


def is_complete(folder: Path) -> bool:
    return (folder / "complete").exists() and python_of(folder).exists()


@contextlib.contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def build(folder: Path, lock: Path) -> None:
    """`complete` is written last, so that an interrupted build is done again."""
    print(f"qudao: making the environment for {lock.name}, once …", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    log = folder.with_name(folder.name + ".log")
    try:
        venv.create(folder, symlinks=True)
        with log.open("wb") as output:
            is_installed = Installer(python_of(folder), output.fileno()).install(lock)
        if not is_installed:
            raise Refused(f"The packages of {lock.name} could not be installed: {reason(log)} (all of it in {log}).")
        (folder / "complete").touch()
    except (OSError, subprocess.CalledProcessError) as error:
        raise Refused(f"The environment in {folder} could not be made: {error}.") from None


def reason(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    if any("No space left on device" in line for line in lines):
        return "there is no space left on the disk"
    return next((line for line in reversed(lines) if "error" in line.lower()), "no reason given").rstrip(".")


class Installer:
    """Tries what is there, fastest first: uv; pip that fetches uv; pip alone.

    Cold, on two cores: uv 2 s, pip and uv 5 s, pip alone 30 s. Compiling here costs 2.5 s and saves twice that at the first
    start, when all processes would compile the same modules at once, and at every start under PYTHONDONTWRITEBYTECODE.
    """

    def __init__(self, python: Path, output: int) -> None:
        self.python, self.output = python, output

    def install(self, lock: Path) -> bool:
        if (uv := shutil.which("uv")) and self.by_uv(uv, lock):
            return True
        pip = self.find_pip()
        if self.by_pip(pip, INSTALLER) and self.by_uv(str(self.python.with_name("uv")), lock):
            return True
        return self.by_pip(pip, lock)

    def find_pip(self) -> list[str]:
        """A pip that installs into the environment. `ensurepip` takes 5 s, so a pip from outside goes first."""
        system = [[name] for name in ("pip3", "pip") if shutil.which(name)]
        for pip in ([sys.executable, "-m", "pip"], *system):
            if self.works([*pip, "--python", str(self.python), "--version"]):
                return [*pip, "--python", str(self.python)]
        if self.works([str(self.python), "-m", "ensurepip"]):
            return [str(self.python), "-m", "pip"]
        raise Refused("There is neither uv nor pip for this Python; install one, on Debian with `apt install python3-venv`.")

    def by_uv(self, uv: str, lock: Path) -> bool:
        pinned = ("--require-hashes", "--no-deps", "--no-build", "--requirement", str(lock))
        return self.works([uv, "pip", "install", "--compile-bytecode", "--python", str(self.python), *pinned])

    def by_pip(self, pip: list[str], lock: Path) -> bool:
        pinned = ("--require-hashes", "--no-deps", "--only-binary", ":all:", "--requirement", str(lock))
        return self.works([*pip, "install", "--disable-pip-version-check", *pinned])

    def works(self, command: list[str]) -> bool:
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=self.output, stderr=subprocess.STDOUT)
        except OSError:
            return False
        return done.returncode == 0


def main(words: list[str]) -> int:
    command = words[0] if words else "help"
    if command not in LOCKS:
        is_help = command in ("help", "--help", "-h")
        print(HELP, end="", file=sys.stdout if is_help else sys.stderr)
        return 0 if is_help and words else 2
    for name in MISLEADING:
        os.environ.pop(name, None)
    try:
        folder = home()
        python = environment(folder, LOCKS[command])
    except Refused as refused:
        print(f"qudao: {refused}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    env = {**os.environ, "QUDAO_HOME": str(folder), "QUDAO_FOLDER": os.getcwd()}
    os.chdir(ROOT)
    os.execve(python, [str(python), "-m", "embedded.cli", *words], env)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
