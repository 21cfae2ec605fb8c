"""Headquarters' setting of the collision check: its versions, what a change would do, and by which rules customers are filed."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from services.contracts.base import Command, Event, Nothing, Page, PageQuery, Query, View, command, query
from services.contracts.collision import CollisionRules, Criterion

RULES_ID = UUID("5f1f6e0a-6f0c-5b7e-9a53-2c6d3f0f1d7b")
"""The rules are one thing, of which versions are told and audited."""

MEANINGS: dict[Criterion, str] = {
    "credit_code": "The same unified social credit code (统一社会信用代码).",
    "mobile": "The same mobile number.",
    "line": "The same number of a line, with its area code.",
    "line_unknown_area": "The same number of a line; of one of them the area code is not known.",
    "line_other_area": "The same digits under another area code.",
    "contact": "The same contact person under the same mobile number.",
    "website": "The same website; shop platforms do not count.",
    "mail_domain": "E-mail addresses of the same domain; free mail does not count.",
    "name": "The same brand (字号) and trade, in a place that agrees.",
    "name_unsure": "The same brand and trade, with too little said to be sure, or in another county of the same city.",
    "name_elsewhere": "The same brand and trade in another city.",
    "name_shortened": "The same brand; one of the names does not say the trade.",
    "name_sound": "Names that sound alike.",
    "name_spelling": "Names that differ by one character: exchanged, more or fewer.",
    "name_brand": "As before, where the exchanged character is one of a brand of two.",
    "name_order": "The same characters in another order.",
    "name_word": "The same brand; one of the trades says more.",
    "name_insertion": "Names of which one has two characters more.",
    "name_start": "Names of which one begins like the other.",
    "name_short": "A short form without a legal form, and a name for which it may stand.",
    "name_restructured": "The same trade and place; one has a brand and limited liability, the other neither.",
    "branch": "One is a branch of the other.",
    "branch_word": "Branches of one company, of which one says more.",
    "name_fragment": "What was typed stands somewhere in the name; it lists customers and never decides.",
}


class ProposedRules(CollisionRules):
    """Rules as somebody asks for them. What is not given is as by default, not as it is now."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="after")
    def refuse_what_decides_nothing(self) -> "ProposedRules":
        """A fragment is searched, never entered."""
        if self.weights["name_fragment"]:
            raise ValueError("name_fragment lists customers and never decides: it cannot weigh anything")
        return self


# --- what is in force, and what was


class CriterionView(View):
    criterion: Criterion
    meaning: str
    weight: int
    default_weight: int


class RulesVersionView(View):
    """Rules as they were set. Who it was is told to headquarters alone."""

    version: int = Field(description="0 are the defaults, which nobody has set.")
    rules: CollisionRules
    set_by: str | None = None
    set_by_name: str | None = None
    set_at: datetime | None = None


class CollisionRulesView(RulesVersionView):
    """The rules in force, with each criterion in words."""

    criteria: list[CriterionView]


class SetCollisionRules(Command):
    """Replaces the rules if they are still in `expected_version`; they count from the next check on, everywhere."""

    expected_version: Annotated[int, Field(ge=0)]
    rules: ProposedRules


# --- what a change would do

Sample = Annotated[
    Literal["latest", "spread"],
    Field(description="`latest`: the customers that were entered last. `spread`: some from everywhere, others each time."),
]
Outcome = Literal["free", "needs_confirmation", "refused"]
"""What entering comes to for a rep who holds none of those that are met."""


class PreviewCollisionRules(Query):
    """Judges customers again, each as if somebody else entered it now, by the rules in force and by the proposed ones."""

    rules: ProposedRules
    sample: Sample = "latest"
    sample_size: Annotated[int, Field(ge=1, le=1_000)] = 200


class Outcomes(View):
    """How many would come to what, and which part (0 to 1) of all that were examined."""

    free: int
    needs_confirmation: int
    refused: int
    share_needing_confirmation: float
    share_refused: float


class Transition(View):
    before: Outcome
    after: Outcome
    count: int


class Judged(View):
    """How the met customer stands to the examined one; `effect` as of a hit of the check."""

    outcome: Outcome
    effect: Literal["same", "near", "listed"]
    score: int
    reasons: list[str]


class PreviewExample(View):
    """A customer for which another outcome would come, with the one it meets on which that hangs most."""

    customer_id: UUID
    name: str
    met_id: UUID
    met_name: str
    before: Judged
    after: Judged


class SharedKey(View):
    """A number, website, domain or contact that several customers share; numbers and persons are masked."""

    kind: Literal["number", "website", "mail_domain", "contact"]
    key: str
    sharers: int
    stops_deciding: bool = Field(description="Whether more share it than `most_sharers` of the proposed rules allows.")


class CollisionPreview(View):
    """`examined` of `sampled` customers were judged: fewer when the time was up (`is_complete` false).

    `shared_keys` are the 20 that most customers share. Of the whole registry, or, where counting takes too long, of those whom
    the examined ones have met: then nobody is counted further than the check looks.
    """

    compared_with: int = Field(description="The version in force.")
    sample: Sample
    sampled: int
    examined: int
    is_complete: bool
    before: Outcomes
    after: Outcomes
    transitions: list[Transition]
    examples: list[PreviewExample]
    shared_keys: list[SharedKey]
    shared_keys_of: Literal["registry", "sample"]


# --- by which version of the rules names are taken apart


class FileCustomers(Command):
    """Files customers anew that are filed by an older version. Those that others are at work on are left alone."""

    version: int
    customer_ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=200)]


class Filed(View):
    filed: int


class FilingProgress(View):
    """How far the registry is filed by the present `version` of the rules by which names are taken apart."""

    version: int
    filed: int = Field(description="Customers that are filed by it.")
    left: int = Field(description="Customers that are not yet; they are met by the check all the same, unless `oldest` is 0.")
    oldest: int = Field(description="By which version one of them still is; 0 is not filed at all, `version` when none is left.")


SHOW_COLLISION_RULES = query("customers.show_collision_rules", Nothing, CollisionRulesView, "policy:read")
SET_COLLISION_RULES = command("customers.set_collision_rules", SetCollisionRules, CollisionRulesView, "collision:configure")
LIST_COLLISION_RULES = query("customers.list_collision_rules", PageQuery, Page[RulesVersionView], "collision:configure")
PREVIEW_COLLISION_RULES = query(
    "customers.preview_collision_rules", PreviewCollisionRules, CollisionPreview, "collision:configure"
)
FILE_CUSTOMERS = command("customers.file_customers", FileCustomers, Filed, "customer:file")
SHOW_FILING = query("customers.show_filing", Nothing, FilingProgress, "collision:configure")


class CollisionRulesSet(Event, source="customers"):
    """The rules of the collision check have changed; the aggregate is `RULES_ID`, its version theirs."""

    rules: CollisionRules
    set_by: str
