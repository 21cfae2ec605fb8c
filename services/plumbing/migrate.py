"""Numbered migrations in plain SQL: `python -m services.plumbing.migrate identity customers …`, once per deploy.

Each database runs the plumbing's own files first, then the service's. One runs at a time (advisory lock), each file in a
transaction of its own, with timeouts so that a migration waiting for a lock does not hold up the service behind it.
An applied file may not change: its checksum is kept.
"""

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from services.contracts.subscriptions import OF_THE_DIRECTORY, SUBSCRIPTIONS
from services.plumbing.settings import SettingMissing, read

LOCK = 0x7175_6461_6F  # "qudao"
ROOT = Path(__file__).parent.parent
LOCK_TIMEOUT = "5s"
TIMEOUTS = "SET statement_timeout = '10min'; SET idle_in_transaction_session_timeout = '1min'; SET lock_timeout = '60s'"


class MigrationChanged(SystemExit):
    """An applied migration was edited."""


@dataclass(frozen=True)
class Migration:
    track: str
    path: Path

    @property
    def number(self) -> int:
        return int(self.path.name[:4])

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations_of(service: str) -> list[Migration]:
    """All files in the order in which they run."""
    shared = ["directory"] if set(OF_THE_DIRECTORY) <= set(SUBSCRIPTIONS.get(service, ())) else []
    tracks = {track: ROOT / track for track in ("plumbing", *shared, service)}
    return [Migration(track, path) for track, folder in tracks.items() for path in sorted(folder.glob("migrations/[0-9]*.sql"))]


def applied(connection: psycopg.Connection) -> dict[tuple[str, int], str]:
    rows = connection.execute("SELECT track, number, checksum FROM migration").fetchall()
    return {(track, number): checksum for track, number, checksum in rows}


def is_current(connection: psycopg.Connection, service: str) -> bool:
    """Whether the database has every migration of this code."""
    try:
        done = applied(connection)
    except psycopg.errors.UndefinedTable:
        return False
    return all((m.track, m.number) in done for m in migrations_of(service))


def migrate(owner_url: str, service: str, app_role: str) -> list[str]:
    """Brings one database up to date; the names of what ran. Raises MigrationChanged for an edited file."""
    ran = []
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute(TIMEOUTS)
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        connection.execute("SELECT set_config('lock_timeout', %s, false)", [LOCK_TIMEOUT])
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migration (track text, number integer, checksum text NOT NULL,"
            " applied_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (track, number))"
        )
        done = applied(connection)
        for migration in migrations_of(service):
            known = done.get((migration.track, migration.number))
            if known is None:
                run(connection, migration, app_role)
                ran.append(f"{migration.track}/{migration.path.name}")
            elif known != migration.checksum:
                raise MigrationChanged(f"{migration.path.name} of {migration.track} was changed after it had been applied.")
    return ran


def run(connection: psycopg.Connection, migration: Migration, app_role: str) -> None:
    text = migration.text.replace(":app", sql.Identifier(app_role).as_string(connection))
    with connection.transaction():
        connection.execute(text.encode())
        connection.execute(
            "INSERT INTO migration (track, number, checksum) VALUES (%s, %s, %s)",
            [migration.track, migration.number, migration.checksum],
        )


def main(services: list[str]) -> None:
    for service in services:
        owner_url = read(f"QUDAO_{service.upper()}_OWNER_DATABASE_URL")
        app_url = read(f"QUDAO_{service.upper()}_DATABASE_URL")
        if not owner_url or not app_url:
            name = f"QUDAO_{service.upper()}"
            raise SettingMissing(f"{name}_OWNER_DATABASE_URL and {name}_DATABASE_URL are needed.")
        app_role = conninfo_to_dict(app_url)["user"]
        for name in migrate(owner_url, service, str(app_role)):
            print(f"{service}: {name}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
