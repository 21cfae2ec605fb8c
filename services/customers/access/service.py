"""What identity asks when it explains somebody's access."""

from services.contracts import access as contract
from services.customers.access import judging
from services.plumbing.call import Call
from services.plumbing.rpc import serves


class AccessService:
    @serves(contract.JUDGE_ACCESS)
    def judge_access(self, query: contract.JudgeAccess, call: Call) -> contract.Judgement:
        about = call.runtime.verifier.verify(query.about)
        with call.reading() as session:
            return (judging.of_customer if query.kind == "customer" else judging.of_pool)(session, call, about, query)
