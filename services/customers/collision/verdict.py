"""What an entry comes to: how each customer that was met stands to it, and all of them together."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple
from uuid import UUID

from services.contracts.customers import Hit, HitPlace, NameParts, RefusalReason, Verdict
from services.customers.collision.divisions import Relation, title_of
from services.customers.collision.names import CompanyName, normalise, relation_of
from services.customers.collision.numbers import Comparison, Number
from services.customers.collision.subject import Key, Subject, identities_of, names_of

Effect = Literal["same", "near", "listed"]
Field = Literal["name", "phone", "fax", "credit_code"]

EFFECTS: tuple[Effect, ...] = ("same", "near", "listed")
OF_RELATION: dict[Relation, Effect] = {
    "same": "same",
    "unknown": "same",
    "other_town": "near",
    "other_county": "near",
    "other_city": "listed",
    "other_province": "listed",
}
OF_COMPARISON: dict[Comparison, Effect] = {"same": "same", "unknown_area": "near", "other_area": "listed"}
RELATIONS = list(OF_RELATION)
SHORT_BRAND = 2
PLACES: dict[Relation, str] = {
    "same": "in the same place",
    "unknown": "and nothing says that they are in different places",
    "other_town": "but in another town",
    "other_county": "but in another county of the same city",
    "other_city": "but in another city",
    "other_province": "but in another province",
}
NUMBERS: dict[Comparison, str] = {
    "same": "is a number of theirs",
    "unknown_area": "has the digits of a number of theirs, and one area code is not known",
    "other_area": "has the digits of a number of theirs under another area code",
}


@dataclass(frozen=True)
class Known:
    """A customer that shares a key with the subject, or a fragment of its name; `matched` are its own keys that were met."""

    id: UUID
    name: str
    names: tuple[str, ...]
    province: str | None
    city: str | None
    agency_id: UUID
    agency_name: str | None
    owner_id: UUID | None
    owner_name: str | None
    pool_kind: str | None
    matched: frozenset[Key] = frozenset()


class Viewpoint(NamedTuple):
    """Who asks. `may_claim`: whether he may take customers from his agency's public pool."""

    person_id: UUID
    agency_id: UUID
    may_claim: bool


class Evidence(NamedTuple):
    effect: Effect
    field: Field
    reason: str


@dataclass(frozen=True)
class Match:
    """How one known customer stands to the subject."""

    known: Known
    evidence: tuple[Evidence, ...]
    is_by_number_alone: bool = False
    """Whether it shares a number with a subject whose names, which were given, say nothing of it."""

    @property
    def effect(self) -> Effect:
        return min((item.effect for item in self.evidence), key=EFFECTS.index, default="listed")

    @property
    def fields(self) -> list[Field]:
        return list(dict.fromkeys(item.field for item in self.evidence))


def telling(matches: Iterable[Match]) -> list[Match]:
    """The most telling first."""
    return sorted(matches, key=lambda found: EFFECTS.index(found.effect))


def match(subject: Subject, known: Known) -> Match:
    """The evidence that a known customer is the same company, the strongest first."""
    found = [*_by_code(subject, known), *_by_numbers(subject, known), *_by_names(subject, known)]
    is_by_number_alone = bool(subject.names) and not {"name", "credit_code"} & {item.field for item in found}
    return Match(known, tuple(sorted(found, key=lambda item: EFFECTS.index(item.effect))), is_by_number_alone)


def _by_code(subject: Subject, known: Known) -> Iterable[Evidence]:
    if any(Key("code", code) in known.matched for code in subject.credit_codes):
        yield Evidence("same", "credit_code", "the same credit code")


def _by_numbers(subject: Subject, known: Known) -> Iterable[Evidence]:
    theirs = [key for key in known.matched if key.kind == "number"]
    fields: tuple[tuple[Field, tuple[Number, ...]], ...] = (("phone", subject.phones), ("fax", subject.faxes))
    for field, numbers in fields:
        for number in numbers:
            for key in theirs:
                if key.key == number.bare:
                    comparison = compare_details(number.key, key.detail)
                    yield Evidence(OF_COMPARISON[comparison], field, f"your {field} {NUMBERS[comparison]}")


def compare_details(ours: str | None, theirs: str) -> Comparison:
    """Of two numbers with the same digits, by those digits with their area codes as far as these are known."""
    if not ours or not theirs:
        return "unknown_area"
    return "same" if ours == theirs else "other_area"


def _by_names(subject: Subject, known: Known) -> Iterable[Evidence]:
    if not any(key.kind in ("core", "brand") for key in known.matched):
        return
    theirs = names_of(known.names, known.province, known.city)
    pairs = [(one, other) for one in subject.names for other in theirs]
    if shared := [(one, other) for one, other in pairs if identities_of(one) & identities_of(other)]:
        judged = [(effect_of(one, other), relation_of(one, other), one, other) for one, other in shared]
        effect, relation, one, other = min(judged, key=lambda found: (EFFECTS.index(found[0]), RELATIONS.index(found[1])))
        yield Evidence(effect, "name", sentence(relation, one, other, is_alias=other.normalised != normalise(known.name)))
    elif shortened := [(one, other) for one, other in pairs if is_shortened(one, other)]:
        yield Evidence("near", "name", f"same brand {shortened[0][0].brand}, and one of the names does not say the trade")


def effect_of(one: CompanyName, other: CompanyName) -> Effect:
    """Of two names with the same core. Where one does not say its place, only brand and trade together are telling enough:

    香皂厂 without a city is not every 香皂厂 of the country.
    """
    relation = relation_of(one, other)
    is_telling = bool(one.brand and one.trade) or len(one.brand) > SHORT_BRAND
    return "near" if relation == "unknown" and not is_telling else OF_RELATION[relation]


def is_shortened(one: CompanyName, other: CompanyName) -> bool:
    """Whether one may be the other without its trade, as people say 五环 for 五环印花厂; elsewhere it is another company."""
    is_cut = bool(one.brand) and one.brand == other.brand and (not one.trade or not other.trade) and one.branch == other.branch
    return is_cut and relation_of(one, other) in ("same", "unknown")


def sentence(relation: Relation, one: CompanyName, other: CompanyName, *, is_alias: bool) -> str:
    """Why two names with the same core are, or are not, one company."""
    if one.normalised == other.normalised and relation in ("same", "unknown"):
        return "the same as another name of theirs" if is_alias else "the same name"
    brand, trade = (other.brand, other.trade) if other.core in (one.core, *one.other_cores) else (one.brand, one.trade)
    parts = [part for part in (brand and f"brand {brand}", trade and f"trade {trade}") if part]
    forms = f"; legal form differs ({one.legal_form or 'none'}, {other.legal_form or 'none'})"
    return f"same {' and '.join(parts)}, {PLACES[relation]}{forms if one.legal_form != other.legal_form else ''}"


# --- all together


def place_of(known: Known, viewpoint: Viewpoint) -> HitPlace:
    if known.pool_kind in ("telesales", "industry"):
        return known.pool_kind  # type: ignore[return-value]
    is_ours = known.agency_id == viewpoint.agency_id
    if known.pool_kind:
        return ("public_pool" if known.pool_kind == "public" else "agency_pool") if is_ours else "other_agency_pool"
    if known.owner_id == viewpoint.person_id:
        return "mine"
    return "colleague" if is_ours else "other_agency"


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
    "needs_confirmation": "Others come near: look at them, then say why yours is another company.",
    "held_by_colleague": "A colleague holds this customer.",
    "held_by_other_agency": "Another agency holds this customer.",
    "held_by_telesales": "It belongs to the telesales library (电销库) and cannot be entered.",
    "held_by_industry": "It belongs to the industry library (行业库) and cannot be entered.",
    "in_agency_pool": "It lies in your agency's own pool: its administrator assigns it.",
    "in_other_agency_pool": "It lies in a pool of another agency.",
    "in_public_pool": "It lies in the public pool of the agency.",
}


def judge(matches: Sequence[Match], viewpoint: Viewpoint) -> Verdict:
    """What entering the subject would come to.

    One that somebody else holds outweighs all others: a twin in the public pool, or among one's own, does not help. Another name
    under a number of one's own customer is not bound to it unseen: it may be another company behind the same line.
    """
    placed = [(place_of(found.known, viewpoint), found) for found in matches if found.effect == "same"]
    same = [(place, found.known) for place, found in placed if not (place == "mine" and found.is_by_number_alone)]
    free_to_take = {"mine", "public_pool"} if viewpoint.may_claim else {"mine"}
    if refusing := [(place, known) for place, known in same if place not in free_to_take]:
        place, known = min(refusing, key=lambda item: list(REASONS).index(item[0]))
        reason = REASONS[place]
        return Verdict(verdict="refused", reason=reason, message=MESSAGES[reason], ask=whom_to_ask(place, known))
    for place, kind in (("mine", "yours"), ("public_pool", "claimable")):
        if ids := [known.id for where, known in same if where == place]:
            return Verdict(verdict=kind, message=MESSAGES[kind], customer_id=min(ids))
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
    is_open = place == "mine" or (place == "public_pool" and viewpoint.may_claim)
    return Hit(
        ref=ref_of(known.id),
        customer_id=known.id if is_open else None,
        name=known.name,
        province=known.province,
        city=known.city,
        place=place,
        held_by=next(iter(whom_to_ask(place, known)), None) if place != "mine" else None,
        effect=found.effect,
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
