"""Web-registered members (网上注册会员): the sources that send them, what became of each, and whose turn it is to receive one."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from services.contracts.base import (
    Command,
    Event,
    Line,
    Moment,
    Page,
    PageQuery,
    Phone,
    Query,
    Text,
    View,
    command,
    query,
)
from services.contracts.collision import Email, Website
from services.contracts.customers import ShownPhone
from services.contracts.fields import RestrictedView

# --- members


class MemberFields(Command):
    """Somebody who has registered. At least one way to reach him is needed, `phone` or `email`.

    `registered_at` is when he did, and when we heard of it where it is not given. `external_id` is what the sender calls him.
    """

    name: Line = Field(description="The company's.")
    contact_person: Line | None = None
    phone: Phone | None = None
    email: Email | None = None
    province: Line | None = None
    city: Line | None = None
    website: Website | None = None
    industry: Line | None = None
    needs: Text | None = None
    registered_at: Moment | None = None
    external_id: Line | None = None

    @model_validator(mode="after")
    def refuse_unreachable(self) -> "MemberFields":
        if self.phone is None and self.email is None:
            raise ValueError("give a phone or an email")
        return self


class ReceiveMember(MemberFields):
    """What a source has sent; who asks has seen that it was the source."""

    source_id: UUID


MemberOutcome = Literal["entered", "assigned", "known"]
"""What a member turned out to be. `entered`: a new customer. `assigned`: one that lay in a pool and was given to somebody.
`known`: one that stays where it is, so nothing was made or moved."""
MemberReason = Literal[
    "no_territory",
    "nobody_left",
    "held_by_colleague",
    "held_by_other_agency",
    "in_public_pool",
    "in_agency_pool",
    "in_other_agency_pool",
    "held_by_telesales",
    "held_by_industry",
]
"""Why nobody received it. `no_territory`: no agency has the place, it lies with headquarters. `nobody_left`: everybody whose turn
it could be has a full stock. The others say, of a known one, where it is, as seen by the agency that has the arrival."""


class MemberReceipt(View):
    """All that a sender learns: whether a company is known is not for it to know."""

    id: UUID
    received_at: datetime


class MemberLine(RestrictedView):
    """A member that has arrived. `person_id` is who received it, or of a known one who held it then.

    Others see how to reach it as they see it of a customer.
    """

    id: UUID
    agency_id: UUID
    source_id: UUID | None = Field(description="Null when it was sent by a user.")
    source_name: str | None
    external_id: str | None
    received_at: datetime
    registered_at: datetime
    name: str
    contact_person: str | None
    phone: ShownPhone | None
    email: ShownPhone | None
    province: str | None
    city: str | None
    outcome: MemberOutcome
    reason: MemberReason | None
    customer_id: UUID | None = Field(description="Null for a known one of another agency.")
    person_id: UUID | None
    person_name: str | None


class MemberView(MemberLine):
    """With all that the member has told."""

    website: str | None
    industry: str | None
    needs: str | None


class ListMembers(PageQuery):
    """The newest first."""

    outcome: MemberOutcome | None = None


class ShowMember(Query):
    member_id: UUID


# --- sources


class NewMemberSource(Command):
    """`agency_id`: whose members they are, the caller's own when absent. Headquarters' are distributed by territory."""

    name: Line
    agency_id: UUID | None = None


class MemberSourceChanges(Command):
    """What is given is changed. What a disabled source sends is refused."""

    name: Line | None = None
    is_enabled: bool | None = None

    @model_validator(mode="after")
    def refuse_emptying(self) -> "MemberSourceChanges":
        if any(getattr(self, field) is None for field in self.model_fields_set & MemberSourceChanges.model_fields.keys()):
            raise ValueError("nothing of a source can be emptied")
        return self


class ChangeMemberSource(MemberSourceChanges):
    source_id: UUID
    expected_version: Annotated[int, Field(ge=1)]


class SecretRotation(Command):
    """A new secret. The one before is good for 24 hours more, unless it has leaked and shall end at once."""

    end_previous: bool = False


class RotateMemberSource(SecretRotation):
    source_id: UUID


class MemberSourceView(View):
    """Its secret is derived by the gateway from `key_version`; `previous_until` is how long the one before is good."""

    id: UUID
    version: int
    agency_id: UUID
    name: str
    is_enabled: bool
    by_territory: bool = Field(description="Of headquarters: each member goes to the agency that has its place.")
    key_version: int
    previous_until: datetime | None
    created_by: UUID
    created_at: datetime


class AskMemberSourceKeys(Query):
    source_id: UUID


class MemberSourceKeys(View):
    """Versions of the key that count now: none of a source that is disabled or not there."""

    versions: tuple[int, ...]


# --- territories


Place = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]
"""The code of a province, city or county (GB/T 2260): 320000 is Jiangsu, 321000 Yangzhou."""


class TerritoryChange(Command):
    """Replaces an agency's setting. Only headquarters changes `places`, so an agency's administrator sends them as they are.

    `assignees`: whose turn it can be, every active rep when null. `pooled` says what becomes of a member that is known and lies
    in a pool of the agency: it is given to the next in turn (`assign`), or stays (`leave`).
    """

    places: Annotated[tuple[Place, ...], Field(max_length=1_000)] = ()
    assignees: Annotated[tuple[UUID, ...], Field(max_length=1_000)] | None = None
    pooled: Literal["assign", "leave"] = "assign"


class SetTerritory(TerritoryChange):
    agency_id: UUID
    expected_version: Annotated[int, Field(ge=0)]


class AskTerritory(Query):
    agency_id: UUID


class NamedPlace(View):
    code: str
    name: str


class TerritoryView(View):
    """Version 0 is an agency for which nothing was set."""

    agency_id: UUID
    version: int
    places: list[NamedPlace]
    assignees: list[UUID] | None
    pooled: Literal["assign", "leave"]


CREATE_MEMBER = command("customers.create_member", MemberFields, MemberView, "member:create")
RECEIVE_MEMBER = command("customers.receive_member", ReceiveMember, MemberReceipt, "member:receive")
LIST_MEMBERS = query("customers.list_members", ListMembers, Page[MemberLine], "member:read")
SHOW_MEMBER = query("customers.show_member", ShowMember, MemberView, "member:read")
ADD_MEMBER_SOURCE = command("customers.add_member_source", NewMemberSource, MemberSourceView, "member:configure")
CHANGE_MEMBER_SOURCE = command("customers.change_member_source", ChangeMemberSource, MemberSourceView, "member:configure")
ROTATE_MEMBER_SOURCE = command("customers.rotate_member_source", RotateMemberSource, MemberSourceView, "member:configure")
LIST_MEMBER_SOURCES = query("customers.list_member_sources", PageQuery, Page[MemberSourceView], "member:configure")
SHOW_MEMBER_SOURCE_KEYS = query("customers.show_member_source_keys", AskMemberSourceKeys, MemberSourceKeys, "member:receive")
SHOW_TERRITORY = query("customers.show_territory", AskTerritory, TerritoryView, "territory:read")
SET_TERRITORY = command("customers.set_territory", SetTerritory, TerritoryView, "territory:set")


# --- events


class MemberArrived(Event, source="customers"):
    """A member has come in. `person_id` is who received it, or of a known one who holds it: a warm lead for him.

    `customer_id` is null of one that another agency has than the one that was sent the member.
    """

    member_id: UUID
    source_id: UUID | None = None
    name: str
    outcome: MemberOutcome
    reason: MemberReason | None = None
    customer_id: UUID | None = None
    person_id: UUID | None = None


class MemberSourceSet(Event, source="customers"):
    """A source was made, changed or given a new secret. Full state."""

    source_id: UUID
    name: str
    is_enabled: bool
    key_version: int
    previous_until: Moment | None = None


class TerritorySet(Event, source="customers"):
    """Where members come from that go to an agency, and to whom; the aggregate is the agency."""

    agency_id: UUID
    places: list[str]
    assignees: list[UUID] | None = None
    pooled: Literal["assign", "leave"]
