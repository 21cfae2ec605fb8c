"""The face of rules."""

from services.contracts import rules as contract
from services.contracts.activities import ContactNoteWritten
from services.contracts.base import Envelope, Nothing
from services.contracts.customers import CustomerEntered, CustomerUpdated
from services.plumbing.call import Call
from services.plumbing.clock import business_time
from services.plumbing.events import handles
from services.plumbing.rpc import serves
from services.plumbing.service import ListeningService
from services.plumbing.work import Work
from services.rules import domain, queries


class RulesService(ListeningService):
    name = "rules"

    @serves(contract.SHOW_DAY)
    def show_day(self, query: Nothing, call: Call) -> contract.DayView:
        with call.reading() as session:
            day = domain.business_day(business_time(session))
            figures = queries.figures_of(session, call.user_id, day)
        return contract.DayView(
            day=day,
            time_zone=domain.TIME_ZONE,
            stock=contract.Figure(value=figures.stock, limit=domain.STOCK_LIMIT),
            entered=contract.Figure(value=figures.entered),
            contacts=contract.Figure(value=figures.contacts),
            effective_contacts=contract.Figure(value=figures.effective_contacts, minimum=domain.MIN_EFFECTIVE_CONTACTS),
            new_key_customers=contract.Figure(value=figures.new_key_customers, minimum=domain.MIN_NEW_KEY_CUSTOMERS),
        )

    @handles(CustomerEntered)
    def count_entry(self, event: CustomerEntered, envelope: Envelope, work: Work) -> None:
        day = domain.business_day(envelope.occurred_at)
        queries.note_entry(work.session, event.customer_id, envelope.version, event.owner_id, event.is_key, day)

    @handles(CustomerUpdated)
    def follow_customer(self, event: CustomerUpdated, envelope: Envelope, work: Work) -> None:
        queries.note_holding(work.session, event.customer_id, envelope.version, event.owner_id, event.is_key)

    @handles(ContactNoteWritten)
    def count_contact(self, event: ContactNoteWritten, envelope: Envelope, work: Work) -> None:
        day = domain.business_day(envelope.occurred_at)
        queries.add_contact(work.session, envelope.id, event.author_id, event.customer_id, day, event.is_effective)
