"""Disputes as those may see them who are concerned: each side, who oversees one of them, and who decides."""

import re
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from services.contracts.disputes import DisputeLine, DisputeView, EvidenceView, Side, StatementView
from services.customers.disputes import queries
from services.plumbing.call import Call
from services.plumbing.masking import mask

NUMBER = re.compile(r"\d[\d ()\-‐-―－　]{5,}\d")
"""Digits by which somebody could be called, however they are grouped."""
DATE = re.compile(r"\d{4}-\d\d?-\d\d?")
AS_THEY_ARE = (
    "id", "version", "state", "is_overdue", "opened_at", "due_at", "name", "answered_at", "decided_by", "decided_at", "reason",
    "may_decide",
)  # fmt: skip


def line(row: Row[Any], call: Call) -> DisputeLine:
    return DisputeLine(**fields_of(row, call))


def view_of(session: Session, dispute_id: UUID, call: Call) -> DisputeView:
    """Of one that was found before, after the changes of this transaction."""
    row = queries.line_of(session, dispute_id, call.caller)
    said = queries.statements_of(session, dispute_id)
    return DisputeView(
        **fields_of(row, call),
        claim=statement(said.get("claimant"), is_own=row.is_of_claimant),
        answer=statement(said.get("holder"), is_own=row.is_of_holder),
    )


def fields_of(row: Row[Any], call: Call) -> dict[str, Any]:
    """What is the holder's is not told to the claimant before it is his."""
    is_awarded = row.state == "upheld" and row.is_of_claimant
    knows_claimant = row.is_of_claimant or row.agency_id == call.caller.agency_id
    knows_holder = row.is_of_holder or row.holder_agency_id == call.caller.agency_id
    return {name: getattr(row, name) for name in AS_THEY_ARE} | {
        "attempt_id": row.attempt_id if row.is_of_claimant else None,
        "customer_id": row.customer_id if row.is_of_holder or is_awarded else None,
        "claimant": side(row.agency_name, row.claimant_id, row.claimant_name, None, is_known=knows_claimant),
        "holder": side(row.holder_agency_name, row.holder_id, row.holder_name, row.pool_kind, is_known=knows_holder),
    }


def side(agency_name: str | None, person_id: UUID | None, name: str | None, pool_kind: Any, *, is_known: bool) -> Side:
    if not is_known:
        return Side(agency_name=agency_name, person_id=None, person_name=None)
    return Side(agency_name=agency_name, person_id=person_id, person_name=name, pool_kind=pool_kind)


def statement(row: Row[Any] | None, *, is_own: bool) -> StatementView | None:
    """`is_own`: the viewer is on the side of who said it, or oversees it."""
    if row is None:
        return None
    evidence = [EvidenceView.model_validate(each) for each in row.evidence]
    return StatementView(
        at=row.at,
        text=row.text if is_own else without_numbers(row.text),
        kinds=[each.kind for each in evidence],
        evidence=evidence if is_own else None,
    )


def without_numbers(text: str) -> str:
    """Days stay: what somebody says hangs on them."""
    return NUMBER.sub(lambda found: found[0] if DATE.fullmatch(found[0]) else mask(found[0]), text)
