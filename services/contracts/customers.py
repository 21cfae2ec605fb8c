"""What `customers` answers and tells: entering, the registry, and who holds what."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from services.contracts.base import (
    Command,
    ContactPerson,
    Event,
    Line,
    Moment,
    Page,
    PageQuery,
    Personal,
    Phone,
    Query,
    Text,
    View,
    command,
    query,
)
from services.contracts.catalogue import Code, CustomValues, DivisionCode, Tag
from services.contracts.collision import Email, Hit, RefusalReason, Verdict, Website
from services.contracts.fields import RestrictedView

ShownPhone = Annotated[str, Personal()]
Aliases = Annotated[tuple[Line, ...], Field(max_length=10)]
PoolKind = Literal["public", "agency", "telesales", "industry", "custom"]
Source = Code
"""How we came to know of it, from the dictionary; `web` is a web-registered member (网上注册会员), with a deadline for the first
contact."""
Cause = Literal[
    "enter", "claim", "assign", "transfer", "handoff", "release", "open", "move", "take_back", "dispute", "leaving",
]  # fmt: skip
"""Why a customer has come to where it is. `handoff`: the receiver has accepted it. `open`: from the agency pool to the public
one. `move`: from one pool to another. `take_back`: by a rule, or by who oversees its holder. `dispute`: it was awarded to who had
been refused. `leaving`: its holder has left, and it was handed over."""
ReleaseReason = Code
Tags = Annotated[tuple[Tag, ...], Field(max_length=20), AfterValidator(lambda tags: tuple(dict.fromkeys(tags)))]
Criteria = Annotated[tuple[Code, ...], Field(max_length=10), AfterValidator(lambda codes: tuple(dict.fromkeys(codes)))]


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
    district: Line | None = None
    division: DivisionCode | None = Field(
        default=None, description="Code of the province, city or district (GB/T 2260); fills in the names that are missing."
    )
    address: Line | None = None
    contact_person: ContactPerson | None = None
    source: Source = "own"
    industry: Line | None = None
    website: Website | None = None
    credit_code: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)] | None = Field(
        default=None, description="统一社会信用代码, 18 characters with a valid check character."
    )
    size: Line | None = None
    needs: Text | None = None
    is_key: bool = False
    key_criteria: Criteria = Field(default=(), description="By which it is a key customer, from the dictionary.")
    category: Code = "potential"
    tags: Tags = ()
    custom: CustomValues = Field(default={}, description="Values of headquarters' own fields by their key.")


class EnterCustomer(CustomerFields):
    """Enters a company into the caller's stock, always behind the collision check.

    `claim` says: if it lies in a public pool that I may claim from, give it to me. `confirmation` answers `needs_confirmation`.
    """

    claim: bool = False
    confirmation: Confirmation | None = None


class EnterIntoPool(CustomerFields):
    """Enters a company into a pool. `keep_twin` enters it although it is known already, for registers that hold both; audited.

    Only who manages pools keeps twins, and only headquarters those of what other agencies have. `registered_at` is when a
    web-registered member signed up.
    """

    pool_id: UUID
    registered_at: Moment | None = None
    keep_twin: Line | None = Field(default=None, description="Why the same company shall stand there twice.")


class EntryOutcome(View):
    """What became of an entry; never a silent success.

    `created`: a new customer. `bound_to_yours`: it was yours already, `customer_id` names it, what was typed is kept with it.
    `claimed`: it lay in the public pool, and you asked for it. Nothing was saved with `claimable` (ask again with `claim`),
    `needs_confirmation` (ask again with `confirmation`) and `refused`: `verdict` and `hits` say why and whom to ask.
    `waiting`: it is kept, and no customer is made before a supervisor has decided on `review_id`.
    """

    outcome: Literal["created", "bound_to_yours", "claimed", "waiting", "claimable", "needs_confirmation", "refused"]
    customer_id: UUID | None = None
    review_id: UUID | None = Field(default=None, description="Of an entry that came near others: its place in the review queue.")
    version: int | None = None
    verdict: Verdict | None = None
    hits: tuple[Hit, ...] = ()


# --- the registry


class CustomerView(RestrictedView):
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
    district: str | None
    division: str | None
    address: str | None
    contact_person: ShownPhone | None
    source: Source
    industry: str | None
    website: str | None
    credit_code: str | None
    size: str | None
    needs: str | None
    is_key: bool
    key_criteria: list[str]
    category: str
    tags: list[str]
    custom: dict[str, Any]
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
    category: str
    tags: list[str]
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
    district: Line | None = None
    division: DivisionCode | None = None
    address: Line | None = None
    contact_person: ContactPerson | None = None
    industry: Line | None = None
    website: Website | None = None
    size: Line | None = None
    needs: Text | None = None
    is_key: bool = False
    key_criteria: Criteria = ()
    category: Code = "potential"
    tags: Tags = ()
    custom: CustomValues = Field(default={}, description="Of headquarters' own fields those that are given; null empties one.")


class UpdateCustomer(CustomerChanges):
    """Changes the customer if it is still in `expected_version`."""

    customer_id: UUID
    expected_version: Annotated[int, Field(ge=1)]


class ShowCustomer(Query):
    customer_id: UUID


class ChangeView(RestrictedView):
    """What was changed with this version: by the name of each field what it was and what it became."""

    version: int
    at: datetime
    actor: str
    actor_name: str
    fields: dict[str, tuple[Any, Any]]


class ListChanges(PageQuery):
    """The newest first."""

    customer_id: UUID


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
    """Gives a customer up, into the agency pool. Who oversees its holder takes it back for him by the same way.

    Only who manages pools chooses another pool of the customer's agency.
    """

    customer_id: UUID
    reason: ReleaseReason
    comment: Line | None = None
    pool_id: UUID | None = None


class TakeBackCustomer(Command):
    """Takes a customer from a person within the caller's reach, into the agency pool or, as of a release, into another one."""

    customer_id: UUID
    reason: Line
    pool_id: UUID | None = None


class OpenCustomer(Command):
    """Moves a customer from the agency pool to the public pool of the same agency."""

    customer_id: UUID


class ClaimCustomer(Command):
    """Takes a customer from the public pool of the own agency, or from one of its custom pools that is open to the caller."""

    customer_id: UUID


class AssignCustomer(Command):
    """Gives a customer of a pool to a person of the pool's agency; the admin of a custom pool to whom it is open."""

    customer_id: UUID
    to: UUID


class TransferCustomer(Command):
    """Gives a customer from one person to another; both must be within the caller's reach.

    Who works on it as a collaborator goes on with `keep_collaborators`, within one agency; otherwise his rights end.
    """

    customer_id: UUID
    to: UUID
    reason: Line | None = None
    keep_collaborators: bool = False


class TakeBack(Command):
    """Moves a customer to the agency pool because a rule says so, unless somebody else holds it by now.

    `policy_version` is of the agency's follow-up when it was asked for; 0 are the defaults.
    """

    customer_id: UUID
    owner_id: UUID
    holding: Annotated[int, Field(ge=1)]
    reason: Line
    policy_version: Annotated[int, Field(ge=0)] = 0


class TakenBack(View):
    """`is_done` is false when the holder had changed before."""

    is_done: bool


class ListEntryAttempts(PageQuery):
    """The newest first; of one person when given."""

    person_id: UUID | None = None


class EntryAttemptView(RestrictedView):
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
    disputable_until: datetime | None = Field(description="Until when it may be disputed; null for what is not disputed at all.")
    may_be_disputed: bool = Field(description="By who made it, now: not too late, and not disputed yet.")
    dispute_id: UUID | None = Field(description="The dispute about it, unless that was withdrawn.")


ENTER_CUSTOMER = command("customers.enter_customer", EnterCustomer, EntryOutcome, "customer:create")
ENTER_INTO_POOL = command("customers.enter_into_pool", EnterIntoPool, EntryOutcome, "pool:administer")
UPDATE_CUSTOMER = command("customers.update_customer", UpdateCustomer, CustomerView, "customer:update")
SHOW_CUSTOMER = query("customers.show_customer", ShowCustomer, CustomerView, "customer:read")
LIST_CHANGES = query("customers.list_changes", ListChanges, Page[ChangeView], "customer:read")
LIST_OWNERSHIP = query("customers.list_ownership", ShowCustomer, Page[OwnershipView], "customer:read")
RELEASE_CUSTOMER = command("customers.release_customer", ReleaseCustomer, CustomerLine, "customer:release")
TAKE_BACK_CUSTOMER = command("customers.take_back_customer", TakeBackCustomer, CustomerLine, "customer:release")
OPEN_CUSTOMER = command("customers.open_customer", OpenCustomer, CustomerLine, "pool:manage")
CLAIM_CUSTOMER = command("customers.claim_customer", ClaimCustomer, CustomerView, "customer:claim")
ASSIGN_CUSTOMER = command("customers.assign_customer", AssignCustomer, CustomerLine, "customer:assign")
TRANSFER_CUSTOMER = command("customers.transfer_customer", TransferCustomer, CustomerLine, "customer:transfer")
TAKE_BACK = command("customers.take_back", TakeBack, TakenBack, "customer:reclaim")
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
