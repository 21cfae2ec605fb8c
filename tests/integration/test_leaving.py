"""Leaving with handover: who leaves is out at once, what he holds goes on once, whatever happens meanwhile."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from embedded.stack import Stack
from services.contracts.collision import CollisionRules
from tests.api import Client, Headquarters, Team, brand, company, eventually, expect, unique

OVER = ("done", "with_leftovers")


@pytest.fixture(scope="module")
def team(headquarters: Headquarters) -> Team:
    return headquarters.team()


@pytest.fixture(scope="module")
def rivals(headquarters: Headquarters) -> Team:
    return headquarters.team()


@pytest.fixture
def leaver(headquarters: Headquarters, team: Team) -> Client:
    return headquarters.person("rep", team.department_id)


def told(answer: Any) -> tuple[int, str]:
    return answer.status_code, str(answer.json().get("type", "")).removeprefix("urn:qudao:problem:")


def rows(stack: Stack, query: str, *values: Any, service: str = "customers") -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.owner_url(service)) as owner:
        return owner.execute(query, values).fetchall()  # type: ignore[arg-type]


def id_of(person: Client) -> str:
    return str(person.user["id"])


def order(who: Client, person: Client, /, *receivers: Client | tuple[Client, int], **plan: Any) -> httpx.Response:
    """A leaving by a plan; a receiver may have a share."""
    shares = [each if isinstance(each, tuple) else (each, 1) for each in receivers]
    body = {"receivers": [{"person_id": id_of(person), "share": share} for person, share in shares]} | plan
    return who.request("POST", f"/v1/users/{id_of(person)}/leaving", body)


def over(who: Client, leaving_id: str) -> Any:
    return eventually(lambda: who.get(f"/v1/leavings/{leaving_id}"), seconds=60, until=lambda shown: shown["status"] in OVER)


def left(who: Client, person: Client, /, *receivers: Client | tuple[Client, int], **plan: Any) -> Any:
    """The leaving once it is over."""
    return over(who, expect(202, order(who, person, *receivers, **plan))["id"])


def counts(leaving: Any) -> dict[str, int]:
    return {f"{each['kind']} {each['outcome']}": each["number"] for part in leaving["parts"] for each in part["counts"]}


def items(who: Client, leaving: Any, of: str = "customers") -> dict[str, Any]:
    return {each["item_id"]: each for each in who.pages(f"/v1/leavings/{leaving['id']}/{of}", limit=3)}


def owner_of(who: Client, customer_id: str) -> str | None:
    found: str | None = who.get(f"/v1/customers/{customer_id}")["owner_id"]
    return found


def held(stack: Stack, person: Client) -> int:
    """By the counter, which is what it counts."""
    counted = "SELECT held, (SELECT count(*) FROM customer WHERE owner_id = person_id) FROM stock WHERE person_id = %s"
    [(counter, customers)] = rows(stack, counted, id_of(person))
    assert counter == customers
    return int(counter)


def limit(team: Team, person: Client, number: int) -> None:
    body = {"subject": "person", "person_id": id_of(person), "limit": number}
    expect(200, team.admin.request("PUT", "/v1/policies/stock-limit", body))


def limited(stack: Stack, team: Team, person: Client, number: int) -> None:
    """And customers has heard of it."""
    limit(team, person, number)
    allowed = "SELECT allowed FROM stock WHERE person_id = %s"
    eventually(lambda: rows(stack, allowed, id_of(person)), until=lambda found: found == [(number,)])


def at_once(*asks: Callable[[], Any]) -> list[Any]:
    start = threading.Barrier(len(asks))

    def run(ask: Callable[[], Any]) -> Any:
        start.wait()
        return ask()

    with ThreadPoolExecutor(len(asks)) as threads:
        return list(threads.map(run, asks))


# --- handing over


def test_who_leaves_is_out_at_once_and_his_customers_go_to_colleagues_by_share(
    stack: Stack, headquarters: Headquarters, team: Team, leaver: Client
) -> None:
    most, least = headquarters.people(2, team.department_id)
    customers = [leaver.entered() for _ in range(6)]

    ordered = order(team.admin, leaver, (most, 2), least, reason="离职")

    leaving = expect(202, ordered)
    assert ordered.headers["Location"] == f"/v1/leavings/{leaving['id']}"
    assert (leaving["status"], leaving["round"], leaving["user_id"]) == ("planned", 1, id_of(leaver))
    assert team.admin.get(f"/v1/users/{id_of(leaver)}")["status"] == "disabled"
    eventually(lambda: leaver.request("GET", "/v1/me").status_code, seconds=2, until=lambda status: status == 401)
    done = over(team.admin, leaving["id"])
    assert (done["status"], counts(done)) == ("done", {"customer handed_over": 6})
    assert Counter(owner_of(team.admin, each) for each in customers) == {id_of(most): 4, id_of(least): 2}
    assert (held(stack, leaver), held(stack, most), held(stack, least)) == (0, 4, 2)
    lines = items(team.admin, done)
    assert lines.keys() == set(customers)
    assert {line["to_name"] for line in lines.values()} == {most.user["display_name"], least.user["display_name"]}
    for customer in customers:
        stretches = team.admin.get(f"/v1/customers/{customer}/ownership")["items"]
        assert [each["cause"] for each in stretches] == ["enter", "leaving"]
        assert stretches[-1]["reason"] == "离职"
        assert all(one["until"] == other["since"] for one, other in pairwise(stretches))


def test_receivers_are_told_how_many_they_have_got(stack: Stack, team: Team, leaver: Client, headquarters: Headquarters) -> None:
    [receiver] = headquarters.people(1, team.department_id)
    for _ in range(3):
        leaver.entered()

    leaving = left(team.admin, leaver, receiver)

    found = rows(stack, "SELECT data FROM outbox WHERE name = 'customers_handed_over' ORDER BY seq")
    mine = [data for (data,) in found if data["to_id"] == id_of(receiver)]
    assert mine[-1] == {"leaving_id": leaving["id"], "from_id": id_of(leaver), "to_id": id_of(receiver), "customers": 3}
    in_log = (
        "SELECT count(*) FROM log_entry WHERE name = 'leaving_changed' AND data->>'leaving_id' = %s AND data->>'status' = 'done'"
    )
    eventually(lambda: rows(stack, in_log, leaving["id"], service="activities"), until=lambda found: found == [(1,)])


def test_without_receivers_everything_goes_to_the_agency_pool(stack: Stack, team: Team, leaver: Client) -> None:
    customer = leaver.entered()

    done = left(team.admin, leaver)

    assert counts(done) == {"customer to_pool": 1}
    shown = team.admin.get(f"/v1/customers/{customer}")
    assert (shown["owner_id"], shown["pool_id"]) == (None, team.pools["agency"])
    assert held(stack, leaver) == 0


def test_listed_customers_go_where_the_list_says_and_the_others_in_turn(team: Team, leaver: Client) -> None:
    listed, pooled, other = (leaver.entered() for _ in range(3))
    not_his = team.colleague.entered()
    plan = [
        {"customer_id": listed, "to": id_of(team.neighbour)},
        {"customer_id": pooled},
        {"customer_id": not_his, "to": id_of(team.rep)},
    ]

    done = left(team.admin, leaver, team.colleague, customers=plan)

    assert owner_of(team.admin, listed) == id_of(team.neighbour)
    assert owner_of(team.admin, pooled) is None
    assert owner_of(team.admin, other) == id_of(team.colleague)
    assert owner_of(team.admin, not_his) == id_of(team.colleague)
    assert {each: line["outcome"] for each, line in items(team.admin, done).items()} == {
        listed: "handed_over",
        pooled: "to_pool",
        other: "handed_over",
        not_his: "not_held",
    }
    of_pool = team.admin.pages(f"/v1/leavings/{done['id']}/customers?outcome=to_pool")
    assert [line["item_id"] for line in of_pool] == [pooled]


def test_what_nobody_can_hold_goes_to_the_agency_pool_with_the_reason(
    stack: Stack, headquarters: Headquarters, team: Team, leaver: Client
) -> None:
    full, nearly = headquarters.people(2, team.department_id)
    for person, number in ((full, 0), (nearly, 1)):
        limited(stack, team, person, number)
    for _ in range(3):
        leaver.entered()

    done = left(team.admin, leaver, full, nearly)

    assert counts(done) == {"customer handed_over": 1, "customer to_pool": 2}
    reasons = Counter(line["reason"] for line in items(team.admin, done).values())
    assert reasons == {None: 1, "stock-is-full": 2}
    assert (held(stack, full), held(stack, nearly)) == (0, 1)


def test_a_company_that_another_agency_has_as_well_goes_to_the_pool(
    headquarters: Headquarters, team: Team, rivals: Team, leaver: Client
) -> None:
    """As with every change of hands nobody comes to hold a twin."""
    name = company()
    leaver.entered(name)
    body = {"name": name, "keep_twin": "register"}
    headquarters.admin.post(f"/v1/pools/{rivals.pools['public']}/customers", body)

    done = left(team.admin, leaver, team.colleague)

    [line] = items(team.admin, done).values()
    assert (line["outcome"], line["reason"]) == ("to_pool", "held-elsewhere")


def test_his_own_twins_go_to_one_and_the_same(team: Team, leaver: Client) -> None:
    name = company()
    twins = [team.pooled("public", name, keep_twin="两家都登记") for _ in range(2)]
    for twin in twins:
        expect(200, leaver.act(twin, "claim"))

    done = left(team.admin, leaver, team.colleague, team.neighbour)

    assert counts(done) == {"customer handed_over": 2}
    assert len({owner_of(team.admin, twin) for twin in twins}) == 1


# --- what else he has to do with


def test_what_he_has_to_do_with_ends_and_the_past_stays(
    stack: Stack, headquarters: Headquarters, team: Team, leaver: Client
) -> None:
    [mate] = headquarters.people(1, team.department_id)
    admin = team.admin
    shared, offered, disputed_name, claimed_name = mate.entered(), mate.entered(), company(), company()
    collaboration = {"part": "support", "rights": ["read", "note"]}
    expect(200, mate.request("PUT", f"/v1/customers/{shared}/collaborators/{id_of(leaver)}", collaboration))
    handoff = expect(201, mate.act(offered, "handoffs", to=id_of(leaver), part="sales"))["id"]
    leaver.entered(disputed_name)
    to_answer = dispute(mate, disputed_name)
    mate.entered(claimed_name)
    claimed = dispute(leaver, claimed_name)
    pool, alone = (admin.post("/v1/pools", {"name": brand()})["id"] for _ in range(2))
    for each, person in ((pool, leaver), (pool, mate), (alone, leaver)):
        expect(200, admin.request("PUT", f"/v1/pools/{each}/members/{id_of(person)}", {"is_admin": False}))
    setting = {"assignees": [id_of(leaver), id_of(mate)]}
    version = admin.get(f"/v1/territories/{team.agency_id}")["version"]
    expect(200, admin.request("PUT", f"/v1/territories/{team.agency_id}", setting, If_Match=f'"{version}"'))
    assert admin.get(f"/v1/users/{id_of(leaver)}/holdings") == {
        "customers": 1, "collaborations": 1, "handoffs": 1, "disputes": 2, "entries": 0, "pools": 2,
    }  # fmt: skip

    done = left(admin, leaver, mate)

    assert done["status"] == "with_leftovers"
    others = {(line["kind"], line["item_id"]): line for line in items(admin, done, "others").values()}
    assert {key: line["outcome"] for key, line in others.items()} == {
        ("collaboration", shared): "ended",
        ("handoff", handoff): "ended",
        ("dispute", to_answer): "left",
        ("dispute", claimed): "ended",
        ("pool", pool): "ended",
        ("pool", alone): "left",
        ("territory", team.agency_id): "ended",
    }
    assert (others["dispute", to_answer]["reason"], others["pool", alone]["reason"]) == ("not-answered", "last-member")
    assert admin.get(f"/v1/customers/{shared}/collaborators")["items"] == []
    assert mate.get(f"/v1/handoffs/{handoff}")["state"] == "lapsed"
    assert mate.get(f"/v1/disputes/{claimed}")["state"] == "withdrawn"
    assert [each["id"] for each in admin.pages(f"/v1/pools/{pool}/members")] == [id_of(mate)]
    assert admin.get(f"/v1/territories/{team.agency_id}")["assignees"] == [id_of(mate)]

    decision = {"decision": "dismissed", "reason": "证据不足"}
    expect(200, team.supervisor.request("POST", f"/v1/disputes/{to_answer}/decision", decision))
    expect(200, admin.request("PUT", f"/v1/pools/{alone}/members/{id_of(mate)}", {"is_admin": False}))
    expect(202, admin.request("POST", f"/v1/leavings/{done['id']}/repeat"))
    again = over(admin, done["id"])
    assert (again["status"], again["round"]) == ("done", 2)
    outcomes = {line["item_id"]: line["outcome"] for line in items(admin, again, "others").values()}
    assert (outcomes[to_answer], outcomes[alone]) == ("ended", "ended")


def dispute(claimant: Client, name: str) -> str:
    expect(409, claimant.enter(name))
    [attempt] = [each["id"] for each in claimant.pages("/v1/entry-attempts") if each["name"] == name]
    body = {"attempt_id": attempt, "claim": "我先谈的", "evidence": [{"kind": "call", "text": "20 分钟"}]}
    return str(claimant.post("/v1/disputes", body)["id"])


@contextmanager
def entries_wait(stack: Stack) -> Iterator[None]:
    rules = CollisionRules(near_entries="wait").model_dump_json()
    with psycopg.connect(stack.owner_url("customers"), autocommit=True) as owner:
        version = "(SELECT coalesce(max(version), 0) + 1 FROM collision_rules)"
        owner.execute(f"INSERT INTO collision_rules VALUES ({version}, %s, 'test', clock())", [rules])  # noqa: S608
        try:
            yield
        finally:
            owner.execute("DELETE FROM collision_rules WHERE set_by = 'test'")


def test_an_entry_that_waits_for_its_review_is_withdrawn(stack: Stack, team: Team, leaver: Client) -> None:
    own = brand()
    team.colleague.entered(f"扬州市高邮市{own}服装厂")
    name = f"扬州市宝应县{own}服装厂"
    with entries_wait(stack):
        seen = [hit["ref"] for hit in leaver.enter(name).json()["hits"]]
        waiting = expect(202, leaver.enter(name, confirmation={"seen": seen, "reason": "another county"}))["review_id"]

    done = left(team.admin, leaver)

    assert counts(done) == {"entry ended": 1}
    assert team.admin.get(f"/v1/reviews/{waiting}")["state"] == "withdrawn"


def test_who_works_on_a_customer_goes_on_unless_the_plan_says_otherwise(team: Team, headquarters: Headquarters) -> None:
    for keeps in (True, False):
        leaver = headquarters.person("rep", team.department_id)
        customer = leaver.entered()
        collaboration = {"part": "support", "rights": ["read"]}
        expect(200, leaver.request("PUT", f"/v1/customers/{customer}/collaborators/{id_of(team.neighbour)}", collaboration))
        left(team.admin, leaver, team.colleague, keep_collaborators=keeps)
        workers = [each["person_id"] for each in team.admin.get(f"/v1/customers/{customer}/collaborators")["items"]]
        assert workers == ([id_of(team.neighbour)] if keeps else [])


# --- what is refused


def test_a_plan_names_active_colleagues_who_may_hold_customers(
    headquarters: Headquarters, team: Team, rivals: Team, leaver: Client
) -> None:
    disabled = headquarters.person("rep", team.department_id)
    team.admin.post(f"/v1/users/{id_of(disabled)}/disable", None, status=200)
    nobody = str(uuid4())
    wrong = [id_of(leaver), id_of(rivals.rep), nobody, id_of(team.admin), id_of(disabled)]
    body = {
        "receivers": [{"person_id": each} for each in wrong],
        "customers": [{"customer_id": str(uuid4()), "to": id_of(rivals.rep)}, {"customer_id": str(uuid4())}],
    }

    refused = team.admin.request("POST", f"/v1/users/{id_of(leaver)}/leaving", body)

    assert refused.status_code == 422
    errors = {each["pointer"]: each["detail"] for each in refused.json()["errors"]}
    assert list(errors) == [*(f"/receivers/{at}/person_id" for at in range(5)), "/customers/0/to"]
    assert errors["/receivers/1/person_id"] == errors["/receivers/2/person_id"]  # a stranger is as one who is not there
    assert team.admin.get(f"/v1/users/{id_of(leaver)}")["status"] == "active"


@pytest.mark.parametrize(
    "body",
    [
        {"receivers": [{"person_id": "00000000-0000-7000-8000-000000000000", "share": 0}]},
        {"receivers": [{"person_id": "00000000-0000-7000-8000-000000000000"}] * 2},
        {"customers": [{"customer_id": "00000000-0000-7000-8000-000000000000"}] * 2},
        {"receivers": [{"user_id": "00000000-0000-7000-8000-000000000000"}]},
        {"to": "everybody"},
    ],
)
def test_a_plan_that_cannot_be_read_is_refused(team: Team, leaver: Client, body: Any) -> None:
    assert team.admin.request("POST", f"/v1/users/{id_of(leaver)}/leaving", body).status_code == 422


def test_only_administrators_within_their_reach_order_and_see_leavings(
    headquarters: Headquarters, team: Team, rivals: Team, leaver: Client
) -> None:
    for who in (team.rep, team.supervisor, team.manager, headquarters.person("auditor", team.department_id)):
        assert told(order(who, leaver)) == (403, "permission-denied")
    assert told(order(rivals.admin, leaver)) == (404, "not-found")
    assert told(order(team.admin, team.admin)) == (403, "own-account")
    head_office = headquarters.admin.get("/v1/me")
    own_admin = headquarters.person("agency_admin", head_office["department_id"])
    root = Client(headquarters.admin.http, user={"id": head_office["id"]})
    assert told(order(own_admin, root)) == (403, "above-your-rights")
    assert told(order(headquarters.admin, root)) == (403, "own-account")
    assert team.admin.get(f"/v1/users/{id_of(leaver)}")["status"] == "active"

    done = left(headquarters.admin, leaver)  # headquarters, everywhere
    path = f"/v1/leavings/{done['id']}"
    auditor = headquarters.person("auditor", team.department_id)
    for who in (team.admin, auditor, headquarters.admin):
        assert who.get(path)["id"] == done["id"]
        assert done["id"] in [each["id"] for each in who.get(f"/v1/leavings?user_id={id_of(leaver)}")["items"]]
    assert told(auditor.request("POST", f"{path}/repeat")) == (403, "permission-denied")
    for asked in (path, f"{path}/customers", f"{path}/others"):
        assert told(rivals.admin.request("GET", asked)) == (404, "not-found")
        assert told(team.rep.request("GET", asked)) == (403, "permission-denied")
        assert told(team.admin.request("GET", asked.replace(done["id"], str(uuid4())))) == (404, "not-found")
    assert told(rivals.admin.request("POST", f"{path}/repeat")) == (404, "not-found")
    assert told(rivals.admin.request("GET", f"/v1/users/{id_of(leaver)}/holdings")) == (404, "not-found")
    assert rivals.admin.get(f"/v1/leavings?user_id={id_of(leaver)}")["items"] == []
    assert not {each["id"] for each in rivals.admin.pages("/v1/leavings")} & {done["id"]}
    assert {each["status"] for each in team.admin.pages("/v1/leavings?status=done", limit=2)} == {"done"}


def test_who_oversees_somebody_sees_how_far_his_leaving_is(headquarters: Headquarters, stack: Stack) -> None:
    team = headquarters.team()
    leaver, receiver = headquarters.people(2, team.department_id)
    neighbours = headquarters.person("supervisor", team.other_department_id)
    customer = leaver.entered()
    done = left(team.admin, leaver, receiver)
    path = f"/v1/leavings/{done['id']}"

    for who in (team.supervisor, team.manager):
        assert who.get(path) == done
        assert [each["id"] for each in who.pages("/v1/leavings")] == [done["id"]]
        assert items(who, done)[customer]["to_id"] == id_of(receiver)
        assert told(who.request("POST", f"{path}/repeat")) == (403, "permission-denied")
    for asked in (path, f"{path}/customers", f"{path}/others"):
        assert told(neighbours.request("GET", asked)) == (404, "not-found")
    assert neighbours.get("/v1/leavings")["items"] == []
    boss = headquarters.person("rep", team.other_department_id, roles=[reading_leavings(team)])
    grant = {"permission": "leaving:read", "person_id": id_of(leaver)}
    assert boss.get("/v1/leavings")["items"] == []
    assert told(team.admin.request("POST", f"/v1/users/{id_of(boss)}/grants", grant)) == (201, "")
    eventually(lambda: boss.get("/v1/leavings")["items"], until=lambda found: found == [done])
    named = "SELECT DISTINCT operation, on_behalf_of::text FROM audit WHERE actor = 'system:customers' AND agency_id = %s"
    found = dict(rows(stack, named, team.agency_id))
    by = [found[f"customers.{operation}"] for operation in ("hand_over_item", "settle_handover")]
    assert by == [id_of(team.admin)] * 2


def reading_leavings(team: Team) -> str:
    """Of his subordinates, of whom he has none."""
    grants = [{"permission": "leaving:read", "scope": "subordinates"}]
    return str(team.admin.post("/v1/roles", {"name": unique("岗"), "grants": grants})["id"])


# --- once, whatever comes at once


def test_the_same_order_comes_twice_and_is_one(team: Team, leaver: Client) -> None:
    path, key = f"/v1/users/{id_of(leaver)}/leaving", uuid4().hex
    one, other = (team.admin.request("POST", path, {}, Idempotency_Key=key) for _ in range(2))
    assert (one.status_code, other.status_code, one.json()) == (202, 202, other.json())
    assert told(team.admin.request("POST", path, {"reason": "other"}, Idempotency_Key=key)) == (422, "idempotency-key-reused")


def test_of_two_leavings_of_one_person_at_once_one_counts_and_the_other_is_told_of_it(
    stack: Stack, headquarters: Headquarters, team: Team
) -> None:
    for _ in range(2):
        leaver = headquarters.person("rep", team.department_id)
        for _ in range(2):
            leaver.entered()
        answers = at_once(
            *[lambda leaver=leaver, who=who: order(who, leaver, team.colleague) for who in (team.admin, headquarters.admin)]
        )
        assert sorted(answer.status_code for answer in answers) == [202, 409]
        winner, loser = sorted(answers, key=lambda answer: answer.status_code)
        assert loser.json()["type"].endswith("leaving-under-way")
        assert loser.json()["leaving_id"] == winner.json()["id"]
        assert counts(over(team.admin, winner.json()["id"])) == {"customer handed_over": 2}


def test_running_it_again_changes_nothing(stack: Stack, team: Team, leaver: Client) -> None:
    customers = [leaver.entered() for _ in range(3)]
    done = left(team.admin, leaver, team.colleague)
    before = rows(stack, "SELECT id, version FROM customer WHERE id = ANY(%s::uuid[]) ORDER BY id", customers)
    lines = items(team.admin, done)

    expect(202, team.admin.request("POST", f"/v1/leavings/{done['id']}/repeat"))
    again = over(team.admin, done["id"])

    assert (again["status"], again["round"], again["parts"]) == ("done", 2, done["parts"])
    assert rows(stack, "SELECT id, version FROM customer WHERE id = ANY(%s::uuid[]) ORDER BY id", customers) == before
    assert items(team.admin, again) == lines
    handed = "SELECT count(*) FROM outbox WHERE name = 'customers_handed_over' AND data->>'from_id' = %s"
    assert rows(stack, handed, id_of(leaver)) == [(1,)]


def test_what_came_to_him_all_the_same_is_swept_by_a_repeat(stack: Stack, team: Team, leaver: Client) -> None:
    done = left(team.admin, leaver, team.colleague)
    customer = team.rep.entered()
    with psycopg.connect(stack.owner_url("customers")) as owner:  # behind all guards
        owner.execute("UPDATE customer SET owner_id = %s WHERE id = %s", [id_of(leaver), customer])
        owner.execute("UPDATE ownership SET owner_id = %s WHERE customer_id = %s", [id_of(leaver), customer])
        owner.execute("UPDATE stock SET held = held + 1 WHERE person_id = %s", [id_of(leaver)])
        owner.execute("UPDATE stock SET held = held - 1 WHERE person_id = %s", [id_of(team.rep)])

    expect(202, team.admin.request("POST", f"/v1/leavings/{done['id']}/repeat"))
    again = over(team.admin, done["id"])

    assert counts(again) == {"customer handed_over": 1}
    assert owner_of(team.admin, customer) == id_of(team.colleague)
    assert held(stack, leaver) == 0


def test_claims_entries_and_assignments_in_flight_leave_nothing_with_him(stack: Stack, headquarters: Headquarters) -> None:
    """His session is good for half a second more, and his passport for ten: nothing that it lets in stays his."""
    team = headquarters.team()
    for _ in range(2):
        leaver = headquarters.person("rep", team.department_id)
        leaver.entered()
        pooled = [team.pooled("public") for _ in range(6)]
        asks: list[Callable[[], Any]] = [lambda customer=each, who=leaver: who.act(customer, "claim") for each in pooled[:3]]
        asks += [lambda who=leaver: who.enter(company()) for _ in range(3)]
        asks += [lambda customer=each, who=leaver: team.admin.act(customer, "assign", to=id_of(who)) for each in pooled[3:]]
        *answers, ordered = at_once(*asks, lambda who=leaver: order(team.admin, who, team.colleague))
        assert all(answer.status_code in (200, 201, 401, 409) for answer in answers), [answer.text for answer in answers]

        done = over(team.admin, expect(202, ordered)["id"])

        late = [leaver.act(each, "claim") for each in pooled] + [leaver.enter(company())]
        assert {answer.status_code for answer in late} <= {401, 409}
        assert held(stack, leaver) == 0
        assert done["status"] == "done"


def test_a_stock_that_fills_meanwhile_never_goes_over_its_limit(stack: Stack, headquarters: Headquarters) -> None:
    team = headquarters.team()
    leaver, receiver = headquarters.people(2, team.department_id)
    for _ in range(8):
        leaver.entered()
    receiver.entered()
    limited(stack, team, receiver, 5)

    def fill() -> list[int]:
        return [receiver.enter(company()).status_code for _ in range(8)]

    entered, ordered = at_once(fill, lambda: order(team.admin, leaver, receiver))
    done = over(team.admin, expect(202, ordered)["id"])

    found = counts(done)
    assert held(stack, receiver) == 5
    assert found.get("customer handed_over", 0) + entered.count(201) == 4
    assert sum(found.values()) == 8


def test_a_receiver_who_leaves_at_the_same_moment_keeps_nothing(stack: Stack, headquarters: Headquarters) -> None:
    team = headquarters.team()
    for _ in range(2):
        one, other = headquarters.people(2, team.department_id)
        customers = [who.entered() for who in (one, other) for _ in range(3)]
        answers = at_once(
            lambda one=one, other=other: order(team.admin, one, other),
            lambda one=one, other=other: order(headquarters.admin, other, one),
        )
        for answer in answers:  # the second one may find the first one gone already, and names him then in vain
            if answer.status_code == 422:
                continue
            over(team.admin, expect(202, answer)["id"])
        for who in (one, other):
            if team.admin.get(f"/v1/users/{id_of(who)}")["status"] == "active":
                left(team.admin, who)
        assert (held(stack, one), held(stack, other)) == (0, 0)
        assert {owner_of(team.admin, each) for each in customers} == {None}


def test_what_fails_holds_up_nothing_else_and_is_done_by_a_repeat(stack: Stack, team: Team, leaver: Client) -> None:
    stuck, *others = (leaver.entered() for _ in range(3))
    with psycopg.connect(stack.owner_url("customers"), autocommit=True) as owner:
        owner.execute(
            f"CREATE TRIGGER stuck BEFORE UPDATE ON customer FOR EACH ROW WHEN (OLD.id = '{stuck}')"
            " EXECUTE FUNCTION refuse_change()"
        )
        try:
            leaving = left(team.admin, leaver, team.colleague)
        finally:
            owner.execute("DROP TRIGGER stuck ON customer")
    assert (leaving["status"], counts(leaving)) == ("with_leftovers", {"customer handed_over": 2})
    assert owner_of(team.admin, stuck) == id_of(leaver)

    expect(202, team.admin.request("POST", f"/v1/leavings/{leaving['id']}/repeat"))
    again = over(team.admin, leaving["id"])

    assert (again["status"], counts(again)) == ("done", {"customer handed_over": 3})
    assert {owner_of(team.admin, each) for each in (stuck, *others)} == {id_of(team.colleague)}


def test_a_killed_service_goes_on_where_it_was(stack: Stack, headquarters: Headquarters) -> None:
    team = headquarters.team()
    leaver, *receivers = headquarters.people(3, team.department_id)
    customers = [leaver.entered(f"扬州{brand(8)}机械厂") for _ in range(30)]

    leaving = expect(202, order(team.admin, leaver, *receivers))
    moved = "SELECT count(*) FROM handover_item WHERE handover_id = %s"
    eventually(lambda: rows(stack, moved, leaving["id"])[0][0] >= 5)
    for index in (0, 1):
        stack.kill("customers", index)
    done = eventually(lambda: team.admin.request("GET", f"/v1/leavings/{leaving['id']}"), seconds=60, until=is_over).json()

    assert counts(done) == {"customer handed_over": 30}
    assert Counter(owner_of(team.admin, each) for each in customers) == {id_of(each): 15 for each in receivers}
    stretches = "SELECT count(*) FROM ownership WHERE customer_id = ANY(%s::uuid[])"
    assert rows(stack, stretches, customers) == [(60,)]
    assert held(stack, leaver) == 0


def is_over(answer: httpx.Response) -> bool:
    return answer.status_code == 200 and answer.json()["status"] in OVER


# --- a plain disable, and coming back


def test_a_plain_disable_says_what_is_still_held(stack: Stack, team: Team, leaver: Client) -> None:
    customers = [leaver.entered() for _ in range(2)]

    disabled = team.admin.post(f"/v1/users/{id_of(leaver)}/disable", None, status=200)

    assert (disabled["status"], disabled["holds"]["customers"]) == ("disabled", 2)
    assert team.admin.get(f"/v1/users/{id_of(leaver)}/holdings")["customers"] == 2
    assert {owner_of(team.admin, each) for each in customers} == {id_of(leaver)}
    away = "SELECT data->>'customers' FROM outbox WHERE name = 'holder_away' AND data->>'person_id' = %s"
    assert eventually(lambda: rows(stack, away, id_of(leaver))) == [("2",)]
    done = left(team.admin, leaver, team.colleague)  # and is led to the leaving
    assert counts(done) == {"customer handed_over": 2}


def test_who_is_restored_does_not_get_his_customers_back_and_may_hold_others(
    stack: Stack, team: Team, leaver: Client, headquarters: Headquarters
) -> None:
    customer = leaver.entered()
    done = left(team.admin, leaver, team.colleague)

    restored = team.admin.post(f"/v1/users/{id_of(leaver)}/restore", None, status=200)

    assert (restored["status"], restored["handed_over"]) == ("active", done["id"])
    assert owner_of(team.admin, customer) == id_of(team.colleague)
    back = headquarters.admin.log_in(leaver.user["login"], "eight winds over the lake")
    back.user = leaver.user
    eventually(lambda: rows(stack, "SELECT is_closed FROM stock WHERE person_id = %s", id_of(leaver)) == [(False,)])
    new = back.entered()
    assert told(team.admin.request("POST", f"/v1/leavings/{done['id']}/repeat")) == (409, "user-is-back")
    team.admin.post(f"/v1/users/{id_of(leaver)}/disable", None, status=200)
    assert told(team.admin.request("POST", f"/v1/leavings/{done['id']}/repeat")) == (409, "user-is-back")
    assert owner_of(team.admin, new) == id_of(leaver)
    assert counts(left(team.admin, back, team.colleague)) == {"customer handed_over": 1}


def test_who_is_being_handed_over_is_not_restored_meanwhile(stack: Stack, team: Team, leaver: Client) -> None:
    leaver.entered()
    for index in (0, 1):
        stack.halt("customers", index)
    try:
        leaving = expect(202, order(team.admin, leaver, team.colleague))
        refused = team.admin.request("POST", f"/v1/users/{id_of(leaver)}/restore")
        assert told(refused) == (409, "leaving-under-way")
        assert refused.json()["leaving_id"] == leaving["id"]
        assert team.admin.get(f"/v1/leavings/{leaving['id']}")["status"] == "planned"
        disabled = team.admin.post(f"/v1/users/{id_of(leaver)}/disable", None, status=200)
        assert disabled["holds"] is None
    finally:
        for index in (0, 1):
            stack.resume("customers", index)
    assert over(team.admin, leaving["id"])["status"] == "done"
