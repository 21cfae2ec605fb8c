"""A dump of customers, restored where the numbers of transactions begin anew: who raced past whom is still told by them."""

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import NullPool, create_engine, make_url, text
from sqlalchemy.orm import Session

from embedded.postgres import binaries
from embedded.stack import Stack
from ops.addresses import derive
from services.customers.reviews.races import CAME, Arrival, unseen_of
from tests.api import Headquarters, company

MANY = 20_000
SPENT = f"DO $$ BEGIN FOR i IN 1..{MANY} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"
"""Of a database that is not new."""
ARRIVALS = text(f"SELECT position, aggregate_id FROM outbox WHERE position IS NOT NULL AND {CAME}")  # noqa: S608 a constant
TOLD = """
    INSERT INTO outbox (id, position, name, aggregate_id, version, agency_id, actor, request_id, occurred_at, data, began)
    SELECT gen_random_uuid(), max(position) + 1, 'customer_entered', %s, 1, gen_random_uuid(), 'a test', 'a test', clock(),
           '{}', %s FROM outbox RETURNING position
"""

AGO = "UPDATE outbox SET occurred_at = least(occurred_at, clock()) - interval '10 minutes'"
"""A restore takes its time. Others may have been ahead of theirs."""


def admin_url(stack: Stack) -> str:
    return derive(stack.admin_url, stack.database("customers").name)


def run(program: str, *words: str) -> None:
    subprocess.run([binaries() / program, *words], check=True, capture_output=True)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Stack]:
    """A fresh server with the users of every database, and nothing in these."""
    with Stack(tmp_path / "elsewhere", fast=True, parts=(), migration=(), replicas={"gateway": 0}) as fresh:
        yield fresh


def unseen(stack: Stack) -> dict[int, set[UUID]]:
    """Of all that has come there, as if nothing had been looked at."""
    engine = create_engine(make_url(admin_url(stack)).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    with Session(engine) as session:
        return unseen_of(session, [Arrival(*row) for row in session.execute(ARRIVALS)])


def tell(connection: psycopg.Connection[Any], began: str) -> tuple[int, UUID]:
    """Of an entry whose command began then."""
    customer = uuid4()
    row = connection.execute(TOLD, [customer, began]).fetchone()
    assert row
    return int(row[0]), customer


def snapshot(connection: psycopg.Connection[Any]) -> str:
    row = connection.execute("SELECT pg_current_snapshot()::text").fetchone()
    assert row
    return str(row[0])


def test_after_a_restore_from_a_dump_new_races_are_found_and_nothing_old_is_taken_for_one(
    stack: Stack, headquarters: Headquarters, elsewhere: Stack, tmp_path: Path
) -> None:
    reps = headquarters.people(4, headquarters.department()["id"])
    with psycopg.connect(admin_url(stack), autocommit=True) as before:
        before.execute(SPENT)
    with ThreadPoolExecutor(len(reps)) as pool:
        list(pool.map(lambda rep: rep.entered(company()), [*reps, *reps]))
    dump = str(tmp_path / "customers.dump")
    run("pg_dump", "-Fc", "-f", dump, admin_url(stack))
    run("pg_restore", "--clean", "--if-exists", "-d", admin_url(elsewhere), dump)
    known = unseen(elsewhere)
    assert known == {position: customers for position, customers in unseen(stack).items() if position in known}

    with psycopg.connect(admin_url(elsewhere), autocommit=True) as one, psycopg.connect(admin_url(elsewhere)) as other:
        assert one.execute("SELECT max(xid) > pg_current_xact_id() FROM outbox").fetchone() == (True,)
        one.execute(AGO)
        began = snapshot(other)
        _, raced_past = tell(one, snapshot(one))
        second, _ = tell(other, began)
        other.commit()
        tell(one, snapshot(one))

    assert unseen(elsewhere) == known | {second: {raced_past}}
