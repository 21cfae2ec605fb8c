"""How long the audit is kept: by the setting `audit_days` old stretches are cut off month by month, behind a checkpoint."""

from sqlalchemy import text

from services.contracts.audit import AuditPruned, PruneAudit, prune_audit
from services.plumbing.audit import AGENCIES
from services.plumbing.chores import Chore
from services.plumbing.work import Work

AT_ONCE = 5_000
"""Rows of one cut: its locks and its statement stay short."""
CUTS = 20
"""Of one run; the next one goes on."""

# Whole months, as each cut leaves a checkpoint and a row of its own.
OLD = text(
    f"""
    {AGENCIES}, old AS (SELECT date_trunc('month', clock() - make_interval(days => :days)) AS before)
    SELECT agencies.agency_id, first.number, old.before
    FROM old, agencies, LATERAL (
        SELECT number, audit_id FROM audit_chain WHERE agency_id = agencies.agency_id ORDER BY number LIMIT 1) AS first
    JOIN audit ON audit.id = first.audit_id
    WHERE audit.at < old.before
      AND EXISTS (SELECT FROM audit_chain AS next WHERE next.agency_id = agencies.agency_id AND next.number > first.number)
    ORDER BY audit.at LIMIT :most
    """  # noqa: S608 constants
)
PRUNE = text("SELECT number, hash, removed FROM prune_audit(:agency_id, :before, :most)")


def prune_old(chore: Chore, service: str) -> None:
    """Asks for one cut of each agency that has something to lose; the rest comes with the next run."""
    with chore.reading() as session:
        old = session.execute(OLD, {"days": chore.settings.audit_days, "most": CUTS}).all()
    for agency_id, number, before in old:
        command = PruneAudit(agency_id=agency_id, before=before)
        chore.ask(prune_audit(service), command, key=f"prune/{agency_id}/{number}")


def prune(work: Work, command: PruneAudit) -> AuditPruned:
    """The database refuses what is too young, whoever asks. The cut is audited in the rest of the same chain, where it is looked
    for when the chain is verified."""
    asked = {"agency_id": command.agency_id, "before": command.before, "most": AT_ONCE}
    cut = work.session.execute(PRUNE, asked).one()
    answer = AuditPruned(removed=cut.removed, number=cut.number, hash=cut.hash.hex() if cut.hash else None)
    told = answer.model_dump() | {"before": command.before.isoformat()}
    work.audit(command.agency_id, agency_id=command.agency_id, new=told)
    return work.answer(answer)
