"""Web-registered members: signed by their source, judged as every entry is, received in turn."""

import base64
import hashlib
import hmac
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import psycopg
import pytest

from embedded.stack import Stack
from tests.api import PASSWORD, Client, Headquarters, Team, brand, company, digits, eventually, expect, unique
from tests.travel import later

SOMEBODY = "00000000-0000-7000-8000-000000000000"
NO_PLACE = "月球"


def rows(stack: Stack, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.owner_url("customers")) as owner:
        return owner.execute(query, values).fetchall()  # type: ignore[arg-type]


def slug(answer: httpx.Response) -> str:
    return str(answer.json()["type"]).removeprefix("urn:qudao:problem:")


def member(name: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"name": name or company(), "phone": f"0514-{digits()}", **fields}


@dataclass
class Source:
    """Whoever sends members."""

    http: httpx.Client
    id: str
    secret: str

    def sign(self, webhook_id: str, timestamp: str, body: bytes) -> str:
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        digest = hmac.digest(key, f"{webhook_id}.{timestamp}.".encode() + body, hashlib.sha256)
        return f"v1,{base64.b64encode(digest).decode()}"

    def send(
        self,
        told: dict[str, Any],
        webhook_id: str | None = None,
        *,
        at: float | None = None,
        sent: dict[str, Any] | None = None,
        **headers: str,
    ) -> httpx.Response:
        """`told` is what is signed, `sent` what is sent."""
        webhook_id, timestamp, body = webhook_id or unique("msg_"), str(int(at or time.time())), json.dumps(told).encode()
        signed = {"Webhook-Id": webhook_id, "Webhook-Timestamp": timestamp, "Content-Type": "application/json"}
        signed["Webhook-Signature"] = self.sign(webhook_id, timestamp, body)
        content = json.dumps(sent).encode() if sent else body
        return self.http.post(f"/v1/member-webhooks/{self.id}", content=content, headers=signed | headers)

    def sent(self, told: dict[str, Any], webhook_id: str | None = None) -> str:
        """The id of the arrival; what is busy is repeated, as senders do."""
        webhook_id = webhook_id or unique("msg_")
        answer = eventually(lambda: self.send(told, webhook_id), until=lambda found: found.status_code not in (409, 503))
        return str(expect(200, answer)["id"])


def add_source(who: Client, **fields: Any) -> Source:
    made = who.post("/v1/member-sources", {"name": unique("官网"), **fields})
    return Source(who.http, made["id"], made["secret"])


def made_ready(stack: Stack, team: Team, *reps: Client) -> Team:
    """Once customers knows how many its reps may hold."""
    ids = [rep.user["id"] for rep in reps or (team.rep, team.colleague)]
    known = "SELECT count(*) FROM stock WHERE person_id = ANY(%s) AND allowed IS NOT NULL"
    eventually(lambda: rows(stack, known, ids) == [(len(ids),)])
    return team


@pytest.fixture(scope="module")
def team(headquarters: Headquarters, stack: Stack) -> Team:
    """Two reps, and no territory."""
    return made_ready(stack, headquarters.team())


@pytest.fixture(scope="module")
def rivals(headquarters: Headquarters, stack: Stack) -> Team:
    rivals = headquarters.team()
    return made_ready(stack, rivals, rivals.rep)


@pytest.fixture(scope="module")
def source(team: Team) -> Source:
    return add_source(team.admin)


@pytest.fixture(scope="module")
def central(headquarters: Headquarters) -> Source:
    """Headquarters', which distributes."""
    return add_source(headquarters.admin)


def arrival(who: Client, member_id: str) -> dict[str, Any]:
    found: dict[str, Any] = who.get(f"/v1/members/{member_id}")
    return found


def received_by(team: Team, told: dict[str, Any]) -> Client:
    return next(rep for rep in (team.rep, team.colleague) if rep.user["id"] == told["person_id"])


def set_territory(who: Client, agency_id: str, **change: Any) -> httpx.Response:
    """Over what is set by now."""
    version = who.get(f"/v1/territories/{agency_id}")["version"]
    return who.request("PUT", f"/v1/territories/{agency_id}", change, If_Match=f'"{version}"')


def at_once(*asks: Callable[[], Any]) -> list[Any]:
    start = threading.Barrier(len(asks))

    def run(ask: Callable[[], Any]) -> Any:
        start.wait()
        return ask()

    with ThreadPoolExecutor(len(asks)) as threads:
        return list(threads.map(run, asks))


def customers_named(stack: Stack, name: str) -> list[tuple[str, str | None]]:
    return rows(stack, "SELECT id::text, owner_id::text FROM customer WHERE name = %s", name)


# --- coming in


def test_a_member_is_entered_and_received_by_a_rep_with_what_it_has_told(stack: Stack, team: Team, source: Source) -> None:
    registered_at = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    told = member(contact_person="刘女士", email="liu@example.com", city="扬州", industry="印刷", needs="三台")
    told |= {"registered_at": registered_at, "external_id": "u-17", "website": "example.com/x"}

    sent = source.sent(told)

    rep = received_by(team, arrival(team.admin, sent))
    came = arrival(rep, sent)
    customer = rep.get(f"/v1/customers/{came['customer_id']}")
    assert (came["outcome"], came["reason"], came["source_id"]) == ("entered", None, source.id)
    assert {field: came[field] for field in told} == told | {"registered_at": registered_at.replace("+00:00", "Z")}
    assert came["received_at"] > came["registered_at"]
    assert (customer["source"], customer["registered_at"], customer["owner_id"]) == ("web", came["registered_at"], rep.user["id"])
    assert {field: customer[field] for field in ("name", "phone", "needs", "industry")}.items() <= told.items()
    history = rep.get(f"/v1/customers/{came['customer_id']}/ownership")["items"]
    assert [(one["cause"], one["pool_kind"], one["owner_id"]) for one in history] == [
        ("enter", "agency", None),
        ("assign", None, rep.user["id"]),
    ]
    assert history[0]["until"] == history[1]["since"] == came["received_at"]
    told_of = rows(stack, "SELECT name, version FROM outbox WHERE aggregate_id = %s ORDER BY version", came["customer_id"])
    assert told_of == [("customer_entered", 1), ("customer_moved", 2)]


def test_its_deadline_counts_from_when_the_rep_receives_it(team: Team, source: Source) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    came = arrival(team.admin, source.sent(member(registered_at=yesterday)))

    def deadline() -> Any:
        return [each for each in team.admin.pages("/v1/deadlines") if each["customer_id"] == came["customer_id"]]

    [found] = eventually(deadline)
    assert (found["state"], found["owner_id"]) == ("open", came["person_id"])
    assert found["received_at"] == came["received_at"]
    due = datetime.fromisoformat(came["received_at"]) + timedelta(hours=24)
    assert datetime.fromisoformat(found["due_at"]) == due


def test_it_is_told_and_audited_once(stack: Stack, team: Team, source: Source) -> None:
    came = source.sent(member())

    told = rows(stack, "SELECT name, agency_id::text FROM outbox WHERE aggregate_id = %s", came)
    audited = rows(stack, "SELECT operation, result, actor, on_behalf_of::text FROM audit WHERE subject_id = %s", came)

    assert told == [("member_arrived", team.agency_id)]
    assert audited == [("customers.receive_member", "done", "system:gateway", team.admin.user["id"])]
    eventually(lambda: "member_arrived" in {each["name"] for each in team.admin.pages("/v1/log") if each["aggregate_id"] == came})


def test_an_administrator_sends_members_too(team: Team) -> None:
    told = member()
    answer = team.admin.request("POST", "/v1/members", told, Idempotency_Key="members-1")

    came = expect(201, answer)

    assert answer.headers["Location"] == f"/v1/members/{came['id']}"
    assert (came["outcome"], came["source_id"], came["restricted"]["phone"]) == ("entered", None, "masked")
    assert came["person_id"] in {team.rep.user["id"], team.colleague.user["id"]}
    assert team.admin.post("/v1/members", told, Idempotency_Key="members-1") == came
    assert arrival(team.admin, came["id"]) == came


def test_who_administers_nothing_sends_none_and_has_no_sources(team: Team) -> None:
    for who in (team.rep, team.supervisor, team.manager):
        expect(403, who.request("POST", "/v1/members", member()))
        expect(403, who.request("POST", "/v1/member-sources", {"name": "x"}))
        expect(403, who.request("GET", "/v1/member-sources"))
        expect(403, who.request("GET", f"/v1/territories/{team.agency_id}"))


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"phone": None}, ""),
        ({"name": " "}, "/name"),
        ({"name": "有限公司"}, "/name"),
        ({"phone": "电话号码"}, "/phone"),
        ({"email": "nobody"}, "/email"),
        ({"website": "javascript:alert(1)"}, "/website"),
        ({"registered_at": "2199-01-01T00:00:00Z"}, "/registered_at"),
        ({"registered_at": "yesterday"}, "/registered_at"),
        ({"owner_id": SOMEBODY}, "/owner_id"),
        ({"source_id": SOMEBODY}, "/source_id"),
    ],
)
def test_bad_input_is_pointed_at(team: Team, source: Source, change: dict[str, Any], pointer: str) -> None:
    for answer in (source.send(member() | change), team.admin.request("POST", "/v1/members", member() | change)):
        assert [wrong["pointer"] for wrong in expect(422, answer)["errors"]] == [pointer]


def test_a_clock_that_is_a_little_ahead_is_no_error(team: Team, source: Source) -> None:
    soon = (datetime.now(UTC) + timedelta(minutes=3)).isoformat()
    assert arrival(team.admin, source.sent(member(registered_at=soon)))["registered_at"] == soon.replace("+00:00", "Z")


# --- signatures


def test_what_is_not_rightly_signed_is_refused_alike(stack: Stack, team: Team, source: Source) -> None:
    told, disabled = member(), add_source(team.admin)
    expect(200, team.admin.request("PATCH", f"/v1/member-sources/{disabled.id}", {"is_enabled": False}, If_Match='"1"'))
    wrong = Source(source.http, source.id, disabled.secret)
    unknown = Source(source.http, str(uuid.uuid4()), source.secret)
    answers = {
        "another secret": wrong.send(told),
        "tampered": source.send(told, sent=told | {"phone": "0514-1234567"}),
        "old": source.send(told, at=time.time() - 310),
        "early": source.send(told, at=time.time() + 310),
        "another id": source.send(told, **{"Webhook-Id": "other"}),
        "another time": source.send(told, at=time.time() - 9, **{"Webhook-Timestamp": str(int(time.time()))}),
        "unsigned": source.send(told, **{"Webhook-Signature": ""}),
        "disabled": disabled.send(told),
        "unknown": unknown.send(told),
    }

    shown = {(answer.status_code, slug(answer), answer.json()["detail"], frozenset(answer.json())) for answer in answers.values()}
    assert len(shown) == 1, answers
    assert {(status, kind) for status, kind, *_ in shown} == {(401, "webhook-refused")}
    assert customers_named(stack, told["name"]) == []


def test_the_former_secret_is_good_for_a_day(stack: Stack, team: Team) -> None:
    first = add_source(team.admin)
    turned = team.admin.post(f"/v1/member-sources/{first.id}/rotation", {}, status=200)
    second = Source(first.http, first.id, turned["secret"])
    assert (turned["key_version"], turned["secret"] != first.secret) == (2, True)

    assert [each.send(member()).status_code for each in (first, second)] == [200, 200]
    with later(stack, timedelta(hours=23, minutes=59)):
        time.sleep(0.6)  # for so long a gateway may know what it knew
        assert [each.send(member()).status_code for each in (first, second)] == [200, 200]
    with later(stack, timedelta(hours=24, seconds=1)):
        eventually(lambda: first.send(member()).status_code == 401)
        assert second.send(member()).status_code == 200


def test_a_secret_that_has_leaked_ends_at_once(team: Team) -> None:
    first = add_source(team.admin)
    team.admin.post(f"/v1/member-sources/{first.id}/rotation", {}, status=200)
    turned = team.admin.post(f"/v1/member-sources/{first.id}/rotation", {"end_previous": True}, status=200)
    assert turned["previous_until"] is None

    eventually(lambda: first.send(member()).status_code == 401)
    assert Source(first.http, first.id, turned["secret"]).send(member()).status_code == 200


def test_a_secret_is_shown_once_and_stands_nowhere(stack: Stack, team: Team) -> None:
    made = [team.admin.post("/v1/member-sources", {"name": "官网"}, Idempotency_Key="one-source") for _ in range(2)]
    assert made[0] == made[1]
    source_id, secret = made[0]["id"], made[0]["secret"]

    [listed] = [each for each in team.admin.pages("/v1/member-sources", limit=2) if each["id"] == source_id]
    assert listed == {name: value for name, value in made[0].items() if name != "secret"}
    bare = secret.removeprefix("whsec_")
    for table in ("command", "audit", "outbox", "member_source"):
        assert rows(stack, f"SELECT count(*) FROM {table} AS row WHERE strpos(row::text, %s) > 0", bare) == [(0,)]  # noqa: S608


def test_a_source_is_renamed_disabled_and_enabled_by_who_has_seen_it(team: Team) -> None:
    own = add_source(team.admin)
    path = f"/v1/member-sources/{own.id}"

    renamed = expect(200, team.admin.request("PATCH", path, {"name": "新官网", "is_enabled": False}, If_Match='"1"'))
    assert (renamed["name"], renamed["is_enabled"], renamed["version"]) == ("新官网", False, 2)
    expect(412, team.admin.request("PATCH", path, {"is_enabled": True}, If_Match='"1"'))
    expect(422, team.admin.request("PATCH", path, {"name": None}, If_Match='"2"'))
    expect(428, team.admin.request("PATCH", path, {"is_enabled": True}))
    eventually(lambda: own.send(member()).status_code == 401)
    expect(200, team.admin.request("PATCH", path, {"is_enabled": True}, If_Match='"2"'))
    eventually(lambda: own.send(member()).status_code == 200)


# --- repeats


def test_what_is_sent_again_under_its_id_is_harmless(stack: Stack, team: Team, source: Source) -> None:
    told, webhook_id = member(), unique("msg_")
    answers = at_once(*[lambda: source.send(told, webhook_id)] * 12)
    done = [answer.json() for answer in answers if answer.status_code == 200]
    assert done
    assert {answer.status_code for answer in answers} <= {200, 409}

    again = expect(200, source.send(told, webhook_id, at=time.time() - 60))

    assert all(answer == again for answer in done)
    assert len(customers_named(stack, told["name"])) == 1
    assert rows(stack, "SELECT count(*) FROM member_arrival WHERE name = %s", told["name"]) == [(1,)]
    other = source.send(told | {"needs": "more"}, webhook_id)
    assert (other.status_code, slug(other)) == (422, "idempotency-key-reused")


def test_ids_are_each_sources_own(stack: Stack, team: Team, source: Source) -> None:
    other, webhook_id = add_source(team.admin), unique("msg_")
    assert source.sent(member(), webhook_id) != other.sent(member(), webhook_id)


def test_the_same_company_by_two_ids_is_one_customer_and_one_known(stack: Stack, team: Team, source: Source) -> None:
    name = company()
    sent = at_once(*[lambda: source.sent(member(name, contact_person="王先生"))] * 2)

    came = [arrival(team.admin, each) for each in sent]

    assert sorted(each["outcome"] for each in came) == ["entered", "known"]
    [known] = [each for each in came if each["outcome"] == "known"]
    assert len({(each["customer_id"], each["person_id"]) for each in came}) == 1
    assert known["reason"] == "held_by_colleague"
    assert len(customers_named(stack, name)) == 1


# --- what is there already


def test_who_holds_the_company_has_a_warm_lead(stack: Stack, team: Team, source: Source) -> None:
    name = company()
    customer = team.colleague.entered(name)
    told = member(name, needs="五台")

    came = source.sent(told)

    shown = arrival(team.colleague, came)
    assert (shown["outcome"], shown["customer_id"], shown["person_id"]) == ("known", customer, team.colleague.user["id"])
    assert (shown["phone"], shown["needs"]) == (told["phone"], "五台")
    assert customers_named(stack, name) == [(customer, team.colleague.user["id"])]
    assert team.colleague.get(f"/v1/customers/{customer}")["source"] == "own"
    [line] = [each for each in team.colleague.pages("/v1/members?outcome=known", limit=2) if each["id"] == came]
    assert line["phone"] == told["phone"]
    expect(404, team.rep.request("GET", f"/v1/members/{came}"))
    [(event,)] = rows(stack, "SELECT data FROM outbox WHERE aggregate_id = %s", came)
    assert (event["outcome"], event["person_id"]) == ("known", team.colleague.user["id"])
    assert told["phone"] not in json.dumps(event)


def test_headquarters_tells_the_holder_of_whatever_agency(team: Team, rivals: Team, central: Source) -> None:
    name = company()
    customer = rivals.rep.entered(name)

    came = central.sent(member(name))

    shown = arrival(rivals.rep, came)
    assert (shown["outcome"], shown["reason"], shown["customer_id"]) == ("known", "held_by_colleague", customer)
    expect(404, team.admin.request("GET", f"/v1/members/{came}"))


def test_the_lead_of_an_agency_stays_its_own(stack: Stack, team: Team, rivals: Team, source: Source) -> None:
    name = company()
    customer = rivals.rep.entered(name)

    for came in (source.sent(member(name)), team.admin.post("/v1/members", member(name))["id"]):
        answer = team.admin.request("GET", f"/v1/members/{came}")
        shown = expect(200, answer)
        assert (shown["outcome"], shown["reason"]) == ("known", "held_by_other_agency")
        assert shown["customer_id"] is shown["person_id"] is None
        assert customer not in answer.text
        [(event,)] = rows(stack, "SELECT data::text FROM outbox WHERE aggregate_id = %s", came)
        assert customer not in event
        expect(404, rivals.rep.request("GET", f"/v1/members/{came}"))
        expect(404, rivals.admin.request("GET", f"/v1/members/{came}"))


def test_what_comes_near_others_is_entered_and_reviewed(team: Team, source: Source) -> None:
    own = brand()
    team.colleague.entered(f"扬州市高邮市{own}服装厂")

    came = arrival(team.admin, source.sent(member(f"扬州市宝应县{own}服装厂")))

    assert came["outcome"] == "entered"
    assert came["person_id"]
    reviews = team.supervisor.pages("/v1/reviews?state=open")
    [review] = [each for each in reviews if each["customer_id"] == came["customer_id"]]
    assert (review["origin"], review["person_id"]) == ("web", came["person_id"])
    expect(200, team.supervisor.request("POST", f"/v1/reviews/{review['id']}/decision", {"decision": "different"}))


@pytest.mark.parametrize("kind", ["public", "agency"])
def test_what_lies_in_a_pool_is_given_to_the_next_in_turn(stack: Stack, team: Team, source: Source, kind: str) -> None:
    name = company()
    customer = team.pooled(kind, name)
    told = member(name, registered_at="2026-01-02T03:04:05Z")

    came = arrival(team.admin, source.sent(told))

    rep = received_by(team, came)
    shown = rep.get(f"/v1/customers/{customer}")
    assert (came["outcome"], came["customer_id"]) == ("assigned", customer)
    assert (shown["owner_id"], shown["source"], shown["registered_at"]) == (rep.user["id"], "web", told["registered_at"])
    assert len(customers_named(stack, name)) == 1
    assert [hit["customer_id"] for hit in rep.check(phone=told["phone"])["hits"]] == [customer]
    eventually(lambda: customer in {each["customer_id"] for each in rep.pages("/v1/deadlines?state=open")})


def test_an_agency_may_leave_it_in_the_pool(team: Team, source: Source) -> None:
    expect(200, set_territory(team.admin, team.agency_id, pooled="leave"))
    try:
        name = company()
        customer = team.pooled("public", name)
        came = arrival(team.admin, source.sent(member(name)))
    finally:
        expect(200, set_territory(team.admin, team.agency_id))
    assert (came["outcome"], came["reason"], came["person_id"]) == ("known", "in_public_pool", None)
    assert team.admin.get(f"/v1/customers/{customer}")["pool_id"] == team.pools["public"]


def test_what_lies_in_anothers_pool_goes_to_that_agency_only_from_headquarters(
    team: Team, rivals: Team, source: Source, central: Source
) -> None:
    name = company()
    customer = rivals.pooled("agency", name)

    own = arrival(team.admin, source.sent(member(name)))
    assert (own["outcome"], own["reason"], own["customer_id"]) == ("known", "in_other_agency_pool", None)
    assert rivals.admin.get(f"/v1/customers/{customer}")["pool_id"] == rivals.pools["agency"]

    came = arrival(rivals.admin, central.sent(member(name)))
    assert (came["outcome"], came["customer_id"], came["person_id"]) == ("assigned", customer, rivals.rep.user["id"])


def test_what_another_line_of_business_has_stays_there(headquarters: Headquarters, central: Source) -> None:
    name = company()
    pool = headquarters.pools(headquarters.admin.get("/v1/me")["agency_id"])["telesales"]
    customer = headquarters.admin.post(f"/v1/pools/{pool}/customers", {"name": name})["customer_id"]

    came = arrival(headquarters.admin, central.sent(member(name)))

    assert (came["outcome"], came["reason"], came["customer_id"]) == ("known", "held_by_telesales", customer)


def test_nobody_receives_what_somebody_holds_under_another_record(team: Team, source: Source) -> None:
    """Only the pooled one is met by name; its alias is the name of what a colleague holds."""
    held, name = company(), company()
    team.colleague.entered(held)
    pooled = team.pooled("public", name, aliases=[held], keep_twin="for the register")

    came = arrival(team.admin, source.sent(member(name)))

    assert (came["outcome"], came["person_id"]) == ("known", team.colleague.user["id"])
    assert team.admin.get(f"/v1/customers/{pooled}")["pool_id"] == team.pools["public"]


# --- whose turn it is


def stock_limit(stack: Stack, admin: Client, rep: Client, room: int) -> None:
    """He may hold so many more than he does, from when customers knows it."""
    held = "SELECT held, allowed FROM stock WHERE person_id = %s"
    [(now, _)] = rows(stack, held, rep.user["id"])
    limit = {"subject": "person", "person_id": rep.user["id"], "limit": now + room}
    expect(200, admin.request("PUT", "/v1/policies/stock-limit", limit))
    eventually(lambda: rows(stack, held, rep.user["id"]) == [(now, now + room)])


def share_of(stack: Stack, members: Sequence[str]) -> Counter[str | None]:
    found = rows(stack, "SELECT person_id::text FROM member_arrival WHERE id = ANY(%s)", list(members))
    return Counter(person for (person,) in found)


def test_reps_take_turns_whatever_comes_at_once(headquarters: Headquarters, stack: Stack) -> None:
    team = headquarters.team()
    reps = headquarters.people(3, team.department_id)
    made_ready(stack, team, *reps)
    source = add_source(team.admin)

    one_by_one = [source.sent(member()) for _ in range(4)]
    assert max(share_of(stack, one_by_one).values()) == 2
    together = at_once(*[lambda: source.sent(member())] * 13)

    share = share_of(stack, one_by_one + together)
    assert share.keys() == {rep.user["id"] for rep in reps}
    assert sorted(share.values()) == [5, 6, 6]


def test_who_has_no_room_is_passed_over_and_the_last_ones_lie_in_the_agency_pool(
    headquarters: Headquarters, stack: Stack
) -> None:
    team = headquarters.team()
    reps = headquarters.people(3, team.department_id)
    made_ready(stack, team, *reps)
    source = add_source(team.admin)
    for rep, room in zip(reps, (0, 1, 3), strict=True):
        stock_limit(stack, team.admin, rep, room)

    sent = at_once(*[lambda: source.sent(member())] * 7)

    assert share_of(stack, sent) == {reps[1].user["id"]: 1, reps[2].user["id"]: 3, None: 3}
    over = [each for each in team.admin.pages("/v1/members") if each["person_id"] is None]
    assert {(each["outcome"], each["reason"]) for each in over} == {("entered", "nobody_left")}
    for each in over:
        assert team.admin.get(f"/v1/customers/{each['customer_id']}")["pool_id"] == team.pools["agency"]
    pooled = company()
    team.pooled("public", pooled)
    left = arrival(team.admin, source.sent(member(pooled)))
    assert (left["outcome"], left["reason"]) == ("known", "nobody_left")


def test_a_full_stock_is_never_exceeded_while_its_owner_enters(headquarters: Headquarters, stack: Stack) -> None:
    team = headquarters.team()
    reps = headquarters.people(2, team.department_id)
    made_ready(stack, team, *reps)
    source = add_source(team.admin)
    for rep in reps:
        stock_limit(stack, team.admin, rep, 4)
    patient = [Client(rep.http, rep.token, rep.user, is_patient=True) for rep in reps]

    answers = at_once(*[lambda: source.sent(member())] * 8, *[lambda rep=rep: rep.enter(company()) for rep in patient * 4])

    entered = [answer.status_code for answer in answers[8:]]
    assert set(entered) <= {201, 409}
    held = rows(stack, "SELECT sum(held), max(held) FROM stock WHERE person_id = ANY(%s)", [rep.user["id"] for rep in reps])
    assert held == [(8, 4)]
    assert share_of(stack, answers[:8])[None] == entered.count(201)


def test_only_those_named_have_turns_and_only_as_long_as_they_are_active(headquarters: Headquarters, stack: Stack) -> None:
    team = headquarters.team()
    first, second, third = headquarters.people(3, team.department_id)
    made_ready(stack, team, first, second, third)
    source = add_source(team.admin)
    named = [first.user["id"], second.user["id"]]
    setting = expect(200, set_territory(team.admin, team.agency_id, assignees=named))
    assert setting["assignees"] == sorted(named)

    sent = [source.sent(member()) for _ in range(4)]
    assert share_of(stack, sent) == {first.user["id"]: 2, second.user["id"]: 2}

    expect(200, team.admin.request("POST", f"/v1/users/{first.user['id']}/disable"))
    status = "SELECT status FROM person WHERE id = %s"
    eventually(lambda: rows(stack, status, first.user["id"]) == [("disabled",)])
    sent = [source.sent(member()) for _ in range(2)]
    assert share_of(stack, sent) == {second.user["id"]: 2}


# --- territories


def agency_heard_of(headquarters: Headquarters) -> str:
    """The id of a new agency, once customers knows of it."""
    agency_id = str(headquarters.agency()["id"])
    path = f"/v1/territories/{agency_id}"
    eventually(lambda: headquarters.admin.request("GET", path).status_code == 200)
    return agency_id


def test_the_narrowest_place_wins_and_agencies_of_one_place_take_turns(
    headquarters: Headquarters, stack: Stack, central: Source
) -> None:
    admin = headquarters.admin
    province, city, also_city, county = (agency_heard_of(headquarters) for _ in range(4))
    for agency, places in ((province, ["530000"]), (city, ["530100"]), (also_city, ["530100"]), (county, ["530111"])):
        expect(200, set_territory(admin, agency, places=places))

    def agency_of(name: str, **place: str) -> str:
        came = arrival(admin, central.sent(member(name, phone=f"13{int(digits()) * 100:09d}", **place)))
        assert (came["outcome"], came["reason"]) == ("entered", "nobody_left")
        return str(came["agency_id"])

    assert agency_of(company("", form="有限公司"), province="云南") == province
    assert agency_of(company("曲靖")) == province
    assert agency_of(company("", form="有限公司"), province="云南省", city="昆明市官渡区") == county
    in_turn = [agency_of(company("昆明")) for _ in range(4)]
    assert in_turn[:2] == in_turn[2:]
    assert sorted(in_turn[:2]) == sorted([city, also_city])
    both = at_once(*[lambda: agency_of(company("昆明"))] * 6)
    assert Counter(both) == {city: 3, also_city: 3}


def test_what_nobody_has_lies_with_headquarters(headquarters: Headquarters, central: Source) -> None:
    admin = headquarters.admin
    own = admin.get("/v1/me")["agency_id"]
    for came in (arrival(admin, central.sent(member(city=NO_PLACE))), admin.post("/v1/members", member(company("拉萨")))):
        assert (came["outcome"], came["reason"], came["agency_id"]) == ("entered", "no_territory", own)
        assert admin.get(f"/v1/customers/{came['customer_id']}")["pool_id"] == headquarters.pools(own)["agency"]


def test_what_has_lain_with_headquarters_goes_to_who_has_the_place_by_now(
    headquarters: Headquarters, stack: Stack, rivals: Team, central: Source
) -> None:
    admin, name = headquarters.admin, company("铜仁")
    first = arrival(admin, central.sent(member(name)))
    assert first["reason"] == "no_territory"
    expect(200, set_territory(admin, rivals.agency_id, places=["520600"]))
    try:
        came = arrival(rivals.rep, central.sent(member(name)))
    finally:
        expect(200, set_territory(admin, rivals.agency_id))
    customer = rivals.rep.get(f"/v1/customers/{came['customer_id']}")
    assert (came["outcome"], came["customer_id"]) == ("assigned", first["customer_id"])
    assert (customer["agency_id"], customer["owner_id"]) == (rivals.agency_id, rivals.rep.user["id"])


def test_headquarters_alone_gives_territories(team: Team, rivals: Team) -> None:
    admin, path = team.headquarters.admin, f"/v1/territories/{rivals.agency_id}"
    given = expect(200, set_territory(admin, rivals.agency_id, places=["630000", "630100", "630000"]))
    assert [place["code"] for place in given["places"]] == ["630000", "630100"]
    assert given["places"][0]["name"] == "青海"

    answer = set_territory(rivals.admin, rivals.agency_id, places=["630000"])
    assert (answer.status_code, slug(answer)) == (403, "territory-is-given")
    kept = expect(200, set_territory(rivals.admin, rivals.agency_id, places=["630100", "630000"], pooled="leave"))
    assert (kept["pooled"], rivals.admin.get(path)) == ("leave", kept)
    stale = rivals.admin.request("PUT", path, {}, If_Match='"1"')
    assert (stale.status_code, slug(stale)) == (412, "version-conflict")
    expect(428, rivals.admin.request("PUT", path, {}))
    expect(200, set_territory(admin, rivals.agency_id))


@pytest.mark.parametrize("body", [{"places": ["999999"]}, {"places": ["3210"]}, {"assignees": [SOMEBODY]}, {"pooled": "maybe"}])
def test_a_setting_names_what_is_there(team: Team, body: dict[str, Any]) -> None:
    expect(422, set_territory(team.headquarters.admin, team.agency_id, **body))


def test_nobody_is_named_who_is_no_rep_of_the_agency(team: Team, rivals: Team) -> None:
    for person in (rivals.rep, team.admin):
        answer = expect(422, set_territory(team.admin, team.agency_id, assignees=[team.rep.user["id"], person.user["id"]]))
        assert [wrong["pointer"] for wrong in answer["errors"]] == ["/assignees/1"]


def test_of_two_who_set_the_first_one_one_wins(headquarters: Headquarters) -> None:
    path = f"/v1/territories/{agency_heard_of(headquarters)}"

    def put(place: str) -> int:
        return headquarters.admin.request("PUT", path, {"places": [place]}, If_Match='"0"').status_code

    assert sorted(at_once(*[lambda place=place: put(place) for place in ("650000", "640000", "620000")])) == [200, 412, 412]
    assert len(headquarters.admin.get(path)["places"]) == 1
    expect(200, headquarters.admin.request("PUT", path, {}, If_Match='"1"'))


# --- who sees what


def test_members_are_seen_as_far_as_one_oversees_and_in_part(team: Team, rivals: Team, source: Source) -> None:
    told = member(email="liu@example.com")
    came = arrival(team.admin, source.sent(told))
    rep = received_by(team, came)
    other = team.colleague if rep is team.rep else team.rep
    auditor = team.headquarters.person("auditor", team.department_id)

    for reader in (rep, team.supervisor, team.manager, team.admin, team.headquarters.admin, auditor):
        [line] = [each for each in reader.pages("/v1/members", limit=3) if each["id"] == came["id"]]
        assert (line["phone"] == told["phone"]) == (line["email"] == told["email"]) == (reader is rep)
        assert told["phone"][-3:] in line["phone"]
        assert (arrival(reader, came["id"])["phone"] == told["phone"]) == (reader is rep)
    for stranger in (other, team.neighbour, rivals.rep, rivals.supervisor, rivals.admin):
        assert came["id"] not in {each["id"] for each in stranger.pages("/v1/members")}
        expect(404, stranger.request("GET", f"/v1/members/{came['id']}"))
    expect(404, team.admin.request("GET", f"/v1/members/{SOMEBODY}"))
    expect(403, auditor.request("POST", "/v1/members", member()))


def test_another_agencys_administrator_sees_nothing(stack: Stack, team: Team, rivals: Team, source: Source) -> None:
    other, path = rivals.admin, f"/v1/member-sources/{source.id}"
    assert source.id not in {each["id"] for each in other.pages("/v1/member-sources")}
    expect(404, other.request("PATCH", path, {"is_enabled": False}, If_Match='"1"'))
    expect(404, other.request("POST", f"{path}/rotation", {}))
    expect(404, other.request("POST", "/v1/member-sources", {"name": "x", "agency_id": team.agency_id}))
    expect(404, other.request("GET", f"/v1/territories/{team.agency_id}"))
    expect(404, other.request("PUT", f"/v1/territories/{team.agency_id}", {}, If_Match='"0"'))
    expect(404, team.headquarters.admin.request("GET", f"/v1/territories/{SOMEBODY}"))
    expect(404, team.headquarters.admin.request("POST", f"/v1/member-sources/{SOMEBODY}/rotation", {}))
    denied = "SELECT count(*) FROM audit WHERE actor = %s AND result = 'denied' AND new->>'refused' = 'out-of-scope'"
    assert rows(stack, denied, other.user["id"])[0][0] >= 5
    made = team.headquarters.admin.post("/v1/member-sources", {"name": "x", "agency_id": team.agency_id})
    assert (made["agency_id"], made["by_territory"]) == (team.agency_id, False)


# --- races


def test_of_a_member_and_a_rep_with_the_same_company_one_wins_and_the_other_is_told(
    stack: Stack, rivals: Team, source: Source, team: Team
) -> None:
    rep = Client(rivals.rep.http, rivals.rep.token, rivals.rep.user, is_patient=True)
    won = Counter[str]()
    for _ in range(8):
        name = company()
        came, entered = at_once(partial(source.sent, member(name)), partial(rep.enter, name))
        shown = arrival(team.admin, came)
        assert len(customers_named(stack, name)) == 1
        if entered.status_code == 201:
            assert (shown["outcome"], shown["reason"]) == ("known", "held_by_other_agency")
        else:
            assert (entered.status_code, slug(entered)) == (409, "customer-refused")
            assert entered.json()["verdict"]["reason"] == "held_by_other_agency"
            assert shown["outcome"] == "entered"
        won[shown["outcome"]] += 1
    assert won.total() == 8


def test_of_a_member_and_who_claims_the_same_customer_one_has_it(stack: Stack, team: Team, source: Source) -> None:
    rep = Client(team.rep.http, team.rep.token, team.rep.user, is_patient=True)
    for _ in range(8):
        name = company()
        customer = team.pooled("public", name, phone=f"0514-{digits()}")
        came, claimed = at_once(partial(source.sent, member(name)), partial(rep.act, customer, "claim"))
        shown = arrival(team.admin, came)
        if claimed.status_code == 200:
            assert (shown["outcome"], shown["person_id"]) == ("known", rep.user["id"])
        else:
            assert claimed.status_code in (404, 409)
            assert shown["outcome"] == "assigned"
        assert customers_named(stack, name) == [(customer, shown["person_id"])]


def test_a_session_is_no_signature(team: Team, source: Source) -> None:
    admin = team.admin.log_in(team.admin.user["login"], PASSWORD)
    expect(401, admin.request("POST", f"/v1/member-webhooks/{source.id}", member()))
