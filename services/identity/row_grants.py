"""Row grants: given, withdrawn, listed. They end in the predicates that read them, with nobody's help."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session as DatabaseSession

from services.contracts import grants as contract
from services.contracts.base import Nothing, Page
from services.contracts.errors import GrantEnds, OutOfScope, TooManyGrants, UserNotActive
from services.contracts.reach import Place, covers_now
from services.identity import domain, granting, queries
from services.identity.access import check_scope, department_of, found, found_person, ids_of, place_about, place_of
from services.identity.appointing import ceilings_of
from services.identity.models import Person, RowGrant
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.clock import business_time
from services.plumbing.ids import new_id
from services.plumbing.passport import Caller
from services.plumbing.rpc import serves
from services.plumbing.service import Service
from services.plumbing.work import Work

MOST = 20
"""Live ones of one person: they all go along in his passport."""


class RowGrants(Service):
    @serves(contract.GIVE_GRANT)
    def give_grant(self, command: contract.GiveGrant, call: Call) -> contract.GrantView:
        with call.transaction() as work:
            if command.department_id:
                queries.hold_departments(work.session, [command.department_id])
            person = lock_receiver(work, call, command.user_id)
            check(work, call, person, command)
            grant = RowGrant(
                id=new_id(),
                agency_id=person.agency_id,
                person_id=person.id,
                permission=command.permission,
                department_id=command.department_id,
                about_id=command.person_id,
                until=command.until,
                given_by=call.user_id,
                given_at=work.now,
                version=0,
            )
            work.session.add(grant)
            return work.answer(told(work, grant))

    @serves(contract.WITHDRAW_GRANT)
    def withdraw_grant(self, command: contract.WithdrawGrant, call: Call) -> Nothing:
        with call.transaction() as work:
            grant = lock_grant(work, command.user_id, command.grant_id)
            if grant.given_by != call.user_id and not reaches(work.session, call, place_in(work.session, grant), work.now):
                raise OutOfScope()
            if is_live(grant, work.now):
                grant.withdrawn_by, grant.withdrawn_at = call.user_id, work.now
            told(work, grant)
            return work.answer(Nothing())

    @serves(contract.LIST_GRANTS)
    def list_grants(self, query: contract.ListGrants, call: Call) -> Page[contract.GrantView]:
        after = paging.decode_id(query.cursor)
        with call.reading() as session:
            person = found_person(session, queries.find_person(session, query.user_id), query.user_id)
            now = business_time(session)
            if person.id != call.user_id and not reaches(session, call, place_of(session, person), now):
                raise OutOfScope()
            rows = queries.list_grants(session, query, after)
        return paging.page(Page[contract.GrantView], [grant_view(row, now) for row in rows], query.limit)


def lock_receiver(work: Work, call: Call, user_id: UUID) -> Person:
    """Raises NotFound, OutOfScope, OwnAccount, UserNotActive, TooManyGrants."""
    domain.check_not_oneself(call.user_id, user_id)
    person = found_person(work.session, queries.lock_person(work.session, user_id), user_id)
    check_scope(call, person.agency_id)
    if person.status != "active":
        raise UserNotActive(user_status=person.status)
    if queries.count_live_grants(work.session, person.id) >= MOST:
        raise TooManyGrants(limit=MOST)
    return person


def lock_grant(work: Work, user_id: UUID, grant_id: UUID) -> RowGrant:
    """Raises NotFound, or OutOfScope for one that is behind the wall of another agency."""
    grant = queries.lock_grant(work.session, user_id, grant_id)
    if grant is None and queries.has_grant(work.session, user_id, grant_id):
        raise OutOfScope()
    return found(grant)


def check(work: Work, call: Call, person: Person, command: contract.GiveGrant) -> None:
    """Raises GrantEnds, NotFound, DepartmentMerged, AboveYourRights, AboveCeiling."""
    if command.until and command.until <= work.now:
        raise GrantEnds()
    place = place_of_grant(work, call, person.agency_id, command)
    granting.check_row(call.caller, call.caller.grants, command.permission, place, command.until)
    departments = (person.department_id, *person.other_department_ids)
    managed, others = tuple(person.managed_department_ids), tuple(person.other_department_ids)
    receiver = Caller(str(person.id), person.agency_id, person.department_id, managed, others)
    granting.check_row_ceilings(receiver, command.permission, place, ceilings_of(work.session, departments))


def place_of_grant(work: Work, call: Call, agency_id: UUID, command: contract.GiveGrant) -> Place:
    """Raises NotFound, OutOfScope for what is not of the receiver's agency; DepartmentMerged where it would count on nobody."""
    if command.department_id:
        department = department_of(work, call, command.department_id, agency_id)
        domain.check_is_live(status=department.status, merged_into_id=department.merged_into_id)
        return Place(agency_id, None, ids_of(department.path))
    assert command.person_id
    about = found_person(work.session, queries.find_person(work.session, command.person_id), command.person_id)
    if about.agency_id != agency_id:
        raise OutOfScope()
    return place_of(work.session, about)


def place_in(session: DatabaseSession, grant: RowGrant) -> Place:
    return place_about(session, grant.agency_id, grant.department_id, grant.about_id)


def reaches(session: DatabaseSession, call: Call, place: Place, now: datetime) -> bool:
    return covers_now(call.scope, call.caller, place, now)


def is_live(grant: RowGrant, now: datetime) -> bool:
    return grant.withdrawn_at is None and (grant.until is None or now < grant.until)


def withdraw_all(work: Work, person: Person, *, by: UUID) -> None:
    """Of somebody whose row is locked: what he was given does not come back with him."""
    for grant in queries.lock_live_grants(work.session, person.id):
        grant.withdrawn_by, grant.withdrawn_at = by, work.now
        tell(work, grant)


def told(work: Work, grant: RowGrant) -> contract.GrantView:
    """With its event and audit; one that was over already is only audited."""
    view = tell(work, grant)
    work.audit(grant.person_id, agency_id=grant.agency_id, new=view)
    return view


def tell(work: Work, grant: RowGrant) -> contract.GrantView:
    view = grant_view(grant, work.now)
    if work.session.is_modified(grant) or grant.version == 0:
        grant.version += 1
        work.session.flush()
        told_too = view.model_dump(include=set(contract.GrantChanged.model_fields))
        event = contract.GrantChanged(grant_id=grant.id, about_id=grant.about_id, **told_too)
        work.emit(event, aggregate_id=grant.id, version=grant.version, agency_id=grant.agency_id)
    return view


def grant_view(grant: RowGrant, now: datetime) -> contract.GrantView:
    return contract.GrantView(
        id=grant.id,
        user_id=grant.person_id,
        permission=grant.permission,
        department_id=grant.department_id,
        person_id=grant.about_id,
        until=grant.until,
        is_live=is_live(grant, now),
        given_by=grant.given_by,
        given_at=grant.given_at,
        withdrawn_by=grant.withdrawn_by,
        withdrawn_at=grant.withdrawn_at,
    )
