"""Entries that come near others: a supervisor judges them, before or after they are made, and none gets past by being quick."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from embedded.stack import Stack
from services.contracts.collision import CollisionRules
from tests.api import Client, Headquarters, Team, brand, company, digits, eventually, expect

SOMEBODY = "00000000-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def team(headquarters: Headquarters) -> Team:
    return headquarters.team()


@pytest.fixture(scope="module")
def rivals(headquarters: Headquarters) -> Team:
    return headquarters.team()


def rows(stack: Stack, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.owner_url("customers")) as owner:
        return owner.execute(query, values).fetchall()  # type: ignore[arg-type]


def set_rules(stack: Stack, rules: CollisionRules) -> None:
    with psycopg.connect(stack.owner_url("customers")) as owner:
        owner.execute(
            "INSERT INTO collision_rules SELECT coalesce(max(version), 0) + 1, %s, 'test', clock() FROM collision_rules",
            [rules.model_dump_json()],
        )


@contextmanager
def waiting(stack: Stack) -> Iterator[None]:
    """Inside, headquarters has near entries wait."""
    set_rules(stack, CollisionRules(near_entries="wait"))
    try:
        yield
    finally:
        set_rules(stack, CollisionRules())


@pytest.fixture
def made_to_wait(stack: Stack) -> Iterator[None]:
    with waiting(stack):
        yield


def near_names() -> tuple[str, str]:
    """Two counties of one city: only a person can tell whether it is one company."""
    own = brand()
    return f"扬州市高邮市{own}服装厂", f"扬州市宝应县{own}服装厂"


def enter_near(who: Client, name: str, **fields: Any) -> Any:
    """The answer to an entry that is confirmed."""
    told = expect(409, who.enter(name, **fields))
    seen = [hit["ref"] for hit in told["hits"]]
    return who.enter(name, confirmation={"seen": seen, "reason": "another county"}, **fields)


def made_near(team: Team, who: Client | None = None) -> tuple[str, str, str]:
    """The first customer, one that was made near it, and the review of that."""
    first, second = near_names()
    other = team.colleague.entered(first)
    entered = expect(201, enter_near(who or team.rep, second))
    return other, entered["customer_id"], entered["review_id"]


def kept_waiting(team: Team, who: Client | None = None, **fields: Any) -> tuple[str, str, str]:
    """The first customer, the name of an entry that waits because of it, and its review."""
    first, second = near_names()
    other = team.colleague.entered(first)
    answer = enter_near(who or team.rep, second, **fields)
    entered = expect(202, answer)
    assert answer.headers["Location"] == f"/v1/reviews/{entered['review_id']}"
    return other, second, entered["review_id"]


def decide(who: Client, review_id: str, decision: str, **more: Any) -> Any:
    return who.request("POST", f"/v1/reviews/{review_id}/decision", {"decision": decision, **more})


def slug(answer: Any) -> str:
    return str(answer.json()["type"]).removeprefix("urn:qudao:problem:")


# --- the queue


def test_an_entry_made_near_others_stands_in_the_queue_with_its_reasons(team: Team) -> None:
    _, customer, review = made_near(team)

    [line] = [line for line in team.supervisor.pages("/v1/reviews?state=open") if line["id"] == review]
    shown = team.supervisor.get(f"/v1/reviews/{review}")

    assert (line["origin"], line["state"], line["customer_id"]) == ("confirmed", "open", customer)
    assert (line["reason"], line["person_name"]) == ("another county", team.rep.user["display_name"])
    assert {name: shown[name] for name in line} == line
    [hit] = shown["hits"]
    assert (hit["effect"], hit["place"], hit["held_by"]) == ("near", "colleague", team.colleague.user["display_name"])
    assert hit["reasons"]
    assert shown["entry"]["name"] == line["name"]


def test_the_queue_is_seen_as_far_as_one_oversees(team: Team, rivals: Team) -> None:
    _, _, review = made_near(team)
    admin = team.headquarters.admin
    for reader in (team.rep, team.supervisor, team.manager, team.admin, admin):
        assert review in {line["id"] for line in reader.pages("/v1/reviews", limit=5)}
        assert reader.get(f"/v1/reviews/{review}")["id"] == review
    for stranger in (team.colleague, team.neighbour, rivals.rep, rivals.supervisor, rivals.admin):
        assert review not in {line["id"] for line in stranger.pages("/v1/reviews")}
        expect(404, stranger.request("GET", f"/v1/reviews/{review}"))
        assert decide(stranger, review, "different").status_code in (403, 404)
    expect(404, team.supervisor.request("GET", f"/v1/reviews/{SOMEBODY}"))


def test_what_another_agency_holds_is_shown_to_the_judge_without_its_holder(team: Team, rivals: Team) -> None:
    first, second = near_names()
    number = digits()
    held = rivals.rep.entered(first, phone=f"0514-{number}", contact_person="刘女士")
    entered = expect(201, enter_near(team.rep, second))

    answer = team.supervisor.request("GET", f"/v1/reviews/{entered['review_id']}")

    assert [hit["place"] for hit in answer.json()["hits"]] == ["other_agency"]
    for secret in (held, number, "刘女士", rivals.rep.user["id"], rivals.rep.user["display_name"]):
        assert secret not in answer.text


def test_the_reasons_are_those_of_today(team: Team) -> None:
    other, _, review = made_near(team)
    number = digits()
    expect(200, team.colleague.request("PATCH", f"/v1/customers/{other}", {"phone": f"0514-{number}"}, If_Match='"1"'))
    before = team.supervisor.get(f"/v1/reviews/{review}")["hits"][0]["matched"]
    customer = team.supervisor.get(f"/v1/reviews/{review}")["customer_id"]
    with_line = {"phone": number, "city": None}
    expect(200, team.rep.request("PATCH", f"/v1/customers/{customer}", with_line, If_Match='"1"'))

    assert before == ["name"]
    assert set(team.supervisor.get(f"/v1/reviews/{review}")["hits"][0]["matched"]) == {"name", "phone"}


def test_what_came_near_in_a_pool_or_by_an_edit_stands_there_too(stack: Stack, team: Team) -> None:
    first, second = near_names()
    team.colleague.entered(first)
    pooled = team.pooled("agency", second)
    edited = team.rep.entered()
    alias = first.replace("高邮市", "仪征市")
    expect(200, team.rep.request("PATCH", f"/v1/customers/{edited}", {"aliases": [alias]}, If_Match='"1"'))

    found = dict(rows(stack, "SELECT origin, customer_id::text FROM review_item WHERE customer_id = ANY(%s)", [pooled, edited]))

    assert found == {"pool": pooled, "changed": edited}


def test_what_was_seen_beside_it_is_not_judged_again_at_each_edit(stack: Stack, team: Team) -> None:
    _, customer, _ = made_near(team)
    path = f"/v1/customers/{customer}"
    expect(200, team.rep.request("PATCH", path, {"city": "扬州"}, If_Match='"1"'))
    expect(200, team.rep.request("PATCH", path, {"fax": f"0514-{digits()}"}, If_Match='"2"'))

    assert rows(stack, "SELECT origin FROM review_item WHERE customer_id = %s", customer) == [("confirmed",)]


def test_those_that_stricter_rules_make_one_company_are_edited_all_the_same(stack: Stack, team: Team) -> None:
    _, customer, _ = made_near(team)
    third = team.neighbour.entered()
    number = f"0514-{digits()}"
    team.colleague.entered(phone=number)
    set_rules(stack, CollisionRules(refuse_at=50))
    try:
        edit = {"fax": f"0514-{digits()}"}
        expect(200, team.rep.request("PATCH", f"/v1/customers/{customer}", edit, If_Match='"1"'))
        collides = team.neighbour.request("PATCH", f"/v1/customers/{third}", {"fax": number}, If_Match='"1"')
        assert (collides.status_code, slug(collides)) == (409, "customer-collides")
    finally:
        set_rules(stack, CollisionRules())


# --- deciding on what was made


def test_another_company_stays_where_it_is(team: Team) -> None:
    _, customer, review = made_near(team)

    decided = expect(200, decide(team.supervisor, review, "different", comment="两个县"))

    assert (decided["state"], decided["comment"]) == ("different", "两个县")
    assert decided["decided_by"] == team.supervisor.user["id"]
    assert team.rep.get(f"/v1/customers/{customer}")["owner_id"] == team.rep.user["id"]
    assert review not in {line["id"] for line in team.supervisor.pages("/v1/reviews?state=open")}


def test_the_same_company_goes_to_the_agency_pool_and_says_which_it_is(team: Team) -> None:
    other, customer, review = made_near(team)
    [hit] = team.supervisor.get(f"/v1/reviews/{review}")["hits"]
    held = team.rep.get("/v1/me/day")["stock"]["value"]

    decided = expect(200, decide(team.supervisor, review, "same", same_as=hit["ref"]))

    assert (decided["state"], decided["same_as"], decided["same_as_name"]) == ("same", hit["ref"], hit["name"])
    assert other not in str(decided)
    assert team.admin.get(f"/v1/customers/{customer}")["pool_id"] == team.pools["agency"]
    *_, last = team.admin.get(f"/v1/customers/{customer}/ownership")["items"]
    assert (last["cause"], last["reason"]) == ("take_back", f"the same as {hit['name']}")
    eventually(lambda: team.rep.get("/v1/me/day")["stock"]["value"] == held - 1)


@pytest.mark.parametrize("body", [{"decision": "same"}, {"decision": "different", "same_as": "0" * 16}, {"decision": "maybe"}])
def test_half_a_decision_is_refused(team: Team, body: dict[str, str]) -> None:
    _, _, review = made_near(team)
    expect(422, team.supervisor.request("POST", f"/v1/reviews/{review}/decision", body))


def test_it_is_the_same_only_as_one_that_comes_near(team: Team) -> None:
    _, _, review = made_near(team)
    answer = expect(422, decide(team.supervisor, review, "same", same_as="0" * 16))
    assert [wrong["pointer"] for wrong in answer["errors"]] == ["/same_as"]


def test_nobody_judges_his_own_entry_nor_what_he_holds(team: Team) -> None:
    _, _, own = made_near(team, team.supervisor)
    _, customer, held = made_near(team)
    expect(200, team.manager.act(customer, "transfer", to=team.supervisor.user["id"]))

    for review in (own, held):
        answer = decide(team.supervisor, review, "different")
        assert (answer.status_code, slug(answer)) == (403, "own-entry")
    assert decide(team.rep, own, "different").status_code == 403
    expect(200, decide(team.manager, own, "different"))


def test_of_two_who_decide_the_first_wins(team: Team) -> None:
    _, customer, review = made_near(team)
    [hit] = team.supervisor.get(f"/v1/reviews/{review}")["hits"]
    asks = [(team.supervisor, "different", {}), (team.manager, "same", {"same_as": hit["ref"]}), (team.admin, "different", {})]
    start = threading.Barrier(len(asks))

    def run(ask: tuple[Client, str, dict[str, str]]) -> Any:
        who, decision, more = ask
        start.wait()
        return decide(who, review, decision, **more)

    for who, _, _ in asks:
        who.get("/v1/me")
    with ThreadPoolExecutor(len(asks)) as threads:
        answers = list(threads.map(run, asks))

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    [state] = [answer.json()["state"] for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 409]
    assert {(slug(answer), answer.json()["state"]) for answer in refused} == {("already-decided", state)}
    is_pooled = team.admin.get(f"/v1/customers/{customer}")["owner_id"] is None
    assert is_pooled == (state == "same")


def test_a_decision_is_repeated_under_its_key_told_and_audited_once(stack: Stack, team: Team) -> None:
    _, _, review = made_near(team)
    path, body = f"/v1/reviews/{review}/decision", {"decision": "different"}

    answers = [team.supervisor.post(path, body, status=200, Idempotency_Key=f"decide-{review}") for _ in range(2)]

    assert answers[0] == answers[1]
    told = rows(stack, "SELECT name, version FROM outbox WHERE aggregate_id = %s ORDER BY version", review)
    assert told == [("review_opened", 1), ("review_decided", 2)]
    audited = rows(stack, "SELECT operation, result FROM audit WHERE subject_id = %s", review)
    assert audited == [("customers.decide_review", "done")]
    logged = {"review_opened", "review_decided"}
    eventually(lambda: logged <= {each["name"] for each in team.admin.pages("/v1/log") if each["aggregate_id"] == review})


# --- entries that wait


@pytest.mark.usefixtures("made_to_wait")
def test_a_near_entry_waits_and_is_made_once_it_was_found_to_be_another_company(team: Team) -> None:
    number = digits()
    _, name, review = kept_waiting(team, phone=f"0514-{number}", needs="三台")
    assert name not in {line["name"] for line in team.rep.pages("/v1/customers?of=all")}
    shown = team.supervisor.get(f"/v1/reviews/{review}")
    assert (shown["origin"], shown["customer_id"]) == ("waiting", None)
    assert (shown["entry"]["phone"], shown["entry"]["needs"]) == (f"0514****{number[-3:]}", "三台")
    assert team.rep.get(f"/v1/reviews/{review}")["entry"]["phone"] == f"0514-{number}"

    decided = expect(200, decide(team.supervisor, review, "different"))

    customer = team.rep.get(f"/v1/customers/{decided['customer_id']}")
    assert (customer["name"], customer["phone"], customer["needs"]) == (name, f"0514-{number}", "三台")
    assert customer["owner_id"] == customer["entered_by"] == team.rep.user["id"]
    assert team.rep.check(name=name)["verdict"]["verdict"] == "yours"


@pytest.mark.usefixtures("made_to_wait")
def test_what_waits_and_is_the_same_becomes_a_refused_attempt(team: Team) -> None:
    _, name, review = kept_waiting(team)
    [hit] = team.supervisor.get(f"/v1/reviews/{review}")["hits"]

    decided = expect(200, decide(team.supervisor, review, "same", same_as=hit["ref"]))

    assert (decided["state"], decided["customer_id"]) == ("same", None)
    [attempt] = [each for each in team.rep.pages("/v1/entry-attempts") if each["name"] == name and each["outcome"] == "refused"]
    assert (attempt["person_id"], attempt["reason"]) == (team.rep.user["id"], "held_by_colleague")


@pytest.mark.usefixtures("made_to_wait")
def test_the_same_thing_entered_again_is_the_one_that_waits(team: Team) -> None:
    _, name, review = kept_waiting(team)
    spaced = name.replace("服装", " 服装")
    assert expect(202, team.rep.enter(name))["review_id"] == review
    assert expect(202, team.rep.enter(spaced))["review_id"] == review
    assert expect(202, enter_near(team.neighbour, name))["review_id"] != review


@pytest.mark.usefixtures("made_to_wait")
def test_a_second_entry_that_says_something_else_waits_by_itself(team: Team) -> None:
    _, name, review = kept_waiting(team)
    number = f"0514-{digits()}"
    second = expect(202, enter_near(team.rep, name, phone=number))["review_id"]
    assert second != review
    assert team.rep.get(f"/v1/reviews/{second}")["entry"]["phone"] == number
    expect(200, decide(team.supervisor, review, "different"))
    collides = decide(team.supervisor, second, "different")
    assert (collides.status_code, slug(collides)) == (409, "entry-collides")
    [mine] = [hit for hit in team.supervisor.get(f"/v1/reviews/{second}")["hits"] if hit["effect"] == "same"]
    expect(200, decide(team.supervisor, second, "same", same_as=mine["ref"]))


@pytest.mark.usefixtures("made_to_wait")
def test_who_enters_it_twice_at_once_has_one_that_waits(stack: Stack, team: Team) -> None:
    first, second = near_names()
    team.colleague.entered(first)
    seen = [hit["ref"] for hit in expect(409, team.rep.enter(second))["hits"]]
    confirmed = {"seen": seen, "reason": "another county"}

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: team.rep.enter(second, confirmation=confirmed), range(6)))

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["review_id"] for answer in answers}) == 1


@pytest.mark.usefixtures("made_to_wait")
def test_a_waiting_entry_is_withdrawn_by_who_entered_it_alone(team: Team) -> None:
    _, name, review = kept_waiting(team)
    path = f"/v1/reviews/{review}/withdrawal"
    for other in (team.colleague, team.supervisor, team.admin):
        assert other.request("POST", path).status_code in (403, 404)

    assert team.rep.post(path, None, status=200)["state"] == "withdrawn"

    again = team.rep.request("POST", path)
    assert (again.status_code, slug(again)) == (409, "already-decided")
    assert slug(decide(team.supervisor, review, "different")) == "already-decided"
    assert expect(202, enter_near(team.rep, name))["review_id"] != review


def test_what_was_made_cannot_be_withdrawn(team: Team) -> None:
    _, _, review = made_near(team)
    answer = team.rep.request("POST", f"/v1/reviews/{review}/withdrawal")
    assert (answer.status_code, slug(answer)) == (409, "not-waiting")


def test_what_waits_goes_on_waiting_when_the_rule_is_lifted(stack: Stack, team: Team) -> None:
    with waiting(stack):
        _, name, review = kept_waiting(team)
    assert expect(202, team.rep.enter(name))["review_id"] == review


def test_a_company_that_somebody_has_by_now_is_not_made(stack: Stack, team: Team) -> None:
    with waiting(stack):
        _, name, review = kept_waiting(team)
    expect(201, enter_near(team.neighbour, name))

    answer = decide(team.supervisor, review, "different")

    assert (answer.status_code, slug(answer), answer.json()["reason"]) == (409, "entry-collides", "held_by_colleague")
    [same] = answer.json()["hits"]
    shown = team.supervisor.get(f"/v1/reviews/{review}")
    assert shown["state"] == "open"
    assert (same["effect"], same["name"]) == ("same", name)
    assert same["ref"] in {hit["ref"] for hit in shown["hits"]}
    expect(200, decide(team.supervisor, review, "same", same_as=same["ref"]))


def test_others_that_have_come_near_since_must_be_seen(stack: Stack, team: Team) -> None:
    with waiting(stack):
        _, name, review = kept_waiting(team)
    expect(201, enter_near(team.neighbour, name.replace("宝应县", "仪征市")))

    answer = decide(team.supervisor, review, "different")
    assert (answer.status_code, slug(answer)) == (409, "others-came-near")
    [unseen] = answer.json()["hits"]

    assert expect(200, decide(team.supervisor, review, "different", seen=[unseen["ref"]]))["customer_id"]


def test_a_full_stock_keeps_the_entry_waiting(stack: Stack, headquarters: Headquarters, team: Team) -> None:
    rep = headquarters.person("rep", team.department_id)
    limit = {"subject": "person", "person_id": rep.user["id"], "limit": 1}
    expect(200, team.admin.request("PUT", "/v1/policies/stock-limit", limit))
    eventually(lambda: rep.get("/v1/me/day")["stock"]["limit"] == 1)
    with waiting(stack):
        _, _, review = kept_waiting(team, rep)
    held = rep.entered()

    refused = decide(team.supervisor, review, "different")
    assert (refused.status_code, slug(refused)) == (409, "stock-is-full")
    assert team.supervisor.get(f"/v1/reviews/{review}")["state"] == "open"

    expect(200, rep.act(held, "release", reason="no_need"))
    assert expect(200, decide(team.supervisor, review, "different"))["customer_id"]


def test_for_somebody_who_has_left_nothing_is_made(stack: Stack, headquarters: Headquarters, team: Team) -> None:
    rep = headquarters.person("rep", team.department_id)
    with waiting(stack):
        _, _, review = kept_waiting(team, rep)
    expect(200, headquarters.admin.request("POST", f"/v1/users/{rep.user['id']}/disable"))

    status = "SELECT status FROM person WHERE id = %s"
    eventually(lambda: rows(stack, status, rep.user["id"]) == [("disabled",)])
    assert slug(decide(team.supervisor, review, "different")) == "receiver-unfit"


# --- entries that raced past each other


def slips() -> tuple[str, str]:
    """Names with one character exchanged: they come near each other and share no lock."""
    first, second, third, fourth, other = brand(5)
    return f"扬州{first}{second}{third}{fourth}印花厂", f"扬州{first}{second}{third}{other}印花厂"


def raced(stack: Stack, *customers: str) -> list[tuple[Any, ...]]:
    query = "SELECT customer_id::text, seen::text[], state FROM review_item WHERE customer_id = ANY(%s) AND origin = 'raced'"
    return rows(stack, query, list(customers))


def looked_at(stack: Stack) -> None:
    """Waits until everything that has happened was looked at."""
    [(last,)] = rows(stack, "SELECT max(seq) FROM outbox")
    done = "SELECT (SELECT position FROM outbox WHERE seq = %s) <= (SELECT position FROM race_cursor)"
    eventually(lambda: rows(stack, done, last) == [(True,)], seconds=30)


def enter_past_each_other(stack: Stack, held_up: Client, quick: Client) -> tuple[str, str]:
    """The first has made its check when the second comes, and is made after it."""
    earlier, after = slips()
    with psycopg.connect(stack.owner_url("customers")) as owner, ThreadPoolExecutor(1) as threads:
        held_up.entered()  # has a stock
        owner.execute("SELECT FROM stock WHERE person_id = %s FOR UPDATE", [held_up.user["id"]])
        slow = threads.submit(held_up.enter, after)
        blocked = "SELECT count(*) FROM pg_locks WHERE locktype IN ('tuple', 'transactionid') AND NOT granted"
        eventually(lambda: rows(stack, blocked)[0][0] > 0)
        first = quick.entered(earlier)
        owner.rollback()
        return first, str(expect(201, slow.result())["customer_id"])


def test_two_that_raced_past_each_other_are_found_and_the_later_one_is_judged(stack: Stack, team: Team, rivals: Team) -> None:
    first, second = enter_past_each_other(stack, team.rep, rivals.rep)

    found = eventually(lambda: raced(stack, first, second))

    assert found == [(second, [first], "open")]
    [line] = [line for line in team.supervisor.pages("/v1/reviews?state=open") if line["customer_id"] == second]
    [hit] = team.supervisor.get(f"/v1/reviews/{line['id']}")["hits"]
    assert (line["origin"], hit["effect"], hit["place"]) == ("raced", "near", "other_agency")
    expect(200, decide(team.supervisor, line["id"], "same", same_as=hit["ref"]))
    assert team.admin.get(f"/v1/customers/{second}")["pool_id"] == team.pools["agency"]


def test_a_name_that_comes_with_a_claim_is_looked_at_as_well(stack: Stack, team: Team, rivals: Team) -> None:
    earlier, after = slips()
    known, number = company(), f"0514-{digits()}"
    pooled = team.pooled("public", known, phone=number)
    team.rep.entered()  # has a stock
    with psycopg.connect(stack.owner_url("customers")) as owner, ThreadPoolExecutor(1) as threads:
        owner.execute("UPDATE outbox SET occurred_at = occurred_at - interval '1 hour' WHERE aggregate_id = %s", [pooled])
        owner.commit()
        owner.execute("SELECT FROM stock WHERE person_id = %s FOR UPDATE", [team.rep.user["id"]])
        slow = threads.submit(team.rep.enter, known, phone=number, aliases=[after], claim=True)
        blocked = "SELECT count(*) FROM pg_locks WHERE locktype IN ('tuple', 'transactionid') AND NOT granted"
        eventually(lambda: rows(stack, blocked)[0][0] > 0)
        first = rivals.rep.entered(earlier)
        owner.rollback()
        assert expect(200, slow.result())["outcome"] == "claimed"

    assert eventually(lambda: raced(stack, first, pooled)) == [(pooled, [first], "open")]


def test_however_often_it_is_looked_for_a_race_is_one_review(stack: Stack, team: Team, rivals: Team) -> None:
    first, second = enter_past_each_other(stack, team.rep, rivals.rep)
    found = eventually(lambda: raced(stack, first, second))
    for _ in range(2):
        with psycopg.connect(stack.owner_url("customers")) as owner:
            owner.execute("DELETE FROM command WHERE operation = 'customers.open_raced_review'")
            owner.execute("UPDATE race_cursor SET position = 0")
        looked_at(stack)
    assert raced(stack, first, second) == found


def test_who_has_seen_the_other_did_not_race(stack: Stack, team: Team) -> None:
    earlier, after = slips()
    first = team.colleague.entered(earlier)
    second = expect(201, enter_near(team.rep, after))["customer_id"]
    _, third, _ = made_near(team)
    twin = company()
    pooled = [team.pooled("agency", twin), team.pooled("public", twin, keep_twin="两个登记")]

    looked_at(stack)

    assert raced(stack, first, second, third, *pooled) == []


def test_near_names_entered_at_the_same_moment_never_stand_unseen(stack: Stack, headquarters: Headquarters) -> None:
    people = [headquarters.person(), headquarters.person()]
    pairs = [slips() for _ in range(40)]
    start = threading.Barrier(2)

    def run(ask: tuple[Client, int]) -> list[Any]:
        who, side = ask
        answers = []
        for pair in pairs:
            start.wait()
            answers.append(who.enter(pair[side]))
        return answers

    with ThreadPoolExecutor(2) as threads:
        ours, theirs = threads.map(run, zip(people, (0, 1), strict=True))
    looked_at(stack)

    both = 0
    for answers in zip(ours, theirs, strict=True):
        made = [str(answer.json()["customer_id"]) for answer in answers if answer.status_code == 201]
        told = [answer.json()["outcome"] for answer in answers if answer.status_code != 201]
        assert told == ["needs_confirmation"] * (2 - len(made))
        found = raced(stack, *made)
        assert len(found) == (1 if len(made) == 2 else 0)
        both += len(made) == 2
        if len(made) == 2:
            [(judged, seen, _)] = found
            assert {judged, *seen} == set(made)
    assert both, "no two of them met; more pairs are needed to show anything"
