"""The audit: nobody changes it unseen, and what is denied stands in it once."""

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from services.contracts.activities import WRITE_NOTE, WriteNote
from services.contracts.customers import (
    ENTER_CUSTOMER,
    SHOW_CUSTOMER,
    UPDATE_CUSTOMER,
    EnterCustomer,
    ShowCustomer,
    UpdateCustomer,
)
from services.contracts.errors import NotFound
from services.plumbing import audit
from services.plumbing.audit import COLUMNS, digest, heads
from services.plumbing.passport import Caller
from services.plumbing.verification import Break, verify
from tests.faults.probe_contract import COUNT, Count
from tests.faults.world import World, eventually, unique
from tests.travel import LATER


@pytest.fixture(scope="module")
def loaded(rabbitmq_world: World) -> World:
    """After load from several people at once, so that no agency's chain is short."""
    world = rabbitmq_world
    people = [world.person, *(world.new_person() for _ in range(4))]
    calls = [
        world.begin(ENTER_CUSTOMER, EnterCustomer(name=unique("audited")), caller=person) for person in people for _ in range(10)
    ]
    for call in calls:
        call.result()
    return world


@pytest.fixture
def audited(loaded: World) -> World:
    """All of it chained."""
    eventually(lambda: loaded.value("customers", "SELECT count(*) FROM audit_unchained") == 0)
    return loaded


@pytest.fixture
def superuser(audited: World) -> Iterator[psycopg.Connection[Any]]:
    """Past triggers and foreign keys, in a transaction that is never committed."""
    with audited.database("customers") as connection:
        with connection.transaction(force_rollback=True):
            connection.execute("SET LOCAL session_replication_role = replica")
            yield connection


def named(breaks: list[Break]) -> list[tuple[uuid.UUID | None, str]]:
    return [(broken.audit_id, broken.reason) for broken in breaks]


def some_row(connection: psycopg.Connection[Any]) -> uuid.UUID:
    """In the middle of a chain."""
    found = connection.execute("SELECT audit_id FROM audit_chain WHERE number = 5 LIMIT 1").fetchone()
    assert found is not None
    return found[0]


def test_every_chain_holds_after_load(audited: World) -> None:
    with audited.database("customers") as connection:
        verdict = verify(connection)

    assert (verdict.breaks, verdict.unchained) == ([], 0)
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

    assert named(verdict.breaks) == [(row, "it was changed")]


def test_a_removed_row_is_named(superuser: psycopg.Connection[Any]) -> None:
    row = some_row(superuser)
    superuser.execute("DELETE FROM audit WHERE id = %s", [row])

    verdict = verify(superuser)

    assert named(verdict.breaks) == [(row, "it was removed")]


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
    assert named(verdict.breaks) == [(after[0], "a row before it is missing or out of place")]


def test_a_row_put_in_later_is_named(superuser: psycopg.Connection[Any]) -> None:
    stray = uuid.uuid4()
    superuser.execute(
        "INSERT INTO audit SELECT %s, agency_id, at, actor, operation, 'forged', request_id, result, subject_id, old, new"
        " FROM audit WHERE id = %s",
        [stray, some_row(superuser)],
    )

    verdict = verify(superuser)

    assert named(verdict.breaks) == [(stray, "it stands in no chain")]


def test_two_rows_that_have_changed_places_are_found(superuser: psycopg.Connection[Any]) -> None:
    [head, *_] = heads(superuser)
    of_chain = "SELECT audit_id FROM audit_chain WHERE agency_id = %s AND number IN (5, 6) ORDER BY number"
    first, second = (row for (row,) in superuser.execute(of_chain, [head.agency_id]))
    for number, row in ((5, uuid.uuid4()), (6, first), (5, second)):
        values = [row, head.agency_id, number]
        superuser.execute("UPDATE audit_chain SET audit_id = %s WHERE agency_id = %s AND number = %s", values)

    assert named(verify(superuser).breaks) == [(second, "it was changed")]


def test_every_broken_chain_is_named_once(superuser: psycopg.Connection[Any]) -> None:
    places = "SELECT audit_id FROM audit_chain WHERE number IN (4, 5) ORDER BY agency_id, number"
    rows = [row for (row,) in superuser.execute(places)]
    superuser.execute("UPDATE audit SET actor = 'somebody else' WHERE id = ANY(%s)", [rows])

    firsts = [row for (row,) in superuser.execute(places.replace("IN (4, 5)", "= 4"))]
    assert len(firsts) >= 4
    assert named(verify(superuser).breaks) == [(row, "it was changed") for row in firsts]


# --- against older heads


def remove(connection: psycopg.Connection[Any], agency: uuid.UUID, which: str = "number > 0") -> None:
    """Rows and links, as somebody would who has every right."""
    chosen = f"SELECT audit_id FROM audit_chain WHERE agency_id = %s AND {which}"  # noqa: S608 constants
    connection.execute(f"DELETE FROM audit WHERE id IN ({chosen})", [agency])  # type: ignore[arg-type]  # noqa: S608
    connection.execute(f"DELETE FROM audit_chain WHERE agency_id = %s AND {which}", [agency])  # type: ignore[arg-type]  # noqa: S608


def test_a_tail_that_was_cut_off_is_found_by_an_older_head(superuser: psycopg.Connection[Any]) -> None:
    [head, *_] = older = list(heads(superuser))
    remove(superuser, head.agency_id, "number > 3")

    assert verify(superuser).breaks == []
    [broken] = verify(superuser, older).breaks
    assert (broken.agency_id, broken.number) == (head.agency_id, head.number)
    assert broken.reason == "the chain ends at 3, and went up to here at the older head"


def test_a_chain_that_is_gone_as_a_whole_is_found_by_an_older_head(superuser: psycopg.Connection[Any]) -> None:
    [head, *_] = older = list(heads(superuser))
    remove(superuser, head.agency_id)

    assert verify(superuser).breaks == []
    assert [broken.agency_id for broken in verify(superuser, older).breaks] == [head.agency_id]


def test_a_chain_that_was_written_anew_from_its_middle_is_found_by_an_older_head(superuser: psycopg.Connection[Any]) -> None:
    [head, *_] = older = list(heads(superuser))
    write_anew(superuser, head.agency_id, 4, "SET actor = 'somebody else'")

    assert verify(superuser).breaks == []
    [broken] = verify(superuser, older).breaks
    assert (broken.agency_id, broken.number) == (head.agency_id, head.number)
    assert broken.reason == "the chain up to here is not the one of the older head"


def test_a_head_of_before_holds_while_the_chain_grows(audited: World) -> None:
    with audited.database("customers") as connection:
        older = list(heads(connection))
        audited.enter(unique("grown"))
        eventually(lambda: audited.value("customers", "SELECT count(*) FROM audit_unchained") == 0)
        assert verify(connection, older).breaks == []


def write_anew(connection: psycopg.Connection[Any], agency: uuid.UUID, number: int, change: str) -> None:
    """As somebody would who has the code and every right."""
    with connection.cursor(row_factory=dict_row) as cursor:
        links = cursor.execute(
            f"SELECT number, previous, {COLUMNS} FROM audit_chain JOIN audit ON audit.id = audit_id"  # noqa: S608 constants
            " WHERE audit_chain.agency_id = %s AND number >= %s ORDER BY number",
            [agency, number],
        ).fetchall()
        cursor.execute(f"UPDATE audit {change} WHERE id = %s", [links[0]["id"]])  # type: ignore[arg-type]
        previous = bytes(links[0]["previous"])
        for link in links:
            row = cursor.execute(f"SELECT {COLUMNS} FROM audit WHERE id = %s", [link["id"]]).fetchone()  # noqa: S608 constants
            assert row is not None
            linked = digest(previous, row)
            values = [previous, linked, link["id"]]
            cursor.execute("UPDATE audit_chain SET previous = %s, hash = %s WHERE audit_id = %s", values)
            previous = linked


# --- kept by policy

A_YEAR_LATER = LATER.format(timedelta(days=365).total_seconds())
PRUNE = "SELECT number, hash, removed FROM prune_audit(%s, clock() - interval '184 days', %s)"
TOLD = """
    INSERT INTO audit (id, agency_id, at, actor, operation, command_id, request_id, result, subject_id, new)
    VALUES (%s, %s, clock(), 'system:customers', 'customers.prune_audit', 'x', 'x', 'done', %s, %s)
"""


@pytest.fixture
def a_year_later(superuser: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """In the same transaction, with triggers and foreign keys in force."""
    superuser.execute("SET LOCAL session_replication_role = origin")
    superuser.execute(A_YEAR_LATER)  # type: ignore[arg-type]
    return superuser


def cut(connection: psycopg.Connection[Any], agency: uuid.UUID, at_most: int) -> tuple[Any, ...]:
    """Number and count, with the row that the command of the service writes with it."""
    number, hash_, removed = connection.execute(PRUNE, [agency, at_most]).fetchone() or (None, None, None)
    if number:
        tell_of_cut(connection, agency, number, bytes(hash_))
    return number, removed


def tell_of_cut(connection: psycopg.Connection[Any], agency: uuid.UUID, number: int, hash_: bytes) -> None:
    id_ = uuid.uuid4()
    connection.execute(TOLD, [id_, agency, agency, json.dumps({"number": number, "hash": hash_.hex()})])
    connection.execute("INSERT INTO audit_unchained VALUES (%s, %s)", [id_, agency])


def test_the_rest_of_a_chain_that_was_cut_by_policy_holds(a_year_later: psycopg.Connection[Any]) -> None:
    [head, *_] = older = list(heads(a_year_later))

    assert cut(a_year_later, head.agency_id, 4) == (4, 4)
    assert cut(a_year_later, head.agency_id, 3) == (7, 3)

    first = "SELECT min(number) FROM audit_chain WHERE agency_id = %s"
    assert a_year_later.execute(first, [head.agency_id]).fetchone() == (8,)
    audit.chain(a_year_later, 10_000)
    assert verify(a_year_later, older).breaks == []


def test_the_newest_link_is_never_cut(a_year_later: psycopg.Connection[Any]) -> None:
    [head, *_] = heads(a_year_later)
    assert cut(a_year_later, head.agency_id, 10_000) == (head.number - 1, head.number - 1)
    assert cut(a_year_later, head.agency_id, 10_000) == (None, 0)
    audit.chain(a_year_later, 10_000)
    assert verify(a_year_later).breaks == []


def test_what_is_younger_than_half_a_year_is_not_cut(superuser: psycopg.Connection[Any]) -> None:
    [head, *_] = heads(superuser)
    superuser.execute("SET LOCAL session_replication_role = origin")
    assert cut(superuser, head.agency_id, 10_000) == (None, 0)
    with pytest.raises(psycopg.errors.CheckViolation, match="by_policy"), superuser.transaction():
        superuser.execute("SELECT prune_audit(%s, clock(), 4)", [head.agency_id])


def test_a_cut_that_nobody_has_written_down_is_found(a_year_later: psycopg.Connection[Any]) -> None:
    [head, *_] = heads(a_year_later)
    a_year_later.execute(PRUNE, [head.agency_id, 4])
    [broken] = verify(a_year_later).breaks
    assert (broken.agency_id, broken.number) == (head.agency_id, 4)
    assert broken.reason == "what was before it was not removed by policy"


def test_a_cut_without_a_checkpoint_is_found(superuser: psycopg.Connection[Any]) -> None:
    [head, *_] = heads(superuser)
    remove(superuser, head.agency_id, "number < 5")
    [broken] = verify(superuser).breaks
    assert (broken.number, broken.reason) == (5, "a row before it is missing or out of place")


def test_a_forged_cut_of_young_rows_is_found_by_an_older_head(superuser: psycopg.Connection[Any]) -> None:
    """Whoever owns the server can claim that they were old; the head says when the last of them was written."""
    [head, *_] = older = list(heads(superuser))
    remove(superuser, head.agency_id)
    superuser.execute(
        "INSERT INTO audit_checkpoint VALUES"
        " (%s, %s, %s, %s, clock() - interval '300 days', clock() - interval '200 days', clock())",
        [head.agency_id, head.number, head.hash, head.number],
    )
    tell_of_cut(superuser, head.agency_id, head.number, head.hash)

    assert verify(superuser).breaks == []
    [broken] = verify(superuser, older).breaks
    assert broken.reason == "it was removed, and was too young for that by the older head"


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit_chain WHERE number < 3",
        "WITH c AS (DELETE FROM audit_chain WHERE number < 3 RETURNING audit_id) DELETE FROM audit USING c WHERE id = audit_id",
    ],
)
def test_the_owner_removes_nothing_young_by_pretending_to_prune(audited: World, statement: str) -> None:
    with audited.database("customers", "owner") as connection, connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL qudao.pruning = 'on'")
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            connection.execute(statement)  # type: ignore[arg-type]


# --- many at once, and odd texts


def test_fifty_writers_at_once_leave_an_unbroken_chain(world: World) -> None:
    person = world.new_person()
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(lambda _: world.call(COUNT, Count(label=unique("fifty")), caller=person), range(150)))

    eventually(lambda: world.value("rules", "SELECT count(*) FROM audit_unchained") == 0)
    of_agency = "SELECT min(number), max(number), count(*) FROM audit_chain WHERE agency_id = %s"
    assert world.rows("rules", of_agency, person.agency_id) == [(1, 150, 150)]
    with world.database("rules") as connection:
        assert verify(connection).breaks == []


def test_lines_and_directions_in_what_was_typed_stay_data(world: World) -> None:
    """They neither forge a line of the log nor break the chain."""
    customer = world.enter(unique("odd")).customer_id
    assert customer
    typed = 'first\n{"at": "2026-01-01", "message": "audit head"}\u2028\u202efourth\u2066'
    key = uuid.uuid4().hex
    world.call(WRITE_NOTE, WriteNote(customer_id=customer, method="phone", content=typed, maturity=1), key=key)

    eventually(lambda: world.value("activities", "SELECT count(*) FROM audit_unchained") == 0)
    assert world.value("activities", "SELECT new ->> 'content' FROM audit WHERE command_id = %s", key) == typed
    with world.database("activities") as connection:
        assert verify(connection).breaks == []
    lines = [line for line in world.stack.log_of("activities").splitlines() if "audit head" in line]
    assert {json.loads(line)["logger"] for line in lines} <= {"services.plumbing.audit"}


# --- denials, each once

DENIED = "SELECT count(*) FROM audit WHERE actor = %s AND result = 'denied'"


@pytest.fixture
def hidden(world: World) -> uuid.UUID:
    """A customer of another agency."""
    customer = world.enter(unique("hidden"), caller=world.new_person()).customer_id
    assert customer
    return customer


def update(world: World, customer: uuid.UUID, caller: Caller, key: str, city: str = "扬州") -> None:
    message = UpdateCustomer(customer_id=customer, expected_version=1, city=city)
    with pytest.raises(NotFound):
        world.call(UPDATE_CUSTOMER, message, key=key, caller=caller)


def show(world: World, customer: uuid.UUID, caller: Caller) -> None:
    with pytest.raises(NotFound):
        world.call(SHOW_CUSTOMER, ShowCustomer(customer_id=customer), caller=caller)


def test_a_denied_command_that_comes_again_under_its_key_is_one_denial(world: World, hidden: uuid.UUID) -> None:
    person, key = world.new_person(), uuid.uuid4().hex
    for _ in range(3):
        update(world, hidden, person, key)

    of_it = "SELECT agency_id, command_id, subject_id, new ->> 'refused' FROM audit WHERE actor = %s AND result = 'denied'"
    assert world.rows("customers", of_it, person.subject) == [(person.agency_id, key, hidden, "out-of-scope")]


def test_another_request_under_the_same_key_is_another_denial(world: World, hidden: uuid.UUID) -> None:
    person, key = world.new_person(), uuid.uuid4().hex
    update(world, hidden, person, key)
    update(world, hidden, person, key, city="南京")
    update(world, hidden, person, uuid.uuid4().hex, city="南京")
    assert world.value("customers", DENIED, person.subject) == 3


def test_a_denied_question_is_a_denial_each_time_it_is_asked(world: World, hidden: uuid.UUID) -> None:
    person = world.new_person()
    show(world, hidden, person)
    show(world, hidden, person)
    assert world.value("customers", DENIED, person.subject) == 2


@pytest.mark.parametrize("is_command", [True, False])
def test_a_denial_whose_process_is_killed_before_it_is_told_is_one_denial(
    world: World, hidden: uuid.UUID, is_command: bool
) -> None:
    """The broker brings the request again."""
    person = world.new_person()
    with world.killed_at("customers", "after_denial"):
        if is_command:
            update(world, hidden, person, uuid.uuid4().hex)
        else:
            show(world, hidden, person)
    assert world.value("customers", DENIED, person.subject) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'nobody'",
        "DELETE FROM audit",
        "TRUNCATE audit CASCADE",
        "UPDATE audit_chain SET hash = ''",
        "DELETE FROM audit_chain",
        "INSERT INTO audit_checkpoint SELECT agency_id, 1, '', 1, clock(), clock(), clock() FROM audit_chain LIMIT 1",
        "DELETE FROM audit_checkpoint",
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
