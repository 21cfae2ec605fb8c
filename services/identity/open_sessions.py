"""Sessions looked over and ended, one's own or another's."""

from services.contracts import login as contract
from services.contracts.base import Nothing
from services.contracts.errors import OutOfScope
from services.identity import domain, queries
from services.identity.access import found
from services.identity.login_settings import limits_by
from services.identity.models import Session
from services.identity.whose import lock_whose, whose
from services.plumbing.call import Call
from services.plumbing.clock import business_time
from services.plumbing.rpc import serves
from services.plumbing.service import Service


class OpenSessions(Service):
    @serves(contract.LIST_SESSIONS)
    def list_sessions(self, query: contract.ListSessions, call: Call) -> contract.OpenSessions:
        with call.reading() as session:
            person = queries.find_person(session, whose(session, call, query.user_id))
            assert person is not None
            own = queries.find_settings(session, person.agency_id)
            limits = limits_by(queries.find_headquarters_settings(session), own)
            rows = queries.list_live_sessions(session, business_time(session), person.id, limits)
        items = [session_view(row, limits, is_current=row.id == call.caller.session_id) for row in rows]
        return contract.OpenSessions(items=items)

    @serves(contract.END_ONE_SESSION)
    def end_one_session(self, command: contract.EndOneSession, call: Call) -> Nothing:
        with call.transaction() as work:
            person = lock_whose(work, call, command.user_id)
            ended = found(queries.lock_session(work.session, command.session_id))
            if ended.person_id != person.id:
                raise OutOfScope()
            ended.ended_at = ended.ended_at or work.now
            work.audit(person.id, agency_id=person.agency_id, new={"ended_session_id": str(ended.id)})
            return work.answer(Nothing())

    @serves(contract.END_ALL_SESSIONS)
    def end_all_sessions(self, command: contract.EndAllSessions, call: Call) -> Nothing:
        with call.transaction() as work:
            person = lock_whose(work, call, command.user_id)
            others = (Session.person_id == person.id, Session.id != call.caller.session_id)
            queries.end_sessions(work.session, work.now, *others)
            work.audit(person.id, agency_id=person.agency_id, new={"ended_sessions": "all"})
            return work.answer(Nothing())


def session_view(row: Session, limits: domain.SessionLimits, *, is_current: bool) -> contract.OpenSessionView:
    return contract.OpenSessionView(
        id=row.id,
        opened_at=row.opened_at,
        used_at=row.used_at,
        expires_at=min(row.expires_at, row.opened_at + limits.absolute),
        client=row.client,
        address=row.address,
        is_current=is_current,
    )
