"""Fields of customers are shown, changed and revealed as headquarters' policy says; by default a phone is its holder's alone."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest

from embedded.stack import Stack
from services.contracts.fields import OVERSEEN, OWN, POLICY_ID
from tests.api import PASSWORD, Client, Headquarters, Team, brand, company, credit_code, digits, eventually, expect, unique
from tests.travel import later

POLICY = "/v1/field-policy"
SOMEBODY = "00000000-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def team(headquarters: Headquarters) -> Team:
    return headquarters.team()


@pytest.fixture(scope="module")
def rivals(headquarters: Headquarters) -> Team:
    return headquarters.team()


@pytest.fixture(scope="module")
def auditor(headquarters: Headquarters, team: Team) -> Client:
    return headquarters.person("auditor", team.department_id)


@pytest.fixture
def root(headquarters: Headquarters) -> Iterator[Client]:
    """Headquarters; what it sets is the default again afterwards."""
    yield headquarters.admin
    set_to(headquarters.admin)


def put(who: Client, policy: Any, version: int | None = None, **headers: str) -> httpx.Response:
    tag = f'"{who.get(POLICY)["version"] if version is None else version}"'
    return who.request("PUT", POLICY, policy, **{"If_Match": tag} | headers)


def set_to(root: Client, **policy: Any) -> Any:
    return expect(200, put(root, policy))


def ask(stack: Stack, query: str, *values: Any, service: str = "customers") -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.owner_url(service)) as owner:
        return owner.execute(query, values).fetchall()  # type: ignore[arg-type]


def slug(answer: httpx.Response) -> str:
    return str(answer.json()["type"]).removeprefix("urn:qudao:problem:")


def known(**fields: Any) -> dict[str, Any]:
    number = digits()
    reached = {"phone": f"0514-{number}", "fax": f"0514-{digits()}", "email": f"wang@{brand()}.com", "contact_person": "刘女士"}
    return reached | {"needs": "三台", "size": "20", "address": "文昌路1号"} | fields


def masked(fields: dict[str, Any]) -> dict[str, str]:
    return {
        "phone": f"0514****{fields['phone'][-3:]}",
        "fax": f"0514****{fields['fax'][-3:]}",
        "email": f"w***@{fields['email'].split('@')[1]}",
    }


def path(customer_id: str) -> str:
    return f"/v1/customers/{customer_id}"


def reveal(who: Client, customer_id: str, field: str = "phone", reason: str = "复核", **headers: str) -> httpx.Response:
    return who.request("POST", f"/v1/customers/{customer_id}/reveals", {"field": field, "reason": reason}, **headers)


def patch(who: Client, customer_id: str, version: int = 1, **changes: Any) -> httpx.Response:
    return who.request("PATCH", f"/v1/customers/{customer_id}", changes, If_Match=f'"{version}"')


def another(team: Team, role: str = "supervisor") -> Client:
    """Somebody who has revealed nothing today."""
    return team.headquarters.person(role, team.department_id)


def together(*acts: Callable[[], httpx.Response]) -> list[httpx.Response]:
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], httpx.Response]) -> httpx.Response:
        start.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(run, acts))


# --- what is shown by default


def test_a_holder_sees_all_of_his_customer_and_who_oversees_him_how_it_is_reached_only_masked(
    team: Team, auditor: Client
) -> None:
    fields = known()
    customer = team.rep.entered(**fields)

    own = team.rep.get(path(customer))
    assert ({name: own[name] for name in fields}, own["restricted"]) == (fields, {})
    for overseer in (team.supervisor, team.manager, team.admin, team.headquarters.admin, auditor):
        shown = overseer.get(path(customer))
        assert {name: shown[name] for name in fields} == fields | masked(fields)
        assert shown["restricted"] == {"phone": "masked", "fax": "masked", "email": "masked"}


def test_what_changes_hands_is_seen_by_its_new_holder_and_masked_to_the_old_one(team: Team) -> None:
    fields = known()
    customer = team.supervisor.entered(**fields)
    expect(200, team.supervisor.act(customer, "transfer", to=team.rep.user["id"]))

    assert team.rep.get(path(customer))["phone"] == fields["phone"]
    assert team.supervisor.get(path(customer))["phone"] == masked(fields)["phone"]


def test_a_repeated_change_shows_no_more_than_is_the_callers_to_see_by_now(team: Team) -> None:
    fields, sent = known(), {"If_Match": '"1"', "Idempotency_Key": unique("key")}
    customer = team.supervisor.entered(**fields)
    repeat = lambda: expect(200, team.supervisor.request("PATCH", path(customer), {"size": "30"}, **sent))  # noqa: E731
    first = repeat()
    assert (repeat(), first["phone"]) == (first, fields["phone"])

    expect(200, team.supervisor.act(customer, "transfer", to=team.rep.user["id"]))
    masks = masked(fields)
    assert repeat() == first | masks | {"restricted": dict.fromkeys(masks, "masked")}
    expect(200, team.admin.act(customer, "transfer", to=team.neighbour.user["id"]))
    assert repeat() == first | dict.fromkeys(OWN) | {"restricted": dict.fromkeys(OWN, "hidden")}


def test_a_repeated_claim_shows_no_more_either(team: Team) -> None:
    fields, key = known(), unique("key")
    customer = team.pooled("public", **fields)
    claim = lambda: expect(200, team.rep.request("POST", f"{path(customer)}/claim", None, Idempotency_Key=key))  # noqa: E731
    assert claim() == claim()
    assert claim()["phone"] == fields["phone"]
    expect(200, team.supervisor.act(customer, "transfer", to=team.colleague.user["id"]))
    assert (claim()["phone"], claim()["contact_person"]) == (None, None)


def test_what_is_claimed_is_shown_to_who_claims_it(team: Team) -> None:
    fields = known()
    customer = team.pooled("public", **fields)
    assert team.admin.get(path(customer))["phone"] == masked(fields)["phone"]
    claimed = expect(200, team.rep.act(customer, "claim"))
    assert (claimed["phone"], claimed["restricted"]) == (fields["phone"], {})


def test_everybody_reads_his_own_levels(team: Team, auditor: Client) -> None:
    reads = dict.fromkeys(OWN, "read")
    told = {who: client.get(f"{POLICY}/mine") for who, client in (("rep", team.rep), ("admin", team.admin), ("auditor", auditor))}
    assert (told["rep"]["own"], told["rep"]["overseen"]) == (OWN, OVERSEEN)
    assert (told["admin"]["own"], told["admin"]["overseen"]) == (reads, OVERSEEN)
    assert told["rep"]["searchable"] == sorted(OWN)
    assert told["auditor"]["searchable"] == sorted(OWN.keys() - {"phone", "fax", "email"})
    assert {who: levels["reveals_a_day"] for who, levels in told.items()} == {"rep": 0, "admin": 20, "auditor": 0}


# --- people at a customer, and what was changed


def somebody() -> dict[str, str]:
    return {"name": "刘女士", "phone": f"138{digits()}4", "email": f"liu@{brand()}.com", "wechat": "liu-8888"}


def add(who: Client, customer_id: str, person: dict[str, str], version: int = 1, **headers: str) -> httpx.Response:
    return who.request("POST", f"{path(customer_id)}/contacts", person, If_Match=f'"{version}"', **headers)


def test_people_at_a_customer_are_shown_as_the_customer_is(root: Client, team: Team) -> None:
    customer, person = team.rep.entered(), somebody()
    phone, mail = f"138****{person['phone'][-4:]}", f"l***@{person['email'].split('@')[1]}"
    [own] = expect(200, add(team.rep, customer, person))["items"]
    assert ({name: own[name] for name in person}, own["restricted"]) == (person, {})

    [seen] = team.supervisor.get(f"{path(customer)}/contacts")["items"]
    assert [seen[name] for name in person] == ["刘女士", phone, mail, "****"]
    assert seen["restricted"] == {"phone": "masked", "email": "masked"}
    set_to(root, levels={"supervisor": {"overseen": {"phone": "hidden", "contact_person": "masked"}}})
    [seen] = team.supervisor.get(f"{path(customer)}/contacts")["items"]
    assert [seen[name] for name in person] == ["刘**", None, mail, None]
    assert seen["restricted"] == {"phone": "hidden", "email": "masked", "contact_person": "masked"}


def test_a_mask_is_not_written_back_into_a_person_either(root: Client, team: Team) -> None:
    customer, person = team.rep.entered(), somebody()
    [made] = expect(200, add(team.rep, customer, person))["items"]
    address = f"{path(customer)}/contacts/{made['id']}"
    for change in ({"phone": "138****1234"}, {"email": "l***@d.com"}, {"name": "刘**"}):
        refused = team.rep.request("PUT", address, person | change, If_Match='"2"')
        assert (refused.status_code, slug(refused)) == (403, "field-not-editable")
    expect(200, team.rep.request("PUT", address, person | {"title": "经理"}, If_Match='"2"'))

    set_to(root, levels={"rep": {"own": {"phone": "read"}}})
    for method, body in (("PUT", person | {"phone": "13912341234"}), ("DELETE", None)):
        assert slug(team.rep.request(method, address, body, If_Match='"3"')) == "field-not-editable"
    assert slug(add(team.rep, customer, somebody(), 3)) == "field-not-editable"


def test_a_repeated_change_of_people_shows_no_more_either(team: Team) -> None:
    customer, person, key = team.rep.entered(), somebody(), unique("key")
    first = expect(200, add(team.rep, customer, person, Idempotency_Key=key))
    assert expect(200, add(team.rep, customer, person, Idempotency_Key=key)) == first
    expect(200, team.supervisor.act(customer, "transfer", to=team.colleague.user["id"]))
    [seen] = expect(200, add(team.rep, customer, person, Idempotency_Key=key))["items"]
    assert [seen[name] for name in person] == ["**", None, None, None]


def test_what_was_changed_is_shown_as_the_customer_is(root: Client, team: Team) -> None:
    fields, other, person = known(), known(), somebody()
    customer = team.rep.entered(**fields)
    expect(200, patch(team.rep, customer, phone=other["phone"], needs="四台"))
    expect(200, add(team.rep, customer, person, 2))
    changes = f"{path(customer)}/changes"

    assert team.rep.pages(changes)[1]["fields"] == {"phone": [fields["phone"], other["phone"]], "needs": ["三台", "四台"]}
    seen = team.supervisor.pages(changes)
    assert seen[1]["fields"] == {"phone": [masked(fields)["phone"], masked(other)["phone"]], "needs": ["三台", "四台"]}
    assert seen[1]["restricted"] == {"phone": "masked"}
    assert person["phone"] not in str(seen)
    set_to(root, levels={"supervisor": {"overseen": {"needs": "hidden"}}})
    assert team.supervisor.pages(changes)[1]["fields"]["needs"] == [None, None]


# --- the policy


def test_a_policy_counts_from_the_next_request_on_in_every_answer(root: Client, team: Team) -> None:
    fields = known()
    customer = team.rep.entered(**fields)
    number = digits()
    expect(409, team.colleague.enter(company(), phone=fields["phone"], fax=f"0514-{number}"))
    levels = {"phone": "read", "fax": "hidden", "needs": "hidden", "contact_person": "masked", "size": "masked"}
    set_to(root, levels={"supervisor": {"overseen": levels}})

    shown = team.supervisor.get(path(customer))
    assert (shown["phone"], shown["fax"], shown["needs"]) == (fields["phone"], None, None)
    assert (shown["contact_person"], shown["size"], shown["address"]) == ("刘**", "****", fields["address"])
    held_back = {"fax": "hidden", "needs": "hidden", "contact_person": "masked", "size": "masked", "email": "masked"}
    assert shown["restricted"] == held_back
    [attempt] = [each for each in team.supervisor.pages("/v1/entry-attempts") if each["person_id"] == team.colleague.user["id"]]
    assert (attempt["phone"], attempt["fax"]) == (masked(fields)["phone"], None)
    assert attempt["restricted"] == {"phone": "masked", "fax": "hidden"}
    assert team.admin.get(path(customer))["needs"] == "三台"


def test_by_what_is_not_shown_nobody_searches(root: Client, team: Team) -> None:
    """A search within what one sees would tell whether a field has this value, and part by part which it has."""
    phone, code = f"139{digits()}8", credit_code()
    customer = team.rep.entered(phone=phone, contact_person="欧阳明月", credit_code=code)
    expect(200, team.rep.request("POST", f"{path(customer)}/contacts", {"name": "慕容雪"}, If_Match='"1"'))
    people, codes, numbers = ("欧阳明月", "欧阳", "oymy", "慕容", "mrx"), (code, code[4:12]), (phone[:7], phone[3:7], phone[1:])

    def found(who: Client, *searched: str) -> set[str]:
        """Those by which it is found; in a list and in a count alike."""
        asked = {each: f"of=visible&owner_id={team.rep.user['id']}&q={each}" for each in searched}
        lists = {each: who.get(f"/v1/customers?{query}&limit=200")["items"] for each, query in asked.items()}
        assert all(who.get(f"/v1/customers/count?{asked[each]}")["count"] == len(lines) for each, lines in lists.items())
        return {each for each, lines in lists.items() if customer in {line["id"] for line in lines}}

    everything = {*people, *codes, *numbers, phone}
    assert found(team.rep, *everything) == everything
    assert found(team.supervisor, *everything) == everything - {*numbers}

    set_to(root, levels={"supervisor": {"overseen": {"contact_person": "masked", "credit_code": "hidden", "phone": "hidden"}}})
    assert found(team.supervisor, *everything) == set()
    assert found(team.rep, *everything) == everything

    set_to(root, levels={"supervisor": {"overseen": {"phone": "read", "fax": "read"}}, "rep": {"own": {"phone": "masked"}}})
    assert found(team.supervisor, *everything) == everything
    assert found(team.rep, *everything) == everything - {*numbers}


def test_ones_own_may_be_restricted_too_and_then_is_not_changed(root: Client, team: Team) -> None:
    fields = known()
    customer = team.rep.entered(**fields)
    set_to(root, levels={"rep": {"own": {"phone": "masked", "fax": "read", "needs": "hidden"}}})

    for changes in ({"phone": fields["phone"]}, {"fax": f"0514-{digits()}"}, {"needs": None}, {"fax": None, "city": "扬州"}):
        refused = patch(team.rep, customer, **changes)
        assert (refused.status_code, slug(refused)) == (403, "field-not-editable")
        assert refused.json()["fields"] == [next(iter(changes))]
    shown = expect(200, patch(team.rep, customer, city="扬州", fax=fields["fax"], email=f"li@{brand()}.com"))

    assert (shown["city"], shown["phone"], shown["needs"]) == ("扬州", masked(fields)["phone"], None)
    assert shown["restricted"] == {"phone": "masked", "needs": "hidden"}


def test_a_stored_answer_holds_no_more_than_was_shown(stack: Stack, root: Client, team: Team) -> None:
    fields, key = known(), unique("key")
    customer = team.rep.entered(**fields)
    set_to(root, levels={"rep": {"own": {"phone": "masked"}}})
    answers = [team.rep.request("PATCH", path(customer), {"city": "扬州"}, If_Match='"1"', Idempotency_Key=key) for _ in range(2)]
    assert [expect(200, answer)["phone"] for answer in answers] == [masked(fields)["phone"]] * 2
    [(kept,)] = ask(stack, "SELECT answer::text FROM command WHERE key = %s", key)
    assert fields["phone"] not in kept


def test_a_change_is_audited_whole_and_masked_whatever_the_caller_sees(stack: Stack, root: Client, team: Team) -> None:
    fields = known()
    customer = team.rep.entered(**fields)
    set_to(root, levels={"rep": {"own": {"needs": "hidden", "phone": "hidden"}}})
    expect(200, patch(team.rep, customer, city="扬州"))

    query = "SELECT old, new FROM audit WHERE subject_id = %s AND operation = 'customers.update_customer'"
    [(old, new)] = ask(stack, query, customer)
    for row in (old, new):
        assert (row["phone"], row["contact_person"], row["needs"]) == (masked(fields)["phone"], "****", "三台")


def test_what_is_not_given_is_as_by_default_and_every_version_stays(root: Client) -> None:
    first = set_to(root, levels={"manager": {"overseen": {"phone": "read"}}}, reveals_a_day={"manager": 50})
    second = set_to(root, reveals_a_day={"supervisor": 5})

    assert (first["policy"]["levels"]["manager"]["overseen"]) == OVERSEEN | {"phone": "read"}
    assert second["policy"]["levels"]["manager"] == {"own": OWN, "overseen": OVERSEEN}
    assert (second["policy"]["reveals_a_day"]["supervisor"], second["policy"]["reveals_a_day"]["manager"]) == (5, 20)
    assert (second["set_by"], second["set_by_name"]) == (root.user["user_id"], "总管")
    assert root.get(POLICY) == second
    listed = {each["version"]: each for each in root.pages(f"{POLICY}/versions", limit=2)}
    assert (listed[first["version"]], listed[second["version"]]) == (first, second)
    answer = root.request("GET", POLICY, If_None_Match=f'"{second["version"]}"')
    assert (answer.status_code, answer.headers["ETag"]) == (304, f'"{second["version"]}"')


def test_a_stale_version_is_refused(root: Client) -> None:
    version = set_to(root)["version"]
    for stale in (version - 1, version + 1, 0):
        assert put(root, {}, stale).status_code == 412
    assert root.request("PUT", POLICY, {}).status_code == 428


def test_of_many_who_set_it_at_once_one_is_heard(root: Client) -> None:
    version = set_to(root)["version"]
    answers = together(*(lambda limit=limit: put(root, {"reveals_a_day": {"rep": limit}}, version) for limit in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 5
    [winner] = [answer.json() for answer in answers if answer.status_code == 200]
    assert root.get(POLICY)["policy"] == winner["policy"]


@pytest.mark.parametrize(
    "policy",
    [
        {"levels": {"janitor": {}}},
        {"levels": {"rep": {"shared": {}}}},
        {"levels": {"rep": {"own": {"name": "hidden"}}}},
        {"levels": {"rep": {"own": {"phone": "secret"}}}},
        {"levels": {"rep": {"own": []}}},
        {"levels": []},
        {"reveals_a_day": {"rep": -1}},
        {"reveals_a_day": {"rep": 10_001}},
        {"reveals_a_day": 5},
        {"limit": 5},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(root: Client, policy: Any) -> None:
    assert put(root, policy).status_code == 422


def test_a_change_of_the_policy_is_repeated_audited_and_told_once(stack: Stack, root: Client) -> None:
    version, key = root.get(POLICY)["version"], unique("key")
    answers = [put(root, {"reveals_a_day": {"rep": 7}}, version, Idempotency_Key=key) for _ in range(2)]
    assert answers[0].content == answers[1].content
    query = "SELECT actor, old -> 'version', new -> 'policy' -> 'reveals_a_day' ->> 'rep' FROM audit WHERE command_id = %s"
    assert ask(stack, query, key) == [(root.user["user_id"], version, "7")]
    logged = "SELECT data FROM log_entry WHERE aggregate_id = %s AND version = %s"
    [(told,)] = eventually(lambda: ask(stack, logged, POLICY_ID, version + 1, service="activities"))
    assert told["policy"]["reveals_a_day"]["rep"] == 7


def test_only_headquarters_sees_and_sets_it(root: Client, team: Team, auditor: Client) -> None:
    version = root.get(POLICY)["version"]
    for person in (team.rep, team.supervisor, team.manager, team.admin, auditor):
        assert put_as(person, version).status_code == 403
        assert person.request("GET", POLICY).status_code == 403
        assert person.request("GET", f"{POLICY}/versions").status_code == 403
    assert Client(root.http).request("GET", f"{POLICY}/mine").status_code == 401


def put_as(person: Client, version: int) -> httpx.Response:
    return person.request("PUT", POLICY, {}, If_Match=f'"{version}"')


# --- masks are not written back


def test_a_mask_is_not_written_back_by_anybody(stack: Stack, team: Team) -> None:
    fields = known()
    customer = team.rep.entered(**fields)
    for changes in (masked(fields), {"contact_person": "刘**"}, {"phone": "138****1234"}, {"email": "x***@other.com"}):
        refused = patch(team.rep, customer, **changes)
        assert (refused.status_code, slug(refused)) == (403, "field-not-editable")
        assert refused.json()["fields"] == sorted(changes)
    assert team.rep.get(path(customer))["version"] == 1
    denials = ask(stack, "SELECT new::text FROM audit WHERE actor = %s AND result = 'denied'", team.rep.user["id"])
    assert denials
    assert fields["phone"] not in str(denials)


def test_a_mask_is_no_way_to_reach_somebody_new(team: Team) -> None:
    for typed in (masked(known()), {"phone": "138****1234"}, {"fax": "****577"}, {"email": "w***@d.com"}):
        told = expect(422, team.rep.enter(company(), **typed))
        assert told["errors"][0]["pointer"].removeprefix("/") in typed


def test_an_outdated_version_is_told_before_what_may_be_changed(team: Team) -> None:
    customer = team.rep.entered(**known())
    assert patch(team.rep, customer, 2, phone="138****1234").status_code == 412
    assert patch(team.neighbour, customer, phone="138****1234").status_code == 404
    assert patch(team.rep, SOMEBODY, phone="138****1234").status_code == 404


# --- revealing


def test_a_reveal_shows_the_field_and_says_in_the_list_who_why_and_never_what(stack: Stack, team: Team, auditor: Client) -> None:
    fields = known()
    customer, supervisor = team.rep.entered(**fields), another(team)

    for count, field in enumerate(("phone", "fax", "email"), 1):
        shown = expect(201, reveal(supervisor, customer, field, reason="客户投诉"))
        assert (shown["value"], shown["field"], shown["customer_id"]) == (fields[field], field, customer)
        assert (shown["revealed_today"], shown["reveals_a_day"], shown["is_counted"]) == (count, 20, True)

    for reader in (supervisor, team.admin, team.headquarters.admin, auditor):
        lines = [line for line in reader.pages(f"/v1/reveals?customer_id={customer}", limit=2)]
        assert [line["field"] for line in lines] == ["email", "fax", "phone"]
        assert {(line["person_id"], line["person_name"], line["reason"]) for line in lines} == {
            (supervisor.user["id"], supervisor.user["display_name"], "客户投诉")
        }
        assert not any(fields[field] in json.dumps(lines) for field in ("phone", "fax", "email"))
    assert len(supervisor.pages(f"/v1/reveals?person_id={supervisor.user['id']}")) == 3
    assert supervisor.get(path(customer))["phone"] == masked(fields)["phone"]


def test_a_reveal_is_audited_with_its_reason_told_and_stored_without_its_value(stack: Stack, team: Team) -> None:
    fields, key = known(), unique("key")
    customer, supervisor = team.rep.entered(**fields), another(team)
    shown = expect(201, reveal(supervisor, customer, reason="客户投诉", Idempotency_Key=key))

    query = "SELECT actor, subject_id::text, new ->> 'field', new ->> 'reason' FROM audit WHERE command_id = %s"
    assert ask(stack, query, key) == [(supervisor.user["id"], customer, "phone", "客户投诉")]
    [(told,)] = ask(stack, "SELECT data FROM outbox WHERE aggregate_id = %s AND name = 'field_revealed'", shown["id"])
    assert told == {
        "reveal_id": shown["id"],
        "customer_id": customer,
        "person_id": supervisor.user["id"],
        "field": "phone",
        "is_counted": True,
    }
    eventually(lambda: [each for each in team.admin.pages("/v1/log") if each["aggregate_id"] == shown["id"]])
    [(kept,)] = ask(stack, "SELECT answer FROM command WHERE key = %s", key)
    assert kept == shown | {"value": None}


def test_a_repetition_gives_the_value_again_on_the_same_day_and_counts_once(stack: Stack, team: Team) -> None:
    fields, key = known(), unique("key")
    customer, supervisor = team.rep.entered(**fields), another(team)
    answers = [expect(201, reveal(supervisor, customer, Idempotency_Key=key)) for _ in range(3)]
    assert answers == [answers[0]] * 3
    assert supervisor.get(f"{POLICY}/mine")["revealed_today"] == 1
    assert reveal(supervisor, customer, "fax", Idempotency_Key=key).status_code == 422

    with later(stack, timedelta(days=1)):
        tomorrow = replace(supervisor.log_in(supervisor.user["login"], PASSWORD), user=supervisor.user)
        assert expect(201, reveal(tomorrow, customer, Idempotency_Key=key)) == answers[0] | {"value": None}


def test_a_repetition_gives_nothing_that_is_out_of_reach_by_now(team: Team) -> None:
    fields, key = known(), unique("key")
    customer, supervisor = team.rep.entered(**fields), another(team)
    expect(201, reveal(supervisor, customer, Idempotency_Key=key))
    expect(200, team.admin.act(customer, "transfer", to=team.neighbour.user["id"]))
    assert expect(201, reveal(supervisor, customer, Idempotency_Key=key))["value"] is None
    assert reveal(supervisor, customer).status_code == 404


def test_the_same_field_counts_once_a_day(stack: Stack, root: Client, team: Team) -> None:
    set_to(root, reveals_a_day={"supervisor": 1})
    customer, supervisor = team.rep.entered(**known()), another(team)
    first, second = (expect(201, reveal(supervisor, customer)) for _ in range(2))
    assert (first["is_counted"], second["is_counted"]) == (True, False)
    assert first["value"] == second["value"]
    assert reveal(supervisor, customer, "fax").status_code == 429
    assert len(supervisor.pages(f"/v1/reveals?customer_id={customer}")) == 2

    with later(stack, timedelta(days=1)):
        tomorrow = supervisor.log_in(supervisor.user["login"], PASSWORD)
        assert expect(201, reveal(tomorrow, customer, "fax"))["revealed_today"] == 1
        assert reveal(tomorrow, customer, "phone").status_code == 429


def test_who_has_reached_the_limit_is_told_until_when(stack: Stack, root: Client, team: Team) -> None:
    set_to(root, reveals_a_day={"supervisor": 0})
    customer, supervisor = team.rep.entered(**known()), another(team)
    refused = reveal(supervisor, customer)
    told = refused.json()
    assert (refused.status_code, slug(refused), told["limit"]) == (429, "reveal-limit-reached", 0)
    assert told["until"].endswith("00:00:00+08:00")
    assert 0 < int(refused.headers["Retry-After"]) <= 24 * 3600 + 5
    denied = ask(stack, "SELECT new ->> 'refused' FROM audit WHERE actor = %s AND result = 'denied'", supervisor.user["id"])
    assert denied == [("reveal-limit-reached",)]


def test_of_many_reveals_at_once_as_many_succeed_as_the_day_allows(stack: Stack, root: Client, team: Team) -> None:
    set_to(root, reveals_a_day={"supervisor": 4})
    customers, supervisor = [team.rep.entered(**known()) for _ in range(12)], another(team)
    others = [Client(httpx.Client(base_url=url, timeout=30), supervisor.token) for url in stack.gateway_urls]

    answers = together(
        *(lambda number=number, each=each: reveal(others[number % 2], each) for number, each in enumerate(customers))
    )

    assert sorted(answer.status_code for answer in answers) == [201] * 4 + [429] * 8
    assert sorted(answer.json()["revealed_today"] for answer in answers if answer.status_code == 201) == [1, 2, 3, 4]
    whose = supervisor.user["id"]
    assert ask(stack, "SELECT revealed FROM reveal_count WHERE person_id = %s", whose) == [(4,)]
    assert ask(stack, "SELECT count(*) FROM reveal WHERE person_id = %s AND is_counted", whose) == [(4,)]


def test_of_many_reveals_of_one_field_at_once_one_counts(stack: Stack, root: Client, team: Team) -> None:
    set_to(root, reveals_a_day={"supervisor": 1})
    customer, supervisor = team.rep.entered(**known()), another(team)
    answers = together(*(lambda: reveal(supervisor, customer) for _ in range(6)))
    assert [answer.status_code for answer in answers] == [201] * 6
    assert sorted(answer.json()["is_counted"] for answer in answers) == [False] * 5 + [True]


def test_nothing_is_revealed_that_is_hidden_shown_or_empty(root: Client, team: Team) -> None:
    customer, supervisor = team.rep.entered(**known(fax=None)), another(team)
    own = team.supervisor.entered(**known())
    set_to(root, levels={"supervisor": {"overseen": {"email": "hidden"}}})
    refusals = [reveal(supervisor, customer, "email"), reveal(supervisor, customer, "fax"), reveal(team.supervisor, own)]
    assert [(answer.status_code, slug(answer)) for answer in refusals] == [(409, "not-revealable")] * 3
    assert len({answer.json()["detail"] for answer in refusals}) == 3
    assert supervisor.get(f"{POLICY}/mine")["revealed_today"] == 0


def test_it_is_revealed_as_far_as_one_oversees(team: Team, rivals: Team, auditor: Client) -> None:
    fields = known()
    customer = team.rep.entered(**fields)
    pooled = team.pooled("agency", **known())
    for overseer in (another(team), team.manager, team.admin, team.headquarters.admin):
        assert expect(201, reveal(overseer, customer))["value"] == fields["phone"]
    for agency in (team.admin, team.headquarters.admin):
        expect(201, reveal(agency, pooled))
    for unpermitted in (team.rep, team.colleague, auditor):
        assert reveal(unpermitted, customer).status_code == 403
    elsewhere = team.headquarters.person("supervisor", team.other_department_id)
    for stranger in (elsewhere, rivals.supervisor, rivals.manager, rivals.admin):
        assert reveal(stranger, customer).status_code == 404
        assert reveal(stranger, SOMEBODY).status_code == 404
    assert reveal(another(team), pooled).status_code == 404


def test_the_list_of_reveals_is_seen_as_far_as_one_oversees(team: Team, rivals: Team) -> None:
    customer = team.rep.entered(**known())
    expect(201, reveal(team.supervisor, customer))
    expect(201, reveal(team.headquarters.admin, customer, "fax"))
    listed = f"/v1/reveals?customer_id={customer}"
    assert len(team.admin.pages(listed)) == 2
    assert len(team.supervisor.pages(listed)) == 1
    for stranger in (team.rep, team.neighbour, rivals.supervisor, rivals.admin):
        assert stranger.pages(listed) == []


@pytest.mark.parametrize(
    "body",
    [
        {"field": "address", "reason": "x"},
        {"field": "name", "reason": "x"},
        {"field": "phone"},
        {"field": "phone", "reason": " "},
        {"field": "phone", "reason": "x" * 201},
        {"field": "phone", "reason": "x", "customer_id": SOMEBODY},
        {},
        [],
    ],
)
def test_half_a_reveal_is_refused(team: Team, body: Any) -> None:
    customer = team.rep.entered(**known())
    assert team.supervisor.request("POST", f"/v1/customers/{customer}/reveals", body).status_code == 422


def test_the_list_takes_no_cursor_of_elsewhere(team: Team) -> None:
    assert team.supervisor.request("GET", "/v1/reveals?cursor=nonsense").status_code == 422
    assert team.supervisor.request("GET", "/v1/reveals?customer_id=nobody").status_code == 422


# --- roles that agencies make


def test_no_role_of_an_agency_shows_what_headquarters_hides(root: Client, headquarters: Headquarters, team: Team) -> None:
    seller = headquarters.person("rep", team.department_id)
    customer = seller.entered(phone=f"0514-{digits()}")
    set_to(root, levels={"rep": {"own": {"phone": "hidden"}}})
    eventually(lambda: seller.get(path(customer))["phone"], until=lambda phone: phone is None)
    everyday = [{"permission": "profile:read", "scope": "own"}]
    role = expect(201, team.admin.request("POST", "/v1/roles", {"name": unique("岗"), "grants": everyday}))
    whose = f"/v1/users/{seller.user['id']}"
    tag = f'"{team.admin.get(whose)["version"]}"'
    expect(200, team.admin.request("PATCH", whose, {"roles": ["rep", role["id"]]}, If_Match=tag))
    again = seller.log_in(seller.user["login"], PASSWORD)
    assert again.get("/v1/me")["roles"] == ["rep", role["id"]]
    assert again.get(path(customer))["phone"] is None
