"""Disputes: a refused rep appeals with evidence, somebody who is no party decides, and ownership, stock and history follow."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest

from embedded.stack import Stack
from tests.api import PASSWORD, Client, Headquarters, Team, company, digits, eventually, expect
from tests.travel import later

SOMEBODY = "00000000-0000-7000-8000-000000000000"
EVIDENCE = [
    {"kind": "contract", "text": "意向书, 刘女士签字", "reference": "https://files.example.com/a/1.pdf"},
    {"kind": "call", "text": "三月二日通话 20 分钟"},
]


@pytest.fixture(scope="module")
def team(headquarters: Headquarters) -> Team:
    return headquarters.team()


@pytest.fixture(scope="module")
def rivals(headquarters: Headquarters) -> Team:
    return headquarters.team()


@pytest.fixture(scope="module")
def strangers(headquarters: Headquarters) -> Team:
    return headquarters.team()


def rows(stack: Stack, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.owner_url("customers")) as owner:
        return owner.execute(query, values).fetchall()  # type: ignore[arg-type]


def slug(answer: Any) -> str:
    return str(answer.json()["type"]).removeprefix("urn:qudao:problem:")


def refused(who: Client, name: str) -> str:
    """The attempt of an entry that is refused."""
    expect(409, who.enter(name))
    return str(next(each["id"] for each in who.pages("/v1/entry-attempts") if each["name"] == name))


def open_(who: Client, attempt_id: str, /, **changes: Any) -> Any:
    body = {"attempt_id": attempt_id, "claim": "我先谈的", "evidence": EVIDENCE} | changes
    return who.request("POST", "/v1/disputes", body)


def disputed(who: Client, holder: Client, **changes: Any) -> tuple[str, str]:
    """A customer of the holder's, and the dispute about it."""
    name = company()
    customer = holder.entered(name)
    return customer, str(expect(201, open_(who, refused(who, name), **changes))["id"])


def decide(who: Client, dispute_id: str, decision: str, /, **more: Any) -> Any:
    return who.request("POST", f"/v1/disputes/{dispute_id}/decision", {"decision": decision, "reason": "证据充分"} | more)


def answer(who: Client, dispute_id: str, **changes: Any) -> Any:
    return who.request("POST", f"/v1/disputes/{dispute_id}/answer", {"answer": "我一直在跟进", "evidence": []} | changes)


def withdraw(who: Client, dispute_id: str) -> Any:
    return who.request("POST", f"/v1/disputes/{dispute_id}/withdrawal")


def show(who: Client, dispute_id: str) -> Any:
    return who.get(f"/v1/disputes/{dispute_id}")


def at_once(*asks: Callable[[], Any]) -> list[Any]:
    start = threading.Barrier(len(asks))

    def run(ask: Callable[[], Any]) -> Any:
        start.wait()
        return ask()

    with ThreadPoolExecutor(len(asks)) as threads:
        return list(threads.map(run, asks))


def history(who: Client, customer_id: str) -> list[Any]:
    """Its holders. Fails when one does not begin where the one before ends."""
    stretches: list[Any] = who.get(f"/v1/customers/{customer_id}/ownership")["items"]
    assert [each["holding"] for each in stretches] == list(range(1, len(stretches) + 1))
    assert all(one["until"] == other["since"] for one, other in pairwise(stretches))
    assert stretches[-1]["until"] is None
    return stretches


def held(stack: Stack, who: Client) -> int:
    """By the counter, which is what it counts."""
    counted = "SELECT held, (SELECT count(*) FROM customer WHERE owner_id = person_id) FROM stock WHERE person_id = %s"
    [(counter, customers)] = rows(stack, counted, who.user["id"])
    assert counter == customers
    return int(counter)


# --- opening


def test_a_refused_rep_appeals_with_evidence_and_both_sides_see_it_with_its_deadline(team: Team) -> None:
    name = company()
    customer = team.colleague.entered(name)
    attempt = refused(team.rep, name)

    answered = open_(team.rep, attempt)

    opened = expect(201, answered)
    assert answered.headers["Location"] == f"/v1/disputes/{opened['id']}"
    assert (opened["state"], opened["name"], opened["attempt_id"], opened["is_overdue"]) == ("open", name, attempt, False)
    assert opened["claim"]["text"] == "我先谈的"
    assert opened["claim"]["evidence"] == [{"reference": None} | each for each in EVIDENCE]
    due, since = (datetime.fromisoformat(opened[field]) for field in ("due_at", "opened_at"))
    assert due - since == timedelta(hours=72)
    assert opened["holder"]["person_name"] == team.colleague.user["display_name"]
    assert (opened["customer_id"], opened["may_decide"]) == (None, False)
    for party in (team.rep, team.colleague):
        assert opened["id"] in {line["id"] for line in party.pages("/v1/disputes?of=mine&state=open", limit=1)}
    assert show(team.rep, opened["id"]) == opened
    assert show(team.colleague, opened["id"])["customer_id"] == customer


def test_an_attempt_says_until_when_it_may_be_disputed_by_whom_and_in_which_dispute_it_is(team: Team) -> None:
    name = company()
    team.colleague.entered(name)
    attempt = refused(team.rep, name)

    def listed(who: Client) -> Any:
        [found] = [each for each in who.pages("/v1/entry-attempts") if each["id"] == attempt]
        return found

    before = listed(team.rep)
    until = datetime.fromisoformat(before["at"]) + timedelta(days=14)
    assert (datetime.fromisoformat(before["disputable_until"]), before["may_be_disputed"]) == (until, True)
    assert listed(team.supervisor)["may_be_disputed"] is False
    dispute = expect(201, open_(team.rep, attempt))["id"]
    assert (listed(team.rep)["may_be_disputed"], listed(team.rep)["dispute_id"]) == (False, dispute)
    expect(200, withdraw(team.rep, dispute))
    assert (listed(team.rep)["may_be_disputed"], listed(team.rep)["dispute_id"]) == (True, None)


def test_what_was_not_refused_by_other_sellers_is_not_disputed(team: Team) -> None:
    bound, telesales, claimable = company(), company(), company()
    team.rep.entered(bound)
    expect(200, team.rep.enter(bound))
    [library] = [pool["id"] for pool in team.headquarters.admin.pages("/v1/pools") if pool["kind"] == "telesales"]
    team.headquarters.admin.post(f"/v1/pools/{library}/customers", {"name": telesales})
    team.pooled("public", claimable)
    attempts = {"bound": next(each["id"] for each in team.rep.pages("/v1/entry-attempts") if each["name"] == bound)}
    attempts |= {"telesales": refused(team.rep, telesales), "claimable": refused(team.rep, claimable)}
    for attempt in attempts.values():
        answered = open_(team.rep, attempt)
        assert (answered.status_code, slug(answered)) == (409, "not-disputable")
        [found] = [each for each in team.rep.pages("/v1/entry-attempts") if each["id"] == attempt]
        assert (found["disputable_until"], found["may_be_disputed"]) == (None, False)


def test_what_has_become_claimable_or_ones_own_since_is_not_disputed(team: Team) -> None:
    names = company(), company()
    own, opened = (team.colleague.entered(name) for name in names)
    attempts = [refused(team.rep, name) for name in names]
    expect(200, team.supervisor.act(own, "transfer", to=team.rep.user["id"]))
    expect(200, team.colleague.act(opened, "release", reason="no_need"))
    expect(200, team.admin.act(opened, "open"))

    assert [slug(open_(team.rep, attempt)) for attempt in attempts] == ["already-theirs", "not-disputable"]


def test_an_attempt_is_disputed_within_fourteen_days(stack: Stack, team: Team) -> None:
    name = company()
    team.colleague.entered(name)
    attempt = refused(team.rep, name)
    with later(stack, timedelta(days=14, minutes=1)):
        rep = team.rep.log_in(team.rep.user["login"], PASSWORD)
        answered = open_(rep, attempt)
        assert (answered.status_code, slug(answered)) == (409, "not-disputable")
        [found] = [each for each in rep.pages("/v1/entry-attempts") if each["id"] == attempt]
        assert (found["may_be_disputed"], found["disputable_until"] is None) == (False, False)
    expect(201, open_(team.rep, attempt))


def test_nobody_disputes_for_another_one(team: Team, rivals: Team) -> None:
    name = company()
    team.colleague.entered(name)
    attempt = refused(team.rep, name)
    for other in (team.colleague, team.supervisor, rivals.rep):
        expect(404, open_(other, attempt))
    expect(404, open_(team.rep, SOMEBODY))
    for other in (team.admin, team.headquarters.admin):
        assert slug(open_(other, attempt)) == "permission-denied"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"evidence": []}, "/evidence"),
        ({"evidence": EVIDENCE * 11}, "/evidence"),
        ({"evidence": [{"kind": "rumour", "text": "x"}]}, "/evidence/0/kind"),
        ({"evidence": [{"kind": "note", "text": "  "}]}, "/evidence/0/text"),
        ({"evidence": [{"kind": "note", "text": "x", "reference": "javascript:alert(1)"}]}, "/evidence/0/reference"),
        ({"evidence": [{"kind": "note", "text": "x", "reference": "ftp://a/b"}]}, "/evidence/0/reference"),
        ({"evidence": [{"kind": "note", "text": "x", "reference": "https://a b"}]}, "/evidence/0/reference"),
        ({"evidence": [{"kind": "note", "text": "x", "owner_id": SOMEBODY}]}, "/evidence/0/owner_id"),
        ({"claim": ""}, "/claim"),
        ({"claim": "x" * 4001}, "/claim"),
        ({"claim": "a\x00b"}, "/claim"),
        ({"claimant_id": SOMEBODY}, "/claimant_id"),
        ({"attempt_id": "x"}, "/attempt_id"),
    ],
)
def test_half_an_appeal_is_refused(team: Team, change: dict[str, Any], pointer: str) -> None:
    told = expect(422, open_(team.rep, SOMEBODY, **change))
    assert [wrong["pointer"] for wrong in told["errors"]] == [pointer]


def test_an_attempt_and_a_customer_are_disputed_once_at_a_time(team: Team) -> None:
    name = company()
    team.colleague.entered(name)
    first, second = refused(team.rep, name), refused(team.rep, name)
    dispute = expect(201, open_(team.rep, first))["id"]
    for attempt in (first, second):
        answered = open_(team.rep, attempt)
        assert (answered.status_code, slug(answered), answered.json()["dispute_id"]) == (409, "already-disputed", dispute)
    assert expect(201, open_(team.neighbour, refused(team.neighbour, name)))["id"] != dispute

    expect(200, decide(team.supervisor, dispute, "dismissed"))

    assert slug(open_(team.rep, first)) == "already-disputed"
    expect(201, open_(team.rep, second))


def test_of_the_same_appeal_sent_twice_at_once_one_is_opened(stack: Stack, team: Team) -> None:
    name = company()
    team.colleague.entered(name)
    attempts = [refused(team.rep, name) for _ in range(4)]

    answers = at_once(*(lambda attempt=attempt: open_(team.rep, attempt) for attempt in [*attempts, attempts[0]]))

    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409, 409]
    assert {slug(each) for each in answers if each.status_code == 409} == {"already-disputed"}
    assert rows(stack, "SELECT count(*) FROM dispute WHERE name = %s", name) == [(1,)]


def test_an_appeal_is_repeated_under_its_key_told_and_audited_once(stack: Stack, team: Team) -> None:
    name = company()
    team.colleague.entered(name)
    body = {"attempt_id": refused(team.rep, name), "claim": "x", "evidence": EVIDENCE}

    answers = [team.rep.post("/v1/disputes", body, Idempotency_Key=f"open-{name.encode().hex()}") for _ in range(2)]

    assert answers[0] == answers[1]
    dispute = answers[0]["id"]
    assert rows(stack, "SELECT name, version FROM outbox WHERE aggregate_id = %s", dispute) == [("dispute_opened", 1)]
    assert rows(stack, "SELECT operation, result FROM audit WHERE subject_id = %s", dispute) == [
        ("customers.open_dispute", "done")
    ]


# --- answering and taking back


def test_the_holder_answers_once_while_it_is_open(team: Team) -> None:
    _, dispute = disputed(team.rep, team.colleague)
    for other in (team.rep, team.neighbour, team.supervisor, team.admin):
        expect(404, answer(other, dispute))
    assert slug(answer(team.headquarters.admin, dispute)) == "permission-denied"

    answered = expect(200, answer(team.colleague, dispute, evidence=EVIDENCE))

    assert answered["answered_at"] is not None
    assert (answered["answer"]["text"], len(answered["answer"]["evidence"])) == ("我一直在跟进", 2)
    assert show(team.rep, dispute)["answered_at"] == answered["answered_at"]
    assert slug(answer(team.colleague, dispute)) == "side-has-answered"
    _, closed = disputed(team.rep, team.colleague)
    expect(200, decide(team.supervisor, closed, "dismissed"))
    assert (slug(answer(team.colleague, closed)), answer(team.colleague, closed).json()["state"]) == (
        "already-decided",
        "dismissed",
    )


def test_of_two_answers_at_once_one_counts(stack: Stack, team: Team) -> None:
    _, dispute = disputed(team.rep, team.colleague)
    answers = at_once(*[lambda: answer(team.colleague, dispute)] * 3)
    assert sorted(each.status_code for each in answers) == [200, 409, 409]
    assert rows(stack, "SELECT count(*), max(version) FROM outbox WHERE aggregate_id = %s", dispute) == [(2, 2)]


def test_the_claimant_alone_takes_it_back(team: Team) -> None:
    customer, dispute = disputed(team.rep, team.colleague)
    for other in (team.colleague, team.supervisor):
        expect(404, withdraw(other, dispute))

    taken = expect(200, withdraw(team.rep, dispute))

    assert (taken["state"], taken["reason"]) == ("withdrawn", None)
    assert slug(withdraw(team.rep, dispute)) == "already-decided"
    assert slug(decide(team.supervisor, dispute, "upheld")) == "already-decided"
    assert team.colleague.get(f"/v1/customers/{customer}")["owner_id"] == team.colleague.user["id"]


# --- who sees what


def test_inside_an_agency_each_side_reads_the_others_words_without_numbers_and_evidence(team: Team) -> None:
    number = f"138{digits()}1"
    _, dispute = disputed(team.rep, team.colleague, claim=f"刘女士 {number} 可以证明")
    evidence = [{"kind": "chat", "text": f"聊天 {number}", "reference": "https://example.com/chat"}]
    expect(200, answer(team.colleague, dispute, answer=f"刘女士 {number} 是我的", evidence=evidence))

    of_claimant, of_holder = show(team.rep, dispute), show(team.colleague, dispute)

    assert number in of_claimant["claim"]["text"]
    assert number in of_holder["answer"]["text"]
    assert number not in json.dumps([of_claimant["answer"], of_holder["claim"]])
    assert (of_claimant["answer"]["kinds"], of_claimant["answer"]["evidence"]) == (["chat"], None)
    assert (of_holder["claim"]["kinds"], of_holder["claim"]["evidence"]) == (["contract", "call"], None)
    judge = show(team.supervisor, dispute)
    assert (judge["claim"], judge["answer"]) == (of_claimant["claim"], of_holder["answer"])
    assert judge["may_decide"] is True


def test_across_agencies_a_side_learns_the_agency_and_nothing_else(team: Team, rivals: Team) -> None:
    number = f"139{digits()}1"
    name = company()
    customer = rivals.rep.entered(name, phone=number, contact_person="贾宝玉")
    attempt = refused(team.rep, name)
    dispute = expect(201, open_(team.rep, attempt, claim="林黛玉能作证"))["id"]
    expect(200, answer(rivals.rep, dispute, answer=f"贾宝玉 {number}", evidence=EVIDENCE))

    sides = {who: who_sees(who_is, dispute) for who, who_is in (("rep", team.rep), ("admin", team.admin))}
    others = {who: who_sees(who_is, dispute) for who, who_is in (("rep", rivals.rep), ("admin", rivals.admin))}

    agencies = {agency["id"]: agency["name"] for agency in team.headquarters.admin.pages("/v1/agencies")}
    for told in sides.values():
        for secret in (
            customer,
            number,
            "贾宝玉",
            rivals.rep.user["id"],
            rivals.rep.user["display_name"],
            rivals.rep.user["login"],
        ):
            assert secret not in told
        assert json.loads(told)[0]["holder"] == {
            "agency_name": agencies[rivals.agency_id], "person_id": None, "person_name": None, "pool_kind": None,
        }  # fmt: skip
        assert json.loads(told)[0]["answered_at"] is not None
    for told in others.values():
        for secret in (attempt, "林黛玉", team.rep.user["id"], team.rep.user["display_name"], team.rep.user["login"]):
            assert secret not in told
        assert json.loads(told)[0]["claimant"]["agency_name"] == agencies[team.agency_id]
    judge = show(team.headquarters.admin, dispute)
    assert (judge["claim"]["text"], judge["answer"]["text"]) == ("林黛玉能作证", f"贾宝玉 {number}")
    assert (judge["claimant"]["person_id"], judge["holder"]["person_id"]) == (team.rep.user["id"], rivals.rep.user["id"])


def who_sees(who: Client, dispute_id: str) -> str:
    """All that somebody is told of a dispute."""
    [line] = [line for line in who.pages("/v1/disputes") if line["id"] == dispute_id]
    return json.dumps([show(who, dispute_id), line], ensure_ascii=False)


def test_a_dispute_is_seen_as_far_as_one_oversees_a_side(team: Team, rivals: Team, strangers: Team) -> None:
    _, inside = disputed(team.rep, team.neighbour)
    _, across = disputed(team.rep, rivals.rep)
    auditors = [team.headquarters.person("auditor", each.department_id) for each in (team, rivals, strangers)]
    both = (team.rep, team.supervisor, team.manager, team.admin, auditors[0], team.headquarters.admin)
    assert all({inside, across} <= seen(who) for who in both)
    assert {inside, across} & seen(team.neighbour) == {inside}
    for who in (rivals.rep, rivals.supervisor, rivals.admin, auditors[1]):
        assert {inside, across} & seen(who) == {across}
        expect(404, who.request("GET", f"/v1/disputes/{inside}"))
    for who in (team.colleague, rivals.colleague, strangers.rep, strangers.admin, auditors[2]):
        assert not {inside, across} & seen(who)
        for dispute in (inside, across, SOMEBODY):
            expect(404, who.request("GET", f"/v1/disputes/{dispute}"))
            assert decide(who, dispute, "upheld").status_code in (403, 404)
            assert answer(who, dispute).status_code in (403, 404)
    assert across in {line["id"] for line in rivals.rep.pages("/v1/disputes?of=mine")}
    assert not team.supervisor.pages("/v1/disputes?of=mine")
    expect(422, team.rep.request("GET", "/v1/disputes?cursor=x"))
    expect(422, team.rep.request("GET", "/v1/disputes?state=lost"))


def seen(who: Client) -> set[str]:
    return {line["id"] for line in who.pages("/v1/disputes", limit=3)}


def test_the_database_shows_a_dispute_to_the_two_agencies_and_what_is_said_to_who_says_it(
    stack: Stack, team: Team, rivals: Team, strangers: Team
) -> None:
    _, dispute = disputed(team.rep, rivals.rep)
    expect(200, answer(rivals.rep, dispute))
    wanted = (team.agency_id, rivals.agency_id, strangers.agency_id, "*")
    shown, said, changed = {}, {}, {}
    for agency in wanted:
        with psycopg.connect(stack.database_url("customers")) as app:
            app.execute("SELECT set_config('qudao.agency', %s, false)", [agency])
            shown[agency] = app.execute("SELECT count(*) FROM dispute WHERE id = %s", [dispute]).fetchone()
            said[agency] = {row[0] for row in app.execute("SELECT side FROM dispute_statement WHERE dispute_id = %s", [dispute])}
            changed[agency] = app.execute("UPDATE dispute SET name = 'x' WHERE id = %s", [dispute]).rowcount
            attempt = "SELECT attempt_id FROM dispute WHERE id = %s"
            [(of,)] = rows(stack, attempt, dispute)
            met = app.execute("SELECT count(*) FROM met_by_attempt(%s)", [of]).fetchone()
            assert met == ((1,) if agency in (team.agency_id, "*") else (0,))
            app.rollback()
    assert [shown[agency] for agency in wanted] == [(1,), (1,), (0,), (1,)]
    assert [changed[agency] for agency in wanted] == [1, 1, 0, 1]
    assert [said[agency] for agency in wanted] == [{"claimant"}, {"holder"}, set(), {"claimant", "holder"}]


def test_nobody_puts_a_dispute_into_another_agency(stack: Stack, team: Team, rivals: Team) -> None:
    _, dispute = disputed(team.rep, rivals.rep)
    copied = (
        "INSERT INTO dispute SELECT (jsonb_populate_record(d, jsonb_build_object('id', gen_random_uuid(), 'state', 'withdrawn',"
        " 'decided_by', claimant_id, 'decided_at', opened_at))).* FROM dispute AS d WHERE id = %s"
    )
    with psycopg.connect(stack.database_url("customers")) as app:
        app.execute("SELECT set_config('qudao.agency', %s, false)", [rivals.agency_id])
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            app.execute(copied, [dispute])
    for change in ("DELETE FROM dispute", "DELETE FROM dispute_statement", "UPDATE dispute_statement SET text = 'x'"):
        with psycopg.connect(stack.database_url("customers")) as app:
            app.execute("SELECT set_config('qudao.agency', '*', false)")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(change)  # type: ignore[arg-type]


# --- deciding


def test_an_upheld_dispute_moves_the_customer_its_stock_and_its_history_and_both_are_told(stack: Stack, team: Team) -> None:
    customer, dispute = disputed(team.rep, team.colleague)
    before = held(stack, team.rep), held(stack, team.colleague)

    decided = expect(200, decide(team.supervisor, dispute, "upheld"))

    assert (decided["state"], decided["reason"]) == ("upheld", "证据充分")
    assert (decided["decided_by"], decided["may_decide"]) == (team.supervisor.user["id"], False)
    assert (held(stack, team.rep), held(stack, team.colleague)) == (before[0] + 1, before[1] - 1)
    first, second = history(team.supervisor, customer)
    assert (first["owner_id"], first["cause"]) == (team.colleague.user["id"], "enter")
    assert (second["owner_id"], second["cause"], second["reason"]) == (team.rep.user["id"], "dispute", "证据充分")
    assert second["actor"] == team.supervisor.user["id"]
    for party in (team.rep, team.colleague):
        [line] = [line for line in party.pages("/v1/disputes?of=mine&state=upheld") if line["id"] == dispute]
        assert line["reason"] == "证据充分"
    assert show(team.rep, dispute)["customer_id"] == customer
    assert team.rep.get(f"/v1/customers/{customer}")["owner_id"] == team.rep.user["id"]
    expect(404, team.colleague.request("GET", f"/v1/customers/{customer}"))
    told = rows(stack, "SELECT name, version FROM outbox WHERE aggregate_id = %s ORDER BY version", dispute)
    assert told == [("dispute_opened", 1), ("dispute_decided", 2)]
    [(moved,)] = rows(stack, "SELECT data FROM outbox WHERE aggregate_id = %s AND name = 'customer_moved'", customer)
    assert (moved["cause"], moved["moved_from"], moved["owner_id"]) == ("dispute", team.colleague.user["id"], team.rep.user["id"])
    audited = rows(
        stack, "SELECT operation, new->>'state' FROM audit WHERE subject_id = %s AND operation LIKE '%%decide%%'", dispute
    )
    assert audited == [("customers.decide_dispute", "upheld")]
    expect(201, team.rep.note(customer, maturity=1))


def test_a_dismissed_one_leaves_it_where_it_is(team: Team) -> None:
    customer, dispute = disputed(team.rep, team.colleague)

    decided = expect(200, decide(team.supervisor, dispute, "dismissed", reason="没有证据"))

    assert (decided["state"], decided["reason"]) == ("dismissed", "没有证据")
    assert len(history(team.supervisor, customer)) == 1
    assert show(team.rep, dispute)["customer_id"] is None
    assert slug(decide(team.manager, dispute, "upheld")) == "already-decided"


def test_across_agencies_headquarters_decides_and_the_customer_changes_its_agency(stack: Stack, team: Team, rivals: Team) -> None:
    customer, dispute = disputed(team.rep, rivals.rep)
    before = held(stack, team.rep), held(stack, rivals.rep)
    for who in (team.supervisor, team.manager, team.admin, rivals.supervisor, rivals.admin):
        assert slug(decide(who, dispute, "upheld")) == "oversees-one-side"
        assert show(who, dispute)["may_decide"] is False

    decided = expect(200, decide(team.headquarters.admin, dispute, "upheld"))

    assert decided["state"] == "upheld"
    assert (held(stack, team.rep), held(stack, rivals.rep)) == (before[0] + 1, before[1] - 1)
    assert [each["cause"] for each in history(team.headquarters.admin, customer)] == ["enter", "dispute"]
    found = team.rep.get(f"/v1/customers/{customer}")
    assert (found["agency_id"], found["owner_id"]) == (team.agency_id, team.rep.user["id"])
    expect(404, rivals.rep.request("GET", f"/v1/customers/{customer}"))
    assert show(rivals.rep, dispute)["state"] == "upheld"


def test_events_that_name_people_of_two_agencies_are_headquarters(team: Team, rivals: Team) -> None:
    _, inside = disputed(team.rep, team.colleague)
    _, across = disputed(team.rep, rivals.rep)
    expect(200, answer(rivals.rep, across))
    admin = team.headquarters.admin

    def logged(who: Client, dispute: str) -> set[str]:
        return {each["name"] for each in who.get(f"/v1/log?aggregate_id={dispute}")["items"]}

    eventually(lambda: logged(admin, across) == {"dispute_opened", "dispute_answered"})
    eventually(lambda: logged(team.admin, inside) == {"dispute_opened"})
    for who in (team.admin, rivals.admin):
        assert logged(who, across) == set()
        assert across not in json.dumps(who.pages("/v1/log"))


def test_nobody_decides_who_is_a_party_or_has_entered_or_holds_the_customer(team: Team) -> None:
    name = company()
    entered = team.supervisor.entered(name)
    expect(200, team.manager.act(entered, "transfer", to=team.colleague.user["id"]))
    by_enterer = expect(201, open_(team.rep, refused(team.rep, name)))["id"]
    _, by_holder = disputed(team.rep, team.supervisor)
    _, by_claimant = disputed(team.supervisor, team.colleague)
    taken, by_new_holder = disputed(team.rep, team.colleague)
    expect(200, team.manager.act(taken, "transfer", to=team.supervisor.user["id"]))

    for dispute in (by_enterer, by_holder, by_claimant):
        for decision in ("upheld", "dismissed"):
            answered = decide(team.supervisor, dispute, decision)
            assert (answered.status_code, slug(answered)) == (403, "party-to-dispute")
        assert show(team.supervisor, dispute)["may_decide"] is False
    assert slug(decide(team.supervisor, by_new_holder, "upheld")) == "party-to-dispute"
    for dispute in (by_enterer, by_holder, by_claimant):
        expect(200, decide(team.manager, dispute, "upheld"))


def test_who_oversees_one_side_does_not_decide(team: Team) -> None:
    _, dispute = disputed(team.rep, team.neighbour)
    for who in (team.supervisor, team.manager):
        answered = decide(who, dispute, "upheld")
        assert (answered.status_code, slug(answered)) == (403, "oversees-one-side")
    auditor = team.headquarters.person("auditor", team.department_id)
    for who in (team.rep, team.neighbour, auditor):
        assert slug(decide(who, dispute, "upheld")) == "permission-denied"
    expect(200, decide(team.admin, dispute, "upheld"))


def test_what_lies_in_the_agency_pool_is_awarded_by_who_administers_it(team: Team) -> None:
    name = company()
    customer = team.pooled("agency", name)
    dispute = expect(201, open_(team.rep, refused(team.rep, name)))["id"]
    assert show(team.rep, dispute)["holder"]["pool_kind"] == "agency"
    assert slug(decide(team.supervisor, dispute, "upheld")) == "oversees-one-side"

    # the administrator has put it there himself, so headquarters is left
    assert slug(decide(team.admin, dispute, "upheld")) == "party-to-dispute"
    second = team.headquarters.person("agency_admin", team.department_id)
    expect(200, decide(second, dispute, "upheld"))

    assert [each["cause"] for each in history(team.admin, customer)] == ["enter", "dispute"]


def test_for_a_pool_of_another_agency_its_administrator_answers(team: Team, rivals: Team) -> None:
    name = company()
    rivals.pooled("public", name)
    dispute = expect(201, open_(team.rep, refused(team.rep, name)))["id"]

    expect(404, answer(rivals.supervisor, dispute))
    expect(404, answer(team.admin, dispute))
    answered = expect(200, answer(rivals.admin, dispute))

    assert (answered["answer"]["text"], answered["claim"]) == ("我一直在跟进", None)
    expect(200, decide(team.headquarters.admin, dispute, "upheld"))


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"decision": "maybe"}, "/decision"),
        ({"reason": ""}, "/reason"),
        ({"holding": 0}, "/holding"),
        ({"to": SOMEBODY}, "/to"),
    ],
)
def test_half_a_decision_is_refused(team: Team, body: dict[str, Any], pointer: str) -> None:
    told = expect(422, decide(team.supervisor, SOMEBODY, "upheld", **body))
    assert [wrong["pointer"] for wrong in told["errors"]] == [pointer]
    expect(422, answer(team.rep, SOMEBODY, answer=""))
    expect(422, team.supervisor.request("POST", f"/v1/disputes/{SOMEBODY}/decision", {"decision": "upheld"}))


def test_a_full_stock_refuses_the_decision_and_the_dispute_stays_open(stack: Stack, team: Team) -> None:
    rep = team.headquarters.person("rep", team.department_id)
    own = rep.entered()
    customer, dispute = disputed(rep, team.colleague)
    limit_stock(stack, team, rep, 1)

    full = decide(team.supervisor, dispute, "upheld")

    assert (full.status_code, slug(full), full.json()["held"], full.json()["limit"]) == (409, "stock-is-full", 1, 1)
    assert show(rep, dispute)["state"] == "open"
    assert len(history(team.supervisor, customer)) == 1
    expect(200, rep.act(own, "release", reason="no_need"))
    expect(200, decide(team.supervisor, dispute, "upheld"))
    assert held(stack, rep) == 1


def limit_stock(stack: Stack, team: Team, person: Client, limit: int) -> None:
    """And waits until it binds."""
    body = {"subject": "person", "person_id": person.user["id"], "limit": limit}
    expect(200, team.admin.request("PUT", "/v1/policies/stock-limit", body))
    eventually(lambda: rows(stack, "SELECT allowed FROM stock WHERE person_id = %s", person.user["id"]) == [(limit,)])


def test_who_cannot_hold_it_any_more_gets_nothing(team: Team) -> None:
    gone = team.headquarters.person("rep", team.department_id)
    _, dispute = disputed(gone, team.colleague)
    expect(200, team.admin.request("POST", f"/v1/users/{gone.user['id']}/disable"))
    answered = eventually(lambda: decide(team.supervisor, dispute, "upheld"), until=lambda found: found.status_code != 200)
    assert (answered.status_code, slug(answered)) == (409, "receiver-unfit")
    expect(200, decide(team.supervisor, dispute, "dismissed"))


def test_who_decides_is_told_that_it_has_changed_hands_and_confirms_it(stack: Stack, team: Team) -> None:
    customer, dispute = disputed(team.rep, team.colleague)
    third = team.headquarters.person("rep", team.department_id)
    expect(200, team.supervisor.act(customer, "transfer", to=third.user["id"]))

    changed = decide(team.supervisor, dispute, "upheld")

    assert (changed.status_code, slug(changed)) == (409, "holder-changed")
    told = changed.json()
    assert (told["holding"], told["owner_id"], told["owner_name"]) == (2, third.user["id"], third.user["display_name"])
    expect(200, third.act(customer, "release", reason="no_need"))
    assert slug(decide(team.supervisor, dispute, "upheld", holding=2)) == "holder-out-of-reach"
    again = decide(team.admin, dispute, "upheld", holding=2)
    assert (slug(again), again.json()["holding"], again.json()["pool_kind"]) == ("holder-changed", 3, "agency")
    expect(200, decide(team.admin, dispute, "upheld", holding=3))
    assert [each["cause"] for each in history(team.admin, customer)] == ["enter", "transfer", "release", "dispute"]
    assert held(stack, third) == 0


def test_by_whom_it_is_held_beyond_ones_reach_is_not_taken_but_the_claim_is_dismissed(team: Team, rivals: Team) -> None:
    moved, inside = disputed(team.rep, team.colleague)
    expect(200, team.admin.act(moved, "transfer", to=team.neighbour.user["id"]))
    gone, away = disputed(team.rep, team.colleague)
    expect(200, team.headquarters.admin.act(gone, "transfer", to=rivals.rep.user["id"]))

    for dispute, who in ((inside, team.supervisor), (away, team.admin)):
        answered = decide(who, dispute, "upheld")
        assert (answered.status_code, slug(answered)) == (409, "holder-out-of-reach")
        for secret in (rivals.rep.user["id"], rivals.rep.user["display_name"], team.neighbour.user["id"]):
            assert secret not in answered.text
        expect(200, decide(who, dispute, "dismissed"))


def test_what_has_come_to_the_claimant_meanwhile_is_not_awarded_again(team: Team) -> None:
    customer, dispute = disputed(team.rep, team.colleague)
    expect(200, team.supervisor.act(customer, "transfer", to=team.rep.user["id"]))
    assert slug(decide(team.supervisor, dispute, "upheld")) == "already-theirs"
    expect(200, withdraw(team.rep, dispute))


def test_a_company_that_somebody_else_has_as_well_is_not_awarded(team: Team, rivals: Team) -> None:
    name = company()
    team.colleague.entered(name)
    dispute = expect(201, open_(team.rep, refused(team.rep, name)))["id"]
    pool = team.headquarters.pools(rivals.agency_id)["public"]
    team.headquarters.admin.post(f"/v1/pools/{pool}/customers", {"name": name, "keep_twin": "register"})

    answered = decide(team.supervisor, dispute, "upheld")

    assert (answered.status_code, slug(answered)) == (409, "held-elsewhere")
    assert show(team.rep, dispute)["state"] == "open"


def test_an_attempt_is_disputed_with_who_refused_it_and_not_with_a_twin(stack: Stack, team: Team) -> None:
    name = company()
    customer = team.colleague.entered(name)
    expect(201, team.admin.request("POST", f"/v1/pools/{team.pools['public']}/customers", {"name": name, "keep_twin": "x"}))

    attempt = refused(team.rep, name)

    assert rows(stack, "SELECT customer_id::text, reason FROM entry_attempt WHERE id = %s", attempt) == [
        (customer, "held_by_colleague")
    ]


def test_a_decision_is_repeated_under_its_key(stack: Stack, team: Team) -> None:
    customer, dispute = disputed(team.rep, team.colleague)
    path, body = f"/v1/disputes/{dispute}/decision", {"decision": "upheld", "reason": "x"}

    answers = [team.supervisor.post(path, body, status=200, Idempotency_Key=f"decide-{dispute}") for _ in range(2)]

    assert answers[0] == answers[1]
    assert len(history(team.supervisor, customer)) == 2
    assert rows(stack, "SELECT count(*) FROM outbox WHERE aggregate_id = %s", dispute) == [(2,)]


def test_overdue_stands_so_in_the_lists_and_is_decided_by_the_next_level_up(stack: Stack, team: Team) -> None:
    _, dispute = disputed(team.rep, team.colleague)
    assert dispute not in {line["id"] for line in team.admin.pages("/v1/disputes?state=overdue")}
    with later(stack, timedelta(hours=72, minutes=1)):
        admin, rep = (who.log_in(who.user["login"], PASSWORD) for who in (team.admin, team.rep))
        [line] = [line for line in rep.pages("/v1/disputes?state=overdue") if line["id"] == dispute]
        assert (line["state"], line["is_overdue"]) == ("open", True)
        assert show(admin, dispute)["may_decide"] is True
        decided = expect(200, decide(admin, dispute, "dismissed"))
        assert (decided["state"], decided["is_overdue"]) == ("dismissed", False)


# --- at once


def test_of_two_who_decide_the_first_wins(stack: Stack, team: Team) -> None:
    for _ in range(4):
        customer, dispute = disputed(team.rep, team.colleague)
        answers = at_once(
            lambda dispute=dispute: decide(team.supervisor, dispute, "upheld"),
            lambda dispute=dispute: decide(team.manager, dispute, "dismissed"),
            lambda dispute=dispute: decide(team.admin, dispute, "upheld"),
            lambda dispute=dispute: withdraw(team.rep, dispute),
        )
        assert sorted(each.status_code for each in answers) == [200, 409, 409, 409]
        [state] = [each.json()["state"] for each in answers if each.status_code == 200]
        refusals = {(slug(each), each.json().get("state")) for each in answers if each.status_code == 409}
        assert refusals == {("already-decided", state)}
        assert [each["cause"] for each in history(team.admin, customer)] == ["enter", "dispute"][: 2 if state == "upheld" else 1]
        held(stack, team.rep), held(stack, team.colleague)


@pytest.mark.parametrize("what", ["release", "transfer"])
def test_a_decision_and_another_change_of_hands_come_one_after_the_other(stack: Stack, team: Team, what: str) -> None:
    orders = set()
    for _ in range(6):
        customer, dispute = disputed(team.rep, team.colleague)
        move: Callable[[], Any] = (
            (lambda customer=customer: team.colleague.act(customer, "release", reason="no_need"))
            if what == "release"
            else (lambda customer=customer: team.manager.act(customer, "transfer", to=team.supervisor.user["id"]))
        )
        moved, decided = at_once(move, lambda dispute=dispute: decide(team.admin, dispute, "upheld"))
        causes = tuple(each["cause"] for each in history(team.admin, customer))
        orders.add(causes)
        if decided.status_code == 200:
            assert causes in {("enter", "dispute"), ("enter", "dispute", what)}
            assert moved.status_code == (200 if what in causes else 404)
        else:
            assert (slug(decided), causes, moved.status_code) == ("holder-changed", ("enter", what), 200)
            assert show(team.rep, dispute)["state"] == "open"
        held(stack, team.rep), held(stack, team.colleague)
    assert orders


def test_of_two_claimants_who_are_awarded_the_same_customer_at_once_one_gets_it(stack: Stack, team: Team) -> None:
    name = company()
    customer = team.colleague.entered(name)
    claimants = (team.rep, team.neighbour)
    disputes = [expect(201, open_(who, refused(who, name)))["id"] for who in claimants]

    answers = at_once(*(lambda dispute=dispute: decide(team.admin, dispute, "upheld") for dispute in disputes))

    assert sorted(each.status_code for each in answers) == [200, 409]
    assert {slug(each) for each in answers if each.status_code == 409} == {"holder-changed"}
    winner = claimants[[each.status_code for each in answers].index(200)]
    assert [each["owner_id"] for each in history(team.admin, customer)] == [team.colleague.user["id"], winner.user["id"]]
    for who in (*claimants, team.colleague):
        held(stack, who)
