"""After how many days accounts are locked, as headquarters and agencies set it, and telling of it before it happens."""

from uuid import UUID, uuid5

from sqlalchemy.orm import Session

from services.contracts import inactivity as contract
from services.contracts.base import Nothing
from services.contracts.errors import InvalidRequest, PermissionDenied
from services.contracts.permissions import Scope
from services.identity import domain, queries
from services.identity import inactivity_queries as inactivity
from services.identity.access import check_scope, found
from services.identity.inactivity import AsksWhoIsAway, since_of
from services.identity.leaving_models import InactivityNotice, InactivityPolicy
from services.identity.models import Agency, Person
from services.plumbing.call import Call
from services.plumbing.chores import Chore, every
from services.plumbing.clock import business_time
from services.plumbing.rpc import serves
from services.plumbing.work import Work

NOTICED_AT_ONCE = 500


class InactivityRules(AsksWhoIsAway):
    @serves(contract.SHOW_INACTIVITY)
    def show_inactivity(self, query: contract.AskInactivity, call: Call) -> contract.InactivityView:
        agency_id = query.agency_id or call.caller.agency_id
        check_scope(call, agency_id)
        with call.reading() as session:
            found(queries.find_agency(session, agency_id))
            return view(session, agency_id, self.inactive_days)

    @serves(contract.SET_INACTIVITY)
    def set_inactivity(self, command: contract.SetInactivity, call: Call) -> contract.InactivityView:
        agency_id = command.agency_id or call.caller.agency_id
        check_scope(call, agency_id)
        with call.transaction() as work:
            agency = found(queries.find_agency(work.session, agency_id))
            queries.lock_inactivity(work.session)
            old = view(work.session, agency_id, self.inactive_days)
            put(work, call, agency, command, self.inactive_days)
            new = view(work.session, agency_id, self.inactive_days)
            work.audit(agency_id, agency_id=agency_id, old=old, new=new)
            return work.answer(new)

    @serves(contract.NOTICE_INACTIVITY)
    def notice_inactivity(self, command: contract.NoticeInactivity, call: Call) -> Nothing:
        with call.transaction() as work:
            person = found(queries.lock_person(work.session, command.user_id))
            told = notice(work, person, self.inactive_days)
            work.audit(person.id, agency_id=person.agency_id, new=told)
            return work.answer(Nothing())

    @every(seconds=3600)
    def notice_the_inactive(self, chore: Chore) -> None:
        """Asks once a day for each, as the day on which somebody is locked may change with the rule."""
        with chore.reading() as session:
            now = business_time(session)
            away = inactivity.list_unnoticed(session, now, chore.settings.inactive_days, NOTICED_AT_ONCE)
        for user_id, since in away:
            key = f"notice/{user_id}/{since.timestamp()}/{domain.business_day(now)}"
            chore.ask(contract.NOTICE_INACTIVITY, contract.NoticeInactivity(user_id=user_id), key=key)


def put(work: Work, call: Call, agency: Agency, command: contract.SetInactivity, default_days: int) -> None:
    """Raises PermissionDenied, InvalidRequest for more days than headquarters allows."""
    check_is_for_all(call, agency)
    if not agency.is_headquarters:
        refuse_laxer(command, inactivity.rule_of(work.session, agency.id, default_days).general_days)
    policy = inactivity.find_policy(work.session, agency.id, is_locked=True)
    if policy is None:
        policy = InactivityPolicy(id=uuid5(agency.id, "inactivity"), agency_id=agency.id, version=0)
        work.session.add(policy)
    policy.version, policy.days, policy.notice_days = policy.version + 1, command.days, command.notice_days
    work.session.flush()
    told = contract.InactivitySet(agency_id=agency.id, days=policy.days, notice_days=policy.notice_days)
    work.emit(told, aggregate_id=policy.id, version=policy.version, agency_id=agency.id)


def check_is_for_all(call: Call, agency: Agency) -> None:
    """What headquarters sets counts everywhere: an administrator of that one agency does not set it."""
    if agency.is_headquarters and call.scope is not Scope.ALL:
        raise PermissionDenied(permission="policy:set")


def refuse_laxer(command: contract.SetInactivity, general_days: int) -> None:
    if command.days is not None and command.days > general_days:
        detail = f"must not be more than the {general_days} days of headquarters"
        raise InvalidRequest(errors=[{"in": "body", "pointer": "/days", "detail": detail}])


def view(session: Session, agency_id: UUID, default_days: int) -> contract.InactivityView:
    own, rule = inactivity.find_policy(session, agency_id), inactivity.rule_of(session, agency_id, default_days)
    return contract.InactivityView(
        agency_id=agency_id,
        version=own.version if own else 0,
        days=rule.days,
        notice_days=rule.notice_days,
        own_days=own.days if own else None,
        own_notice_days=own.notice_days if own else None,
    )


def notice(work: Work, person: Person, default_days: int) -> contract.InactivityNoticed | None:
    """Under the lock of the person's row; None when there is nothing to tell, or it was told."""
    rule, since = inactivity.rule_of(work.session, person.agency_id, default_days), since_of(person)
    left = domain.days_left(work.now, since=since, days=rule.days)
    known = inactivity.find_notice(work.session, person.id)
    if person.status != "active" or not 0 < left <= rule.notice_days or (known and known.active_at == since):
        return None
    if known is None:
        known = InactivityNotice(id=uuid5(person.id, "inactivity"), person_id=person.id, agency_id=person.agency_id, version=0)
        work.session.add(known)
    known.version, known.active_at, known.at = known.version + 1, since, work.now
    told = contract.InactivityNoticed(
        user_id=person.id,
        agency_id=person.agency_id,
        department_id=person.department_id,
        display_name=person.display_name,
        active_at=since,
        locked_on=domain.locked_on(since, rule.days),
    )
    work.emit(told, aggregate_id=known.id, version=known.version, agency_id=person.agency_id)
    return told
