"""What an entry comes to: where each customer lies that was met, and all of them together."""

import hashlib
from collections.abc import Sequence
from typing import Literal, NamedTuple
from uuid import UUID

from services.contracts.collision import Hit, HitPlace, NameParts, RefusalReason, Verdict
from services.customers.collision.divisions import title_of
from services.customers.collision.evidence import Known, Match
from services.customers.collision.names import CompanyName


class Viewpoint(NamedTuple):
    """Who asks. `may_claim`: whether he may take customers from his agency's pools."""

    person_id: UUID
    agency_id: UUID
    may_claim: bool


def place_of(known: Known, viewpoint: Viewpoint) -> HitPlace:
    if known.pool_kind in ("telesales", "industry"):
        return known.pool_kind  # type: ignore[return-value]
    is_ours = known.agency_id == viewpoint.agency_id
    if known.pool_kind:
        return place_in_our_pools(known, viewpoint) if is_ours else "other_agency_pool"
    if known.owner_id == viewpoint.person_id:
        return "mine"
    return "colleague" if is_ours else "other_agency"


def place_in_our_pools(known: Known, viewpoint: Viewpoint) -> HitPlace:
    if known.pool_kind == "custom" and viewpoint.may_claim:
        is_open = known.pool_members is None or viewpoint.person_id in known.pool_members
        return "custom_pool" if is_open else "agency_pool"
    return "public_pool" if known.pool_kind == "public" else "agency_pool"


OPEN_POOLS: tuple[HitPlace, ...] = ("public_pool", "custom_pool")

REASONS: dict[HitPlace, RefusalReason] = {
    "colleague": "held_by_colleague",
    "other_agency": "held_by_other_agency",
    "telesales": "held_by_telesales",
    "industry": "held_by_industry",
    "agency_pool": "in_agency_pool",
    "other_agency_pool": "in_other_agency_pool",
    "public_pool": "in_public_pool",
}
"""The most telling first: it is told when several hold the same company."""

MESSAGES: dict[str, str] = {
    "free": "Nobody has this company: you may enter it.",
    "free_though_listed": "As far as what was typed can tell, none of those listed is the same company.",
    "yours": "This customer is yours already.",
    "claimable": "It lies in your agency's public pool: you may claim it.",
    "claimable_custom": "It lies in a pool of your agency that is open to you: you may claim it.",
    "needs_confirmation": "Others come near: look at them, then say why yours is another company.",
    "held_by_colleague": "A colleague holds this customer.",
    "held_by_other_agency": "Another agency holds this customer.",
    "held_by_telesales": "It belongs to the telesales library (电销库) and cannot be entered.",
    "held_by_industry": "It belongs to the industry library (行业库) and cannot be entered.",
    "in_agency_pool": "It lies in your agency's own pool: its administrator assigns it.",
    "in_other_agency_pool": "It lies in a pool of another agency.",
    "in_public_pool": "It lies in the public pool of the agency.",
}


TAKEN_FROM: tuple[tuple[HitPlace, Literal["yours", "claimable"], str], ...] = (
    ("mine", "yours", "yours"),
    ("public_pool", "claimable", "claimable"),
    ("custom_pool", "claimable", "claimable_custom"),
)


def judge(matches: Sequence[Match], viewpoint: Viewpoint) -> Verdict:
    """What entering the subject would come to.

    One that somebody else holds outweighs all others: a twin in the public pool, or among one's own, does not help. Another name
    under a number of one's own customer is not bound to it unseen: it may be another company behind the same line.
    """
    placed = [(place_of(found.known, viewpoint), found) for found in matches if found.effect == "same"]
    same = [(place, found.known) for place, found in placed if not (place == "mine" and found.is_by_number_alone)]
    free_to_take = {"mine", *OPEN_POOLS} if viewpoint.may_claim else {"mine"}
    if refusing := [(place, known) for place, known in same if place not in free_to_take]:
        place, known = min(refusing, key=lambda item: list(REASONS).index(item[0]))
        reason = REASONS[place]
        return Verdict(verdict="refused", reason=reason, message=MESSAGES[reason], ask=whom_to_ask(place, known))
    for place, kind, message in TAKEN_FROM:
        if ids := [known.id for where, known in same if where == place]:
            return Verdict(verdict=kind, message=MESSAGES[message], customer_id=min(ids))
    if len(same) < len(placed) or any(found.effect == "near" for found in matches):
        return Verdict(verdict="needs_confirmation", message=MESSAGES["needs_confirmation"])
    return Verdict(verdict="free", message=MESSAGES["free_though_listed" if matches else "free"])


def whom_to_ask(place: HitPlace, known: Known) -> tuple[str, ...]:
    """Inside the own agency the holder, of others the agency; who administers the own agency's pool is not known here."""
    name = known.owner_name if place == "colleague" else None if place == "agency_pool" else known.agency_name
    return (name,) if name else ()


def hit(found: Match, viewpoint: Viewpoint) -> Hit:
    """The match as the caller may see it."""
    known, place = found.known, place_of(found.known, viewpoint)
    is_open = place == "mine" or (place in OPEN_POOLS and viewpoint.may_claim)
    return Hit(
        ref=ref_of(known.id),
        customer_id=known.id if is_open else None,
        name=known.name,
        province=known.province,
        city=known.city,
        place=place,
        held_by=next(iter(whom_to_ask(place, known)), None) if place != "mine" else None,
        effect=found.effect,
        score=found.score,
        matched=found.fields,
        reasons=[item.reason for item in found.evidence],
    )


def ref_of(customer_id: UUID) -> str:
    """Names a customer in a confirmation without telling its id; 64 bits."""
    return hashlib.sha256(customer_id.bytes).hexdigest()[:16]


def parts_of(name: CompanyName) -> NameParts:
    """As it is told to who typed the name."""
    codes = (name.region.province, name.region.city, name.region.county)
    titles = dict.fromkeys(title_of(code) for code in codes if code)
    region = "".join(titles) + (name.region.town or "")
    return NameParts(region=region, brand=name.brand, trade=name.trade, legal_form=name.legal_form, branch=name.branch)
