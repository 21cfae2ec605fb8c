"""One file per service: which address asks which operation."""

from fastapi import APIRouter
from fastapi.routing import APIRoute

PREFIX = "/v1"


def _operation_id(route: APIRoute) -> str:
    return route.name


def make_router(tag: str, prefix: str = PREFIX) -> APIRouter:
    return APIRouter(prefix=prefix, tags=[tag], generate_unique_id_function=_operation_id)
