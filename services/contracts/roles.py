"""Roles: the built-in ones, and those that administrators make."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, field_validator, model_validator

from services.contracts.base import Command, Event, Line, Message, Page, PageQuery, Query, Text, View, command, query
from services.contracts.identity import RoleKey
from services.contracts.permissions import ROLES, Permission, Scope, scopes_of


class RoleGrant(Message):
    """One permission of a role. `department_ids` belong to the scope `listed`, and count with those below them."""

    permission: Permission
    scope: Scope
    department_ids: Annotated[tuple[UUID, ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def has_meaning(self) -> "RoleGrant":
        if not any(self.permission in grants for grants in ROLES.values()):
            raise ValueError("no person can hold this permission")
        if self.scope not in scopes_of(self.permission):
            fitting = ", ".join(scope.value for scope in Scope if scope in scopes_of(self.permission))
            raise ValueError(f"this permission has no meaning with this scope, but with: {fitting}")
        if (self.scope is Scope.LISTED) != bool(self.department_ids):
            raise ValueError("the scope listed, and no other one, names departments")
        return self


def each_once(grants: tuple[RoleGrant, ...]) -> tuple[RoleGrant, ...]:
    if len({grant.permission for grant in grants}) != len(grants):
        raise ValueError("each permission may stand once")
    return tuple(sorted(grants, key=lambda grant: grant.permission))


class RoleFields(Command):
    """What it grants, and what is expected of who has it (岗位描述)."""

    name: Line
    duties: Text | None = None
    skills: Text | None = None
    performance_standard: Text | None = None
    grants: Annotated[tuple[RoleGrant, ...], Field(min_length=1, max_length=100)]

    _once = field_validator("grants")(each_once)


class CreateRole(RoleFields):
    """Of the caller's agency unless another one is given. Those of headquarters may be given in every agency."""

    agency_id: UUID | None = None


class RoleChanges(Command):
    """What is given is changed, what is absent stays."""

    name: Line | None = None
    duties: Text | None = None
    skills: Text | None = None
    performance_standard: Text | None = None
    grants: Annotated[tuple[RoleGrant, ...], Field(min_length=1, max_length=100)] | None = None

    @field_validator("grants")
    @classmethod
    def grants_each_once(cls, given: tuple[RoleGrant, ...] | None) -> tuple[RoleGrant, ...] | None:
        return given and each_once(given)


class UpdateRole(RoleChanges):
    """Changes a role that is still in `expected_version`; felt by all who have it within a second, in open sessions too."""

    role_id: UUID
    expected_version: Annotated[int, Field(ge=1)]


class ArchiveRole(Command):
    """Nobody may have it any more; it stays to be read."""

    role_id: UUID


class ShowRole(Query):
    role: RoleKey


class ListRoles(PageQuery):
    """The built-in ones first, then those of the agency and of headquarters in the order in which they were made."""

    archived: bool = False


class RoleView(View):
    """A built-in role has no agency, and is read only."""

    id: RoleKey
    version: int
    agency_id: UUID | None
    is_built_in: bool
    is_common: bool = Field(description="May be given in every agency.")
    name: str
    duties: str | None
    skills: str | None
    performance_standard: str | None
    grants: list[RoleGrant]
    created_at: datetime | None
    archived_at: datetime | None


LIST_ROLES = query("identity.list_roles", ListRoles, Page[RoleView], "role:read")
SHOW_ROLE = query("identity.show_role", ShowRole, RoleView, "role:read")
CREATE_ROLE = command("identity.create_role", CreateRole, RoleView, "role:manage")
UPDATE_ROLE = command("identity.update_role", UpdateRole, RoleView, "role:manage")
ARCHIVE_ROLE = command("identity.archive_role", ArchiveRole, RoleView, "role:manage")


class RoleChanged(Event, source="identity"):
    """Full state of a role that was made, changed or archived."""

    role_id: UUID
    agency_id: UUID
    is_common: bool
    name: str
    duties: str | None = None
    skills: str | None = None
    performance_standard: str | None = None
    grants: list[RoleGrant]
    is_archived: bool = False
