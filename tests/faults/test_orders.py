"""Events in any order, twice, in any batches, by queue or by sweep, interrupted, of older and newer senders: the same state.

The services' own handlers on migrated databases. Only broker and processes are left out: what they do to events is drawn here.
"""

import itertools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from uuid import UUID, uuid4, uuid5

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from embedded.stack import Stack
from services.activities.service import ActivitiesService
from services.contracts.base import Envelope
from services.plumbing import inbox, retries
from services.plumbing.runtime import Runtime
from services.plumbing.settings import ServiceSettings
from services.rules.service import RulesService
from tests.depth import NIGHTLY
from tests.homes import made_home

GOLDEN = Path(__file__).parent.parent / "golden"
SERVICES = {"activities": ActivitiesService, "rules": RulesService}
BEGINNING = datetime(2026, 3, 2, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Killed(BaseException):
    """As if the process had ended here: nothing below catches it."""


# --- what is told


class Story:
    """Events about the same few things. Its ids come from its own seed: two stories differ in nothing else."""

    def __init__(self) -> None:
        self.seed = uuid4()
        self.labels: dict[str, str] = {}
        self.told: list[Envelope] = []

    def id(self, label: str) -> UUID:
        made = uuid5(self.seed, label)
        self.labels[str(made)] = label
        return made

    def tell(self, route: str, aggregate: str, number: int, /, *, after: timedelta = timedelta(), **data: Any) -> None:
        source, name = route.split(".")
        envelope = Envelope(
            id=self.id(f"{name} {aggregate} {number}"),
            source=source,
            name=name,
            position=next(POSITIONS),
            aggregate_id=self.id(aggregate),
            version=number,
            agency_id=self.id("agency"),
            actor=str(self.id("li.na")),
            request_id="test",
            occurred_at=BEGINNING + after,
            data=json.loads(
                json.dumps(data, default=lambda value: value.isoformat() if hasattr(value, "isoformat") else str(value))
            ),
        )
        self.told.append(envelope)

    # --- of a customer

    def customer(
        self, name: str, customer: str, version: int, *, holding: int, owner: str | None, since: timedelta, **data: Any
    ) -> None:
        place = {"owner_id": self.id(owner), "department_id": self.id("department")} if owner else {"pool_id": self.id("pool")}
        state = {"name": f"扬州五环 {version}", "is_key": version % 2 == 1, "source": "web", "holding": holding}
        state |= {"customer_id": self.id(customer), "held_since": BEGINNING + since, **place}
        self.tell(f"customers.customer_{name}", customer, version, after=since, **state | data)

    def note(
        self, customer: str, number: int, *, by: str, holding: int | None, after: timedelta, is_effective: bool = True
    ) -> None:
        note = f"note {customer} {number}"
        ids = {"note_id": self.id(note), "customer_id": self.id(customer), "author_id": self.id(by)}
        told = {"department_id": self.id("department"), "method": "phone", "maturity": 2, "is_effective": is_effective}
        self.tell("activities.contact_note_written", note, 1, after=after, holding=holding, **ids, **told)

    def close(self, customer: str, verdict: str, *, holding: int, owner: str, due: timedelta, first: timedelta | None) -> None:
        ids = {"customer_id": self.id(customer), "owner_id": self.id(owner)}
        first_note_at = None if first is None else BEGINNING + first
        told = {"holding": holding, "due": BEGINNING + due, "verdict": verdict, "forfeited": verdict == "missed"}
        self.tell("activities.deadline_closed", customer, holding, after=due + HOUR, first_note_at=first_note_at, **ids, **told)

    # --- of people

    def agency(self) -> None:
        self.tell("identity.agency_added", "agency", 1, agency_id=self.id("agency"), name="扬州代理", is_headquarters=False)

    def department(self, name: str, path: Sequence[str], version: int = 1) -> None:
        parent_id = self.id(path[-2]) if len(path) > 1 else None
        ids = {"department_id": self.id(name), "agency_id": self.id("agency"), "parent_id": parent_id}
        self.tell("identity.department_added", name, version, name=name, path=".".join(str(self.id(one)) for one in path), **ids)

    def person(self, version: int, *, department: str, roles: list[str], **data: Any) -> None:
        name, change = ("user_changed", {"change": "updated"}) if version > 1 else ("user_added", {})
        ids = {"user_id": self.id("li.na"), "agency_id": self.id("agency"), "department_id": self.id(department)}
        told = {"login": "li.na", "display_name": f"Li Na {version}", "roles": roles, **change, **data}
        self.tell(f"identity.{name}", "li.na", version, **ids, **told)


POSITIONS = itertools.count(1)


def called_too_late() -> Story:
    story = Story()
    story.customer("entered", "customer", 1, holding=1, owner="li.na", since=0 * HOUR, entered_by=story.id("li.na"))
    story.customer("updated", "customer", 2, holding=1, owner="li.na", since=0 * HOUR)
    story.note("customer", 1, by="li.na", holding=1, after=25 * HOUR)
    story.close("customer", "late", holding=1, owner="li.na", due=24 * HOUR, first=25 * HOUR)
    story.customer("moved", "customer", 3, holding=2, owner=None, since=30 * HOUR, cause="release", moved_from=story.id("li.na"))
    story.customer("moved", "customer", 4, holding=3, owner="wang.wu", since=40 * HOUR, cause="claim")
    return story


def taken_back() -> Story:
    """And the next one calls in time."""
    story = Story()
    story.customer("entered", "customer", 1, holding=1, owner="li.na", since=0 * HOUR, entered_by=story.id("li.na"))
    story.close("customer", "missed", holding=1, owner="li.na", due=24 * HOUR, first=None)
    story.customer(
        "moved", "customer", 2, holding=2, owner=None, since=26 * HOUR, cause="take_back", moved_from=story.id("li.na")
    )
    story.customer("moved", "customer", 3, holding=3, owner="wang.wu", since=28 * HOUR, cause="assign")
    story.note("customer", 1, by="wang.wu", holding=3, after=29 * HOUR)
    story.customer("updated", "customer", 4, holding=3, owner="wang.wu", since=28 * HOUR)
    return story


def people() -> Story:
    story = Story()
    story.agency()
    story.department("department", ["department"])
    story.department("below", ["department", "below"])
    story.person(1, department="department", roles=["rep"])
    story.person(2, department="below", roles=["rep"])
    story.person(3, department="below", roles=["supervisor"], managed_department_ids=[story.id("below")], status="locked")
    return story


# --- who hears it


@dataclass(frozen=True)
class Consumer:
    runtime: Runtime
    database: str

    def hear(self, envelopes: Sequence[Envelope], way: str = "queue", killed_at: int | None = None) -> None:
        """One batch. The process ends before the handler whose number is given, or before the commit if it is beyond the last."""
        delays = self.runtime.settings.retry_delays
        told = [inbox.Delivery(name, self.runtime.handlers[name], e) for e in envelopes for name in self.runtime.handlers_for(e)]
        if killed_at is not None and told:
            told = with_a_kill(told, killed_at % len(told))
        try:
            if way == "queue":
                inbox.receive_all(self.runtime.engine, told, delays)
            elif told:
                retries.note_lost(self.runtime.engine, told, delays)
                retries.try_lost(self.runtime.engine, told, delays)
        except Killed:
            return

    def retry(self) -> None:
        """What a leader does with what is left by one that was killed."""
        while found := retries.due(self.runtime.engine, list(self.runtime.handlers), 100):
            for name, event_id, _ in found:
                delays = self.runtime.settings.retry_delays
                retries.retry(self.runtime.engine, name, event_id, self.runtime.handlers[name], delays)

    def states_of(self, stories: Sequence[Story]) -> list[str]:
        """All that the service knows of each story, with labels for ids."""
        story_of = {made: story for story in stories for made in story.labels}
        states: dict[UUID, list[str]] = {story.seed: [] for story in stories}
        with psycopg.connect(self.database, autocommit=True, row_factory=dict_row) as connection:
            for table, (columns, key) in TABLES[self.runtime.settings.service].items():
                asked = f"SELECT {columns} FROM {table} WHERE {key} = ANY(%s::uuid[])"  # noqa: S608 constants
                for row in connection.execute(asked, [list(story_of)]):  # type: ignore[arg-type]
                    story = story_of[str(row[key])]
                    states[story.seed].append(f"{table} {labelled(story, row)}")
        return ["\n".join(sorted(states[story.seed])) for story in stories]


TABLES = {
    "rules": {
        "holding": ("*", "customer_id"),
        "contact": ("*", "customer_id"),
        "deadline": (
            "customer_id, holding, agency_id, customer_name, owner_id, received_at, due_at, first_contact_at, verdict,"
            " is_forfeited, moved_on_at, is_taken_back, state",
            "customer_id",
        ),
        "agency": ("*", "id"),
        "department": ("*", "id"),
        "person": ("*", "id"),
        "allowance": ('person_id, agency_id, "limit", decided_by', "person_id"),
        "(SELECT DISTINCT ON (aggregate_id) aggregate_id, data FROM outbox ORDER BY aggregate_id, version DESC) AS told": (
            "aggregate_id, data",
            "aggregate_id",
        ),
        "inbox": ("handler, event_id, state", "event_id"),
    },
    "activities": {
        "log_entry": ("id, source, name, aggregate_id, version, agency_id, actor, request_id, occurred_at, data", "id"),
        "agency": ("*", "id"),
        "department": ("*", "id"),
        "person": ("*", "id"),
        "inbox": ("handler, event_id, state", "event_id"),
    },
}
"""Every table that handlers write, without ids that are drawn; what is decided anew may take more or fewer versions, so of what
is told of it the last word counts."""


def labelled(story: Story, row: dict[str, Any]) -> str:
    shown = json.dumps(row, default=str, sort_keys=True, ensure_ascii=False)
    for made, label in story.labels.items():
        shown = shown.replace(made, label)
    return shown


def with_a_kill(told: list[inbox.Delivery], number: int) -> list[inbox.Delivery]:
    def kill(*of: Any) -> None:
        raise Killed

    return [one._replace(handler=kill) if place == number else one for place, one in enumerate(told)]


@pytest.fixture(scope="module")
def consumers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Consumer]]:
    """Without broker and processes."""
    home = made_home(tmp_path_factory, "orders")
    with Stack(home, fast=True, parts=(), replicas={"gateway": 0}, amqp_uri="amqp://nowhere") as stack:
        made = []
        for service, service_cls in SERVICES.items():
            given = {
                "service": service,
                "database_url": stack.database_url(service),
                "amqp_uri": stack.amqp_uri,
                "signing_key": (stack.secrets / "signing" / f"{service}.pem").read_text(),
                "trusted_keys_dir": stack.secrets / "trusted",
                "retry_delays": (0.0, 0.0, 0.0, 0.0),
            }
            made.append(Consumer(Runtime(ServiceSettings.model_validate(given), service_cls), stack.owner_url(service)))
        yield made
        for consumer in made:
            consumer.runtime.engine.dispose()


# --- every order


@pytest.mark.parametrize("make", [called_too_late, taken_back, people])
def test_six_events_give_the_same_state_in_whatever_order(consumers: list[Consumer], make: Callable[[], Story]) -> None:
    """In their own order, and every seventh other one, at another run others; nightly all. Fifty at a time: the first events of
    all, then the second, some again."""
    in_order, *others = itertools.permutations(range(6))
    orders = [in_order, *(others if NIGHTLY else others[random.randrange(7) :: 7])]
    stories = [make() for _ in orders]
    told = [[story.told[place] for place in order] for story, order in zip(stories, orders, strict=True)]
    for consumer in consumers:
        for fifty in (told[first : first + 50] for first in range(0, len(told), 50)):
            for nth in range(6):
                consumer.hear([events[nth] for events in fifty] + [events[nth - 1] for events in fifty[::10]])

        expected, *found = consumer.states_of(stories)
        assert expected.count("\n") >= 10
        assert "failed" not in expected
        assert [order for order, state in zip(orders[1:], found, strict=True) if state != expected] == []


# --- any order, any interruption


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """What becomes of a customer: a list of steps with what they need to know."""
    steps = st.one_of(
        st.tuples(st.just("update"), st.none()),
        st.tuples(st.just("note"), st.sampled_from([1, 20, 30])),
        st.tuples(st.just("close"), st.none()),
        st.tuples(st.just("move"), st.sampled_from([None, "li.na", "wang.wu"])),
    )
    return draw(st.lists(steps, max_size=6))


def live(story: Story, customer: str, life: list[tuple[str, Any]], *, is_from_web: bool) -> None:
    """Tells it as the services would: a closed holding is not closed again, a note is its holder's."""
    version = holding = 1
    owner: str | None = "li.na"
    since, now, first, is_closed = timedelta(), timedelta(), None, False
    source = {"source": "web" if is_from_web else "own"}
    story.customer(
        "entered", customer, version, holding=holding, owner=owner, since=since, entered_by=story.id("li.na"), **source
    )
    for number, (step, what) in enumerate(life):
        now += HOUR
        if step == "update":
            version += 1
            story.customer("updated", customer, version, holding=holding, owner=owner, since=since, **source)
        elif step == "move" and what != owner:
            version, holding, owner, since, first, is_closed = version + 1, holding + 1, what, now, None, False
            cause = "assign" if what else "take_back"
            story.customer("moved", customer, version, holding=holding, owner=owner, since=since, cause=cause, **source)
        elif step == "note" and owner:
            now += what * HOUR
            first = first or now
            story.note(customer, number, by=owner, holding=holding, after=now, is_effective=what > 1)
        elif step == "close" and owner and is_from_web and not is_closed:
            due, is_closed = since + 24 * HOUR, True
            verdict = "missed" if first is None else "met" if first <= due else "late"
            now = max(now, due)
            story.close(customer, verdict, holding=holding, owner=owner, due=due, first=first)


def story_of(lived: list[tuple[list[tuple[str, Any]], bool]]) -> Story:
    story = people()
    for number, (life, is_from_web) in enumerate(lived):
        live(story, f"customer {number}", life, is_from_web=is_from_web)
    return story


Way = Literal["queue", "sweep"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    lived=st.lists(st.tuples(lives(), st.booleans()), min_size=1, max_size=3),
    ways=st.lists(st.sampled_from(["queue", "sweep"]), min_size=1, max_size=6),
    kills=st.lists(st.one_of(st.none(), st.integers(0, 20)), min_size=1, max_size=6),
    seed=st.integers(0, 2**32),
)
def test_any_events_in_any_order_and_batches_interrupted_anywhere_give_the_same_state(
    consumers: list[Consumer],
    lived: list[tuple[list[tuple[str, Any]], bool]],
    ways: list[Way],
    kills: list[int | None],
    seed: int,
) -> None:
    chance = random.Random(seed)
    for consumer in consumers:
        straight, crooked = story_of(lived), story_of(lived)
        for event in straight.told:
            consumer.hear([event])

        came = crooked.told + chance.choices(crooked.told, k=len(crooked.told) // 2)
        chance.shuffle(came)
        turns = zip(itertools.cycle(ways), itertools.cycle(kills), strict=False)
        while came:
            batch, came = came[: (size := chance.randint(1, 12))], came[size:]
            way, killed_at = next(turns)
            consumer.hear(batch, way, killed_at)
            if killed_at is not None:
                consumer.hear(batch, "queue")  # the broker brings it again
                consumer.retry()

        expected, found = consumer.states_of([straight, crooked])
        assert "failed" not in expected
        assert found == expected


# --- older and newer senders


def golden(story: Story, file: str) -> None:
    """The samples about one rep and one customer, under ids of the story."""
    samples = json.loads((GOLDEN / file).read_text(encoding="utf-8"))
    for route, number in (
        ("identity.user_added", 1),
        ("customers.customer_entered", 1),
        ("customers.customer_updated", 2),
        ("activities.contact_note_written", 1),
    ):
        found = samples[route][0] if isinstance(samples[route], list) else samples[route]
        data = {key: renamed(story, value) for key, value in found.items()}
        story.tell(route, (data.get("note_id") and "note") or route.partition("_")[0], number, **data)


def renamed(story: Story, value: Any) -> Any:
    if isinstance(value, list):
        return [renamed(story, one) for one in value]
    return str(story.id(value)) if isinstance(value, str) and value.startswith("00000000-") else value


@pytest.mark.parametrize("file", ["events.json", "older_events.json"])
def test_events_of_older_senders_give_the_same_state_in_every_order(consumers: list[Consumer], file: str) -> None:
    orders = list(itertools.permutations(range(4)))
    stories = [Story() for _ in orders]
    for story in stories:
        golden(story, file)
    for consumer in consumers:
        for nth in range(4):
            consumer.hear([story.told[order[nth]] for story, order in zip(stories, orders, strict=True)])

        in_order, *in_others = consumer.states_of(stories)
        assert in_order.count("\n") >= 3
        assert "failed" not in in_order
        assert set(in_others) == {in_order}


def test_fields_that_a_newer_sender_adds_change_nothing_and_are_kept_in_the_log(consumers: list[Consumer]) -> None:
    plain, newer = called_too_late(), called_too_late()
    added = [event.model_copy(update={"data": event.data | {"added_later": "x"}}) for event in newer.told]
    for consumer in consumers:
        consumer.hear(plain.told)
        consumer.hear(added)

        expected, found = consumer.states_of([plain, newer])
        assert found.count("added_later") == (len(added) if consumer.runtime.settings.service == "activities" else 0)
        assert found.replace('"added_later": "x", ', "") == expected


def test_an_event_of_an_unknown_name_is_left_alone(consumers: list[Consumer]) -> None:
    """It has no inbox row, and the cursor passes it. A release that comes to know it resets the cursor of its source in a
    migration, as rules' 0002 does: the sweep then brings it, and everything else of that source once more."""
    story = called_too_late()
    unknown = [event.model_copy(update={"name": "customer_praised"}) for event in story.told]
    for consumer in consumers:
        consumer.hear(unknown)
        consumer.hear(unknown, "sweep")

        assert consumer.states_of([story]) == [""]


def test_events_that_are_swept_again_after_a_reset_cursor_change_nothing(consumers: list[Consumer]) -> None:
    """Their inbox rows were pruned long ago, so the handlers see them as new."""
    story = called_too_late()
    for consumer in consumers:
        consumer.hear(story.told)
        before = consumer.states_of([story])
        with psycopg.connect(consumer.database, autocommit=True) as connection:
            connection.execute("DELETE FROM inbox WHERE event_id = ANY(%s)", [[event.id for event in story.told]])
        consumer.hear(story.told, "sweep")

        assert consumer.states_of([story]) == before
