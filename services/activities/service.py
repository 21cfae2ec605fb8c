"""The face of activities."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, true

from services.activities import domain, queries
from services.activities.models import ContactNote, FollowUp, LogEntry
from services.activities.views import entry_view, merged, note_view
from services.contracts import activities as contract
from services.contracts.base import Envelope, Page
from services.contracts.catalogue import DictionaryEntrySet
from services.contracts.customers import SHOW_CUSTOMER, ShowCustomer
from services.contracts.errors import InvalidRequest, NotTheOwner
from services.contracts.permissions import Scope
from services.contracts.subscriptions import SUBSCRIPTIONS
from services.contracts.team import LIST_COLLABORATORS, Part
from services.directory.service import DirectoryService
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.events import handles, handles_together
from services.plumbing.ids import new_id
from services.plumbing.inbox import Heard
from services.plumbing.rpc import serves
from services.plumbing.work import Work


class ActivitiesService(DirectoryService):
    name = "activities"

    # --- notes

    @serves(contract.WRITE_NOTE)
    def write_note(self, command: contract.WriteNote, call: Call) -> contract.NoteView:
        call.answer_again()
        customer = call.ask(SHOW_CUSTOMER, ShowCustomer(customer_id=command.customer_id))
        part = None if customer.owner_id == call.user_id else part_of(call, command.customer_id)
        with call.transaction() as work:
            refuse_unknown_method(work, command.method)
            if part is None:
                follow(work, call, command.customer_id, customer.holding)
            note = ContactNote(
                id=new_id(),
                holding=customer.holding,
                agency_id=call.caller.agency_id,
                department_id=call.caller.department_id,
                author_id=call.user_id,
                author_name=call.caller.display_name,
                is_effective=domain.is_effective(maturity=command.maturity, not_reached=command.not_reached, busy=command.busy),
                written_at=work.now,
                part=part,
                **command.model_dump(),
            )
            work.session.add(note)
            work.emit(written(note), aggregate_id=note.id, version=1)
            work.audit(note.id, new=note_view(note))
            return work.answer(note_view(note))

    @serves(contract.LIST_NOTES)
    def list_notes(self, query: contract.ListNotes, call: Call) -> Page[contract.NoteView]:
        before = paging.decode_id(query.cursor)
        call.ask(SHOW_CUSTOMER, ShowCustomer(customer_id=query.customer_id))
        with call.reading() as session:
            rows = queries.list_notes(session, query.customer_id, of_agency(call, ContactNote), before, query.limit + 1)
        return paging.page(Page[contract.NoteView], [note_view(row) for row in rows], query.limit)

    @handles(DictionaryEntrySet)
    def follow_methods(self, event: DictionaryEntrySet, envelope: Envelope, work: Work) -> None:
        if event.kind == "visit_method":
            queries.put_method(work.session, event.code, envelope.version, is_active=event.is_active)

    # --- what happened

    @serves(contract.SHOW_TIMELINE)
    def show_timeline(self, query: contract.ShowTimeline, call: Call) -> Page[contract.TimelineEntry]:
        """Notes and the log's entries of the customer itself; that a note was written is not told besides the note."""
        before = paging.decode_id(query.cursor)
        call.ask(SHOW_CUSTOMER, ShowCustomer(customer_id=query.customer_id))
        with call.reading() as session:
            more = query.limit + 1
            notes = queries.list_notes(session, query.customer_id, of_agency(call, ContactNote), before, more)
            log = queries.list_log(session, of_agency(call, LogEntry), query.customer_id, before, more)
        return paging.page(Page[contract.TimelineEntry], merged(notes, log)[:more], query.limit)

    @serves(contract.LIST_LOG)
    def list_log(self, query: contract.ListLog, call: Call) -> Page[contract.LogEntry]:
        before = paging.decode_id(query.cursor)
        with call.reading() as session:
            rows = queries.list_log(session, of_agency(call, LogEntry), query.aggregate_id, before, query.limit + 1)
        return paging.page(Page[contract.LogEntry], [entry_view(row) for row in rows], query.limit)

    @handles_together(*SUBSCRIPTIONS["activities"])
    def log_event(self, heard: Sequence[Heard]) -> None:
        queries.add_to_log(heard[0].work.session, [each.envelope for each in heard])

    # --- the first contact in time

    @serves(contract.CLOSE_DEADLINE)
    def close_deadline(self, command: contract.CloseDeadline, call: Call) -> contract.ClosedDeadline:
        """The verdict stands once it is given. Of a holding that is over nothing is changed or told: it is judged by its notes,
        which are complete, as nobody can write under it any more."""
        with call.transaction() as work:
            row = queries.lock_follow_up(
                work.session,
                customer_id=command.customer_id,
                agency_id=command.agency_id,
                holding=command.holding,
                owner_id=command.owner_id,
            )
            if row.holding > command.holding:
                first_note_at = queries.first_note_at(work.session, command.customer_id, command.holding)
                verdict = domain.judge_first_contact(first_note_at, command.due)
                return work.answer(contract.ClosedDeadline(verdict=verdict, first_note_at=first_note_at))
            if row.verdict is None:
                close(row, command, work)
            answer = contract.ClosedDeadline.model_validate(row, from_attributes=True)
            work.audit(row.customer_id, agency_id=row.agency_id, new=answer)
            return work.answer(answer)


def refuse_unknown_method(work: Work, code: str) -> None:
    """Raises InvalidRequest for a way that is not laid down; one that was added a moment ago may not have been heard of."""
    if not queries.is_active_method(work.session, code):
        unchosen = f"{code} is not in the dictionary visit_method, or not in use any more"
        raise InvalidRequest(errors=[{"in": "body", "pointer": "/method", "detail": unchosen}])


def part_of(call: Call, customer_id: UUID) -> Part:
    """What the caller does for a customer that somebody else holds. Raises NotTheOwner for who may not write notes on it."""
    team = call.ask(LIST_COLLABORATORS, ShowCustomer(customer_id=customer_id)).items
    for collaborator in team:
        if collaborator.person_id == call.user_id and "note" in collaborator.rights:
            return collaborator.part
    raise NotTheOwner()


def follow(work: Work, call: Call, customer_id: UUID, holding: int) -> None:
    """Notes a contact under the lock of the follow-up. Raises NotTheOwner or FollowUpForfeited when it is over."""
    row = queries.lock_follow_up(
        work.session, customer_id=customer_id, agency_id=call.caller.agency_id, holding=holding, owner_id=call.user_id
    )
    domain.check_note(holding=holding, present_holding=row.holding, is_forfeited=row.is_forfeited)
    row.first_note_at = min(row.first_note_at or work.now, work.now)
    row.last_note_at = work.now


def close(row: FollowUp, command: contract.CloseDeadline, work: Work) -> None:
    """Gives the verdict and tells it once; so the number of the holding serves as the event's version."""
    verdict = domain.close(row.first_note_at, command.due, work.now)
    row.due, row.verdict, row.is_forfeited = command.due, verdict, command.forfeit and verdict == "missed"
    closed = contract.DeadlineClosed(
        customer_id=row.customer_id,
        owner_id=row.owner_id,
        holding=row.holding,
        due=command.due,
        verdict=verdict,
        first_note_at=row.first_note_at,
        forfeited=row.is_forfeited,
    )
    work.emit(closed, aggregate_id=row.customer_id, version=row.holding, agency_id=row.agency_id)


def written(note: ContactNote) -> contract.ContactNoteWritten:
    return contract.ContactNoteWritten(
        note_id=note.id,
        customer_id=note.customer_id,
        author_id=note.author_id,
        department_id=note.department_id,
        method=note.method,
        maturity=note.maturity,
        is_effective=note.is_effective,
        holding=note.holding,
        part=note.part,
    )


def of_agency(call: Call, table: Any) -> ColumnElement[bool]:
    """Whoever may see a customer sees what his agency has done about it, whoever did it."""
    return true() if call.scope is Scope.ALL else table.agency_id == call.caller.agency_id
