"""The rules of the collision check are headquarters' setting: in versions, previewed, and felt at once everywhere."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest

from embedded.stack import Stack
from services.contracts.collision import DEFAULT_WEIGHTS
from services.contracts.collision_rules import MEANINGS, RULES_ID
from tests.api import Client, Headquarters, Team, brand, company, digits, eventually, expect, unique

PATH = "/v1/collision-rules"


def in_force(who: Client) -> Any:
    return who.get(PATH)


def put(who: Client, rules: Any, version: int | None = None, **headers: str) -> httpx.Response:
    tag = f'"{in_force(who)["version"] if version is None else version}"'
    return who.request("PUT", PATH, rules, **{"If_Match": tag} | headers)


def set_to(who: Client, **rules: Any) -> Any:
    return expect(200, put(who, rules))


def preview(who: Client, rules: Any, **asked: Any) -> Any:
    return who.post(f"{PATH}/preview", {"rules": rules, **asked}, status=200)


def ask(stack: Stack, query: str, *values: Any, service: str = "customers") -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.owner_url(service)) as owner:
        return owner.execute(query, values).fetchall()  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def team(headquarters: Headquarters) -> Team:
    return headquarters.team()


@pytest.fixture
def root(headquarters: Headquarters) -> Iterator[Client]:
    """Headquarters; what it sets is the default again afterwards, as other tests rely on it."""
    yield headquarters.admin
    set_to(headquarters.admin)


# --- setting them


def test_the_rules_say_each_criterion_its_weight_and_its_meaning(root: Client, team: Team) -> None:
    for reader in (root, team.rep, team.admin):
        rules = in_force(reader)
        told = {each["criterion"]: (each["meaning"], each["weight"], each["default_weight"]) for each in rules["criteria"]}
        assert told == {name: (MEANINGS[name], weight, weight) for name, weight in DEFAULT_WEIGHTS.items()}
        assert (rules["rules"]["refuse_at"], rules["rules"]["review_at"], rules["rules"]["most_sharers"]) == (90, 50, None)


def test_what_is_not_given_is_as_by_default(root: Client) -> None:
    set_to(root, weights={"website": 70}, review_at=40)

    shown = set_to(root, weights={"branch": 30}, refuse_at=95)

    assert shown["rules"]["weights"] == DEFAULT_WEIGHTS | {"branch": 30}
    assert (shown["rules"]["refuse_at"], shown["rules"]["review_at"]) == (95, 50)
    assert (shown["set_by"], shown["set_by_name"]) == (root.user["user_id"], "总管")
    assert in_force(root) == shown


def test_an_entity_tag_says_which_version_it_is(root: Client) -> None:
    version = set_to(root, refuse_at=80)["version"]
    answer = root.request("GET", PATH)
    assert answer.headers["ETag"] == f'"{version}"'
    assert root.request("GET", PATH, If_None_Match=f'"{version}"').status_code == 304


def test_a_stale_version_is_refused_and_changes_nothing(root: Client) -> None:
    version = set_to(root, refuse_at=80)["version"]
    for stale in (version - 1, version + 1, 0, 4_000_000_000):
        assert put(root, {"refuse_at": 70}, stale).status_code == 412
    assert root.request("PUT", PATH, {"refuse_at": 70}).status_code == 428
    assert in_force(root)["rules"]["refuse_at"] == 80


@pytest.mark.parametrize(
    "rules",
    [
        {"weights": {"website": 101}},
        {"weights": {"unheard_of": 1}},
        {"weights": {"name_fragment": 60}},
        {"weights": []},
        {"review_at": 91},
        {"refuse_at": 0},
        {"most_sharers": 0},
        {"threshold": 5},
        {"near_entries": "drop"},
    ],
)
def test_rules_that_make_no_sense_are_refused(root: Client, rules: Any) -> None:
    assert put(root, rules).status_code == 422
    assert root.request("POST", f"{PATH}/preview", {"rules": rules}).status_code == 422


def test_of_many_who_set_them_at_once_one_is_heard(stack: Stack, root: Client) -> None:
    version, start = in_force(root)["version"], threading.Barrier(8)

    def change(number: int) -> httpx.Response:
        start.wait()
        headers = {"Authorization": f"Bearer {root.token}", "If-Match": f'"{version}"'}
        url = stack.gateway_urls[number % 2]
        return httpx.put(f"{url}{PATH}", json={"refuse_at": 80 + number}, headers=headers, timeout=20)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(change, range(8)))

    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
    [winner] = [answer.json() for answer in answers if answer.status_code == 200]
    assert in_force(root)["rules"] == winner["rules"]


def test_the_same_request_again_sets_them_once(root: Client) -> None:
    key, version = unique("key"), in_force(root)["version"]
    answers = [put(root, {"refuse_at": 85}, version, Idempotency_Key=key) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert in_force(root)["version"] == version + 1


def test_a_change_is_audited_with_old_and_new_and_told(stack: Stack, root: Client) -> None:
    before = set_to(root, refuse_at=81)
    after = set_to(root, refuse_at=82)

    audited = "SELECT actor, old, new FROM audit WHERE subject_id = %s AND result = 'done' ORDER BY id DESC LIMIT 1"
    [(actor, old, new)] = ask(stack, audited, RULES_ID)
    assert (actor, old["rules"], new["rules"]) == (after["set_by"], before["rules"], after["rules"])
    logged = "SELECT data FROM log_entry WHERE aggregate_id = %s AND version = %s"
    [(told,)] = eventually(lambda: ask(stack, logged, RULES_ID, after["version"], service="activities"))
    assert told == {"rules": after["rules"], "set_by": after["set_by"]}


def test_only_headquarters_sets_previews_and_looks_back(root: Client, team: Team) -> None:
    for person in (team.rep, team.supervisor, team.manager, team.admin):
        assert put(person, {}).status_code == 403
        assert person.request("POST", f"{PATH}/preview", {"rules": {}}).status_code == 403
        assert person.request("GET", f"{PATH}/versions").status_code == 403
        assert person.request("GET", f"{PATH}/filing").status_code == 403


def test_agencies_are_not_told_who_set_them(root: Client, team: Team) -> None:
    version = set_to(root, refuse_at=88)["version"]
    shown = in_force(team.rep)
    assert (shown["version"], shown["set_by"], shown["set_by_name"]) == (version, None, None)
    assert shown["set_at"]


def test_all_versions_are_listed_the_newest_first(root: Client) -> None:
    for refuse_at in (71, 72, 73):
        set_to(root, refuse_at=refuse_at)

    versions = root.pages(f"{PATH}/versions", limit=2)

    assert [each["version"] for each in versions] == list(range(in_force(root)["version"], 0, -1))
    assert [each["rules"]["refuse_at"] for each in versions[:3]] == [73, 72, 71]
    assert {each["set_by_name"] for each in versions[:3]} == {"总管"}
    for cursor in ("x", "WyItMSJd", "WzFd", "WyI5OTk5OTk5OTk5OTk5OSJd"):
        assert root.request("GET", f"{PATH}/versions?cursor={cursor}").status_code == 422


def test_nobody_rewrites_what_was_set(stack: Stack, root: Client) -> None:
    set_to(root, refuse_at=77)
    for statement in ("UPDATE collision_rules SET set_by = 'x'", "DELETE FROM collision_rules", "TRUNCATE collision_rules"):
        with psycopg.connect(stack.database_url("customers")) as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(statement)  # type: ignore[arg-type]


def test_criteria_of_a_newer_release_are_passed_over(stack: Stack, root: Client, team: Team) -> None:
    rules = in_force(root)["rules"]
    newer = json.dumps(rules | {"weights": rules["weights"] | {"share_register": 40, "branch": 25}, "added_later": True})
    with psycopg.connect(stack.owner_url("customers")) as owner:
        owner.execute("INSERT INTO collision_rules SELECT max(version) + 1, %s, 'x', clock() FROM collision_rules", [newer])
    assert verdicts(stack, team.rep, 4, name=company()) == {"free"}
    assert in_force(root)["rules"]["weights"] == DEFAULT_WEIGHTS | {"branch": 25}
    assert root.get(f"{PATH}/versions?limit=1")["items"][0]["set_by_name"] is None


def verdicts(stack: Stack, who: Client, number: int, **criteria: str) -> set[str]:
    """Of so many checks over both gateways, which both replicas answer."""
    headers = {"Authorization": f"Bearer {who.token}"}
    asked = (
        httpx.post(f"{stack.gateway_urls[at % 2]}/v1/collision-checks", json=criteria, headers=headers, timeout=20)
        for at in range(number)
    )
    return {answer.json()["verdict"]["verdict"] for answer in asked}


def test_a_change_counts_at_the_next_check_on_every_replica(stack: Stack, root: Client, team: Team) -> None:
    own = brand()
    team.colleague.entered(f"扬州{own}印花厂")
    near = {"name": f"南京{own}印花厂"}
    for _ in range(2):
        set_to(root)
        assert verdicts(stack, team.rep, 8, **near) == {"free"}
        set_to(root, weights={"name_elsewhere": 60})
        assert verdicts(stack, team.rep, 8, **near) == {"needs_confirmation"}
        set_to(root, weights={"name_elsewhere": 95})
        assert verdicts(stack, team.rep, 8, **near) == {"refused"}
    assert expect(409, team.rep.enter(near["name"]))["outcome"] == "refused"


# --- what would change


@pytest.fixture
def namesakes(team: Team) -> str:
    """A brand of which there is a company in two cities, entered last of all."""
    own = brand()
    team.rep.entered(f"扬州{own}印花厂")
    team.colleague.entered(f"南京{own}印花厂")
    return own


def test_a_preview_says_who_would_come_to_what(root: Client, namesakes: str) -> None:
    found = preview(root, {"weights": {"name_elsewhere": 60}}, sample_size=2)

    assert (found["sampled"], found["examined"], found["is_complete"]) == (2, 2, True)
    assert found["transitions"] == [{"before": "free", "after": "needs_confirmation", "count": 2}]
    assert (found["before"]["free"], found["after"]["needs_confirmation"]) == (2, 2)
    assert (found["before"]["share_needing_confirmation"], found["after"]["share_needing_confirmation"]) == (0, 1)
    example = next(each for each in found["examples"] if each["name"] == f"南京{namesakes}印花厂")
    assert example["met_name"] == f"扬州{namesakes}印花厂"
    assert (example["before"]["effect"], example["before"]["score"]) == ("listed", 20)
    assert (example["after"]["effect"], example["after"]["score"]) == ("near", 60)
    assert "in another city" in example["after"]["reasons"][0]


def test_a_customer_does_not_meet_itself(root: Client, team: Team) -> None:
    team.rep.entered(company(), phone=f"0514-{digits()}")
    found = preview(root, {}, sample_size=1)
    assert found["transitions"] == [{"before": "free", "after": "free", "count": 1}]
    assert found["examples"] == []


def test_a_preview_changes_nothing(stack: Stack, root: Client, namesakes: str) -> None:
    version, rows = in_force(root)["version"], ask(stack, "SELECT count(*) FROM audit WHERE result = 'done'")
    preview(root, {"weights": {"name": 0}}, sample_size=50)
    preview(root, {"weights": {"name": 0}}, sample_size=50, sample="spread")
    assert in_force(root)["version"] == version
    assert ask(stack, "SELECT count(*) FROM audit WHERE result = 'done'") == rows


def test_a_looser_rule_frees_what_was_refused(root: Client, team: Team) -> None:
    own = brand()
    team.pooled("agency", f"扬州{own}印花厂")
    team.pooled("agency", f"扬州市{own}印花有限公司", keep_twin="两个登记")

    found = preview(root, {"refuse_at": 101}, sample_size=2)

    assert found["transitions"] == [{"before": "refused", "after": "needs_confirmation", "count": 2}]
    assert {each["before"]["effect"] + each["after"]["effect"] for each in found["examples"]} == {"samenear"}


def test_a_preview_says_which_keys_would_stop_deciding_without_telling_them(root: Client, team: Team) -> None:
    number, site = digits(), f"{unique('w')}.com"
    for _ in range(4):
        team.pooled("agency", phone=f"0514-{number}", website=site, keep_twin="同一电话")

    found = preview(root, {"most_sharers": 2}, sample_size=4)

    shared = [each for each in found["shared_keys"] if each["kind"] == "website" and each["key"] == site]
    assert [(each["sharers"], each["stops_deciding"]) for each in shared] == [(4, True)]
    assert len(found["shared_keys"]) <= 20
    masked = [each["key"] for each in found["shared_keys"] if each["kind"] == "number"]
    assert f"****{number[-3:]}" in masked
    assert number not in str(found["shared_keys"])
    assert found["transitions"] == [{"before": "refused", "after": "free", "count": 4}]


@pytest.mark.parametrize("sample", ["latest", "spread"])
def test_a_large_preview_ends_in_time_and_is_honest_about_how_far_it_came(root: Client, team: Team, sample: str) -> None:
    team.rep.entered()
    found = preview(root, {"review_at": 30}, sample=sample, sample_size=1_000)
    assert 1 <= found["examined"] <= found["sampled"] <= 1_000
    assert found["is_complete"] is (found["examined"] == found["sampled"])
    assert sum(each["count"] for each in found["transitions"]) == found["examined"]
    assert root.request("POST", f"{PATH}/preview", {"rules": {}, "sample_size": 1_001}).status_code == 422
