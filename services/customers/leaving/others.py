"""What ends with somebody's leaving besides what he holds: rights, offers, appeals, entries that wait, turns.

What only concerns the past stays: who has entered, noted, decided or offered something on another's behalf.
"""

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import select

from services.contracts.disputes import DisputeWithdrawn
from services.contracts.errors import NotFound
from services.contracts.members import TerritorySet
from services.customers.disputes.models import Dispute
from services.customers.disputes.pleading import tell as tell_dispute
from services.customers.leaving import queries
from services.customers.leaving.handing import note
from services.customers.leaving.models import Handover
from services.customers.members import queries as member_queries
from services.customers.models import Pool, PoolMember
from services.customers.pools.changing import tell_change
from services.customers.registry.queries import lock_known
from services.customers.reviews import items as review_items
from services.customers.reviews.queries import lock_review
from services.customers.team import members, offers
from services.plumbing.work import Work


def end_collaboration(work: Work, handover: Handover, customer_id: UUID) -> None:
    """For good: whoever comes back asks his colleagues anew."""
    customer = lock_known(work.session, customer_id)
    try:
        members.remove(work, customer, handover.person_id)
    except NotFound:
        return
    note(work, handover, "collaboration", customer.id, customer.name, "ended")


def end_handoff(work: Work, handover: Handover, handoff_id: UUID) -> None:
    """One that was offered to him; what was offered of his customers lapses with them."""
    handoff = offers.lock(work.session, handoff_id)
    if handoff.state == "open":
        offers.close(work, handoff, "lapsed")
        note(work, handover, "handoff", handoff.id, handoff.name, "ended")


def end_dispute(work: Work, handover: Handover, dispute_id: UUID) -> None:
    """Nobody could be given what he claims for himself. What he has to answer goes on, and who decides it does so unheard."""
    query = select(Dispute).where(Dispute.id == dispute_id).with_for_update()
    dispute = work.session.scalars(query.execution_options(populate_existing=True)).one()
    if dispute.state != "open":
        return
    if dispute.claimant_id != handover.person_id:
        note(work, handover, "dispute", dispute.id, dispute.name, "left", reason="not-answered")
        return
    dispute.state, dispute.decided_by, dispute.decided_at = "withdrawn", handover.person_id, work.now
    dispute.version += 1
    tell_dispute(work, dispute, DisputeWithdrawn)
    note(work, handover, "dispute", dispute.id, dispute.name, "ended")


def end_entry(work: Work, handover: Handover, review_id: UUID) -> None:
    """One that waits: made after all, it would have to be his."""
    item = lock_review(work.session, review_id)
    if item.state == "open":
        review_items.close(work, item, "withdrawn", by=handover.person_id)
        note(work, handover, "entry", item.id, item.name, "ended")


def leave_pool(work: Work, handover: Handover, pool_id: UUID) -> None:
    """The last member stays in it, as without any it would be open to everybody: who administers it names another one."""
    query = select(Pool).where(Pool.id == pool_id).with_for_update(key_share=True)
    pool = work.session.scalars(query.execution_options(populate_existing=True)).one()
    member = work.session.get(PoolMember, (pool_id, handover.person_id))
    if member is None or pool.archived_at:
        return
    if not member.is_admin and not queries.has_other_member(work.session, pool_id, handover.person_id):
        note(work, handover, "pool", pool.id, pool.name, "left", reason="last-member")
        return
    work.session.delete(member)
    tell_change(work, pool)
    note(work, handover, "pool", pool.id, pool.name, "ended")


def leave_territory(work: Work, handover: Handover, agency_id: UUID) -> None:
    setting = member_queries.find_territory(work.session, agency_id, is_locked=True)
    if setting is None or setting.assignees is None or handover.person_id not in setting.assignees:
        return
    setting.assignees = [person_id for person_id in setting.assignees if person_id != handover.person_id]
    setting.version += 1
    places = list(member_queries.list_places(work.session, agency_id))
    told = TerritorySet(agency_id=agency_id, places=places, assignees=setting.assignees, pooled=setting.pooled)
    work.emit(told, aggregate_id=agency_id, version=setting.version, agency_id=agency_id)
    note(work, handover, "territory", agency_id, None, "ended")


ENDINGS: dict[str, Callable[[Work, Handover, UUID], None]] = {
    "collaboration": end_collaboration,
    "handoff": end_handoff,
    "dispute": end_dispute,
    "entry": end_entry,
    "pool": leave_pool,
    "territory": leave_territory,
}
