"""How a passport says in few bytes what somebody may: it goes along with every message.

Permissions are put together by their reach; ids are in base64, moments in microseconds.
"""

import base64
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

from services.contracts.permissions import Permission, Scope
from services.contracts.reach import Grants, Listed, Mixed, Reach

START = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def write_id(id_: UUID) -> str:
    return base64.urlsafe_b64encode(id_.bytes).decode().rstrip("=")


def read_id(written: str) -> UUID:
    """Also as an identity of before wrote it, with 36 characters: it may still run."""
    return UUID(written) if len(written) == 36 else UUID(bytes=base64.urlsafe_b64decode(f"{written}=="))


def write_grants(grants: Grants) -> list[list[Any]]:
    """`[[reach, "permission permission"]]`."""
    by_reach: dict[Reach, list[str]] = defaultdict(list)
    for permission, reach in grants.items():
        by_reach[reach].append(permission)
    return [[write_reach(reach), " ".join(permissions)] for reach, permissions in by_reach.items()]


def read_grants(written: Any) -> Grants:
    """Also as an identity of before wrote them, which may still run: permission -> scope."""
    if isinstance(written, dict):
        return {permission: Scope(scope) for permission, scope in written.items()}
    found: dict[Permission, Reach] = {}
    for reach, permissions in written:
        found |= dict.fromkeys(cast(list[Permission], permissions.split()), read_reach(reach))
    return found


def write_reach(reach: Reach) -> Any:
    if isinstance(reach, Scope):
        return reach.value
    parts = [sorted(reach.scopes), write_listed(reach.departments), write_listed(reach.people)]
    return [*parts, [write_id(group) for group in reach.groups]] if reach.groups else parts


def read_reach(written: Any) -> Reach:
    if isinstance(written, str):
        return Scope(written)
    scopes, departments, people, *rest = written
    groups = frozenset(map(read_id, rest[0])) if rest else frozenset[UUID]()
    return Mixed(frozenset(map(Scope, scopes)), read_listed(departments), read_listed(people), groups)


def write_listed(listed: Iterable[Listed]) -> list[Any]:
    return [
        write_id(each.id) if each.until is None else [write_id(each.id), (each.until - START) // MICROSECOND] for each in listed
    ]


def read_listed(written: list[Any]) -> frozenset[Listed]:
    return frozenset(
        Listed(read_id(each)) if isinstance(each, str) else Listed(read_id(each[0]), START + each[1] * MICROSECOND)
        for each in written
    )
