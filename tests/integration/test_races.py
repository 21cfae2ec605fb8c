"""Many at once, on two gateways and two processes of customers: one wins, the others are told, and nothing is counted wrongly."""

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import httpx
import psycopg
import pytest

from embedded.stack import Stack
from tests.api import PASSWORD, Client, Headquarters, Team, brand, company, digits, eventually, expect
from tests.conftest import UNSHED
from tests.homes import made_home
from tests.travel import later

Ask = Callable[[], httpx.Response]


def slug(answer: httpx.Response) -> str:
    return str(answer.json().get("type", "")).removeprefix("urn:qudao:problem:")


@contextmanager
def at_each_gateway(stack: Stack, people: Sequence[Client], *, is_patient: bool = False) -> Iterator[list[Client]]:
    """The same people, taking the gateways in turn; connections enough that nobody waits for another's."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
    with ExitStack() as opened:
        doors = [opened.enter_context(httpx.Client(base_url=url, timeout=30, limits=limits)) for url in stack.gateway_urls]
        door = itertools.cycle(doors)
        yield [Client(next(door), person.token, person.user, is_patient) for person in people]


def together(asks: Sequence[Ask], most: int = 100) -> list[httpx.Response]:
    """All at the same moment, or as many as `most`, and each of the others as soon as one of them is done."""
    start = threading.Barrier(min(most, len(asks)))

    def run(index: int) -> httpx.Response:
        if index < start.parties:
            start.wait()
        return asks[index]()

    with ThreadPoolExecutor(start.parties) as pool:
        return list(pool.map(run, range(len(asks))))


def query(stack: Stack, sql: str, *values: Any, service: str = "customers") -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.owner_url(service)) as connection:
        return connection.execute(sql, values).fetchall()  # type: ignore[arg-type]


HISTORIES = """
    SELECT o.customer_id, o.number, o.owner_id, o.pool_id, o.held_from, o.held_until,
           c.owner_id, c.pool_id, c.holding, c.held_since
    FROM ownership AS o JOIN customer AS c ON c.id = o.customer_id ORDER BY o.customer_id, o.number
"""


def check_histories(stack: Stack) -> None:
    """Every customer's history is contiguous from 1, and its last stretch is open and the present state; counters are counts."""
    histories: dict[Any, list[Any]] = {}
    for row in query(stack, HISTORIES):
        histories.setdefault(row[0], []).append(row)
    assert len(histories) == query(stack, "SELECT count(*) FROM customer")[0][0]
    for stretches in histories.values():
        assert [stretch[1] for stretch in stretches] == list(range(1, len(stretches) + 1))
        for earlier, after in pairwise(stretches):
            assert earlier[5] == after[4]
            assert earlier[4] <= earlier[5]
        *_, (_, number, owner, pool, since, until, now_owner, now_pool, holding, held_since) = stretches
        assert until is None
        assert (number, owner, pool, since) == (holding, now_owner, now_pool, held_since)
    counted = """
        SELECT s.person_id, s.held, count(c.id) FROM stock AS s LEFT JOIN customer AS c ON c.owner_id = s.person_id
        GROUP BY s.person_id, s.held HAVING s.held <> count(c.id)
    """
    assert query(stack, counted) == []


# --- the same company


def test_fifty_who_enter_one_company_in_five_spellings_make_one_customer(stack: Stack, headquarters: Headquarters) -> None:
    teams = [headquarters.team() for _ in range(5)]
    people = [rep for team in teams for rep in headquarters.people(10, team.department_id)]
    random.shuffle(people)
    own, number = f"{brand(3)}龙", digits()
    spellings = [
        {"name": f"扬州{own}印花厂"},
        {"name": f"揚州{own.replace('龙', '龍')}印花廠"},
        {"name": f"扬州市{own} 印花有限公司", "city": "扬州"},
        {"name": f"（扬州）{own}印花厂", "phone": f"0514-{number}"},
        {"name": f"江苏省扬州市{own}印花厂", "fax": f"(0514){number}"},
    ]
    with at_each_gateway(stack, people, is_patient=True) as clients:

        def entry(index: int) -> Ask:
            return lambda: clients[index].enter(**spellings[index % len(spellings)])

        answers = together([entry(index) for index in range(len(clients))])

    told = Counter((answer.status_code, answer.json()["outcome"]) for answer in answers)
    assert told == {(201, "created"): 1, (409, "refused"): 49}
    [winner] = [client for client, answer in zip(clients, answers, strict=True) if answer.status_code == 201]
    for client, answer in zip(clients, answers, strict=True):
        if client is not winner:
            is_colleague = client.user["agency_id"] == winner.user["agency_id"]
            assert answer.json()["verdict"]["reason"] == ("held_by_colleague" if is_colleague else "held_by_other_agency")
            assert answer.json()["verdict"]["ask"]
    assert query(stack, "SELECT count(*) FROM customer WHERE name LIKE %s", f"%{own[:3]}%") == [(1,)]
    check_histories(stack)


def test_fifty_who_enter_companies_that_share_numbers_crosswise_never_wait_for_one_another_for_ever(
    stack: Stack, headquarters: Headquarters
) -> None:
    """Locks are taken in one order: each entry has two names and two numbers of a ring that all share."""
    people = headquarters.people(10, headquarters.team().department_id)
    names, numbers = [company() for _ in range(10)], [digits() for _ in range(10)]
    with at_each_gateway(stack, people, is_patient=True) as clients:

        def entry(index: int) -> Ask:
            one, two = index % 10, (index * 7 + 3) % 10
            fields: dict[str, Any] = {"aliases": [names[two]], "phone": f"0514-{numbers[two]}", "fax": f"0514-{numbers[one]}"}
            return lambda: clients[index % 10].enter(names[one], **fields)

        answers = together([entry(index) for index in range(50)])

    assert {answer.status_code for answer in answers} <= {200, 201, 409}
    assert 1 <= sum(answer.status_code == 201 for answer in answers) <= 10
    twice = """
        SELECT key FROM collision_key WHERE kind = 'number' AND key = ANY(%s) GROUP BY key HAVING count(DISTINCT customer_id) > 1
    """
    assert query(stack, twice, numbers) == []


# --- one customer


def test_of_a_hundred_who_claim_one_customer_one_gets_it(stack: Stack, headquarters: Headquarters) -> None:
    team = headquarters.team()
    people, customer_id = headquarters.people(100, team.department_id), team.pooled("public")

    with at_each_gateway(stack, people) as clients:
        answers = together([partial(client.act, customer_id, "claim") for client in clients])

    assert Counter((answer.status_code, slug(answer)) for answer in answers) == {(200, ""): 1, (409, "not-in-pool"): 99}
    [winner] = [person for person, answer in zip(people, answers, strict=True) if answer.status_code == 200]
    assert query(stack, "SELECT owner_id::text, holding FROM customer WHERE id = %s", customer_id) == [(winner.user["id"], 2)]
    assert winner.get("/v1/customers/count")["count"] == 1
    check_histories(stack)


def test_of_two_twins_in_the_pool_that_two_claim_at_once_one_is_given(stack: Stack, headquarters: Headquarters) -> None:
    team = headquarters.team()
    with at_each_gateway(stack, [team.rep, team.colleague]) as (rep, colleague):
        for _ in range(20):
            own = brand()
            first = team.pooled("public", f"上海{own}服装厂")
            second = team.pooled("public", f"上海市{own}服装有限公司", keep_twin="两个登记")
            answers = together([partial(rep.act, first, "claim"), partial(colleague.act, second, "claim")])
            assert sorted(answer.status_code for answer in answers) == [200, 409]
    check_histories(stack)


def test_a_name_that_one_adds_while_another_enters_it_is_one_persons(stack: Stack, headquarters: Headquarters) -> None:
    team = headquarters.team()
    with at_each_gateway(stack, [team.rep, team.colleague]) as (rep, colleague):
        for _ in range(20):
            name, path = company(), f"/v1/customers/{team.rep.entered()}"
            change = partial(rep.request, "PATCH", path, {"aliases": [name]}, If_Match='"1"')
            changed, entered = together([change, partial(colleague.enter, name)])
            assert (changed.status_code, entered.status_code) in ((200, 409), (409, 201))


# --- the stock

HOLDS = """
    SELECT (SELECT count(*) FROM customer WHERE owner_id = %s),
           (SELECT coalesce(max(held), 0) FROM stock WHERE person_id = %s)
"""


@contextmanager
def sampling(stack: Stack, person_id: str) -> Iterator[list[tuple[int, int]]]:
    """What the database says all the while: how many customers the person holds, and what his counter says."""
    samples: list[tuple[int, int]] = []
    over = threading.Event()

    def sample() -> None:
        with psycopg.connect(stack.owner_url("customers"), autocommit=True) as connection:
            while not over.is_set():
                samples.extend(connection.execute(HOLDS, [person_id, person_id]).fetchall())

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()


def limit_to(stack: Stack, team: Team, person: Client, limit: int) -> None:
    """And waits until it binds."""
    person.act(person.entered(), "release", reason="other")
    body = {"subject": "person", "person_id": person.user["id"], "limit": limit}
    expect(200, team.admin.request("PUT", "/v1/policies/stock-limit", body))
    allowed = "SELECT allowed FROM stock WHERE person_id = %s"
    eventually(lambda: query(stack, allowed, person.user["id"]), until=lambda rows: rows == [(limit,)])


def make_all(count: int, make: Callable[[], str]) -> list[str]:
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda _: make(), range(count)))


def test_whatever_comes_in_at_once_a_limit_of_ten_holds_at_every_moment(stack: Stack, headquarters: Headquarters) -> None:
    team = headquarters.team()
    to, limit = team.rep.user["id"], 10
    limit_to(stack, team, team.rep, limit)
    pooled = make_all(50, lambda: team.pooled("public"))
    in_agency_pool = make_all(50, lambda: team.pooled("agency"))
    held = make_all(50, team.colleague.entered)

    four = [team.rep, team.admin, team.rep, team.supervisor]
    with at_each_gateway(stack, four, is_patient=True) as (rep, admin, rep_too, supervisor):
        asks: list[Ask] = [partial((rep, rep_too)[index % 2].act, pooled[index], "claim") for index in range(50)]
        asks += [partial((rep, rep_too)[index % 2].enter, company()) for index in range(50)]
        asks += [partial(admin.act, customer_id, "assign", to=to) for customer_id in in_agency_pool]
        asks += [partial(supervisor.act, customer_id, "transfer", to=to) for customer_id in held]
        random.shuffle(asks)
        with sampling(stack, to) as samples:
            answers = together(asks, most=50)

    assert Counter(slug(answer) for answer in answers) == {"": 10, "stock-is-full": 190}
    assert len(samples) > 20
    assert max(count for count, _ in samples) == limit
    assert all(count == counter for count, counter in samples)
    assert samples[-1] == (limit, limit)
    check_histories(stack)


def test_releases_and_entries_at_once_neither_leak_nor_overfill(stack: Stack, headquarters: Headquarters) -> None:
    team, limit = headquarters.team(), 10
    limit_to(stack, team, team.rep, limit)
    held = make_all(limit, team.rep.entered)

    with at_each_gateway(stack, [team.rep] * 2, is_patient=True) as (rep, rep_too):
        asks: list[Ask] = [partial(rep.act, customer_id, "release", reason="other") for customer_id in held]
        asks += [partial(rep_too.enter, company()) for _ in range(30)]
        random.shuffle(asks)
        with sampling(stack, team.rep.user["id"]) as samples:
            answers = together(asks)

    released = sum(answer.request.url.path.endswith("release") and answer.status_code == 200 for answer in answers)
    created = sum(answer.status_code == 201 for answer in answers)
    assert released == limit
    assert max(count for count, _ in samples) <= limit
    assert query(stack, "SELECT held FROM stock WHERE person_id = %s", team.rep.user["id"]) == [(created,)]
    check_histories(stack)


def test_two_who_give_one_another_all_they_have_do_not_stop_one_another(stack: Stack, headquarters: Headquarters) -> None:
    team = headquarters.team()
    ours, theirs = make_all(20, team.rep.entered), make_all(20, team.colleague.entered)
    moves = [(customer_id, team.colleague) for customer_id in ours] + [(customer_id, team.rep) for customer_id in theirs]

    with at_each_gateway(stack, [team.supervisor] * 40) as clients:
        pairs = zip(clients, moves, strict=True)
        answers = together([partial(who.act, customer_id, "transfer", to=to.user["id"]) for who, (customer_id, to) in pairs])

    assert {answer.status_code for answer in answers} == {200}
    check_histories(stack)


# --- the follow-up against the take-back

MEMBERS = 72
REPS = 4


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own, because its time jumps, and whose chores come often."""
    home = made_home(tmp_path_factory, "watched")
    replicas = {"customers": 2, "activities": 2, "gateway": 2}
    with Stack(home, fast=True, replicas=replicas, env={"QUDAO_CHORES_EVERY": "0.1"} | UNSHED) as stack:
        yield stack


def test_a_follow_up_and_a_take_back_in_the_same_second_come_to_one_or_the_other(watched: Stack) -> None:
    headquarters = Headquarters.set_up(watched.url, watched.setup_secret)
    team = headquarters.team()
    reps = headquarters.people(REPS, team.department_id)
    admin = team.admin
    members = make_all(MEMBERS, lambda: team.pooled("agency", source="web"))
    owners = {customer_id: reps[index % REPS] for index, customer_id in enumerate(members)}
    with ThreadPoolExecutor(4) as pool:
        given = list(pool.map(lambda item: admin.act(item[0], "assign", to=item[1].user["id"]), owners.items()))
    assert {answer.status_code for answer in given} == {200}
    due = {line["customer_id"]: datetime.fromisoformat(line["due_at"]) for line in all_deadlines(admin)}
    assert due.keys() == set(members)

    first = min(due.values())
    delay = first - datetime.now(first.tzinfo) - timedelta(seconds=6)
    with later(watched, delay):
        again = {rep.user["id"]: headquarters.admin.log_in(rep.user["login"], PASSWORD) for rep in reps}
        writers = [(again[owners[customer_id].user["id"]], customer_id, due[customer_id] - delay) for customer_id in members]
        notes = write_around(watched, writers)
        admin = headquarters.admin.log_in(admin.user["login"], PASSWORD)
        closed = eventually(lambda: closed_deadlines(admin), seconds=30, until=lambda found: found.keys() == set(members))
        wanted = {customer_id: "taken_back" for customer_id, note in notes.items() if note.status_code != 201}
        closed = eventually(lambda: closed_deadlines(admin), seconds=30, until=lambda found: not outstanding(found, wanted))
        check_each(watched, team, owners, notes, closed)

    verdicts = Counter(closed.values())
    print(f"follow-up against take-back: {dict(verdicts)}")
    assert verdicts["taken_back"] > 3
    assert verdicts["met"] + verdicts["late"] > 3
    check_histories(watched)


def all_deadlines(admin: Client) -> list[Any]:
    return eventually(lambda: admin.pages("/v1/deadlines", limit=200), until=lambda lines: len(lines) == MEMBERS)


def closed_deadlines(admin: Client) -> dict[str, str]:
    lines = admin.pages("/v1/deadlines", limit=200)
    return {line["customer_id"]: line["state"] for line in lines if line["state"] != "open"}


def outstanding(found: dict[str, str], wanted: dict[str, str]) -> list[str]:
    return [customer_id for customer_id, state in wanted.items() if found.get(customer_id) != state]


def write_around(stack: Stack, writers: list[tuple[Client, str, datetime]]) -> dict[str, httpx.Response]:
    """A note on each customer in the second in which its time runs out, by the clock of this machine."""
    moments = [(customer_id, moment.timestamp() + random.uniform(-0.1, 1.0)) for _, customer_id, moment in writers]

    def write(client: Client, customer_id: str, moment: float) -> httpx.Response:
        time.sleep(max(0.0, moment - time.time()))
        return client.note(customer_id, maturity=1)

    people = [writer for writer, _, _ in writers]
    with at_each_gateway(stack, people, is_patient=True) as clients, ThreadPoolExecutor(40) as pool:
        answers = pool.map(write, clients, *zip(*moments, strict=True))
        return {customer_id: answer for (customer_id, _), answer in zip(moments, answers, strict=True)}


def check_each(
    stack: Stack, team: Team, owners: dict[str, Client], notes: dict[str, httpx.Response], closed: dict[str, str]
) -> None:
    """Either the note was taken and the customer is still his, or it was refused and the customer is in the agency pool."""
    places = query(stack, "SELECT id::text, owner_id::text, pool_id::text FROM customer")
    held = {customer_id: (owner_id, pool_id) for customer_id, owner_id, pool_id in places}
    written = {str(row[0]) for row in query(stack, "SELECT customer_id FROM contact_note", service="activities")}
    for customer_id, note in notes.items():
        assert note.status_code in (201, 403, 404, 409), note.text
        if note.status_code == 201:
            assert closed[customer_id] in ("met", "late")
            assert held[customer_id] == (owners[customer_id].user["id"], None)
            assert customer_id in written
        else:
            assert closed[customer_id] == "taken_back"
            assert held[customer_id] == (None, team.pools["agency"])
            assert customer_id not in written
