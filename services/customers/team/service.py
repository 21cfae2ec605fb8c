"""The team of a customer: who works on it besides its holder, and who takes it over."""

from typing import Any

from services.contracts import team as contract
from services.contracts.base import Nothing, Page
from services.contracts.customers import ShowCustomer
from services.customers.holding.ownership import receivers
from services.customers.models import Customer
from services.customers.registry import queries
from services.customers.team import collaborating, handoffs, members
from services.customers.team import queries as team_queries
from services.customers.team.models import Handoff
from services.directory.service import known_person
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.chores import Chore, every
from services.plumbing.rpc import serves
from services.plumbing.work import Work

AT_ONCE = 100


class TeamService:
    """Collaborators and handoffs."""

    # --- collaborators

    @serves(contract.PUT_COLLABORATOR)
    def put_collaborator(self, command: contract.PutCollaborator, call: Call) -> contract.CollaboratorView:
        call.answer_again()
        known_person(call, command.person_id)
        with call.transaction() as work:
            customer = collaborating.put(work, call, command)
            audit_team(work, customer)
            return work.answer(collaborator_view(team_queries.collaborator(work.session, customer.id, command.person_id)))

    @serves(contract.REMOVE_COLLABORATOR)
    def remove_collaborator(self, command: contract.RemoveCollaborator, call: Call) -> Nothing:
        with call.transaction() as work:
            audit_team(work, collaborating.remove(work, call, command))
            return work.answer(Nothing())

    @serves(contract.LIST_COLLABORATORS)
    def list_collaborators(self, query: ShowCustomer, call: Call) -> Page[contract.CollaboratorView]:
        with call.reading_rows() as connection:
            if queries.find_customer(connection, query.customer_id, call.scope, call.caller) is None:
                raise queries.missing(connection, query.customer_id)
            rows = team_queries.list_collaborators(connection, query.customer_id)
        return Page[contract.CollaboratorView](items=[collaborator_view(row) for row in rows])

    # --- handoffs

    @serves(contract.OFFER_HANDOFF)
    def offer_handoff(self, command: contract.OfferHandoff, call: Call) -> contract.HandoffView:
        call.answer_again()
        known_person(call, command.to)
        with call.transaction() as work:
            return answered(work, handoffs.offer(work, call, command))

    @serves(contract.ACCEPT_HANDOFF)
    def accept_handoff(self, command: contract.AcceptHandoff, call: Call) -> contract.HandoffView:
        receivers.prepare(call, call.user_id)
        with call.transaction() as work:
            return answered(work, handoffs.accept(work, call, command.handoff_id))

    @serves(contract.REFUSE_HANDOFF)
    def refuse_handoff(self, command: contract.RefuseHandoff, call: Call) -> contract.HandoffView:
        with call.transaction() as work:
            return answered(work, handoffs.refuse(work, call, command.handoff_id, command.reason))

    @serves(contract.WITHDRAW_HANDOFF)
    def withdraw_handoff(self, command: contract.WithdrawHandoff, call: Call) -> contract.HandoffView:
        with call.transaction() as work:
            return answered(work, handoffs.withdraw(work, call, command.handoff_id))

    @serves(contract.SHOW_HANDOFF)
    def show_handoff(self, query: contract.ShowHandoff, call: Call) -> contract.HandoffView:
        with call.reading_rows() as connection:
            return handoff_view(team_queries.find_handoff(connection, query.handoff_id, call.scope, call.caller))

    @serves(contract.LIST_HANDOFFS)
    def list_handoffs(self, query: contract.ListHandoffs, call: Call) -> Page[contract.HandoffView]:
        after = paging.decode_id(query.cursor)
        with call.reading_rows() as connection:
            rows = team_queries.list_handoffs(connection, call.scope, call.caller, query, after)
        return paging.page(Page[contract.HandoffView], [handoff_view(row) for row in rows], query.limit)

    @every(seconds=5)
    def lapse_handoffs(self, chore: Chore) -> None:
        """Writes and tells what has lapsed by time."""
        with chore.reading() as session:
            due = team_queries.list_due(session, AT_ONCE)
        for handoff_id in due:
            chore.ask(contract.LAPSE_HANDOFF, contract.LapseHandoff(handoff_id=handoff_id), key=f"lapse/{handoff_id}")

    @serves(contract.LAPSE_HANDOFF)
    def lapse_handoff(self, command: contract.LapseHandoff, call: Call) -> Nothing:
        with call.transaction() as work:
            handoff = handoffs.lapse(work, command.handoff_id)
            work.audit(handoff.id, agency_id=handoff.agency_id, new={"state": handoff.state})
            return work.answer(Nothing())


def audit_team(work: Work, customer: Customer) -> None:
    states = members.states_of(work.session, customer.id)
    new = {"collaborators": [state.model_dump(mode="json") for state in states]}
    work.audit(customer.id, agency_id=customer.agency_id, new=new)


def answered(work: Work, handoff: Handoff) -> contract.HandoffView:
    view = handoff_view(team_queries.handoff(work.session, handoff.id))
    work.audit(handoff.id, agency_id=handoff.agency_id, new=view)
    return work.answer(view)


def collaborator_view(row: Any) -> contract.CollaboratorView:
    return contract.CollaboratorView.model_validate(row, from_attributes=True)


def handoff_view(row: Any) -> contract.HandoffView:
    return contract.HandoffView.model_validate(row, from_attributes=True)
