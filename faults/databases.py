"""What can happen to PostgreSQL: killed, without space, lost for good while a standby takes over."""

import contextlib
import os
import shutil
import time
from pathlib import Path

import psycopg

from embedded.ports import free_port
from embedded.postgres import Postgres
from embedded.supervise import Process, spawn, wait_until
from faults.system import DATABASE, System
from faults.trial import Trial

PATIENCE = 60.0


def killed(trial: Trial) -> None:
    """The server as by a power cut; its supervisor starts it again, and it recovers what was committed."""
    for _ in trial.times(5):
        with trial.outage("PostgreSQL killed"):
            process = trial.system.postgresql
            before = process.exits
            process.signal(9)
            System.wait(lambda: process.exits > before, PATIENCE, "the killed server still runs")  # noqa: B023 at once
            System.wait(lambda: answers(trial.system.stack.admin_url), PATIENCE, "the server does not come back")
        trial.pause(0, 2)


def answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


# --- without space


def full(trial: Trial) -> None:
    """First tables cannot grow: writes are refused, reads go on. Then nor can the log: the server ends until there is space."""
    disk = trial.system.data.resolve().parent
    filler = disk / "filler"
    for _ in trial.times(2):
        with trial.outage("the disk is full"):
            fill(filler)
            readings = [read(trial) for _ in range(max(3, int(trial.seconds(20, 5))))]
            if any(status != 200 for status in readings):
                trial.complain(f"reads were answered with {sorted(set(readings))} while tables could not grow")
            filler.unlink()
        with trial.outage("the disk is full, and the log as well"):
            fill(filler)
            with contextlib.suppress(psycopg.Error):
                for _ in range(20):
                    trial.system.rows("customers", "SELECT pg_switch_wal(), txid_current()")
            time.sleep(trial.seconds(10, 3))
            filler.unlink()
            System.wait(lambda: answers(trial.system.stack.admin_url), PATIENCE, "the server does not come back")


def fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 16))


def read(trial: Trial) -> int:
    time.sleep(1)
    return trial.ledger.cast.reps[0].request("GET", "/v1/customers?limit=5").status_code


# --- a standby takes over


class Pair:
    """The database that serves, and one that has every commit before it is told. Who serves is where the proxies lead."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.password_file = system.stack.secrets / "postgres-password"
        self.serving: Process = system.postgresql
        self.number = 1

    def admin(self, statement: str) -> None:
        with psycopg.connect(self.system.stack.admin_url, autocommit=True) as connection:
            connection.execute(statement)

    def add_standby(self) -> tuple[Process, str]:
        """A copy that follows, and its address. From now on a commit waits for it."""
        self.number += 1
        server = Postgres(self.system.home / f"standby-{self.number}", self.password_file)
        shutil.rmtree(server.data, ignore_errors=True)
        url, port = f"{self.system.stack.admin_url}?application_name=standby", free_port()
        copy = server.run(
            "pg_basebackup", f"--pgdata={server.data}", "--write-recovery-conf", "--checkpoint=fast", f"--dbname={url}"
        )
        with open(os.devnull, "wb") as nowhere:
            if spawn(copy, os.dup(nowhere.fileno())).wait() != 0:
                raise RuntimeError("pg_basebackup failed")
        server.data.chmod(0o700)
        server.check()
        [process] = self.system.add(server.spec(port))
        System.wait(lambda: answers(server.url(port)), PATIENCE, "the standby does not start")
        self.admin("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.admin("SELECT pg_reload_conf()")
        System.wait(self.is_in_step, PATIENCE, "the standby does not follow")
        return process, server.url(port)

    def is_in_step(self) -> bool:
        with psycopg.connect(self.system.stack.admin_url) as connection:
            return connection.execute("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'").fetchone() is not None

    def fail_over(self, standby: Process, url: str) -> float:
        """The serving one is lost for good; seconds until the other one serves."""
        began = time.monotonic()
        self.serving.is_wanted = False
        self.serving.signal(9)
        wait_until(lambda: not self.serving.is_running, PATIENCE)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SELECT pg_promote(true, 60)")
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = ''")  # nobody follows it yet
            connection.execute("SELECT pg_reload_conf()")
            host, port = connection.info.host, connection.info.port
        for name in self.system.ways:
            if name.endswith(DATABASE):
                self.system.way(name).target = (host, port)
                self.system.way(name).drop()
        self.system.stack.admin_url, self.serving = url, standby
        return time.monotonic() - began


def failed_over(trial: Trial) -> None:
    """A standby with synchronous replication is promoted at a random moment; then it gets a standby of its own."""
    pair = Pair(trial.system)
    for _ in trial.times(3):
        standby, url = pair.add_standby()
        trial.pause(1, 5)
        with trial.outage("PostgreSQL lost, its standby promoted"):
            seconds = pair.fail_over(standby, url)
        trial.result.figures["promotion"] = max(seconds, trial.result.figures.get("promotion", 0.0))
