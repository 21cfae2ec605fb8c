"""`/openapi.json`, and `/docs`: Swagger UI from a package, under a policy that lets nothing in from elsewhere, nothing inline."""

import json
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, Response

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Qudao API</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
START = "SwaggerUIBundle({ url: '/openapi.json', dom_id: '#ui', deepLinking: true, validatorUrl: null })\n"
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".png": "image/png"}
CACHED = {"Cache-Control": "public, max-age=3600"}

ASSETS = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png")


def make_router(description: dict[str, Any]) -> APIRouter:
    """Everything is read and made here, once."""
    router = APIRouter(include_in_schema=False)
    _serve(router, "/openapi.json", json.dumps(description).encode(), "application/json", {})
    _serve(router, "/docs", PAGE.encode(), "text/html", {"Content-Security-Policy": CSP})
    _serve(router, "/docs/start.js", START.encode(), "text/javascript", CACHED)
    for name in ASSETS:
        content = files("fastapi_swagger.resources").joinpath(name).read_bytes()
        _serve(router, f"/docs/{name}", content, MEDIA_TYPES[name[name.rindex(".") :]], CACHED)
    return router


def _serve(router: APIRouter, path: str, content: bytes, media_type: str, headers: dict[str, str]) -> None:
    async def show() -> Response:
        return Response(content, media_type=media_type, headers=headers)

    router.add_api_route(path, show)
