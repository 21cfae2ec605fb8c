"""Identity as a machine: whatever is done to people and sessions in whatever order, what must hold holds after every step.

Once against the service's own code with its database, where time goes by as well, and with fewer examples over HTTP.
`HYPOTHESIS_PROFILE=nightly` runs many. A new command is a rule: it says by the model what must come of it, asks, compares, and
changes the model; the invariants then look whether the system has come to the same.
"""

import hashlib
import json
import secrets
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar, NamedTuple, Protocol

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from embedded.stack import Stack
from services.contracts.errors import NotAuthenticated, QudaoError
from services.contracts.permissions import BEFORE_OWN_PASSWORD, OF_EVERYBODY, ROLES
from services.contracts.reach import words_of
from services.identity.service import IdentityService
from services.plumbing.database import make_engine, make_reading_engine
from services.plumbing.passport import Signer, Verifier
from services.plumbing.settings import ServiceSettings
from tests.api import PASSWORD, Client, Headquarters, unique
from tests.depth import NIGHTLY
from tests.homes import made_home
from tests.matrix.world import UNHURRIED
from tests.travel import LATER, REAL

EXAMPLES, STEPS = (1_000, 60) if NIGHTLY else (12, 30)
EXAMPLES_OVER_HTTP, STEPS_OVER_HTTP = (100, 40) if NIGHTLY else (3, 20)
GIVEN = tuple(ROLES)
HEAD = "subsystem_admin"
IDLE, ABSOLUTE, CODE_LASTS, WINDOW, FREE = 0.5, 12.0, 72.0, 24.0, 5
"""Hours for which a session may rest and lasts, a code lasts, and failures are kept; how many cost nothing."""
MOST_HOURS = 80 * 24
"""Then people would be locked for having been away."""
AGES = st.sampled_from((0.4, 0.6, 13.0, 73.0))
SOME = st.integers(0, 2**16)
WRONG = "not the right password"


class Told(NamedTuple):
    """What came of a command: `done` with its answer, or the slug of an error."""

    outcome: str
    answer: dict[str, Any]


class Driver(Protocol):
    """The way to identity, and a look into its database as its owner. A session is called by its token."""

    owner: psycopg.Connection[Any]

    def log_in(self, login: str, secret: str) -> Told: ...

    def ask(self, token: str, name: str, message: dict[str, Any]) -> Told: ...

    def grants(self, token: str) -> dict[str, str] | None: ...

    def listed(self, token: str, name: str) -> set[str] | None: ...


# --- the service's own code


class InProcess:
    """The service's methods as nameko calls them, under passports that it has signed itself; no broker, no gateway."""

    def __init__(self, stack: Stack) -> None:
        self.owner = psycopg.connect(stack.owner_url("identity"), autocommit=True)
        self.gateway = Signer("gateway", (stack.secrets / "signing" / "gateway.pem").read_text())
        own = {"service": "identity", "database_url": stack.database_url("identity"), "amqp_uri": "", "signing_key": ""}
        given = {"trusted_keys_dir": stack.secrets / "trusted", "setup_secret": stack.setup_secret}
        self.settings = ServiceSettings.model_validate(own | given)
        self.signer = Signer("identity", (stack.secrets / "signing" / "identity.pem").read_text())
        self.verifier = Verifier(self.settings.trusted_keys_dir)
        self.engine, self.reading_engine = make_engine(self.settings), make_reading_engine(self.settings)
        self.constraints, self.hash_key = IdentityService.constraints, b"machine"
        self.service = IdentityService()
        self.service.plumbing = self
        first = {"secret": stack.setup_secret, "agency_name": "总部", "login": "root", "display_name": "总管"}
        assert self.call(self.gateway.own(), "set_up", first | {"password": PASSWORD}).outcome == "done"

    def close(self) -> None:
        self.owner.close()

    def call(self, passport: str, name: str, message: dict[str, Any]) -> Told:
        ends, key = time.time() + 60, uuid.uuid4().hex
        headers = {"passport": passport, "command_id": key, "deadline": str(ends), "request_id": uuid.uuid4().hex}
        body = json.loads(getattr(self.service, name)(message, headers))
        if error := body["error"]:
            kind = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in error["exc_type"])
            return Told(kind.removeprefix("-"), error["exc_args"][0])
        return Told("done", body["result"])

    def log_in(self, login: str, secret: str) -> Told:
        token = secrets.token_urlsafe(32)
        message = {"login": login, "password": secret, "token_digest": digest_of(token)}
        told = self.call(self.gateway.own(), "open_session", message)
        return told._replace(answer={**told.answer, "token": token})

    def passport(self, token: str) -> Told:
        return self.call(self.gateway.own(), "resolve_session", {"token_digest": digest_of(token)})

    def ask(self, token: str, name: str, message: dict[str, Any]) -> Told:
        passport = self.passport(token)
        if passport.outcome != "done":
            return passport
        secret = secrets.token_hex(8)
        kept_as, told_as = SECRETS.get(name, ("", ""))
        told = self.call(passport.answer["token"], name, message | ({kept_as: digest_of(secret)} if kept_as else {}))
        return told._replace(answer={**told.answer, told_as: secret}) if kept_as else told

    def grants(self, token: str) -> dict[str, str] | None:
        passport = self.passport(token)
        if passport.outcome != "done":
            return None
        try:
            grants = self.verifier.verify(passport.answer["token"]).grants
            return {permission: words_of(reach) for permission, reach in grants.items()}
        except NotAuthenticated:
            return None

    def listed(self, token: str, name: str) -> set[str] | None:
        found: list[str] = []
        cursor = None
        while True:
            told = self.ask(token, name, {"limit": 3, "cursor": cursor})
            if told.outcome != "done":
                return None
            found += [item["id"] for item in told.answer["items"]]
            if (cursor := told.answer["next_cursor"]) is None:
                assert len(found) == len(set(found))
                return set(found)

    def advance(self, hours: float) -> None:
        self.owner.execute(LATER.format(timedelta(hours=hours).total_seconds()) if hours else REAL)  # type: ignore[arg-type]


SECRETS = {
    "change_password": ("token_digest", "token"),
    "invite_user": ("code_digest", "code"),
    "reset_password": ("code_digest", "code"),
}
"""What the gateway makes: as what its digest goes along, and as what it is told."""


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


# --- over HTTP


class OverHttp:
    """The whole system, by its API; its gateway keeps no passport."""

    def __init__(self, stack: Stack) -> None:
        self.owner = psycopg.connect(stack.owner_url("identity"), autocommit=True)
        self.http = Headquarters.set_up(stack.url, stack.setup_secret).admin.http

    def close(self) -> None:
        self.owner.close()
        self.http.close()

    def request(self, token: str | None, method: str, path: str, body: Any = None, **headers: str) -> Told:
        answer = Client(self.http, token).request(method, path, body, **headers)
        told = answer.json() if answer.content else {}
        return Told("done" if answer.is_success else told["type"].removeprefix("urn:qudao:problem:"), told)

    def log_in(self, login: str, secret: str) -> Told:
        return self.request(None, "POST", "/v1/sessions", {"login": login, "password": secret})

    def ask(self, token: str, name: str, message: dict[str, Any]) -> Told:
        in_path = ("user_id", "expected_version", *OF_PATH.get(name, ()))
        rest = {key: value for key, value in message.items() if key not in in_path}
        version = {"If_Match": f'"{message["expected_version"]}"'} if "expected_version" in message else {}
        user, role = f"/v1/users/{message.get('user_id')}", f"/v1/roles/{message.get('role_id')}"
        agency, department = (f"/v1/{kind}/{message.get(key)}" for kind, key in PLACES)
        method, path = {
            "add_agency": ("POST", "/v1/agencies"),
            "add_department": ("POST", "/v1/departments"),
            "add_user": ("POST", "/v1/users"),
            "create_role": ("POST", "/v1/roles"),
            "change_password": ("PUT", "/v1/me/password"),
            "disable_user": ("POST", f"{user}/disable"),
            "end_session": ("DELETE", "/v1/sessions/current"),
            "freeze_agency": ("POST", f"{agency}/freeze"),
            "give_grant": ("POST", f"{user}/grants"),
            "invite_user": ("POST", f"{user}/one-time-code"),
            "merge_department": ("POST", f"{department}/merge"),
            "move_department": ("POST", f"{department}/move"),
            "reset_password": ("POST", f"{user}/password-reset"),
            "restore_user": ("POST", f"{user}/restore"),
            "thaw_agency": ("POST", f"{agency}/thaw"),
            "update_role": ("PATCH", role),
            "withdraw_grant": ("DELETE", f"{user}/grants/{message.get('grant_id')}"),
            "update_user": ("PATCH", user),
        }[name]
        return self.request(token, method, path, rest or None, **version)

    def grants(self, token: str) -> dict[str, str] | None:
        told = self.request(token, "GET", "/v1/me")
        return told.answer["permissions"] if told.outcome == "done" else None

    def listed(self, token: str, name: str) -> set[str] | None:
        path = f"/v1/{name.removeprefix('list_')}"
        if self.request(token, "GET", path).outcome != "done":
            return None
        items = [item["id"] for item in Client(self.http, token).pages(path, limit=3)]
        assert len(items) == len(set(items))
        return set(items)


PLACES = (("agencies", "agency_id"), ("departments", "department_id"))
OF_PATH = {
    "freeze_agency": ("agency_id",),
    "merge_department": ("department_id",),
    "move_department": ("department_id",),
    "thaw_agency": ("agency_id",),
    "update_role": ("role_id",),
    "withdraw_grant": ("grant_id",),
}


# --- the model


@dataclass
class Department:
    id: str
    agency: str
    parent: str | None
    is_merged: bool = False


@dataclass
class Role:
    """One that was made; it gives nothing by which anybody is administered."""

    id: str
    agency: str
    grants: dict[str, str]
    version: int = 1


@dataclass
class User:
    """As he must be. `secret` is what he logs in with: a password, or a code that lasts until an hour; None without either."""

    id: str
    login: str
    agency: str
    department: str
    role: str
    managed: list[str] = field(default_factory=list)
    version: int = 1
    is_active: bool = True
    secret: str | None = None
    code_until: float | None = None
    failures: list[float] = field(default_factory=list)
    granted: list[str] = field(default_factory=list)
    """Ids of the grants of `customer:read` that he has."""

    @property
    def has_password(self) -> bool:
        return self.secret is not None and self.code_until is None

    @property
    def is_head(self) -> bool:
        return self.role == HEAD

    @property
    def state(self) -> tuple[Any, ...]:
        """As his row has it."""
        status = "active" if self.is_active else "disabled"
        return self.agency, self.department, self.managed, [self.role], status, self.has_password, self.version


@dataclass
class Session:
    token: str
    user: User
    by_code: bool
    opened_at: float
    used_at: float
    is_ended: bool = False


@dataclass
class Model:
    """`headquarters` is an agency's id. Hours count from the beginning."""

    headquarters: str
    hours: float = 0.0
    agencies: list[str] = field(default_factory=list)
    departments: dict[str, Department] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)
    sessions: list[Session] = field(default_factory=list)

    def is_live(self, session: Session) -> bool:
        is_in_time = self.hours < session.opened_at + ABSOLUTE and self.hours < session.used_at + IDLE
        return is_in_time and session.user.is_active and not session.is_ended and session.user.agency not in self.frozen

    def grants(self, session: Session) -> dict[str, str]:
        role = session.user.role
        granted = BEFORE_OWN_PASSWORD if session.by_code else {**OF_EVERYBODY, **ROLES.get(role, {})}
        made = self.roles[role].grants if role in self.roles and not session.by_code else {}
        grants = {permission: str(scope) for permission, scope in granted.items()} | made
        own = grants.get("customer:read")
        if session.user.granted and not session.by_code and own not in ("agency", "all"):
            grants["customer:read"] = " + ".join(sorted({"listed", own or "listed"}))
        return grants

    def refusal(self, session: Session, permission: str) -> str | None:
        """Before anything is looked at; a session that is over is not used."""
        if not self.is_live(session):
            return "not-authenticated"
        session.used_at = self.hours
        if permission in self.grants(session):
            return None
        return "password-change-required" if session.by_code else "permission-denied"

    def sees(self, user: User, agency: str) -> bool:
        return user.is_head or user.agency == agency

    def may_give(self, by: User, role: str, agency: str) -> bool:
        return role != HEAD or (by.is_head and agency == self.headquarters)

    def remains(self, but: User) -> bool:
        """Whether somebody else could administer the subsystem."""
        others = (user for user in self.users.values() if user is not but)
        return any(user.is_head and user.is_active and user.has_password for user in others)

    def end(self, user: User, but: Session | None = None) -> None:
        for session in self.sessions:
            session.is_ended |= session.user is user and session is not but


PERMISSIONS = {
    "add_agency": "agency:create",
    "add_department": "department:create",
    "add_user": "user:create",
    "create_role": "role:manage",
    "disable_user": "user:disable",
    "freeze_agency": "agency:freeze",
    "give_grant": "grant:give",
    "invite_user": "user:invite",
    "merge_department": "department:merge",
    "move_department": "department:move",
    "reset_password": "user:reset",
    "restore_user": "user:restore",
    "thaw_agency": "agency:freeze",
    "update_role": "role:manage",
    "update_user": "user:update",
    "withdraw_grant": "grant:give",
}
LISTS = {"list_agencies": "agency:read", "list_departments": "department:read", "list_users": "user:read"}
DENIALS = {"not-found"} | {kind.slug() for kind in QudaoError.registry.values() if kind.is_denial}
MADE_ROLES = st.dictionaries(
    st.sampled_from(("customer:read", "day:read")), st.sampled_from(("own", "department", "agency")), min_size=1
)
MOST_LEVELS = 12


class Identity(RuleBasedStateMachine):
    """Everybody does what comes to his mind."""

    driver: ClassVar[Driver]

    @initialize()
    def begin(self) -> None:
        """Headquarters as it was set up, and an agency with a department and its administrator, logged in."""
        owner = self.driver.owner
        [(head, version, agency, department, self.hashed)] = owner.execute(ROOT).fetchall()
        forget_others(owner, head)
        self.carried_out, self.denied = audited(owner, "done"), audited(owner, "denied")
        self.model = Model(agency, agencies=[agency])
        self.model.departments[department] = Department(department, agency, None)
        self.root = User(head, "root", agency, department, HEAD, version=version, secret=PASSWORD)
        self.model.users[head] = self.root
        self.open(self.root)
        self.add_agency(0)
        self.add_department(0, 1, None)
        self.add_user(0, 1, "agency_admin", [])
        self.invite(0, 1)
        self.log_in(1, False)
        self.choose_password(1)

    # --- choosing what there is; numbers are drawn, because ids are others in each run

    def session(self, number: int) -> Session:
        return self.model.sessions[number % len(self.model.sessions)]

    def user(self, number: int) -> User:
        return list(self.model.users.values())[number % len(self.model.users)]

    def department(self, number: int) -> Department:
        there = [each for each in self.model.departments.values() if not each.is_merged]
        return there[number % len(there)]

    def do(self, session: Session, name: str, expected: str, /, **message: Any) -> Told:
        """Asks, and compares with what the model says, unless the session may not even ask."""
        refused = self.model.refusal(session, PERMISSIONS[name])
        told = self.driver.ask(session.token, name, message)
        assert told.outcome == (refused or expected), (name, message, told, refused or expected)
        self.count(told.outcome, session.user)
        return told

    def count(self, outcome: str, by: User | None = None) -> None:
        """From who administers all nothing is hidden: what is not found is not there, where he has looked for it."""
        self.carried_out += outcome == "done"
        self.denied += outcome in DENIALS and not (outcome == "not-found" and by is not None and by.is_head)

    # --- places

    @rule(by=SOME)
    def add_agency(self, by: int) -> None:
        told = self.do(self.session(by), "add_agency", "done", name=unique("代理"))
        if told.outcome == "done":
            self.model.agencies.append(told.answer["id"])

    @rule(by=SOME, at=SOME, below=st.none() | SOME)
    def add_department(self, by: int, at: int, below: int | None) -> None:
        session, agency = self.session(by), self.model.agencies[at % len(self.model.agencies)]
        parent = None if below is None else self.department(below)
        is_hidden = not self.model.sees(session.user, agency) or bool(parent and parent.agency != agency)
        message = {"agency_id": agency, "name": unique("部")} | ({"parent_id": parent.id} if parent else {})
        is_deep = parent is not None and len(list(self.line_of(parent))) == MOST_LEVELS
        expected = "not-found" if is_hidden else "tree-too-deep" if is_deep else "done"
        told = self.do(session, "add_department", expected, **message)
        if told.outcome == "done":
            made = Department(told.answer["id"], agency, parent.id if parent else None)
            self.model.departments[made.id] = made

    @rule(by=SOME, which=SOME, thaws=st.booleans())
    def freeze_or_thaw(self, by: int, which: int, thaws: bool) -> None:
        session, agency = self.session(by), self.model.agencies[which % len(self.model.agencies)]
        stays = agency == self.model.headquarters and not thaws
        name = "thaw_agency" if thaws else "freeze_agency"
        if self.do(session, name, "headquarters-stays" if stays else "done", agency_id=agency).outcome != "done":
            return
        if thaws:
            self.model.frozen.discard(agency)
        elif agency not in self.model.frozen:
            self.model.frozen.add(agency)
            for user in self.model.users.values():
                if user.agency == agency:
                    self.model.end(user)

    def levels(self, department: Department) -> int:
        """Of what is below it, itself included; merged ones are still where they were."""
        lines = [list(self.line_of(each)) for each in self.model.departments.values()]
        return max(line.index(department.id) + 1 for line in lines if department.id in line)

    def placing(self, session: Session, department: Department, parent: Department | None, levels: int) -> str:
        """Whether a department, or what is below it, comes to stand below another one."""
        if not self.model.sees(session.user, department.agency) or (parent and parent.agency != department.agency):
            return "not-found"
        above = list(self.line_of(parent)) if parent else []
        if department.id in above:
            return "department-below-itself"
        return "tree-too-deep" if len(above) + levels > MOST_LEVELS else "done"

    @rule(by=SOME, which=SOME, below=st.none() | SOME)
    def move_department(self, by: int, which: int, below: int | None) -> None:
        session, department = self.session(by), self.department(which)
        parent = None if below is None else self.department(below)
        parent_id = parent.id if parent else None
        expected = self.placing(session, department, parent, self.levels(department))
        if expected == "tree-too-deep" and parent_id == department.parent:
            expected = "done"
        told = self.do(session, "move_department", expected, department_id=department.id, parent_id=parent_id)
        if told.outcome == "done":
            department.parent = parent_id

    @rule(by=SOME, which=SOME, to=SOME)
    def merge_department(self, by: int, which: int, to: int) -> None:
        """But for headquarters': there the next example begins."""
        session, department, into = self.session(by), self.department(which), self.department(to)
        if department.agency == self.model.headquarters:
            return
        expected = self.placing(session, department, into, max(1, self.levels(department) - 1))
        if self.do(session, "merge_department", expected, department_id=department.id, into_id=into.id).outcome != "done":
            return
        department.is_merged = True
        for child in self.model.departments.values():
            if child.parent == department.id:
                child.parent = into.id
        for user in self.model.users.values():
            user.version += department.id in (user.department, *user.managed)
            user.department = into.id if user.department == department.id else user.department
            user.managed = list(dict.fromkeys(into.id if each == department.id else each for each in user.managed))

    # --- roles

    @rule(by=SOME, at=SOME, grants=MADE_ROLES)
    def create_role(self, by: int, at: int, grants: dict[str, str]) -> None:
        session, agency = self.session(by), self.model.agencies[at % len(self.model.agencies)]
        expected = "done" if self.model.sees(session.user, agency) else "not-found"
        message = {"agency_id": agency, "name": unique("岗"), "grants": body_of(grants)}
        told = self.do(session, "create_role", expected, **message)
        if told.outcome == "done":
            self.model.roles[told.answer["id"]] = Role(told.answer["id"], agency, grants)

    @precondition(lambda self: self.model.roles)
    @rule(by=SOME, which=SOME, grants=MADE_ROLES)
    def change_made_role(self, by: int, which: int, grants: dict[str, str]) -> None:
        """All who have it feel it at once. Those of headquarters are there for all, and changed by it alone."""
        session, role = self.session(by), list(self.model.roles.values())[which % len(self.model.roles)]
        expected = "done" if self.model.sees(session.user, role.agency) else "not-found"
        if role.agency == self.model.headquarters and not session.user.is_head:
            expected = "above-your-rights"
        message = {"role_id": role.id, "expected_version": role.version, "grants": body_of(grants)}
        if self.do(session, "update_role", expected, **message).outcome == "done":
            role.version += grants != role.grants
            role.grants = grants

    @precondition(lambda self: self.model.roles)
    @rule(by=SOME, whom=SOME, which=SOME)
    def give_made_role(self, by: int, whom: int, which: int) -> None:
        role = list(self.model.roles.values())[which % len(self.model.roles)]
        self.change_role(by, whom, role.id, [], is_stale=False)

    # --- grants; how far supervisors and managers give some is the matrix's to ask

    @rule(by=SOME, whom=SOME, about=SOME)
    def give_grant(self, by: int, whom: int, about: int) -> None:
        session, user = self.session(by), self.user(whom)
        colleagues = [each for each in self.model.users.values() if each.agency == user.agency]
        if session.user.role in ("supervisor", "manager"):
            return
        expected = "done" if self.model.sees(session.user, user.agency) else "not-found"
        if user is session.user:
            expected = "own-account"
        elif expected == "done" and not user.is_active:
            expected = "user-not-active"
        message = {"permission": "customer:read", "person_id": colleagues[about % len(colleagues)].id}
        told = self.do(session, "give_grant", expected, user_id=user.id, **message)
        if told.outcome == "done":
            user.granted.append(told.answer["id"])

    @precondition(lambda self: any(user.granted for user in self.model.users.values()))
    @rule(by=SOME, which=SOME)
    def withdraw_grant(self, by: int, which: int) -> None:
        session, granted = self.session(by), [user for user in self.model.users.values() if user.granted]
        user = granted[which % len(granted)]
        if session.user.role in ("supervisor", "manager"):
            return
        expected = "done" if self.model.sees(session.user, user.agency) else "not-found"
        message = {"user_id": user.id, "grant_id": user.granted[-1]}
        if self.do(session, "withdraw_grant", expected, **message).outcome == "done":
            user.granted.pop()

    # --- people

    @rule(by=SOME, at=SOME, role=st.sampled_from(GIVEN), managed=st.lists(SOME, max_size=2))
    def add_user(self, by: int, at: int, role: str, managed: list[int]) -> None:
        session, department = self.session(by), self.department(at)
        overseen = [self.department(number) for number in managed]
        expected = "done"
        if not self.model.sees(session.user, department.agency):
            expected = "not-found"
        elif not self.model.may_give(session.user, role, department.agency):
            expected = "above-your-rights"
        elif not may_oversee(role, department.agency, overseen):
            expected = "managed-departments-missing"
        login, ids = unique("u"), list(dict.fromkeys(each.id for each in overseen))
        message = {"login": login, "department_id": department.id, "roles": [role], "managed_department_ids": ids}
        told = self.do(session, "add_user", expected, **message)
        if told.outcome == "done":
            made = User(told.answer["id"], login, department.agency, department.id, role, ids)
            self.model.users[made.id] = made

    def administering(self, by: User, user: User) -> str:
        """Whether he may touch this user at all."""
        if not self.model.sees(by, user.agency):
            return "not-found"
        return "done" if self.model.may_give(by, user.role, user.agency) else "above-your-rights"

    @rule(by=SOME, whom=SOME, role=st.sampled_from(GIVEN), managed=st.lists(SOME, max_size=1), is_stale=st.booleans())
    def change_role(self, by: int, whom: int, role: str, managed: list[int], is_stale: bool) -> None:
        session, user = self.session(by), self.user(whom)
        overseen = [self.department(number) for number in managed]
        expected = self.administering(session.user, user)
        if expected == "done" and is_stale:
            expected = "version-conflict"
        elif expected == "done" and role != user.role:
            made = self.model.roles.get(role)
            if made and made.agency not in (user.agency, self.model.headquarters):
                expected = "invalid-request"
            elif not self.model.may_give(session.user, role, user.agency):
                expected = "above-your-rights"
            elif role != HEAD and user.is_head and user.is_active and not self.model.remains(user):
                expected = "last-administrator"
        if expected == "done" and not may_oversee(role, user.agency, overseen):
            expected = "managed-departments-missing"
        ids = [each.id for each in overseen]
        if expected == "done" and user is session.user and (role, ids) != (user.role, user.managed):
            expected = "own-account"
        message = {
            "user_id": user.id,
            "expected_version": user.version + is_stale,
            "roles": [role],
            "managed_department_ids": ids,
        }
        told = self.do(session, "update_user", expected, **message)
        if told.outcome == "done":
            user.version += (role, ids) != (user.role, user.managed)
            user.role, user.managed = role, ids

    @rule(by=SOME, whom=SOME, to=SOME)
    def move_user(self, by: int, whom: int, to: int) -> None:
        session, user, department = self.session(by), self.user(whom), self.department(to)
        expected = self.administering(session.user, user)
        if expected == "done" and department.agency != user.agency:
            expected = "not-found"
        elif expected == "done" and user is session.user and department.id != user.department:
            expected = "own-account"
        message = {"user_id": user.id, "expected_version": user.version, "department_id": department.id}
        told = self.do(session, "update_user", expected, **message)
        if told.outcome == "done":
            user.version += department.id != user.department
            user.department = department.id

    # --- accounts

    @rule(by=SOME, whom=SOME)
    def disable(self, by: int, whom: int) -> None:
        session, user = self.session(by), self.user(whom)
        expected = "own-account" if user is session.user else self.administering(session.user, user)
        if expected == "done" and user.is_head and user.is_active and not self.model.remains(user):
            expected = "last-administrator"
        if self.do(session, "disable_user", expected, user_id=user.id).outcome == "done" and user.is_active:
            user.is_active, user.version = False, user.version + 1
            self.model.end(user)
            if not user.has_password:
                user.secret = user.code_until = None

    @rule(by=SOME, whom=SOME)
    def restore(self, by: int, whom: int) -> None:
        session, user = self.session(by), self.user(whom)
        expected = self.administering(session.user, user)
        if self.do(session, "restore_user", expected, user_id=user.id).outcome == "done" and not user.is_active:
            user.is_active, user.version = True, user.version + 1

    @rule(by=SOME, whom=SOME)
    def reset(self, by: int, whom: int) -> None:
        session, user = self.session(by), self.user(whom)
        expected = "own-account" if user is session.user else self.administering(session.user, user)
        if expected == "done" and not user.is_active:
            expected = "user-not-active"
        elif expected == "done" and user.is_head and not self.model.remains(user):
            expected = "last-administrator"
        told = self.do(session, "reset_password", expected, user_id=user.id)
        if told.outcome == "done":
            user.version += 1
            self.give(user, told.answer["code"])
            self.model.end(user)

    @rule(by=SOME, whom=SOME)
    def invite(self, by: int, whom: int) -> None:
        """A newer code ends the sessions that the older one has opened."""
        session, user = self.session(by), self.user(whom)
        expected = self.administering(session.user, user)
        if expected == "done" and user.has_password:
            expected = "has-password"
        elif expected == "done" and not user.is_active:
            expected = "user-not-active"
        told = self.do(session, "invite_user", expected, user_id=user.id)
        if told.outcome == "done":
            self.give(user, told.answer["code"])
            for each in self.model.sessions:
                each.is_ended |= each.user is user and each.by_code

    def give(self, user: User, code: str) -> None:
        user.secret, user.code_until, user.failures = code, self.model.hours + CODE_LASTS, []

    # --- sessions

    @rule(who=SOME, is_wrong=st.booleans())
    def log_in(self, who: int, is_wrong: bool) -> None:
        user = self.user(who)
        is_late = user.code_until is not None and self.model.hours >= user.code_until
        is_right = user.secret is not None and user.is_active and not is_late and not is_wrong
        if user.failures and self.model.hours - user.failures[-1] >= WINDOW:
            user.failures = []
        expected = "wrong-credentials" if not is_right else "agency-frozen" if user.agency in self.model.frozen else "done"
        expected = "captcha-required" if len(user.failures) >= FREE else expected
        told = self.driver.log_in(user.login, WRONG if is_wrong or user.secret is None else user.secret)
        assert told.outcome == expected, (told, expected)
        self.count(told.outcome)
        if expected == "wrong-credentials":
            user.failures.append(self.model.hours)
        elif expected == "done":
            user.failures = []
            self.opened(user, told)

    def open(self, user: User) -> None:
        assert user.secret
        told = self.driver.log_in(user.login, user.secret)
        assert told.outcome == "done", told
        self.count(told.outcome)
        user.failures = []
        self.opened(user, told)

    def opened(self, user: User, told: Told) -> None:
        now = self.model.hours
        self.model.sessions.append(Session(told.answer["token"], user, not user.has_password, now, now))

    @rule(number=SOME)
    def log_out(self, number: int) -> None:
        session = self.session(number)
        was_live = self.model.is_live(session)
        told = self.driver.ask(session.token, "end_session", {})
        assert told.outcome == ("done" if was_live else "not-authenticated")
        self.count(told.outcome)
        session.is_ended = True

    @rule(number=SOME)
    def choose_password(self, number: int) -> None:
        """It takes the current one, or the session of a code; and ends all other sessions."""
        session = self.session(number)
        user, new = session.user, f"{PASSWORD} {secrets.token_hex(4)}"
        message = {"new": new} | ({} if session.by_code else {"current": user.secret or WRONG})
        was_live = self.model.is_live(session)
        told = self.driver.ask(session.token, "change_password", message)
        if not was_live:
            assert told.outcome == "not-authenticated"
        else:
            assert told.outcome == "done", told
            self.count(told.outcome)
            user.secret, user.code_until = new, None
            session.token, session.by_code, session.used_at = told.answer["token"], False, self.model.hours
            self.model.end(user, but=session)

    @precondition(lambda self: not any(self.model.is_live(session) and session.user.is_head for session in self.model.sessions))
    @rule()
    def come_back(self) -> None:
        """Somebody who administers all can always log in."""
        for user in self.model.users.values():
            if user.is_head and user.is_active and user.has_password and len(user.failures) < FREE:
                return self.open(user)

    # --- what must hold

    @invariant()
    def whoever_is_let_in_may_what_his_role_gives_him(self) -> None:
        """No session lives on that should not, no other is ended, and a change of rights is felt at once."""
        for session in self.model.sessions:
            expected = self.model.grants(session) if self.model.is_live(session) else None
            assert self.driver.grants(session.token) == expected, session
            if expected is not None:
                session.used_at = self.model.hours

    @invariant()
    def people_are_as_they_were_made(self) -> None:
        """Nobody has a right that nobody gave him, and the last administrator is there."""
        rows = self.driver.owner.execute(PEOPLE, [list(self.model.users)]).fetchall()
        assert {id_: tuple(state) for id_, *state in rows} == {user.id: user.state for user in self.model.users.values()}
        heads = self.driver.owner.execute("SELECT id::text FROM person WHERE 'subsystem_admin' = ANY (roles)").fetchall()
        known = {user.id for user in self.model.users.values() if user.is_head}
        assert {id_ for (id_,) in heads} & self.model.users.keys() == known
        [(administrators,)] = self.driver.owner.execute(ADMINISTRATORS).fetchall()
        assert administrators >= 1

    @invariant()
    def departments_are_a_forest(self) -> None:
        rows = self.driver.owner.execute(DEPARTMENTS, [list(self.model.departments)]).fetchall()
        assert {id_ for id_, *_ in rows} == self.model.departments.keys()
        for id_, agency, parent, path in rows:
            if self.model.departments[id_].is_merged:
                continue
            known = self.model.departments[id_]
            assert (agency, parent) == (known.agency, known.parent)
            assert path == ".".join(reversed(list(self.line_of(known))))

    def line_of(self, department: Department) -> Iterator[str]:
        """From it to its root; of one agency, and never in a circle."""
        seen: set[str] = set()
        while True:
            assert department.id not in seen
            seen.add(department.id)
            yield department.id
            if department.parent is None:
                return
            parent = self.model.departments[department.parent]
            assert parent.agency == department.agency
            department = parent

    @invariant()
    def everything_is_audited_once(self) -> None:
        owner = self.driver.owner
        assert (audited(owner, "done"), audited(owner, "denied")) == (self.carried_out, self.denied)

    @rule(number=SOME, name=st.sampled_from(sorted(LISTS)))
    def look(self, number: int, name: str) -> None:
        """All pages together are what he may see of it, no more and no less."""
        session = self.session(number)
        refused = self.model.refusal(session, LISTS[name])
        listed = self.driver.listed(session.token, name)
        if refused:
            assert listed is None
            self.denied += refused in DENIALS
            return
        agencies = {
            "list_agencies": {agency: agency for agency in self.model.agencies},
            "list_departments": {each.id: each.agency for each in self.model.departments.values()},
            "list_users": {user.id: user.agency for user in self.model.users.values()},
        }[name]
        expected = {id_ for id_, agency in agencies.items() if self.model.sees(session.user, agency)}
        assert listed is not None
        # headquarters sees besides what other examples have left
        assert (listed & agencies.keys() if session.user.agency == self.model.headquarters else listed) == expected

    def teardown(self) -> None:
        """The next example finds the first administrator as this one has."""
        if hasattr(self, "root"):
            self.driver.owner.execute(AS_BEFORE, [self.hashed, [HEAD], self.root.agency, self.root.id])


ROOT = """
    SELECT id::text, version, agency_id::text, department_id::text, password_hash FROM person WHERE login = 'root'
"""
PEOPLE = """
    SELECT id::text, agency_id::text, department_id::text, managed_department_ids::text[], roles, status,
           password_hash IS NOT NULL, version
    FROM person WHERE id = ANY (%s::uuid[])
"""
ADMINISTRATORS = """
    SELECT count(*) FROM person WHERE 'subsystem_admin' = ANY (roles) AND status = 'active' AND password_hash IS NOT NULL
"""
DEPARTMENTS = "SELECT id::text, agency_id::text, parent_id::text, path FROM department WHERE id = ANY (%s::uuid[])"
AS_BEFORE = """
    UPDATE person SET password_hash = %s, roles = %s, managed_department_ids = '{}', status = 'active', department_id =
        (SELECT id FROM department WHERE agency_id = %s AND parent_id IS NULL ORDER BY id LIMIT 1) WHERE id = %s
"""


def forget_others(owner: psycopg.Connection[Any], head: str) -> None:
    """Examples share a database: of what others have left nobody administers anything."""
    owner.execute("UPDATE person SET status = 'disabled' WHERE id <> %s", [head])
    owner.execute("UPDATE session SET ended_at = clock() WHERE ended_at IS NULL")
    owner.execute("UPDATE row_grant SET withdrawn_at = clock(), withdrawn_by = given_by WHERE withdrawn_at IS NULL")
    owner.execute("DELETE FROM login_failures")


def audited(owner: psycopg.Connection[Any], result: str) -> int:
    """What services do by themselves left out, but for log-ins, which the gateway asks for."""
    mine = "actor NOT LIKE 'system:%%' OR operation = 'identity.open_session'"
    return int((owner.execute(f"SELECT count(*) FROM audit WHERE result = %s AND ({mine})", [result]).fetchone() or (0,))[0])  # type: ignore[arg-type]  # noqa: S608 a constant


def body_of(grants: dict[str, str]) -> list[dict[str, str]]:
    return [{"permission": permission, "scope": scope} for permission, scope in grants.items()]


def may_oversee(role: str, agency: str, overseen: list[Department]) -> bool:
    """A manager oversees departments of his agency, and nobody else any."""
    return (role == "manager") == bool(overseen) and all(each.agency == agency for each in overseen)


class ServiceIdentity(Identity):
    """Besides, time goes by."""

    driver: ClassVar[InProcess]

    @precondition(lambda self: self.model.hours < MOST_HOURS)
    @rule(hours=AGES)
    def let_time_go_by(self, hours: float) -> None:
        self.model.hours += hours
        self.driver.advance(self.model.hours)

    def teardown(self) -> None:
        self.driver.advance(0)
        super().teardown()


def run(machine: type[Identity], driver: Driver, examples: int, steps: int) -> None:
    machine.driver = driver
    budget = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
    )
    run_state_machine_as_test(machine, settings=budget)  # type: ignore[no-untyped-call]


def test_identity_is_a_machine_in_the_service(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing runs but the databases."""
    with Stack(made_home(tmp_path_factory, "identity"), fast=True, parts=(), replicas={"gateway": 0}) as alone:
        with closing(InProcess(alone)) as driver:
            run(ServiceIdentity, driver, EXAMPLES, STEPS)


def test_identity_is_a_machine_over_http(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = made_home(tmp_path_factory, "identity-http")
    with Stack(home, fast=True, env=UNHURRIED | {"QUDAO_PASSPORT_CACHE": "0"}) as stack:
        with closing(OverHttp(stack)) as driver:
            run(Identity, driver, EXAMPLES_OVER_HTTP, STEPS_OVER_HTTP)
