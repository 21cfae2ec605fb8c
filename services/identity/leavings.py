"""Leaving with handover: ordered once, told to those who hand over, and followed until each has reported.

Account and order are one transaction. What follows needs nobody who waits: services hear of the order and report, both by events.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from services.contracts import leaving as contract
from services.contracts.base import Envelope, Page
from services.contracts.errors import InvalidRequest, LeavingUnderWay, OutOfScope, UserIsBack
from services.contracts.reach import covers_now
from services.identity import domain
from services.identity import leaving_queries as queries
from services.identity.access import lock_administered, place_of
from services.identity.accounts import disable
from services.identity.groups import leave_groups
from services.identity.inactivity import AsksWhoIsAway, check_administrator_remains
from services.identity.leaving_models import Leaving, LeavingPart
from services.identity.models import Person
from services.identity.row_grants import withdraw_all
from services.identity.within import people_within
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.clock import business_time
from services.plumbing.events import handles
from services.plumbing.ids import new_id
from services.plumbing.rpc import serves
from services.plumbing.service import ListeningService
from services.plumbing.work import Work


class Leavings(AsksWhoIsAway, ListeningService):
    @serves(contract.LEAVE_USER)
    def leave_user(self, command: contract.LeaveUser, call: Call) -> contract.LeavingView:
        with call.transaction() as work:
            domain.check_not_oneself(call.user_id, command.user_id)
            person = lock_administered(work, call, command.user_id)
            check_administrator_remains(work, person, self.inactive_days)
            refuse_second(work.session, person)
            check_plan(work.session, person, command.plan)
            disable(work, person)
            withdraw_all(work, person, by=call.user_id)
            leave_groups(work, person)
            leaving = order(work, person, command.plan, by=call.user_id)
            return answered(work, leaving, person.display_name)

    @serves(contract.REPEAT_LEAVING)
    def repeat_leaving(self, command: contract.RepeatLeaving, call: Call) -> contract.LeavingView:
        with call.transaction() as work:
            person_id = found(work.session, call, command.leaving_id)[0].person_id
            person = lock_administered(work, call, person_id)
            leaving = queries.lock_leaving(work.session, command.leaving_id)
            repeat(work, leaving, person)
            return answered(work, leaving, person.display_name)

    @serves(contract.SHOW_LEAVING)
    def show_leaving(self, query: contract.ShowLeaving, call: Call) -> contract.LeavingView:
        with call.reading() as session:
            return views(session, [found(session, call, query.leaving_id)])[0]

    @serves(contract.LIST_LEAVINGS)
    def list_leavings(self, query: contract.ListLeavings, call: Call) -> Page[contract.LeavingView]:
        after = paging.decode_id(query.cursor)
        with call.reading() as session:
            whose = {"person": Leaving.person_id, "agency": Leaving.agency_id}
            visible = people_within(call.scope, call.caller, business_time(session), **whose)
            rows = queries.list_leavings(session, visible, query, after)
            return paging.page(Page[contract.LeavingView], views(session, rows), query.limit)

    @handles(contract.HandoverReported)
    def follow_handover(self, event: contract.HandoverReported, envelope: Envelope, work: Work) -> None:
        leaving = queries.lock_leaving(work.session, event.leaving_id)
        parts = {part.service: part for part in queries.parts_of(work.session, [leaving.id])}
        part = parts.get(envelope.source)
        if part is None or part.version >= envelope.version:
            return
        part.version, part.round, part.state = envelope.version, event.round, event.state
        part.counts = [count.model_dump() for count in event.counts]
        settle(work, leaving, list(parts.values()))


# --- ordering


def refuse_second(session: Session, person: Person) -> None:
    """Of two who order it at once the later one finds the first one's. Raises LeavingUnderWay with its id."""
    if under_way := queries.find_under_way(session, person.id):
        raise LeavingUnderWay(leaving_id=str(under_way.id))


def check_plan(session: Session, person: Person, plan: contract.LeavingPlan) -> None:
    """Raises InvalidRequest for everybody named in it who is no active colleague that may hold customers.

    A stranger and somebody of another agency are refused alike. Who stops being fit afterwards gets nothing: that is reported.
    """
    named = [(f"/receivers/{at}/person_id", receiver.person_id) for at, receiver in enumerate(plan.receivers)]
    named += [(f"/customers/{at}/to", listed.to) for at, listed in enumerate(plan.customers) if listed.to]
    colleagues = queries.find_colleagues(session, person.agency_id, [user_id for _, user_id in named])
    wrong = [
        {"in": "body", "pointer": pointer, "detail": detail}
        for pointer, user_id in named
        if (detail := objection(person, user_id, colleagues))
    ]
    if wrong:
        raise InvalidRequest(errors=wrong)


def objection(person: Person, user_id: UUID, colleagues: Mapping[UUID, Person]) -> str | None:
    colleague = colleagues.get(user_id)
    if user_id == person.id:
        return "is who leaves"
    if colleague is None:
        return "is no colleague of who leaves"
    if colleague.status != "active":
        return "cannot log in: the account is not active"
    return None if "holds" in colleague.abilities else "holds no customers: the role is another one"


def order(work: Work, person: Person, plan: contract.LeavingPlan, *, by: UUID) -> Leaving:
    leaving = Leaving(
        id=new_id(),
        version=1,
        person_id=person.id,
        agency_id=person.agency_id,
        person_version=person.version,
        status="planned",
        plan=plan.model_dump(mode="json"),
        round=1,
        ordered_by=by,
        ordered_at=work.now,
    )
    work.session.add(leaving)
    work.session.flush()
    whose = {"leaving_id": leaving.id, "agency_id": leaving.agency_id}
    for service in contract.PARTICIPANTS:
        work.session.add(LeavingPart(**whose, service=service, version=0, round=0, state=None, counts=[]))
    tell(work, leaving, person)
    return leaving


def repeat(work: Work, leaving: Leaving, person: Person) -> None:
    """One that is under way already is left to itself. Raises UserIsBack: what he has by now is his."""
    if leaving.finished_at is None:
        return
    if person.status != "disabled" or domain.is_back(ordered_at=leaving.ordered_at, restored_at=person.restored_at):
        raise UserIsBack()
    refuse_second(work.session, person)
    leaving.round, leaving.status, leaving.finished_at = leaving.round + 1, "planned", None
    leaving.version, leaving.person_version = leaving.version + 1, person.version
    tell(work, leaving, person)


# --- following


def settle(work: Work, leaving: Leaving, parts: Sequence[LeavingPart]) -> None:
    """Draws the status from what each service has reported of this round, and tells it when it is another one."""
    states: list[Any] = [part.state if part.round == leaving.round else None for part in parts]
    status = domain.status_of_leaving(states)
    if status == leaving.status:
        return
    leaving.version, leaving.status = leaving.version + 1, status
    leaving.finished_at = work.now if status in ("done", "with_leftovers") else None
    tell(work, leaving, work.session.get_one(Person, leaving.person_id))


def tell(work: Work, leaving: Leaving, person: Person) -> None:
    """Of a leaving whose row is locked or new."""
    work.session.flush()
    event = contract.LeavingChanged(
        leaving_id=leaving.id,
        user_id=leaving.person_id,
        agency_id=leaving.agency_id,
        person_version=leaving.person_version,
        abilities=person.abilities,
        status=leaving.status,
        plan=contract.LeavingPlan.model_validate(leaving.plan),
        round=leaving.round,
        ordered_by=leaving.ordered_by,
    )
    work.emit(event, aggregate_id=leaving.id, version=leaving.version, agency_id=leaving.agency_id)


# --- showing


def found(session: Session, call: Call, leaving_id: UUID) -> Row[Leaving, str]:
    """Of somebody on whom the caller's right counts, as he stands now. Raises NotFound, OutOfScope."""
    row = queries.find_leaving(session, leaving_id)
    person = session.get_one(Person, row[0].person_id)
    if not covers_now(call.scope, call.caller, place_of(session, person), business_time(session)):
        raise OutOfScope()
    return row


def answered(work: Work, leaving: Leaving, name: str) -> contract.LeavingView:
    work.session.flush()
    shown = view(leaving, name, queries.parts_of(work.session, [leaving.id]))
    work.audit(leaving.person_id, agency_id=leaving.agency_id, new=shown)
    return work.answer(shown)


def views(session: Session, rows: Sequence[Row[Leaving, str]]) -> list[contract.LeavingView]:
    parts = queries.parts_of(session, [leaving.id for leaving, _ in rows])
    return [view(leaving, name, [part for part in parts if part.leaving_id == leaving.id]) for leaving, name in rows]


def view(leaving: Leaving, name: str, parts: Sequence[LeavingPart]) -> contract.LeavingView:
    return contract.LeavingView(
        id=leaving.id,
        version=leaving.version,
        user_id=leaving.person_id,
        user_name=name,
        agency_id=leaving.agency_id,
        status=leaving.status,
        plan=contract.LeavingPlan.model_validate(leaving.plan),
        round=leaving.round,
        ordered_by=leaving.ordered_by,
        ordered_at=leaving.ordered_at,
        finished_at=leaving.finished_at,
        parts=[part_view(part, is_of_now=part.round == leaving.round) for part in parts],
    )


def part_view(part: LeavingPart, *, is_of_now: bool) -> contract.PartView:
    """What an earlier round has come to stands until the service has begun with this one."""
    state: Any = part.state if is_of_now else None
    counts = [contract.Count.model_validate(count) for count in part.counts]
    return contract.PartView(service=part.service, state=state, counts=counts)
