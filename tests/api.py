"""A client of the HTTP API as tests use it, and builders of what they need."""

import random
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any, TypeVar

import httpx

from demo.names import CHARACTERS

PASSWORD = "eight winds over the lake"
SHORTEST_PAUSE, LONGEST_PAUSE = 0.02, 0.15
Found = TypeVar("Found")


def unique(word: str) -> str:
    """Tests share a stack, so names must not meet."""
    return f"{word}{uuid.uuid4().hex[:10]}"


taken: set[tuple[str, ...]] = set()
"""Three characters each, as some brand has them in this order."""


def brand(length: int = 4) -> str:
    """A company's own word, 字号. Companies must not meet either, however they are spelt, nor come near each other: of thousands
    that are drawn some would differ in one character."""
    while True:
        drawn = random.sample(CHARACTERS, length)
        parts = set(combinations(drawn, 3))
        if taken.isdisjoint(parts):
            taken.update(parts)
            return "".join(drawn)


def company(place: str = "扬州", trade: str = "机械", form: str = "厂") -> str:
    return f"{place}{brand()}{trade}{form}"


def digits() -> str:
    """A telephone number without area code that nobody else has."""
    return str(random.randrange(2_000_000, 9_000_000))


def credit_code() -> str:
    """A 统一社会信用代码 that nobody else has, with its check character (GB 32100-2015)."""
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    code = "91350100" + "".join(random.choices(alphabet, k=9))
    total = sum(alphabet.index(character) * pow(3, index, 31) for index, character in enumerate(code))
    return code + alphabet[-total % 31]


def eventually(ask: Callable[[], Found], *, seconds: float = 15.0, until: Callable[[Found], Any] = bool) -> Found:
    """What `ask` answers once it satisfies; for what arrives by events.

    It asks less and less often, as asking takes from those who are to bring it.
    """
    ends, pause = time.monotonic() + seconds, SHORTEST_PAUSE
    while not until(found := ask()):
        left = ends - time.monotonic()
        assert left > 0, f"still {found!r} after {seconds:g} s"
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST_PAUSE)
    return found


@dataclass
class Client:
    """Somebody at the API; `token` once logged in."""

    http: httpx.Client
    token: str | None = None
    user: dict[str, Any] = field(default_factory=dict)
    is_patient: bool = False
    """Repeats under the same key what was too much for a busy machine, as a client would."""

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        if self.is_patient:
            sent.setdefault("Idempotency-Key", uuid.uuid4().hex)
        answer = self.http.request(method, path, json=body, headers=sent)
        for _ in range(40):
            if not self.is_patient or not is_too_busy(answer):
                break
            time.sleep(0.25)
            answer = self.http.request(method, path, json=body, headers=sent)
        return answer

    def get(self, path: str, **headers: str) -> Any:
        return expect(200, self.request("GET", path, **headers))

    def post(self, path: str, body: Any, status: int = 201, **headers: str) -> Any:
        return expect(status, self.request("POST", path, body, **headers))

    def pages(self, path: str, limit: int = 50) -> list[Any]:
        """All items of a list, page by page."""
        items: list[Any] = []
        cursor: str | None = ""
        while cursor is not None:
            page = self.get(f"{path}{'&' if '?' in path else '?'}limit={limit}{cursor and '&cursor=' + cursor}")
            items += page["items"]
            cursor = page["next_cursor"]
        return items

    def check(self, **criteria: str) -> Any:
        """What the collision check tells."""
        return self.post("/v1/collision-checks", criteria, status=200)

    def suggest(self, **criteria: str) -> Any:
        """What the check tells while somebody types."""
        return self.post("/v1/collision-checks/as-you-type", criteria, status=200)

    def enter(self, name: str, **fields: Any) -> httpx.Response:
        return self.request("POST", "/v1/customers", {"name": name, **fields})

    def entered(self, name: str | None = None, **fields: Any) -> str:
        """The id of a new customer."""
        return str(expect(201, self.enter(name or company(), **fields))["customer_id"])

    def act(self, customer_id: str, action: str, **body: Any) -> httpx.Response:
        return self.request("POST", f"/v1/customers/{customer_id}/{action}", body or None)

    def note(self, customer_id: str, **fields: Any) -> httpx.Response:
        return self.act(customer_id, "notes", **({"method": "phone", "content": "谈了合作"} | fields))

    def log_in(self, login: str, password: str) -> "Client":
        opened = Client(self.http).post("/v1/sessions", {"login": login, "password": password})
        return Client(self.http, opened["token"], opened["session"])

    def choose_password(self, new: str, current: str | None = None) -> None:
        """Goes on under the token that it gives."""
        body = {"new": new} | ({"current": current} if current else {})
        self.token = expect(200, self.request("PUT", "/v1/me/password", body))["token"]


def is_too_busy(answer: httpx.Response) -> bool:
    return answer.status_code in (503, 504) or answer.json().get("type") == "urn:qudao:problem:command-in-flight"


def expect(status: int, response: httpx.Response) -> Any:
    assert response.status_code == status, (
        f"{response.request.method} {response.request.url}: {response.status_code} {response.text}"
    )
    return response.json() if response.content else None


@dataclass
class Headquarters:
    """A system that has its first administrator, and builders of everything below."""

    admin: Client

    @classmethod
    def set_up(cls, url: str, secret: str) -> "Headquarters":
        anybody = Client(httpx.Client(base_url=url, timeout=15, limits=httpx.Limits(max_keepalive_connections=50)))
        first = {"secret": secret, "agency_name": "总部", "login": "root", "display_name": "总管", "password": PASSWORD}
        anybody.post("/v1/setup", first)
        return cls(anybody.log_in("root", PASSWORD))

    def agency(self, name: str | None = None) -> dict[str, Any]:
        found: dict[str, Any] = self.admin.post("/v1/agencies", {"name": name or unique("代理")})
        return found

    def department(self, agency_id: str | None = None, name: str | None = None) -> dict[str, Any]:
        body = {"agency_id": agency_id or self.agency()["id"], "name": name or unique("部")}
        found: dict[str, Any] = self.admin.post("/v1/departments", body)
        return found

    def add_user(
        self, role: str = "rep", department_id: str | None = None, login: str | None = None, **fields: Any
    ) -> dict[str, Any]:
        body = {"login": login or unique("u"), "roles": [role], "department_id": department_id or self.department()["id"]}
        body |= fields
        found: dict[str, Any] = self.admin.post("/v1/users", body)
        return found

    def one_time_code(self, user_id: str) -> str:
        return str(self.admin.post(f"/v1/users/{user_id}/one-time-code", None)["code"])

    def person(self, role: str = "rep", department_id: str | None = None, **fields: Any) -> Client:
        """Somebody with a password of his own, logged in."""
        user = self.add_user(role, department_id, **fields)
        new = self.admin.log_in(user["login"], self.one_time_code(user["id"]))
        new.choose_password(PASSWORD)
        new.user = user
        return new

    def people(self, number: int, department_id: str) -> list[Client]:
        """So many reps; several are made at a time."""
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda _: self.person("rep", department_id), range(number)))

    def pools(self, agency_id: str) -> dict[str, str]:
        """An agency's pools by kind."""
        return {pool["kind"]: pool["id"] for pool in self.admin.pages("/v1/pools") if pool["agency_id"] == agency_id}

    def team(self) -> "Team":
        agency_id = self.agency()["id"]
        return Team(self, agency_id, self.department(agency_id)["id"], self.department(agency_id)["id"])


@dataclass
class Team:
    """An agency with two departments. Its people are made when they are first needed."""

    headquarters: Headquarters
    agency_id: str
    department_id: str
    other_department_id: str

    @cached_property
    def rep(self) -> Client:
        return self.headquarters.person("rep", self.department_id)

    @cached_property
    def colleague(self) -> Client:
        """Another rep of the same department."""
        return self.headquarters.person("rep", self.department_id)

    @cached_property
    def neighbour(self) -> Client:
        """A rep of the other department."""
        return self.headquarters.person("rep", self.other_department_id)

    @cached_property
    def supervisor(self) -> Client:
        return self.headquarters.person("supervisor", self.department_id)

    @cached_property
    def manager(self) -> Client:
        """Sits in a department of his own and oversees the first one."""
        office = self.headquarters.department(self.agency_id)["id"]
        return self.headquarters.person("manager", office, managed_department_ids=[self.department_id])

    @cached_property
    def admin(self) -> Client:
        return self.headquarters.person("agency_admin", self.department_id)

    @cached_property
    def pools(self) -> dict[str, str]:
        return self.headquarters.pools(self.agency_id)

    def pooled(self, kind: str, name: str | None = None, **fields: Any) -> str:
        """The id of a new customer in one of the agency's pools."""
        body = {"name": name or company(), **fields}
        return str(self.admin.post(f"/v1/pools/{self.pools[kind]}/customers", body)["customer_id"])
