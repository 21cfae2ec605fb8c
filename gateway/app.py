"""The application, put together."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from gateway import docs, health
from gateway.admission import Gates
from gateway.bodies import Bodies
from gateway.caller import Backend
from gateway.captchas import Captchas
from gateway.clients import Clients
from gateway.edge import Edge
from gateway.limits import RateLimit
from gateway.names import TakenNames
from gateway.openapi import describe
from gateway.problems import handle_errors
from gateway.routes import (
    access,
    activities,
    api_tokens,
    audit,
    catalogue,
    collision_rules,
    contacts,
    customers,
    disputes,
    factors,
    fields,
    grants,
    groups,
    identity,
    inactivity,
    leaving,
    login,
    members,
    pools,
    profile,
    reviews,
    roles,
    rules,
    search,
    team,
    tree,
)
from gateway.rpc import RpcClient
from gateway.sessions import Sessions
from gateway.settings import GatewaySettings
from gateway.tokens import Derived, OneTimeCodes, SourceSecrets
from gateway.typists import Typing
from gateway.webhooks import Webhooks
from services.plumbing import failpoints
from services.plumbing.passport import Signer, Verifier

TITLE, VERSION = "Qudao", "0.1.0"
PATIENCE = 3.0
"""Seconds for which a new process waits for the broker before it listens: until then it could only send people away."""


def make_backend(settings: GatewaySettings) -> Backend:
    failpoints.arm(settings.failpoint)
    signer = Signer("gateway", settings.signing_key.get_secret_value())
    rpc = RpcClient(
        settings.amqp_uri.get_secret_value(),
        heartbeat=settings.heartbeat,
        timeout=settings.rpc_timeout,
        max_pending=settings.max_pending_calls,
    )
    # one that is stuck leaves room for the others
    gates = Gates(settings.answer_target, settings.max_pending_calls // 4)
    sessions = Sessions(rpc, gates, signer, Verifier(settings.trusted_keys_dir), settings.passport_cache)
    clients = Clients(
        settings.trusted_proxies,
        RateLimit(settings.failed_log_ins_per_second, settings.failed_log_ins_burst),
        RateLimit(settings.captchas_per_second, settings.captchas_burst),
    )
    codes, derived = OneTimeCodes(signer.key), Derived(signer.key)
    names = TakenNames(RateLimit(settings.taken_names_per_second, settings.taken_names_burst))
    return Backend(rpc, gates, signer, sessions, codes, Captchas(signer.key), derived, clients, names)


def make_app(settings: GatewaySettings, backend: Backend) -> ASGIApp:
    """What the world may ask."""

    @asynccontextmanager
    async def connected(app: FastAPI) -> AsyncIterator[None]:
        await backend.rpc.start()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(backend.rpc.wait_connected(), PATIENCE)
        yield
        await backend.rpc.stop()

    app = _bare(TITLE, backend, lifespan=connected)
    app.state.typing = Typing(settings.typing_per_second, settings.typing_burst, settings.typing_timeout)
    secrets = SourceSecrets(backend.signer.key)
    app.state.webhooks = Webhooks(secrets, settings.webhooks_per_second, settings.webhooks_burst, settings.passport_cache)
    _add_all(app)
    if settings.docs:
        _add(app, docs.make_router(description()))
    return Edge(Bodies(app, max_bytes=settings.max_body_bytes, max_seconds=settings.body_timeout))


def _add_all(app: FastAPI) -> None:
    # `search` before `customers`: /customers/count is no customer's id
    for part in (
        search,
        customers,
        contacts,
        catalogue,
        reviews,
        roles,
        grants,
        access,
        disputes,
        pools,
        team,
        tree,
        members,
        collision_rules,
        fields,
        groups,
        activities,
        rules,
        inactivity,
        identity,
        audit,
        leaving,
        login,
        api_tokens,
        factors,
        profile,
    ):
        _add(app, part.router)


@functools.cache
def description() -> dict[str, Any]:
    """Of the interface. It is always the same, and describing it is most of a start."""
    app = _empty(TITLE)
    _add(app, health.router)
    _add_all(app)
    return describe(app)


def make_health_app(backend: Backend) -> ASGIApp:
    """What operators and Prometheus may ask besides."""
    app = _bare("Qudao health", backend)
    health.add_metrics(app)
    return app


def _bare(title: str, backend: Backend, lifespan: object = None) -> FastAPI:
    app = _empty(title, lifespan)
    app.state.backend = backend
    app.state.readinesses = health.Readinesses(backend)
    _add(app, health.router)
    handle_errors(app)
    return app


def _empty(title: str, lifespan: object = None) -> FastAPI:
    return FastAPI(
        title=title,
        version=VERSION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,  # type: ignore[arg-type]
    )


def _add(app: FastAPI, router: APIRouter) -> None:
    """Side by side in one list: `include_router` nests, and FastAPI then tries every address twice at each request."""
    app.router.routes.extend(router.routes)
