"""A client of the HTTP API as tests use it, and builders of what they need."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

PASSWORD = "eight winds over the lake"
Found = TypeVar("Found")


def unique(word: str) -> str:
    """Tests share a stack, so names must not meet."""
    return f"{word}{uuid.uuid4().hex[:10]}"


def eventually(ask: Callable[[], Found], *, seconds: float = 15.0, until: Callable[[Found], Any] = bool) -> Found:
    """What `ask` answers once it satisfies; for what arrives by events."""
    ends = time.monotonic() + seconds
    while not until(found := ask()):
        assert time.monotonic() < ends, f"still {found!r} after {seconds:g} s"
        time.sleep(0.02)
    return found


@dataclass
class Client:
    """Somebody at the API; `token` once logged in."""

    http: httpx.Client
    token: str | None = None
    user: dict[str, Any] = field(default_factory=dict)

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        return self.http.request(method, path, json=body, headers=sent)

    def get(self, path: str, **headers: str) -> Any:
        return expect(200, self.request("GET", path, **headers))

    def post(self, path: str, body: Any, status: int = 201, **headers: str) -> Any:
        return expect(status, self.request("POST", path, body, **headers))

    def log_in(self, login: str, password: str) -> "Client":
        opened = Client(self.http).post("/v1/sessions", {"login": login, "password": password})
        return Client(self.http, opened["token"], opened["session"])


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

    def add_user(self, role: str = "rep", department_id: str | None = None, login: str | None = None) -> dict[str, Any]:
        body = {"login": login or unique("u"), "role": role, "department_id": department_id or self.department()["id"]}
        found: dict[str, Any] = self.admin.post("/v1/users", body)
        return found

    def one_time_code(self, user_id: str) -> str:
        return str(self.admin.post(f"/v1/users/{user_id}/one-time-code", None)["code"])

    def person(self, role: str = "rep", department_id: str | None = None) -> Client:
        """Somebody with a password of his own, logged in."""
        user = self.add_user(role, department_id)
        new = self.admin.log_in(user["login"], self.one_time_code(user["id"]))
        expect(204, new.request("PUT", "/v1/me/password", {"new": PASSWORD}))
        new.user = user
        return new
