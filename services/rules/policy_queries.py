"""SQL of policies and of what they allow each person."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.contracts.rules import StockLimitChange
from services.directory.models import Department, Person
from services.plumbing.ids import new_id
from services.rules.domain import Limits
from services.rules.models import Allowance, FollowUpPolicy, StockLimit

LOCK_POLICIES = text("SELECT pg_advisory_xact_lock(hashtextextended('policies ' || :agency_id, 0))")


def lock_policies(session: Session, agency_id: UUID) -> None:
    """Whoever changes a limit of an agency, or a person of it, decides its allowances alone."""
    session.execute(LOCK_POLICIES, {"agency_id": str(agency_id)})


# --- limits


def find_limit(session: Session, agency_id: UUID, change: StockLimitChange) -> StockLimit | None:
    return session.scalar(
        select(StockLimit).where(
            StockLimit.agency_id == agency_id,
            StockLimit.subject == change.subject,
            StockLimit.role.is_not_distinct_from(change.role),
            StockLimit.department_id.is_not_distinct_from(change.department_id),
            StockLimit.person_id.is_not_distinct_from(change.person_id),
        )
    )


def put_limit(session: Session, agency_id: UUID, change: StockLimitChange) -> StockLimit:
    """The limit as it is from now on; the agency's policies are locked."""
    found = find_limit(session, agency_id, change)
    if found is None:
        found = StockLimit(id=new_id(), version=0, agency_id=agency_id, **change.model_dump(exclude={"agency_id", "limit"}))
        session.add(found)
    found.version += 1
    found.limit = change.limit
    session.flush()
    return found


def list_limits(session: Session, agencies: Sequence[UUID]) -> Sequence[StockLimit]:
    """Those that are set."""
    query = select(StockLimit).where(StockLimit.agency_id.in_(agencies), StockLimit.limit.is_not(None))
    return session.scalars(query.order_by(StockLimit.id)).all()


def limits_of(session: Session, agencies: Sequence[UUID]) -> dict[UUID, Limits]:
    """By agency, as `domain.decide_limit` takes them."""
    found: dict[UUID, Limits] = defaultdict(dict)
    for row in list_limits(session, agencies):
        assert row.limit is not None
        found[row.agency_id][row.subject, row.role or row.department_id or row.person_id] = row.limit
    return found


# --- allowances


@dataclass(frozen=True)
class Candidate:
    """What a person's limit is decided by, and what he is allowed so far: nulls when nothing is."""

    id: UUID
    agency_id: UUID
    roles: list[str]
    department_id: UUID
    ancestors: list[UUID] | None
    version: int | None
    limit: int | None
    decided_by: str | None


def list_candidates(session: Session, *conditions: ColumnElement[bool]) -> list[Candidate]:
    query = select(
        Person.id,
        Person.agency_id,
        Person.roles,
        Person.department_id,
        Department.ancestors,
        Allowance.version,
        Allowance.limit,
        Allowance.decided_by,
    )
    query = query.outerjoin(Department, Department.id == Person.department_id)
    query = query.outerjoin(Allowance, Allowance.person_id == Person.id)
    return [Candidate(*row) for row in session.execute(query.where(*conditions).order_by(Person.id))]


def put_allowances(session: Session, allowances: list[dict[str, Any]]) -> None:
    row = insert(Allowance)
    changed = {name: row.excluded[name] for name in ("version", "limit", "decided_by")}
    if allowances:
        session.execute(row.on_conflict_do_update(index_elements=["person_id"], set_=changed), allowances)


# --- follow-up


def find_follow_up(session: Session, agency_id: UUID) -> FollowUpPolicy | None:
    return session.get(FollowUpPolicy, agency_id)


def put_follow_up(session: Session, agency_id: UUID, hours: int, on_missed: str) -> FollowUpPolicy:
    """The policy as it is from now on; the agency's policies are locked."""
    found = find_follow_up(session, agency_id)
    if found is None:
        found = FollowUpPolicy(agency_id=agency_id, version=0)
        session.add(found)
    found.version += 1
    found.hours, found.on_missed = hours, on_missed
    session.flush()
    return found
