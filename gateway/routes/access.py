"""Permission explains itself."""

from typing import Annotated

from fastapi import Query

from gateway.caller import Reader
from gateway.openapi import reading
from gateway.routes import make_router
from services.contracts.access import EXPLAIN_ACCESS, AccessExplanation, ExplainAccess
from services.contracts.errors import NotFound

router = make_router("identity")


@router.get("/access/explain", summary="Why somebody may or may not do something to one thing", responses=reading(NotFound))
async def explain_access(query: Annotated[ExplainAccess, Query()], caller: Reader) -> AccessExplanation:
    return await caller.ask(EXPLAIN_ACCESS, query)
