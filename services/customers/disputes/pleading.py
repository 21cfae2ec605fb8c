"""What the sides do: open a dispute, answer it, take it back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

from services.contracts.disputes import (
    AnswerDispute,
    DisputeAnswered,
    DisputeAsItStands,
    DisputeOpened,
    DisputeWithdrawn,
    Evidence,
    OpenDispute,
    WithdrawDispute,
)
from services.contracts.errors import AlreadyDecided, AlreadyDisputed, SideHasAnswered
from services.customers.disputes import domain, queries
from services.customers.disputes.models import Dispute, DisputeStatement
from services.plumbing.call import Call
from services.plumbing.ids import new_id
from services.plumbing.work import Work


def open_dispute(work: Work, call: Call, command: OpenDispute) -> Dispute:
    """Raises NotDisputable, AlreadyTheirs, AlreadyDisputed."""
    attempt = queries.get_attempt(work.session, command.attempt_id, call.user_id)
    domain.check_attempt(attempt.outcome, attempt.reason, attempt.at, work.now)
    met = queries.met_by(work.session, attempt.id)
    domain.check_holder(
        claimant_id=call.user_id,
        agency_id=attempt.agency_id,
        owner_id=met.owner_id,
        of_agency_id=met.agency_id,
        pool_kind=met.pool_kind,
    )
    if standing := queries.find_standing(work.session, attempt.id, met.customer_id, call.user_id):
        raise AlreadyDisputed(dispute_id=str(standing))
    dispute = Dispute(
        id=new_id(),
        version=1,
        state="open",
        attempt_id=attempt.id,
        customer_id=met.customer_id,
        name=met.name,
        agency_id=attempt.agency_id,
        claimant_id=call.user_id,
        holder_agency_id=met.agency_id,
        holder_id=met.owner_id,
        pool_kind=met.pool_kind,
        holding=met.holding,
        entered_by=met.entered_by,
        opened_at=work.now,
        due_at=work.now + domain.DECIDED_WITHIN,
    )
    work.session.add(dispute)
    work.session.flush()
    say(work.session, dispute, "claimant", call, command.claim, command.evidence, work.now)
    tell(work, dispute, DisputeOpened)
    return dispute


def answer(work: Work, call: Call, command: AnswerDispute) -> Dispute:
    """Raises AlreadyDecided, SideHasAnswered."""
    dispute = queries.get_dispute(work.session, command.dispute_id, queries.may_answer(call.caller), is_locked=True)
    refuse_closed(dispute)
    if dispute.answered_at:
        raise SideHasAnswered()
    say(work.session, dispute, "holder", call, command.answer, command.evidence, work.now)
    dispute.answered_at = work.now
    dispute.version += 1
    tell(work, dispute, DisputeAnswered)
    return dispute


def withdraw(work: Work, call: Call, command: WithdrawDispute) -> Dispute:
    """Raises AlreadyDecided."""
    dispute = queries.get_dispute(work.session, command.dispute_id, queries.is_claimant(call.caller), is_locked=True)
    refuse_closed(dispute)
    dispute.state, dispute.decided_by, dispute.decided_at = "withdrawn", call.user_id, work.now
    dispute.version += 1
    tell(work, dispute, DisputeWithdrawn)
    return dispute


def refuse_closed(dispute: Dispute) -> None:
    if dispute.state != "open":
        raise AlreadyDecided(state=dispute.state)


def say(
    session: Session,
    dispute: Dispute,
    side: Literal["claimant", "holder"],
    call: Call,
    text: str,
    evidence: Sequence[Evidence],
    at: datetime,
) -> None:
    said = DisputeStatement(
        dispute_id=dispute.id,
        side=side,
        agency_id=call.caller.agency_id,
        person_id=call.user_id,
        at=at,
        text=text,
        evidence=[each.model_dump() for each in evidence],
    )
    session.add(said)


def tell(work: Work, dispute: Dispute, kind: type[DisputeAsItStands]) -> None:
    """Of a change of a dispute whose row is locked or new; it is audited as it is told."""
    told = kind.model_validate({name: getattr(dispute, name) for name in COLUMNS} | {"dispute_id": dispute.id})
    home = home_of(work.session, dispute)
    work.emit(told, aggregate_id=dispute.id, version=dispute.version, agency_id=home)
    work.audit(dispute.id, agency_id=home, new=told.model_dump(mode="json", exclude={"dispute_id"}))


COLUMNS = DisputeAsItStands.model_fields.keys() - {"dispute_id"}


def home_of(session: Session, dispute: Dispute) -> UUID:
    """In whose log it stands: events name both sides, so that between two agencies neither may read them."""
    is_of_one = dispute.agency_id == dispute.holder_agency_id
    return dispute.agency_id if is_of_one else queries.headquarters_id(session)
