"""The face of activities."""

from sqlalchemy import true

from services.activities import domain, queries
from services.activities.models import ContactNote, LogEntry
from services.contracts import activities as contract
from services.contracts.base import Envelope, Event, Page
from services.contracts.customers import SHOW_CUSTOMER, ShowCustomer
from services.contracts.errors import NotTheOwner
from services.contracts.permissions import Scope
from services.contracts.subscriptions import SUBSCRIPTIONS
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.events import handles
from services.plumbing.ids import new_id
from services.plumbing.rpc import serves
from services.plumbing.scopes import visible
from services.plumbing.service import ListeningService
from services.plumbing.work import Work


class ActivitiesService(ListeningService):
    name = "activities"

    @serves(contract.WRITE_NOTE)
    def write_note(self, command: contract.WriteNote, call: Call) -> contract.NoteView:
        call.answer_again()
        customer = call.ask(SHOW_CUSTOMER, ShowCustomer(customer_id=command.customer_id))
        if customer.owner_id != call.user_id:
            raise NotTheOwner()
        with call.transaction() as work:
            note = ContactNote(
                id=new_id(),
                agency_id=call.caller.agency_id,
                department_id=call.caller.department_id,
                author_id=call.user_id,
                is_effective=domain.is_effective(maturity=command.maturity, not_reached=command.not_reached, busy=command.busy),
                written_at=work.now,
                **command.model_dump(),
            )
            work.session.add(note)
            event = contract.ContactNoteWritten(
                note_id=note.id,
                customer_id=note.customer_id,
                author_id=note.author_id,
                department_id=note.department_id,
                method=note.method,
                maturity=note.maturity,
                is_effective=note.is_effective,
            )
            work.emit(event, aggregate_id=note.id, version=1)
            work.audit(note.id, new=view(note))
            return work.answer(view(note))

    @serves(contract.LIST_NOTES)
    def list_notes(self, query: contract.ListNotes, call: Call) -> Page[contract.NoteView]:
        call.ask(SHOW_CUSTOMER, ShowCustomer(customer_id=query.customer_id))
        seen = visible(
            call.scope,
            call.caller,
            owner=ContactNote.author_id,
            department=ContactNote.department_id,
            agency=ContactNote.agency_id,
        )
        with call.reading() as session:
            after = paging.decode_id(query.cursor)
            rows = queries.list_notes(session, query.customer_id, seen, after, query.limit + 1)
        return paging.page(Page[contract.NoteView], [view(row) for row in rows], query.limit)

    @serves(contract.LIST_LOG)
    def list_log(self, query: contract.ListLog, call: Call) -> Page[contract.LogEntry]:
        seen = true() if call.scope is Scope.ALL else LogEntry.agency_id == call.caller.agency_id
        with call.reading() as session:
            after = paging.decode_id(query.cursor)
            rows = queries.list_log(session, seen, query.aggregate_id, after, query.limit + 1)
        entries = [contract.LogEntry.model_validate(row, from_attributes=True) for row in rows]
        return paging.page(Page[contract.LogEntry], entries, query.limit)

    @handles(*SUBSCRIPTIONS["activities"])
    def log_event(self, event: Event, envelope: Envelope, work: Work) -> None:
        queries.add_to_log(work.session, envelope)


def view(note: ContactNote) -> contract.NoteView:
    return contract.NoteView.model_validate(note, from_attributes=True)
