"""Databases, roles and keys, made on a real server."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from embedded import servers
from embedded.output import Files
from embedded.supervise import Supervisor
from ops.addresses import ServiceDatabase, derive
from ops.keys import SERVICES, make_keys
from ops.provision import provision

ROOT = Path(__file__).resolve().parent.parent.parent
STATE = """
    SELECT 'database', datname, datdba::regrole::text, datacl::text FROM pg_database
    UNION ALL SELECT 'role', rolname, concat(rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolcanlogin), NULL FROM pg_roles
    ORDER BY 1, 2
"""
RIGHTS = """
    SELECT 'schema', nspname::text, nspowner::regrole::text, nspacl::text FROM pg_namespace WHERE nspname = 'public'
    UNION ALL SELECT 'default', defaclobjtype::text, defaclnamespace::regnamespace::text, defaclacl::text FROM pg_default_acl
    ORDER BY 1, 2, 3
"""


@pytest.fixture(scope="module")
def secrets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("secrets")
    make_keys(folder)
    return folder


@pytest.fixture(scope="module")
def admin_url(tmp_path_factory, secrets):
    folder = tmp_path_factory.mktemp("server")
    supervisor = Supervisor(Files(folder))
    try:
        yield servers.start_database(folder / "data", secrets / "postgres-password", supervisor, fast=True)
    finally:
        supervisor.stop()
        supervisor.end(supervisor.processes, 5)


@pytest.fixture(scope="module")
def databases(admin_url, secrets):
    made = {service: ServiceDatabase(service, "qudao", secrets) for service in SERVICES}
    provision(admin_url, made.values())
    with psycopg.connect(made["customers"].owner_url(admin_url)) as owner:
        owner.execute("CREATE TABLE thing (id bigint GENERATED ALWAYS AS IDENTITY, name text)")
        owner.execute("CREATE FUNCTION twice(n integer) RETURNS integer LANGUAGE sql RETURN 2 * n")
    return made


@pytest.fixture
def customers(admin_url, databases):
    with psycopg.connect(databases["customers"].url(admin_url), autocommit=True) as connection:
        yield connection


def state_of(admin_url, databases):
    with psycopg.connect(admin_url) as admin:
        everywhere = admin.execute(STATE).fetchall()
    for database in databases:
        with psycopg.connect(derive(admin_url, database.name)) as inside:
            everywhere += inside.execute(RIGHTS).fetchall()
    return everywhere


def test_the_application_reads_and_writes_rows_of_tables_that_the_owner_makes(customers):
    customers.execute("INSERT INTO thing (name) VALUES ('a')")
    customers.execute("UPDATE thing SET name = 'b'")

    assert customers.execute("SELECT name, twice(2) FROM thing").fetchall() == [("b", 4)]
    assert customers.execute("DELETE FROM thing").rowcount == 1


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine ()",
        "CREATE TEMPORARY TABLE mine ()",
        "CREATE SCHEMA mine",
        "ALTER TABLE thing ADD COLUMN more text",
        "DROP TABLE thing",
        "TRUNCATE thing",
        "CREATE ROLE somebody",
        "CREATE DATABASE somewhere",
        "SET ROLE qudao_customers_owner",
        "ALTER DEFAULT PRIVILEGES FOR ROLE qudao_customers_owner GRANT ALL ON TABLES TO qudao_customers",
    ],
)
def test_the_application_changes_no_schema_and_no_rights(customers, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        customers.execute(statement)


@pytest.mark.parametrize("kind", ["url", "owner_url"])
@pytest.mark.parametrize("service", SERVICES)
def test_a_role_enters_no_database_but_its_own(admin_url, databases, service, kind):
    own = getattr(databases[service], kind)(admin_url)
    foreign = [database.name for database in databases.values() if database.service != service]

    psycopg.connect(own).close()
    for name in (*foreign, "postgres", "template1"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(derive(own, name))


def test_a_wrong_password_is_refused(admin_url, databases):
    wrong = derive(admin_url, "qudao_customers", user="qudao_customers", password="wrong")

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_row_security_binds_the_application(admin_url, databases, customers):
    with psycopg.connect(databases["customers"].owner_url(admin_url)) as owner:
        owner.execute("CREATE TABLE secret (); ALTER TABLE secret ENABLE ROW LEVEL SECURITY; INSERT INTO secret DEFAULT VALUES")

    assert customers.execute("SELECT count(*) FROM secret").fetchone() == (0,)


def test_a_right_that_a_migration_took_away_stays_away(admin_url, databases, customers):
    with psycopg.connect(databases["customers"].owner_url(admin_url)) as owner:
        owner.execute("CREATE TABLE ledger (); REVOKE UPDATE, DELETE ON ledger FROM qudao_customers")

    provision(admin_url, databases.values())

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        customers.execute("DELETE FROM ledger")


def test_provisioning_again_changes_nothing(admin_url, databases):
    before = state_of(admin_url, databases.values())

    provision(admin_url, databases.values())

    assert state_of(admin_url, databases.values()) == before


def test_four_provisioners_at_once_do_what_one_does(admin_url, secrets):
    wanted = [ServiceDatabase(service, "at_once", secrets) for service in SERVICES]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: provision(admin_url, wanted), range(4)))

    for database in wanted:
        psycopg.connect(database.url(admin_url)).close()


def test_a_role_that_has_grown_is_trimmed(admin_url, databases):
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute("ALTER ROLE qudao_customers BYPASSRLS CREATEROLE")

        provision(admin_url, databases.values())

        found = admin.execute("SELECT rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = 'qudao_customers'").fetchone()
    assert found == (False, False)


def test_an_administrator_without_superuser_is_enough(admin_url, secrets):
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute("CREATE ROLE landlord LOGIN CREATEDB CREATEROLE PASSWORD 'x'")
        admin.execute("GRANT CONNECT ON DATABASE postgres TO landlord")
    wanted = [ServiceDatabase("customers", "rented", secrets)]
    landlord = derive(admin_url, "postgres", user="landlord", password="x")

    provision(landlord, wanted)
    provision(landlord, wanted)

    psycopg.connect(wanted[0].url(admin_url)).close()


def test_the_command_leaves_alone_what_somebody_else_looks_after(admin_url, secrets):
    env = {
        "QUDAO_ADMIN_DATABASE_URL": admin_url,
        "QUDAO_SECRETS_DIR": str(secrets),
        "QUDAO_DATABASE_PREFIX": "shared",
        "QUDAO_RULES_DATABASE_URL": "postgresql://elsewhere/rules",
    }

    subprocess.run([sys.executable, "-m", "ops.provision"], env={**os.environ, **env}, cwd=ROOT, check=True)

    with psycopg.connect(admin_url) as admin:
        names = admin.execute("SELECT datname FROM pg_database WHERE starts_with(datname, 'shared')").fetchall()
    assert sorted(names) == [("shared_activities",), ("shared_customers",), ("shared_identity",)]


def test_no_password_is_sent_in_clear(admin_url, databases, secrets):
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")  # also proves that contrib is there
        stored = dict(admin.execute(sql.SQL("SELECT rolname, rolpassword FROM pg_authid WHERE rolname LIKE 'qudao%'")).fetchall())

    assert stored
    assert all(verifier.startswith("SCRAM-SHA-256$") for verifier in stored.values())


def test_keys_are_made_once_and_for_their_owner_alone(tmp_path):
    folder = tmp_path / "secrets"

    make_keys(folder)
    first = contents(folder)
    make_keys(folder)

    assert contents(folder) == first
    assert len(first) == 2 * 5 + 3 + 2 * 4 + 5
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (folder, folder / "signing", folder / "trusted")} == {0o700}


def test_a_missing_key_is_made_and_its_public_half_follows(tmp_path):
    make_keys(tmp_path)
    before = contents(tmp_path)
    (tmp_path / "signing" / "rules.pem").unlink()

    make_keys(tmp_path)

    after = contents(tmp_path)
    assert {name for name in after if after[name] != before[name]} == {"signing/rules.pem", "trusted/rules.pem"}


def test_key_makers_at_once_agree(tmp_path):
    commands = [[sys.executable, "-m", "ops.keys", str(tmp_path / "secrets")] for _ in range(4)]
    makers = [subprocess.Popen(command, cwd=ROOT) for command in commands]
    assert [maker.wait() for maker in makers] == [0, 0, 0, 0]

    first = contents(tmp_path / "secrets")
    make_keys(tmp_path / "secrets")

    assert contents(tmp_path / "secrets") == first


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
