"""The collision check: what is searched, what is told of whom it meets, and the rules that headquarters sets for it."""

import re
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from services.contracts.base import (
    ContactPerson,
    Line,
    Message,
    Personal,
    Phone,
    Query,
    View,
    query,
    refuse_the_invisible,
)

Email = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^@\s]{1,100}@[^@\s]{1,100}$"), Personal()]


def refuse_other_schemes(address: str) -> str:
    """An address that somebody will click on: `javascript:` and the like have no place in it."""
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):(?!\d)", address)
    if scheme and scheme[1].lower() not in ("http", "https"):
        raise ValueError("must begin with http:// or https://, or have no scheme")
    return address


Website = Annotated[Line, AfterValidator(refuse_other_schemes)]

# --- the collision check


class CheckCollision(Query):
    """Searches by any fragment of a name, a phone, a fax, a credit code, a website, the domain of an e-mail address, singly or
    together; an area code may be left out.

    Province and city are no criteria: they fill in a missing area code and tell namesakes in other places apart. A contact person
    is none by himself: with a mobile he is.
    """

    name: Line | None = None
    phone: Phone | None = None
    fax: Phone | None = None
    credit_code: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)] | None = None
    website: Website | None = None
    email: Email | None = None
    contact_person: ContactPerson | None = None
    province: Line | None = None
    city: Line | None = None


MatchedField = Literal["name", "phone", "fax", "credit_code", "website", "email", "contact_person"]
SearchedField = Literal["name", "phone", "fax", "credit_code", "website", "email"]


class FieldHits(View):
    """共有 N 个客户. `is_more`: there are at least so many, nobody has counted further."""

    hits: int
    is_more: bool = False


HitPlace = Literal[
    "mine", "colleague", "other_agency", "public_pool", "custom_pool", "agency_pool", "other_agency_pool", "telesales", "industry"
]
"""`custom_pool`: one of the own agency that is open to the caller; one that is not counts as `agency_pool`."""


class Hit(View):
    """An existing customer that was met. Of customers that are not the caller's own, only the name and place are told.

    `effect`: `same` is the same company and blocks or binds an entry; `near` must be judged by a person; `listed` has no effect.
    `matched` names the fields by which it was found, `reasons` says why in words for the rep.
    """

    ref: str = Field(description="Names this hit in a confirmation.")
    customer_id: UUID | None = Field(default=None, description="Where the caller may see the customer or claim it.")
    name: str
    province: str | None
    city: str | None
    place: HitPlace
    held_by: str | None = Field(default=None, description="The colleague who holds it; of other agencies the agency.")
    effect: Literal["same", "near", "listed"]
    score: int = Field(default=0, description="0 to 100: how much speaks for one company, by the collision rules.")
    matched: list[MatchedField]
    reasons: list[str]


class NameParts(View):
    """The name taken apart, as it is compared: 上海市瑞丽服装有限公司 is 瑞丽 + 服装 in Shanghai."""

    region: str
    brand: str
    trade: str
    legal_form: str
    branch: str


RefusalReason = Literal[
    "held_by_colleague",
    "held_by_other_agency",
    "in_public_pool",
    "in_agency_pool",
    "in_other_agency_pool",
    "held_by_telesales",
    "held_by_industry",
]


class Verdict(View):
    """What entering would come to.

    `free`, `yours` (it is yours already), `claimable` (in a public pool that you may claim from), `refused` (with the reason and
    whom to ask), `needs_confirmation` (near matches that a person must judge).
    """

    verdict: Literal["free", "yours", "claimable", "refused", "needs_confirmation"]
    reason: RefusalReason | None = None
    message: str = Field(description="The verdict in words for the rep.")
    ask: tuple[str, ...] = Field(default=(), description="Whom to ask: names inside the own agency, else the agency's.")
    customer_id: UUID | None = Field(default=None, description="With `yours` and `claimable`.")


class CollisionCheck(View):
    """`fields` counts what each searched field has found; `hits` lists the customers, the most telling first, 50 at most."""

    fields: dict[SearchedField, FieldHits]
    hits: list[Hit]
    verdict: Verdict
    name_parts: NameParts | None = None


# --- the rules of the check

Criterion = Literal[
    "credit_code",
    "mobile",
    "line",
    "line_unknown_area",
    "line_other_area",
    "contact",
    "website",
    "mail_domain",
    "name",
    "name_unsure",
    "name_elsewhere",
    "name_shortened",
    "name_sound",
    "name_spelling",
    "name_brand",
    "name_order",
    "name_word",
    "name_insertion",
    "name_start",
    "name_short",
    "name_restructured",
    "branch",
    "branch_word",
    "name_fragment",
]
"""What may speak for one company.

`credit_code`, `mobile`: the same. `line`: the same number with its area code; `line_unknown_area`: one area code is not known;
`line_other_area`: the area codes differ. `contact`: the same person under the same mobile. `website`, `mail_domain`: the same,
free mail and shop platforms left out.

`name`: the same brand and trade in a place that agrees; `name_unsure`: too little said to be sure, or another county;
`name_elsewhere`: in another city. `name_shortened`: the same brand, one says no trade. `name_sound`: it sounds alike.
`name_spelling`: one character exchanged, more or fewer; `name_brand`: the exchanged one is of a two-character brand, and the
trade is short. `name_order`: characters in another order. `name_word`: the same brand, one trade says more. `name_insertion`: two
characters more. `name_start`: one begins like the other. `name_short`: a short form without legal form. `name_restructured`: the
same trade and place, one has a brand and limited liability, the other neither. `branch`: one is a branch of the other;
`branch_word`: branches of one company, one says more. `name_fragment`: what was typed stands in the name.
"""
Weight = Annotated[int, Field(ge=0, le=100)]
DEFAULT_WEIGHTS: dict[Criterion, Weight] = {
    "credit_code": 100,
    "mobile": 100,
    "line": 100,
    "line_unknown_area": 60,
    "line_other_area": 10,
    "contact": 100,
    "website": 60,
    "mail_domain": 60,
    "name": 100,
    "name_unsure": 60,
    "name_elsewhere": 20,
    "name_shortened": 60,
    "name_sound": 60,
    "name_spelling": 60,
    "name_brand": 20,
    "name_order": 60,
    "name_word": 60,
    "name_insertion": 60,
    "name_start": 60,
    "name_short": 60,
    "name_restructured": 60,
    "branch": 20,
    "branch_word": 60,
    "name_fragment": 0,
}


class CollisionRules(Message):
    """Headquarters' setting: what each criterion weighs, and what comes of it.

    The strongest of each kind (names, numbers, credit code, website or e-mail) count together as independent hints: 60 and 60 are
    84. A weight of 0 takes a criterion out of the verdict; customers that are met by it alone are listed all the same.
    """

    weights: dict[Criterion, Weight] = Field(default=DEFAULT_WEIGHTS, validate_default=True)
    refuse_at: Annotated[int, Field(ge=1, le=101)] = Field(
        default=90, description="From this score on it is the same company; 101 refuses nothing."
    )
    review_at: Annotated[int, Field(ge=1, le=101)] = Field(
        default=50, description="From this score on a person must have a look; 101 asks for none."
    )
    most_sharers: Annotated[int, Field(ge=1, le=150)] | None = Field(
        default=None,
        description="A number, website, domain or contact that more customers share than this stops deciding; off by default.",
    )
    near_entries: Literal["enter", "wait"] = Field(
        default="enter",
        description="Whether a confirmed entry near others is made at once and reviewed afterwards, or waits for the review.",
    )

    @field_validator("weights", mode="before")
    @classmethod
    def fill_up(cls, given: Any) -> Any:
        """What is not given weighs what it weighs by default."""
        return {**DEFAULT_WEIGHTS, **given} if isinstance(given, dict) else given

    @model_validator(mode="after")
    def refuse_reversed(self) -> "CollisionRules":
        if self.review_at > self.refuse_at:
            raise ValueError("review_at must not be above refuse_at")
        return self


# --- the same, while somebody types


Typed = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(refuse_the_invisible)]
TypedNumber = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=40), AfterValidator(refuse_the_invisible), Personal()
]


class SuggestCollisions(Query):
    """`CheckCollision` while somebody types: what is empty, too short or unreadable as yet is no error and not searched."""

    name: Typed | None = None
    phone: TypedNumber | None = None
    fax: TypedNumber | None = None
    credit_code: TypedNumber | None = None
    province: Typed | None = None
    city: Typed | None = None


class CollisionSuggestions(View):
    """`fields` counts what each field has found that can be searched already; `hits` the most telling first, 10 at most.

    `verdict` is the one of the full check for these fields, and null where none of them can be searched.
    """

    fields: dict[SearchedField, FieldHits]
    hits: list[Hit]
    verdict: Verdict | None = None


CHECK_COLLISION = query("customers.check_collision", CheckCollision, CollisionCheck, "collision:check")
SUGGEST_COLLISIONS = query("customers.suggest_collisions", SuggestCollisions, CollisionSuggestions, "collision:check")
