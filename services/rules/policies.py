"""Limits and the follow-up as agencies set them, and what each person may hold by them."""

from uuid import UUID

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from services.contracts import rules as contract
from services.contracts.errors import DepartmentMerged, InvalidRequest, NotFound, OutOfScope
from services.contracts.permissions import Scope
from services.directory.models import Department, Person
from services.directory.service import agency_within, known_department, known_person
from services.plumbing.call import Call
from services.plumbing.work import Work
from services.rules import domain
from services.rules import policy_queries as queries
from services.rules.models import FollowUpPolicy
from services.rules.queries import IS_HOLDER


def set_stock_limit(change: contract.StockLimitChange, call: Call) -> contract.StockLimitView:
    """Raises InvalidRequest, OutOfScope, NotFound for a department or person that is not of the agency, or DepartmentMerged."""
    call.answer_again()
    check_subject(change)
    agency_id = agency_within(call, change.agency_id)
    check_is_of_agency(call, change, agency_id)
    with call.transaction() as work:
        queries.lock_policies(work.session, agency_id)
        before = queries.find_limit(work.session, agency_id, change)
        old = {"limit": before.limit} if before else None
        policy = queries.put_limit(work.session, agency_id, change)
        told = {"policy_id": policy.id, **change.model_dump(exclude={"agency_id"})}
        work.emit(contract.StockLimitSet(**told), aggregate_id=policy.id, version=policy.version, agency_id=agency_id)
        decide_allowances(work, agency_id)
        view = contract.StockLimitView.model_validate(policy, from_attributes=True)
        work.audit(policy.id, agency_id=agency_id, old=old, new=view)
        return work.answer(view)


def set_follow_up(change: contract.FollowUpChange, call: Call) -> contract.FollowUpView:
    """Holds for what is received from now on; what a missed contact leads to, for all that are not closed yet."""
    call.answer_again()
    agency_id = agency_within(call, change.agency_id)
    with call.transaction() as work:
        queries.lock_policies(work.session, agency_id)
        old = follow_up_view(agency_id, queries.find_follow_up(work.session, agency_id))
        policy = queries.put_follow_up(work.session, agency_id, change.hours, change.on_missed)
        view = follow_up_view(agency_id, policy)
        told = contract.FollowUpSet(agency_id=agency_id, hours=view.hours, on_missed=view.on_missed)
        work.emit(told, aggregate_id=agency_id, version=policy.version, agency_id=agency_id)
        work.audit(agency_id, agency_id=agency_id, old=old, new=view)
        return work.answer(view)


def show_policies(query: contract.AskPolicies, call: Call) -> contract.AgencyPolicies:
    agency_id = agency_within(call, query.agency_id)
    with call.reading() as session:
        limits = queries.list_limits(session, [agency_id])
        follow_up = queries.find_follow_up(session, agency_id)
    return contract.AgencyPolicies(
        agency_id=agency_id,
        default_stock_limit=domain.STOCK_LIMIT,
        stock_limits=[contract.StockLimitView.model_validate(limit, from_attributes=True) for limit in limits],
        follow_up=follow_up_view(agency_id, follow_up),
    )


def check_subject(change: contract.StockLimitChange) -> None:
    """Raises InvalidRequest, which says at which member of the body."""
    try:
        domain.check_subject(change)
    except InvalidRequest as refused:
        raise InvalidRequest(errors=[{"in": "body", "pointer": "/subject", "detail": refused.details["reason"]}]) from None


def check_is_of_agency(call: Call, change: contract.StockLimitChange, agency_id: UUID) -> None:
    found: Department | Person
    if change.department_id:
        found = known_department(call, change.department_id)
    elif change.person_id:
        found = known_person(call, change.person_id)
    else:
        return
    if found.agency_id != agency_id:  # headquarters sees it, and has named another agency
        raise NotFound() if call.scope is Scope.ALL else OutOfScope()
    if isinstance(found, Department) and found.status == "merged" and change.limit is not None:
        # one of before the merger can be removed
        raise DepartmentMerged(merged_into_id=str(found.merged_into_id))


def follow_up_view(agency_id: UUID, policy: FollowUpPolicy | None) -> contract.FollowUpView:
    """Version 0 is what holds as long as nothing is set."""
    if policy is None:
        default = contract.FollowUpChange()
        return contract.FollowUpView(agency_id=agency_id, version=0, hours=default.hours, on_missed=default.on_missed)
    return contract.FollowUpView.model_validate(policy, from_attributes=True)


# --- allowances


def decide_allowances(work: Work, agency_id: UUID, *of: ColumnElement[bool]) -> None:
    """Decides anew what the agency's people may hold and tells what has changed; its policies are locked."""
    limits = queries.limits_of(work.session, [agency_id])[agency_id]
    changed = []
    for person in queries.list_candidates(work.session, Person.agency_id == agency_id, IS_HOLDER, *of):
        decision = decide(limits, person)
        if decision != (person.limit, person.decided_by):
            version = (person.version or 0) + 1
            changed.append({"person_id": person.id, "agency_id": agency_id, "version": version, **decision._asdict()})
    queries.put_allowances(work.session, changed)
    for allowance in changed:
        told = contract.AllowanceSet.model_validate(allowance)
        work.emit(told, aggregate_id=told.person_id, version=allowance["version"], agency_id=agency_id)


def decide(limits: domain.Limits, person: queries.Candidate) -> domain.Decision:
    """A department of which nothing was heard yet counts without those above it; it is decided anew when they are known."""
    departments = list(reversed(person.ancestors or [person.department_id]))
    return domain.decide_limit(limits, person_id=person.id, departments=departments, roles=person.roles)


def allowances_of(session: Session, *of: ColumnElement[bool]) -> dict[UUID, contract.Allowance]:
    """By person; version 0 where it is decided here and now, as nothing was told of him yet."""
    people = queries.list_candidates(session, *of)
    limits = queries.limits_of(session, sorted({person.agency_id for person in people if person.version is None}))
    return {person.id: allowance_view(limits, person) for person in people}


def allowance_view(limits: dict[UUID, domain.Limits], person: queries.Candidate) -> contract.Allowance:
    if person.version is None or person.limit is None or person.decided_by is None:
        version, decision = 0, decide(limits.get(person.agency_id, {}), person)
    else:
        version, decision = person.version, domain.Decision(person.limit, person.decided_by)
    return contract.Allowance(person_id=person.id, agency_id=person.agency_id, version=version, **decision._asdict())
