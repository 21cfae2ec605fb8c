"""Setting entries of dictionaries and custom fields: each a version of its own, against overwriting what was not seen."""

from typing import TypeVar
from uuid import UUID, uuid5

from sqlalchemy.orm import Session

from services.contracts import catalogue as contract
from services.contracts.errors import FieldKindIsKept, InvalidRequest, VersionConflict
from services.customers.catalogue import queries
from services.customers.catalogue.models import CustomField, DictionaryEntry
from services.plumbing.work import Work


def aggregate_of(*path: str) -> UUID:
    return uuid5(contract.CATALOGUE, "/".join(path))


def set_entry(work: Work, command: contract.SetDictionaryEntry) -> contract.DictionaryEntryView:
    """Raises InvalidRequest, VersionConflict; of two who add the same the table lets one through."""
    if not command.is_active and (command.kind, command.code) in contract.PRESERVED:
        kept = "is entered by the system itself and stays in use"
        raise InvalidRequest(errors=[{"in": "body", "pointer": "/is_active", "detail": kept}])
    entry = queries.lock_entry(work.session, command.kind, command.code)
    check_version(entry.version if entry else 0, command.expected_version)
    old = entry_view(entry) if entry else None
    if entry is None:
        entry = DictionaryEntry(kind=command.kind, code=command.code, version=0)
    entry.label, entry.position, entry.is_active = command.label, command.position, command.is_active
    entry.version += 1
    new = entry_view(keep(work.session, entry))
    told = contract.DictionaryEntrySet(**new.model_dump(exclude={"version"}), set_by=work.actor)
    subject = aggregate_of(command.kind, command.code)
    work.emit(told, aggregate_id=subject, version=entry.version)
    work.audit(subject, old=old, new=new)
    return work.answer(new)


def set_field(work: Work, command: contract.SetCustomField) -> contract.CustomFieldView:
    """Raises FieldKindIsKept, InvalidRequest, VersionConflict."""
    fields = queries.lock_fields(work.session)
    field = fields.get(command.key)
    check_version(field.version if field else 0, command.expected_version)
    if field and field.kind != command.kind:
        raise FieldKindIsKept(kind=field.kind)
    if field is None and len(fields) >= contract.MOST_FIELDS:
        most = f"there are {contract.MOST_FIELDS} fields, and that is the most"
        raise InvalidRequest(errors=[{"in": "path", "pointer": "/key", "detail": most}])
    old = field_view(field) if field else None
    if field is None:
        field = CustomField(key=command.key, kind=command.kind, version=0)
    field.label, field.options, field.position = command.label, list(command.options), command.position
    field.is_required, field.is_active = command.is_required, command.is_active
    field.version += 1
    new = field_view(keep(work.session, field))
    told = contract.CustomFieldSet(**new.model_dump(exclude={"version"}), set_by=work.actor)
    subject = aggregate_of("field", command.key)
    work.emit(told, aggregate_id=subject, version=field.version)
    work.audit(subject, old=old, new=new)
    return work.answer(new)


def check_version(version: int, expected: int) -> None:
    if version != expected:
        raise VersionConflict(version=version)


Kept = TypeVar("Kept", DictionaryEntry, CustomField)


def keep(session: Session, row: Kept) -> Kept:
    session.add(row)
    session.flush()
    return row


def entry_view(entry: object) -> contract.DictionaryEntryView:
    return contract.DictionaryEntryView.model_validate(entry, from_attributes=True)


def field_view(field: object) -> contract.CustomFieldView:
    return contract.CustomFieldView.model_validate(field, from_attributes=True)
