"""The second wall between agencies: what the database itself shows and takes, whatever a query forgets."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from embedded.stack import Stack
from tests.api import Client, Headquarters, eventually, unique

WALLED = ("customers", "activities", "rules")
OPEN = {"outbox", "audit_unchained", "audit_chain", "audit_checkpoint", "denial_count", "department", "person"}
"""The plumbing's own, which the leader serves for all, and the directory, which knows everybody."""

AGENCY_TABLES = """
    SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity, c.relowner::regrole::text
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE c.relkind = 'r' AND a.attname = 'agency_id' AND c.relnamespace = 'public'::regnamespace
"""


@pytest.fixture(scope="module")
def rivals(headquarters: Headquarters) -> list[Client]:
    """A rep of each of two agencies; each has customers and notes."""
    reps = [headquarters.person(), headquarters.person()]
    for rep in reps:
        for _ in range(3):
            entered = rep.post("/v1/customers", {"name": f"扬州{unique('墙')}印花厂"})
            note = {"method": "phone", "content": "x", "maturity": 1}
            rep.post(f"/v1/customers/{entered['customer_id']}/notes", note)
    return reps


@pytest.mark.parametrize("service", WALLED)
def test_every_table_with_an_agency_is_walled_off_and_not_owned_by_the_application(service: str, stack: Stack) -> None:
    with psycopg.connect(stack.owner_url(service)) as owner:
        tables = {name: (walled, role) for name, walled, role in owner.execute(AGENCY_TABLES)}
    assert len(set(tables) - OPEN) >= 2
    assert {name for name, (walled, _) in tables.items() if not walled} <= OPEN
    assert stack.database(service).role not in {role for _, role in tables.values()}


@pytest.mark.parametrize("service", WALLED)
def test_the_wall_fails_closed(service: str, stack: Stack, rivals: list[Client]) -> None:
    with psycopg.connect(stack.owner_url(service)) as owner:
        walled = [name for name, is_walled, _ in owner.execute(AGENCY_TABLES) if is_walled and name != "audit"]
        tables = [name for name in walled if owner.execute(f'SELECT FROM "{name}" LIMIT 1').fetchall()]  # type: ignore[arg-type]
    assert tables
    for table in tables:
        with psycopg.connect(stack.database_url(service)) as app:
            with pytest.raises(psycopg.errors.UndefinedObject):
                app.execute(f'SELECT count(*) FROM "{table}"')  # type: ignore[arg-type]  # noqa: S608
        with psycopg.connect(stack.database_url(service)) as app:
            app.execute("SELECT set_config('qudao.agency', '', false)")
            with pytest.raises(psycopg.errors.InvalidTextRepresentation):
                app.execute(f'SELECT * FROM "{table}"')  # type: ignore[arg-type]  # noqa: S608


@pytest.mark.parametrize("service", ["identity", "customers", "activities"])
def test_the_audit_shows_nothing_to_who_stands_in_for_nobody(service: str, stack: Stack, rivals: list[Client]) -> None:
    with psycopg.connect(stack.database_url(service)) as app:
        for setting in (None, "", "*"):
            if setting is not None:
                app.execute("SELECT set_config('qudao.agency', %s, false)", [setting])
            seen = app.execute("SELECT count(*) FROM (SELECT FROM audit LIMIT 1) AS found").fetchall()
            assert seen == [(1 if setting == "*" else 0,)]


def test_a_query_without_a_condition_shows_the_own_agency_alone(stack: Stack, rivals: list[Client]) -> None:
    own, other = (rep.user["agency_id"] for rep in rivals)
    for table in ("customer", "ownership", "customer_name", "collision_key", "stock"):
        with psycopg.connect(stack.database_url("customers")) as app:
            app.execute("SELECT set_config('qudao.agency', %s, false)", [own])
            seen = {str(agency_id) for (agency_id,) in app.execute(f"SELECT agency_id FROM {table}")}  # type: ignore[arg-type]  # noqa: S608
            assert seen == {own}, table
            app.execute("SELECT set_config('qudao.agency', '*', false)")
            seen = {str(agency_id) for (agency_id,) in app.execute(f"SELECT agency_id FROM {table}")}  # type: ignore[arg-type]  # noqa: S608
            assert {own, other} <= seen, table


def test_nobody_writes_over_the_wall(stack: Stack, rivals: list[Client]) -> None:
    own, other = (rep.user["agency_id"] for rep in rivals)
    with psycopg.connect(stack.database_url("customers")) as app:
        app.execute("SELECT set_config('qudao.agency', %s, false)", [own])
        assert app.execute("UPDATE customer SET name = 'x' WHERE agency_id = %s", [other]).rowcount == 0
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("INSERT INTO pool (id, agency_id, kind, name) VALUES (%s, %s, 'industry', 'x')", [uuid.uuid4(), other])


def test_the_check_tells_through_the_wall_no_more_than_it_should(stack: Stack, rivals: list[Client]) -> None:
    own = rivals[0].user["agency_id"]
    with psycopg.connect(stack.database_url("customers")) as app:
        app.execute("SELECT set_config('qudao.agency', %s, false)", [own])
        result = app.execute("SELECT (found).* FROM find_by_fragment('印花厂', ARRAY['印花', '花厂'], 10000, 10000)")
        assert result.description
        columns = [column.name for column in result.description]
        assert set(columns) == {
            *("customer_id", "name", "names", "normaliser", "province", "city"),
            *("agency_id", "agency_name", "owner_id", "owner_name", "pool_kind", "pool_members"),
        }
        assert len({row[columns.index("agency_id")] for row in result.fetchall()}) >= 2
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("SELECT * FROM matches_of(ARRAY[]::uuid[])")


def test_keys_that_many_share_are_told_to_nobody_who_stands_in_for_one_agency(stack: Stack, headquarters: Headquarters) -> None:
    rep, shared = headquarters.person(), {"website": f"{unique('w')}.com"}
    rep.post("/v1/customers", {"name": f"扬州{unique('墙')}印花厂", **shared})
    seen = [hit["ref"] for hit in rep.post("/v1/collision-checks", shared, status=200)["hits"]]
    rep.post("/v1/customers", {"name": f"南京{unique('墙')}机械厂", **shared, "confirmation": {"seen": seen, "reason": "x"}})
    with psycopg.connect(stack.database_url("customers")) as app:
        app.execute("SELECT set_config('qudao.agency', '*', false)")
        assert app.execute("SELECT * FROM most_shared_keys(20)").fetchall()
        app.execute("SELECT set_config('qudao.agency', %s, false)", [rep.user["agency_id"]])
        assert app.execute("SELECT * FROM most_shared_keys(20)").fetchall() == []


def test_two_hundred_mixed_requests_on_shared_connections_show_nobody_the_others(rivals: list[Client]) -> None:
    expected = [{line["id"] for line in rep.get("/v1/customers?of=visible")["items"]} for rep in rivals]
    assert all(len(own) == 3 for own in expected)

    def ask(number: int) -> Any:
        return {line["id"] for line in rivals[number % 2].get("/v1/customers?of=visible")["items"]}

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(200)))

    assert all(answer == expected[number % 2] for number, answer in enumerate(answers))


def test_a_denial_over_the_wall_is_audited_as_such_and_told_as_nothing(stack: Stack, rivals: list[Client]) -> None:
    hidden = rivals[1].get("/v1/customers")["items"][0]["id"]
    for action, body in (("claim", None), ("release", {"reason": "no_need"})):
        assert rivals[0].request("POST", f"/v1/customers/{hidden}/{action}", body).status_code == 404
    denials = "SELECT operation FROM audit WHERE actor = %s AND result = 'denied' AND new->>'refused' = 'out-of-scope'"
    with psycopg.connect(stack.owner_url("customers")) as owner:
        found = {row[0] for row in owner.execute(denials, [rivals[0].user["id"]])}
    assert found == {"customers.claim_customer", "customers.release_customer"}


def test_what_was_entered_before_there_were_keys_is_filed_by_itself(stack: Stack, headquarters: Headquarters) -> None:
    rep, name = headquarters.person(), f"扬州{unique('旧')}印花厂"
    entered = rep.post("/v1/customers", {"name": name})
    with psycopg.connect(stack.owner_url("customers")) as owner:
        for table in ("customer_name", "collision_key"):
            owner.execute(f"DELETE FROM {table} WHERE customer_id = %s", [entered["customer_id"]])  # type: ignore[arg-type]  # noqa: S608
        owner.execute("UPDATE customer SET normaliser = 0 WHERE id = %s", [entered["customer_id"]])

    def verdict() -> str:
        return str(rep.post("/v1/collision-checks", {"name": name}, status=200)["verdict"]["verdict"])

    eventually(verdict, until=lambda found: found == "yours")
