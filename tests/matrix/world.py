"""People in every position, each with a session, and what they have in common: agencies, departments, pools."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from embedded.stack import Stack
from services.contracts.permissions import OF_RECORDS, ROLES
from tests.api import PASSWORD, Client, Headquarters, eventually, expect, unique
from tests.conftest import OFTEN, UNSHED
from tests.matrix.facts import Databases
from tests.matrix.model import Person, Whose

SALES, FIRST, MARKET, OFFICE = "ours/sales", "ours/sales/first", "ours/market", "ours/office"
THEIRS, HEAD, FROZEN = "theirs/sales", "headquarters/head", "frozen/sales"

UNHURRIED = OFTEN | UNSHED | {"QUDAO_RPC_TIMEOUT": "12", "QUDAO_TYPING_TIMEOUT": "12", "QUDAO_SWEEP_EVERY": "1"}
"""Of a stack where everything is waited for, however busy the machine is; consumers say soon that they have heard everything."""

OF_CLERKS = tuple((each, "department" if each in OF_RECORDS else str(scope)) for each, scope in ROLES["rep"].items())
"""A rep's permissions, those on records for his department."""
OF_PROGRAM = (
    "attempt:read",
    "collaborator:manage",
    "customer:claim",
    "customer:create",
    "customer:read",
    "customer:update",
    "dispute:open",
    "dispute:read",
    "handoff:create",
    "handoff:read",
)
"""A few of those that a rep has, for what is his."""
CALLERS = {
    person.name: person
    for person in (
        Person("rep", "rep", SALES),
        Person("supervisor", "supervisor", SALES),
        Person("manager", "manager", OFFICE, managed=(SALES,)),
        Person("agency_admin", "agency_admin", OFFICE),
        Person("subsystem_admin", "subsystem_admin", HEAD),
        Person("auditor", "auditor", OFFICE),
        Person("clerk", "made", SALES, made=OF_CLERKS),
        Person("program", "rep", SALES, token=OF_PROGRAM),
        Person("newcomer", "agency_admin", OFFICE, standing="code"),
        Person("anonymous", "agency_admin", OFFICE, standing="out"),
        Person("disabled", "agency_admin", OFFICE, standing="out"),
        Person("frozen", "agency_admin", FROZEN, standing="out"),
    )
}
"""Who asks. The last ones would be allowed much if they were let in."""

OTHERS = {
    person.name: person
    for person in (
        Person("colleague", "rep", SALES),
        Person("companion", "rep", SALES),
        Person("junior", "rep", FIRST),
        Person("junior's companion", "rep", FIRST),
        Person("neighbour", "rep", MARKET),
        Person("neighbour's companion", "rep", MARKET),
        Person("rival", "rep", THEIRS),
        Person("rival's companion", "rep", THEIRS),
        Person("rival's admin", "agency_admin", THEIRS),
        Person("head", "rep", HEAD),
        Person("head's companion", "rep", HEAD),
    )
}
"""Whose objects are asked for, seen from `ours/sales`: a subordinate is `junior`, of a sibling department is `neighbour`."""

PEOPLE = CALLERS | OTHERS
AGENCIES = ("ours", "theirs", "headquarters")
COMPANIONS = {"ours": "companion", "theirs": "rival's companion", "headquarters": "head's companion"}
"""In each agency somebody to whom something can be given."""


class World:
    """A system with all of them. `kinds` make what is asked for."""

    def __init__(self, stack: Stack, databases: Databases) -> None:
        self.setup_secret, self.databases = stack.setup_secret, databases
        self.headquarters = Headquarters.set_up(stack.url, stack.setup_secret)
        self.root = self.headquarters.admin
        self.agencies: dict[str, str] = {"headquarters": self.root.get("/v1/me")["agency_id"]}
        self.departments: dict[str, str] = {HEAD: self.root.get("/v1/me")["department_id"]}
        self.clients: dict[str, Client] = {}
        self.codes: dict[str, str] = {}
        self.pools: dict[tuple[str, str], str] = {}
        self.made: dict[tuple[str, Whose], dict[str, str]] = {}
        self._add_departments()
        with ThreadPoolExecutor(4) as pool:
            self.clients |= dict(zip(PEOPLE, pool.map(self._add, PEOPLE.values()), strict=True))
        self._shut_out()
        self._add_pools()

    # --- building

    def _add_departments(self) -> None:
        for path in (SALES, FIRST, MARKET, OFFICE, THEIRS, FROZEN):
            agency, _, rest = path.partition("/")
            if agency not in self.agencies:
                self.agencies[agency] = self.headquarters.agency()["id"]
            body = {"agency_id": self.agencies[agency], "name": unique("部")}
            if "/" in rest:
                body["parent_id"] = self.departments[path.rpartition("/")[0]]
            self.departments[path] = self.root.post("/v1/departments", body)["id"]

    def _add(self, person: Person) -> Client:
        if person.name == "anonymous":
            return Client(self.root.http)
        managed = {"managed_department_ids": [self.departments[path] for path in person.managed]} if person.managed else {}
        department = self.departments[person.department]
        if person.token:
            return self._program_of(person, department)
        if person.standing != "code":
            role = self._role(person.made) if person.made else person.role
            return self.headquarters.person(role, department, **managed)
        user = self.headquarters.add_user(person.role, department)
        self.codes[person.name] = self.headquarters.one_time_code(user["id"])
        client = self.root.log_in(user["login"], self.codes[person.name])
        client.user = user
        return client

    def _role(self, grants: Iterable[tuple[str, str]]) -> str:
        made = [{"permission": permission, "scope": scope} for permission, scope in grants]
        return str(self.root.post("/v1/roles", {"name": unique("岗"), "agency_id": self.agencies["ours"], "grants": made})["id"])

    def _program_of(self, person: Person, department: str) -> Client:
        """Its token was made by him, which takes a right that his built-in role does not give."""
        roles = [person.role, self._role([("token:create", "agency")])]
        who = self.headquarters.person(person.role, department, roles=roles)
        body = {"name": unique("t"), "permissions": list(person.token), "days": 1, "current": PASSWORD}
        return Client(self.root.http, who.post("/v1/me/tokens", body)["secret"], who.user)

    def _shut_out(self) -> None:
        for address in SHUT_OUT.values():
            expect(200, self.root.request("POST", address(self)))
        for name in SHUT_OUT:
            who = self.clients[name]
            eventually(lambda who=who: who.request("GET", "/v1/me").status_code, until=lambda status: status == 401)

    def _add_pools(self) -> None:
        """The built-in ones, and of each agency one that is `open` to all its reps and a `closed` one with a member."""

        def built_in() -> dict[tuple[str, str], str]:
            agencies = {id_: agency for agency, id_ in self.agencies.items()}
            return {(agencies[pool["agency_id"]], pool["kind"]): pool["id"] for pool in self.root.pages("/v1/pools")}

        self.pools = eventually(built_in, until=lambda found: len(found) == 2 * len(self.agencies) + 2)
        for agency in AGENCIES:
            for kind in ("open", "closed"):
                self.pools[agency, kind] = self.new_pool(agency, kind)

    def new_pool(self, agency: str, kind: str) -> str:
        pool_id = str(self.root.post("/v1/pools", {"name": unique("池"), "agency_id": self.agencies[agency]})["id"])
        if kind == "closed":
            path = f"/v1/pools/{pool_id}/members/{self.id_of(COMPANIONS[agency])}"
            expect(200, self.root.request("PUT", path, {}))
        return pool_id

    # --- who and what is where

    def client(self, person: Person) -> Client:
        return self.clients[person.name]

    def id_of(self, name: str) -> str:
        return str(self.clients[name].user["id"]) if self.clients[name].user else ""

    def companion(self, agency: str) -> str:
        return self.id_of(COMPANIONS[agency])

    def pool(self, agency: str, kind: str) -> str:
        return self.pools[agency, kind]

    def anew(self, person: Person) -> Client:
        """A session of his own; a program has its token."""
        return self.client(person) if person.standing == "out" or person.token else self.logged_in(person)

    def logged_in(self, person: Person) -> Client:
        return self.root.log_in(self.client(person).user["login"], self.codes.get(person.name, PASSWORD))

    def ids(self, kind: Any, whose: Whose) -> dict[str, str]:
        """Of an object that all who may not change it share."""
        key = (kind.name, whose)
        if key not in self.made:
            self.made[key] = kind.make(self, whose)
        return self.made[key]


Make = Callable[[World, Whose], dict[str, str]]
SHUT_OUT: dict[str, Callable[[World], str]] = {
    "disabled": lambda world: f"/v1/users/{world.id_of('disabled')}/disable",
    "frozen": lambda world: f"/v1/agencies/{world.agencies['frozen']}/freeze",
}
"""Where headquarters posts so that a session is one no more. `frozen` is the administrator of an agency: what shuts out all of it
belongs there."""
