"""Makes a database and two roles for each service: `python -m ops.provision`. May run any number of times, and at once.

The owner changes tables, the application only rows, and neither enters another service's database. A service whose
`QUDAO_<SERVICE>_DATABASE_URL` is set has a database that somebody else looks after, and is left alone.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

import psycopg
from psycopg import sql

from ops.addresses import ServiceDatabase, derive
from ops.keys import SERVICES
from services.plumbing.settings import SettingMissing, read

LOCK = 0x7175_6461_6F01  # one provisioner at a time
MODEST = sql.SQL("NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS")
ROLE = "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls FROM pg_roles WHERE rolname = %s"

# Default privileges and not grants on what is there: a migration that takes a right away, as from the audit, keeps it so.
# Functions are open to PUBLIC unless that is revoked for the whole database, not for one schema.
RIGHTS = """
    ALTER SCHEMA public OWNER TO {owner};
    REVOKE ALL ON SCHEMA public FROM PUBLIC;
    GRANT USAGE ON SCHEMA public TO {role};
    ALTER DEFAULT PRIVILEGES FOR ROLE {owner} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
    ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role};
    ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT USAGE ON SEQUENCES TO {role};
    ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO {role};
"""


def provision(admin_url: str, databases: Iterable[ServiceDatabase]) -> None:
    """Brings databases, roles and rights to what they should be. Raises psycopg.Error when the server refuses."""
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        for database in databases:
            ensure_role(admin, database.owner, database.owner_password)
            ensure_role(admin, database.role, database.password)
            ensure_database(admin, database)
            with psycopg.connect(derive(admin_url, database.name)) as inside:
                inside.execute(sql.SQL(RIGHTS).format(**names(database)))


def ensure_role(admin: psycopg.Connection, role: str, password: str) -> None:
    """The server gets a SCRAM verifier, never the password, as statements may end up in its log."""
    found = admin.execute(ROLE, [role]).fetchone()
    verifier = admin.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    if found is None:
        statement = sql.SQL("CREATE ROLE {role} LOGIN {modest} PASSWORD {verifier}")
    elif found[0]:
        statement = sql.SQL("ALTER ROLE {role} LOGIN {modest} PASSWORD {verifier}")
    else:  # naming a right, even to refuse it, takes an administrator who has it
        statement = sql.SQL("ALTER ROLE {role} LOGIN PASSWORD {verifier}")
    admin.execute(statement.format(role=sql.Identifier(role), modest=MODEST, verifier=sql.Literal(verifier)))


def ensure_database(admin: psycopg.Connection, database: ServiceDatabase) -> None:
    if admin.info.parameter_status("is_superuser") != "on":  # giving a database away takes membership
        run(admin, "GRANT {owner} TO CURRENT_USER", database)
    if admin.execute("SELECT FROM pg_database WHERE datname = %s", [database.name]).fetchone() is None:
        run(admin, "CREATE DATABASE {name} OWNER {owner} ENCODING 'UTF8' TEMPLATE template0", database)
    run(admin, "ALTER DATABASE {name} OWNER TO {owner}", database)
    run(admin, "REVOKE ALL ON DATABASE {name} FROM PUBLIC", database)
    run(admin, "REVOKE CREATE, TEMPORARY ON DATABASE {name} FROM {role}", database)
    run(admin, "GRANT CONNECT ON DATABASE {name} TO {role}", database)


def run(connection: psycopg.Connection, statement: str, database: ServiceDatabase) -> None:
    connection.execute(sql.SQL(statement).format(**names(database)))


def names(database: ServiceDatabase) -> dict[str, sql.Identifier]:
    return {
        "name": sql.Identifier(database.name),
        "owner": sql.Identifier(database.owner),
        "role": sql.Identifier(database.role),
    }


def required(name: str) -> str:
    if value := read(name):
        return value
    raise SettingMissing(f"{name} is missing.")


def main() -> None:
    prefix, secrets = read("QUDAO_DATABASE_PREFIX") or "qudao", Path(required("QUDAO_SECRETS_DIR"))
    ours = [service for service in SERVICES if not read(f"QUDAO_{service.upper()}_DATABASE_URL")]
    try:
        provision(required("QUDAO_ADMIN_DATABASE_URL"), [ServiceDatabase(service, prefix, secrets) for service in ours])
    except (psycopg.Error, OSError) as error:
        sys.exit(f"The databases could not be made: {error}")


if __name__ == "__main__":
    main()
