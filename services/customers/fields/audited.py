"""What a reader of the audit is shown of customers: no field that the policy keeps from him, and no customer out of his sight."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from services.contracts.audit import AuditEntry
from services.contracts.fields import OWN, POLICY_ID, Levels
from services.contracts.permissions import Scope
from services.customers.fields import domain
from services.customers.fields.sight import shown_value, sight_of
from services.customers.models import Customer
from services.plumbing.call import Call

MASKED_ALREADY = frozenset({"phone", "fax", "email", "contact_person"})
UNSAVED = frozenset({"refused", "claimable", "needs_confirmation"})


def sift(connection: Connection, call: Call, entries: Sequence[AuditEntry]) -> list[AuditEntry]:
    sight = sight_of(connection, call)
    levels: Levels = {field: min(sight.own[field], sight.overseen[field], key=domain.WIDTH.__getitem__) for field in OWN}
    kept_back: Levels = {
        field: level
        for field, level in levels.items()
        if not domain.is_shown(level) and not (level == "masked" and field in MASKED_ALREADY)
    }
    met = {entry.subject_id for entry in entries if is_unsaved(entry) and entry.subject_id}
    hidden = met - seen_of(connection, call, met)
    return [without_subject(without_fields(entry, kept_back), hidden) for entry in entries]


def without_fields(entry: AuditEntry, levels: Levels) -> AuditEntry:
    """Whose customer it was is not known here, so the narrower of own and overseen counts."""
    if not levels or entry.subject_id == POLICY_ID:
        return entry
    withheld: set[str] = set()
    shown = {name: sifted(getattr(entry, name), levels, withheld) for name in ("old", "new")}
    return entry.model_copy(update={**shown, "withheld": tuple(sorted(withheld))}) if withheld else entry


def sifted(value: Any, levels: Levels, withheld: set[str]) -> Any:
    if isinstance(value, list):
        return [sifted(each, levels, withheld) for each in value]
    if not isinstance(value, dict):
        return value
    shown = {}
    for name, inner in value.items():
        if name in levels and inner is not None:
            withheld.add(name)
            level = levels[name]
            shown[name] = shown_value(name, inner, level) if isinstance(inner, str) else None
        else:
            shown[name] = sifted(inner, levels, withheld)
    return shown


def is_unsaved(entry: AuditEntry) -> bool:
    """An entry that has met somebody's customer, which is told by its `ref` and never by its id."""
    return isinstance(entry.new, dict) and entry.new.get("outcome") in UNSAVED


def seen_of(connection: Connection, call: Call, ids: set[UUID]) -> set[UUID]:
    """Those behind the wall of the caller's agency, for who reads its audit."""
    if not ids or call.scope not in (Scope.AGENCY, Scope.ALL):
        return set()
    return set(connection.scalars(select(Customer.id).where(Customer.id.in_(ids))))


def without_subject(entry: AuditEntry, hidden: set[UUID]) -> AuditEntry:
    if not (is_unsaved(entry) and entry.subject_id in hidden):
        return entry
    return entry.model_copy(update={"subject_id": None, "withheld": (*entry.withheld, "subject_id")})
