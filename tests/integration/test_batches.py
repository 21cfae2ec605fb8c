"""One action on many customers: a report of each, done once whatever happens on the way."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from embedded.stack import Stack
from tests.api import Client, Headquarters, Team, eventually, expect, unique
from tests.conftest import OFTEN, UNSHED
from tests.homes import made_home

SOMEBODY = "00000000-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def team(headquarters: Headquarters) -> Team:
    return headquarters.team()


@pytest.fixture(scope="module")
def rivals(headquarters: Headquarters) -> Team:
    return headquarters.team()


def batch(who: Client, action: str, ids: list[str], key: str | None = None, **arguments: Any) -> Any:
    headers = {"Idempotency_Key": key} if key else {}
    return who.request("POST", "/v1/customers/batch", {"action": action, "ids": ids, **arguments}, **headers)


def outcomes(report: Any) -> list[tuple[str, str | None]]:
    return [(row["outcome"], row["problem"]) for row in report["rows"]]


def rows(stack: Stack, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.owner_url("customers")) as owner:
        return owner.execute(query, values).fetchall()  # type: ignore[arg-type]


def make_pool(team: Team, **settings: Any) -> str:
    return str(team.admin.post("/v1/pools", {"name": unique("池"), **settings})["id"])


def test_each_row_is_done_or_refused_by_itself(team: Team, rivals: Team) -> None:
    free, in_agency, theirs = team.pooled("public"), team.pooled("agency"), rivals.pooled("public")
    mine, another = team.rep.entered(), team.pooled("public")
    ids = [free, in_agency, theirs, SOMEBODY, mine, another]

    report = expect(200, batch(team.rep, "claim", ids))

    assert [row["id"] for row in report["rows"]] == ids
    assert outcomes(report) == [
        ("done", None),
        ("refused", "not-claimable"),
        ("refused", "not-found"),
        ("refused", "not-found"),
        ("refused", "already-theirs"),
        ("done", None),
    ]
    assert (report["done"], report["refused"]) == (2, 4)
    told = report["rows"][1]
    assert told["details"] == {"pool": "agency"}
    assert told["title"].endswith(".")
    for customer, owner in ((free, team.rep), (another, team.rep)):
        assert owner.get(f"/v1/customers/{customer}")["owner_id"] == owner.user["id"]
    assert team.admin.get(f"/v1/customers/{in_agency}")["owner_id"] is None


def test_every_action_does_what_the_single_command_does(team: Team) -> None:
    pool, to = make_pool(team), {"to": team.colleague.user["id"]}
    held = [team.rep.entered() for _ in range(2)]
    done = {"done": 2, "refused": 0}
    for who, action, arguments, cause in (
        (team.supervisor, "transfer", {**to, "reason": "新区"}, "transfer"),
        (team.admin, "release", {"reason": "other", "comment": "x", "pool_id": team.pools["public"]}, "take_back"),
        (team.admin, "move", {"pool_id": pool, "reason": "印花"}, "move"),
        (team.admin, "assign", to, "assign"),
        (team.colleague, "release", {"reason": "no_need"}, "release"),
    ):
        report = expect(200, batch(who, action, held, **arguments))
        assert {name: report[name] for name in done} == done, (action, report)
        for customer in held:
            assert team.admin.pages(f"/v1/customers/{customer}/ownership")[-1]["cause"] == cause


def test_rules_of_pools_hold_for_the_rows_of_a_batch_together(team: Team) -> None:
    pool = make_pool(team, claim_rules={"claims_per_day": 3})
    path = f"/v1/pools/{pool}/customers"
    ids = [team.admin.post(path, {"name": unique("扬州") + "印花厂"})["customer_id"] for _ in range(6)]

    report = expect(200, batch(team.rep, "claim", ids))

    assert outcomes(report) == [("done", None)] * 3 + [("refused", "day-of-claims-full")] * 3
    assert {row["details"]["claims_per_day"] for row in report["rows"][3:]} == {3}


def test_who_may_not_do_the_action_may_not_do_it_to_many(team: Team) -> None:
    ids = [team.pooled("public")]
    for who, action, arguments in (
        (team.admin, "claim", {}),
        (team.rep, "transfer", {"to": team.rep.user["id"]}),
        (team.headquarters.person("auditor", team.department_id), "assign", {"to": team.rep.user["id"]}),
    ):
        answer = batch(who, action, ids, **arguments)
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (403, "permission-denied")
    assert batch(Client(team.rep.http), "claim", ids).status_code == 401


def test_what_is_hidden_is_told_as_what_is_missing_and_audited_as_a_denial(stack: Stack, team: Team, rivals: Team) -> None:
    hidden, key = rivals.rep.entered(), unique("key")
    report = expect(200, batch(team.rep, "release", [hidden, SOMEBODY], key, reason="other"))
    for row in report["rows"]:
        assert {name: row[name] for name in ("outcome", "problem", "details")} == {
            "outcome": "refused",
            "problem": "not-found",
            "details": {},
        }
    denials = "SELECT operation FROM audit WHERE command_id = %s AND result = 'denied'"
    assert rows(stack, denials, f"{key}/{hidden}") == [("customers.release_customer",)]
    assert rows(stack, denials, f"{key}/{SOMEBODY}") == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action": "claim"},
        {"action": "claim", "ids": []},
        {"action": "claim", "ids": ["x"]},
        {"action": "claim", "ids": [SOMEBODY, SOMEBODY]},
        {"action": "claim", "ids": [SOMEBODY], "to": SOMEBODY},
        {"action": "claim", "ids": [f"00000000-0000-7000-8000-{number:012}" for number in range(201)]},
        {"action": "assign", "ids": [SOMEBODY]},
        {"action": "release", "ids": [SOMEBODY], "reason": "Because!"},
        {"action": "move", "ids": [SOMEBODY]},
        {"action": "delete", "ids": [SOMEBODY]},
    ],
)
def test_a_batch_that_is_none_is_refused_whole(team: Team, body: dict[str, Any]) -> None:
    answer = team.admin.request("POST", "/v1/customers/batch", body)
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (422, "invalid-request")


def test_a_repeated_batch_gives_the_same_report_and_does_nothing_twice(stack: Stack, team: Team) -> None:
    ids, key = [team.pooled("public") for _ in range(3)], unique("key")
    ids.append(team.pooled("agency"))
    first = batch(team.rep, "claim", ids, key)
    assert expect(200, first)["done"] == 3
    expect(200, team.rep.act(ids[0], "release", reason="no_need"))
    expect(200, team.admin.act(ids[3], "open"))

    repeated = batch(team.rep, "claim", ids, key)

    assert repeated.content == first.content
    assert team.admin.get(f"/v1/customers/{ids[0]}")["owner_id"] is None
    assert team.admin.get(f"/v1/customers/{ids[3]}")["owner_id"] is None
    other = batch(team.rep, "claim", ids[:1], key)
    assert (other.status_code, other.json()["type"].rpartition(":")[2]) == (422, "idempotency-key-reused")
    of_batch = "SELECT count(*) FROM audit WHERE (command_id = %s OR command_id LIKE %s) AND result = 'done'"
    assert rows(stack, of_batch, key, f"{key}/%") == [(5,)], "three rows, the batch's beginning and its end"


def test_as_many_as_a_batch_may_have_are_done_and_what_was_not_done_in_time_is_by_repeating_it(team: Team) -> None:
    with ThreadPoolExecutor(4) as threads:
        ids = list(threads.map(lambda _: team.pooled("agency"), range(200)))
    patient = replace(team.admin, is_patient=True)
    report = expect(200, batch(patient, "move", ids, pool_id=make_pool(team)))
    assert (report["done"], report["refused"]) == (200, 0)


def test_one_batch_sent_by_many_at_once_is_done_once(team: Team) -> None:
    ids, key = [team.pooled("public") for _ in range(10)], unique("key")
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: batch(team.rep, "claim", ids, key), range(6)))
    told = Counter((answer.status_code, answer.json().get("type")) for answer in answers)
    assert set(told) <= {(200, None), (409, "urn:qudao:problem:command-in-flight")}
    report = expect(200, batch(team.rep, "claim", ids, key))
    assert report["done"] == 10
    assert {answer.content for answer in answers if answer.status_code == 200} <= {batch(team.rep, "claim", ids, key).content}
    for customer in ids:
        assert team.rep.get(f"/v1/customers/{customer}")["holding"] == 2


def test_while_a_batch_is_on_its_way_its_key_is_of_no_other(stack: Stack, team: Team) -> None:
    ids, other, key = [team.pooled("public") for _ in range(60)], team.pooled("public"), unique("key")
    is_begun = "SELECT owner_id IS NOT NULL FROM customer WHERE id = %s"
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(batch, replace(team.rep, is_patient=True), "claim", ids, key)
        eventually(lambda: rows(stack, is_begun, ids[0]) == [(True,)])
        refused = batch(team.rep, "claim", [other], key)
        assert not running.done()
    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (422, "idempotency-key-reused")
    assert rows(stack, is_begun, other) == [(False,)]
    assert expect(200, running.result())["done"] == 60


def test_batches_over_the_same_customers_in_opposite_orders_never_wait_in_a_circle(team: Team) -> None:
    ids = [team.rep.entered() for _ in range(20)]
    to = {"to": team.colleague.user["id"]}
    with ThreadPoolExecutor(4) as threads:
        asked = [(ids, to), (ids[::-1], to), (ids, to), (ids[::-1], to)]
        reports = list(threads.map(lambda each: expect(200, batch(team.supervisor, "transfer", each[0], **each[1])), asked))
    problems = Counter(problem for report in reports for _, problem in outcomes(report))
    assert problems == {None: 20, "already-theirs": 60}
    for customer in ids:
        assert team.colleague.get(f"/v1/customers/{customer}")["holding"] == 2


def test_two_who_claim_the_same_many_get_each_of_them_once(team: Team) -> None:
    ids = [team.pooled("public") for _ in range(20)]
    people = [team.rep, team.colleague, team.neighbour]
    with ThreadPoolExecutor(3) as threads:
        reports = list(threads.map(lambda who: expect(200, batch(who, "claim", ids)), people))
    assert sum(report["done"] for report in reports) == 20
    for at in range(20):
        assert sorted(outcomes(report)[at] for report in reports) == [("done", None)] + [("refused", "not-in-pool")] * 2


# --- cut short


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Path]]:
    """A stack whose services can be killed at a point that is written into a file."""
    home = made_home(tmp_path_factory, "fragile")
    point = home / "failpoint"
    with Stack(home, fast=True, env=OFTEN | UNSHED | {"QUDAO_FAILPOINT": str(point)}) as running:
        yield running, point


def test_a_batch_whose_process_is_killed_on_the_way_is_done_once(fragile: tuple[Stack, Path]) -> None:
    stack, point = fragile
    team = Headquarters.set_up(stack.url, stack.setup_secret).team()
    team.rep.is_patient = True
    for at in ("before_transaction", "in_transaction", "after_commit"):
        ids, key = [team.pooled("public") for _ in range(40)], unique("key")
        done_before = rows(stack, "SELECT count(*) FROM ownership WHERE cause = 'claim'")[0][0]
        killing = threading.Thread(target=kill_on_the_way, args=(stack, point, at, done_before))
        killing.start()

        report = expect(200, batch(team.rep, "claim", ids, key))
        killing.join()

        assert not point.exists(), "nobody was killed"
        assert outcomes(report) == [("done", None)] * 40
        held = "SELECT count(*) FROM customer WHERE owner_id IS NOT NULL AND holding = 2 AND id::text = ANY(%s)"
        assert rows(stack, held, ids) == [(40,)]
        audited = "SELECT count(*) FROM audit WHERE command_id LIKE %s AND operation = 'customers.claim_customer'"
        assert rows(stack, audited, f"{key}/%") == [(40,)]
        assert expect(200, batch(team.rep, "claim", ids, key)) == report


def kill_on_the_way(stack: Stack, point: Path, at: str, done_before: int) -> None:
    """Once a few rows are done."""
    while rows(stack, "SELECT count(*) FROM ownership WHERE cause = 'claim'")[0][0] < done_before + 5:
        time.sleep(0.005)
    point.write_text(at)
