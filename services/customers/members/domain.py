"""Decisions about web-registered members: which customer one is, and whose turn it is. Values in, decision out."""

from collections.abc import Collection, Iterable
from uuid import UUID

from services.customers.collision.divisions import Region
from services.customers.collision.evidence import Known, Match
from services.customers.collision.verdict import REASONS, Viewpoint, place_of

ORDER = list(REASONS)


def choose_known(matches: Iterable[Match], viewpoint: Viewpoint) -> Known | None:
    """The customer that it is, if it is there already: of several the one by which an entry would be refused, then the oldest."""
    same = (found.known for found in matches if found.effect == "same")
    return min(same, key=lambda known: (ORDER.index(place_of(known, viewpoint)), known.id), default=None)


def may_assign(known: Known, agency_id: UUID, *, by_territory: bool) -> bool:
    """From a public or an agency pool; over agencies only where headquarters distributes."""
    return known.pool_kind in ("public", "agency") and (by_territory or known.agency_id == agency_id)


def codes_of(typed: Region, named: Region) -> list[str]:
    """Of the place, as it was typed and where that is silent as the name says it; the narrowest first."""
    place = typed.filled_from(named)
    return list(dict.fromkeys(code for code in (place.county, place.city, place.province) if code))


def in_turn(waiting: Collection[UUID], last: UUID | None) -> list[UUID]:
    """Those behind the last one, then from the beginning."""
    return sorted(waiting, key=lambda each: (last is not None and each <= last, each))
