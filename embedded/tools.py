"""The commands that end by themselves: `demo`, `fsck`, `test`, `fuzz`, `check`, `bench`, `lock`.

Caches go to the home, as the checkout may be read-only.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from embedded.postgres import USER
from embedded.servers import is_listening
from embedded.supervise import CannotStart
from embedded.wiring import ROOT, database_variable
from ops.addresses import ServiceDatabase
from ops.keys import SERVICES
from services.plumbing.settings import read

# Tests wait for servers more than they work: two files at a time take two thirds of the time on two cores, three make some
# of them too late. A file is one worker's, so that its stack is started once; tests/lots.py says more of this.
WORKERS = 2
INPUTS = ("requirements-bootstrap", "requirements", "requirements-embedded", "requirements-dev")
POLICY = Path("/usr/sbin/policy-rc.d")  # what Debian asks whether an installed service may be started
RABBITMQ_ELSEWHERE = "macOS: brew install rabbitmq; elsewhere: https://www.rabbitmq.com/docs/download"


def demo(words: Sequence[str]) -> int:
    return run(["demo", *words])


def fsck(words: Sequence[str], home: Path) -> int:
    return look("ops.fsck", words, home)


def audit(words: Sequence[str], home: Path) -> int:
    if not words or words[0] != "verify":
        print("Usage: ./qudao audit verify [--heads FILE] [--write-heads FILE]", file=sys.stderr)
        return 2
    return look("ops.verify", [absolute(word) for word in words[1:]], home)


def absolute(word: str) -> str:
    """A file is meant as it lies from where the command was given, and commands run in the folder of the project."""
    return word if word.startswith("-") else os.path.join(os.environ.get("QUDAO_FOLDER", ""), word)


def look(module: str, words: Sequence[str], home: Path) -> int:
    try:
        return run([module, *words], database_urls(home))
    except CannotStart as problem:  # 1 says that something was found
        print(f"qudao: {problem.sentence}", file=sys.stderr)
        return 2


def database_urls(home: Path) -> dict[str, str]:
    """Where each service's database is, by the variable that says so: what is set counts, else the server of a running `up`.

    Raises CannotStart when none runs, or its passwords are not in the home.
    """
    given = {service: read(database_variable(service)) for service in SERVICES}
    if any(url is None for url in given.values()):
        admin_url = read("DATABASE_URL") or running_database(home)
        try:
            for service in SERVICES:
                given[service] = given[service] or ServiceDatabase(service, "qudao", home / "secrets").url(admin_url)
        except OSError as error:
            raise CannotStart(f"{error.filename} cannot be read: {error.strerror}.") from None
    return {database_variable(service): url for service, url in given.items() if url}


def running_database(home: Path) -> str:
    """The administrator's address of the embedded PostgreSQL, from what it has written about itself."""
    try:
        port = int((home / "postgresql" / "postmaster.pid").read_text().splitlines()[3])
        password = (home / "secrets" / "postgres-password").read_text().strip()
    except (OSError, ValueError, IndexError):
        port = 0
    if not (port and is_listening(port)):
        raise CannotStart(f"No database is running on {home}: start it with `./qudao up`, or set DATABASE_URL.")
    return f"postgresql://{USER}:{password}@127.0.0.1:{port}/postgres"


def test(words: Sequence[str], home: Path) -> int:
    ensure_rabbitmq()
    at_once = () if words else ("-n", str(WORKERS), "--dist", "loadfile", "--no-loadscope-reorder")
    return pytest([*at_once, *words], home)


def faults(words: Sequence[str]) -> int:
    """Takes an hour, unless told otherwise; `test` tries each kind of fault once."""
    ensure_rabbitmq()
    return run(["faults", *words])


def fuzz(words: Sequence[str], home: Path) -> int:
    """Every operation of the HTTP interface with so many examples that it takes minutes; `test` tries a few of each."""
    examples = os.environ.get("QUDAO_FUZZ_EXAMPLES", "100")
    return pytest(["tests/contract/test_fuzz.py", "-v", *words], home, QUDAO_FUZZ_EXAMPLES=examples)


def pytest(words: Sequence[str], home: Path, **env: str) -> int:
    settings = {
        "HYPOTHESIS_STORAGE_DIRECTORY": str(home / "cache" / "hypothesis"),
        # services are started hundreds of times, a fifth of which is resolving names, and all addresses of tests are numbers
        "EVENTLET_NO_GREENDNS": "yes",
    }
    return run(["pytest", "-o", f"cache_dir={home / 'cache' / 'pytest'}", *words], settings | env)


def check(home: Path) -> int:
    """Both run, so that one look shows everything."""
    ruff = run(["ruff", "check", "--cache-dir", str(home / "cache" / "ruff"), "."])
    mypy = run(["mypy", "--cache-dir", str(home / "cache" / "mypy")])
    return ruff or mypy


def bench(words: Sequence[str]) -> int:
    return run(["bench", *words])


def lock() -> int:
    """Each file from its `.in`, in the order in which they include one another."""
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is None:
        raise CannotStart("uv is needed to make the lock files; install it with pip.")
    options = ("--universal", "--python-version", "3.11", "--generate-hashes")
    quiet = ("--quiet", "--no-header", "--no-emit-index-url", "--no-emit-find-links")
    for name in INPUTS:
        command = [uv, "pip", "compile", *options, *quiet, f"{name}.in", "-o", f"{name}.lock"]
        if code := subprocess.run(command, cwd=ROOT).returncode:
            return code
    return 0


def run(module: Sequence[str], env: Mapping[str, str] | None = None) -> int:
    """A module's exit code; Ctrl-C goes to it as well, and it says what is to be said."""
    process = subprocess.Popen([sys.executable, "-m", *module], cwd=ROOT, env={**os.environ, **(env or {})})
    while True:
        try:
            code = process.wait()
            return 128 - code if code < 0 else code
        except KeyboardInterrupt:
            continue


def ensure_rabbitmq() -> None:
    """The tests run their own node of it, so only the programs are needed; without them they say what they left out."""
    if shutil.which("rabbitmq-server", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/lib/rabbitmq/bin"):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        how = "as root: apt-get install rabbitmq-server" if shutil.which("apt-get") else RABBITMQ_ELSEWHERE
        print(f"qudao: rabbitmq-server is missing, its tests cannot run ({how}).", file=sys.stderr)
        return
    print("qudao: installing rabbitmq-server, once …", file=sys.stderr, flush=True)
    with without_starting_services():
        if not (apt("install", "rabbitmq-server") or (apt("update") and apt("install", "rabbitmq-server"))):
            print("qudao: rabbitmq-server could not be installed, its tests cannot run.", file=sys.stderr)


def apt(*words: str) -> bool:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "-qq", "-y", "--no-install-recommends", *words]
    return subprocess.run(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


@contextmanager
def without_starting_services() -> Iterator[None]:
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
