"""By which rules the collision check judges: the last that headquarters has set, else the defaults."""

from typing import Any, NamedTuple

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from services.contracts.customers import CollisionRules
from services.customers.collision.evidence import DEFAULT_RULES

LATEST = text("SELECT version, rules FROM collision_rules ORDER BY version DESC LIMIT 1")


class InForce(NamedTuple):
    """`version` 0 are the defaults."""

    version: int
    rules: CollisionRules


_parsed: dict[int, CollisionRules] = {}
"""By version, which never changes; only the last one is kept."""


def in_force(connection: Connection | Session) -> InForce:
    """Asked for each check, so that a change counts at once, in every process."""
    row = connection.execute(LATEST).one_or_none()
    return InForce(row.version, _read(row.version, row.rules)) if row else InForce(0, DEFAULT_RULES)


def _read(version: int, rules: dict[str, Any]) -> CollisionRules:
    if version not in _parsed:
        _parsed.clear()
        _parsed[version] = CollisionRules.model_validate(rules)
    return _parsed[version]
