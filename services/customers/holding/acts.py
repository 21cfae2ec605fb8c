"""The commands that change hands, each as it is asked for alone and as a row of a batch."""

from services.contracts import customers as contract
from services.contracts.pools import MoveCustomer
from services.customers.holding import moves
from services.customers.holding.ownership import receivers, state_of
from services.customers.models import Customer
from services.customers.registry import queries
from services.customers.registry.views import line, view
from services.plumbing.call import Call
from services.plumbing.work import Work


def release(command: contract.ReleaseCustomer, call: Call) -> contract.CustomerLine:
    with call.transaction() as work:
        return moved(work, moves.release(work, call, command))


def take_back(command: contract.TakeBackCustomer, call: Call) -> contract.CustomerLine:
    with call.transaction() as work:
        return moved(work, moves.take_back_by_hand(work, call, command))


def open_to_public(command: contract.OpenCustomer, call: Call) -> contract.CustomerLine:
    with call.transaction() as work:
        return moved(work, moves.open_to_public(work, call, command.customer_id))


def move(command: MoveCustomer, call: Call) -> contract.CustomerLine:
    with call.transaction() as work:
        return moved(work, moves.move(work, call, command))


def claim(command: contract.ClaimCustomer, call: Call) -> contract.CustomerView:
    receivers.prepare(call, call.user_id)
    with call.transaction() as work:
        customer = moves.claim(work, call, command.customer_id)
        audit(work, customer)
        return work.answer(view(work.session, call, queries.view_of(work.session, customer)))


def assign(command: contract.AssignCustomer, call: Call) -> contract.CustomerLine:
    call.answer_again()
    moves.find_receiver(call, command.to)
    receivers.prepare(call, command.to)
    with call.transaction() as work:
        return moved(work, moves.assign(work, call, command))


def transfer(command: contract.TransferCustomer, call: Call) -> contract.CustomerLine:
    call.answer_again()
    moves.find_receiver(call, command.to)
    receivers.prepare(call, command.to)
    with call.transaction() as work:
        return moved(work, moves.transfer(work, call, command))


def audit(work: Work, customer: Customer) -> None:
    work.audit(customer.id, agency_id=customer.agency_id, new=state_of(customer))


def moved(work: Work, customer: Customer) -> contract.CustomerLine:
    audit(work, customer)
    return work.answer(line(queries.line_of(work.session, customer)))
