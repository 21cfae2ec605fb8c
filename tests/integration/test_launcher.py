"""The launcher with real servers and small stand-ins for the services: what it starts, says, and leaves behind."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from embedded import postgres, supervise, up
from embedded.ports import free_port
from embedded.readiness import get
from embedded.stack import Stack
from embedded.supervise import wait_until
from tests.integration.stand_ins import PARTS
from tests.processes import running

ROOT = Path(__file__).resolve().parent.parent.parent
ALL_STOPPED_WITHIN = 5.0


def heed_signals() -> None:
    """Also where the test run itself does not, as under nohup: what is ignored is inherited."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Launcher:
    """`qudao up` as somebody runs it in a terminal."""

    def __init__(self, home: Path, **env: str) -> None:
        self.home, self.port = home, free_port()
        settings = {"QUDAO_HOME": str(home), "QUDAO_HTTP_PORT": str(self.port), **env}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.stand_ins"],
            cwd=ROOT,
            env={**os.environ, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=heed_signals,
        )
        self.said: list[str] = []
        self.family: list[psutil.Process] = []

    def until(self, words: str) -> "Launcher":
        if any(words in line for line in self.said):
            return self
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if words in line:
                self.family = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
                return self
        raise AssertionError(f"ended without {words!r}:\n{''.join(self.said)}")

    def until_ready(self) -> "Launcher":
        return self.until("/v1/setup")

    def ended(self, within: float = 30.0) -> tuple[int, str]:
        rest, _ = self.process.communicate(timeout=within)
        return self.process.returncode, "".join(self.said) + rest

    def stop(self, number: int = signal.SIGINT) -> float:
        """Seconds until it and all it had started were gone."""
        begun = time.monotonic()
        self.process.send_signal(number)
        self.process.communicate(timeout=30)
        assert not self.left_over()
        return time.monotonic() - begun

    def left_over(self) -> list[psutil.Process]:
        return running(self.family)


@pytest.fixture(scope="module")
def used_home(tmp_path_factory):
    """A home that had its first start; a copy of it starts faster than an empty one."""
    home = tmp_path_factory.mktemp("used")
    with Stack(home, fast=True, parts=PARTS, migration=()):
        pass
    return home


@pytest.fixture
def home(tmp_path, used_home):
    return shutil.copytree(used_home, tmp_path / "home")


@pytest.fixture
def launch(home):
    launched = []

    def start(home: Path = home, **env: str) -> Launcher:
        launched.append(Launcher(home, **env))
        return launched[-1]

    yield start
    for launcher in launched:
        launcher.process.kill()
        launcher.process.communicate()
        assert wait_until(lambda launcher=launcher: not launcher.left_over(), 10)


def in_one_sentence(answer: tuple[int, str], words: str) -> bool:
    code, said = answer
    last = said.splitlines()[-1]
    return code == 1 and last.startswith("qudao: ") and last.endswith(".") and words in last and "Traceback" not in said


# --- starting


def test_it_says_where_it_is_and_how_to_make_the_first_administrator(launch):
    launcher = launch().until_ready()

    said = "".join(launcher.said)
    assert f"address:   http://127.0.0.1:{launcher.port}\n" in said
    assert f"API docs:  http://127.0.0.1:{launcher.port}/docs\n" in said
    assert (launcher.home / "secrets" / "setup-secret").read_text() in said
    assert get(f"http://127.0.0.1:{launcher.port}/readyz")[0] == 200
    launcher.until("customers   | serving")


def test_replicas_listen_side_by_side(launch):
    launcher = launch(QUDAO_REPLICAS="customers=2,gateway=2").until_ready()

    launcher.until("customers.2 | serving")
    assert get(f"http://127.0.0.1:{launcher.port + 1}/readyz")[0] == 200


def test_two_homes_run_side_by_side(launch, tmp_path):
    one, other = launch(), launch(tmp_path / "empty")

    one.until_ready(), other.until_ready()

    assert get(f"http://127.0.0.1:{one.port}/readyz")[0] == get(f"http://127.0.0.1:{other.port}/readyz")[0] == 200


# --- refusing to start


def test_a_port_in_use_is_told_before_anything_starts(launch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        answer = launch(tmp_path / "empty", QUDAO_HTTP_PORT=str(port)).ended()

    assert in_one_sentence(answer, f"Port {port} is in use")
    assert not (tmp_path / "empty" / "postgresql").exists()


def test_a_second_launcher_on_the_same_home_is_refused(launch):
    first = launch().until_ready()

    answer = launch().ended()

    assert in_one_sentence(answer, f"in use by process {first.process.pid}")
    assert get(f"http://127.0.0.1:{first.port}/readyz")[0] == 200


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: (data / "PG_VERSION").unlink(), "is not a data directory of PostgreSQL"),
        (lambda data: (data / "PG_VERSION").write_text("17\n"), "was made by PostgreSQL 17 and not 18"),
        (lambda data: (data / "global" / "pg_control").unlink(), "PostgreSQL does not start"),
        (lambda data: shutil.rmtree(data / "pg_wal"), "PostgreSQL does not start"),
        (lambda data: (data / "pg_hba.conf").write_text("nonsense\n"), "PostgreSQL does not start"),
    ],
    ids=["not-a-directory-of-data", "other-version", "no-control-file", "no-log", "wrong-configuration"],
)
def test_a_broken_data_directory_is_told_in_one_sentence(launch, home, damage, words):
    damage(home / "postgresql")

    assert in_one_sentence(launch().ended(), words)


@pytest.mark.parametrize(
    "said",
    [
        'FATAL:  could not write lock file "postmaster.pid": No space left on device',
        "FATAL:  could not extend file: wrote only 4096 of 8192 bytes\nHINT:  Check free disk space.\nPANIC:  cannot abort",
    ],
)
def test_a_full_disk_is_told_in_one_sentence(said):
    assert postgres.reason(said) == "there is no space left on the disk"


@pytest.mark.parametrize(
    ("name", "value"),
    [("QUDAO_HTTP_PORT", "http"), ("QUDAO_REPLICAS", "customers=many"), ("QUDAO_REPLICAS", "nobody=2")],
)
def test_a_wrong_setting_is_told_in_one_sentence(launch, name, value):
    assert in_one_sentence(launch(**{name: value}).ended(), name)


def test_a_database_that_does_not_answer_is_told_in_one_sentence(launch):
    nobody = f"postgresql://someone@127.0.0.1:{free_port()}/postgres"

    assert in_one_sentence(launch(DATABASE_URL=nobody).ended(), "The databases could not be made")


def test_a_service_that_cannot_start_shows_its_last_lines(launch):
    code, said = launch(STAND_IN="broken").ended()

    assert in_one_sentence((code, said), "ends again and again")
    assert "  the reason why it cannot serve" in said.splitlines()[-6:]


# --- stopping


@pytest.mark.parametrize(
    ("role", "number"),
    [("parent", signal.SIGINT), ("stubborn", signal.SIGINT), ("service", signal.SIGTERM), ("service", signal.SIGHUP)],
)
def test_everything_is_gone_within_five_seconds_of_a_signal(launch, role, number):
    launcher = launch(STAND_IN=role).until_ready()

    assert launcher.stop(number) < ALL_STOPPED_WITHIN
    assert launcher.process.returncode == 0


def test_a_signal_while_it_starts_stops_it_as_well(launch):
    launcher = launch().until("database: embedded")

    assert launcher.stop() < ALL_STOPPED_WITHIN


@pytest.mark.parametrize("role", ["service", "stubborn"])
def test_kill_9_of_the_launcher_leaves_nothing_behind(launch, role):
    launcher = launch(STAND_IN=role).until_ready()

    launcher.process.kill()

    assert wait_until(lambda: not launcher.left_over(), ALL_STOPPED_WITHIN)


def test_where_the_kernel_does_not_watch_a_process_does():
    """The way of other systems than Linux, which works there as well."""
    watcher = "import os; from embedded.child import watch; watch(os.getppid(), 9, ['/bin/sleep', '1000'])"
    launcher = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {watcher!r}])"
    with subprocess.Popen([sys.executable, "-c", launcher], cwd=ROOT) as process:
        parent = psutil.Process(process.pid)
        assert wait_until(lambda: any(child.name() == "sleep" for child in parent.children(recursive=True)), 10)
        family = parent.children(recursive=True)
        process.kill()

    assert not psutil.wait_procs(family, timeout=5)[1]


def test_data_outlives_a_stop_and_a_kill_9(launch):
    def notes(launcher: Launcher, statement: str) -> list[tuple[str]]:
        port = next(line.split("port ")[1] for line in launcher.said if 'address "127.0.0.1", port' in line).strip()
        password = (launcher.home / "secrets" / "customers-owner-password").read_text()
        with psycopg.connect(f"postgresql://qudao_customers_owner:{password}@127.0.0.1:{port}/qudao_customers") as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    first = launch().until_ready()
    notes(first, "CREATE TABLE note (text) AS VALUES ('kept')")
    first.stop()
    second = launch().until_ready()
    assert notes(second, "INSERT INTO note VALUES ('too') RETURNING text") == [("too",)]
    second.process.kill()

    assert notes(launch().until_ready(), "SELECT text FROM note ORDER BY text") == [("kept",), ("too",)]


def test_a_database_that_outlived_its_launcher_is_stopped(launch):
    """The kernel tells it to end, but a process that is stopped hears nothing until it goes on."""
    first = launch().until_ready()
    server = next(process for process in first.family if "postgresql" in " ".join(process.cmdline()[:3]))
    server.suspend()
    first.process.kill()
    first.process.wait()

    second = launch()
    assert wait_until(lambda: server.status() == psutil.STATUS_STOPPED, 5)
    server.resume()

    second.until_ready()


def test_a_pid_file_with_the_number_of_another_process_harms_nobody(launch, home):
    with subprocess.Popen(["sleep", "1000"]) as bystander:
        (home / "postgresql" / "postmaster.pid").write_text(f"{bystander.pid}\n/elsewhere\n")

        launch().until_ready()

        assert bystander.poll() is None
        bystander.kill()


# --- as a library


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    replicas = {"customers": 2, "gateway": 2}
    with Stack(tmp_path_factory.mktemp("stack"), fast=True, parts=PARTS, migration=(), replicas=replicas) as running:
        yield running


def test_tests_can_reach_what_runs(stack):
    assert [get(f"{url}/readyz")[0] for url in stack.gateway_urls] == [200, 200]
    for service in ("identity", "customers", "activities", "rules"):
        psycopg.connect(stack.database_url(service)).close()
        psycopg.connect(stack.owner_url(service)).close()
    assert stack.amqp_uri.startswith("amqp://qudao:")
    assert len(stack.setup_secret) >= 32
    assert len(stack.processes["customers"]) == 2


def test_a_process_that_ends_is_started_again(stack):
    before = stack.processes["customers"][1].pid

    stack.kill("customers", 1)

    assert wait_until(lambda: stack.processes["customers"][1].pid not in (None, before), 5)
    assert wait_until(lambda: stack.log_of("customers", 1).count("serving") == 2, 5)


def test_a_halted_process_stays_down_until_it_is_resumed(stack):
    stack.halt("rules")

    assert stack.processes["rules"][0].pid is None
    stack.resume("rules")
    assert stack.processes["rules"][0].is_running


def test_the_database_comes_back_with_its_data(stack):
    with psycopg.connect(stack.owner_url("customers")) as connection:
        connection.execute("CREATE TABLE kept ()")

    stack.restart("postgresql")

    def is_back() -> bool:
        try:
            with psycopg.connect(stack.owner_url("customers")) as connection:
                return connection.execute("SELECT to_regclass('kept') IS NOT NULL").fetchone() == (True,)
        except psycopg.OperationalError:
            return False

    assert wait_until(is_back, 10)


def test_each_process_gets_its_own_secrets_and_nobody_elses(stack):
    [identity, rules] = [psutil.Process(stack.processes[name][0].pid).environ() for name in ("identity", "rules")]

    assert {name for name in rules if name.endswith("DATABASE_URL")} == {"QUDAO_RULES_DATABASE_URL"}
    assert rules["QUDAO_SIGNING_KEY_FILE"].endswith("signing/rules.pem")
    assert "QUDAO_SETUP_SECRET_FILE" in identity
    assert "QUDAO_SETUP_SECRET_FILE" not in rules


def test_an_exception_inside_leaves_nothing_behind(home):
    stack, pids = Stack(home, fast=True, parts=PARTS, migration=()), []

    def fail() -> None:
        with stack:
            pids.extend(process.pid for process in stack.supervisor.processes)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert len(pids) == 7
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_restarts_slow_down_and_begin_anew_after_a_quiet_time():
    delays = [0.0]
    for _ in range(7):
        delays.append(supervise.next_delay(delays[-1], lived=1))

    assert delays[1:] == [0.5, 1, 2, 4, 8, 15, 15]
    assert supervise.next_delay(15, lived=31) == 0.5


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="only root has to become somebody else")
def test_root_without_namespaces_runs_the_database_as_nobody_and_changes_back(home, monkeypatch):
    monkeypatch.setattr(postgres, "IDENTITIES", ("nobody",))
    with Stack(home, fast=True, parts=PARTS, migration=()) as stack:
        server = psutil.Process(stack.processes["postgresql"][0].pid)
        assert server.username() == "nobody"

    monkeypatch.setattr(postgres, "IDENTITIES", ("namespace", "nobody"))
    with Stack(home, fast=True, parts=PARTS, migration=()) as stack:
        psycopg.connect(stack.database_url("rules")).close()


def test_replicas_are_read_from_a_setting():
    assert up.replicas(" customers=2, gateway=3 ", {"customers", "gateway"}) == {"customers": 2, "gateway": 3}
    assert up.replicas("", {"customers"}) == {}
