"""Accounts that nobody uses: noticed, then locked, by calendar days. The stack is these tests' own, as they travel in time."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from threading import Barrier
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import psycopg
import pytest

from embedded.stack import Stack
from tests.api import PASSWORD, Client, Headquarters, Team, eventually, expect
from tests.conftest import OFTEN
from tests.homes import made_home
from tests.travel import later

ZONE = ZoneInfo("Asia/Shanghai")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(made_home(tmp_path_factory, "inactivity"), fast=True, env=OFTEN) as running:
        yield running


@pytest.fixture(scope="module")
def headquarters(stack: Stack) -> Headquarters:
    return Headquarters.set_up(stack.url, stack.setup_secret)


@pytest.fixture
def team(headquarters: Headquarters) -> Team:
    return headquarters.team()


def told(answer: Any) -> tuple[int, str]:
    return answer.status_code, str(answer.json().get("type", "")).removeprefix("urn:qudao:problem:")


def rows(stack: Stack, query: str, *values: Any, service: str = "identity") -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.owner_url(service)) as owner:
        return owner.execute(query, values).fetchall()  # type: ignore[arg-type]


def day_of_now(days: int) -> timedelta:
    """Until ten in the morning of the agencies' so many days from now, which is in the middle of that day."""
    now = datetime.now(UTC).astimezone(ZONE)
    then = datetime.combine(now.date() + timedelta(days=days), now.time().replace(hour=10), ZONE)
    return then - now


def put(who: Client, **policy: Any) -> httpx.Response:
    return who.request("PUT", "/v1/policies/inactivity", policy)


def notices(stack: Stack, user_id: str) -> list[Any]:
    query = "SELECT data FROM outbox WHERE name = 'inactivity_noticed' AND data->>'user_id' = %s ORDER BY seq"
    return [data for (data,) in rows(stack, query, user_id)]


def test_an_account_is_noticed_once_and_locked_by_calendar_days(stack: Stack, headquarters: Headquarters, team: Team) -> None:
    expect(200, put(headquarters.admin, agency_id=team.agency_id, days=30, notice_days=5))
    person, active = team.rep, team.colleague
    person.entered()
    user_id, today = person.user["id"], datetime.now(UTC).astimezone(ZONE).date()
    path = f"/v1/users/{user_id}"
    assert team.admin.get(path)["locked_in_days"] == 31

    with later(stack, day_of_now(25)):
        admin = team.admin.log_in(team.admin.user["login"], PASSWORD)
        assert admin.get(path)["locked_in_days"] == 6
        assert user_id not in soon(admin, 5)
    assert notices(stack, user_id) == []

    with later(stack, day_of_now(26)):
        admin = team.admin.log_in(team.admin.user["login"], PASSWORD)
        active.log_in(active.user["login"], PASSWORD)
        [notice] = eventually(lambda: notices(stack, user_id))
        assert date.fromisoformat(notice["locked_on"]) == today + timedelta(days=31)
        assert notice["department_id"] == team.department_id
        assert soon(admin, 5)[user_id] == 5
        assert active.user["id"] not in soon(admin, 30)
    with later(stack, day_of_now(30)):
        admin = team.admin.log_in(team.admin.user["login"], PASSWORD)
        assert soon(admin, 1)[user_id] == 1
        assert admin.get(path)["status"] == "active"

    with later(stack, day_of_now(31)):
        admin = team.admin.log_in(team.admin.user["login"], PASSWORD)
        eventually(lambda: admin.get(path)["status"], until=lambda status: status == "locked")
        assert [user["id"] for user in admin.pages(f"/v1/users?status=locked&department_id={team.department_id}")] == [user_id]
        by = "SELECT new->>'status', new->>'decided_by' FROM audit WHERE operation = 'identity.lock_user' AND subject_id = %s"
        assert rows(stack, by, user_id) == [("locked", "agency:1")]
        away = "SELECT data FROM outbox WHERE name = 'holder_away' AND data->>'person_id' = %s"
        [(told_of,)] = eventually(lambda: rows(stack, away, user_id, service="customers"))
        assert (told_of["status"], told_of["customers"], told_of["department_id"]) == ("locked", 1, team.department_id)
        restored = admin.post(f"{path}/restore", None, status=200)
        assert (restored["status"], restored["handed_over"]) == ("active", None)
    with later(stack, day_of_now(31 + 26)):  # a new absence, of which is told anew
        eventually(lambda: len(notices(stack, user_id)), until=lambda count: count == 2)
    logged = "SELECT count(*) FROM log_entry WHERE name = 'inactivity_noticed' AND data->>'user_id' = %s"
    eventually(lambda: rows(stack, logged, user_id, service="activities"), until=lambda found: found == [(2,)])


def soon(who: Client, days: int) -> dict[str, int]:
    """Who will be locked within so many days, with the days left."""
    return {user["id"]: user["locked_in_days"] for user in who.pages(f"/v1/users?locked_within_days={days}", limit=3)}


def test_headquarters_sets_the_days_and_an_agency_may_only_be_stricter(headquarters: Headquarters, team: Team) -> None:
    general = expect(200, put(headquarters.admin, days=60, notice_days=10))
    assert (general["days"], general["version"]) == (60, 1)
    mine = team.admin.get("/v1/policies/inactivity")
    assert (mine["days"], mine["notice_days"], mine["version"], mine["own_days"]) == (60, 10, 0, None)

    laxer = put(team.admin, days=61)
    assert (laxer.status_code, laxer.json()["errors"][0]["pointer"]) == (422, "/days")
    assert expect(200, put(team.admin, days=40))["days"] == 40
    assert headquarters.admin.get(f"/v1/policies/inactivity?agency_id={team.agency_id}")["own_days"] == 40

    expect(200, put(headquarters.admin, days=20))  # stricter than the agency by now
    shown = team.admin.get("/v1/policies/inactivity")
    assert (shown["days"], shown["own_days"]) == (20, 40)
    expect(200, put(headquarters.admin, days=60))
    assert expect(200, put(team.admin, days=None))["days"] == 60
    assert expect(200, put(headquarters.admin, days=None))["days"] == 90  # of the process


def test_who_may_set_the_days(headquarters: Headquarters, team: Team) -> None:
    other, office = headquarters.agency()["id"], headquarters.admin.get("/v1/me")["department_id"]
    of_headquarters = headquarters.person("agency_admin", office)
    assert told(put(team.rep, days=10)) == (403, "permission-denied")
    assert told(put(of_headquarters, days=10)) == (403, "permission-denied")  # it would count for all
    assert told(put(team.admin, agency_id=other, days=10)) == (404, "not-found")
    assert told(team.admin.request("GET", f"/v1/policies/inactivity?agency_id={other}")) == (404, "not-found")
    assert team.rep.get("/v1/policies/inactivity")["agency_id"] == team.agency_id
    for days in (0, -1, 4000, "ten"):
        assert put(team.admin, days=days).status_code == 422
    assert put(team.admin).status_code == 422


def test_of_two_administrators_who_let_each_other_go_at_once_one_stays(headquarters: Headquarters) -> None:
    office = headquarters.admin.get("/v1/me")
    other = headquarters.person("subsystem_admin", office["department_id"])
    ids = [office["id"], other.user["id"]]
    start = Barrier(2)

    def order(who: Client, user_id: str) -> int:
        start.wait()
        return who.request("POST", f"/v1/users/{user_id}/leaving", {}).status_code

    asks: list[Callable[[], int]] = [
        lambda: order(headquarters.admin, ids[1]),
        lambda: order(other, ids[0]),
    ]
    with ThreadPoolExecutor(2) as pool:
        statuses = list(pool.map(lambda ask: ask(), asks))
    assert statuses.count(202) == 1, statuses
    stays = headquarters.admin if statuses[0] == 202 else other
    gone = ids[1] if statuses[0] == 202 else ids[0]
    me = ids[0] if statuses[0] == 202 else ids[1]
    assert told(stays.request("POST", f"/v1/users/{me}/leaving", {})) == (403, "own-account")
    eventually(lambda: stays.get(f"/v1/leavings?user_id={gone}")["items"][0]["status"], until=lambda status: status == "done")
    stays.post(f"/v1/users/{gone}/restore", None, status=200)
    headquarters.admin = headquarters.admin.log_in("root", PASSWORD)


def test_the_last_administrator_is_neither_noticed_nor_about_to_be_locked(stack: Stack, headquarters: Headquarters) -> None:
    office = headquarters.admin.get("/v1/me")
    for user in headquarters.admin.pages("/v1/users?status=active"):
        if "subsystem_admin" in user["roles"] and user["id"] != office["id"]:
            headquarters.admin.post(f"/v1/users/{user['id']}/disable", None, status=200)
    assert headquarters.admin.get(f"/v1/users/{office['id']}")["locked_in_days"] is None
    other = headquarters.person()
    with later(stack, day_of_now(88)):
        eventually(lambda: notices(stack, other.user["id"]))
    assert notices(stack, office["id"]) == []
