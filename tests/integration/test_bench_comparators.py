"""What the engine is compared with finds names that are typed as they are, and does not measure where there is nothing to see."""

from collections.abc import Iterator

import psycopg
import pytest
from rapidfuzz import fuzz

from bench.companies import companies
from bench.comparators import LIMIT, Query, Scorer, Similar, index_trigrams, load_raw, measure_rapidfuzz, measure_trigrams
from bench.stand import NotMeasured
from embedded import servers
from embedded.output import Files
from embedded.supervise import Supervisor
from ops.keys import make_keys

NAMES = [company.name for company in companies(2000, seed=1)]
AS_THEY_ARE = [Query(name, name) for name in NAMES[::40]]
UNKNOWN = [Query(name) for name in NAMES[:20]]


@pytest.fixture(scope="module")
def admin_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("comparators")
    secrets = folder / "secrets"
    make_keys(secrets)
    supervisor = Supervisor(Files(folder))
    try:
        yield servers.start_database(folder / "data", secrets / "postgres-password", supervisor, fast=True)
    finally:
        supervisor.stop()
        supervisor.end(supervisor.processes, 10.0)


@pytest.fixture
def connection(admin_url: str) -> Iterator[psycopg.Connection]:
    """What a test makes is gone after it."""
    with psycopg.connect(admin_url) as connected:
        yield connected
        connected.rollback()
        connected.execute("DROP TABLE IF EXISTS raw")


def test_trigrams_find_what_is_typed_as_it_is(connection: psycopg.Connection) -> None:
    assert load_raw(connection, NAMES) == 2000

    index = index_trigrams(connection)
    found = measure_trigrams(connection, AS_THEY_ARE)

    assert index.seconds > 0
    assert index.bytes > 8192
    assert found.recall == 1.0
    assert_plausible(found, len(AS_THEY_ARE))


def test_the_index_is_used(connection: psycopg.Connection) -> None:
    load_raw(connection, NAMES)
    index_trigrams(connection)
    connection.execute("SET enable_seqscan = off")

    plan = connection.execute("EXPLAIN SELECT name FROM raw WHERE name % '扬州恒通印花厂'").fetchall()

    assert "raw_name_trgm" in str(plan)


@pytest.mark.parametrize("scorer", [fuzz.ratio, fuzz.WRatio])
def test_rapidfuzz_finds_what_is_typed_as_it_is(scorer: Scorer) -> None:
    found = measure_rapidfuzz(NAMES, AS_THEY_ARE, scorer)

    assert found.recall == 1.0
    assert_plausible(found, len(AS_THEY_ARE))


def test_recall_counts_only_what_was_expected() -> None:
    missing = Query("qwertyuiop", "恒通")

    assert measure_rapidfuzz(NAMES, UNKNOWN).recall is None
    assert measure_rapidfuzz(NAMES, [missing, AS_THEY_ARE[0], *UNKNOWN]).recall == 0.5


def test_no_more_than_twenty_are_looked_at() -> None:
    alike = [f"扬州恒通印花厂{place}" for place in range(LIMIT + 1)]

    assert measure_rapidfuzz(alike, [Query("扬州恒通印花厂", alike[-1])]).recall == 0.0


def test_without_a_query_nothing_is_measured() -> None:
    with pytest.raises(NotMeasured):
        measure_rapidfuzz(NAMES, [])


def test_a_database_that_is_blind_to_chinese_is_refused(admin_url: str) -> None:
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute("CREATE DATABASE blind TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C'")
        try:
            with psycopg.connect(admin_url, dbname="blind") as blind:
                load_raw(blind, NAMES[:10])
                with pytest.raises(NotMeasured, match="LC_CTYPE"):
                    index_trigrams(blind)
        finally:
            admin.execute("DROP DATABASE blind")


def assert_plausible(found: Similar, queries: int) -> None:
    assert 0 < found.p50_ms <= found.p99_ms
    assert found.queries == queries
