"""`/healthz`, `/readyz` and `/metrics` of a service's process, on a port of their own that no outsider reaches."""

import logging
from collections.abc import Callable
from typing import Any

import eventlet
import eventlet.wsgi
from prometheus_client import make_wsgi_app

log = logging.getLogger(__name__)


def serve_health(runtime: Any, host: str, port: int) -> None:
    """Listens in a green thread. Raises OSError when the port is taken."""
    metrics = make_wsgi_app()

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            return metrics(environ, start_response)
        troubles = {"/healthz": list, "/readyz": runtime.troubles}.get(path)
        if troubles is None:
            return answer(start_response, "404 Not Found", "no such page")
        found = troubles()
        return answer(start_response, "503 Service Unavailable" if found else "200 OK", "; ".join(found) or "ok")

    eventlet.spawn(eventlet.wsgi.server, eventlet.listen((host, port)), app, log_output=False)


def answer(start_response: Callable[..., Any], status: str, text: str) -> list[bytes]:
    start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [f"{text}\n".encode()]
