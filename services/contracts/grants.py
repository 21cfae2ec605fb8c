"""Row grants: one permission on the records of one department or person, given to a colleague until a moment."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator

from services.contracts.base import Command, Event, Moment, Nothing, Page, PageQuery, View, command, query
from services.contracts.permissions import OF_RECORDS, Permission


def of_records(permission: Permission) -> Permission:
    if permission not in OF_RECORDS:
        raise ValueError("this permission does not count on somebody's records")
    return permission


class RowGrant(Command):
    """On whose records: `department_id` stands for its people and those of the departments below it, as they are at each moment.
    Without `until` it counts until it is withdrawn."""

    permission: Annotated[Permission, AfterValidator(of_records)]
    department_id: UUID | None = None
    person_id: UUID | None = None
    until: Moment | None = None

    @model_validator(mode="after")
    def is_about_one(self) -> "RowGrant":
        if (self.department_id is None) == (self.person_id is None):
            raise ValueError("name either a department or a person")
        return self


class GiveGrant(RowGrant):
    """Who gives it holds the permission there himself, for as long."""

    user_id: UUID


class WithdrawGrant(Command):
    """By who gave it, or who may give there. One that is over stays as it is."""

    user_id: UUID
    grant_id: UUID


class GrantFilter(PageQuery):
    """In the order in which they were given. `live`: those that count now."""

    state: Literal["live", "all"] = "live"


class ListGrants(GrantFilter):
    user_id: UUID


class GrantView(View):
    id: UUID
    user_id: UUID
    permission: Permission
    department_id: UUID | None
    person_id: UUID | None
    until: datetime | None
    is_live: bool = Field(description="Neither over nor withdrawn.")
    given_by: UUID
    given_at: datetime
    withdrawn_by: UUID | None
    withdrawn_at: datetime | None


GIVE_GRANT = command("identity.give_grant", GiveGrant, GrantView, "grant:give")
WITHDRAW_GRANT = command("identity.withdraw_grant", WithdrawGrant, Nothing, "grant:give")
LIST_GRANTS = query("identity.list_grants", ListGrants, Page[GrantView], "grant:read")


class GrantChanged(Event, source="identity"):
    """Full state: a grant was given or withdrawn. That its time is up nobody tells: a reader compares with the clock. `about_id`
    is on whose records it counts."""

    grant_id: UUID
    user_id: UUID
    permission: Permission
    department_id: UUID | None = None
    about_id: UUID | None = None
    until: Moment | None = None
    given_by: UUID
    withdrawn_by: UUID | None = None
