"""The outermost layer around every request: its id, every answer's headers, the access log, the last boundary for errors."""

import logging
import re
import time
import uuid

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import disconnects, metrics
from gateway.problems import incident
from services.plumbing.logs import request_id

log = logging.getLogger("gateway.access")

REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
CSP = b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
ALWAYS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
UNLESS_SET = [(b"content-security-policy", CSP), (b"cache-control", b"no-store")]
HSTS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
UNMATCHED = "(none)"
PROBES = frozenset({"/healthz", "/readyz"})  # asked all the time, by machines
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


class Edge:
    """ASGI middleware. Innermost to outermost nothing may raise through it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        began = time.perf_counter()
        headers = dict(scope["headers"])
        identifier = _request_id(headers)
        request_id.set(identifier)
        scope.setdefault("state", {})["request_id"] = identifier
        added = _added(identifier, is_https=headers.get(b"x-forwarded-proto") == b"https")
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _complete(list(message["headers"]), added)
            await send(message)

        try:
            await self.app(scope, receive, answer)
        except Exception as error:
            if not status:  # FastAPI raises again what it has answered and logged
                await incident(error)(scope, receive, answer)
        finally:
            _record(scope, status or disconnects.STATUS, time.perf_counter() - began)


def _request_id(headers: dict[bytes, bytes]) -> str:
    given = headers.get(b"x-request-id", b"")
    return given.decode() if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _added(identifier: str, *, is_https: bool) -> list[tuple[bytes, bytes]]:
    """HSTS belongs to answers over TLS alone (RFC 6797, 7.2), which ends at the proxy before us."""
    return [*ALWAYS, (b"x-request-id", identifier.encode()), *([HSTS] if is_https else [])]


def _complete(headers: list[tuple[bytes, bytes]], added: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    names = {name.lower() for name, _ in headers}
    return [*headers, *added, *(pair for pair in UNLESS_SET if pair[0] not in names)]


def _record(scope: Scope, status: int, seconds: float) -> None:
    """No path, query, body or token: paths carry ids and queries carry what people search for."""
    route = getattr(scope.get("route"), "path", UNMATCHED)
    method = scope["method"] if scope["method"] in METHODS else "other"  # strangers must not make labels
    metrics.REQUESTS.labels(route, method, status).inc()
    metrics.LATENCY.labels(route, method).observe(seconds)
    fields = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 1)}
    if user_id := scope["state"].get("user_id"):
        fields["user_id"] = user_id
    log.log(logging.DEBUG if route in PROBES else logging.INFO, "request", extra=fields)
