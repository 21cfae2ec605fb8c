"""Which fields of a customer who sees and changes: headquarters' policy, what comes of it for the caller, and reveals."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, field_validator

from services.contracts.base import (
    Command,
    Event,
    Line,
    Message,
    Nothing,
    Page,
    PageQuery,
    Personal,
    View,
    command,
    query,
)
from services.contracts.permissions import RoleName

POLICY_ID = UUID("0b6c1f52-7f0e-5d0b-9a4e-3f1c2d6a8e41")
"""The policy is one thing, of which versions are told and audited."""

RestrictedField = Literal["phone", "fax", "email", "address", "contact_person", "website", "credit_code", "needs", "size"]
RevealedField = Literal["phone", "fax", "email"]
Relation = Literal["own", "overseen"]
"""How somebody stands to a customer that he may see. `own`: he holds it. `overseen`: it is within his scope."""
Level = Literal["hidden", "masked", "read", "edit"]
"""From narrow to wide. `hidden`: null. `masked`: enough to recognise, 138****1234. `edit` takes the right to change customers."""
Levels = dict[RestrictedField, Level]

OWN: Levels = {
    "phone": "edit",
    "fax": "edit",
    "email": "edit",
    "address": "edit",
    "contact_person": "edit",
    "website": "edit",
    "credit_code": "edit",
    "needs": "edit",
    "size": "edit",
}
OVERSEEN: Levels = {
    "phone": "masked",
    "fax": "masked",
    "email": "masked",
    "address": "read",
    "contact_person": "read",
    "website": "read",
    "credit_code": "read",
    "needs": "read",
    "size": "read",
}
ROLES: tuple[RoleName, ...] = ("rep", "supervisor", "manager", "agency_admin", "subsystem_admin", "auditor")
REVEALS_A_DAY = 20


class RestrictedView(View):
    """What carries fields that are not everybody's to see."""

    restricted: dict[RestrictedField, Literal["hidden", "masked"]] = Field(
        default={}, description="The fields that are not shown as they are; `hidden` ones are null."
    )


# --- the policy


class FieldLevels(Message):
    """Of one role. What is not given is as by default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    own: Levels = Field(default=OWN, validate_default=True)
    overseen: Levels = Field(default=OVERSEEN, validate_default=True)

    @field_validator("own", mode="before")
    @classmethod
    def fill_up_own(cls, given: Any) -> Any:
        return {**OWN, **given} if isinstance(given, dict) else given

    @field_validator("overseen", mode="before")
    @classmethod
    def fill_up_overseen(cls, given: Any) -> Any:
        return {**OVERSEEN, **given} if isinstance(given, dict) else given


DailyReveals = Annotated[int, Field(ge=0, le=10_000)]


class FieldPolicy(Message):
    """Headquarters' setting: what each role sees of customers, and how many fields a day it may reveal to one person.

    Who has several roles has the widest level and the highest number. What is not given is as by default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    levels: dict[RoleName, FieldLevels] = Field(default={}, validate_default=True)
    reveals_a_day: dict[RoleName, DailyReveals] = Field(default={}, validate_default=True)

    @field_validator("levels", mode="before")
    @classmethod
    def fill_up_levels(cls, given: Any) -> Any:
        return {**dict.fromkeys(ROLES, FieldLevels()), **given} if isinstance(given, dict) else given

    @field_validator("reveals_a_day", mode="before")
    @classmethod
    def fill_up_reveals(cls, given: Any) -> Any:
        return {**dict.fromkeys(ROLES, REVEALS_A_DAY), **given} if isinstance(given, dict) else given


class FieldPolicyView(View):
    """The policy as it was set; `version` 0 are the defaults, which nobody has set."""

    version: int
    policy: FieldPolicy
    set_by: str | None = None
    set_by_name: str | None = None
    set_at: datetime | None = None


class SetFieldPolicy(Command):
    """Replaces the policy if it is still in `expected_version`; it counts from the next request on, everywhere."""

    expected_version: Annotated[int, Field(ge=0)]
    policy: FieldPolicy


class OwnLevels(View):
    """What the caller himself sees and may change, by all of his roles together, in the policy of this `version`."""

    version: int
    own: Levels
    overseen: Levels
    searchable: list[RestrictedField] = Field(description="By which he may filter, search and sort.")
    reveals_a_day: int = Field(description="0 for who may not reveal.")
    revealed_today: int


# --- revealing


class Reveal(Command):
    field: RevealedField
    reason: Line


class RevealField(Reveal):
    """Shows a masked field as it is, once, for a reason."""

    customer_id: UUID


class RevealView(View):
    """`value` as it is now. A repetition under the same key gives it again on the same day; later it is null."""

    id: UUID
    customer_id: UUID
    field: RevealedField
    value: Annotated[str, Personal()] | None = None
    at: datetime
    is_counted: bool = Field(description="False when the caller has revealed this field of this customer today already.")
    revealed_today: int
    reveals_a_day: int


class ListReveals(PageQuery):
    """The newest first; of one customer, or of one person who revealed, when given."""

    customer_id: UUID | None = None
    person_id: UUID | None = None


class RevealLine(View):
    """Who revealed what of whom when and why; never the value."""

    id: UUID
    at: datetime
    person_id: UUID
    person_name: str
    customer_id: UUID
    field: RevealedField
    reason: str


SHOW_FIELD_POLICY = query("customers.show_field_policy", Nothing, FieldPolicyView, "field:configure")
SET_FIELD_POLICY = command("customers.set_field_policy", SetFieldPolicy, FieldPolicyView, "field:configure")
LIST_FIELD_POLICIES = query("customers.list_field_policies", PageQuery, Page[FieldPolicyView], "field:configure")
SHOW_OWN_LEVELS = query("customers.show_own_levels", Nothing, OwnLevels, "policy:read")
REVEAL_FIELD = command("customers.reveal_field", RevealField, RevealView, "field:reveal")
LIST_REVEALS = query("customers.list_reveals", ListReveals, Page[RevealLine], "reveal:read")


# --- events


class FieldPolicySet(Event, source="customers"):
    """The policy has changed; the aggregate is `POLICY_ID`, its version the policy's.

    It may name what only newer readers know.
    """

    policy: dict[str, Any]
    set_by: str


class FieldRevealed(Event, source="customers"):
    """Somebody has had a masked field of a customer shown; what it was is told to nobody else."""

    reveal_id: UUID
    customer_id: UUID
    person_id: UUID
    field: RevealedField
    is_counted: bool
