"""The registry as a machine: whatever is done in whatever order, what must hold holds after every step.

Once against the service's own code with its database, and with fewer examples over HTTP. `HYPOTHESIS_PROFILE=nightly` runs many.
"""

import itertools
import json
import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Protocol
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from embedded.stack import Stack
from ops.fsck.customers import (
    CHANGES,
    ENTERED,
    FILED,
    HISTORIES,
    MEMBERS,
    PLACES,
    POOL_ROWS,
    REVEALS,
    SEARCHED,
    STOCK,
)
from services.contracts.permissions import ROLES, SYSTEM, Scope, abilities_of_built_in
from services.customers.holding.ownership import pool_id, put_allowance
from services.customers.service import CustomersService
from services.plumbing.database import make_engine, make_reading_engine, session_of
from services.plumbing.passport import Caller
from services.plumbing.settings import ServiceSettings
from tests.api import Headquarters, brand, eventually, expect, unique
from tests.depth import NIGHTLY
from tests.homes import made_home
from tests.travel import LATER, REAL

LIMIT = 3
DENIALS = ("permission-denied", "not-found")
"""Everything that is asked for is there: what is not found is hidden."""
WAITS = 72
"""Hours for which a handoff waits."""
NAMES, MOST_POOLS = 6, 3
EXAMPLES, STEPS = (2_000, 60) if NIGHTLY else (16, 40)
EXAMPLES_OVER_HTTP, STEPS_OVER_HTTP = (100, 40) if NIGHTLY else (6, 25)
WHO = ("first rep", "second rep", "rival rep", "admin", "rival admin", "root")
REPS = ("first rep", "second rep", "rival rep")
AGENCY_OF = {"first rep": "ours", "second rep": "ours", "admin": "ours", "rival rep": "theirs", "rival admin": "theirs"}
AGENCIES = ("ours", "theirs")
ADMIN_OF = {"ours": "admin", "theirs": "rival admin"}
ADMINS = ("admin", "rival admin", "root")
ROLE_OF = {**dict.fromkeys(REPS, "rep"), "admin": "agency_admin", "rival admin": "agency_admin", "root": "subsystem_admin"}
VERSIONS = """
    SELECT customer.id FROM customer
    JOIN (SELECT aggregate_id, count(*) AS told, max(version) AS last FROM outbox
          WHERE name LIKE 'customer\\_%' GROUP BY aggregate_id) AS events
    ON aggregate_id = customer.id WHERE last <> customer.version OR told <> customer.version
"""


@dataclass
class Told:
    """What came of a command: `done` with its answer, or the slug of an error."""

    outcome: str
    answer: dict[str, Any]


@dataclass
class Asked:
    """A command as it was given, to be given again; how many writes and denials it stands for in the audit."""

    who: str
    name: str
    message: dict[str, Any]
    key: str
    told: Told
    done: int
    denied: int


class Driver(Protocol):
    """Somebody's way to the registry."""

    database: str
    people: dict[str, str]
    agencies: dict[str, str]

    def ask(self, who: str, name: str, message: dict[str, Any], key: str) -> Told: ...

    def visible(self, who: str) -> set[str]: ...

    def last_attempt(self, who: str) -> str: ...


# --- the service's own code


class InProcess:
    """The service's methods as nameko calls them, under callers of our own; no broker, no gateway."""

    def __init__(self, stack: Stack) -> None:
        self.database = stack.owner_url("customers")
        self.people = {who: str(uuid.uuid4()) for who in WHO}
        self.agencies = {agency: str(uuid.uuid4()) for agency in ("ours", "theirs", "headquarters")}
        url = stack.database_url("customers")
        own = {"service": "customers", "database_url": url, "amqp_uri": "", "signing_key": "", "trusted_keys_dir": Path()}
        config = ServiceSettings.model_validate(own)
        self.engine = make_engine(config)
        self.plumbing = SimpleNamespace(
            engine=self.engine,
            reading_engine=make_reading_engine(config),
            constraints=CustomersService.constraints,
            hash_key=b"machine",
            settings=config,
            verifier=SimpleNamespace(verify=self.caller),
        )
        self.settle()

    def caller(self, who: str) -> Caller:
        if who.startswith("system:"):
            return Caller(who, grants=dict.fromkeys(SYSTEM[who.removeprefix("system:")], Scope.ALL))
        agency = UUID(self.agencies[AGENCY_OF.get(who, "headquarters")])
        return Caller(self.people[who], agency, agency, grants=ROLES[ROLE_OF[who]], display_name=who)

    def settle(self) -> None:
        """As the events of identity and rules would have left it."""
        with psycopg.connect(self.database) as owner:
            for agency, id_ in self.agencies.items():
                owner.execute("INSERT INTO agency VALUES (%s, %s, %s, 1)", [id_, agency, agency == "headquarters"])
                owner.execute("INSERT INTO department VALUES (%s, %s, %s, %s, 1)", [id_, id_, agency, [id_]])
                for kind in ("public", "agency"):
                    own = [pool_id(UUID(id_), kind), id_, kind, kind]  # type: ignore[arg-type]
                    owner.execute("INSERT INTO pool (id, agency_id, kind, name) VALUES (%s, %s, %s, %s)", own)
            for who, id_ in self.people.items():
                agency = self.agencies[AGENCY_OF.get(who, "headquarters")]
                person = (
                    "INSERT INTO person"
                    " (id, agency_id, department_id, managed_department_ids, display_name, roles, abilities, status, version)"
                    " VALUES (%s, %s, %s, '{}', %s, %s, %s, 'active', 1)"
                )
                abilities = abilities_of_built_in([ROLE_OF[who]])
                owner.execute(person, [id_, agency, agency, who, [ROLE_OF[who]], abilities])
                if who in REPS:
                    owner.execute("INSERT INTO stock VALUES (%s, %s, 0, %s, 1)", [id_, agency, LIMIT])

    def ask(self, who: str, name: str, message: dict[str, Any], key: str) -> Told:
        headers = {"passport": who, "command_id": key, "deadline": str(time.time() + 60), "request_id": uuid.uuid4().hex}
        answered = getattr(CustomersService, name)(SimpleNamespace(plumbing=self.plumbing), message, headers)
        body = json.loads(answered)
        if error := body["error"]:
            return Told(slug_of(error["exc_type"]), error["exc_args"][0])
        return Told("done", body["result"])

    def visible(self, who: str) -> set[str]:
        found, cursor = set(), None
        while True:
            message = {"of": "visible", "limit": 2, "cursor": cursor}
            told = self.ask(who, "list_customers", message, "")
            assert told.outcome == "done", told
            found |= {line["id"] for line in told.answer["items"]}
            if (cursor := told.answer["next_cursor"]) is None:
                return found

    def last_attempt(self, who: str) -> str:
        told = self.ask(who, "list_entry_attempts", {"limit": 1}, "")
        return str(told.answer["items"][0]["id"])

    def set_limit(self, who: str, limit: int, version: int) -> None:
        """As the event that tells of it, in whatever order it comes."""
        agency = UUID(self.agencies[AGENCY_OF[who]])
        with session_of(self.engine, {}) as session, session.begin():
            session.connection().exec_driver_sql("SELECT set_config('qudao.agency', '*', true)")
            put_allowance(session, UUID(self.people[who]), agency, limit, version)

    def advance(self, hours: int) -> None:
        with psycopg.connect(self.database) as owner:
            owner.execute(LATER.format(timedelta(hours=hours).total_seconds()) if hours else REAL)  # type: ignore[arg-type]


def slug_of(kind: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", kind).lower()


# --- over HTTP


class OverHttp:
    """The whole system, by its API."""

    def __init__(self, stack: Stack, headquarters: Headquarters) -> None:
        self.database = stack.owner_url("customers")
        ours, theirs = headquarters.team(), headquarters.team()
        self.clients = {
            "first rep": ours.rep, "second rep": ours.colleague, "admin": ours.admin,
            "rival rep": theirs.rep, "rival admin": theirs.admin, "root": headquarters.admin,
        }  # fmt: skip
        self.people = {who: client.user.get("id") or client.user["user_id"] for who, client in self.clients.items()}
        self.agencies = {"ours": ours.agency_id, "theirs": theirs.agency_id}
        for who in REPS:
            limit, admin = {"subject": "person", "person_id": self.people[who], "limit": LIMIT}, ADMIN_OF[AGENCY_OF[who]]
            eventually(
                lambda limit=limit, admin=admin: (
                    self.clients[admin].request("PUT", "/v1/policies/stock-limit", limit).status_code
                ),
                until=lambda status: status == 200,
            )
            eventually(
                lambda who=who: self.clients[who].get("/v1/me/day")["stock"]["limit"], until=lambda allowed: allowed == LIMIT
            )
        for agency, admin in ADMIN_OF.items():
            turns = {"places": [], "assignees": [self.people[who] for who in REPS if AGENCY_OF[who] == agency]}
            path = f"/v1/territories/{self.agencies[agency]}"
            expect(200, self.clients[admin].request("PUT", path, turns, If_Match='"0"'))

    def ask(self, who: str, name: str, message: dict[str, Any], key: str) -> Told:
        method, path, body, headers = request_of(name, message)
        answer = self.clients[who].request(method, path, body, Idempotency_Key=key, **headers)
        told = answer.json() if answer.content else {}
        if answer.status_code < 400:
            return Told("done", told)
        slug = told["type"].removeprefix("urn:qudao:problem:")
        told = {name: value for name, value in told.items() if name not in OF_THE_REQUEST}
        return Told("done" if slug in UNSAVED else slug, told)

    def visible(self, who: str) -> set[str]:
        return {line["id"] for line in self.clients[who].pages("/v1/customers?of=visible", limit=2)}

    def last_attempt(self, who: str) -> str:
        return str(self.clients[who].get("/v1/entry-attempts?limit=1")["items"][0]["id"])


OF_THE_REQUEST = ("instance", "request_id")
UNSAVED = ("customer-refused", "customer-claimable", "confirmation-needed")


IN_PATH = ("customer_id", "pool_id", "expected_version", "handoff_id", "dispute_id")


def request_of(name: str, message: dict[str, Any]) -> tuple[str, str, Any, dict[str, str]]:
    rest = {key: value for key, value in message.items() if key not in IN_PATH}
    version = {"If_Match": f'"{message["expected_version"]}"'} if "expected_version" in message else {}
    customer = f"/v1/customers/{message.get('customer_id')}"
    match name:
        case "enter_customer":
            return "POST", "/v1/customers", rest, {}
        case "enter_into_pool":
            return "POST", f"/v1/pools/{message['pool_id']}/customers", rest, {}
        case "update_customer":
            return "PATCH", customer, rest, version
        case "offer_handoff":
            return "POST", f"{customer}/handoffs", rest, {}
        case "accept_handoff":
            return "POST", f"/v1/handoffs/{message['handoff_id']}/acceptance", None, {}
        case "open_dispute":
            return "POST", "/v1/disputes", rest, {}
        case "decide_dispute":
            return "POST", f"/v1/disputes/{message['dispute_id']}/decision", rest, {}
        case "withdraw_dispute":
            return "POST", f"/v1/disputes/{message['dispute_id']}/withdrawal", None, {}
        case "add_contact":
            return "POST", f"{customer}/contacts", rest, version
        case "release_many" | "assign_many":
            return "POST", "/v1/customers/batch", rest, {}
        case "create_pool":
            return "POST", "/v1/pools", rest, {}
        case "archive_pool":
            return "POST", f"/v1/pools/{message['pool_id']}/archive", None, {}
        case "move_customer":
            return "POST", f"{customer}/move", {"pool_id": message["pool_id"]}, {}
        case "create_member":
            return "POST", "/v1/members", rest, {}
        case "reveal_field":
            return "POST", f"{customer}/reveals", rest, {}
    return "POST", f"{customer}/{name.removesuffix('_customer')}", rest or None, {}


# --- the model


@dataclass
class Known:
    """A customer as it must be. `pool` is the kind of one that every agency has, or the id of a custom one."""

    id: str
    name: str
    agency: str
    owner: str | None
    pool: str | None
    holding: int = 1
    version: int = 1
    phone: str | None = None

    def may_be_claimed_by(self, who: str) -> bool:
        return self.agency == AGENCY_OF[who] and self.pool not in (None, "agency")


@dataclass
class CustomPool:
    id: str
    agency: str
    is_archived: bool = False


@dataclass
class Offered:
    """A handoff; `at` is the hour of the machine's time."""

    id: str
    customer: Known
    to: str
    at: int
    is_open: bool = True


@dataclass
class Model:
    customers: dict[str, Known] = field(default_factory=dict)
    """By name: no two may be one company."""
    offered: list[Offered] = field(default_factory=list)
    pools: list[CustomPool] = field(default_factory=list)
    limits: dict[str, tuple[int, int]] = field(default_factory=lambda: dict.fromkeys(REPS, (LIMIT, 1)))
    """How many each may hold, and in which version of that."""

    def held(self, who: str) -> int:
        return sum(customer.owner == who for customer in self.customers.values())

    def has_room(self, who: str) -> bool:
        return self.held(who) < self.limits[who][0]

    def visible(self, who: str) -> set[str]:
        def sees(customer: Known) -> bool:
            if who == "root":
                return True
            return customer.owner == who if who in REPS else customer.agency == AGENCY_OF[who]

        return {customer.id for customer in self.customers.values() if sees(customer)}

    def give(self, customer: Known, owner: str | None = None, pool: str | None = None) -> None:
        if owner:
            customer.agency = AGENCY_OF[owner]
        for offered in self.offered:
            offered.is_open &= offered.customer is not customer
        customer.owner, customer.pool = owner, pool
        customer.holding += 1
        customer.version += 1


class Registry(RuleBasedStateMachine):
    """Everybody does what comes to his mind."""

    driver: ClassVar[Driver]
    must_be_empty: ClassVar[tuple[str, ...]] = (PLACES, HISTORIES, STOCK, ENTERED, CHANGES, VERSIONS)

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.asked: list[Asked] = []
        self.names = [f"扬州{brand(5)}机械厂" for _ in range(NAMES)]
        self.hours = 0

    @initialize()
    def begin(self) -> None:
        """Examples share a database: what others have left is nobody's of these names, and stocks are empty. Whose turn it
        is and what was revealed today is as it was for the first, or the same draws would come to something else. One
        pool is there from the start, so that most examples have something to do with it."""
        with psycopg.connect(self.driver.database) as owner:
            people = list(self.driver.people.values())
            owner.execute("DELETE FROM person_turn WHERE agency_id = ANY(%s::uuid[])", [list(self.driver.agencies.values())])
            owner.execute("DELETE FROM reveal_count WHERE person_id = ANY(%s::uuid[])", [people])
            owner.execute("UPDATE reveal SET is_counted = false WHERE person_id = ANY(%s::uuid[])", [people])
            self.before = done_of(owner)
            self.denied = denials_of(owner)
        for who in REPS:
            for customer_id in self.driver.visible(who):
                told = self.driver.ask(who, "release_customer", {"customer_id": customer_id, "reason": "other"}, uuid.uuid4().hex)
                assert told.outcome == "done", told
                self.before += 1
        self.make_pool("ours")

    def do(self, who: str, operation: str, /, **message: Any) -> Told:
        key = uuid.uuid4().hex
        told = self.driver.ask(who, operation, message, key)
        assert told.outcome != "internal-error", told
        self.asked.append(Asked(who, operation, message, key, told, told.outcome == "done", told.outcome in DENIALS))
        return told

    def id_of(self, who: str) -> str:
        return self.driver.people[who]

    def pool_of(self, agency: str, pool: Any) -> str:
        return str(pool_id(UUID(self.driver.agencies[agency]), pool)) if pool in ("public", "agency") else pool

    def known(self) -> list[Known]:
        """In the order of their numbers: names are others in each run, and what is drawn must be the same again."""
        return [self.model.customers[name] for name in self.names if name in self.model.customers]

    def some(self, data: st.DataObject) -> Known:
        return data.draw(st.sampled_from(self.known()), label="customer")

    # --- entering

    @rule(who=st.sampled_from(REPS), number=st.integers(0, NAMES - 1), claim=st.booleans())
    def enter(self, who: str, number: int, claim: bool) -> None:
        name = self.names[number]
        known, room = self.model.customers.get(name), self.model.has_room(who)
        told = self.do(who, "enter_customer", name=name, claim=claim)
        if known is None:
            if not room:
                assert told.outcome == "stock-is-full"
                return
            assert told.answer["outcome"] == "created"
            made = Known(told.answer["customer_id"], name, AGENCY_OF[who], who, None)
            self.model.customers[name] = made
        elif known.owner == who:
            assert (told.answer["outcome"], told.answer["customer_id"]) == ("bound_to_yours", known.id)
            known.version += 1
        elif known.may_be_claimed_by(who):
            if not claim:
                assert told.answer["outcome"] == "claimable"
            elif not room:
                assert told.outcome == "stock-is-full"
            else:
                assert (told.answer["outcome"], told.answer["customer_id"]) == ("claimed", known.id)
                self.model.give(known, owner=who)
        else:
            assert (told.outcome, told.answer["outcome"]) == ("done", "refused")

    @rule(agency=st.sampled_from(AGENCIES), number=st.integers(0, NAMES - 1), data=st.data())
    def enter_into_pool(self, agency: str, number: int, data: st.DataObject) -> None:
        own = {pool.id: pool for pool in self.model.pools if pool.agency == agency}
        name, pool = self.names[number], data.draw(st.sampled_from(["public", "agency", *own]), label="pool")
        told = self.do(ADMIN_OF[agency], "enter_into_pool", pool_id=self.pool_of(agency, pool), name=name)
        if pool in own and own[pool].is_archived:
            assert told.outcome == "pool-archived"
        elif name in self.model.customers:
            assert told.answer["outcome"] == "refused"
        else:
            assert told.answer["outcome"] == "created"
            self.model.customers[name] = Known(told.answer["customer_id"], name, agency, None, pool)

    @rule(agency=st.sampled_from(AGENCIES), number=st.integers(0, NAMES - 1))
    def arrive(self, agency: str, number: int) -> None:
        """A web-registered member is given to somebody who has room, unless it is held, or lies in a pool of another kind."""
        name, phone = self.names[number], mobile()
        told = self.do(ADMIN_OF[agency], "create_member", name=name, phone=phone).answer
        known = self.model.customers.get(name)
        waiting = [who for who in REPS if AGENCY_OF[who] == agency and self.model.has_room(who)]
        is_given = bool(waiting) and (known is None or (known.agency, known.pool) in ((agency, "public"), (agency, "agency")))
        assert told["outcome"] == ("entered" if known is None else "assigned" if is_given else "known")
        if known is None:
            known = self.model.customers[name] = Known(told["customer_id"], name, agency, None, "agency", phone=phone)
        if is_given:
            [receiver] = [who for who in waiting if self.id_of(who) == told["person_id"]]
            self.model.give(known, owner=receiver)

    # --- changing hands

    def release_comes_to(self, who: str, known: Known) -> str:
        if known.id not in self.model.visible(who):
            return "not-found"
        return "done" if known.owner else "not-held"

    def assignment_comes_to(self, who: str, to: str, known: Known) -> str:
        """Reps assign from the pools whose admins they are, and here they are of none."""
        if who in REPS or known.id not in self.model.visible(who) or (who != "root" and AGENCY_OF[to] != AGENCY_OF[who]):
            return "not-found"
        if known.owner:
            return "not-in-pool"
        return "done" if self.model.has_room(to) else "stock-is-full"

    @precondition(lambda self: self.model.customers)
    @rule(who=st.sampled_from(WHO), data=st.data())
    def release(self, who: str, data: st.DataObject) -> None:
        known = self.some(data)
        told = self.do(who, "release_customer", customer_id=known.id, reason="no_need")
        assert told.outcome == self.release_comes_to(who, known)
        if told.outcome == "done":
            self.model.give(known, pool="agency")

    @precondition(lambda self: self.model.customers)
    @rule(who=st.sampled_from(WHO), to=st.none() | st.sampled_from(REPS), data=st.data())
    def many(self, who: str, to: str | None, data: st.DataObject) -> None:
        """Released, or assigned to somebody: each as it would be alone, behind those before it."""
        chosen = data.draw(st.lists(st.sampled_from(self.known()), min_size=1, unique_by=lambda known: known.name))
        name, wish = ("assign", {"to": self.id_of(to)}) if to else ("release", {"reason": "no_need"})
        told = self.do(who, f"{name}_many", action=name, ids=[known.id for known in chosen], **wish)
        outcomes = []
        for known in chosen:
            outcomes.append(self.assignment_comes_to(who, to, known) if to else self.release_comes_to(who, known))
            if outcomes[-1] == "done":
                self.model.give(known, owner=to, pool=None if to else "agency")
        assert [row["problem"] or row["outcome"] for row in told.answer["rows"]] == outcomes
        begun_and_ended = 2
        self.asked[-1].done = begun_and_ended + outcomes.count("done")
        self.asked[-1].denied = outcomes.count("not-found")

    @precondition(lambda self: self.model.customers)
    @rule(who=st.sampled_from(("admin", "rival admin", "root", "first rep")), data=st.data())
    def open(self, who: str, data: st.DataObject) -> None:
        known = self.some(data)
        told = self.do(who, "open_customer", customer_id=known.id)
        if who in REPS:
            assert told.outcome == "permission-denied"
        elif known.id not in self.model.visible(who):
            assert told.outcome == "not-found"
        elif known.pool != "agency":
            assert told.outcome == "not-in-pool"
        else:
            assert told.outcome == "done"
            self.model.give(known, pool="public")

    @precondition(lambda self: self.model.customers)
    @rule(who=st.sampled_from(REPS), data=st.data())
    def claim(self, who: str, data: st.DataObject) -> None:
        known = self.some(data)
        told = self.do(who, "claim_customer", customer_id=known.id)
        if known.agency != AGENCY_OF[who]:
            assert told.outcome == "not-found"
        elif known.owner == who:
            assert told.outcome == "already-theirs"
        elif known.owner:
            assert told.outcome == "not-in-pool"
        elif known.pool == "agency":
            assert told.outcome == "not-claimable"
        elif not self.model.has_room(who):
            assert told.outcome == "stock-is-full"
        else:
            assert told.outcome == "done"
            self.model.give(known, owner=who)

    @precondition(lambda self: self.model.customers)
    @rule(who=st.sampled_from(("admin", "rival admin", "root")), to=st.sampled_from(REPS), data=st.data())
    def give(self, who: str, to: str, data: st.DataObject) -> None:
        known = self.some(data)
        if known.pool:
            told = self.do(who, "assign_customer", customer_id=known.id, to=self.id_of(to))
            assert told.outcome == self.assignment_comes_to(who, to, known)
            if told.outcome == "done":
                self.model.give(known, owner=to)
            return
        told = self.do(who, "transfer_customer", customer_id=known.id, to=self.id_of(to))
        if known.id not in self.model.visible(who) or (who != "root" and AGENCY_OF[to] != AGENCY_OF[who]):
            assert told.outcome == "not-found"
        elif known.owner == to:
            assert told.outcome == "already-theirs"
        elif not self.model.has_room(to):
            assert told.outcome == "stock-is-full"
        else:
            assert told.outcome == "done"
            self.model.give(known, owner=to)

    # --- pools of an agency's own

    @precondition(lambda self: len(self.model.pools) < MOST_POOLS)
    @rule(agency=st.sampled_from(AGENCIES))
    def make_pool(self, agency: str) -> None:
        told = self.do(ADMIN_OF[agency], "create_pool", name=unique("库"))
        self.model.pools.append(CustomPool(told.answer["id"], agency))

    @precondition(lambda self: self.model.pools)
    @rule(who=st.sampled_from(ADMINS), data=st.data())
    def archive_pool(self, who: str, data: st.DataObject) -> None:
        pool = data.draw(st.sampled_from(self.model.pools), label="pool")
        told = self.do(who, "archive_pool", pool_id=pool.id)
        if AGENCY_OF.get(who, pool.agency) != pool.agency:
            assert told.outcome == "not-found"
        elif pool.is_archived:
            assert told.outcome == "pool-archived"
        elif any(known.pool == pool.id for known in self.known()):
            assert told.outcome == "pool-not-empty"
        else:
            assert told.outcome == "done"
            pool.is_archived = True

    @precondition(lambda self: self.model.pools and self.model.customers)
    @rule(who=st.sampled_from(ADMINS), data=st.data())
    def move(self, who: str, data: st.DataObject) -> None:
        known, pool = self.some(data), data.draw(st.sampled_from(self.model.pools), label="pool")
        told = self.do(who, "move_customer", customer_id=known.id, pool_id=pool.id)
        if known.id not in self.model.visible(who):
            assert told.outcome == "not-found"
        elif known.owner:
            assert told.outcome == "not-in-pool"
        elif pool.agency != known.agency:
            assert told.outcome == "not-found"
        elif pool.is_archived:
            assert told.outcome == "pool-archived"
        elif known.pool == pool.id:
            assert told.outcome == "lies-there"
        else:
            assert told.outcome == "done"
            self.model.give(known, pool=pool.id)

    # --- handing off

    @precondition(lambda self: self.model.customers)
    @rule(who=st.sampled_from(REPS), to=st.sampled_from(REPS), data=st.data())
    def offer(self, who: str, to: str, data: st.DataObject) -> None:
        known = self.some(data)
        told = self.do(who, "offer_handoff", customer_id=known.id, to=self.id_of(to), part="sales")
        waiting = next((offered for offered in self.model.offered if offered.is_open and offered.customer is known), None)
        if known.owner != who or AGENCY_OF[to] != AGENCY_OF[who]:
            assert told.outcome == "not-found"
        elif to == who:
            assert told.outcome == "already-theirs"
        elif waiting and self.hours < waiting.at + WAITS:
            assert told.outcome == "handoff-open"
        else:
            assert told.outcome == "done"
            if waiting:
                waiting.is_open = False
            self.model.offered.append(Offered(told.answer["id"], known, to, self.hours))

    @precondition(lambda self: self.model.offered)
    @rule(data=st.data())
    def accept(self, data: st.DataObject) -> None:
        offered = data.draw(st.sampled_from(self.model.offered))
        told = self.do(offered.to, "accept_handoff", handoff_id=offered.id)
        if not offered.is_open or self.hours >= offered.at + WAITS:
            assert told.outcome in ("handoff-closed", "handoff-lapsed")
        elif not self.model.has_room(offered.to):
            assert told.outcome == "stock-is-full"
        else:
            assert told.outcome == "done"
            self.model.give(offered.customer, owner=offered.to)

    # --- disputes

    @precondition(lambda self: self.model.customers)
    @rule(who=st.sampled_from(REPS), is_right=st.booleans(), data=st.data())
    def appeal(self, who: str, is_right: bool, data: st.DataObject) -> None:
        known = self.some(data)
        if known.owner == who or known.may_be_claimed_by(who):
            return
        assert self.do(who, "enter_customer", name=known.name).answer["outcome"] == "refused"
        evidence = [{"kind": "note", "text": "we have met"}]
        attempt = self.driver.last_attempt(who)
        dispute = self.do(who, "open_dispute", attempt_id=attempt, claim="it is mine", evidence=evidence).answer["id"]
        ruling = {"decision": "upheld" if is_right else "dismissed", "reason": "heard both"}
        told = self.do("root", "decide_dispute", dispute_id=dispute, **ruling)
        if is_right and not self.model.has_room(who):
            assert told.outcome == "stock-is-full"
            assert self.do(who, "withdraw_dispute", dispute_id=dispute).outcome == "done"
            return
        assert told.outcome == "done"
        if is_right:
            self.model.give(known, owner=who)

    # --- the record

    @precondition(lambda self: self.model.customers)
    @rule(who=st.sampled_from(REPS), is_stale=st.booleans(), part=st.sampled_from(("tags", "phone", "contact")), data=st.data())
    def change(self, who: str, is_stale: bool, part: str, data: st.DataObject) -> None:
        known = self.some(data)
        version = known.version + 1 if is_stale else known.version
        asked: dict[str, Any] = {"customer_id": known.id, "expected_version": version}
        if part == "contact":
            told = self.do(who, "add_contact", **asked, name="王小明", phone=mobile())
        else:
            value = [unique("t")] if part == "tags" else mobile()
            told = self.do(who, "update_customer", **asked, **{part: value})
        if known.owner != who:
            assert told.outcome == "not-found"
        elif is_stale:
            assert told.outcome == "version-conflict"
        else:
            assert told.outcome == "done"
            known.version += 1
            known.phone = value if part == "phone" else known.phone

    @precondition(lambda self: self.model.customers)
    @rule(who=st.sampled_from((*ADMINS, "first rep")), data=st.data())
    def reveal(self, who: str, data: st.DataObject) -> None:
        known = self.some(data)
        told = self.do(who, "reveal_field", customer_id=known.id, field="phone", reason="check")
        if who in REPS:
            assert told.outcome == "permission-denied"
        elif known.id not in self.model.visible(who):
            assert told.outcome == "not-found"
        elif known.phone is None:
            assert told.outcome == "not-revealable"
        else:
            assert (told.outcome, told.answer["value"]) == ("done", known.phone)

    # --- again

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """What was kept is told again and done no more; what was refused may be done by now, so only the former. What a reveal
        shows is read anew, and of whom one has lost meanwhile one is not shown more than of others'."""
        kept = [asked for asked in self.asked if asked.told.outcome == "done"]
        if kept:
            asked = data.draw(st.sampled_from(kept))
            told = self.driver.ask(asked.who, asked.name, asked.message, asked.key)
            assert told.outcome == asked.told.outcome
            assert as_shown(asked.told.answer, told.answer) == told.answer
            if asked.name == "reveal_field":  # on a later day it is not given again
                shown = {known.phone for known in self.known() if known.id in self.model.visible(asked.who)}
                assert told.answer["value"] in {None, *shown}

    def released(self) -> list[Asked]:
        return [asked for asked in self.asked if (asked.name, asked.told.outcome) == ("release_customer", "done")]

    @precondition(lambda self: self.released())
    @rule(data=st.data())
    def reuse_a_key(self, data: st.DataObject) -> None:
        asked = data.draw(st.sampled_from(self.released()))
        other = {**asked.message, "comment": "another wish"}
        assert self.driver.ask(asked.who, asked.name, other, asked.key).outcome == "idempotency-key-reused"

    # --- what must hold

    @invariant()
    def everything_is_where_it_must_be(self) -> None:
        with psycopg.connect(self.driver.database) as owner:
            expected = {known.id: known for known in self.model.customers.values()}
            query = "SELECT id::text, name, agency_id::text, owner_id::text, pool_id::text, holding, version FROM customer"
            rows = owner.execute(f"{query} WHERE name = ANY(%s)", [self.names]).fetchall()  # type: ignore[arg-type]
            assert {row[0] for row in rows} == expected.keys()
            for id_, *state in rows:
                known = expected[id_]
                where = [self.id_of(known.owner) if known.owner else None, None]
                if known.pool:
                    where[1] = self.pool_of(known.agency, known.pool)
                assert state == [known.name, self.driver.agencies[known.agency], *where, known.holding, known.version]
            for query in self.must_be_empty:
                assert owner.execute(query).fetchall() == []  # type: ignore[arg-type]
            for query in (FILED, SEARCHED):
                assert owner.execute(query, {"only": [known.id for known in expected.values()]}).fetchall() == []  # type: ignore[arg-type]
            assert done_of(owner) == self.before + sum(asked.done for asked in self.asked)
            assert denials_of(owner) == self.denied + sum(asked.denied for asked in self.asked)

    @invariant()
    def nobody_holds_more_than_he_may(self) -> None:
        with psycopg.connect(self.driver.database) as owner:
            query = "SELECT held, allowed FROM stock WHERE person_id = %s"
            for who in REPS:
                row = owner.execute(query, [self.id_of(who)]).fetchone()
                assert row
                assert row[0] == self.model.held(who)
                assert row[1] == self.model.limits[who][0]

    @precondition(lambda self: self.model.customers)
    @rule(who=st.sampled_from(WHO))
    def look(self, who: str) -> None:
        """All pages together are what the person may see of them, no more and no less."""
        own = {known.id for known in self.model.customers.values()}
        assert self.driver.visible(who) & own == self.model.visible(who)


def as_shown(kept: Any, told: Any) -> Any:
    """What was kept, with what is shown by today's rights taken from what is told. A contact's name is a contact person."""
    if isinstance(told, list) and isinstance(kept, list) and len(told) == len(kept):
        return [as_shown(*each) for each in zip(kept, told, strict=True)]
    if isinstance(told, dict) and isinstance(kept, dict):
        restricted = told.get("restricted", ())
        unkept = {"value", "restricted", *restricted, *({"name"} if "contact_person" in restricted else ())} & told.keys()
        return {name: as_shown(value, told.get(name)) for name, value in kept.items()} | {name: told[name] for name in unkept}
    return kept


MOBILES = itertools.count(uuid.uuid4().int % 10**8)


def mobile() -> str:
    """A mobile that nobody else has; Hypothesis draws the same random numbers again in every example."""
    return f"139{next(MOBILES) % 10**8:08}"


def done_of(owner: psycopg.Connection[Any]) -> int:
    """Writes that were carried out, each audited once; what services do by themselves left out."""
    row = owner.execute("SELECT count(*) FROM audit WHERE result = 'done' AND actor NOT LIKE 'system:%'").fetchone()
    assert row
    return int(row[0])


def denials_of(owner: psycopg.Connection[Any]) -> int:
    row = owner.execute("SELECT count(*) FROM audit WHERE result = 'denied' AND actor NOT LIKE 'system:%'").fetchone()
    assert row
    return int(row[0])


class ServiceRegistry(Registry):
    """Besides, rules tells of other limits, in any order, and time goes by; nobody else has left anything in the database."""

    driver: ClassVar[InProcess]
    must_be_empty: ClassVar[tuple[str, ...]] = (*Registry.must_be_empty, MEMBERS, POOL_ROWS, REVEALS)

    @rule(who=st.sampled_from(REPS), limit=st.integers(0, 4), version=st.integers(1, 30))
    def limit(self, who: str, limit: int, version: int) -> None:
        """An older one that comes late, or the same again, changes nothing."""
        self.driver.set_limit(who, limit, version)
        if version > self.model.limits[who][1]:
            self.model.limits[who] = (limit, version)

    @rule(hours=st.integers(-2, 50))
    def let_time_go_by(self, hours: int) -> None:
        """Also back: a clock that was set."""
        self.hours = max(0, self.hours + hours)
        self.driver.advance(self.hours)

    @precondition(lambda self: self.model.customers)
    @rule(is_late=st.booleans(), data=st.data())
    def take_back(self, is_late: bool, data: st.DataObject) -> None:
        """A rule that acts on what it knew does nothing to what has changed since."""
        known = self.some(data)
        holding = known.holding - 1 if is_late and known.holding > 1 else known.holding
        owner = known.owner or "first rep"
        asked = {"customer_id": known.id, "owner_id": self.id_of(owner), "holding": holding, "reason": "no contact"}
        told = self.driver.ask("system:rules", "take_back", asked, uuid.uuid4().hex)
        is_due = known.owner is not None and holding == known.holding
        assert (told.outcome, told.answer.get("is_done")) == ("done", is_due)
        if is_due:
            self.model.give(known, pool="agency")

    def teardown(self) -> None:
        """The next example finds the clock and the limits as this one has."""
        self.driver.advance(0)
        with psycopg.connect(self.driver.database) as owner:
            owner.execute("UPDATE stock SET allowed = %s, allowance_version = 1", [LIMIT])


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Nothing but the databases."""
    with Stack(made_home(tmp_path_factory, "machine"), fast=True, parts=(), replicas={"gateway": 0}) as stack:
        yield stack


def run(machine: type[Registry], driver: Driver, examples: int, steps: int) -> None:
    machine.driver = driver
    budget = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
    )
    run_state_machine_as_test(machine, settings=budget)  # type: ignore[no-untyped-call]


def test_the_registry_is_a_machine_in_the_service(alone: Stack) -> None:
    run(ServiceRegistry, InProcess(alone), EXAMPLES, STEPS)


def test_the_registry_is_a_machine_over_http(stack: Stack, headquarters: Headquarters) -> None:
    run(Registry, OverHttp(stack, headquarters), EXAMPLES_OVER_HTTP, STEPS_OVER_HTTP)
