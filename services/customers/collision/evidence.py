"""How a customer that was met stands to what is entered or searched: the evidence that it is the same company, and its weight.

Each criterion has a weight of 0 to 100, which headquarters sets (`CollisionRules`). The strongest of each kind of evidence count
together as independent hints do: 60 and 60 are 84. From `refuse_at` on it is the same company, from `review_at` on a person must
have a look.
"""

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from typing import Literal, NamedTuple
from uuid import UUID

from rapidfuzz.distance import Indel

from services.contracts.collision import CollisionRules, Criterion, MatchedField
from services.contracts.collision_rules import MEANINGS
from services.customers.collision.divisions import Relation
from services.customers.collision.names import CompanyName, relation_of
from services.customers.collision.nearness import SHORT_BRAND, Nearness, nearness
from services.customers.collision.numbers import Comparison, Number
from services.customers.collision.subject import Key, Subject, identities_of

Effect = Literal["same", "near", "listed"]
EFFECTS: tuple[Effect, ...] = ("same", "near", "listed")

DEFAULT_RULES = CollisionRules()
OF_RELATION: dict[Relation, Criterion] = {
    "same": "name",
    "unknown": "name",
    "other_town": "name_unsure",
    "other_county": "name_unsure",
    "other_city": "name_elsewhere",
    "other_province": "name_elsewhere",
}
OF_COMPARISON: dict[Comparison, Criterion] = {
    "same": "line",
    "unknown_area": "line_unknown_area",
    "other_area": "line_other_area",
}
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
    "unknown_area": "has the same digits as a number of theirs, and one of the area codes is not known",
    "other_area": "has the same digits as a number of theirs, but another area code",
}
ONE_KIND: dict[MatchedField, str] = {
    "phone": "number",
    "fax": "number",
    "contact_person": "number",
    "website": "domain",
    "email": "domain",
}
"""Who shares one of these mostly shares the other: a company's mail has the domain of its website."""
OF_THEIRS = " (by another name of theirs)"
CROWDED = 20
"""The most that a key weighs which more customers share than the rules allow it to decide on."""


@dataclass(frozen=True)
class Known:
    """A customer that was met.

    `names` are its names taken apart, the one on the licence first; `matched` its own keys that were met. `pool_members` are told
    of the own agency's custom pools: to whom it is open, null where that is every rep.
    """

    id: UUID
    name: str
    names: tuple[CompanyName, ...]
    province: str | None
    city: str | None
    agency_id: UUID
    agency_name: str | None
    owner_id: UUID | None
    owner_name: str | None
    pool_kind: str | None
    matched: frozenset[Key] = frozenset()
    pool_members: frozenset[UUID] | None = None


class Evidence(NamedTuple):
    criterion: Criterion
    weight: int
    field: MatchedField
    reason: str


@dataclass(frozen=True)
class Match:
    """How one known customer stands to the subject; the evidence is in the order of its weight, `score` 0 to 100."""

    known: Known
    evidence: tuple[Evidence, ...]
    effect: Effect = "listed"
    score: int = 0
    likeness: float = 0.0
    """Of the names as they are written, 0 to 1: which of two equally telling matches comes first."""
    is_by_number_alone: bool = False
    """Whether it shares a number with a subject whose names, which were given, say nothing of it."""

    @property
    def fields(self) -> list[MatchedField]:
        return list(dict.fromkeys(item.field for item in self.evidence))


def telling(matches: Iterable[Match]) -> list[Match]:
    """The most telling first."""
    return sorted(matches, key=lambda found: (EFFECTS.index(found.effect), -found.score, -found.likeness))


def match(
    subject: Subject, known: Known, rules: CollisionRules = DEFAULT_RULES, crowded: Set[tuple[str, str]] = frozenset()
) -> Match:
    """`crowded`: kind and key of those that too many customers share to decide anything."""
    found = [
        *_by_shared(subject.credit_codes, "code", "credit_code", "credit_code", "the same credit code", known, rules),
        *_by_numbers(subject, known, rules, crowded),
        *_by_shared(subject.sites, "site", "website", "website", "the same website {}", known, rules, crowded),
        *_by_shared(
            subject.mails, "mail", "mail_domain", "email", "an e-mail address of the same domain {}", known, rules, crowded
        ),
        *_by_names(subject, known, rules),
    ]
    found.sort(key=lambda item: -item.weight)
    score = score_of(found)
    return Match(
        known,
        tuple(found),
        effect=effect_of(score, rules),
        score=score,
        likeness=_likeness(subject, known),
        is_by_number_alone=bool(subject.names) and not {"name", "credit_code"} & {item.field for item in found},
    )


def score_of(evidence: Iterable[Evidence]) -> int:
    """The strongest of each kind together: what is left of the doubt is the product of what each leaves."""
    strongest: dict[str, int] = {}
    for item in evidence:
        kind = ONE_KIND.get(item.field, item.field)
        strongest[kind] = max(item.weight, strongest.get(kind, 0))
    doubt = 1.0
    for weight in strongest.values():
        doubt *= 1 - weight / 100
    return round(100 * (1 - doubt))


def effect_of(score: int, rules: CollisionRules) -> Effect:
    if score >= rules.refuse_at:
        return "same"
    return "near" if score >= rules.review_at else "listed"


def _by_shared(
    values: Iterable[str],
    kind: Literal["code", "site", "mail"],
    criterion: Criterion,
    field: MatchedField,
    reason: str,
    known: Known,
    rules: CollisionRules,
    crowded: Set[tuple[str, str]] = frozenset(),
) -> Iterator[Evidence]:
    for value in values:
        if Key(kind, value) in known.matched:
            yield Evidence(criterion, _weight(criterion, (kind, value), rules, crowded), field, reason.format(value))


def _weight(criterion: Criterion, key: tuple[str, str], rules: CollisionRules, crowded: Set[tuple[str, str]]) -> int:
    weight = rules.weights[criterion]
    return min(CROWDED, weight) if key in crowded else weight


def _by_numbers(subject: Subject, known: Known, rules: CollisionRules, crowded: Set[tuple[str, str]]) -> Iterator[Evidence]:
    theirs = [key for key in known.matched if key.kind == "number"]
    fields: tuple[tuple[MatchedField, tuple[Number, ...]], ...] = (("phone", subject.phones), ("fax", subject.faxes))
    for field, numbers in fields:
        for number in numbers:
            for key in theirs:
                if key.key == number.bare:
                    comparison = compare_details(number.key, key.detail)
                    is_mobile = number.kind == "mobile" and comparison == "same"
                    criterion: Criterion = "mobile" if is_mobile else OF_COMPARISON[comparison]
                    weight = _weight(criterion, ("number", number.bare), rules, crowded)
                    yield Evidence(criterion, weight, field, f"your {field} {NUMBERS[comparison]}")
    for key in known.matched:
        if key.kind == "contact":
            weight = _weight("contact", (key.kind, key.key), rules, crowded)
            yield Evidence("contact", weight, "contact_person", "the same person under the same mobile")


def compare_details(ours: str | None, theirs: str) -> Comparison:
    """Of two numbers with the same digits, by those digits with their area codes as far as these are known."""
    if not ours or not theirs:
        return "unknown_area"
    return "same" if ours == theirs else "other_area"


# --- names


def _by_names(subject: Subject, known: Known, rules: CollisionRules) -> list[Evidence]:
    """By that pair of names which says most."""
    pairs = [(one, other) for one in subject.names for other in known.names]
    found = [item for one, other in pairs if (item := _of_pair(one, other, rules, _aside(one, other, subject, known)))]
    return [max(found, key=lambda item: item.weight)] if found else []


def _aside(one: CompanyName, other: CompanyName, subject: Subject, known: Known) -> str:
    """Says so where it is not by the names on their licences. Another name of theirs is not told: a rep may not see it."""
    if other.normalised != known.names[0].normalised:
        return OF_THEIRS
    return " (by another name of yours)" if one.normalised != subject.names[0].normalised else ""


def _of_pair(one: CompanyName, other: CompanyName, rules: CollisionRules, aside: str) -> Evidence | None:
    if identities_of(one) & identities_of(other):
        criterion = criterion_of(one, other)
        reason = sentence(relation_of(one, other), one, other)
    elif is_shortened(one, other):
        criterion, reason = "name_shortened", f"same brand {one.brand}, and one of the names does not say the trade"
    elif near := nearness(one, other):
        criterion, reason = (
            near.kind,
            said_of(near, aside) if aside else f"{near.reason}: {one.core}{one.branch} and {other.core}{other.branch}",
        )
    else:
        return None
    return Evidence(criterion, rules.weights[criterion], "name", f"{reason}{aside}")


def said_of(near: Nearness, aside: str) -> str:
    """Of a name that the rep may not see the kind of nearness alone: a character or a branch of it would tell it."""
    return MEANINGS[near.kind].rstrip(".") if aside == OF_THEIRS else near.reason


def criterion_of(one: CompanyName, other: CompanyName) -> Criterion:
    """Of two names with the same core. Where one does not say its place, only brand and trade together are telling enough,

    or that both say the same: 香皂厂 without a city is not every 香皂厂 of the country, 山西信托 is 山西省信托.
    """
    relation = relation_of(one, other)
    if _are_of_two_places(one, other, relation):
        return "name_elsewhere"
    is_telling = bool(one.brand and one.trade) or len(one.brand) > SHORT_BRAND
    is_one_said = one.said.province is not None and one.said == other.said
    return "name_unsure" if relation == "unknown" and not (is_telling or is_one_said) else OF_RELATION[relation]


def _are_of_two_places(one: CompanyName, other: CompanyName, relation: Relation) -> bool:
    """Of names that are nothing but place and trade, whose places are named and differ: each county has its 对外贸易公司."""
    if not (one.is_generic and other.is_generic):
        return False
    if relation == "other_county":
        return bool(one.region.county and other.region.county)
    return relation == "other_town" and bool(one.region.town and other.region.town)


def is_shortened(one: CompanyName, other: CompanyName) -> bool:
    """Whether one may be the other without its trade, as people say 五环 for 五环印花厂; elsewhere it is another company."""
    is_cut = bool(one.brand) and one.brand == other.brand and (not one.trade or not other.trade) and one.branch == other.branch
    return is_cut and relation_of(one, other) in ("same", "unknown")


def sentence(relation: Relation, one: CompanyName, other: CompanyName) -> str:
    """Why two names with the same core are, or are not, one company."""
    if one.normalised == other.normalised and relation in ("same", "unknown"):
        return "the same name"
    brand, trade = (other.brand, other.trade) if other.core in (one.core, *one.other_cores) else (one.brand, one.trade)
    named = {"brand": brand, "trade": trade, "branch": one.branch}
    *most, last = [f"{part} {text}" for part, text in named.items() if text]
    parts = f"{', '.join(most)} and {last}" if most else last
    forms = f"; legal form differs ({one.legal_form or 'none'}, {other.legal_form or 'none'})"
    return f"same {parts}, {PLACES[relation]}{forms if one.legal_form != other.legal_form else ''}"


def _likeness(subject: Subject, known: Known) -> float:
    pairs = ((one.normalised, other.normalised) for one in subject.names for other in known.names)
    return max((Indel.normalized_similarity(*pair) for pair in pairs), default=0.0)
