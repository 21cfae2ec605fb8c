"""Who holds what."""

from services.contracts import customers as contract
from services.contracts.base import Envelope
from services.contracts.rules import AllowanceSet
from services.customers.holding import moves
from services.customers.holding.ownership import put_allowance, receivers, state_of
from services.customers.models import Customer
from services.customers.registry import queries
from services.customers.registry.views import again, line, view
from services.plumbing.call import Call
from services.plumbing.events import handles
from services.plumbing.rpc import serves
from services.plumbing.work import AlreadyAnswered, Work


class HoldingService:
    """Every change of hands."""

    @serves(contract.RELEASE_CUSTOMER)
    def release_customer(self, command: contract.ReleaseCustomer, call: Call) -> contract.CustomerLine:
        with call.transaction() as work:
            return moved(work, moves.release(work, call, command))

    @serves(contract.OPEN_CUSTOMER)
    def open_customer(self, command: contract.OpenCustomer, call: Call) -> contract.CustomerLine:
        with call.transaction() as work:
            return moved(work, moves.open_to_public(work, call, command.customer_id))

    @serves(contract.CLAIM_CUSTOMER)
    def claim_customer(self, command: contract.ClaimCustomer, call: Call) -> contract.CustomerView:
        receivers.prepare(call, call.user_id)
        try:
            with call.transaction() as work:
                customer = moves.claim(work, call, command.customer_id)
                work.audit(customer.id, agency_id=customer.agency_id, new=state_of(customer))
                return work.answer(view(work.session, call, queries.view_of(work.session, customer)))
        except AlreadyAnswered as known:
            return again(call, known)

    @serves(contract.ASSIGN_CUSTOMER)
    def assign_customer(self, command: contract.AssignCustomer, call: Call) -> contract.CustomerLine:
        call.answer_again()
        moves.find_receiver(call, command.to)
        receivers.prepare(call, command.to)
        with call.transaction() as work:
            return moved(work, moves.assign(work, call, command))

    @serves(contract.TRANSFER_CUSTOMER)
    def transfer_customer(self, command: contract.TransferCustomer, call: Call) -> contract.CustomerLine:
        call.answer_again()
        moves.find_receiver(call, command.to)
        receivers.prepare(call, command.to)
        with call.transaction() as work:
            return moved(work, moves.transfer(work, call, command))

    @serves(contract.TAKE_BACK)
    def take_back(self, command: contract.TakeBack, call: Call) -> contract.TakenBack:
        with call.transaction() as work:
            customer = moves.take_back(work, command)
            if customer:
                work.audit(customer.id, agency_id=customer.agency_id, new=state_of(customer))
            return work.answer(contract.TakenBack(is_done=customer is not None))

    @handles(AllowanceSet)
    def follow_allowance(self, event: AllowanceSet, envelope: Envelope, work: Work) -> None:
        put_allowance(work.session, event.person_id, event.agency_id, event.limit, envelope.version)


def moved(work: Work, customer: Customer) -> contract.CustomerLine:
    work.audit(customer.id, agency_id=customer.agency_id, new=state_of(customer))
    return work.answer(line(queries.line_of(work.session, customer)))
