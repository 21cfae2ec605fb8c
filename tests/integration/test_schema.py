"""The sum of the migrations is what the models say, and migrations run once, one at a time, unchanged."""

import importlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import MetaData, create_engine
from sqlalchemy.engine import make_url

from embedded.stack import Stack
from ops.addresses import derive
from services.contracts.base import SERVICES
from services.directory import models as directory
from services.plumbing import migrate
from tests.api import unique

COLUMNS = """
    SELECT table_name, column_name, data_type, udt_name, is_nullable FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name = ANY(%s) ORDER BY 1, 2
"""
CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text = ANY(%s) AND contype <> 'n' ORDER BY 1, 2
"""
INDEXES = (
    "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = ANY(%s) ORDER BY 1, 2"
)

OF_INDEXES = """
    SELECT DISTINCT pg_get_functiondef(f.oid) FROM pg_depend AS d JOIN pg_proc AS f ON f.oid = d.refobjid
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_proc'::regclass AND f.pronamespace = 'public'::regnamespace
"""
"""The functions by whose values something is indexed, which no model makes."""


@pytest.fixture
def scratch(stack: Stack) -> Iterator[str]:
    """The address of an empty database."""
    name = unique("scratch")
    with psycopg.connect(stack.admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield derive(stack.admin_url, name)
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def shape(url: str, tables: list[str]) -> dict[str, list[tuple[str, ...]]]:
    with psycopg.connect(url) as connection:
        return {
            kind: connection.execute(query, [tables]).fetchall()
            for kind, query in (("columns", COLUMNS), ("constraints", CONSTRAINTS), ("indexes", INDEXES))
        }


def metadatas(service: str) -> list[MetaData]:
    """Of the service, and of the directory where it keeps one."""
    importlib.import_module(f"services.{service}.service")  # with the models of its parts
    own: MetaData = importlib.import_module(f"services.{service}.models").Base.metadata
    keeps_one = any(migration.track == "directory" for migration in migrate.migrations_of(service))
    return [own, directory.Base.metadata] if keeps_one else [own]


def tables_of(service: str) -> set[str]:
    return {table for metadata in metadatas(service) for table in metadata.tables}


@pytest.mark.parametrize("service", SERVICES)
def test_the_sum_of_migrations_is_what_the_models_say(service: str, stack: Stack, scratch: str) -> None:
    with psycopg.connect(stack.owner_url(service)) as migrated_by, psycopg.connect(scratch) as empty:
        for (definition,) in migrated_by.execute(OF_INDEXES).fetchall():
            empty.execute(definition)
    engine = create_engine(make_url(scratch).set(drivername="postgresql+psycopg"))
    for metadata in metadatas(service):
        metadata.create_all(engine)
    engine.dispose()
    tables = sorted(tables_of(service))

    migrated = shape(stack.owner_url(service), tables)

    assert len(tables) >= 2
    assert migrated == shape(scratch, tables)


@pytest.mark.parametrize("service", SERVICES)
def test_every_table_of_a_service_has_a_model_or_is_the_plumbings(service: str, stack: Stack) -> None:
    with psycopg.connect(stack.owner_url(service)) as connection:
        tables = {row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    audit = {"audit", "audit_unchained", "audit_chain", "audit_checkpoint", "denial", "denial_count"}
    plumbing = {"command", "outbox", "inbox", "event_cursor", "migration"} | audit
    assert tables == plumbing | tables_of(service)


def test_migrations_run_once(stack: Stack, scratch: str) -> None:
    assert len(migrate.migrate(scratch, "customers", "qudao_customers")) >= 2
    assert migrate.migrate(scratch, "customers", "qudao_customers") == []


def test_two_migrators_at_once_do_each_step_once(stack: Stack, scratch: str) -> None:
    ran: list[list[str]] = []
    threads = [threading.Thread(target=lambda: ran.append(migrate.migrate(scratch, "rules", "qudao_rules"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(steps) for steps in ran)[:3] == [0, 0, 0]
    assert sum(len(steps) for steps in ran) == len(migrate.migrations_of("rules"))


def test_an_edited_migration_is_refused(scratch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("plumbing", "extra"):
        (tmp_path / folder / "migrations").mkdir(parents=True)
    first = tmp_path / "extra" / "migrations" / "0001_first.sql"
    first.write_text("CREATE TABLE first (id integer)")
    monkeypatch.setattr(migrate, "ROOT", tmp_path)
    migrate.migrate(scratch, "extra", "qudao_rules")
    first.write_text("CREATE TABLE first (id bigint)")
    with pytest.raises(migrate.MigrationChanged, match=r"0001_first\.sql"):
        migrate.migrate(scratch, "extra", "qudao_rules")


def test_a_failing_migration_leaves_nothing_behind(scratch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("plumbing", "extra"):
        (tmp_path / folder / "migrations").mkdir(parents=True)
    (tmp_path / "extra" / "migrations" / "0001_first.sql").write_text("CREATE TABLE first (id integer); SELECT 1 / 0")
    monkeypatch.setattr(migrate, "ROOT", tmp_path)
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate.migrate(scratch, "extra", "qudao_rules")
    with psycopg.connect(scratch) as connection:
        assert connection.execute("SELECT to_regclass('first')").fetchone() == (None,)


def test_a_migration_waits_for_a_busy_table_no_longer_than_its_timeout(
    scratch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("plumbing", "extra"):
        (tmp_path / folder / "migrations").mkdir(parents=True)
    (tmp_path / "extra" / "migrations" / "0001_first.sql").write_text("ALTER TABLE busy ADD COLUMN more integer")
    monkeypatch.setattr(migrate, "ROOT", tmp_path)
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "200ms")
    with psycopg.connect(scratch) as holder:
        holder.execute("CREATE TABLE busy (id integer)")
        holder.commit()
        holder.execute("SELECT FROM busy")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            migrate.migrate(scratch, "extra", "qudao_rules")


def test_the_command_says_what_is_missing() -> None:
    command = [sys.executable, "-m", "services.plumbing.migrate", "customers"]
    ended = subprocess.run(command, capture_output=True, text=True, env={"PATH": "/usr/bin"}, check=False)
    assert ended.returncode == 1
    assert ended.stderr.strip() == "QUDAO_CUSTOMERS_OWNER_DATABASE_URL and QUDAO_CUSTOMERS_DATABASE_URL are needed."
