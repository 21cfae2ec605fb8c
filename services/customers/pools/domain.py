"""Whether a claim satisfies the rules of its pool. Values in, decision out; times are UTC."""

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from services.contracts.errors import ChangedHandsTooOften, ClaimTooSoon, CoolingDown, DayOfClaimsFull, NewInPool
from services.contracts.pools import ClaimRules

TIME_ZONE = "Asia/Shanghai"
"""Of every agency, as rules has it."""


class Past(NamedTuple):
    """What has been before a claim.

    `claims`: of the person from the pool on this day, the last one at `last_claim_at`. `given_up_at`: when the person last
    released the customer or had it taken back. `moves`: how often it has come to a holder since it was entered.
    """

    claims: int
    last_claim_at: datetime | None
    pooled_at: datetime
    given_up_at: datetime | None
    moves: int


def business_day(moment: datetime) -> date:
    return moment.astimezone(ZoneInfo(TIME_ZONE)).date()


def next_day(moment: datetime) -> datetime:
    """When the next day begins."""
    return datetime.combine(business_day(moment) + timedelta(days=1), time(), ZoneInfo(TIME_ZONE)).astimezone(UTC)


def check_claim(rules: ClaimRules, past: Past, now: datetime) -> None:
    """Raises ChangedHandsTooOften, or what passes: CoolingDown, NewInPool, DayOfClaimsFull, ClaimTooSoon with `until`."""
    if rules.transfer_cap is not None and past.moves >= rules.transfer_cap:
        raise ChangedHandsTooOften(moves=past.moves, transfer_cap=rules.transfer_cap)
    if rules.cool_down_days and past.given_up_at:
        check_over(CoolingDown, past.given_up_at + timedelta(days=rules.cool_down_days), now)
    if rules.protected_hours:
        check_over(NewInPool, past.pooled_at + timedelta(hours=rules.protected_hours), now)
    if rules.claims_per_day and past.claims >= rules.claims_per_day:
        raise DayOfClaimsFull(claims=past.claims, claims_per_day=rules.claims_per_day, until=next_day(now).isoformat())
    if rules.claim_interval_minutes and past.last_claim_at:
        check_over(ClaimTooSoon, past.last_claim_at + timedelta(minutes=rules.claim_interval_minutes), now)


def check_over(error: type[CoolingDown | NewInPool | ClaimTooSoon], until: datetime, now: datetime) -> None:
    if now < until:
        raise error(until=until.isoformat())
