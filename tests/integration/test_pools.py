"""Custom pools: who makes them, who works in them, what they hide, what a claim must satisfy, and moves between them."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import psycopg
import pytest

from embedded.stack import Stack
from tests.api import PASSWORD, Client, Headquarters, Team, company, eventually, expect, unique
from tests.travel import later

SOMEBODY = "00000000-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def team(headquarters: Headquarters) -> Team:
    return headquarters.team()


@pytest.fixture(scope="module")
def rivals(headquarters: Headquarters) -> Team:
    return headquarters.team()


def slug(answer: Any) -> str:
    return str(answer.json().get("type", "")).removeprefix("urn:qudao:problem:")


def refused(answer: Any, status: int, problem: str) -> Any:
    assert (answer.status_code, slug(answer)) == (status, problem), answer.text
    return answer.json()


def rows(stack: Stack, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.owner_url("customers")) as owner:
        return owner.execute(query, values).fetchall()  # type: ignore[arg-type]


def make_pool(team: Team, **settings: Any) -> str:
    return str(team.admin.post("/v1/pools", {"name": unique("池"), **settings})["id"])


def change(who: Client, pool: str, version: int | None = None, **changes: Any) -> Any:
    """In the version that it has, unless another one is given."""
    if version is None:
        version = who.get(f"/v1/pools/{pool}")["version"]
    return who.request("PATCH", f"/v1/pools/{pool}", changes, If_Match=f'"{version}"')


def put_into(who: Client, pool: str, name: str | None = None, **fields: Any) -> str:
    entered = who.request("POST", f"/v1/pools/{pool}/customers", {"name": name or company(), **fields})
    return str(expect(201, entered)["customer_id"])


def let_in(who: Client, pool: str, person: Client, *, is_admin: bool = False) -> Any:
    return who.request("PUT", f"/v1/pools/{pool}/members/{person.user['id']}", {"is_admin": is_admin})


def let_out(who: Client, pool: str, person: Client) -> Any:
    return who.request("DELETE", f"/v1/pools/{pool}/members/{person.user['id']}")


def sees(who: Client, pool: str) -> bool:
    """The list and the pool itself say the same."""
    is_listed = pool in {each["id"] for each in who.pages("/v1/pools")}
    for path in (f"/v1/pools/{pool}", f"/v1/pools/{pool}/customers", f"/v1/pools/{pool}/members"):
        assert who.request("GET", path).status_code == (200 if is_listed else 404), path
    return is_listed


def together(asks: list[Any]) -> list[Any]:
    start = threading.Barrier(len(asks))

    def run(ask: Any) -> Any:
        start.wait()
        return ask()

    with ThreadPoolExecutor(len(asks)) as threads:
        return list(threads.map(run, asks))


# --- making, changing, ending


def test_an_agency_makes_pools_of_its_own_which_its_reps_see_and_claim_from(team: Team, rivals: Team) -> None:
    name = unique("印花")
    answer = team.admin.request("POST", "/v1/pools", {"name": name, "claim_rules": {"claims_per_day": 9}})
    made = expect(201, answer)

    assert (made["kind"], made["name"], made["version"]) == ("custom", name, 1)
    assert (made["agency_id"], made["archived_at"], made["has_members"]) == (team.agency_id, None, False)
    assert (made["may_claim"], made["may_administer"]) == (False, True)
    assert made["claim_rules"]["claims_per_day"] == 9
    assert made["hidden_fields"] == []
    assert (answer.headers["Location"], answer.headers["ETag"]) == (f"/v1/pools/{made['id']}", '"1"')
    for person in (team.rep, team.neighbour, team.supervisor):
        shown = person.get(f"/v1/pools/{made['id']}")
        assert (shown["may_claim"], shown["may_administer"]) == (True, False)
    for person in (team.rep, team.admin, team.headquarters.admin):
        assert sees(person, made["id"])
    for person in (rivals.rep, rivals.admin):
        assert not sees(person, made["id"])
    customer = put_into(team.admin, made["id"])
    assert expect(200, team.rep.act(customer, "claim"))["owner_id"] == team.rep.user["id"]
    assert team.rep.request("GET", f"/v1/pools/{made['id']}", If_None_Match='"1"').status_code == 304


def test_reps_and_strangers_neither_make_nor_change_pools(team: Team, rivals: Team) -> None:
    pool = make_pool(team)
    for person in (team.rep, team.supervisor):
        refused(person.request("POST", "/v1/pools", {"name": unique("池")}), 403, "permission-denied")
        refused(change(person, pool, name="x"), 403, "permission-denied")
        refused(person.request("POST", f"/v1/pools/{pool}/archive"), 403, "permission-denied")
    refused(change(rivals.admin, pool, 1, name="x"), 404, "not-found")
    refused(rivals.admin.request("POST", f"/v1/pools/{pool}/archive"), 404, "not-found")
    refused(change(team.admin, SOMEBODY, 1, name="x"), 404, "not-found")
    assert team.admin.get(f"/v1/pools/{pool}")["version"] == 1


def test_headquarters_makes_pools_of_any_agency_and_nobody_else_does(team: Team, rivals: Team) -> None:
    admin = team.headquarters.admin
    made = admin.post("/v1/pools", {"name": unique("池"), "agency_id": team.agency_id})
    assert made["agency_id"] == team.agency_id
    assert sees(team.rep, made["id"])
    refused(rivals.admin.request("POST", "/v1/pools", {"name": "x", "agency_id": team.agency_id}), 404, "not-found")
    refused(admin.request("POST", "/v1/pools", {"name": "x", "agency_id": SOMEBODY}), 404, "not-found")


def test_a_name_is_one_pools_of_the_agency_until_that_is_archived(team: Team, rivals: Team) -> None:
    name = unique("池")
    first, other = team.admin.post("/v1/pools", {"name": name}), make_pool(team)
    refused(team.admin.request("POST", "/v1/pools", {"name": name}), 409, "name-taken")
    refused(change(team.admin, other, name=name), 409, "name-taken")
    rivals.admin.post("/v1/pools", {"name": name})

    expect(200, team.admin.request("POST", f"/v1/pools/{first['id']}/archive"))

    assert expect(200, change(team.admin, other, name=name))["name"] == name


def test_every_agency_keeps_one_pool_of_each_kind_that_is_built_in(stack: Stack, team: Team) -> None:
    make_pool(team), make_pool(team)
    with psycopg.connect(stack.owner_url("customers")) as owner, pytest.raises(psycopg.errors.UniqueViolation):
        owner.execute("INSERT INTO pool SELECT gen_random_uuid(), agency_id, kind, 'x' FROM pool WHERE kind = 'public' LIMIT 1")


def test_a_change_names_the_version_that_was_read_and_leaves_what_is_not_given(team: Team) -> None:
    rules = {"claims_per_day": 3, "cool_down_days": 30}
    pool = make_pool(team, hidden_fields=["city", "source", "city"], claim_rules=rules)
    path, name = f"/v1/pools/{pool}", unique("池")

    refused(team.admin.request("PATCH", path, {"name": name}), 428, "precondition-required")
    renamed = change(team.admin, pool, name=name)

    assert renamed.headers["ETag"] == '"2"'
    assert (renamed.json()["name"], renamed.json()["hidden_fields"]) == (name, ["city", "source"])
    assert {rule: limit for rule, limit in renamed.json()["claim_rules"].items() if limit} == rules
    assert refused(change(team.admin, pool, 1, name="x"), 412, "version-conflict")["version"] == 2
    changed = expect(200, change(team.admin, pool, hidden_fields=[], claim_rules={"transfer_cap": 4}))
    assert (changed["version"], changed["name"], changed["hidden_fields"]) == (3, name, [])
    assert {rule for rule, limit in changed["claim_rules"].items() if limit} == {"transfer_cap"}


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": None}, ""),
        ({"hidden_fields": ["phone"]}, "/hidden_fields/0"),
        ({"hidden_fields": None}, "/hidden_fields"),
        ({"claim_rules": {"claims_per_day": 0}}, "/claim_rules/claims_per_day"),
        ({"claim_rules": {"claims_a_day": 1}}, "/claim_rules/claims_a_day"),
        ({"claim_rules": {"cool_down_days": 1.5}}, "/claim_rules/cool_down_days"),
        ({"kind": "public"}, "/kind"),
    ],
)
def test_settings_that_are_none_are_refused_with_their_place(team: Team, changes: dict[str, Any], pointer: str) -> None:
    told = refused(change(team.admin, team.pools["public"], 0, **changes), 422, "invalid-request")
    assert pointer in {error["pointer"] for error in told["errors"]}


def test_a_built_in_pool_has_settings_and_neither_another_name_nor_members_nor_an_end(headquarters: Headquarters) -> None:
    team = headquarters.team()
    pool = team.pools["public"]
    assert team.admin.request("GET", f"/v1/pools/{pool}").headers["ETag"] == '"0"'

    changed = change(team.admin, pool, 0, claim_rules={"claims_per_day": 1})

    assert changed.headers["ETag"] == '"1"'
    refused(change(team.admin, pool, name="x"), 409, "built-in-pool")
    refused(let_in(team.admin, pool, team.rep), 409, "built-in-pool")
    refused(team.admin.request("POST", f"/v1/pools/{pool}/archive"), 409, "built-in-pool")
    expect(200, team.rep.act(team.pooled("public"), "claim"))
    refused(team.rep.act(team.pooled("public"), "claim"), 409, "day-of-claims-full")


def test_of_many_changes_of_one_version_one_is_made(team: Team) -> None:
    pool = make_pool(team)
    names = [unique("池") for _ in range(8)]
    answers = together([partial(change, team.admin, pool, 1, name=name) for name in names])
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: 7}
    [winner] = [name for name, answer in zip(names, answers, strict=True) if answer.status_code == 200]
    assert team.admin.get(f"/v1/pools/{pool}")["name"] == winner


def test_a_pool_is_archived_when_it_is_empty_and_nothing_comes_into_it_then(team: Team) -> None:
    pool, path = make_pool(team), "/v1/pools"
    customer = put_into(team.admin, pool)
    refused(team.admin.request("POST", f"{path}/{pool}/archive"), 409, "pool-not-empty")
    expect(200, team.rep.act(customer, "claim"))

    archived = expect(200, team.admin.request("POST", f"{path}/{pool}/archive"))

    assert archived["archived_at"]
    assert not sees(team.rep, pool)
    assert team.admin.get(f"{path}/{pool}")["archived_at"] == archived["archived_at"]
    assert pool not in {each["id"] for each in team.admin.pages(path)}
    assert pool in {each["id"] for each in team.admin.pages(f"{path}?archived=true")}
    assert team.rep.pages(f"{path}?archived=true") == []
    in_public = team.pooled("public")
    for attempt in (
        team.admin.request("POST", f"{path}/{pool}/customers", {"name": company()}),
        team.admin.act(in_public, "move", pool_id=pool),
        team.admin.act(customer, "release", reason="other", pool_id=pool),
        change(team.admin, pool, name="x"),
        let_in(team.admin, pool, team.rep),
        team.admin.request("POST", f"{path}/{pool}/archive"),
    ):
        refused(attempt, 409, "pool-archived")


def test_what_is_put_into_a_pool_while_it_is_archived_is_there_or_the_pool_is_gone(stack: Stack, team: Team) -> None:
    in_public = [team.pooled("public") for _ in range(4)]
    ended = Counter[str]()
    for _ in range(8):
        pool = make_pool(team)
        asks = [partial(team.admin.act, customer, "move", pool_id=pool) for customer in in_public]
        archive = partial(team.admin.request, "POST", f"/v1/pools/{pool}/archive")
        *moved, archived = together([*asks, archive])
        for customer, answer in zip(in_public, moved, strict=True):
            assert answer.status_code == 200 or slug(answer) == "pool-archived", answer.text
            if answer.status_code == 200:
                expect(200, team.admin.act(customer, "move", pool_id=team.pools["public"]))
        is_all_out = all(answer.status_code == 409 for answer in moved)
        assert (archived.status_code == 200) is is_all_out, archived.text
        ended[slug(archived)] += 1
    assert rows(stack, "SELECT 1 FROM customer JOIN pool ON pool.id = pool_id WHERE archived_at IS NOT NULL") == []


# --- who works in them


def test_with_members_a_pool_is_theirs_alone(stack: Stack, team: Team) -> None:
    pool, name = make_pool(team), company()
    customer = put_into(team.admin, pool, name)
    assert sees(team.colleague, pool)

    expect(200, let_in(team.admin, pool, team.rep))

    assert sees(team.rep, pool)
    assert team.rep.get(f"/v1/pools/{pool}")["has_members"]
    assert not sees(team.colleague, pool)
    refused(team.colleague.act(customer, "claim"), 404, "not-found")
    denials = (
        "SELECT new ->> 'refused' FROM audit WHERE actor = %s AND operation = 'customers.claim_customer' AND result = 'denied'"
    )
    assert rows(stack, denials, team.colleague.user["id"])[-1] == ("out-of-scope",)
    told = team.colleague.check(name=name)
    assert (told["verdict"]["verdict"], told["verdict"]["reason"]) == ("refused", "in_agency_pool")
    assert [(hit["place"], hit["customer_id"]) for hit in told["hits"]] == [("agency_pool", None)]
    assert expect(409, team.colleague.enter(name, claim=True))["outcome"] == "refused"
    told = team.rep.check(name=name)
    assert (told["verdict"]["verdict"], told["verdict"]["customer_id"]) == ("claimable", customer)
    assert [hit["place"] for hit in told["hits"]] == ["custom_pool"]
    assert expect(200, team.rep.enter(name, claim=True))["outcome"] == "claimed"


def test_who_is_removed_is_out_at_the_next_request(team: Team) -> None:
    pool = make_pool(team)
    customer = put_into(team.admin, pool)
    expect(200, let_in(team.admin, pool, team.rep))
    expect(200, let_in(team.admin, pool, team.colleague))
    assert sees(team.rep, pool)

    expect(204, let_out(team.admin, pool, team.rep))

    assert not sees(team.rep, pool)
    refused(team.rep.act(customer, "claim"), 404, "not-found")
    refused(let_out(team.admin, pool, team.rep), 404, "not-found")
    expect(200, team.colleague.act(customer, "claim"))


def test_a_pool_whose_last_member_leaves_is_open_to_all_again(team: Team) -> None:
    pool = make_pool(team)
    expect(200, let_in(team.admin, pool, team.supervisor, is_admin=True))
    assert sees(team.rep, pool), "an admin is no member"
    expect(200, let_in(team.admin, pool, team.rep))
    assert not sees(team.colleague, pool)
    expect(204, let_out(team.admin, pool, team.rep))
    assert sees(team.colleague, pool)


def test_members_are_listed_page_by_page_and_a_second_time_changes_the_part(team: Team) -> None:
    pool = make_pool(team)
    for person in (team.rep, team.colleague, team.neighbour):
        expect(200, let_in(team.admin, pool, person))
    as_admin = expect(200, let_in(team.admin, pool, team.rep, is_admin=True))

    listed = team.rep.pages(f"/v1/pools/{pool}/members", limit=1)

    assert len(listed) == 3
    assert as_admin in listed
    assert as_admin["name"] == team.rep.user["display_name"]
    assert {line["id"]: line["is_admin"] for line in listed} == {
        team.rep.user["id"]: True,
        team.colleague.user["id"]: False,
        team.neighbour.user["id"]: False,
    }


def test_only_people_of_the_agency_who_hold_customers_work_in_a_pool(team: Team, rivals: Team) -> None:
    pool = make_pool(team)
    refused(let_in(team.admin, pool, team.admin), 409, "receiver-unfit")
    refused(let_in(team.admin, pool, rivals.rep), 404, "not-found")
    refused(let_in(team.headquarters.admin, pool, rivals.rep), 409, "receiver-unfit")
    refused(team.admin.request("PUT", f"/v1/pools/{pool}/members/{SOMEBODY}", {}), 404, "not-found")
    refused(let_in(rivals.admin, pool, rivals.rep), 404, "not-found")
    refused(let_in(team.rep, pool, team.rep), 403, "permission-denied")
    assert team.admin.pages(f"/v1/pools/{pool}/members") == []


def test_a_pool_admin_fills_it_assigns_from_it_and_has_its_members_come_and_go(team: Team) -> None:
    pool, other = make_pool(team, hidden_fields=["city"]), make_pool(team)
    boss = team.headquarters.person("rep", team.department_id)
    for each in (pool, other):
        expect(200, let_in(team.admin, each, boss, is_admin=True))
    shown = boss.get(f"/v1/pools/{pool}")
    assert (shown["may_claim"], shown["may_administer"]) == (True, True)

    expect(200, let_in(boss, pool, team.rep))
    expect(200, let_in(boss, pool, team.colleague))
    expect(204, let_out(boss, pool, team.colleague))
    first, second = put_into(boss, pool, city="扬州"), put_into(boss, pool)
    assert {line["city"] for line in boss.pages(f"/v1/pools/{pool}/customers")} == {"扬州", None}

    assigned = expect(200, boss.act(first, "assign", to=team.rep.user["id"]))
    assert assigned["owner_id"] == team.rep.user["id"]
    refused(boss.act(second, "assign", to=team.colleague.user["id"]), 409, "receiver-unfit")
    assert expect(200, boss.act(second, "move", pool_id=other))["pool_id"] == other
    assert expect(200, boss.act(second, "assign", to=team.colleague.user["id"]))["owner_id"] == team.colleague.user["id"]


def test_a_pool_admin_is_one_of_his_pools_alone_and_manages_none(team: Team, rivals: Team) -> None:
    pool, foreign, hidden = make_pool(team), make_pool(team), make_pool(team)
    boss, name = team.headquarters.person("rep", team.department_id), company()
    expect(200, let_in(team.admin, pool, boss, is_admin=True))
    expect(200, let_in(team.admin, pool, team.rep))
    expect(200, let_in(team.admin, hidden, team.rep))
    inside, outside = put_into(boss, pool), put_into(team.admin, foreign)
    held = team.colleague.entered(name)
    to = {"to": boss.user["id"]}

    for attempt in (
        boss.act(outside, "assign", **to),
        boss.act(team.pooled("public"), "assign", **to),
        boss.act(team.pooled("agency"), "assign", **to),
        boss.act(held, "assign", **to),
        boss.act(inside, "assign", to=rivals.rep.user["id"]),
        boss.act(inside, "move", pool_id=hidden),
        boss.act(inside, "move", pool_id=team.pools["agency"]),
        boss.act(outside, "move", pool_id=pool),
        boss.act(held, "move", pool_id=pool),
        boss.request("POST", f"/v1/pools/{hidden}/customers", {"name": company()}),
        let_in(boss, hidden, team.rep),
    ):
        refused(attempt, 404, "not-found")
    for attempt in (
        boss.act(inside, "move", pool_id=foreign),
        boss.act(inside, "move", pool_id=team.pools["public"]),
        boss.request("POST", f"/v1/pools/{foreign}/customers", {"name": company()}),
        let_in(boss, foreign, team.rep),
        let_in(boss, pool, team.colleague, is_admin=True),
        let_in(boss, pool, boss),
        let_out(boss, pool, boss),
        change(boss, pool, name="x"),
        boss.act(inside, "open"),
    ):
        refused(attempt, 403, "permission-denied")
    twin = {"name": name, "keep_twin": "two registers"}
    refused(boss.request("POST", f"/v1/pools/{pool}/customers", twin), 409, "customer-refused")
    expect(204, let_out(team.admin, pool, boss))
    refused(boss.act(inside, "assign", to=team.rep.user["id"]), 404, "not-found")


# --- what is hidden


def test_a_pool_hides_fields_from_those_who_claim_until_they_have(team: Team) -> None:
    hidden = ["city", "industry", "province", "reason", "source"]
    pool = make_pool(team, hidden_fields=hidden)
    known = {"province": "江苏", "city": "扬州", "industry": "纺织", "source": "exhibition"}
    customer = put_into(team.admin, pool, **known)

    [line] = team.rep.pages(f"/v1/pools/{pool}/customers")
    assert (line["hidden_fields"], {line[name] for name in hidden}) == (hidden, {None})
    assert line["name"]
    for person in (team.admin, team.headquarters.admin):
        [line] = person.pages(f"/v1/pools/{pool}/customers")
        assert line["hidden_fields"] == []
        assert {name: line[name] for name in known} == known
    expect(200, change(team.admin, pool, hidden_fields=["source"]))
    [line] = team.rep.pages(f"/v1/pools/{pool}/customers")
    assert (line["hidden_fields"], line["source"], line["city"]) == (["source"], None, "扬州")
    claimed = expect(200, team.rep.act(customer, "claim"))
    assert {name: claimed[name] for name in known} == known


# --- what a claim must satisfy


def ruled(team: Team, **rules: int) -> str:
    return make_pool(team, claim_rules=rules)


def claim_by_entering(who: Client, team: Team, pool: str) -> Any:
    name = company()
    put_into(team.admin, pool, name)
    return who.enter(name, claim=True)


def again(who: Client) -> Client:
    """Logged in anew, as sessions do not outlast a long journey."""
    return who.log_in(who.user["login"], PASSWORD)


def test_a_day_has_so_many_claims_of_a_person_from_a_pool_in_either_way(stack: Stack, team: Team) -> None:
    pool, other = ruled(team, claims_per_day=2), ruled(team, claims_per_day=2)
    ids = [put_into(team.admin, pool) for _ in range(3)]
    expect(200, team.rep.act(ids[0], "claim"))
    expect(200, claim_by_entering(team.rep, team, pool))

    told = refused(team.rep.act(ids[1], "claim"), 409, "day-of-claims-full")
    assert (told["claims"], told["claims_per_day"]) == (2, 2)
    until = datetime.fromisoformat(told["until"])
    assert (until.hour, until.minute) == (16, 0), "midnight in Shanghai"
    attempts = len(team.rep.pages("/v1/entry-attempts"))
    refused(claim_by_entering(team.rep, team, pool), 409, "day-of-claims-full")
    assert len(team.rep.pages("/v1/entry-attempts")) == attempts, "nothing is saved"

    expect(200, team.rep.act(put_into(team.admin, other), "claim"))
    expect(200, team.colleague.act(ids[1], "claim"))
    with later(stack, until - datetime.now(until.tzinfo) + timedelta(seconds=1)):
        expect(200, again(team.rep).act(ids[2], "claim"))


def test_of_many_claims_at_once_exactly_so_many_succeed_as_the_day_has(stack: Stack, team: Team) -> None:
    pool = ruled(team, claims_per_day=5)
    names = [company() for _ in range(10)]
    ids = [put_into(team.admin, pool) for _ in range(20)]
    for name in names:
        put_into(team.admin, pool, name)
    person = team.headquarters.person("rep", team.department_id)
    asks = [partial(person.act, customer, "claim") for customer in ids]
    asks += [partial(person.enter, name, claim=True) for name in names]  # type: ignore[arg-type]

    answers = together(asks)

    assert Counter((answer.status_code, slug(answer)) for answer in answers) == {(200, ""): 5, (409, "day-of-claims-full"): 25}
    assert person.get("/v1/customers/count")["count"] == 5
    counted = "SELECT claims FROM pool_claims WHERE pool_id = %s AND person_id = %s"
    assert rows(stack, counted, pool, person.user["id"]) == [(5,)]


def test_what_fails_counts_nothing_and_what_is_repeated_counts_once(stack: Stack, team: Team) -> None:
    pool, person = ruled(team, claims_per_day=2), team.headquarters.person("rep", team.department_id)
    limit = {"subject": "person", "person_id": person.user["id"], "limit": 1}
    expect(200, team.admin.request("PUT", "/v1/policies/stock-limit", limit))
    held = person.entered()
    eventually(lambda: rows(stack, "SELECT allowed FROM stock WHERE person_id = %s", person.user["id"]) == [(1,)])
    ids, key = [put_into(team.admin, pool) for _ in range(3)], unique("key")
    for customer in ids:
        refused(person.act(customer, "claim"), 409, "stock-is-full")
    assert rows(stack, "SELECT claims FROM pool_claims WHERE pool_id = %s", pool) == []
    expect(200, person.act(held, "release", reason="no_need"))

    answers = [person.request("POST", f"/v1/customers/{ids[0]}/claim", Idempotency_Key=key) for _ in range(3)]

    assert len({answer.content for answer in answers}) == 1
    expect(200, answers[0])
    assert rows(stack, "SELECT claims FROM pool_claims WHERE pool_id = %s", pool) == [(1,)]


def test_between_two_claims_of_a_person_there_is_an_interval(stack: Stack, team: Team) -> None:
    pool = ruled(team, claim_interval_minutes=10)
    ids = [put_into(team.admin, pool) for _ in range(3)]
    expect(200, team.rep.act(ids[0], "claim"))

    told = refused(team.rep.act(ids[1], "claim"), 409, "claim-too-soon")
    refused(claim_by_entering(team.rep, team, pool), 409, "claim-too-soon")
    [(last,)] = rows(stack, "SELECT last_at FROM pool_claims WHERE pool_id = %s", pool)
    assert datetime.fromisoformat(told["until"]) == last + timedelta(minutes=10)
    expect(200, team.colleague.act(ids[1], "claim"))
    with later(stack, timedelta(minutes=10)):
        expect(200, team.rep.act(ids[2], "claim"))


@pytest.mark.parametrize("way", ["release", "take-back"])
def test_who_gave_a_customer_up_cannot_claim_it_again_before_the_cool_down_is_over(stack: Stack, team: Team, way: str) -> None:
    pool, name = ruled(team, cool_down_days=3), company()
    customer = put_into(team.admin, pool, name)
    expect(200, team.rep.act(customer, "claim"))
    who = team.rep if way == "release" else team.supervisor
    expect(200, who.act(customer, way, reason="no_need"))
    expect(200, team.admin.act(customer, "move", pool_id=pool))
    ended = "SELECT held_until FROM ownership WHERE customer_id = %s AND owner_id IS NOT NULL"
    [(given_up_at,)] = rows(stack, ended, customer)

    told = refused(team.rep.act(customer, "claim"), 409, "cooling-down")
    assert datetime.fromisoformat(told["until"]) == given_up_at + timedelta(days=3)
    refused(team.rep.enter(name, claim=True), 409, "cooling-down")
    now = datetime.now(given_up_at.tzinfo)
    with later(stack, given_up_at + timedelta(days=3) - now - timedelta(seconds=30)):
        refused(again(team.rep).act(customer, "claim"), 409, "cooling-down")
    with later(stack, timedelta(days=3)):
        expect(200, again(team.rep).act(customer, "claim"))


def test_a_cool_down_hinders_nobody_else_and_nobody_who_passed_it_on(team: Team) -> None:
    pool = ruled(team, cool_down_days=3)
    customer = put_into(team.admin, pool)
    expect(200, team.rep.act(customer, "claim"))
    expect(200, team.supervisor.act(customer, "transfer", to=team.colleague.user["id"]))
    expect(200, team.colleague.act(customer, "release", reason="no_need"))
    expect(200, team.admin.act(customer, "move", pool_id=pool))
    refused(team.colleague.act(customer, "claim"), 409, "cooling-down")
    expect(200, team.rep.act(customer, "claim"))


def test_what_has_come_into_a_pool_only_just_is_protected(stack: Stack, team: Team) -> None:
    pool = ruled(team, protected_hours=2)
    customer = put_into(team.admin, pool)
    [line] = team.rep.pages(f"/v1/pools/{pool}/customers")

    told = refused(team.rep.act(customer, "claim"), 409, "new-in-pool")
    assert datetime.fromisoformat(told["until"]) == datetime.fromisoformat(line["pooled_since"]) + timedelta(hours=2)
    refused(claim_by_entering(team.rep, team, pool), 409, "new-in-pool")
    assert expect(200, team.admin.act(put_into(team.admin, pool), "assign", to=team.rep.user["id"]))
    with later(stack, timedelta(hours=2)):
        expect(200, again(team.rep).act(customer, "claim"))


def test_what_has_changed_hands_so_often_can_only_be_assigned(team: Team) -> None:
    pool, name = ruled(team, transfer_cap=2), company()
    customer = team.rep.entered(name)
    for person in (team.colleague, team.rep):
        expect(200, team.supervisor.act(customer, "take-back", reason="x"))
        expect(200, team.admin.act(customer, "move", pool_id=pool))
        expect(200, person.act(customer, "claim"))
    expect(200, team.admin.act(customer, "take-back", reason="x", pool_id=pool))

    told = refused(team.colleague.act(customer, "claim"), 409, "changed-hands-too-often")
    assert (told["moves"], told["transfer_cap"]) == (2, 2)
    refused(team.colleague.enter(name, claim=True), 409, "changed-hands-too-often")
    expect(200, team.admin.act(customer, "assign", to=team.colleague.user["id"]))


# --- from hand to pool and from pool to pool


def test_who_manages_pools_chooses_where_a_release_goes_and_a_rep_does_not(team: Team, rivals: Team) -> None:
    pool, public = make_pool(team), team.pools["public"]
    first, second = team.rep.entered(), team.rep.entered()
    refused(team.rep.act(first, "release", reason="other", pool_id=pool), 403, "permission-denied")
    refused(team.supervisor.act(first, "release", reason="other", pool_id=pool), 403, "permission-denied")
    for elsewhere in (rivals.pools["public"], SOMEBODY):
        for person in (team.admin, team.headquarters.admin):
            refused(person.act(first, "release", reason="other", pool_id=elsewhere), 404, "not-found")

    assert expect(200, team.admin.act(first, "release", reason="other", pool_id=pool))["pool_id"] == pool
    assert expect(200, team.headquarters.admin.act(second, "take-back", reason="x", pool_id=public))["pool_id"] == public


def test_who_oversees_somebody_takes_a_customer_back_from_him(team: Team, rivals: Team) -> None:
    customer = team.rep.entered()
    for stranger in (team.colleague, team.neighbour, rivals.admin):
        refused(stranger.act(customer, "take-back", reason="x"), 404, "not-found")
    refused(team.rep.act(customer, "take-back", reason="x"), 409, "already-theirs")
    refused(team.supervisor.act(customer, "take-back"), 422, "invalid-request")

    taken = expect(200, team.supervisor.act(customer, "take-back", reason="三周没有联系"))

    assert taken["pool_id"] == team.pools["agency"]
    last = team.admin.pages(f"/v1/customers/{customer}/ownership")[-1]
    assert (last["cause"], last["reason"], last["pool_kind"]) == ("take_back", "三周没有联系", "agency")
    refused(team.admin.act(customer, "take-back", reason="x"), 409, "not-held")


def test_a_move_goes_from_pool_to_pool_of_the_agency_and_stands_in_the_history(team: Team, rivals: Team) -> None:
    pool = make_pool(team)
    customer = team.pooled("agency")

    moved = expect(200, team.admin.act(customer, "move", pool_id=pool, reason="印花行业"))

    assert (moved["pool_id"], moved["owner_id"]) == (pool, None)
    history = team.admin.pages(f"/v1/customers/{customer}/ownership")
    assert [(each["cause"], each["pool_kind"]) for each in history] == [("enter", "agency"), ("move", "custom")]
    assert (history[1]["reason"], history[1]["since"]) == ("印花行业", history[0]["until"])
    refused(team.admin.act(customer, "move", pool_id=pool), 409, "lies-there")
    for elsewhere in (rivals.pools["public"], make_pool(rivals)):
        for person in (team.admin, team.headquarters.admin):
            refused(person.act(customer, "move", pool_id=elsewhere), 404, "not-found")
    refused(rivals.admin.act(customer, "move", pool_id=rivals.pools["public"]), 404, "not-found")
    refused(team.rep.act(customer, "move", pool_id=pool), 404, "not-found")
    refused(team.admin.act(team.rep.entered(), "move", pool_id=pool), 409, "not-in-pool")


# --- what is told


def test_every_change_of_a_pool_is_told_whole_and_logged(team: Team) -> None:
    pool = make_pool(team)
    expect(200, change(team.admin, pool, claim_rules={"claims_per_day": 3}))
    expect(200, let_in(team.admin, pool, team.rep))
    expect(200, let_in(team.admin, pool, team.colleague, is_admin=True))
    expect(204, let_out(team.admin, pool, team.rep))
    expect(200, team.admin.request("POST", f"/v1/pools/{pool}/archive"))

    def told() -> list[Any]:
        return list(team.admin.pages(f"/v1/log?aggregate_id={pool}"))

    newest_first = eventually(told, until=lambda entries: len(entries) == 6)
    states = [entry["data"] for entry in reversed(newest_first)]
    assert [state["claim_rules"]["claims_per_day"] for state in states] == [None, 3, 3, 3, 3, 3]
    assert [len(state["member_ids"]) for state in states] == [0, 0, 1, 1, 0, 0]
    assert [len(state["admin_ids"]) for state in states] == [0, 0, 0, 1, 1, 1]
    assert [state["archived_at"] is None for state in states] == [True] * 5 + [False]


def test_a_repeated_command_is_answered_alike_and_done_once(team: Team) -> None:
    key, name = unique("key"), unique("池")
    made = [team.admin.request("POST", "/v1/pools", {"name": name}, Idempotency_Key=key) for _ in range(2)]
    assert made[0].content == made[1].content
    pool = expect(201, made[0])["id"]
    asks = [
        ("PUT", f"/v1/pools/{pool}/members/{team.rep.user['id']}", {"is_admin": False}),
        ("DELETE", f"/v1/pools/{pool}/members/{team.rep.user['id']}", None),
        ("POST", f"/v1/pools/{pool}/archive", None),
    ]
    for version, (method, path, body) in enumerate(asks, start=2):
        answers = [team.admin.request(method, path, body, Idempotency_Key=key) for _ in range(2)]
        assert answers[0].is_success
        assert answers[0].content == answers[1].content
        assert team.admin.get(f"/v1/pools/{pool}")["version"] == version
