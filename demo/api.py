"""A small client of the HTTP interface, by the standard library alone."""

import http.client
import json
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

PATIENCE = 30.0
PROBLEM = "urn:qudao:problem:"


class Unusable(Exception):
    """An answer lacks what the next step needs, or there was none: what was asked and what came, in one sentence."""


@dataclass(frozen=True)
class Answer:
    """What came back; `body` is the JSON, None when there was none."""

    asked: str
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def slug(self) -> str:
        """The kind of problem, `customer-refused` for example; empty when it is none."""
        kind = self.body.get("type", "") if isinstance(self.body, dict) else ""
        return str(kind).removeprefix(PROBLEM) if self.status >= 400 else ""

    def __getitem__(self, name: str) -> Any:
        if isinstance(self.body, dict) and name in self.body:
            return self.body[name]
        raise Unusable(f"{self.asked} answered {self.status} {self.slug} without {name!r}")


class Api:
    """One running system. Each thread has a connection of its own, which is kept open."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Unusable(f"{url} is not an address such as http://127.0.0.1:8080")
        self.url, self.host, self.port, self.root = url, parts.hostname, parts.port, parts.path.rstrip("/")
        self.kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.local = threading.local()

    def ask(self, method: str, path: str, body: Any = None, *, token: str | None = None, **headers: str) -> Answer:
        """Every write carries a key, so that it may be sent again on a connection that was closed meanwhile. Raises Unusable."""
        sent = {"Idempotency-Key": uuid.uuid4().hex} if method != "GET" else {}
        sent |= {"Authorization": f"Bearer {token}"} if token else {}
        sent |= {"Content-Type": "application/json"} if body is not None else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = json.dumps(body).encode() if body is not None else None
        for is_last in (False, True):
            try:
                return self._exchange(method, path, content, sent)
            except (OSError, http.client.HTTPException) as error:
                self._connection().close()
                if is_last:
                    raise Unusable(f"{self.url} does not answer: {error or type(error).__name__}") from None
        raise AssertionError("unreachable")

    def _exchange(self, method: str, path: str, content: bytes | None, headers: dict[str, str]) -> Answer:
        connection = self._connection()
        connection.request(method, self.root + path, content, headers)
        response = connection.getresponse()
        text = response.read()
        try:
            found = json.loads(text) if text else None
        except ValueError:
            found = None
        return Answer(f"{method} {path}", response.status, found, {name.lower(): value for name, value in response.getheaders()})

    def _connection(self) -> http.client.HTTPConnection:
        if not hasattr(self.local, "connection"):
            self.local.connection = self.kind(self.host, self.port, timeout=PATIENCE)
        connection: http.client.HTTPConnection = self.local.connection
        return connection


@dataclass
class Person:
    """Somebody at the interface: `title` is how the transcript calls him."""

    api: Api
    name: str
    role: str
    login: str
    id: str = ""
    token: str | None = field(default=None, repr=False)

    @property
    def title(self) -> str:
        return f"{self.name} ({self.role})"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return self.api.ask(method, f"/v1{path}", body, token=self.token, **headers)

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any = None) -> Answer:
        return self.ask("POST", path, body)

    def log_in(self, password: str) -> Answer:
        answer = self.api.ask("POST", "/v1/sessions", {"login": self.login, "password": password})
        if answer.status == 201:
            self.token = answer["token"]
        return answer

    def check(self, **criteria: str) -> Answer:
        return self.post("/collision-checks", criteria)

    def enter(self, name: str, **fields: Any) -> Answer:
        return self.post("/customers", {"name": name, **fields})

    def note(self, customer_id: str, **fields: Any) -> Answer:
        return self.post(f"/customers/{customer_id}/notes", {"method": "phone", "content": "谈了合作", **fields})

    def pages(self, path: str, limit: int = 50) -> list[Any]:
        """All items of a list, page by page."""
        items, cursor = [], ""
        joint = "&" if "?" in path else "?"
        while cursor is not None:
            page = self.get(f"{path}{joint}limit={limit}{cursor and '&cursor=' + cursor}")
            items += page["items"]
            cursor = page["next_cursor"]
        return items
