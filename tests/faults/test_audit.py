"""The audit: nobody changes it unseen."""

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from services.contracts.customers import ENTER_CUSTOMER, EnterCustomer
from services.plumbing.audit import verify
from tests.faults.world import World, eventually, unique


@pytest.fixture
def audited(world: World) -> World:
    """After load from several people at once, all of it chained."""
    people = [world.new_person() for _ in range(4)]
    calls = [
        world.begin(ENTER_CUSTOMER, EnterCustomer(name=unique("audited")), caller=person) for person in people for _ in range(10)
    ]
    for call in calls:
        call.result()
    eventually(lambda: world.value("customers", "SELECT count(*) FROM audit_unchained") == 0)
    return world


@pytest.fixture
def superuser(audited: World) -> Iterator[psycopg.Connection[Any]]:
    """Past triggers and foreign keys, in a transaction that is never committed."""
    with audited.database("customers") as connection:
        with connection.transaction(force_rollback=True):
            connection.execute("SET LOCAL session_replication_role = replica")
            yield connection


def some_row(connection: psycopg.Connection[Any]) -> uuid.UUID:
    """In the middle of a chain."""
    found = connection.execute("SELECT audit_id FROM audit_chain WHERE number = 5 LIMIT 1").fetchone()
    assert found is not None
    return found[0]


def test_every_chain_holds_after_load(audited: World) -> None:
    with audited.database("customers") as connection:
        verdict = verify(connection)

    assert (verdict.broken, verdict.reason, verdict.unchained) == (None, "", 0)
    assert verdict.rows == audited.value("customers", "SELECT count(*) FROM audit") >= 40


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit SET actor = 'somebody else' WHERE id = %s",
        "UPDATE audit SET at = at + interval '1 microsecond' WHERE id = %s",
        'UPDATE audit SET new = new || \'{"name": "another"}\' WHERE id = %s',
        "UPDATE audit SET result = 'denied' WHERE id = %s",
    ],
)
def test_a_changed_row_is_named(superuser: psycopg.Connection[Any], change: str) -> None:
    row = some_row(superuser)
    superuser.execute(change, [row])

    verdict = verify(superuser)

    assert (verdict.broken, verdict.reason) == (row, "it was changed")


def test_a_removed_row_is_named(superuser: psycopg.Connection[Any]) -> None:
    row = some_row(superuser)
    superuser.execute("DELETE FROM audit WHERE id = %s", [row])

    verdict = verify(superuser)

    assert (verdict.broken, verdict.reason) == (row, "it was removed")


def test_a_row_removed_with_its_link_breaks_the_chain(superuser: psycopg.Connection[Any]) -> None:
    row = some_row(superuser)
    after = superuser.execute(
        "SELECT b.audit_id FROM audit_chain a JOIN audit_chain b ON (b.agency_id, b.number) = (a.agency_id, a.number + 1)"
        " WHERE a.audit_id = %s",
        [row],
    ).fetchone()
    superuser.execute("DELETE FROM audit WHERE id = %s", [row])
    superuser.execute("DELETE FROM audit_chain WHERE audit_id = %s", [row])

    verdict = verify(superuser)

    assert after is not None
    assert (verdict.broken, verdict.reason) == (after[0], "a row before it is missing or out of place")


def test_a_row_put_in_later_is_named(superuser: psycopg.Connection[Any]) -> None:
    stray = uuid.uuid4()
    superuser.execute(
        "INSERT INTO audit SELECT %s, agency_id, at, actor, operation, 'forged', request_id, result, subject_id, old, new"
        " FROM audit WHERE id = %s",
        [stray, some_row(superuser)],
    )

    verdict = verify(superuser)

    assert (verdict.broken, verdict.reason) == (stray, "it stands in no chain")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'nobody'",
        "DELETE FROM audit",
        "TRUNCATE audit CASCADE",
        "UPDATE audit_chain SET hash = ''",
        "DELETE FROM audit_chain",
        "UPDATE command SET answer = '{}'",
        "DELETE FROM outbox",
        "UPDATE outbox SET data = '{}'",
        "ALTER TABLE audit DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
    ],
)
@pytest.mark.parametrize("service", ["customers", "rules"])
def test_the_service_itself_may_change_nothing_of_it(world: World, service: str, statement: str) -> None:
    with world.database(service, "app") as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)  # type: ignore[arg-type]


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit_chain", "TRUNCATE audit CASCADE"])
def test_the_owner_of_the_tables_is_stopped_by_a_trigger(world: World, statement: str) -> None:
    with world.database("customers", "owner") as connection:
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            connection.execute(statement)  # type: ignore[arg-type]
