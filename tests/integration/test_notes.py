"""Notes, timelines and the log, and the first contact that comes in time or not, over HTTP and by the operation of rules."""

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from embedded.stack import Stack
from services.contracts.activities import CLOSE_DEADLINE, ClosedDeadline, CloseDeadline
from services.contracts.errors import InvalidRequest, PermissionDenied
from services.plumbing.passport import Signer
from tests.api import Client, Headquarters, Team, eventually, expect, unique
from tests.faults.world import Calls


@pytest.fixture(scope="module")
def team(headquarters: Headquarters) -> Team:
    return headquarters.team()


def slug(answer: Any) -> str:
    return str(answer.json().get("type", "")).removeprefix("urn:qudao:problem:")


def notes_of(who: Client, customer_id: str) -> list[Any]:
    return who.pages(f"/v1/customers/{customer_id}/notes", limit=2)


# --- notes


def test_a_note_says_who_wrote_it_and_is_seen_by_whoever_holds_the_customer_later(team: Team) -> None:
    customer_id = team.rep.entered()
    expect(201, team.rep.note(customer_id, maturity=1, content="第一次"))
    expect(200, team.supervisor.act(customer_id, "transfer", to=team.colleague.user["id"]))
    expect(201, team.colleague.note(customer_id, maturity=2, content="第二次"))
    for reader in (team.colleague, team.supervisor, team.admin):
        assert [(note["author_name"], note["content"]) for note in notes_of(reader, customer_id)] == [
            (team.colleague.user["display_name"], "第二次"),
            (team.rep.user["display_name"], "第一次"),
        ]
    gone = team.rep.request("GET", f"/v1/customers/{customer_id}/notes")
    assert (gone.status_code, slug(gone)) == (404, "not-found")


def test_only_who_holds_a_customer_writes_notes_on_it(team: Team) -> None:
    customer_id = team.rep.entered()
    assert slug(team.supervisor.note(customer_id, maturity=1)) == "not-the-owner"
    assert slug(team.neighbour.note(customer_id, maturity=1)) == "not-found"
    assert team.admin.note(customer_id, maturity=1).status_code == 403
    pooled = team.pooled("public")
    assert team.rep.note(pooled, maturity=1).status_code in (403, 404)
    assert notes_of(team.rep, customer_id) == []


@pytest.mark.parametrize(
    "fields", [{}, {"maturity": None}, {"maturity": -1}, {"maturity": 10}, {"maturity": 1, "is_effective": True}]
)
def test_a_note_without_a_proper_maturity_is_refused(team: Team, fields: dict[str, Any]) -> None:
    answer = team.rep.note(team.rep.entered(), **fields)
    assert (answer.status_code, slug(answer)) == (422, "invalid-request")


def test_a_note_names_a_visit_method_as_headquarters_lays_them_down(headquarters: Headquarters, team: Team) -> None:
    customer_id, code = team.rep.entered(), unique("w")
    path = f"/v1/dictionaries/visit_method/{code}"

    def refused() -> bool:
        answer = team.rep.note(customer_id, maturity=1, method=code)
        return answer.status_code == 422 and answer.json()["errors"][0]["pointer"] == "/method"

    begun = [entry["code"] for entry in team.rep.get("/v1/dictionaries/visit_method")["entries"] if entry["version"] == 1]
    assert {"phone", "visit", "chat", "mail", "other"} < set(begun)
    for each in begun:
        expect(201, team.rep.note(customer_id, maturity=1, method=each))

    assert refused()
    expect(200, headquarters.admin.request("PUT", path, {"label": "直播"}, If_Match='"0"'))
    eventually(lambda: not refused())
    expect(200, headquarters.admin.request("PUT", path, {"label": "直播", "is_active": False}, If_Match='"1"'))
    eventually(refused)
    assert code in {note["method"] for note in notes_of(team.rep, customer_id)}


def test_pages_of_notes_and_timeline_have_neither_gaps_nor_repeats(team: Team) -> None:
    customer_id = team.rep.entered()
    written = [expect(201, team.rep.note(customer_id, maturity=1))["id"] for _ in range(5)]
    expect(200, team.supervisor.act(customer_id, "transfer", to=team.colleague.user["id"]))
    written += [expect(201, team.colleague.note(customer_id, maturity=1))["id"] for _ in range(2)]
    path = f"/v1/customers/{customer_id}/timeline"
    eventually(lambda: len(team.colleague.pages(path)), until=lambda count: count == 9)
    for limit in (1, 2, 3, 200):
        timeline = team.colleague.pages(path, limit=limit)
        assert [entry["id"] for entry in timeline] == sorted((entry["id"] for entry in timeline), reverse=True)
        assert [entry["id"] for entry in timeline if entry["kind"] == "note"] == written[::-1]
        assert [entry["event"]["name"] for entry in timeline if entry["kind"] == "event"] == [
            "customer_moved",
            "customer_entered",
        ]
    assert [note["id"] for note in notes_of(team.colleague, customer_id)] == written[::-1]
    assert timeline[0]["actor"] == team.colleague.user["id"]


def test_a_cursor_that_is_none_of_ours_is_refused(team: Team) -> None:
    customer_id = team.rep.entered()
    for path in (f"/v1/customers/{customer_id}/notes", f"/v1/customers/{customer_id}/timeline"):
        assert slug(team.rep.request("GET", f"{path}?cursor=x")) == "invalid-cursor"
    assert slug(team.admin.request("GET", "/v1/log?cursor=x")) == "invalid-cursor"


def test_an_agencys_log_holds_its_own_events_alone(headquarters: Headquarters, team: Team) -> None:
    customer_id = team.rep.entered()
    own = eventually(lambda: team.admin.pages(f"/v1/log?aggregate_id={customer_id}"))
    assert [entry["name"] for entry in own] == ["customer_entered"]
    other = headquarters.team()
    assert other.admin.pages(f"/v1/log?aggregate_id={customer_id}") == []
    assert team.rep.request("GET", "/v1/log").status_code == 403


def test_a_person_and_his_allowance_are_both_in_the_log(headquarters: Headquarters) -> None:
    user = headquarters.add_user()

    def told() -> list[tuple[str, str, int]]:
        found = headquarters.admin.pages(f"/v1/log?aggregate_id={user['id']}")
        return sorted((entry["source"], entry["name"], entry["version"]) for entry in found)

    eventually(told, until=lambda names: names == [("identity", "user_added", 1), ("rules", "allowance_set", 1)])


# --- the first contact, closed by rules


class Rules:
    """Asks as rules does, on the bus."""

    def __init__(self, stack: Stack) -> None:
        self.calls = Calls(stack.amqp_uri)
        self.signer = Signer("rules", (stack.secrets / "signing" / "rules.pem").read_text())

    def close(self, due: datetime, *, forfeit: bool = True, **held: Any) -> ClosedDeadline:
        """Each time as a new command. Raises the operation's errors."""
        command = CloseDeadline(due=due, forfeit=forfeit, **held)
        options: dict[str, Any] = {"passport": self.signer.own(), "command_id": str(uuid4())}
        return self.calls.begin(CLOSE_DEADLINE, command, 10, **options).result(15)


@pytest.fixture(scope="module")
def rules(stack: Stack) -> Iterator[Rules]:
    asking = Rules(stack)
    yield asking
    asking.calls.stop()


@pytest.fixture
def held(team: Team) -> dict[str, Any]:
    """A customer of the rep's, as rules names it."""
    customer_id = team.rep.entered()
    return {"customer_id": customer_id, "agency_id": team.agency_id, "owner_id": team.rep.user["id"], "holding": 1}


def now() -> datetime:
    return datetime.now(UTC)


def closings(team: Team, customer_id: str) -> list[Any]:
    log = team.admin.pages(f"/v1/log?aggregate_id={customer_id}")
    return [entry["data"] for entry in log if entry["name"] == "deadline_closed"]


def test_a_verdict_is_for_good_and_told_once(team: Team, rules: Rules, held: dict[str, Any]) -> None:
    due = now()
    assert rules.close(due, forfeit=False, **held).verdict == "missed"
    expect(201, team.rep.note(held["customer_id"], maturity=1))
    assert rules.close(due, forfeit=True, **held).verdict == "missed"
    expect(201, team.rep.note(held["customer_id"], maturity=1))
    [told] = eventually(lambda: closings(team, held["customer_id"]))
    assert (told["verdict"], told["forfeited"], told["holding"]) == ("missed", False, 1)


def test_a_note_before_the_time_is_met_and_one_after_it_is_late(team: Team, rules: Rules, held: dict[str, Any]) -> None:
    note = expect(201, team.rep.note(held["customer_id"], maturity=0, not_reached=True))
    written_at = datetime.fromisoformat(note["written_at"])
    closed = rules.close(written_at, **held)
    assert (closed.verdict, closed.first_note_at) == ("met", written_at)

    other = {**held, "customer_id": team.rep.entered()}
    due = now()
    expect(201, team.rep.note(other["customer_id"], maturity=1))
    assert rules.close(due, **other).verdict == "late"
    expect(201, team.rep.note(other["customer_id"], maturity=1))


def test_who_has_forfeited_a_customer_writes_nothing_more_and_its_next_holder_does(
    stack: Stack, team: Team, rules: Rules, held: dict[str, Any]
) -> None:
    customer_id = held["customer_id"]
    assert rules.close(now(), **held).verdict == "missed"
    refused = team.rep.note(customer_id, maturity=1)
    assert (refused.status_code, slug(refused)) == (409, "follow-up-forfeited")
    assert notes_of(team.rep, customer_id) == []
    [told] = eventually(lambda: closings(team, customer_id))
    assert told["forfeited"] is True

    expect(200, team.supervisor.act(customer_id, "transfer", to=team.colleague.user["id"]))
    expect(201, team.colleague.note(customer_id, maturity=1))
    assert rules.close(now(), **held).verdict == "missed", "the time of the one before"
    assert rules.close(now(), **{**held, "holding": 2, "owner_id": team.colleague.user["id"]}).verdict == "met"


def test_nothing_is_missed_before_its_time(rules: Rules, held: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        rules.close(now() + timedelta(hours=1), **held)
    assert rules.close(now(), **held).verdict == "missed"


def test_of_the_first_note_and_the_end_of_its_time_one_is_first(team: Team, rules: Rules) -> None:
    """Each pair at the same moment: the note was taken and the verdict knows it, or it was refused."""
    seen: set[tuple[int, str]] = set()
    tries = 0
    while tries < 10 or (len(seen) < 2 and tries < 100):
        tries += 1
        customer_id, start = team.rep.entered(), threading.Barrier(2)
        held = {"customer_id": customer_id, "agency_id": team.agency_id, "owner_id": team.rep.user["id"], "holding": 1}

        def write(customer_id: str = customer_id, start: threading.Barrier = start) -> Any:
            start.wait()
            return team.rep.note(customer_id, maturity=1)

        def close(held: dict[str, Any] = held, start: threading.Barrier = start) -> ClosedDeadline:
            due = now()
            start.wait()
            time.sleep(random.uniform(0, 0.02))  # reading the customer comes before the note: else closing would always win
            return rules.close(due, **held)

        with ThreadPoolExecutor(2) as pool:
            writing, closing = pool.submit(write), pool.submit(close)
            note, closed = writing.result(), closing.result()
        outcome = (note.status_code, closed.verdict)
        assert outcome in ((201, "late"), (409, "missed"))
        assert len(notes_of(team.rep, customer_id)) == (1 if note.status_code == 201 else 0)
        seen.add(outcome)
    assert len(seen) == 2, "each of them is first now and then"


def test_users_close_no_deadlines(stack: Stack, rules: Rules, held: dict[str, Any]) -> None:
    for issuer in ("customers", "gateway"):
        pem = (stack.secrets / "signing" / f"{issuer}.pem").read_text()
        options: dict[str, Any] = {"passport": Signer(issuer, pem).own(), "command_id": str(uuid4())}
        command = CloseDeadline(due=now(), forfeit=True, **held)
        with pytest.raises(PermissionDenied):
            rules.calls.begin(CLOSE_DEADLINE, command, 10, **options).result(15)


# --- the second wall


@pytest.mark.parametrize("table", ["contact_note", "follow_up", "log_entry"])
def test_behind_the_wall_of_an_agency_nothing_of_another_is_seen(
    stack: Stack, team: Team, held: dict[str, Any], table: str
) -> None:
    expect(201, team.rep.note(held["customer_id"], maturity=1))
    eventually(lambda: team.admin.pages(f"/v1/log?aggregate_id={held['customer_id']}"))
    count = f"SELECT count(*) FROM {table} WHERE agency_id = %s"  # noqa: S608 constants
    with psycopg.connect(stack.database_url("activities"), autocommit=True) as app:
        with pytest.raises(psycopg.errors.UndefinedObject):
            app.execute(count, [team.agency_id])  # type: ignore[arg-type]
        app.execute("SELECT set_config('qudao.agency', %s, false)", [str(uuid4())])
        assert app.execute(count, [team.agency_id]).fetchone() == (0,)  # type: ignore[arg-type]
        app.execute("SELECT set_config('qudao.agency', %s, false)", [team.agency_id])
        assert app.execute(count, [team.agency_id]).fetchone() > (0,)  # type: ignore[arg-type, operator]
