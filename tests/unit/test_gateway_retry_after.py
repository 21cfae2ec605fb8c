"""Who is sent away is told when to come again, and not everybody the same."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from gateway.app import make_app, make_backend
from gateway.problems import SPREAD, problem
from gateway.settings import GatewaySettings
from ops.keys import make_keys
from services.contracts.errors import QudaoError, ServiceUnavailable

METHODS = ("get", "post", "put", "patch", "delete")
WITHOUT_SERVICES = {("/healthz", "get"), ("/v1/captchas", "post"), ("/v1/member-webhooks/{source_id}", "post")}
"""A webhook without a signature is refused before anybody is asked."""
BODIES: dict[tuple[str, str], Any] = {
    ("/v1/setup", "post"): {
        "secret": "s" * 43,
        "agency_name": "总部",
        "login": "root",
        "display_name": "总管",
        "password": "four quiet rivers",
    },
    ("/v1/sessions", "post"): {"login": "root", "password": "four quiet rivers"},
}


async def answers_without_a_broker(keys: Path) -> dict[tuple[str, str], httpx.Response]:
    """Of every operation of the API, asked by somebody who may have a session."""
    settings = GatewaySettings(
        amqp_uri="amqp://a:b@127.0.0.1:1/",
        signing_key=(keys / "signing" / "gateway.pem").read_text(),
        trusted_keys_dir=keys / "trusted",
    )
    transport = httpx.ASGITransport(make_app(settings, make_backend(settings)))
    token = {"Authorization": f"Bearer {'t' * 43}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=token) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
        operations = [(path, method) for path, item in paths.items() for method in METHODS if method in item]
        return {(path, method): await ask(client, path, method) for path, method in operations}


async def ask(client: httpx.AsyncClient, path: str, method: str) -> httpx.Response:
    filled = path.replace("{login}", "li").replace("{", "").replace("_id}", "")
    ids = [str(UUID(int=1)) if f"{{{part}_id}}" in path else part for part in filled.split("/")]
    return await client.request(method, "/".join(ids), json=BODIES.get((path, method)))


def test_without_a_broker_every_operation_says_when_to_come_again(tmp_path: Path) -> None:
    make_keys(tmp_path)
    answers = asyncio.run(answers_without_a_broker(tmp_path))

    assert len(answers) > 40
    for operation, answer in answers.items():
        if operation not in WITHOUT_SERVICES:
            assert answer.status_code == 503, (operation, answer.text)
            assert 1 <= int(answer.headers["retry-after"]) <= 1 + SPREAD


REFUSALS = [error for error in QudaoError.registry.values() if error.status in (429, 503)]


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: error.slug())
@pytest.mark.parametrize(("details", "least"), [({}, 1), ({"retry_after": 7}, 7), ({"retry_after": 1.5}, 2)])
def test_every_refusal_carries_a_time(error: type[QudaoError], details: dict[str, Any], least: int) -> None:
    assert least <= int(problem(error(**details)).headers["retry-after"]) <= least + SPREAD


def test_not_everybody_is_told_to_come_at_the_same_time() -> None:
    told = {problem(ServiceUnavailable(retry_after=2)).headers["retry-after"] for _ in range(200)}

    assert told == {str(seconds) for seconds in range(2, 3 + SPREAD)}
