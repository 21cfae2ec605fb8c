"""Pools, where customers lie whom nobody holds: who works in them, what they hide, what a claim must satisfy, moves."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, model_validator

from services.contracts.base import (
    Command,
    Event,
    Line,
    Message,
    Moment,
    Nothing,
    Page,
    PageQuery,
    Query,
    View,
    command,
    query,
)
from services.contracts.customers import CustomerLine, PoolKind, Source

HideableField = Literal["city", "industry", "province", "reason", "source"]
HiddenFields = Annotated[tuple[HideableField, ...], Field(max_length=5)]


class ClaimRules(Message):
    """What a claim from a pool must satisfy; a rule that is absent or null asks for nothing.

    Days of `claims_per_day` are calendar days of the agency's time zone; all the rest is exact to the instant.
    """

    claims_per_day: Annotated[int, Field(ge=1, le=1_000)] | None = Field(
        default=None, description="How many a person may claim from this pool on one day."
    )
    claim_interval_minutes: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        default=None, description="How long a person waits after a claim from this pool before the next one."
    )
    cool_down_days: Annotated[int, Field(ge=1, le=3_650)] | None = Field(
        default=None, description="How long who released a customer, or had it taken back, cannot claim it again."
    )
    protected_hours: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        default=None, description="How long a customer must have lain in this pool before anybody claims it."
    )
    transfer_cap: Annotated[int, Field(ge=1, le=1_000)] | None = Field(
        default=None, description="A customer that has come to another holder so often can only be assigned."
    )


class ClaimRulesChange(ClaimRules, Command):
    """Replaces all of them: what is not given is no rule any more."""


# --- the pools


class ListPools(PageQuery):
    """`archived`: those that are no more, as far as one manages pools."""

    archived: bool = False


class ShowPool(Query):
    pool_id: UUID


class PoolView(View):
    """A pool as the caller has it: whether he may claim from it, and assign from it and put into it (`may_administer`).

    Version 0 is a pool as every agency has it, of which nothing was set yet.
    """

    id: UUID
    version: int
    agency_id: UUID
    kind: PoolKind
    name: str
    may_claim: bool
    may_administer: bool
    has_members: bool = Field(description="Then they alone see it and claim from it; else every rep of the agency does.")
    hidden_fields: list[HideableField]
    claim_rules: ClaimRules
    archived_at: datetime | None


class CreatePool(Command):
    """A pool of kind `custom`, of the caller's agency unless headquarters names another one."""

    name: Line
    agency_id: UUID | None = None
    hidden_fields: HiddenFields = ()
    claim_rules: ClaimRulesChange = ClaimRulesChange()


class PoolChanges(Command):
    """What is given is changed, what is absent stays. Only custom pools have another name; all have settings."""

    name: Line | None = None
    hidden_fields: HiddenFields = ()
    claim_rules: ClaimRulesChange = ClaimRulesChange()

    @model_validator(mode="after")
    def refuse_nameless(self) -> "PoolChanges":
        if "name" in self.model_fields_set and self.name is None:
            raise ValueError("a pool has a name")
        return self


class ChangePool(PoolChanges):
    """Changes the pool if it is still in `expected_version`."""

    pool_id: UUID
    expected_version: Annotated[int, Field(ge=0)]


class ArchivePool(Command):
    """Ends a custom pool in which nothing lies."""

    pool_id: UUID


class ListPoolMembers(PageQuery):
    pool_id: UUID


class PoolMemberView(View):
    """Somebody who works in a custom pool; `id` is the person's."""

    id: UUID
    name: str
    is_admin: bool
    since: datetime


class Membership(Command):
    """A pool admin assigns from the pool, puts into it, and has its members come and go; only who manages pools makes admins."""

    is_admin: bool = False


class SetPoolMember(Membership):
    pool_id: UUID
    person_id: UUID


class RemovePoolMember(Command):
    pool_id: UUID
    person_id: UUID


# --- what lies in them


class ListPoolCustomers(PageQuery):
    pool_id: UUID


class PooledCustomer(View):
    """A customer in a pool, as those see it who may claim it: without its ways to be reached, and without what the pool hides.

    Who administers the pool is shown the hidden fields.
    """

    id: UUID
    name: str
    province: str | None
    city: str | None
    industry: str | None
    source: Source | None
    is_key: bool
    pooled_since: datetime
    reason: str | None
    hidden_fields: list[HideableField] = Field(description="What is null here because the pool hides it.")


class MoveCustomer(Command):
    """Moves a customer from one pool of an agency to another one of the same agency."""

    customer_id: UUID
    pool_id: UUID
    reason: Line | None = None


LIST_POOLS = query("customers.list_pools", ListPools, Page[PoolView], "pool:read")
SHOW_POOL = query("customers.show_pool", ShowPool, PoolView, "pool:read")
CREATE_POOL = command("customers.create_pool", CreatePool, PoolView, "pool:manage")
CHANGE_POOL = command("customers.change_pool", ChangePool, PoolView, "pool:manage")
ARCHIVE_POOL = command("customers.archive_pool", ArchivePool, PoolView, "pool:manage")
LIST_POOL_MEMBERS = query("customers.list_pool_members", ListPoolMembers, Page[PoolMemberView], "pool:read")
SET_POOL_MEMBER = command("customers.set_pool_member", SetPoolMember, PoolMemberView, "pool:administer")
REMOVE_POOL_MEMBER = command("customers.remove_pool_member", RemovePoolMember, Nothing, "pool:administer")
LIST_POOL_CUSTOMERS = query("customers.list_pool_customers", ListPoolCustomers, Page[PooledCustomer], "pool:read")
MOVE_CUSTOMER = command("customers.move_customer", MoveCustomer, CustomerLine, "pool:administer")


# --- events


class PoolChanged(Event, source="customers"):
    """Full state of a pool after somebody has created, changed or archived it, or changed who works in it."""

    pool_id: UUID
    kind: PoolKind
    name: str
    archived_at: Moment | None
    hidden_fields: list[str]
    claim_rules: ClaimRules
    member_ids: list[UUID]
    admin_ids: list[UUID]
