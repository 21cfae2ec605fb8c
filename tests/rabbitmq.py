"""An own RabbitMQ node for tests: own ports, own data, own epmd, all of it gone afterwards.

It never touches a RabbitMQ that runs on the machine already, and needs neither root nor the user `rabbitmq`.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

import amqp

from embedded.supervise import Spec, spawn

HOST: Final = "127.0.0.1"
USER: Final = "qudao"
HOW_TO_INSTALL: Final = (
    "RabbitMQ is not installed: `apt-get install rabbitmq-server` or `brew install rabbitmq` brings it,"
    " or QUDAO_RABBITMQ_BIN names the directory of its rabbitmq-server"
)

_START_SECONDS: Final = 90.0
_STOP_SECONDS: Final = 30.0
# The scripts themselves, not the wrapper in /usr/sbin of Debian, which changes to another user.
_DIRECTORIES: Final = (
    "/usr/lib/rabbitmq/bin",
    "/opt/rabbitmq/sbin",
    "/opt/homebrew/opt/rabbitmq/sbin",
    "/usr/local/opt/rabbitmq/sbin",
)
_LOOPBACK_DISTRIBUTION: Final = "-kernel inet_dist_use_interface {127,0,0,1}"


class BrokerDied(Exception):
    """The broker ended, or did not answer in time."""


def find_rabbitmq() -> Path | None:
    """The directory of rabbitmq-server and rabbitmqctl; None where it is missing, and HOW_TO_INSTALL says what to do."""
    if shutil.which("erl") is None:
        return None
    directories = [os.environ.get("QUDAO_RABBITMQ_BIN"), *_DIRECTORIES]
    for directory in filter(None, directories):
        if (Path(directory) / "rabbitmq-server").exists():
            return Path(directory)
    return None


class RabbitNode:
    """A node in `directory`, which must be empty or that of a former node whose data is to be kept."""

    kind = "rabbitmq"
    keeps_data = True

    def __init__(self, directory: Path) -> None:
        binaries = find_rabbitmq()
        if binaries is None:
            raise FileNotFoundError(HOW_TO_INSTALL)
        self.user = USER
        self.password = secrets.token_hex(16)
        self.host = HOST
        self.port, self._epmd_port, self._distribution_port = _free_ports(3)
        self._name = f"qudao-{secrets.token_hex(4)}@localhost"
        self._binaries = binaries
        self._directory = directory
        self._node: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"amqp://{self.user}:{self.password}@{self.host}:{self.port}/"

    @property
    def pid(self) -> int:
        """Of the Erlang machine itself."""
        assert self._node is not None, "the node is not running"
        return self._node.pid

    def start(self) -> None:
        """Returns when clients can log in."""
        self._write_configuration()
        if self._epmd is None:
            self._epmd = self._run_epmd()
        console = os.open(self._directory / "console.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._node = spawn(self._spec("rabbitmq-server", str(self._binaries / "rabbitmq-server")), console)
        try:
            wait_for_login(self._node, self.host, self.port, self.user, self.password, _START_SECONDS)
        except BrokerDied as problem:
            self.stop()
            raise BrokerDied(f"{problem}\n{self._last_words()}") from None

    def stop(self) -> None:
        """Ends the node as an operator would, and everything that was started with it."""
        self._end_node(signal.SIGTERM)
        if self._epmd:
            end(self._epmd, signal.SIGTERM, _STOP_SECONDS)
            self._epmd = None

    def kill(self) -> None:
        """As a power cut: SIGKILL to the Erlang machine."""
        self._end_node(signal.SIGKILL)

    def restart(self) -> None:
        """On the same ports and with the data of before."""
        self._end_node(signal.SIGTERM)
        self.start()

    def ctl(self, *arguments: str) -> str:
        """What `rabbitmqctl` prints. Raises CalledProcessError with its output when it fails."""
        done = subprocess.run(
            [self._binaries / "rabbitmqctl", "--quiet", "--node", self._name, *arguments],
            env=self._environment(),
            cwd=self._directory,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout

    def add_user(self, user: str, password: str, *, configure: str = "", write: str = "", read: str = "") -> str:
        """A user with the permissions given as patterns of names; "" is none. Answers with its address."""
        self.ctl("add_user", user, password)
        self.set_permissions(user, configure=configure, write=write, read=read)
        return f"amqp://{user}:{password}@{self.host}:{self.port}/"

    def set_permissions(self, user: str, *, configure: str = "", write: str = "", read: str = "") -> None:
        self.ctl("set_permissions", "--vhost", "/", user, configure or "^$", write or "^$", read or "^$")

    def _end_node(self, how: signal.Signals) -> None:
        if self._node:
            end(self._node, how, _STOP_SECONDS)
            self._node = None

    def _run_epmd(self) -> subprocess.Popen[bytes]:
        """In the foreground, so that it ends with us; the one of the machine would be used by others, too."""
        spec = self._spec("epmd", _epmd_binary(), "-port", str(self._epmd_port), "-address", HOST)
        process = spawn(spec, os.open(os.devnull, os.O_WRONLY))
        _wait_for_port(process, self._epmd_port)
        return process

    def _spec(self, name: str, *command: str) -> Spec:
        """It ends with us, however we end."""
        return Spec(name, command, self._environment(), folder=self._directory)

    def _write_configuration(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        (self._directory / "environment").touch()
        (self._directory / "enabled_plugins").write_text("[].\n")
        (self._directory / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = {HOST}:{self.port}\n"
            f"default_user = {self.user}\n"
            f"default_pass = {self.password}\n"
            "default_permissions.configure = .*\n"
            "default_permissions.read = .*\n"
            "default_permissions.write = .*\n"
            "disk_free_limit.absolute = 10MB\n"
            "log.file.level = warning\n"
        )

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "ERL_"))}
        here = self._directory
        return inherited | {
            "HOME": str(here),  # the cookie is made here
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": HOST,
            "RUNNING_UNDER_SYSTEMD": "true",  # the script becomes the Erlang machine, instead of waiting for it
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_CONF_ENV_FILE": str(here / "environment"),
            "RABBITMQ_CONFIG_FILE": str(here / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(here / "advanced.config"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(here / "generated"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(here / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(here / "data"),
            "RABBITMQ_LOG_BASE": str(here / "log"),
            "RABBITMQ_PID_FILE": str(here / "node.pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"+S 2:2 +A 8 -start_epmd false {_LOOPBACK_DISTRIBUTION}",
            "RABBITMQ_CTL_ERL_ARGS": f"+S 1:1 -start_epmd false {_LOOPBACK_DISTRIBUTION}",
        }

    def _last_words(self) -> str:
        return (self._directory / "console.log").read_text(errors="replace")[-2000:]


def wait_for_login(process: subprocess.Popen[bytes], host: str, port: int, user: str, password: str, seconds: float) -> None:
    """Raises BrokerDied when the process ends or the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise BrokerDied(f"the broker ended with {process.returncode}")
        try:
            with amqp.Connection(f"{host}:{port}", userid=user, password=password, connect_timeout=5):
                return
        except (OSError, amqp.exceptions.AMQPError):
            time.sleep(0.05)
    raise BrokerDied(f"no login within {seconds:.0f} s")


def end(process: subprocess.Popen[bytes], how: signal.Signals, seconds: float) -> None:
    """Signals the process alone; what is left of its session goes with SIGKILL."""
    if process.poll() is None:
        process.send_signal(how)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _epmd_binary() -> str:
    epmd = shutil.which("epmd")
    if epmd is None:
        asked = ["erl", "-noshell", "-eval", 'io:format("~s", [code:root_dir()]), halt().']
        root = Path(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)
        epmd = str(next(root.glob("erts-*/bin/epmd")))
    return epmd


def _wait_for_port(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((HOST, port), 1).close()
            return
        except OSError:
            time.sleep(0.01)
    raise BrokerDied(f"epmd does not answer on port {port}")


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]
