"""What holds inside rules."""

from collections import defaultdict
from collections.abc import Iterator

from ops.fsck.invariant import Difference, Invariant, Look, each_of
from ops.fsck.told import told
from services.contracts.rules import AllowanceSet, FollowUpSet, StockLimitSet
from services.rules import domain

LIMITS = """
    SELECT agency_id, subject, role, coalesce(department_id, person_id), "limit" FROM stock_limit WHERE "limit" IS NOT NULL
"""
ALLOWED = """
    SELECT person.id, person.agency_id, roles, coalesce(ancestors, ARRAY[department_id]), "limit", decided_by
    FROM person LEFT JOIN department ON department.id = department_id LEFT JOIN allowance ON person_id = person.id
    WHERE 'holds' = ANY (abilities) AND (%(only)s::uuid[] IS NULL OR person.id = ANY(%(only)s))
"""
DEADLINES = """
    SELECT id, due_at, verdict, moved_on_at, is_taken_back, first_contact_at, state,
           (SELECT min(contact.written_at) FROM contact
            WHERE contact.customer_id = deadline.customer_id AND contact.person_id = deadline.owner_id
              AND coalesce(contact.holding, deadline.holding) = deadline.holding)
    FROM deadline
"""


def allowances(look: Look) -> Iterator[Difference]:
    """Everybody who may hold customers is allowed what the limits say of him now."""
    limits: dict[object, domain.Limits] = defaultdict(dict)
    for agency_id, subject, role, of, limit in look.rows("rules", LIMITS):
        limits[agency_id][subject, role or of] = limit
    for person_id, agency_id, roles, departments, *allowed in look.rows("rules", ALLOWED):
        look.looked_at += 1
        right = domain.decide_limit(limits[agency_id], person_id=person_id, departments=departments[::-1], roles=roles)
        if right != tuple(allowed):
            limit, decided_by = allowed
            found = "nothing is decided" if limit is None else f"{limit} by {decided_by}"
            kind = "missing" if limit is None else "wrong"
            yield Difference(person_id, kind, f"person {person_id}", f"{found}, should be {right.limit} by {right.decided_by}")  # type: ignore[arg-type]


def deadlines(look: Look) -> Iterator[Difference]:
    """The state of each follows from what is known of it."""
    for id_, due_at, verdict, moved_on_at, is_taken_back, noted, state, first_contact_at in look.rows("rules", DEADLINES):
        look.looked_at += 1
        right = domain.judge_deadline(
            due_at=due_at,
            first_contact_at=first_contact_at,
            verdict=verdict,
            moved_on_at=moved_on_at,
            is_taken_back=is_taken_back,
        )
        if (state, noted) != (right, first_contact_at):
            found = f"{state} with a first contact at {noted}, should be {right} with {first_contact_at}"
            yield Difference(id_, "wrong", f"deadline {id_}", found)


def invariants() -> Iterator[Invariant]:
    allowed, limited = told("allowance", AllowanceSet, key="person_id"), told("stock_limit", StockLimitSet)
    followed_up = told("follow_up_policy", FollowUpSet, key="agency_id")
    yield Invariant("rules", "policies as told", each_of(allowed, limited, followed_up))
    yield Invariant("rules", "allowances as decided", allowances, is_patient=True)
    yield Invariant("rules", "deadlines as judged", deadlines)
