"""By which rules the collision check judges: the last that headquarters has set, else the defaults."""

from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, text
from sqlalchemy.orm import Session

from services.contracts import collision_rules as contract
from services.contracts.base import Page
from services.contracts.collision import DEFAULT_WEIGHTS, CollisionRules
from services.contracts.errors import VersionConflict
from services.contracts.permissions import Scope
from services.contracts.reach import Reach
from services.customers.collision.evidence import DEFAULT_RULES
from services.customers.models import CollisionRulesVersion
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.work import Work

LATEST = text("SELECT version, rules FROM collision_rules ORDER BY version DESC LIMIT 1")


class InForce(NamedTuple):
    """`version` 0 are the defaults."""

    version: int
    rules: CollisionRules


_parsed: dict[int, CollisionRules] = {}
"""By version, which never changes; only the last one is kept."""


def in_force(connection: Connection | Session) -> InForce:
    """As the database has it now, so that a change counts at once, in every process."""
    row = connection.execute(LATEST).one_or_none()
    return InForce(row.version, _read(row.version, row.rules)) if row else InForce(0, DEFAULT_RULES)


def of_version(connection: Connection | Session, version: int) -> CollisionRules:
    """The rules of a version that is in force; asked for when it is not known yet."""
    if version == 0:
        return DEFAULT_RULES
    return _parsed.get(version) or in_force(connection).rules


def _read(version: int, rules: dict[str, Any]) -> CollisionRules:
    if version not in _parsed:
        _parsed.clear()
        _parsed[version] = known_part(rules)
    return _parsed[version]


def known_part(rules: dict[str, Any]) -> CollisionRules:
    """Without criteria that only a newer release knows: it may run beside this one, or have run before."""
    weights = {criterion: weight for criterion, weight in rules["weights"].items() if criterion in DEFAULT_WEIGHTS}
    return CollisionRules.model_validate(rules | {"weights": weights})


# --- setting them


def set_rules(work: Work, call: Call, command: contract.SetCollisionRules) -> contract.CollisionRulesView:
    """A new version. Raises VersionConflict; of two who do it at once the table lets one through."""
    before = in_force(work.session)
    if before.version != command.expected_version:
        raise VersionConflict(version=before.version)
    rules = CollisionRules.model_validate(command.rules.model_dump())
    version = before.version + 1
    kept = CollisionRulesVersion(version=version, rules=rules.model_dump(mode="json"), set_by=work.actor, set_at=work.now)
    work.session.add(kept)
    work.session.flush()
    told = contract.CollisionRulesSet(rules=rules, set_by=work.actor)
    work.emit(told, aggregate_id=contract.RULES_ID, version=version)
    work.audit(contract.RULES_ID, old=before._asdict() | {"rules": before.rules.model_dump(mode="json")}, new=told)
    name = call.caller.display_name
    return work.answer(
        contract.CollisionRulesView(
            version=version, rules=rules, set_by=work.actor, set_by_name=name, set_at=work.now, criteria=criteria_of(rules)
        )
    )


# --- showing them

VERSIONS = text(
    """
    SELECT r.version, r.rules, r.set_by, r.set_at, p.display_name AS set_by_name
    FROM collision_rules AS r
    LEFT JOIN person AS p ON p.id = CASE WHEN r.set_by ~ '^[0-9a-f-]{36}$' THEN CAST(r.set_by AS uuid) END
    WHERE CAST(:before AS integer) IS NULL OR r.version < :before ORDER BY r.version DESC LIMIT :most
    """
)


def show(connection: Connection, scope: Reach) -> contract.CollisionRulesView:
    row = connection.execute(VERSIONS, {"before": None, "most": 1}).one_or_none()
    if row is None:
        return contract.CollisionRulesView(version=0, rules=DEFAULT_RULES, criteria=criteria_of(DEFAULT_RULES))
    shown = version_view(row)
    told = dict(shown) if scope is Scope.ALL else {"version": shown.version, "rules": shown.rules, "set_at": shown.set_at}
    return contract.CollisionRulesView(**told, criteria=criteria_of(shown.rules))


def list_versions(connection: Connection, before: int | None, limit: int) -> Page[contract.RulesVersionView]:
    """The newest first."""
    rows = connection.execute(VERSIONS, {"before": before, "most": limit + 1}).all()
    more = paging.encode(str(rows[limit - 1].version)) if len(rows) > limit else None
    return Page[contract.RulesVersionView](items=[version_view(row) for row in rows[:limit]], next_cursor=more)


def version_view(row: Row[Any]) -> contract.RulesVersionView:
    return contract.RulesVersionView.model_validate({**row._mapping, "rules": known_part(row.rules)})


def criteria_of(rules: CollisionRules) -> list[contract.CriterionView]:
    return [
        contract.CriterionView(criterion=criterion, meaning=meaning, weight=rules.weights[criterion], default_weight=default)
        for criterion, default in DEFAULT_WEIGHTS.items()
        for meaning in [contract.MEANINGS[criterion]]
    ]
