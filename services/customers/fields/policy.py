"""By which policy fields are shown: the last that headquarters has set, else the defaults."""

from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, select, text
from sqlalchemy.orm import Session

from services.contracts import fields as contract
from services.contracts.base import Page
from services.contracts.errors import VersionConflict
from services.customers.fields.models import FieldPolicyVersion
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.work import Work

DEFAULT_POLICY = contract.FieldPolicy()
VERSION = select(func.coalesce(func.max(FieldPolicyVersion.version), 0)).scalar_subquery().label("field_policy")
"""A column for statements that read customers: so the version in force costs no statement of its own."""
LATEST = text("SELECT version, policy FROM field_policy ORDER BY version DESC LIMIT 1")


class InForce(NamedTuple):
    """`version` 0 are the defaults."""

    version: int
    policy: contract.FieldPolicy


_parsed: dict[int, contract.FieldPolicy] = {}
"""By version, which never changes; only the last one is kept."""


def in_force(connection: Connection | Session) -> InForce:
    """As the database has it now, so that a change counts at once, in every process."""
    row = connection.execute(LATEST).one_or_none()
    return InForce(row.version, _read(row.version, row.policy)) if row else InForce(0, DEFAULT_POLICY)


def of_version(connection: Connection | Session, version: int) -> contract.FieldPolicy:
    """Of a version that is in force; asked for when it is not known yet."""
    if version == 0:
        return DEFAULT_POLICY
    return _parsed.get(version) or in_force(connection).policy


def _read(version: int, policy: dict[str, Any]) -> contract.FieldPolicy:
    if version not in _parsed:
        _parsed.clear()
        _parsed[version] = known_part(policy)
    return _parsed[version]


def known_part(policy: dict[str, Any]) -> contract.FieldPolicy:
    """Without roles and fields that only a newer release knows: it may run beside this one, or have run before."""
    levels = {
        role: {
            relation: {field: level for field, level in of_role.get(relation, {}).items() if field in contract.OWN}
            for relation in ("own", "overseen")
        }
        for role, of_role in policy["levels"].items()
        if role in contract.ROLES
    }
    limits = {role: limit for role, limit in policy["reveals_a_day"].items() if role in contract.ROLES}
    return contract.FieldPolicy.model_validate({"levels": levels, "reveals_a_day": limits})


# --- setting it


def set_policy(work: Work, call: Call, command: contract.SetFieldPolicy) -> contract.FieldPolicyView:
    """A new version. Raises VersionConflict; of two who do it at once the table lets one through."""
    before, policy = in_force(work.session), command.policy
    if before.version != command.expected_version:
        raise VersionConflict(version=before.version)
    version, kept = before.version + 1, policy.model_dump(mode="json")
    work.session.add(FieldPolicyVersion(version=version, policy=kept, set_by=work.actor, set_at=work.now))
    work.session.flush()
    told = contract.FieldPolicySet(policy=kept, set_by=work.actor)
    work.emit(told, aggregate_id=contract.POLICY_ID, version=version)
    old = {"version": before.version, "policy": before.policy.model_dump(mode="json")}
    work.audit(contract.POLICY_ID, old=old, new=told)
    name = call.caller.display_name
    return work.answer(
        contract.FieldPolicyView(version=version, policy=policy, set_by=work.actor, set_by_name=name, set_at=work.now)
    )


# --- showing it

VERSIONS = text(
    """
    SELECT f.version, f.policy, f.set_by, f.set_at, p.display_name AS set_by_name
    FROM field_policy AS f
    LEFT JOIN person AS p ON p.id = CASE WHEN f.set_by ~ '^[0-9a-f-]{36}$' THEN CAST(f.set_by AS uuid) END
    WHERE CAST(:before AS integer) IS NULL OR f.version < :before ORDER BY f.version DESC LIMIT :most
    """
)


def show(connection: Connection) -> contract.FieldPolicyView:
    row = connection.execute(VERSIONS, {"before": None, "most": 1}).one_or_none()
    return version_view(row) if row else contract.FieldPolicyView(version=0, policy=DEFAULT_POLICY)


def list_versions(connection: Connection, before: int | None, limit: int) -> Page[contract.FieldPolicyView]:
    """The newest first."""
    rows = connection.execute(VERSIONS, {"before": before, "most": limit + 1}).all()
    more = paging.encode(str(rows[limit - 1].version)) if len(rows) > limit else None
    return Page[contract.FieldPolicyView](items=[version_view(row) for row in rows[:limit]], next_cursor=more)


def version_view(row: Row[Any]) -> contract.FieldPolicyView:
    return contract.FieldPolicyView.model_validate({**row._mapping, "policy": known_part(row.policy)})
