"""Kinds of faults of the campaign, each once and briefly, nightly all of them; and that it sees what it is there to see."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from faults.__main__ import table
from faults.campaign import FAULTS
from faults.ledger import Cast, Entry, Kind, Ledger
from faults.reckoning import reckon
from faults.small_disk import MayNotMount, on_a_small_disk
from faults.system import System
from faults.trial import BRIEF, Fault, Limits, Result, Trial
from tests.brokers import make_broker
from tests.conftest import UNSHED
from tests.depth import NIGHTLY
from tests.homes import made_home

SEED = 4
REPLICAS = {"customers": 2, "gateway": 2}
OFTEN = {"QUDAO_SWEEP_EVERY": "1"} | UNSHED


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, bool]]:
    """A home for the system, and whether its disk may be filled."""
    make_broker("rabbitmq", tmp_path_factory.mktemp("unused"))  # skips, or fails, where RabbitMQ is missing
    with ExitStack() as mounted:
        home = tmp_path_factory.mktemp("faults") / "system"
        try:
            mounted.enter_context(on_a_small_disk(home))
        except MayNotMount:
            yield home, False
        else:
            yield home, True


@pytest.fixture(scope="module")
def world(disk: tuple[Path, bool]) -> Iterator[tuple[System, Cast]]:
    with System(disk[0], replicas=REPLICAS, env=OFTEN) as system:
        yield system, Cast.assemble(system.stack.url, system.stack.setup_secret, reps=3)


@pytest.fixture(scope="module")
def embedded_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[System, Cast]]:
    home = made_home(tmp_path_factory, "faults-embedded").parent
    with System(home, broker="embedded", replicas={}, env=OFTEN) as system:
        yield system, Cast.assemble(system.stack.url, system.stack.setup_secret, reps=3)


def carried_out(fault: Fault, world: tuple[System, Cast]) -> Result:
    """Under half the load: what others test meanwhile has to have its share of the machine."""
    said: list[str] = []
    result = Trial(replace(fault, rate=fault.rate / 2), *world, SEED, BRIEF / 5, say=said.append).carry_out()
    assert result.times, said
    return result


LONG_ONES = {"disk-full", "fail-over", "network", "rabbitmq-alarmed"}
"""Of which a night and `./qudao faults` are soon enough."""
BRIEF_ONES = [fault for fault in FAULTS if fault.can_be_brief and (NIGHTLY or fault.name not in LONG_ONES)]


@pytest.mark.parametrize("fault", [f for f in BRIEF_ONES if f.world != "embedded"], ids=lambda fault: fault.name)
def test_nothing_is_lost_or_done_twice_and_all_comes_back(
    fault: Fault, disk: tuple[Path, bool], world: tuple[System, Cast]
) -> None:
    if fault.world == "small disk" and not disk[1]:
        pytest.skip("small file systems are for root alone to make")

    result = carried_out(fault, world)

    assert result.broken_promises() == []
    assert result.accepted > 10


@pytest.mark.parametrize("fault", [f for f in BRIEF_ONES if f.world == "embedded"], ids=lambda fault: fault.name)
def test_the_embedded_broker_may_lose_everything(fault: Fault, embedded_world: tuple[System, Cast]) -> None:
    assert carried_out(fault, embedded_world).broken_promises() == []


# --- what it is there to see


def test_what_is_lost_or_there_twice_is_seen(embedded_world: tuple[System, Cast]) -> None:
    system, cast = embedded_world
    needed: tuple[Kind, ...] = ("enter", "enter", "note", "add_user")
    with Ledger(system.doors, cast, "seen", rate=30) as ledger:
        system.wait(lambda: not Counter(needed) - Counter(entry.kind for entry in accepted(ledger)), 60, "not all is written")
    ledger.settle()
    system.wait_quiet()
    assert reckon(ledger, system.database_urls()).is_clean
    enter, other, note = (next_of(ledger, kind, number) for kind, number in (("enter", 0), ("enter", 1), ("note", 0)))
    refused = next_of(ledger, "add_user", 0)
    refused.outcome = "refused"
    change(system, "customers", "UPDATE customer SET name = 'gone' WHERE id = %s", enter.answer["customer_id"])
    change(system, "customers", "UPDATE audit SET command_id = 'gone' WHERE command_id = %s", other.key)
    change(system, "activities", AGAIN, note.answer["id"])

    found = reckon(ledger, system.database_urls())

    assert [name in " ".join(found.lost) for name in (enter.key, other.key)] == [True, True]
    assert [sentence for sentence in found.doubled if note.key in sentence]
    assert [sentence for sentence in found.stray if refused.key in sentence]
    assert (len(found.lost), len(found.doubled), len(found.stray)) == (2, 1, 1)


def test_a_fault_that_loses_something_breaks_a_promise_and_stands_in_the_table(embedded_world: tuple[System, Cast]) -> None:
    def lose(trial: Trial) -> None:
        with trial.outage("a note is lost"):
            trial.system.wait(lambda: bool(trial.system.rows("activities", "SELECT FROM contact_note LIMIT 1")), 30, "no note")
        trial.ledger.stop()
        change(trial.system, "activities", "DELETE FROM contact_note WHERE content LIKE %s", f"{trial.ledger.prefix}-%")

    thief = Fault("thief", "takes notes", lose, "embedded", limits=Limits(quiet=2), rate=40)
    result = carried_out(thief, embedded_world)

    assert result.lost > 0
    assert result.broken_promises()
    [row] = [line for line in table([result]).splitlines() if line.startswith("thief")]
    assert row.split()[-1] == "BROKEN"


AGAIN: LiteralString = """
    INSERT INTO contact_note (SELECT (again).* FROM (
        SELECT jsonb_populate_record(n, jsonb_build_object('id', gen_random_uuid())) AS again FROM contact_note AS n WHERE id = %s
    ) AS copied)
"""


def next_of(ledger: Ledger, kind: str, number: int) -> Entry:
    return [entry for entry in accepted(ledger) if entry.kind == kind][number]


def accepted(ledger: Ledger) -> list[Entry]:
    return [entry for entry in ledger.entries if entry.outcome == "accepted"]


def change(system: System, service: str, statement: LiteralString, value: object) -> None:
    """Past everything that would keep it from happening."""
    with psycopg.connect(system.database_urls()[service], autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(statement, [value])
