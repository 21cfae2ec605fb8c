"""Who sees and does what with whose customers: case 10 of the main job, with a look into the databases after denials."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest

from embedded.stack import Stack
from services.contracts.permissions import ROLES
from tests.api import Client, Headquarters, Team, company, eventually, expect

PEOPLE = {  # who sees the customers of the first department's rep, of the second one's, and of the other agency's
    "rep": "own",
    "colleague": "",
    "neighbour": "neighbours",
    "supervisor": "own",
    "manager": "own",
    "admin": "own neighbours",
    "rival": "rivals",
    "rival_supervisor": "",
    "rival_admin": "rivals",
    "auditor": "own neighbours",
    "headquarters": "own neighbours rivals",
}
BLIND = [who for who, seen in PEOPLE.items() if "own" not in seen.split()]
SEEING = [who for who, seen in PEOPLE.items() if "own" in seen.split() and who != "rep"]


@dataclass
class World:
    """Two agencies; `customers` are held by the rep, the rep of the other department, and the rep of the other agency."""

    stack: Stack
    team: Team
    people: dict[str, Client]
    customers: dict[str, str]

    def path(self, whose: str = "own") -> str:
        return f"/v1/customers/{self.customers[whose]}"


@pytest.fixture(scope="module")
def world(stack: Stack, headquarters: Headquarters) -> World:
    team, rivals = headquarters.team(), headquarters.team()
    people = {who: getattr(team, who) for who in ("rep", "colleague", "neighbour", "supervisor", "manager", "admin")}
    people |= {"rival": rivals.rep, "rival_supervisor": headquarters.person("supervisor", rivals.other_department_id)}
    people |= {"rival_admin": rivals.admin, "headquarters": headquarters.admin}
    people |= {"auditor": headquarters.person("auditor", team.other_department_id)}
    holders = {"own": "rep", "neighbours": "neighbour", "rivals": "rival"}
    customers = {whose: people[who].entered() for whose, who in holders.items()}
    for whose, who in holders.items():
        expect(201, people[who].note(customers[whose], maturity=1))
    made = World(stack, team, people, customers)
    eventually(lambda: [sees(made, who) for who in PEOPLE], until=lambda seen: seen == [set(s.split()) for s in PEOPLE.values()])
    return made


def sees(world: World, who: str) -> set[str]:
    """Whose customers he finds in his list, told by their holders where the list is of many agencies."""
    owner = "&owner_id={}" if who == "headquarters" else ""
    found = set()
    for whose, holder in (("own", "rep"), ("neighbours", "neighbour"), ("rivals", "rival")):
        narrowed = owner.format(world.people[holder].user["id"])
        listed = {line["id"] for line in world.people[who].pages(f"/v1/customers?of=visible{narrowed}")}
        found |= {whose} & {name for name, customer_id in world.customers.items() if customer_id in listed}
    return found


# --- what is seen


@pytest.mark.parametrize("who", PEOPLE)
def test_everybody_lists_what_is_his_to_see_and_nothing_else(world: World, who: str) -> None:
    assert sees(world, who) == set(PEOPLE[who].split())


@pytest.mark.parametrize("who", PEOPLE)
def test_what_is_listed_is_what_opens(world: World, who: str) -> None:
    for whose in world.customers:
        answer = world.people[who].request("GET", world.path(whose))
        assert answer.status_code == (200 if whose in PEOPLE[who].split() else 404), whose


@pytest.mark.parametrize("who", [who for who in PEOPLE if who != "headquarters"])
@pytest.mark.parametrize("of", ["mine", "all", "visible"])
def test_counts_and_pages_agree_and_show_no_more(world: World, who: str, of: str) -> None:
    person = world.people[who]
    listed = [line["id"] for line in person.pages(f"/v1/customers?of={of}", limit=1)]
    assert len(set(listed)) == len(listed) == person.get(f"/v1/customers/count?of={of}")["count"]
    visible = {world.customers[whose] for whose in PEOPLE[who].split()}
    assert set(listed) <= visible
    if of == "visible":
        assert set(listed) == visible


@pytest.mark.parametrize("who", BLIND)
def test_a_filter_by_owner_opens_nothing(world: World, who: str) -> None:
    owner = world.people["rep"].user["id"]
    for path in ("/v1/customers", "/v1/customers/count"):
        for of in ("mine", "all", "visible"):
            answer = world.people[who].get(f"{path}?of={of}&owner_id={owner}")
            assert answer.get("count", 0) == 0, path
            assert not answer.get("items")


@pytest.mark.parametrize("part", ["ownership", "notes", "timeline"])
@pytest.mark.parametrize("who", PEOPLE)
def test_notes_timeline_and_history_are_seen_by_whom_the_customer_is(world: World, who: str, part: str) -> None:
    answer = world.people[who].request("GET", f"{world.path()}/{part}")
    if "own" in PEOPLE[who].split():
        assert expect(200, answer)["items"]
    else:
        assert answer.status_code == 404
        assert answer.json()["type"] == "urn:qudao:problem:not-found"


@pytest.mark.parametrize("who", PEOPLE)
def test_days_and_deadlines_are_told_of_ones_own_people_alone(world: World, who: str) -> None:
    person = world.people[who]
    rep, rival = world.people["rep"].user["id"], world.people["rival"].user["id"]
    may = {"rep", "supervisor", "manager", "admin", "auditor", "headquarters"}
    answer = person.request("GET", f"/v1/people/{rep}/day")
    assert answer.status_code == (200 if who in may else 404)
    if who == "headquarters":
        return
    listed = {line["id"] for line in person.pages("/v1/days")}
    assert (rep in listed) is (who in may)
    assert (rival in listed) is (who in ("rival", "rival_admin"))


# --- what is done

Attempt = Callable[[World, Client], httpx.Response]
ATTEMPTS: dict[str, tuple[str, Attempt]] = {
    "show": ("customer:read", lambda world, who: who.request("GET", world.path())),
    "history": ("customer:read", lambda world, who: who.request("GET", f"{world.path()}/ownership")),
    "notes": ("note:read", lambda world, who: who.request("GET", f"{world.path()}/notes")),
    "timeline": ("note:read", lambda world, who: who.request("GET", f"{world.path()}/timeline")),
    "update": ("customer:update", lambda world, who: who.request("PATCH", world.path(), {"city": "南京"}, If_Match='"1"')),
    "write a note": ("note:create", lambda world, who: who.note(world.customers["own"], maturity=2)),
    "release": ("customer:release", lambda world, who: who.act(world.customers["own"], "release", reason="other")),
    "transfer": (
        "customer:transfer",
        lambda world, who: who.act(world.customers["own"], "transfer", to=world.people["colleague"].user["id"]),
    ),
    "assign": (
        "customer:assign",
        lambda world, who: who.act(world.customers["own"], "assign", to=world.people["colleague"].user["id"]),
    ),
    "open": ("pool:manage", lambda world, who: who.act(world.customers["own"], "open")),
}
CONTENTS = {
    "customers": ("customer", "ownership", "stock", "customer_name", "collision_key", "bound_entry"),
    "activities": ("contact_note",),
}


def contents(stack: Stack) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that stands in the tables of business, and how many events have been told of it."""
    found = {}
    for service, tables in CONTENTS.items():
        with psycopg.connect(stack.owner_url(service)) as connection:
            for table in tables:
                rows = connection.execute(f"SELECT t::text FROM {table} AS t ORDER BY 1").fetchall()  # noqa: S608 names of ours
                found[f"{service}.{table}"] = rows
            told = "SELECT count(*) FROM audit WHERE result = 'done'"
            found[f"{service}.done"] = connection.execute(told).fetchall()  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("who", BLIND)
def test_whoever_does_not_see_a_customer_can_do_nothing_with_it(world: World, who: str) -> None:
    person, before = world.people[who], contents(world.stack)
    [role] = person.user["roles"]
    for name, (permission, attempt) in ATTEMPTS.items():
        answer = attempt(world, person)
        expected = (404, "not-found") if permission in ROLES[role] else (403, "permission-denied")
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == expected, name
    assert contents(world.stack) == before


@pytest.mark.parametrize("who", SEEING)
def test_whoever_oversees_a_holder_writes_neither_notes_nor_changes(world: World, who: str) -> None:
    person, before = world.people[who], contents(world.stack)
    for name in ("update", "write a note"):
        assert ATTEMPTS[name][1](world, person).status_code in (403, 404), name
    assert contents(world.stack) == before


def test_an_auditor_changes_nothing(world: World) -> None:
    before = contents(world.stack)
    for name in ("release", "transfer", "assign", "open", "update", "write a note"):
        answer = ATTEMPTS[name][1](world, world.people["auditor"])
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (403, "permission-denied"), name
    assert world.people["auditor"].enter(company()).status_code == 403
    assert contents(world.stack) == before


@pytest.mark.parametrize("who", BLIND)
def test_a_hidden_customer_and_a_missing_one_are_told_alike(world: World, who: str) -> None:
    person, nowhere = world.people[who], "00000000-0000-7000-8000-000000000000"
    for part in ("", "/ownership", "/notes", "/timeline"):
        hidden = person.request("GET", world.path() + part).json()
        missing = person.request("GET", f"/v1/customers/{nowhere}{part}").json()
        told_apart = {"instance", "request_id"}
        assert {k: v for k, v in hidden.items() if k not in told_apart} == {
            k: v for k, v in missing.items() if k not in told_apart
        }


def test_every_denial_is_audited(world: World) -> None:
    person = world.people["rival"]
    for name in ("update", "release"):
        ATTEMPTS[name][1](world, person)
    denials = "SELECT DISTINCT operation FROM audit WHERE actor = %s AND result = 'denied'"
    with psycopg.connect(world.stack.owner_url("customers")) as connection:
        found = {row[0] for row in connection.execute(denials, [person.user["id"]])}
    assert found >= {"customers.update_customer", "customers.release_customer"}


# --- pools


def test_a_pool_of_another_agency_is_neither_listed_nor_opened_nor_claimed_from(world: World) -> None:
    customer_id, pool = world.team.pooled("public"), world.team.pools["public"]
    before = contents(world.stack)
    for who in ("rival", "rival_supervisor", "rival_admin"):
        person = world.people[who]
        assert pool not in {found["id"] for found in person.pages("/v1/pools")}
        assert person.request("GET", f"/v1/pools/{pool}/customers").status_code == 404
        assert person.request("GET", f"/v1/customers/{customer_id}").status_code == 404
        assert person.act(customer_id, "claim").status_code in (403, 404)
        assert person.act(customer_id, "assign", to=world.people["rival"].user["id"]).status_code in (403, 404)
    assert contents(world.stack) == before


def test_an_agency_admin_gives_nothing_to_another_agency(world: World) -> None:
    pooled, to = world.team.pooled("agency"), world.people["rival"].user["id"]
    before = contents(world.stack)
    assert world.people["admin"].act(pooled, "assign", to=to).status_code == 404
    assert world.people["admin"].act(world.customers["own"], "transfer", to=to).status_code == 404
    assert contents(world.stack) == before


def test_reps_see_into_the_public_pool_alone(world: World) -> None:
    pooled = {kind: world.team.pooled(kind) for kind in ("public", "agency")}
    rep = world.people["rep"]
    assert pooled["public"] in {line["id"] for line in rep.pages(f"/v1/pools/{world.team.pools['public']}/customers")}
    hidden = rep.request("GET", f"/v1/pools/{world.team.pools['agency']}/customers")
    assert hidden.status_code in (403, 404)
    assert rep.request("GET", f"/v1/customers/{pooled['agency']}").status_code == 404


# --- as things change


def test_who_moves_to_another_department_takes_his_customers_with_him(stack: Stack, headquarters: Headquarters) -> None:
    team = headquarters.team()
    customer_id = team.rep.entered()
    eventually(lambda: team.supervisor.request("GET", f"/v1/customers/{customer_id}").status_code, until=lambda s: s == 200)
    user = team.rep.user["id"]
    tag = team.admin.request("GET", f"/v1/users/{user}").headers["ETag"]
    moved = team.admin.request("PATCH", f"/v1/users/{user}", {"department_id": team.other_department_id}, If_Match=tag)
    expect(200, moved)
    eventually(lambda: team.supervisor.request("GET", f"/v1/customers/{customer_id}").status_code, until=lambda s: s == 404)
    assert team.supervisor.get("/v1/customers/count?of=visible")["count"] == 0
    there = headquarters.person("supervisor", team.other_department_id)
    eventually(lambda: there.get("/v1/customers/count?of=visible")["count"], until=lambda count: count == 1)


def test_the_database_itself_shows_no_agency_the_rows_of_another(world: World) -> None:
    """The second wall: the application's own role, without any WHERE."""
    with psycopg.connect(world.stack.database_url("customers")) as connection:
        agency = world.team.agency_id
        connection.execute("SELECT set_config('qudao.agency', %s, true)", [agency])
        for table in ("customer", "ownership", "stock", "customer_name", "collision_key"):
            agencies = connection.execute(f"SELECT DISTINCT agency_id::text FROM {table}").fetchall()  # noqa: S608 names of ours
            assert agencies == [(agency,)], table
    with psycopg.connect(world.stack.database_url("customers")) as connection:
        with pytest.raises(psycopg.Error):
            connection.execute("SELECT count(*) FROM customer")
