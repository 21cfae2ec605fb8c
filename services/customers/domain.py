"""Decisions of customers: values in, decision out."""

import unicodedata
from uuid import UUID

from services.contracts.customers import EntryOutcome


def name_key(name: str) -> str:
    """The name without width, case and blanks. Exact identity only; the collision engine takes it from here."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def judge_collision(
    *, customer_id: UUID, version: int, owner_id: UUID, owner_name: str, agency_id: UUID, caller_id: UUID, caller_agency_id: UUID
) -> EntryOutcome:
    """What an entry that met an existing customer comes to; other agencies learn neither the holder nor the record."""
    if owner_id == caller_id:
        return EntryOutcome(outcome="bound_to_yours", customer_id=customer_id, version=version)
    if agency_id == caller_agency_id:
        return EntryOutcome(outcome="refused", reason="held_by_colleague", held_by=owner_name)
    return EntryOutcome(outcome="refused", reason="held_by_other_agency")
