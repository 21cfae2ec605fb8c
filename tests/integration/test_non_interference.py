"""One agency's activity tells another one nothing: the same script is answered alike, whether or not somebody else is at work.

The script is played in two systems, in one of them with a busy second agency. Ids, times and what is drawn by lot are replaced by
their turn; all the rest, order and cursors, counts and versions, sentences and headers, must be equal. What is declared to cross
agencies is left out: hits of the collision check, and that a login is taken.
"""

import base64
import json
import re
import uuid
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx
import pytest

from embedded.stack import Stack
from tests.api import Client, Headquarters, expect
from tests.homes import made_home
from tests.matrix.facts import Databases
from tests.matrix.world import UNHURRIED

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
DRAWN = ("instance", "request_id", "retry_after", "seconds_left", "token", "secret", "code")
TOLD_BY_HEADERS = ("ETag", "Location", "Link", "WWW-Authenticate", "Allow", "Content-Type", "Cache-Control")
EVIDENCE = [{"kind": "note", "text": "三月谈过"}]
NOTE = {"method": "phone", "content": "谈了合作", "maturity": 3}


# --- what both systems have


@dataclass
class Agency:
    """Its people, made in a fixed order."""

    headquarters: Headquarters
    name: str
    mark: str
    id: str = ""
    departments: dict[str, str] = field(default_factory=dict)
    people: dict[str, Client] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.id = self.headquarters.agency(self.name)["id"]
        for name in ("销售部", "市场部"):
            self.departments[name] = self.headquarters.department(self.id, name)["id"]
        sales, market = self.departments.values()
        self.add("rep", "rep", sales)
        self.add("colleague", "rep", sales)
        self.add("neighbour", "rep", market)
        self.add("supervisor", "supervisor", sales)
        self.add("manager", "manager", market, managed_department_ids=[sales])
        self.add("admin", "agency_admin", market)
        self.add("auditor", "auditor", market)

    def add(self, name: str, role: str, department: str, **fields: Any) -> None:
        self.people[name] = self.headquarters.person(role, department, login=f"{self.mark}-{name}", **fields)

    def __getitem__(self, name: str) -> Client:
        return self.people[name]

    def id_of(self, name: str) -> str:
        return str(self.people[name].user["id"])

    @cached_property
    def pools(self) -> dict[str, str]:
        return self.headquarters.pools(self.id)


class Transcript:
    """What an agency was told, one line for each question."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._turns: dict[str, str] = {}

    def note(self, question: str, answer: httpx.Response) -> None:
        body = answer.json() if answer.content else None
        told = {name: answer.headers.get(name) for name in TOLD_BY_HEADERS}
        if answer.status_code == 200 and is_in_any_order(question):
            items = [self.plain(json.dumps({**item, "id": ""}, ensure_ascii=False), is_known=True) for item in body["items"]]
            body = sorted(items)
        else:
            body = self.bare(body)
        line = f"{answer.status_code} {json.dumps(told)} {json.dumps(body, ensure_ascii=False, sort_keys=True)}"
        self.lines.append(f"{self.plain(question)}: {self.plain(line)}")

    def bare(self, value: Any) -> Any:
        """Without what is drawn by lot or measured, and with cursors that can be read."""
        if isinstance(value, dict):
            bare = {name: self.bare(part) for name, part in value.items() if name not in DRAWN}
            if cursor := value.get("next_cursor"):
                bare["next_cursor"] = read(cursor)
            if ref := value.get("ref"):
                bare["ref"] = self.turn_of(ref)
            return bare
        return [self.bare(part) for part in value] if isinstance(value, list) else value

    def plain(self, text: str, *, is_known: bool = False) -> str:
        """Ids by their turn, cursors as they read, moments as such."""
        text = re.sub(r"(?<=cursor=)[A-Za-z0-9_%-]+", lambda found: read(found[0]), text)
        return MOMENT.sub("<time>", UUID.sub(lambda found: self.turn_of(found[0], is_known=is_known), text))

    def turn_of(self, id_: str, *, is_known: bool = False) -> str:
        return self._turns.get(id_, "<other>") if is_known else self._turns.setdefault(id_, f"<{len(self._turns)}>")


def is_in_any_order(question: str) -> bool:
    """Ids of pools are made of their agency's, which is another one each time; what services tell by themselves, such as how
    many customers somebody may hold, comes when it comes."""
    return question.endswith("/v1/pools") or "/v1/log" in question


def read(cursor: str) -> str:
    return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()


# --- the busy neighbour


class Nobody:
    """Where nobody else is at work, others' ids are nobody's."""

    def at_work(self) -> None:
        """Does nothing."""

    def id_of(self, kind: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, kind))


class Busy(Nobody):
    """Another agency that does all that can be done, with the words of the first one where words need not be unique."""

    def __init__(self, headquarters: Headquarters) -> None:
        self.rounds = 0
        self.agency = Agency(headquarters, "南京代理", "b")
        self.made: dict[str, str] = {"agency": self.agency.id, "department": next(iter(self.agency.departments.values()))}
        self.made["person"] = self.agency.id_of("rep")

    def id_of(self, kind: str) -> str:
        return self.made[kind]

    def at_work(self) -> None:
        self.rounds += 1
        self.enter_and_work()
        self.administer()
        self.flood()

    def enter_and_work(self) -> None:
        us, mark = self.agency, "甲乙丙丁戊己庚"[self.rounds]
        held = [us["rep"].entered(f"南京{mark}{word}塑料厂", tags=["老客户"], is_key=True) for word in ("云飞", "海天", "丰禾")]
        expect(201, us["rep"].note(held[0], **NOTE))
        us["colleague"].enter(f"南京{mark}云飞塑料厂")
        attempt = us["colleague"].get("/v1/entry-attempts?limit=1")["items"][0]["id"]
        dispute = us["colleague"].post("/v1/disputes", {"attempt_id": attempt, "claim": "我的", "evidence": EVIDENCE})
        offer = {"to": us.id_of("colleague"), "part": "sales"}
        handoff = us["rep"].post(f"/v1/customers/{held[1]}/handoffs", offer)
        expect(200, us["rep"].act(held[2], "release", reason="no_need"))
        reveal = {"field": "phone", "reason": "x"}
        us["supervisor"].act(held[0], "reveals", **reveal)
        self.made |= {"customer": held[0], "dispute": dispute["id"], "handoff": handoff["id"], "attempt": attempt}

    def administer(self) -> None:
        us, root = self.agency, self.agency.headquarters.admin
        pool = us["admin"].post("/v1/pools", {"name": "印花" if self.rounds == 1 else f"印花{self.rounds}"})
        view = {"name": f"重点{self.rounds}", "filter": {"tag": ["老客户"]}, "is_shared": True}
        saved = us["rep"].post("/v1/saved-views", view)
        source = us["admin"].post("/v1/member-sources", {"name": "官网"})
        told = {"name": f"南京{self.rounds}号海洋塑料厂", "phone": f"025-8{self.rounds}345678"}
        member = us["admin"].post("/v1/members", told)
        limit = {"subject": "agency", "limit": 50 + self.rounds}
        expect(200, us["admin"].request("PUT", "/v1/policies/stock-limit", limit))
        expect(200, us["admin"].request("PUT", "/v1/policies/follow-up", {"hours": 10 + self.rounds}))
        user = root.post(
            "/v1/users", {"login": f"b-new-{self.rounds}", "roles": ["rep"], "department_id": self.made["department"]}
        )
        expect(200, us["admin"].request("POST", f"/v1/users/{user['id']}/disable"))
        colleague = us.id_of("colleague")
        given = {"permission": "customer:read", "person_id": us.id_of("rep")}
        grant = us["admin"].post(f"/v1/users/{colleague}/grants", given)
        grants = [{"permission": "customer:read", "scope": "own"}]
        role = us["admin"].post("/v1/roles", {"name": f"组长{self.rounds}", "grants": grants})
        group = us["admin"].post("/v1/groups", {"name": f"一组{self.rounds}"})
        expect(200, us["admin"].request("PUT", f"/v1/groups/{group['id']}/members/{colleague}"))
        leaver = us.headquarters.add_user("rep", self.made["department"], f"b-left-{self.rounds}")
        leaving = us["admin"].post(f"/v1/users/{leaver['id']}/leaving", {}, status=202)
        self.made |= {"grant": grant["id"], "role": role["id"], "group": group["id"], "leaving": leaving["id"]}
        self.made |= {"pool": pool["id"], "view": saved["id"], "source": source["id"], "member": member["id"]}

    def flood(self) -> None:
        """Until it is sent away itself."""
        us = self.agency
        typed = [
            us["rep"].request("POST", "/v1/collision-checks/as-you-type", {"name": f"南京{n}"}).status_code for n in range(60)
        ]
        assert 429 in typed
        for _ in range(7):
            us["rep"].http.post("/v1/sessions", json={"login": "b-rep", "password": "guessed"})


# --- the script


class Script:
    """What the first agency asks. `other` is at work between its questions."""

    def __init__(self, headquarters: Headquarters, databases: Databases, other: Nobody) -> None:
        self.us, self.databases, self.other = Agency(headquarters, "扬州代理", "a"), databases, other
        self.told = Transcript()

    def ask(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = self.us[who].request(method, path, body, **headers)
        assert answer.status_code < 500, answer.text
        self.told.note(f"{who} {method} {path}", answer)
        return answer.json() if answer.content else None

    def get(self, who: str, *paths: str) -> Any:
        return [self.ask(who, "GET", path) for path in paths][-1]

    def play(self) -> list[str]:
        self.other.at_work()
        self.look_around()
        self.enter()
        self.other.at_work()
        self.work_together()
        self.administer()
        self.other.at_work()
        self.databases.settle()
        self.look_back()
        self.try_others()
        return self.told.lines

    def look_around(self) -> None:
        for who in self.us.people:
            self.get(who, "/v1/me", "/v1/users?limit=2", "/v1/field-policy/mine", "/v1/me/day")
        self.get("rep", "/v1/agencies", "/v1/departments", "/v1/users", "/v1/users?status=disabled")
        self.get(
            "rep",
            "/v1/dictionaries/source",
            "/v1/custom-fields",
            "/v1/divisions?parent=320000",
            "/v1/tags",
            "/v1/collision-rules",
        )
        self.get("admin", "/v1/policies", f"/v1/territories/{self.us.id}", "/v1/pools", "/v1/member-sources", "/v1/setup")

    def enter(self) -> None:
        key = "5f0c3a52"
        for number, word in enumerate(("五环", "三和", "北斗", "金桥", "长青")):
            fields = {"name": f"扬州{word}印花厂", "phone": f"0514-8{number}23456", "tags": ["老客户", f"批{number}"]}
            self.ask("rep", "POST", "/v1/collision-checks", {"name": fields["name"], "phone": fields["phone"]})
            self.ask("rep", "POST", "/v1/collision-checks/as-you-type", {"name": f"扬州{word}"})
            self.ask("rep", "POST", "/v1/customers", fields, Idempotency_Key=f"{key}{number}")
        self.ask("rep", "POST", "/v1/customers", {"name": "扬州五环印花厂", "city": "扬州"})
        self.ask("colleague", "POST", "/v1/customers", {"name": "扬州三和印花厂"})
        self.ask("rep", "POST", "/v1/customers", {"name": "扬州五环印花厂"}, Idempotency_Key=f"{key}0")
        self.ask("rep", "POST", "/v1/customers", {"name": "", "surplus": 1})
        for query in ("", "?of=all", "?q=五环", "?tag=老客户&sort=held", "?of=visible&limit=2", "?of=shared"):
            self.get("rep", f"/v1/customers{query}")
            self.get("supervisor", f"/v1/customers{query or '?of=visible'}")
        page = self.get("admin", "/v1/customers?of=visible&limit=2")
        self.get("admin", f"/v1/customers?of=visible&limit=2&cursor={page['next_cursor']}", "/v1/customers/count?of=visible")

    def held(self) -> list[str]:
        return [line["id"] for line in self.us["rep"].get("/v1/customers?sort=entered")["items"]]

    def work_together(self) -> None:
        first, second, third, *_ = held = self.held()
        self.ask("rep", "POST", f"/v1/customers/{first}/notes", NOTE)
        self.ask("rep", "PATCH", f"/v1/customers/{first}", {"needs": "两台"}, If_Match='"2"')
        self.ask("rep", "PATCH", f"/v1/customers/{first}", {"needs": "三台"}, If_Match='"2"')
        self.ask("rep", "POST", f"/v1/customers/{second}/contacts", {"name": "李总"}, If_Match='"1"')
        self.ask("supervisor", "POST", f"/v1/customers/{first}/reveals", {"field": "phone", "reason": "投诉"})
        colleague = self.us.id_of("colleague")
        rights = {"part": "support", "rights": ["read"]}
        self.ask("rep", "PUT", f"/v1/customers/{first}/collaborators/{colleague}", rights)
        offered = self.ask("rep", "POST", f"/v1/customers/{third}/handoffs", {"to": colleague, "part": "sales"})
        self.ask("colleague", "POST", f"/v1/handoffs/{offered['id']}/acceptance")
        attempt = self.get("colleague", "/v1/entry-attempts?limit=1")["items"][0]["id"]
        appeal = {"attempt_id": attempt, "claim": "我的", "evidence": EVIDENCE}
        dispute = self.ask("colleague", "POST", "/v1/disputes", appeal)
        self.ask("supervisor", "POST", f"/v1/disputes/{dispute['id']}/decision", {"decision": "dismissed", "reason": "证据不足"})
        self.ask("rep", "POST", f"/v1/customers/{held[3]}/release", {"reason": "no_need"})
        self.ask("admin", "POST", f"/v1/customers/{held[3]}/open")
        self.ask("neighbour", "POST", f"/v1/customers/{held[3]}/claim")
        batch = {"action": "transfer", "ids": held[:2], "to": colleague}
        self.ask("supervisor", "POST", "/v1/customers/batch", batch)

    def administer(self) -> None:
        pool = self.ask("admin", "POST", "/v1/pools", {"name": "印花", "claim_rules": {"claims_per_day": 1}})
        self.ask("admin", "PUT", f"/v1/pools/{pool['id']}/members/{self.us.id_of('rep')}", {})
        self.ask("admin", "POST", f"/v1/pools/{pool['id']}/customers", {"name": "扬州晨光印花厂"})
        view = {"name": "重点1", "filter": {"tag": ["老客户"]}, "is_shared": True}
        self.ask("rep", "POST", "/v1/saved-views", view)
        self.ask("rep", "POST", "/v1/saved-views", view)
        self.ask("admin", "POST", "/v1/member-sources", {"name": "官网"})
        self.ask("admin", "POST", "/v1/members", {"name": "扬州远帆印花厂", "phone": "0514-87654321"})
        self.ask("admin", "PUT", "/v1/policies/stock-limit", {"subject": "agency", "limit": 40})
        department = next(iter(self.us.departments.values()))
        user = self.ask("admin", "POST", "/v1/users", {"login": "a-new", "roles": ["rep"], "department_id": department})
        self.ask("admin", "PATCH", f"/v1/users/{user['id']}", {"display_name": "新人"}, If_Match='"1"')
        self.ask("admin", "POST", f"/v1/users/{user['id']}/disable")
        self.ask("admin", "POST", "/v1/departments", {"agency_id": self.us.id, "name": "销售部"})
        for _ in range(3):
            wrong = self.us["rep"].http.post("/v1/sessions", json={"login": "a-rep", "password": "guessed"})
            self.told.note("guess", wrong)

    def look_back(self) -> None:
        everything = (
            "/v1/customers?of=visible", "/v1/customers/count?of=visible", "/v1/entry-attempts", "/v1/reviews", "/v1/disputes",
            "/v1/handoffs?of=visible", "/v1/members", "/v1/pools", "/v1/saved-views", "/v1/reveals", "/v1/deadlines", "/v1/tags",
            "/v1/me/day", "/v1/days", "/v1/policies", "/v1/users", "/v1/departments", "/v1/tags?start=老",
        )  # fmt: skip
        for who in self.us.people:
            self.get(who, *everything)
            self.get(who, "/v1/roles", "/v1/groups", "/v1/leavings", "/v1/me/preferences", "/v1/me/tokens", "/v1/settings/login")
            self.get(who, f"/v1/users/{self.us.id_of('colleague')}/grants", "/v1/policies/inactivity")
        for customer in self.held()[:2]:
            path = f"/v1/customers/{customer}"
            self.get("rep", path, *(f"{path}/{part}" for part in ("changes", "ownership", "contacts", "collaborators", "notes")))
            self.get("rep", f"{path}/neighbours", f"{path}/timeline")
        self.get("admin", f"/v1/territories/{self.us.id}", "/v1/member-sources")
        for _, pool in sorted(self.us.pools.items()):
            self.get("rep", f"/v1/pools/{pool}", f"/v1/pools/{pool}/customers", f"/v1/pools/{pool}/members")
        self.get("admin", "/v1/log?limit=200")

    def try_others(self) -> None:
        """What is there and hidden is told as what was never there."""
        other = self.other.id_of
        customer = f"/v1/customers/{other('customer')}"
        for who in ("rep", "admin", "auditor"):
            self.get(who, customer, f"{customer}/notes", f"{customer}/ownership", f"{customer}/neighbours")
            self.get(who, f"/v1/users/{other('person')}", f"/v1/people/{other('person')}/day", f"/v1/pools/{other('pool')}")
            self.get(
                who, f"/v1/disputes/{other('dispute')}", f"/v1/handoffs/{other('handoff')}", f"/v1/members/{other('member')}"
            )
            self.get(who, f"/v1/policies?agency_id={other('agency')}", f"/v1/territories/{other('agency')}")
            self.get(
                who, f"/v1/customers?of=visible&owner_id={other('person')}", f"/v1/customers?of=visible&pool_id={other('pool')}"
            )
            self.get(who, f"/v1/entry-attempts?person_id={other('person')}", f"/v1/users?department_id={other('department')}")
            self.get(
                who, f"/v1/reveals?customer_id={other('customer')}", f"/v1/handoffs?of=visible&customer_id={other('customer')}"
            )
            self.get(who, f"/v1/departments?agency_id={other('agency')}", f"/v1/log?aggregate_id={other('customer')}")
            self.ask(who, "POST", f"{customer}/release", {"reason": "no_need"})
            self.ask(who, "POST", f"{customer}/claim")
            self.ask(who, "POST", f"{customer}/notes", NOTE)
            self.ask(who, "POST", f"{customer}/reveals", {"field": "phone", "reason": "x"})
            self.ask(who, "POST", f"{customer}/transfer", {"to": self.us.id_of("colleague")})
            self.ask(who, "POST", "/v1/customers/batch", {"action": "release", "ids": [other("customer")], "reason": "no_need"})
            self.ask(who, "PUT", f"/v1/saved-views/{other('view')}", {"name": "x", "filter": {}}, If_Match='"1"')
            self.ask(who, "DELETE", f"/v1/saved-views/{other('view')}")
            self.ask(who, "PATCH", f"/v1/pools/{other('pool')}", {"hidden_fields": []}, If_Match='"1"')
            self.ask(who, "PATCH", f"/v1/member-sources/{other('source')}", {"name": "x"}, If_Match='"1"')
            self.ask(who, "POST", "/v1/disputes", {"attempt_id": other("attempt"), "claim": "x", "evidence": EVIDENCE})
            self.ask(who, "POST", f"/v1/disputes/{other('dispute')}/answer", {"answer": "x"})
            self.ask(who, "POST", f"/v1/handoffs/{other('handoff')}/acceptance")
            self.ask(who, "PATCH", f"/v1/users/{other('person')}", {"display_name": "x"}, If_Match='"1"')
            self.ask(who, "POST", f"/v1/users/{other('person')}/disable")
            self.ask(who, "POST", "/v1/users", {"login": "a-other", "roles": ["rep"], "department_id": other("department")})
            self.ask(who, "POST", "/v1/departments", {"agency_id": other("agency"), "name": "x"})
            self.try_identity(who)
            limit = {"subject": "person", "person_id": other("person"), "limit": 5}
            self.ask(who, "PUT", "/v1/policies/stock-limit", limit)
        own = self.us["rep"].get("/v1/customers")["items"][0]["id"]
        self.ask("supervisor", "POST", f"/v1/customers/{own}/transfer", {"to": other("person")})
        rights = {"part": "support", "rights": ["read"]}
        self.ask("supervisor", "PUT", f"/v1/customers/{own}/collaborators/{other('person')}", rights)
        self.ask("supervisor", "POST", f"/v1/customers/{own}/handoffs", {"to": other("person"), "part": "sales"})

    def try_identity(self, who: str) -> None:
        """What people are and may is hidden as their customers are."""
        other, colleague = self.other.id_of, self.us.id_of("colleague")
        role, group, agency = f"/v1/roles/{other('role')}", f"/v1/groups/{other('group')}", f"/v1/agencies/{other('agency')}"
        department, user = f"/v1/departments/{other('department')}", f"/v1/users/{other('person')}"
        leaving = f"/v1/leavings/{other('leaving')}"
        self.get(who, role, group, agency, department, f"{user}/grants", f"{user}/sessions", f"{user}/tokens", f"{user}/holdings")
        self.get(who, leaving, f"{leaving}/customers", f"{leaving}/others", f"/v1/groups?agency_id={other('agency')}")
        self.get(who, f"/v1/groups?person_id={other('person')}", f"/v1/settings/login?agency_id={other('agency')}")
        self.get(who, f"/v1/policies/inactivity?agency_id={other('agency')}")
        self.get(who, f"/v1/access/explain?action=user:read&object=user:{other('person')}")
        self.get(who, f"/v1/access/explain?action=customer:read&object=customer:{other('customer')}")
        self.ask(who, "PATCH", role, {"duties": "x"}, If_Match='"1"')
        self.ask(who, "POST", f"{role}/archive")
        self.ask(who, "PUT", f"{group}/members/{colleague}")
        self.ask(who, "POST", f"{group}/dissolve")
        self.ask(who, "POST", f"{department}/move", {"parent_id": None})
        self.ask(who, "POST", f"{department}/merge", {"into_id": next(iter(self.us.departments.values()))})
        self.ask(who, "POST", f"{agency}/freeze")
        self.ask(who, "POST", f"{user}/leaving", {})
        self.ask(who, "DELETE", f"{user}/grants/{other('grant')}")
        self.ask(who, "DELETE", f"{user}/sessions")
        self.ask(who, "POST", f"{user}/second-factor-reset")
        self.ask(who, "POST", f"{leaving}/repeat")


def played(stack: Stack, *, is_alone: bool) -> list[str]:
    headquarters = Headquarters.set_up(stack.url, stack.setup_secret)
    other = Nobody() if is_alone else Busy(headquarters)
    with Databases(stack) as databases:
        return Script(headquarters, databases, other).play()


@pytest.fixture(scope="module")
def transcripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """In two systems, one after the other."""
    found = {}
    for name in ("alone", "busy"):
        home = made_home(tmp_path_factory, name)
        with Stack(home, fast=True, env=UNHURRIED) as stack:
            found[name] = played(stack, is_alone=name == "alone")
    return found


def test_another_agencys_activity_tells_nothing(transcripts: dict[str, list[str]]) -> None:
    lines = zip(transcripts["alone"], transcripts["busy"], strict=True)
    assert [difference(*pair) for pair in lines if pair[0] != pair[1]] == []


def difference(alone: str, busy: str) -> tuple[str, str, str]:
    """The question, and from where on the answers differ."""
    same = next((at for at, pair in enumerate(zip(alone, busy, strict=False)) if pair[0] != pair[1]), 0)
    start = max(0, same - 40)
    return alone.partition(":")[0], alone[start:][:200], busy[start:][:200]


def test_the_script_comes_far(transcripts: dict[str, list[str]]) -> None:
    """A script that is refused everything would be answered alike as well."""
    statuses = [int(found[1]) for line in transcripts["alone"] if (found := re.search(r": (\d{3}) \{", line))]
    assert len(statuses) == len(transcripts["alone"])
    assert {200, 201, 204} <= set(statuses) or statuses.count(200) > 200
    assert sum(status < 300 for status in statuses) > len(statuses) / 2
