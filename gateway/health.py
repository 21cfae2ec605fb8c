"""Is the process alive, can it serve, what are its figures."""

import asyncio
import time
import uuid
from typing import Annotated

from fastapi import Depends, FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gateway.caller import Backend
from gateway.coalescing import Coalescing
from gateway.openapi import problems
from gateway.routes import make_router
from services.contracts.base import SERVICES, Nothing, View, health
from services.contracts.errors import InternalError, QudaoError, ServiceUnavailable

PATIENCE = 2.0  # seconds
MAX_AGE = 0.5  # seconds; a stranger's flood of questions makes two rounds a second

router = make_router("health", prefix="")


class Alive(View):
    status: str = "alive"


class Readiness(View):
    services: dict[str, str]


class Readinesses:
    """Asks all services through broker and database, together and at most twice a second."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._known: Coalescing[dict[str, str]] = Coalescing(MAX_AGE)

    async def services(self) -> dict[str, str]:
        """`ready`, or by which error a service is not."""
        return await self._known.get("all", self._ask_all)

    async def _ask_all(self) -> dict[str, str]:
        return dict(zip(SERVICES, await asyncio.gather(*map(self._ask, SERVICES)), strict=True))

    async def _ask(self, service: str) -> str:
        try:
            await self._backend.rpc.call(
                health(service),
                Nothing(),
                passport=self._backend.signer.own(),
                request_id=uuid.uuid4().hex,
                deadline=time.time() + PATIENCE,
            )
        except QudaoError as error:
            return error.slug()
        return "ready"


def _readinesses(request: Request) -> Readinesses:
    found = request.app.state.readinesses
    assert isinstance(found, Readinesses)
    return found


@router.get("/healthz", summary="Whether the process is alive", responses=problems(InternalError))
async def healthz() -> Alive:
    return Alive()


@router.get("/readyz", summary="Whether all services answer", responses=problems(ServiceUnavailable, InternalError))
async def readyz(readinesses: Annotated[Readinesses, Depends(_readinesses)]) -> Readiness:
    services = await readinesses.services()
    if any(state != "ready" for state in services.values()):
        raise ServiceUnavailable(services=services)
    return Readiness(services=services)


def show_metrics() -> Response:
    return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def add_metrics(app: FastAPI) -> None:
    """Only where outsiders cannot come: the health listener."""
    app.add_api_route("/metrics", show_metrics, include_in_schema=False)
