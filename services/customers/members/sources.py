"""Sources of web-registered members: made, changed, given new secrets. The secrets themselves are the gateway's."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from services.contracts.errors import VersionConflict
from services.contracts.members import (
    ChangeMemberSource,
    MemberSourceKeys,
    MemberSourceSet,
    MemberSourceView,
    NewMemberSource,
    RotateMemberSource,
)
from services.customers.members import queries
from services.customers.members.models import MemberSource
from services.plumbing.call import Call
from services.plumbing.ids import new_id
from services.plumbing.work import Work

OVERLAP = timedelta(hours=24)


def add(work: Work, call: Call, command: NewMemberSource, agency_id: UUID) -> MemberSourceView:
    source = MemberSource(
        id=new_id(),
        version=1,
        agency_id=agency_id,
        name=command.name,
        is_enabled=True,
        key_version=1,
        created_by=call.user_id,
        created_at=work.now,
    )
    work.session.add(source)
    return told(work, source)


def change(work: Work, call: Call, command: ChangeMemberSource) -> MemberSourceView:
    """Raises VersionConflict."""
    source = queries.lock_source(work.session, command.source_id, call.scope, call.caller)
    if source.version != command.expected_version:
        raise VersionConflict(version=source.version)
    old = state_of(source)
    for field in command.model_fields_set - {"source_id", "expected_version"}:
        setattr(source, field, getattr(command, field))
    source.version += 1
    return told(work, source, old)


def rotate(work: Work, call: Call, command: RotateMemberSource) -> MemberSourceView:
    source = queries.lock_source(work.session, command.source_id, call.scope, call.caller)
    old = state_of(source)
    source.key_version += 1
    source.previous_until = None if command.end_previous else work.now + OVERLAP
    source.version += 1
    return told(work, source, old)


def told(work: Work, source: MemberSource, old: MemberSourceSet | None = None) -> MemberSourceView:
    new = state_of(source)
    work.emit(new, aggregate_id=source.id, version=source.version, agency_id=source.agency_id)
    work.audit(source.id, agency_id=source.agency_id, old=old, new=new)
    return view(queries.source_of(work.session, source.id))


def state_of(source: MemberSource) -> MemberSourceSet:
    return MemberSourceSet(
        source_id=source.id,
        name=source.name,
        is_enabled=source.is_enabled,
        key_version=source.key_version,
        previous_until=source.previous_until,
    )


def view(row: Any) -> MemberSourceView:
    return MemberSourceView.model_validate(row, from_attributes=True)


def keys(row: Any) -> MemberSourceKeys:
    if row is None:
        return MemberSourceKeys(versions=())
    return MemberSourceKeys(versions=(row.key_version, row.key_version - 1) if row.has_previous else (row.key_version,))
