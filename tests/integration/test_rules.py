"""What rules makes of the events of others, against the real database; and days, deadlines and policies over HTTP."""

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from embedded.stack import Stack
from services.contracts.activities import ContactNoteWritten, DeadlineClosed
from services.contracts.base import Envelope, Event
from services.contracts.customers import CustomerEntered, CustomerMoved, CustomerUpdated
from services.contracts.identity import UserAdded, UserChanged
from services.contracts.rules import StockLimitChange
from services.contracts.tree import DepartmentAdded
from services.plumbing.events import handlers_of
from services.plumbing.inbox import Heard, takes_many
from services.plumbing.work import Work
from services.rules import policies, policy_queries, queries
from services.rules.models import Allowance, Deadline, Holding
from services.rules.service import RulesService
from tests.api import PASSWORD, Client, Headquarters, Team, company, eventually, expect
from tests.travel import later

SERVICE = RulesService()
START = datetime(2026, 3, 2, 1, tzinfo=UTC)
DUE = START + timedelta(hours=24)


# --- events, heard by the handlers themselves


@pytest.fixture(scope="module")
def engine(stack: Stack) -> Iterator[Engine]:
    """As the application's role."""
    made = create_engine(make_url(stack.database_url("rules")).set(drivername="postgresql+psycopg"))
    yield made
    made.dispose()


@contextmanager
def handling(engine: Engine) -> Iterator[Session]:
    """A transaction as handlers have it; it is taken back unless the test commits it."""
    with Session(engine, expire_on_commit=False) as session:
        session.execute(text("SELECT set_config('qudao.agency', '*', true)"))
        yield session


def told(event: Event, version: int, agency_id: UUID, at: datetime = START, of: UUID | None = None) -> Envelope:
    return Envelope(
        id=uuid.uuid4(),
        source=event.event_source,
        name=event.event_name,
        position=1,
        aggregate_id=of or uuid.uuid4(),
        version=version,
        agency_id=agency_id,
        actor="system:test",
        request_id="test",
        occurred_at=at,
        data=event.model_dump(mode="json"),
    )


def hear(session: Session, envelope: Envelope) -> list[dict[str, Any]]:
    """Every handler of the event; what they tell."""
    event = envelope.event()
    work = Work(session, envelope.occurred_at, envelope.agency_id, envelope.actor, envelope.request_id)
    for name in handlers_of(RulesService)[type(event)]:
        handler = getattr(SERVICE, name)
        handler([Heard(envelope, work)]) if takes_many(handler) else handler(event, envelope, work)
    session.flush()
    return work.events


class Life:
    """What is told of one web-registered member."""

    def __init__(self) -> None:
        self.customer, self.agency, self.first, self.second = (uuid.uuid4() for _ in range(4))

    def state(self, holding: int, owner: UUID | None, since: datetime, *, is_key: bool = False) -> dict[str, Any]:
        held = {"owner_id": owner, "pool_id": None if owner else uuid.uuid4(), "holding": holding, "held_since": since}
        return {"customer_id": self.customer, "name": "五环", "is_key": is_key, "source": "web", **held}

    def entered(self, version: int, owner: UUID | None, since: datetime) -> Envelope:
        event = CustomerEntered(**self.state(1, owner, since), entered_by=self.second)
        return told(event, version, self.agency, since)

    def updated(self, version: int, holding: int, owner: UUID, since: datetime) -> Envelope:
        return told(CustomerUpdated(**self.state(holding, owner, since, is_key=True)), version, self.agency, since)

    def moved(self, version: int, holding: int, owner: UUID | None, since: datetime, cause: Any) -> Envelope:
        event = CustomerMoved(**self.state(holding, owner, since, is_key=version > 3), cause=cause)
        return told(event, version, self.agency, since)

    def note(self, author: UUID, holding: int | None, at: datetime) -> Envelope:
        note_id = uuid.uuid4()
        note = ContactNoteWritten(
            note_id=note_id,
            customer_id=self.customer,
            author_id=author,
            department_id=uuid.uuid4(),
            method="phone",
            maturity=0,
            is_effective=False,
            holding=holding,
        )
        return told(note, 1, self.agency, at)

    def closed(self, owner: UUID, holding: int, due: datetime, verdict: Any) -> Envelope:
        event = DeadlineClosed(
            customer_id=self.customer,
            owner_id=owner,
            holding=holding,
            due=due,
            verdict=verdict,
            forfeited=verdict == "missed",
        )
        return told(event, holding, self.agency, due)

    def known(self, session: Session) -> Any:
        """All that the tables say of it, without ids that are made on arrival."""
        columns = (
            Deadline.holding,
            Deadline.owner_id,
            Deadline.customer_name,
            Deadline.agency_id,
            Deadline.received_at,
            Deadline.due_at,
            Deadline.first_contact_at,
            Deadline.verdict,
            Deadline.is_forfeited,
            Deadline.moved_on_at,
            Deadline.is_taken_back,
            Deadline.state,
        )
        deadlines = session.execute(
            select(*columns).where(Deadline.customer_id == self.customer).order_by(Deadline.holding)
        ).all()
        holding = session.execute(select(*Holding.__table__.c).where(Holding.customer_id == self.customer)).all()
        return [tuple(row) for row in deadlines], [tuple(row) for row in holding]

    def states(self, session: Session) -> dict[int, str]:
        is_received = Deadline.due_at.is_not(None)
        rows = session.execute(select(Deadline.holding, Deadline.state).where(Deadline.customer_id == self.customer, is_received))
        return {holding: state for holding, state in rows}


LIFE = Life()
TAKEN = DUE + timedelta(minutes=1)
AGAIN = TAKEN + timedelta(hours=1)
TAKEN_BACK_AND_GIVEN_TO_ANOTHER = (
    LIFE.entered(1, None, START - timedelta(hours=1)),
    LIFE.moved(2, 2, LIFE.first, START, "claim"),
    LIFE.updated(3, 2, LIFE.first, START),
    LIFE.closed(LIFE.first, 2, DUE, "missed"),
    LIFE.moved(4, 3, None, TAKEN, "take_back"),
    LIFE.moved(5, 4, LIFE.second, AGAIN, "assign"),
    LIFE.note(LIFE.second, 4, AGAIN + timedelta(hours=23)),
    LIFE.note(LIFE.second, 4, AGAIN + timedelta(hours=25)),
)
MET_AND_GIVEN_ON = (
    LIFE.entered(1, LIFE.second, START),
    LIFE.note(LIFE.second, 1, START + timedelta(hours=1)),
    LIFE.moved(2, 2, LIFE.first, START + timedelta(hours=2), "transfer"),
    LIFE.moved(3, 3, LIFE.second, START + timedelta(hours=3), "transfer"),
    LIFE.note(LIFE.second, 3, START + timedelta(hours=40)),
)
CLOSED_THOUGH_IT_WAS_GONE = (
    LIFE.moved(2, 2, LIFE.first, START, "claim"),
    LIFE.closed(LIFE.first, 2, DUE, "missed"),
    LIFE.moved(3, 3, None, DUE - timedelta(hours=1), "release"),
    LIFE.moved(4, 4, None, DUE + timedelta(hours=1), "open"),
)


@pytest.mark.parametrize(
    ("history", "states"),
    [
        (TAKEN_BACK_AND_GIVEN_TO_ANOTHER, {2: "taken_back", 4: "met"}),
        (MET_AND_GIVEN_ON, {1: "met", 2: "gone", 3: "late"}),
        (CLOSED_THOUGH_IT_WAS_GONE, {2: "gone"}),
    ],
)
def test_events_say_the_same_in_whatever_order_they_come(
    engine: Engine, history: tuple[Envelope, ...], states: dict[int, str]
) -> None:
    def known_after(order: tuple[Envelope, ...] | list[Envelope]) -> Any:
        with handling(engine) as session:
            for envelope in order:
                hear(session, envelope)
            return LIFE.states(session), LIFE.known(session)

    expected = known_after(history)
    assert expected[0] == states

    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.permutations(history))
    def any_order_is_as_good(order: list[Envelope]) -> None:
        assert known_after(order) == expected

    any_order_is_as_good()


def test_what_is_entered_into_a_pool_is_nobodys_new_customer(engine: Engine) -> None:
    pooled, own = Life(), Life()
    with handling(engine) as session:
        hear(session, pooled.entered(1, None, START))
        hear(session, own.moved(2, 2, own.first, START + timedelta(days=3), "transfer"))
        hear(session, own.entered(1, own.second, START))
        day = date(2026, 3, 2)
        figures = queries.figures_of(session, [pooled.second, own.second, own.first], day, START)
    assert [figures[person].entered for person in (pooled.second, own.second, own.first)] == [0, 1, 0]
    assert [figures[person].stock for person in (pooled.second, own.second, own.first)] == [0, 0, 1]


@pytest.mark.parametrize("is_note_first", [True, False])
def test_a_note_and_a_move_at_the_same_moment_see_each_other(engine: Engine, is_note_first: bool) -> None:
    """The second is heard while the first is not committed yet; it must not go by without it."""
    life = Life()
    both = [life.moved(2, 2, life.first, START, "claim"), life.note(life.first, 2, START + timedelta(hours=1))]
    first, second = both[::-1] if is_note_first else both
    with handling(engine) as session, ThreadPoolExecutor(1) as pool:
        hear(session, first)
        hearing = pool.submit(at_once, engine, second)
        eventually(lambda: hearing.done() or is_somebody_waiting(engine))
        session.commit()
        hearing.result()
    with handling(engine) as session:
        assert life.states(session) == {2: "met"}


def is_somebody_waiting(engine: Engine) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"
    with engine.connect() as connection:
        return bool(connection.scalar(text(waiting)))


def at_once(engine: Engine, *envelopes: Envelope) -> None:
    start = threading.Barrier(len(envelopes))

    def one(envelope: Envelope) -> None:
        with handling(engine) as session:
            start.wait()
            hear(session, envelope)
            session.commit()

    with ThreadPoolExecutor(len(envelopes)) as pool:
        list(pool.map(one, envelopes))


# --- allowances


class Staff:
    """One person of an agency with two departments, the one below the other."""

    def __init__(self) -> None:
        self.agency, self.house, self.team, self.person = (uuid.uuid4() for _ in range(4))

    def department(self, department: UUID, *above: UUID) -> Envelope:
        path = ".".join(str(part) for part in (*above, department))
        event = DepartmentAdded(
            department_id=department, agency_id=self.agency, parent_id=above[-1] if above else None, name="部", path=path
        )
        return told(event, 1, self.agency)

    def user(self, version: int = 1, role: str = "rep") -> Envelope:
        state: dict[str, Any] = {"login": "li", "display_name": "李", "agency_id": self.agency, "roles": [role]}
        state |= {"user_id": self.person, "department_id": self.team}
        event = UserAdded(**state) if version == 1 else UserChanged(**state, change="updated")
        return told(event, version, self.agency)

    def limit(self, session: Session, limit: int | None, **subject: Any) -> list[dict[str, Any]]:
        work = Work(session, START, self.agency, "system:test", "test")
        policy_queries.lock_policies(session, self.agency)
        policy_queries.put_limit(session, self.agency, StockLimitChange(limit=limit, **subject))
        policies.decide_allowances(work, self.agency)
        session.flush()
        return work.events

    def allowance(self, session: Session) -> tuple[int, int, str] | None:
        columns = (Allowance.version, Allowance.limit, Allowance.decided_by)
        row = session.execute(select(*columns).where(Allowance.person_id == self.person)).one_or_none()
        return tuple(row) if row else None  # type: ignore[return-value]


def test_an_allowance_is_told_when_it_is_new_or_changed_and_not_otherwise(engine: Engine) -> None:
    staff = Staff()
    with handling(engine) as session:
        hear(session, staff.department(staff.team, staff.house))
        first = hear(session, staff.user())
        again = hear(session, staff.user(2))
        lower = staff.limit(session, 50, subject="agency")
        same = staff.limit(session, 50, subject="agency")
        removed = staff.limit(session, None, subject="agency")
    assert [(told["name"], told["version"], told["data"]["limit"]) for told in first] == [("allowance_set", 1, 130)]
    assert again == same == []
    assert [(told["version"], told["data"]["limit"], told["data"]["decided_by"]) for told in lower] == [(2, 50, "agency")]
    assert [(told["version"], told["data"]["limit"], told["data"]["decided_by"]) for told in removed] == [(3, 130, "default")]


def test_a_limit_of_a_department_counts_below_it_as_soon_as_the_tree_is_known(engine: Engine) -> None:
    staff = Staff()
    with handling(engine) as session:
        staff.limit(session, 7, subject="department", department_id=staff.house)
        hear(session, staff.user())
        assert staff.allowance(session) == (1, 130, "default")
        hear(session, staff.department(staff.team, staff.house))
        assert staff.allowance(session) == (2, 7, f"department:{staff.house}")


def test_who_may_hold_nothing_is_told_nothing(engine: Engine) -> None:
    staff = Staff()
    with handling(engine) as session:
        assert hear(session, staff.user(role="auditor")) == []
        assert len(hear(session, staff.user(2, role="rep"))) == 1


def test_a_policy_and_a_person_that_change_at_the_same_moment_do_not_miss_each_other(stack: Stack, engine: Engine) -> None:
    everybody = [Staff() for _ in range(30)]
    for staff in everybody:
        start = threading.Barrier(2)
        at_once(engine, staff.user())

        def promote(staff: Staff = staff, start: threading.Barrier = start) -> None:
            with handling(engine) as session:
                start.wait()
                hear(session, staff.user(2, role="supervisor"))
                session.commit()

        def set_limit(staff: Staff = staff, start: threading.Barrier = start) -> None:
            with handling(engine) as session:
                start.wait()
                staff.limit(session, 7, subject="role", role="supervisor")
                session.commit()

        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(promote), pool.submit(set_limit)]:
                done.result()
        with handling(engine) as session:
            assert staff.allowance(session) == (2, 7, "role:supervisor")

    with psycopg.connect(stack.owner_url("rules")) as owner:  # identity never had them, and others compare the two
        for table, column in (("person", "id"), ("allowance", "person_id")):
            forget = f"DELETE FROM {table} WHERE {column} = ANY(%s)"  # noqa: S608 constants
            owner.execute(forget, [[staff.person for staff in everybody]])  # type: ignore[arg-type]


# --- the second wall


@pytest.mark.parametrize("table", ["holding", "contact", "deadline", "stock_limit", "follow_up_policy", "allowance"])
def test_behind_the_wall_of_an_agency_nothing_of_another_is_seen(stack: Stack, table: str) -> None:
    ours, theirs, thing = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    values: dict[str, Any] = {
        "holding": {"customer_id": thing, "version": 1, "name": "x", "is_key": False, "holding": 1, "source": "own"},
        "contact": {
            "event_id": thing,
            "person_id": thing,
            "customer_id": thing,
            "written_at": START,
            "day": START,
            "is_effective": True,
        },
        "deadline": {"id": thing, "customer_id": thing, "holding": 1},
        "stock_limit": {"id": thing, "version": 1, "subject": "agency"},
        "follow_up_policy": {"version": 1, "hours": 24, "on_missed": "list"},
        "allowance": {"person_id": thing, "version": 1, "limit": 1, "decided_by": "x"},
    }[table] | {"agency_id": theirs}
    columns = ", ".join(f'"{name}"' for name in values)
    insert = f"INSERT INTO {table} ({columns}) VALUES ({', '.join(['%s'] * len(values))})"  # noqa: S608 constants
    count = f"SELECT count(*) FROM {table} WHERE agency_id = %s"  # noqa: S608 constants

    with psycopg.connect(stack.database_url("rules")) as app:
        stand_in = "SELECT set_config('qudao.agency', %s, true)"
        with pytest.raises(psycopg.errors.UndefinedObject), app.transaction():
            app.execute(insert, list(values.values()))  # type: ignore[arg-type]
        app.execute(stand_in, [str(theirs)])
        app.execute(insert, list(values.values()))  # type: ignore[arg-type]
        assert app.execute(count, [theirs]).fetchone() == (1,)  # type: ignore[arg-type]
        app.execute(stand_in, [""])
        with pytest.raises(psycopg.errors.InvalidTextRepresentation), app.transaction():
            app.execute(count, [theirs])  # type: ignore[arg-type]
        app.execute(stand_in, [str(ours)])
        assert app.execute(count, [theirs]).fetchone() == (0,)  # type: ignore[arg-type]
        with pytest.raises(psycopg.errors.InsufficientPrivilege), app.transaction():
            app.execute(insert, list(values.values()))  # type: ignore[arg-type]
        app.rollback()


# --- days, over HTTP


@pytest.fixture(scope="module")
def team(headquarters: Headquarters) -> Team:
    return headquarters.team()


def slug(answer: Any) -> str:
    return str(answer.json().get("type", "")).removeprefix("urn:qudao:problem:")


def test_a_day_that_is_over_is_judged_and_the_present_one_is_open(headquarters: Headquarters) -> None:
    rep = headquarters.person()
    rep.note(rep.entered(is_key=True), maturity=2)
    today = eventually(lambda: rep.get("/v1/me/day"), until=lambda day: day["effective_contacts"]["value"] == 1)
    figures = {name: (today[name]["value"], today[name]["verdict"]) for name in ("stock", "effective_contacts")}
    assert figures == {"stock": (1, "ok"), "effective_contacts": (1, "open")}
    assert (today["new_key_customers"]["value"], today["person_name"]) == (1, rep.user["display_name"])
    past = rep.get("/v1/me/day?day=2026-01-05")
    assert (past["effective_contacts"]["value"], past["effective_contacts"]["verdict"]) == (0, "missed")
    assert (past["stock"]["value"], past["web_members"]) == (1, [])


def test_of_those_who_hold_no_customers_nothing_is_asked(team: Team) -> None:
    for day in ("/v1/me/day", "/v1/me/day?day=2026-01-05"):
        told = team.admin.get(day)
        for name in ("stock", "effective_contacts", "new_key_customers"):
            assert told[name] == {"value": 0, "limit": None, "minimum": None, "verdict": "ok"}


def test_somebody_unknown_and_somebody_hidden_are_told_alike(team: Team) -> None:
    nowhere = team.rep.request("GET", f"/v1/people/{uuid.uuid4()}/day")
    hidden = team.rep.request("GET", f"/v1/people/{team.colleague.user['id']}/day")
    assert (nowhere.status_code, hidden.status_code) == (404, 404)
    assert nowhere.json()["type"] == hidden.json()["type"] == "urn:qudao:problem:not-found"


def test_a_team_is_listed_page_by_page_without_who_holds_nothing(headquarters: Headquarters) -> None:
    team = headquarters.team()
    holders = {person.user["id"] for person in (team.rep, team.colleague, team.neighbour, team.supervisor, team.manager)}
    admin, gone = team.admin, headquarters.add_user("rep", team.department_id)
    expect(200, headquarters.admin.request("POST", f"/v1/users/{gone['id']}/disable"))
    team.rep.entered()

    def stocks(who: Client) -> list[tuple[str, int]]:
        return [(line["id"], line["stock"]["value"]) for line in who.pages("/v1/days", limit=2)]

    listed = eventually(
        lambda: stocks(admin), until=lambda lines: dict(lines).keys() == holders and dict(lines)[team.rep.user["id"]]
    )
    assert sorted(listed) == sorted((person, int(person == team.rep.user["id"])) for person in holders)
    assert len(stocks(team.supervisor)) == 3
    assert stocks(team.rep) == [(team.rep.user["id"], 1)]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/days?cursor=x",
        "/v1/deadlines?cursor=x",
        "/v1/me/day?day=yesterday",
        "/v1/me/day?person_id=1",
        "/v1/deadlines?state=x",
    ],
)
def test_what_is_no_day_page_or_state_is_refused(team: Team, path: str) -> None:
    assert team.rep.request("GET", path).status_code == 422


# --- deadlines, over HTTP


def given_member(team: Team, to: Client) -> str:
    member = team.pooled("agency", source="web")
    expect(200, team.admin.act(member, "assign", to=to.user["id"]))
    return member


def state_of(who: Client, member: str) -> dict[str, Any] | None:
    """The newest deadline of a customer."""
    return next((line for line in who.pages("/v1/deadlines") if line["customer_id"] == member), None)


def wait_for(who: Client, member: str, state: str) -> dict[str, Any]:
    found = eventually(lambda: state_of(who, member), until=lambda line: line is not None and line["state"] == state)
    assert found
    return found


def test_a_member_that_goes_to_somebody_else_in_time_is_gone_and_due_anew(headquarters: Headquarters) -> None:
    team = headquarters.team()
    member = given_member(team, team.rep)
    wait_for(team.rep, member, "open")
    expect(200, team.supervisor.act(member, "transfer", to=team.colleague.user["id"]))
    assert wait_for(team.rep, member, "gone")["is_overdue"] is False
    assert wait_for(team.colleague, member, "open")["owner_name"] == team.colleague.user["display_name"]
    assert len([line for line in team.supervisor.pages("/v1/deadlines", limit=1) if line["customer_id"] == member]) == 2


def test_what_is_missed_is_taken_back_or_listed_as_the_policy_says(stack: Stack, headquarters: Headquarters) -> None:
    strict, mild = headquarters.team(), headquarters.team()
    policy = {"hours": 2, "on_missed": "list"}
    assert expect(200, mild.admin.request("PUT", "/v1/policies/follow-up", policy))["version"] == 1
    members = {team.agency_id: given_member(team, team.rep) for team in (strict, mild)}
    for team in (strict, mild):
        wait_for(team.supervisor, members[team.agency_id], "open")

    with later(stack, timedelta(hours=24, minutes=1)):
        lost, kept = members[strict.agency_id], members[mild.agency_id]
        supervisors = {team.agency_id: again(headquarters, team.supervisor) for team in (strict, mild)}
        assert wait_for(supervisors[strict.agency_id], lost, "taken_back")["is_overdue"] is True
        missed = wait_for(supervisors[mild.agency_id], kept, "missed")
        overdue = supervisors[mild.agency_id].pages("/v1/deadlines?overdue=true")
        [line] = [line for line in supervisors[mild.agency_id].pages("/v1/days") if line["id"] == mild.rep.user["id"]]

        assert (missed["seconds_left"], missed["is_overdue"]) == (0, True)
        assert [line["customer_id"] for line in overdue] == [kept]
        assert (line["open_web_members"], line["overdue_web_members"]) == (0, 1)
        history = again(headquarters, strict.admin).get(f"/v1/customers/{lost}/ownership")["items"]
        present = next(stretch for stretch in history if stretch["until"] is None)
        assert (present["cause"], present["reason"], present["pool_kind"]) == (
            "take_back",
            "no contact within 24 hours",
            "agency",
        )
        path = f"/v1/audit?subject_id={lost}&actor=system:rules&operation=customers.take_back"
        [audited] = again(headquarters, strict.admin).get(path)["items"]
        assert (audited["new"]["reason"], audited["new"]["policy_version"]) == ("no contact within 24 hours", 0)
        expect(201, again(headquarters, mild.rep).note(kept, maturity=1))
        assert again(headquarters, strict.rep).note(lost, maturity=1).status_code in (403, 404)

        def counted() -> int:
            lines = supervisors[mild.agency_id].pages("/v1/days")
            return next(int(line["overdue_web_members"]) for line in lines if line["id"] == mild.rep.user["id"])

        eventually(counted, until=lambda count: count == 0)
        assert wait_for(supervisors[mild.agency_id], kept, "missed"), "the verdict stands, whatever is written later"


def again(headquarters: Headquarters, person: Client) -> Client:
    """Logged in once more, as sessions have ended meanwhile."""
    new = headquarters.admin.log_in(person.user["login"], PASSWORD)
    new.user = person.user
    return new


# --- policies, over HTTP


def set_limit(who: Client, limit: int | None, status: int = 200, **subject: Any) -> Any:
    return expect(status, who.request("PUT", "/v1/policies/stock-limit", {"limit": limit, **subject}))


def wait_for_limit(who: Client, limit: int) -> None:
    eventually(lambda: who.get("/v1/me/day")["stock"]["limit"], until=lambda found: found == limit)


def test_the_narrowest_limit_counts_and_binds_where_customers_are_held(headquarters: Headquarters) -> None:
    team = headquarters.team()
    rep, admin = team.rep, team.admin
    wait_for_limit(rep, 130)
    set_limit(admin, 40, subject="agency")
    wait_for_limit(rep, 40)
    set_limit(admin, 30, subject="role", role="rep")
    wait_for_limit(rep, 30)
    expect(200, set_department_limit(team, 20))
    wait_for_limit(rep, 20)
    first = set_limit(admin, 1, subject="person", person_id=rep.user["id"])
    wait_for_limit(rep, 1)
    assert (first["version"], first["limit"]) == (1, 1)
    wait_for_limit(team.neighbour, 30)

    rep.entered()

    refused = eventually(lambda: rep.enter(company()), until=lambda answer: answer.status_code == 409)
    assert slug(refused) == "stock-is-full"
    assert eventually(lambda: rep.get("/v1/me/day")["stock"], until=lambda stock: stock["value"])["verdict"] == "full"
    assert set_limit(admin, None, subject="person", person_id=rep.user["id"])["version"] == 2
    wait_for_limit(rep, 20)
    shown = rep.get("/v1/policies")
    assert shown["default_stock_limit"] == 130
    assert [(limit["subject"], limit["limit"]) for limit in shown["stock_limits"]] == [
        ("agency", 40),
        ("role", 30),
        ("department", 20),
    ]
    assert (shown["follow_up"]["version"], shown["follow_up"]["hours"], shown["follow_up"]["on_missed"]) == (0, 24, "take_back")


def set_department_limit(team: Team, limit: int) -> Any:
    body = {"subject": "department", "department_id": team.department_id, "limit": limit}
    return team.admin.request("PUT", "/v1/policies/stock-limit", body)


def test_who_changes_his_role_or_department_is_allowed_what_they_allow(headquarters: Headquarters) -> None:
    team = headquarters.team()
    set_limit(team.admin, 11, subject="role", role="rep")
    set_limit(team.admin, 12, subject="role", role="supervisor")
    wait_for_limit(team.rep, 11)
    path = f"/v1/users/{team.rep.user['id']}"
    tag = team.admin.request("GET", path).headers["ETag"]
    expect(200, team.admin.request("PATCH", path, {"roles": ["supervisor"]}, If_Match=tag))
    wait_for_limit(team.rep, 12)


def test_an_administrator_sets_the_policies_of_his_own_agency_alone(headquarters: Headquarters, team: Team) -> None:
    other = headquarters.team()
    theirs = {"agency_id": other.agency_id}
    assert slug(team.admin.request("PUT", "/v1/policies/follow-up", {**theirs, "hours": 1})) == "not-found"
    assert slug(team.admin.request("GET", f"/v1/policies?agency_id={other.agency_id}")) == "not-found"
    for subject in ({"subject": "agency"}, {"subject": "person", "person_id": other.rep.user["id"]}):
        assert set_limit(team.admin, 1, 404, **subject, **theirs)["type"] == "urn:qudao:problem:not-found"
    set_limit(team.admin, 1, 404, subject="person", person_id=other.rep.user["id"])
    set_limit(team.admin, 1, 404, subject="department", department_id=other.department_id)
    set_limit(team.admin, 1, 404, subject="person", person_id=str(uuid.uuid4()))
    set_limit(team.rep, 1, 403, subject="agency")
    set_limit(headquarters.admin, 1, 404, subject="agency", agency_id=str(uuid.uuid4()))
    assert headquarters.admin.get(f"/v1/policies?agency_id={other.agency_id}")["stock_limits"] == []
    assert set_limit(headquarters.admin, 99, subject="agency", **theirs)["agency_id"] == other.agency_id


def test_of_an_agency_that_was_not_heard_of_yet_identity_is_asked(stack: Stack, headquarters: Headquarters) -> None:
    root, team = headquarters.admin, headquarters.team()
    for service, table, id_ in (
        ("rules", "agency", team.agency_id),
        ("rules", "department", team.department_id),
        ("customers", "agency", team.agency_id),
    ):
        eventually(lambda asked=(service, table, id_): forgotten(stack, *asked))
    agency = {"agency_id": team.agency_id}
    set_limit(root, 9, subject="department", department_id=team.department_id, **agency)
    assert root.get(f"/v1/policies?agency_id={team.agency_id}")["stock_limits"][0]["limit"] == 9
    territory = {"places": [], "pooled": "leave"}
    expect(200, root.request("PUT", f"/v1/territories/{team.agency_id}", territory, If_Match='"0"'))
    assert root.post("/v1/pools", {"name": "新库", **agency})["agency_id"] == team.agency_id


def forgotten(stack: Stack, service: str, table: str, id_: str) -> bool:
    """Once it was heard of, so that it is not heard of again."""
    with psycopg.connect(stack.owner_url(service)) as owner:
        return owner.execute(f"DELETE FROM {table} WHERE id = %s", [id_]).rowcount == 1  # type: ignore[arg-type]  # noqa: S608


@pytest.mark.parametrize(
    "body",
    [
        {"subject": "role", "limit": 1},
        {"subject": "agency", "role": "rep", "limit": 1},
        {"subject": "agency"},
        {"subject": "agency", "limit": -1},
        {"subject": "galaxy", "limit": 1},
    ],
)
def test_a_limit_that_does_not_say_for_whom_is_refused(team: Team, body: dict[str, Any]) -> None:
    refused = team.admin.request("PUT", "/v1/policies/stock-limit", body)
    assert slug(refused) == "invalid-request"
    assert {error["in"] for error in refused.json()["errors"]} == {"body"}
    assert all(error["pointer"].startswith("/") and error["detail"] for error in refused.json()["errors"])
