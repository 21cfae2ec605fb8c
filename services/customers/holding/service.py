"""Who holds what."""

from services.contracts import batches
from services.contracts import customers as contract
from services.contracts.base import Envelope
from services.contracts.pools import MOVE_CUSTOMER, MoveCustomer
from services.contracts.rules import AllowanceSet
from services.customers.holding import acts, batch, moves
from services.customers.holding.ownership import put_allowance, state_of
from services.customers.registry.views import again
from services.plumbing.call import Call
from services.plumbing.events import handles
from services.plumbing.rpc import serves
from services.plumbing.work import AlreadyAnswered, Work


class HoldingService:
    """Every change of hands."""

    @serves(contract.RELEASE_CUSTOMER)
    def release_customer(self, command: contract.ReleaseCustomer, call: Call) -> contract.CustomerLine:
        return acts.release(command, call)

    @serves(contract.TAKE_BACK_CUSTOMER)
    def take_back_customer(self, command: contract.TakeBackCustomer, call: Call) -> contract.CustomerLine:
        return acts.take_back(command, call)

    @serves(contract.OPEN_CUSTOMER)
    def open_customer(self, command: contract.OpenCustomer, call: Call) -> contract.CustomerLine:
        return acts.open_to_public(command, call)

    @serves(MOVE_CUSTOMER)
    def move_customer(self, command: MoveCustomer, call: Call) -> contract.CustomerLine:
        return acts.move(command, call)

    @serves(contract.CLAIM_CUSTOMER)
    def claim_customer(self, command: contract.ClaimCustomer, call: Call) -> contract.CustomerView:
        try:
            return acts.claim(command, call)
        except AlreadyAnswered as known:
            return again(call, known)

    @serves(contract.ASSIGN_CUSTOMER)
    def assign_customer(self, command: contract.AssignCustomer, call: Call) -> contract.CustomerLine:
        return acts.assign(command, call)

    @serves(contract.TRANSFER_CUSTOMER)
    def transfer_customer(self, command: contract.TransferCustomer, call: Call) -> contract.CustomerLine:
        return acts.transfer(command, call)

    # --- many at once

    @serves(batches.CLAIM_MANY)
    def claim_many(self, command: batches.ClaimMany, call: Call) -> batches.BatchReport:
        return batch.carry_out(command, call)

    @serves(batches.ASSIGN_MANY)
    def assign_many(self, command: batches.AssignMany, call: Call) -> batches.BatchReport:
        return batch.carry_out(command, call)

    @serves(batches.RELEASE_MANY)
    def release_many(self, command: batches.ReleaseMany, call: Call) -> batches.BatchReport:
        return batch.carry_out(command, call)

    @serves(batches.MOVE_MANY)
    def move_many(self, command: batches.MoveMany, call: Call) -> batches.BatchReport:
        return batch.carry_out(command, call)

    @serves(batches.TRANSFER_MANY)
    def transfer_many(self, command: batches.TransferMany, call: Call) -> batches.BatchReport:
        return batch.carry_out(command, call)

    # --- what rules say

    @serves(contract.TAKE_BACK)
    def take_back(self, command: contract.TakeBack, call: Call) -> contract.TakenBack:
        with call.transaction() as work:
            customer = moves.take_back(work, command)
            if customer:
                why = {"reason": command.reason, "policy_version": command.policy_version}
                work.audit(customer.id, agency_id=customer.agency_id, new=state_of(customer) | why)
            return work.answer(contract.TakenBack(is_done=customer is not None))

    @handles(AllowanceSet)
    def follow_allowance(self, event: AllowanceSet, envelope: Envelope, work: Work) -> None:
        put_allowance(work.session, event.person_id, event.agency_id, event.limit, envelope.version)
