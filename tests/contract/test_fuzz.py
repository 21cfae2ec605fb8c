"""Odd requests to every operation of the HTTP interface: nothing answers 5xx, or otherwise than `/openapi.json` says.

A few examples of each operation by default; `./qudao fuzz` tries 100 of each, `QUDAO_FUZZ_EXAMPLES` says how many. The seed is
told at the end, and `QUDAO_FUZZ_SEED` makes the same requests again.
"""

import importlib
import os
import pkgutil
import random
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
import schemathesis
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from embedded.stack import Stack
from gateway import health, routes
from tests.api import PASSWORD, Client, Headquarters, Team, brand, company, digits, unique
from tests.conftest import OFTEN
from tests.homes import made_home

EXAMPLES = int(os.environ.get("QUDAO_FUZZ_EXAMPLES", "6"))
SEED = int(os.environ.get("QUDAO_FUZZ_SEED", random.randrange(2**32)))
CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
PHASES = (Phase.explicit, Phase.generate)  # a request that failed has changed the world, so a smaller one may not fail again
ROUTED = [importlib.import_module(f"gateway.routes.{found.name}") for found in pkgutil.iter_modules(routes.__path__)]
OPERATIONS = sorted(
    f"{method} {route.path}"
    for module in (*ROUTED, health)
    for route in module.router.routes
    if isinstance(route, APIRoute) and route.include_in_schema
    for method in route.methods
)
LOG_OUT, SETTINGS = "DELETE /v1/sessions/current", "PUT /v1/settings/login"
OF_ONESELF = {
    LOG_OUT,
    "PATCH /v1/me",
    "POST /v1/me/second-factor",
    "POST /v1/me/second-factor/disable",
    "POST /v1/me/tokens",
    "PUT /v1/me/password",
}
"""By which one may lose his session."""
SHUTTING = ("/freeze", "/merge")
"""What of those who ask nobody would be left by."""


@dataclass
class World:
    """Who asks, and what there is: values for parameters and members of these names."""

    url: str
    team: Team
    rivals: Team
    askers: list[Client]
    known: dict[str, list[str]]
    victims: dict[str, list[str]]
    http: requests.Session = field(default_factory=requests.Session)
    answers: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))

    def asker(self, label: str, chance: random.Random) -> Client:
        """Somebody else each time; who is to lose his session has one of his own."""
        if label == LOG_OUT and chance.random() < 0.3:
            return self.team.rep.log_in(self.team.colleague.user["login"], PASSWORD)
        if label in OF_ONESELF:
            return self.team.colleague
        if label == SETTINGS:  # for an agency whose people log in no more
            return self.rivals.admin
        return chance.choice(self.askers)

    def make_likely(self, case: Any, chance: random.Random) -> None:
        """Puts in what is there, so that requests come further than to 404 and 422; texts without a likely value go."""
        known = self.known | (self.victims if case.operation.path.endswith(SHUTTING) else {})
        for part in (case.path_parameters, case.query, case.body):
            if isinstance(part, dict):
                if isinstance(part.get("ids"), list):
                    part["ids"] = chance.sample(self.known["customer_id"], 3)
                for name in [name for name, value in part.items() if isinstance(value, str)]:
                    if name in known:
                        part[name] = chance.choice(known[name])
                    elif part is not case.path_parameters and name not in CHOICES and chance.random() < 0.7:
                        del part[name]
        case.headers.pop("Authorization", None)  # it would be sent instead of the asker's
        if any(header.name == "If-Match" for header in case.operation.headers):
            case.headers["If-Match"] = f'"{chance.randrange(1, 4)}"'


CHOICES = {
    "action",
    "permission",
    "scope",
    "decision",
    "field",
    "kind",
    "method",
    "reason",
    "subject",
    "role",
    "of",
    "state",
    "source",
    "on_missed",
    "status",
    "day",
    "content",
    "part",
    "keep_as",
    "outcome",
    "pooled",
    "result",
    "service",
    "format",
    "language",
    "density",
    "layout",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[World]:
    """A stack of its own: odd data would disturb others."""
    with Stack(made_home(tmp_path_factory, "fuzzed"), fast=True, env=OFTEN) as stack:
        headquarters = Headquarters.set_up(stack.url, stack.setup_secret)
        team, rivals = headquarters.team(), headquarters.team()
        people = [headquarters.admin, team.rep, team.admin, team.supervisor, rivals.rep]
        stranger = Client(headquarters.admin.http)
        made = World(stack.url, team, rivals, [*people, *people, stranger], known_of(team, rivals), victims_of(headquarters))
        request.config.pluginmanager.register(Summary(made))
        yield made
        made.http.close()


def known_of(team: Team, rivals: Team) -> dict[str, list[str]]:
    names = [company() for _ in range(15)]
    numbers = [digits() for _ in names]
    held = [team.rep.entered(name, phone=f"0514-{number}") for name, number in zip(names[:5], numbers, strict=False)]
    held += [rivals.rep.entered(names[5])]
    pooled = [team.pooled(kind, name) for kind, name in zip(("public", "agency") * 3, names[6:12], strict=True)]
    people = [str(rep.user["id"]) for rep in (team.rep, team.supervisor, rivals.rep)]
    departments = [team.department_id, team.other_department_id, rivals.department_id]
    victims = [team.headquarters.add_user("rep", team.department_id) for _ in range(10)]
    return {
        "customer_id": held + pooled,
        "review_id": near_ones(team),
        "handoff_id": handed_off(team),
        "attempt_id": refused_ones(team),
        "dispute_id": disputes_of(team),
        "source_id": [who.post("/v1/member-sources", {"name": "官网"})["id"] for who in (team.admin, rivals.admin)],
        "member_id": [team.admin.post("/v1/members", {"name": name, "phone": digits()})["id"] for name in names[:3]],
        "pool_id": [*custom_pools(team), *team.pools.values(), *rivals.pools.values()],
        "user_id": [victim["id"] for victim in victims],
        "login": [unique("u"), *(victim["login"] for victim in victims)],
        "password": [PASSWORD, "not the right one"],
        "current": ["not the right one"],
        "person_id": people,
        "supervisor_id": people,
        "user": people,
        "object": [*(f"user:{person}" for person in people), *(f"customer:{id_}" for id_ in held + pooled)],
        "role_id": [*made_roles(team), "rep"],
        "group_id": made_groups(team),
        "grant_id": given_grants(team, victims[0]["id"]),
        "to": people,
        "owner_id": people,
        "department_id": departments,
        "parent_id": departments,
        "agency_id": [team.agency_id, rivals.agency_id],
        "name": [*names, *(company() for _ in range(20))],
        "phone": [f"0514-{number}" for number in numbers] + numbers,
        "fax": [f"0514-{number}" for number in numbers] + numbers,
        "city": ["扬州", "上海", "月球"],
        "province": ["江苏", "江苏省"],
    }


def victims_of(headquarters: Headquarters) -> dict[str, list[str]]:
    """Agencies and departments in which nobody is who asks."""
    agencies = [headquarters.agency()["id"] for _ in range(2)]
    departments = [headquarters.department(agency)["id"] for agency in agencies for _ in range(4)]
    return {"agency_id": agencies, "department_id": departments, "into_id": departments}


def made_groups(team: Team) -> list[str]:
    """In one of them the supervisor does everything."""
    groups = [team.admin.post("/v1/groups", {"name": unique("组")})["id"] for _ in range(3)]
    rights = {"rights": ["change_rights", "manage_members", "see_customers"]}
    path = f"/v1/groups/{groups[0]}/admins/{team.supervisor.user['id']}"
    team.admin.request("PUT", path, rights).raise_for_status()
    return [str(group) for group in groups]


def made_roles(team: Team) -> list[str]:
    grants = [{"permission": "customer:read", "scope": "department"}]
    return [team.admin.post("/v1/roles", {"name": unique("岗"), "grants": grants})["id"] for _ in range(3)]


def given_grants(team: Team, user_id: str) -> list[str]:
    body = {"permission": "customer:read", "person_id": team.rep.user["id"]}
    return [team.admin.post(f"/v1/users/{user_id}/grants", body)["id"] for _ in range(3)]


def custom_pools(team: Team) -> list[str]:
    """One that is open, one with members; from both one may claim once a day."""
    pools = [team.admin.post("/v1/pools", {"name": unique("池"), "claim_rules": {"claims_per_day": 1}})["id"] for _ in range(2)]
    for person, is_admin in ((team.rep, False), (team.supervisor, True)):
        body = {"is_admin": is_admin}
        team.admin.request("PUT", f"/v1/pools/{pools[0]}/members/{person.user['id']}", body).raise_for_status()
    return [str(pool) for pool in pools]


def near_ones(team: Team) -> list[str]:
    """Reviews of entries that were made although another one comes near."""
    own = brand()
    counties = ("高邮市", "宝应县", "仪征市", "江都区")
    team.rep.entered(f"扬州市{counties[0]}{own}服装厂")
    reviews = []
    for county in counties[1:]:
        name = f"扬州市{county}{own}服装厂"
        seen = [hit["ref"] for hit in team.supervisor.enter(name).json()["hits"]]
        entered = team.supervisor.enter(name, confirmation={"seen": seen, "reason": "another county"})
        reviews.append(str(entered.json()["review_id"]))
    return reviews


def refused_ones(team: Team) -> list[str]:
    """Attempts of the rep's; some are disputed afterwards."""
    for _ in range(6):
        name = company()
        team.supervisor.entered(name)
        team.rep.enter(name)
    return [each["id"] for each in team.rep.pages("/v1/entry-attempts") if each["may_be_disputed"]]


def disputes_of(team: Team) -> list[str]:
    attempts = [each["id"] for each in team.rep.pages("/v1/entry-attempts") if each["may_be_disputed"]]
    evidence = [{"kind": "note", "text": "x"}]
    bodies = [{"attempt_id": attempt, "claim": "x", "evidence": evidence} for attempt in attempts[:3]]
    return [str(team.rep.post("/v1/disputes", body)["id"]) for body in bodies]


def handed_off(team: Team) -> list[str]:
    """What the rep offers to one of those who ask."""
    offer = {"to": team.supervisor.user["id"], "part": "sales"}
    return [str(team.rep.post(f"/v1/customers/{team.rep.entered()}/handoffs", offer)["id"]) for _ in range(5)]


class Summary:
    """Tells at the end what was asked, and the seed."""

    def __init__(self, world: World) -> None:
        self.world = world

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        asked = self.world.answers
        terminalreporter.section("fuzzing")
        for label, counter in sorted(asked.items()) if EXAMPLES >= 100 else ():
            told = ", ".join(f"{count} × {status}" for status, count in sorted(counter.items()))
            terminalreporter.write_line(f"{label}: {counter.total()} requests: {told}")
        total = sum(counter.total() for counter in asked.values())
        terminalreporter.write_line(f"{len(asked)} operations, {total} requests, QUDAO_FUZZ_SEED={SEED}")


@pytest.fixture(scope="module")
def description(world: World) -> Any:
    return schemathesis.openapi.from_url(f"{world.url}/openapi.json")


def test_every_operation_is_known_here(description: Any) -> None:
    assert sorted(found.ok().label for found in description.get_all_operations()) == OPERATIONS


@pytest.mark.parametrize("label", OPERATIONS)
def test_every_operation_answers_as_it_is_described(label: str, description: Any, world: World) -> None:
    method, path = label.split()
    operation = description[path][method]
    right = operation.as_strategy()
    cases = right | operation.as_strategy(GenerationMode.NEGATIVE) if has_parameters(operation) else right

    @seed(SEED)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck), phases=PHASES)
    @given(case=cases, number=st.integers(0, 2**16))
    def ask(case: schemathesis.Case, number: int) -> None:
        chance = random.Random(zlib.crc32(f"{number} {case.as_curl_command()}".encode()))
        if chance.random() < 0.8:
            world.make_likely(case, chance)
        who = world.asker(label, chance)
        headers = {"Authorization": f"Bearer {who.token}"} if who.token else {}
        response = case.call(base_url=world.url, session=world.http, headers=headers)
        world.answers[label][response.status_code] += 1
        case.validate_response(response, checks=CHECKS, headers=headers)

    ask()


def has_parameters(operation: Any) -> bool:
    return bool(operation.body or operation.query or operation.headers or operation.path_parameters)
