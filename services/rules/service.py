"""The face of rules: limits as policies, the figures of a day against them, and deadlines that are kept or have their effect."""

from collections.abc import Sequence
from typing import Any, cast

from services.contracts import rules as contract
from services.contracts.activities import ContactNoteWritten, DeadlineClosed
from services.contracts.base import Envelope, Page
from services.contracts.customers import CustomerEntered, CustomerMoved, CustomerState, CustomerUpdated
from services.contracts.identity import UserAdded, UserChanged
from services.contracts.tree import DepartmentAdded, DepartmentChanged
from services.directory.models import Department, Person
from services.directory.queries import take_over
from services.directory.service import DirectoryService, known_person
from services.plumbing.call import Call
from services.plumbing.chores import Chore, every
from services.plumbing.events import handles, handles_together
from services.plumbing.inbox import Heard
from services.plumbing.rpc import serves
from services.plumbing.work import Work
from services.rules import days, deadlines, domain, policies, queries
from services.rules.policy_queries import lock_policies


class RulesService(DirectoryService):
    name = "rules"

    # --- days

    @serves(contract.SHOW_DAY)
    def show_day(self, query: contract.AskDay, call: Call) -> contract.DayView:
        return days.show_day(query, call)

    @serves(contract.LIST_DAYS)
    def list_days(self, query: contract.ListDays, call: Call) -> Page[contract.TeamDay]:
        return days.list_days(query, call)

    @handles_together(CustomerEntered, CustomerUpdated, CustomerMoved)
    def follow_customer(self, heard: Sequence[Heard]) -> None:
        told = [(cast(CustomerState, each.envelope.event()), each) for each in heard]
        queries.follow_customers(heard[0].work.session, [state_of(event, each.envelope) for event, each in told])
        for event, (envelope, work) in told:
            deadlines.hear_of_customer(event, envelope, work)

    @handles(ContactNoteWritten)
    def count_contact(self, event: ContactNoteWritten, envelope: Envelope, work: Work) -> None:
        has_deadlines = queries.count_contact(
            work.session,
            event_id=envelope.id,
            agency_id=envelope.agency_id,
            person_id=event.author_id,
            customer_id=event.customer_id,
            holding=event.holding,
            written_at=envelope.occurred_at,
            day=domain.business_day(envelope.occurred_at),
            is_effective=event.is_effective,
        )
        if has_deadlines:
            deadlines.hear_of_contact(event, work)

    # --- deadlines

    @serves(contract.LIST_DEADLINES)
    def list_deadlines(self, query: contract.ListDeadlines, call: Call) -> Page[contract.DeadlineView]:
        return deadlines.list_deadlines(query, call)

    @handles(DeadlineClosed)
    def follow_verdict(self, event: DeadlineClosed, envelope: Envelope, work: Work) -> None:
        queries.lock_customer(work.session, event.customer_id)
        deadlines.hear_verdict(event, envelope, work)

    @every(seconds=5)
    def close_due_deadlines(self, chore: Chore) -> None:
        deadlines.close_due(chore)

    @every(seconds=5)
    def take_back_forfeited(self, chore: Chore) -> None:
        deadlines.take_back_forfeited(chore)

    # --- policies

    @serves(contract.SHOW_POLICIES)
    def show_policies(self, query: contract.AskPolicies, call: Call) -> contract.AgencyPolicies:
        return policies.show_policies(query, call)

    @serves(contract.SET_STOCK_LIMIT)
    def set_stock_limit(self, command: contract.StockLimitChange, call: Call) -> contract.StockLimitView:
        return policies.set_stock_limit(command, call)

    @serves(contract.SET_FOLLOW_UP)
    def set_follow_up(self, command: contract.FollowUpChange, call: Call) -> contract.FollowUpView:
        return policies.set_follow_up(command, call)

    @serves(contract.SHOW_ALLOWANCE)
    def show_allowance(self, query: contract.AskAllowance, call: Call) -> contract.Allowance:
        """Raises NotFound for a person whom identity does not know."""
        person = known_person(call, query.person_id)
        with call.reading() as session:
            return policies.allowances_of(session, Person.id == person.id)[person.id]

    @handles(DepartmentAdded, DepartmentChanged, UserAdded, UserChanged)
    def decide_anew(self, event: DepartmentAdded | UserAdded, envelope: Envelope, work: Work) -> None:
        """What somebody may hold follows his role and home department, whichever of them is heard of last."""
        if isinstance(event, DepartmentChanged) and event.change != "moved":
            return
        lock_policies(work.session, event.agency_id)
        take_over(work.session, event, envelope)  # the other handler may not have had its turn yet
        if isinstance(event, UserAdded):
            policies.decide_allowances(work, event.agency_id, Person.id == event.user_id)
        else:
            policies.decide_allowances(work, event.agency_id, Department.ancestors.contains([event.department_id]))


def state_of(event: CustomerState, envelope: Envelope) -> dict[str, Any]:
    """Of the customer; who entered it and when, if the event tells."""
    state = {
        "customer_id": event.customer_id,
        "version": envelope.version,
        "agency_id": envelope.agency_id,
        "owner_id": event.owner_id,
        "name": event.name,
        "is_key": event.is_key,
        "holding": event.holding,
        "held_since": event.held_since,
        "source": event.source,
    }
    if isinstance(event, CustomerEntered) and event.owner_id:
        state |= {"entered_by": event.entered_by or event.owner_id, "entered_on": domain.business_day(envelope.occurred_at)}
    return state
