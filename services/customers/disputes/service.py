"""Appeals against refused entries."""

from services.contracts.base import Page
from services.contracts.disputes import (
    ANSWER_DISPUTE,
    DECIDE_DISPUTE,
    LIST_DISPUTES,
    OPEN_DISPUTE,
    SHOW_DISPUTE,
    WITHDRAW_DISPUTE,
    AnswerDispute,
    DecideDispute,
    DisputeLine,
    DisputeView,
    ListDisputes,
    OpenDispute,
    ShowDispute,
    WithdrawDispute,
)
from services.customers.disputes import deciding, pleading, queries
from services.customers.disputes.models import Dispute
from services.customers.disputes.views import line, view_of
from services.customers.holding.ownership import receivers
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.rpc import serves
from services.plumbing.work import Work


class DisputeService:
    """Appeals, answers, decisions."""

    @serves(LIST_DISPUTES)
    def list_disputes(self, query: ListDisputes, call: Call) -> Page[DisputeLine]:
        after = paging.decode_id(query.cursor)
        with call.reading_rows() as connection:
            rows = queries.list_disputes(connection, call.caller, query, after, query.limit + 1)
        return paging.page(Page[DisputeLine], [line(row, call) for row in rows], query.limit)

    @serves(SHOW_DISPUTE)
    def show_dispute(self, query: ShowDispute, call: Call) -> DisputeView:
        with call.reading() as session:
            dispute = queries.get_dispute(session, query.dispute_id, queries.seen_by(call.caller))
            return view_of(session, dispute.id, call)

    @serves(OPEN_DISPUTE)
    def open_dispute(self, command: OpenDispute, call: Call) -> DisputeView:
        with call.transaction() as work:
            return told(work, pleading.open_dispute(work, call, command), call)

    @serves(ANSWER_DISPUTE)
    def answer_dispute(self, command: AnswerDispute, call: Call) -> DisputeView:
        with call.transaction() as work:
            return told(work, pleading.answer(work, call, command), call)

    @serves(WITHDRAW_DISPUTE)
    def withdraw_dispute(self, command: WithdrawDispute, call: Call) -> DisputeView:
        with call.transaction() as work:
            return told(work, pleading.withdraw(work, call, command), call)

    @serves(DECIDE_DISPUTE)
    def decide_dispute(self, command: DecideDispute, call: Call) -> DisputeView:
        call.answer_again()
        with call.reading() as session:
            dispute = deciding.find_decidable(session, call, command.dispute_id)
        if command.decision == "upheld":
            receivers.prepare(call, dispute.claimant_id)
        with call.transaction() as work:
            return told(work, deciding.decide(work, call, command), call)


def told(work: Work, dispute: Dispute, call: Call) -> DisputeView:
    return work.answer(view_of(work.session, dispute.id, call))
