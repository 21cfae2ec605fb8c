"""A canary in the registry: how one customer is reached stands in no answer, event, log, error or table where it does not belong.

The walk is made from the interface's own description, so whoever adds a route has it walked.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import psycopg
import pytest

from embedded.stack import Stack
from services.contracts.base import SERVICES
from services.contracts.collision import CollisionRules
from tests.api import Client, Headquarters, Team, brand, company, digits, eventually, expect, unique

BETWEEN = r"[\s\-–—.·()+/_,]*"
KEPT_IN = {
    "customer", "contact", "customer_change", "customer_search", "bound_entry", "collision_key", "review_item", "member_arrival",
    "command",
}  # fmt: skip
"""As docs/operations.md says."""
OF_NOBODY = {"industry"}
"""Parameters whose text tells nothing of people, so that the audit of a denial repeats it."""


@dataclass
class Canary:
    """Ways to reach a customer that nobody else has."""

    phone: str = field(default_factory=lambda: f"139{digits()}8")
    fax: str = field(default_factory=lambda: f"0514-{digits()}6")
    mailbox: str = field(default_factory=lambda: unique("canary"))
    contact: str = field(default_factory=lambda: f"金{brand(5)}")

    @property
    def fields(self) -> dict[str, str]:
        mail = f"{self.mailbox}@{unique('d')}.com"
        return {"phone": self.phone, "fax": self.fax, "email": mail, "contact_person": self.contact}

    def found_in(self, text: str, *, with_contact: bool = True) -> set[str]:
        """Which parts of it stand in a text, however it is written."""
        plain = unicodedata.normalize("NFKC", text)
        spelt = {"phone": BETWEEN.join(self.phone), "fax": BETWEEN.join(self.fax[5:]), "email": self.mailbox}
        spelt |= {"contact": self.contact} if with_contact else {}
        return {name for name, pattern in spelt.items() if re.search(pattern, plain, re.IGNORECASE)}


@dataclass
class Life:
    """What has happened to the canary, whom it belongs to, and the ids of all that has come of it."""

    stack: Stack
    team: Team
    rivals: Team
    auditor: Client
    canaries: tuple[Canary, ...] = field(default_factory=lambda: tuple(Canary() for _ in range(5)))
    """Of the customer, of one that was made near it, of an entry near it that waits, of a person at the customer, of a member."""
    names: tuple[str, ...] = field(default_factory=lambda: near_names())
    ids: dict[str, list[str]] = field(default_factory=dict)
    told: list[tuple[str, str]] = field(default_factory=list)
    """Answers to what was sent on the way: what it was, and all of the answer."""

    @property
    def strangers(self) -> dict[str, Client]:
        """Who may not see the canary; `colleague` has held it for a while."""
        team, rivals = self.team, self.rivals
        theirs = {"rival": rivals.rep, "rival supervisor": rivals.supervisor, "rival admin": rivals.admin}
        ours = {"colleague": team.colleague, "neighbour": team.neighbour}
        return ours | theirs | {"nobody": Client(team.headquarters.admin.http)}

    @property
    def overseers(self) -> dict[str, Client]:
        team = self.team
        ours = {"supervisor": team.supervisor, "manager": team.manager, "admin": team.admin, "auditor": self.auditor}
        return ours | {"headquarters": team.headquarters.admin}

    @property
    def canary(self) -> Canary:
        return self.canaries[0]

    def found_in(self, text: str, *, with_contact: bool = True) -> set[str]:
        return set().union(*(canary.found_in(text, with_contact=with_contact) for canary in self.canaries))

    def tell(self, what: str, answer: httpx.Response) -> httpx.Response:
        self.told.append((f"{what}: {answer.status_code}", f"{answer.text} {dict(answer.headers)}"))
        return answer


def near_names() -> tuple[str, ...]:
    own = brand()
    return tuple(f"扬州市{county}{own}服装厂" for county in ("高邮市", "宝应县", "仪征市"))


@pytest.fixture(scope="module")
def life(stack: Stack, headquarters: Headquarters) -> Life:
    team = headquarters.team()
    lived = Life(stack, team, headquarters.team(), headquarters.person("auditor", team.department_id))
    enter(lived)
    change_hands(lived)
    come_near(lived)
    register(lived)
    part(headquarters, lived)
    go_wrong(lived)
    return lived


def enter(life: Life) -> None:
    """Entered, changed, entered again; searched and entered by others."""
    rep, canary, name = life.team.rep, life.canary, life.names[0]
    customer = rep.entered(name, **canary.fields)
    life.ids["customer_id"] = [customer]
    expect(200, rep.request("PATCH", f"/v1/customers/{customer}", {"city": "扬州"}, If_Match='"1"'))
    expect(200, rep.enter(name, **canary.fields))
    expect(201, rep.note(customer, maturity=2))
    other = life.canaries[3]
    for version, fax in ((3, other.fax), (4, canary.fax)):
        expect(200, rep.request("PATCH", f"/v1/customers/{customer}", {"fax": fax}, If_Match=f'"{version}"'))
    person = {"name": other.contact, "phone": other.phone, "email": other.fields["email"], "wechat": other.mailbox}
    expect(200, rep.request("POST", f"/v1/customers/{customer}/contacts", person, If_Match='"5"'))
    for who, stranger in (life.strangers | life.overseers).items():
        for typed in ({"name": name}, {"phone": canary.phone}, {"fax": canary.fax}, canary.fields):
            life.tell(f"{who} checks", stranger.request("POST", "/v1/collision-checks", typed))
            half = {field: text[:-2] for field, text in typed.items() if field in ("name", "phone", "fax")}
            life.tell(f"{who} types", stranger.request("POST", "/v1/collision-checks/as-you-type", half))
        life.tell(f"{who} enters it", stranger.enter(name, **canary.fields))
        life.tell(f"{who} enters another", stranger.enter(company(), phone=canary.phone, contact_person=canary.contact))
    preview = {"rules": {}, "sample_size": 1000}
    life.tell("preview", life.overseers["headquarters"].request("POST", "/v1/collision-rules/preview", preview))


def change_hands(life: Life) -> None:
    """Released, opened, claimed by a colleague, given back; revealed to a supervisor."""
    team, canary, [customer] = life.team, life.canary, life.ids["customer_id"]
    expect(200, life.tell("release", team.rep.act(customer, "release", reason="no_need")))
    expect(200, life.tell("open", team.admin.act(customer, "open")))
    for pool in team.pools.values():
        for who, reader in (life.strangers | life.overseers).items():
            life.tell(f"{who} looks into the pool", reader.request("GET", f"/v1/pools/{pool}/customers"))
    assert expect(200, team.colleague.act(customer, "claim"))["phone"] == canary.phone
    expect(200, life.tell("transfer", team.supervisor.act(customer, "transfer", to=team.rep.user["id"])))
    refused = [each for each in team.neighbour.pages("/v1/entry-attempts") if each["may_be_disputed"]]
    dispute = {"attempt_id": refused[0]["id"], "claim": "三月起由我跟进", "evidence": [{"kind": "note", "text": "来往记录"}]}
    life.ids["dispute_id"] = [expect(201, team.neighbour.request("POST", "/v1/disputes", dispute))["id"]]
    body = {"field": "phone", "reason": "复核"}
    assert team.supervisor.post(f"/v1/customers/{customer}/reveals", body)["value"] == canary.phone


def come_near(life: Life) -> None:
    """Entered under other names that come near: made and reviewed, and made to wait."""
    rep = life.team.rep
    made = expect(201, confirmed(rep, life.names[1], **life.canaries[1].fields))
    set_rules(life.stack, CollisionRules(near_entries="wait"))
    try:
        waits = expect(202, confirmed(rep, life.names[2], **life.canaries[2].fields))
    finally:
        set_rules(life.stack, CollisionRules())
    life.ids["customer_id"].append(made["customer_id"])
    life.ids["review_id"] = [made["review_id"], waits["review_id"]]


def register(life: Life) -> None:
    """On the web: received by the holder, who then offers another customer to a colleague."""
    team, fields = life.team, life.canaries[4].fields
    setting = {"assignees": [team.rep.user["id"]]}
    expect(200, team.admin.request("PUT", f"/v1/territories/{team.agency_id}", setting, If_Match='"0"'))
    told = {"name": company(), "phone": fields["phone"], "email": fields["email"]}
    arrived = expect(201, life.tell("an administrator sends a member", team.admin.request("POST", "/v1/members", told)))
    assert arrived["person_id"] == team.rep.user["id"]
    life.ids["member_id"] = [arrived["id"]]
    offer = {"to": team.colleague.user["id"], "part": "support"}
    life.ids["handoff_id"] = [expect(201, team.rep.act(life.ids["customer_id"][0], "handoffs", **offer))["id"]]


def part(headquarters: Headquarters, life: Life) -> None:
    """Somebody leaves and hands over to the holder; the colleague looks after a group in which he is not."""
    team = life.team
    leaver = headquarters.person("rep", team.department_id)
    leaver.entered()
    plan = {"receivers": [{"person_id": team.rep.user["id"]}]}
    leaving = expect(202, life.tell("leaving", team.admin.request("POST", f"/v1/users/{leaver.user['id']}/leaving", plan)))
    life.ids["leaving_id"] = [leaving["id"]]
    group = team.admin.post("/v1/groups", {"name": unique("组")})["id"]
    expect(200, team.admin.request("PUT", f"/v1/groups/{group}/members/{team.neighbour.user['id']}"))
    rights = {"rights": ["see_customers", "see_work"]}
    expect(200, team.admin.request("PUT", f"/v1/groups/{group}/admins/{team.colleague.user['id']}", rights))
    life.ids["group_id"] = [group]


def go_wrong(life: Life) -> None:
    """Whatever can be wrong with a request that carries it."""
    canary, [customer, *_] = life.canary, life.ids["customer_id"]
    path = f"/v1/customers/{customer}"
    wrong: list[Any] = [
        {"phone": [canary.phone]},
        {"email": canary.phone},
        {"unheard_of": canary.phone},
        {"contact_person": canary.contact * 50},
        {"website": f"javascript:call({canary.phone})"},
        {"is_key": canary.mailbox},
        canary.phone,
    ]
    for who, asker in {"rep": life.team.rep, **life.strangers}.items():
        for body in wrong:
            life.tell(f"{who} changes it wrongly", asker.request("PATCH", path, body, If_Match='"5"'))
            life.tell(f"{who} enters it wrongly", asker.request("POST", "/v1/customers", body))
        life.tell(f"{who} has an old version", asker.request("PATCH", path, canary.fields, If_Match='"1"'))
        life.tell(f"{who} reveals it", asker.request("POST", f"{path}/reveals", {"field": "phone", "reason": "x"}))
        life.tell(f"{who} has no code", asker.enter(company(), **canary.fields, credit_code=canary.phone))
        for address in (canary.phone, f"{canary.phone}/ownership"):
            life.tell(f"{who} asks wrongly", asker.request("GET", f"/v1/customers/{address}"))
        for query in (f"owner_id={canary.phone}", f"cursor={canary.phone}", f"unheard_of={canary.phone}", f"of={canary.phone}"):
            life.tell(f"{who} filters wrongly", asker.request("GET", f"/v1/customers?{query}"))
        headers = {"Authorization": f"Bearer {asker.token}", "Content-Type": "application/json"}
        torn = asker.http.post("/v1/customers", content=f'{{"phone": "{canary.phone}'.encode(), headers=headers)
        life.tell(f"{who} breaks off", torn)
    neighbour = life.team.neighbour
    own = neighbour.entered()
    for change in ({"phone": canary.phone}, {"fax": canary.fax}):
        collides = neighbour.request("PATCH", f"/v1/customers/{own}", change, If_Match='"1"')
        assert life.tell("neighbour changes his own into it", collides).status_code == 409


def set_rules(stack: Stack, rules: CollisionRules) -> None:
    with psycopg.connect(stack.owner_url("customers")) as owner:
        owner.execute(
            "INSERT INTO collision_rules SELECT coalesce(max(version), 0) + 1, %s, 'test', clock() FROM collision_rules",
            [rules.model_dump_json()],
        )


def confirmed(who: Client, name: str, **fields: Any) -> httpx.Response:
    seen = [hit["ref"] for hit in expect(409, who.enter(name, **fields))["hits"]]
    return who.enter(name, confirmation={"seen": seen, "reason": "another county"}, **fields)


# --- the walk


@dataclass
class Walk:
    """Every GET that the interface describes, with ids of what the canary has lived through and everything that may be asked."""

    life: Life
    description: dict[str, Any]
    answered: Counter[str] = field(default_factory=Counter)
    _listed: dict[str, list[str]] = field(default_factory=dict)

    @property
    def routes(self) -> dict[str, Any]:
        """Streams have no end."""
        gets = {path: each["get"] for path, each in self.description["paths"].items() if "get" in each}
        return {path: get for path, get in gets.items() if "text/event-stream" not in get["responses"]["200"].get("content", {})}

    def leaks(self, who: Client, *, with_contact: bool = True) -> dict[str, set[str]]:
        """Where somebody finds the canary."""
        found = {}
        for path, get in self.routes.items():
            for address in self.addresses(path):
                for query in self.queries(get):
                    answer = who.request("GET", f"{address}?{urlencode(query)}")
                    self.answered[path] += answer.status_code == 200
                    if parts := self.life.found_in(answer.text, with_contact=with_contact):
                        found[f"{address}?{urlencode(query)}"] = parts
        return found

    def addresses(self, path: str) -> Iterator[str]:
        names = re.findall(r"{(\w+)}", path)
        for values in product(*(self.values_of(path, name) for name in names)):
            yield path.format(**dict(zip(names, values, strict=True)))

    def values_of(self, path: str, name: str) -> list[str]:
        """Ids of the canary's life; of what it knows nothing, those that are listed at the address above."""
        known = self.life.ids.get(name)
        return known or self.listed(path[: path.index("{" + name)].rstrip("/")) or self.life.ids["customer_id"]

    def listed(self, path: str) -> list[str]:
        if path not in self._listed:
            readers = [self.life.team.rep, *self.life.overseers.values()] if path in self.routes else []
            answers = [reader.request("GET", path) for reader in readers]
            items = [item for answer in answers if answer.status_code == 200 for item in answer.json().get("items", ())]
            self._listed[path] = list(dict.fromkeys(str(item["id"]) for item in items if "id" in item))[:5]
        return self._listed[path]

    def queries(self, get: Any) -> Iterator[dict[str, str]]:
        """Each parameter by itself with each of its choices, besides those without which it cannot be asked."""
        parameters = [each for each in get.get("parameters", ()) if each["in"] == "query"]
        choices = {each["name"]: list(self.choices(each["name"], each["schema"])) for each in parameters}
        always = {each["name"]: choices[each["name"]][0] for each in parameters if each.get("required")}
        always |= {"limit": "200"} if "limit" in choices else {}
        yield always
        for name, values in choices.items():
            for value in values if name not in ("limit", "cursor") else ():
                yield always | {name: value}

    def choices(self, name: str, schema: dict[str, Any]) -> Iterator[str]:
        if "$ref" in schema:
            schema = self.description["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        for part in schema.get("anyOf", ()):
            yield from self.choices(name, part)
        match schema.get("type"), schema.get("format"):
            case "string", _ if "enum" in schema:
                yield from schema["enum"]
            case "string", _ if "const" in schema:
                yield schema["const"]
            case "string", "uuid":
                yield from self.life.ids.get(name) or self.life.ids["customer_id"]
            case "string", None if name in self.life.ids:
                yield from self.life.ids[name]
            case "string", None:
                yield self.life.names[0]
                yield from (self.life.canary.phone, self.life.canary.fax[5:]) if name not in OF_NOBODY else ()
            case "boolean", _:
                yield from ("true", "false")


@pytest.fixture(scope="module")
def walk(life: Life) -> Walk:
    team = life.team
    people = [team.rep.user["id"], team.colleague.user["id"]]
    life.ids |= {"person_id": people, "owner_id": people, "user_id": people, "login": [team.rep.user["login"]]}
    life.ids |= {"aggregate_id": [*life.ids["customer_id"], *life.ids["review_id"]], "pool_id": list(team.pools.values())}
    life.ids |= {"kind": ["source"], "department_id": [team.department_id], "agency_id": [team.agency_id]}
    life.ids |= {"object": [f"customer:{customer}" for customer in life.ids["customer_id"]]}
    return Walk(life, life.auditor.get("/openapi.json"))


def test_the_holder_finds_it_so_the_walk_can(life: Life, walk: Walk) -> None:
    found = walk.leaks(life.team.rep)
    for customer in life.ids["customer_id"]:
        assert found[f"/v1/customers/{customer}?"] == {"phone", "fax", "email", "contact"}
    for review in life.ids["review_id"]:
        assert found[f"/v1/reviews/{review}?"] == {"phone", "fax", "email", "contact"}


@pytest.mark.parametrize("who", ["colleague", "neighbour", "rival", "rival supervisor", "rival admin", "nobody"])
def test_nobody_out_of_scope_finds_it_anywhere(life: Life, walk: Walk, who: str) -> None:
    assert walk.leaks(life.strangers[who]) == {}


@pytest.mark.parametrize("who", ["supervisor", "manager", "admin", "auditor", "headquarters"])
def test_who_oversees_its_holder_finds_how_to_reach_it_nowhere(life: Life, walk: Walk, who: str) -> None:
    assert walk.leaks(life.overseers[who], with_contact=False) == {}


def test_who_oversees_its_holder_confirms_no_part_of_it_by_searching(life: Life) -> None:
    customer, phone, fax = life.ids["customer_id"][0], life.canary.phone, life.canary.fax
    for who in life.overseers.values():
        for part in (phone[:7], phone[3:7], phone[-4:], phone[1:], phone[:-1], fax[:8], fax[5:9]):
            lines = who.pages(f"/v1/customers?of=visible&q={part}", limit=200)
            assert customer not in {line["id"] for line in lines}, part
        assert [line["id"] for line in who.pages(f"/v1/customers?of=visible&q={phone}")] == [customer]


def test_the_walk_comes_by_everything_that_can_be_read(walk: Walk) -> None:
    """Where this fails, a new route wants an id in `Life.ids`, or something to have happened in the canary's life."""
    walk.leaks(walk.life.overseers["headquarters"])
    walk.leaks(walk.life.team.rep)
    assert walk.routes.keys() - walk.answered.keys() == set()
    assert [path for path in walk.routes if not walk.answered[path]] == []


# --- and elsewhere


def test_no_answer_and_no_error_on_the_way_repeats_it(life: Life) -> None:
    assert {what for what, text in life.told if life.found_in(text)} == set()


PLAIN = "(to_jsonb(t) - '{near,tokens}'::text[])::text"
"""A row without its hashes, in which any figures may follow each other."""


def test_it_stands_in_the_tables_that_the_operations_page_names_and_in_no_other(life: Life) -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "operations.md").read_text(encoding="utf-8")
    assert all(f"`{table}`" in page for table in KEPT_IN)
    found = {}
    for service in SERVICES:
        with psycopg.connect(life.stack.owner_url(service)) as owner:
            if service == "customers":
                eventually(lambda owner=owner: not owner.execute("SELECT 1 FROM outbox WHERE published_at IS NULL").fetchall())
            for [table] in owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall():
                rows = owner.execute(f'SELECT {PLAIN} FROM "{table}" AS t').fetchall()  # noqa: S608 names from the catalogue
                if parts := life.found_in("\n".join(row for [row] in rows)):
                    found[table] = parts
    assert found.keys() == KEPT_IN


def test_answers_are_kept_with_it_only_for_who_was_shown_it_as_its_holder(life: Life) -> None:
    with psycopg.connect(life.stack.owner_url("customers")) as owner:
        rows = owner.execute("SELECT actor, operation, answer::text FROM command").fetchall()
    shown = {(actor, operation) for actor, operation, answer in rows if life.found_in(answer)}
    rep, colleague = life.team.rep.user["id"], life.team.colleague.user["id"]
    changes = {(rep, "customers.update_customer"), (rep, "customers.add_contact")}
    assert shown == changes | {(colleague, "customers.claim_customer")}


def test_no_log_holds_it(life: Life) -> None:
    for name, processes in life.stack.processes.items():
        for index in range(len(processes)):
            assert life.found_in(life.stack.log_of(name, index)) == set(), name
