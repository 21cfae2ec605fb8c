"""What `customers` answers and tells: the registry, the collision check, and who holds what."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from services.contracts.base import (
    Command,
    Event,
    Line,
    Message,
    Moment,
    Nothing,
    Page,
    PageQuery,
    Personal,
    Phone,
    Query,
    Text,
    View,
    command,
    query,
    refuse_the_invisible,
)

ShownPhone = Annotated[str, Personal()]
Email = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^@\s]{1,100}@[^@\s]{1,100}$"), Personal()]


def refuse_other_schemes(address: str) -> str:
    """An address that somebody will click on: `javascript:` and the like have no place in it."""
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):(?!\d)", address)
    if scheme and scheme[1].lower() not in ("http", "https"):
        raise ValueError("must begin with http:// or https://, or have no scheme")
    return address


Website = Annotated[Line, AfterValidator(refuse_other_schemes)]
Aliases = Annotated[tuple[Line, ...], Field(max_length=10)]
PoolKind = Literal["public", "agency", "telesales", "industry"]
Source = Literal["own", "web", "telesales", "exhibition", "referral", "advertising", "other"]
"""How we came to know of it; `web` is a web-registered member (网上注册会员), with a deadline for the first contact."""
Cause = Literal["enter", "claim", "assign", "transfer", "release", "open", "take_back"]
"""Why a customer has come to where it is. `open`: from the agency pool to the public one. `take_back`: by a rule."""
ReleaseReason = Literal["no_need", "no_budget", "unreachable", "closed_down", "chose_competitor", "wrong_territory", "other"]


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
    contact_person: Line | None = None
    province: Line | None = None
    city: Line | None = None


MatchedField = Literal["name", "phone", "fax", "credit_code", "website", "email", "contact_person"]
SearchedField = Literal["name", "phone", "fax", "credit_code", "website", "email"]


class FieldHits(View):
    """共有 N 个客户. `is_more`: there are at least so many, nobody has counted further."""

    hits: int
    is_more: bool = False


HitPlace = Literal[
    "mine", "colleague", "other_agency", "public_pool", "agency_pool", "other_agency_pool", "telesales", "industry"
]


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

    The strongest of each kind (names, numbers, credit code, website, e-mail) count together as independent hints: 60 and 60 are
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


# --- entering


class Confirmation(Command):
    """Says that the near matches were seen and that it is another company all the same."""

    seen: Annotated[list[Annotated[str, StringConstraints(max_length=64)]], Field(min_length=1, max_length=50)]
    reason: Line


class CustomerFields(Command):
    """What is known of a company. `name` is the one on its licence; `aliases` are short and former names, checked like it."""

    name: Line
    aliases: Aliases = ()
    phone: Phone | None = None
    fax: Phone | None = None
    email: Email | None = None
    province: Line | None = None
    city: Line | None = None
    address: Line | None = None
    contact_person: Line | None = None
    source: Source = "own"
    industry: Line | None = None
    website: Website | None = None
    credit_code: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)] | None = Field(
        default=None, description="统一社会信用代码, 18 characters with a valid check character."
    )
    size: Line | None = None
    needs: Text | None = None
    is_key: bool = False


class EnterCustomer(CustomerFields):
    """Enters a company into the caller's stock, always behind the collision check.

    `claim` says: if it lies in a public pool that I may claim from, give it to me. `confirmation` answers `needs_confirmation`.
    """

    claim: bool = False
    confirmation: Confirmation | None = None


class EnterIntoPool(CustomerFields):
    """Enters a company into a pool. `keep_twin` enters it although it is known already, for registers that hold both; audited.

    Only headquarters keeps twins of what other agencies have. `registered_at` is when a web-registered member signed up.
    """

    pool_id: UUID
    registered_at: Moment | None = None
    keep_twin: Line | None = Field(default=None, description="Why the same company shall stand there twice.")


class EntryOutcome(View):
    """What became of an entry; never a silent success.

    `created`: a new customer. `bound_to_yours`: it was yours already, `customer_id` names it, what was typed is kept with it.
    `claimed`: it lay in the public pool, and you asked for it. Nothing was saved with `claimable` (ask again with `claim`),
    `needs_confirmation` (ask again with `confirmation`) and `refused`: `verdict` and `hits` say why and whom to ask.
    """

    outcome: Literal["created", "bound_to_yours", "claimed", "claimable", "needs_confirmation", "refused"]
    customer_id: UUID | None = None
    version: int | None = None
    verdict: Verdict | None = None
    hits: tuple[Hit, ...] = ()


# --- the registry


class CustomerView(View):
    """Held by a person (`owner_id`) or lying in a pool (`pool_id`), never both. `holding` counts the holders from 1."""

    id: UUID
    version: int
    name: str
    aliases: list[str]
    bound_names: list[str] = Field(description="Under which it was entered again; an edit does not change them.")
    phone: ShownPhone | None
    fax: ShownPhone | None
    email: ShownPhone | None
    province: str | None
    city: str | None
    address: str | None
    contact_person: str | None
    source: Source
    industry: str | None
    website: str | None
    credit_code: str | None
    size: str | None
    needs: str | None
    is_key: bool
    agency_id: UUID
    owner_id: UUID | None
    owner_name: str | None
    pool_id: UUID | None
    holding: int
    held_since: datetime
    entered_by: UUID
    entered_at: datetime
    registered_at: datetime | None


class CustomerLine(View):
    """A customer in a list. A bound entry is what was typed for a customer that was there already: `bound_to` names it."""

    id: UUID
    name: str
    province: str | None
    city: str | None
    industry: str | None
    is_key: bool
    owner_id: UUID | None
    owner_name: str | None
    pool_id: UUID | None
    held_since: datetime | None
    entered_at: datetime
    bound_to: UUID | None = None


class CustomerChanges(Command):
    """What may be changed. What is given is changed, what is absent stays; null empties a field."""

    aliases: Aliases = ()
    phone: Phone | None = None
    fax: Phone | None = None
    email: Email | None = None
    province: Line | None = None
    city: Line | None = None
    address: Line | None = None
    contact_person: Line | None = None
    industry: Line | None = None
    website: Website | None = None
    size: Line | None = None
    needs: Text | None = None
    is_key: bool = False


class UpdateCustomer(CustomerChanges):
    """Changes the customer if it is still in `expected_version`."""

    customer_id: UUID
    expected_version: Annotated[int, Field(ge=1)]


class ShowCustomer(Query):
    customer_id: UUID


ListOf = Annotated[
    Literal["mine", "all", "visible"],
    Field(
        description="`mine`: what the caller holds. `all`: also what he entered and was bound. `visible`: all that he may see."
    ),
]


class CustomerFilter(Query):
    """`mine`: what the caller holds. `all`: besides, what he entered and was bound. `visible`: all that he may see."""

    of: ListOf = "mine"
    owner_id: UUID | None = None
    is_key: bool | None = None


class ListCustomers(PageQuery):
    """The newest first, see `CustomerFilter`."""

    of: ListOf = "mine"
    owner_id: UUID | None = None
    is_key: bool | None = None


class Count(View):
    count: int


class OwnershipView(View):
    """One stretch of the time that a customer has been held; the next begins where it ends, the present one has no end."""

    holding: int
    owner_id: UUID | None
    owner_name: str | None
    pool_id: UUID | None
    pool_kind: PoolKind | None
    cause: Cause
    reason: str | None
    actor: str
    since: datetime
    until: datetime | None


# --- who holds what


class ReleaseCustomer(Command):
    """Gives a customer up, always into the agency pool. Who oversees its holder takes it back for him by the same way."""

    customer_id: UUID
    reason: ReleaseReason
    comment: Line | None = None


class OpenCustomer(Command):
    """Moves a customer from the agency pool to the public pool of the same agency."""

    customer_id: UUID


class ClaimCustomer(Command):
    """Takes a customer from the public pool of the own agency."""

    customer_id: UUID


class AssignCustomer(Command):
    """Gives a customer of a pool to a person of the pool's agency."""

    customer_id: UUID
    to: UUID


class TransferCustomer(Command):
    """Gives a customer from one person to another; both must be within the caller's reach."""

    customer_id: UUID
    to: UUID
    reason: Line | None = None


class TakeBack(Command):
    """Moves a customer to the agency pool because a rule says so, unless somebody else holds it by now."""

    customer_id: UUID
    owner_id: UUID
    holding: Annotated[int, Field(ge=1)]
    reason: Line


class TakenBack(View):
    """`is_done` is false when the holder had changed before."""

    is_done: bool


class FileCustomer(Command):
    """Files a customer under its names and numbers, as it was entered before there were collision keys."""

    customer_id: UUID


class PoolView(View):
    id: UUID
    agency_id: UUID
    kind: PoolKind
    name: str
    may_claim: bool


class ListPoolCustomers(PageQuery):
    pool_id: UUID


class PooledCustomer(View):
    """A customer in a pool, as those see it who may claim it: without its ways to be reached."""

    id: UUID
    name: str
    province: str | None
    city: str | None
    industry: str | None
    source: Source
    is_key: bool
    pooled_since: datetime
    reason: str | None


class ListEntryAttempts(PageQuery):
    """The newest first; of one person when given."""

    person_id: UUID | None = None


class EntryAttemptView(View):
    """An entry that was not saved as a new customer: who typed what when, and what it met."""

    id: UUID
    at: datetime
    person_id: UUID
    person_name: str
    name: str
    phone: ShownPhone | None
    fax: ShownPhone | None
    outcome: Literal["bound_to_yours", "claimable", "needs_confirmation", "refused"]
    reason: RefusalReason | None


CHECK_COLLISION = query("customers.check_collision", CheckCollision, CollisionCheck, "collision:check")
SUGGEST_COLLISIONS = query("customers.suggest_collisions", SuggestCollisions, CollisionSuggestions, "collision:check")
ENTER_CUSTOMER = command("customers.enter_customer", EnterCustomer, EntryOutcome, "customer:create")
ENTER_INTO_POOL = command("customers.enter_into_pool", EnterIntoPool, EntryOutcome, "pool:manage")
UPDATE_CUSTOMER = command("customers.update_customer", UpdateCustomer, CustomerView, "customer:update")
SHOW_CUSTOMER = query("customers.show_customer", ShowCustomer, CustomerView, "customer:read")
LIST_CUSTOMERS = query("customers.list_customers", ListCustomers, Page[CustomerLine], "customer:read")
COUNT_CUSTOMERS = query("customers.count_customers", CustomerFilter, Count, "customer:read")
LIST_OWNERSHIP = query("customers.list_ownership", ShowCustomer, Page[OwnershipView], "customer:read")
RELEASE_CUSTOMER = command("customers.release_customer", ReleaseCustomer, CustomerLine, "customer:release")
OPEN_CUSTOMER = command("customers.open_customer", OpenCustomer, CustomerLine, "pool:manage")
CLAIM_CUSTOMER = command("customers.claim_customer", ClaimCustomer, CustomerView, "customer:claim")
ASSIGN_CUSTOMER = command("customers.assign_customer", AssignCustomer, CustomerLine, "customer:assign")
TRANSFER_CUSTOMER = command("customers.transfer_customer", TransferCustomer, CustomerLine, "customer:transfer")
TAKE_BACK = command("customers.take_back", TakeBack, TakenBack, "customer:reclaim")
FILE_CUSTOMER = command("customers.file_customer", FileCustomer, Nothing, "customer:file")
LIST_POOLS = query("customers.list_pools", PageQuery, Page[PoolView], "pool:read")
LIST_POOL_CUSTOMERS = query("customers.list_pool_customers", ListPoolCustomers, Page[PooledCustomer], "pool:read")
LIST_ENTRY_ATTEMPTS = query("customers.list_entry_attempts", ListEntryAttempts, Page[EntryAttemptView], "attempt:read")


# --- events


class CustomerState(Event):
    """Full state. Held by `owner_id` or lying in `pool_id`; `holding` counts the holders, `held_since` is when this one began.

    `owner_id` alone came first: older events stand for customers of the first holder.
    """

    customer_id: UUID
    name: str
    is_key: bool
    owner_id: UUID | None = None
    department_id: UUID | None = None
    pool_id: UUID | None = None
    pool_kind: PoolKind | None = None
    holding: int = 1
    held_since: Moment | None = None
    source: Source = "own"


class CustomerEntered(CustomerState, source="customers"):
    """A new customer, in somebody's stock or in a pool."""

    entered_by: UUID | None = None


class CustomerUpdated(CustomerState, source="customers"):
    """What is known of it has changed."""


class CustomerMoved(CustomerState, source="customers"):
    """It has come to somebody else or to a pool; see `Cause`. `moved_from` is the person who held it before."""

    cause: Cause
    reason: str | None = None
    moved_from: UUID | None = None


class EntryAttempted(Event, source="customers"):
    """An entry met an existing customer, and nothing new was made of it."""

    attempt_id: UUID
    person_id: UUID
    name: str
    outcome: Literal["bound_to_yours", "claimable", "needs_confirmation", "refused"]
    reason: RefusalReason | None = None
