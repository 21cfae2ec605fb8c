"""Sales groups (销售组): colleagues of an agency who work together across departments, and who looks after them."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from services.contracts.base import Command, Event, Line, Message, Page, PageQuery, Query, View, command, query

GroupRight = Literal["assign_tasks", "change_rights", "manage_members", "see_customers", "see_work"]
"""see_customers: the customers that the members hold. see_work: their days and deadlines, and with see_customers their notes.
manage_members: adds and removes members. assign_tasks: gives the members tasks and edits them. change_rights: gives, changes and
takes the rights of other admins, as far as his own go."""
GroupRights = Annotated[
    tuple[GroupRight, ...], Field(min_length=1, max_length=5), AfterValidator(lambda given: tuple(sorted(set(given))))
]
MOST_MEMBERS, MOST_ADMINS = 200, 20


class NewGroup(Command):
    """Of the caller's agency unless another one is given."""

    name: Line
    agency_id: UUID | None = None


class GroupChanges(Command):
    name: Line


class UpdateGroup(GroupChanges):
    group_id: UUID
    expected_version: Annotated[int, Field(ge=1)]


class DissolveGroup(Command):
    """Ends all rights in it. It stays to be read."""

    group_id: UUID


class ShowGroup(Query):
    group_id: UUID


class ListGroups(PageQuery):
    """`person_id`: those in which somebody is a member or an admin. Dissolved ones only on demand."""

    agency_id: UUID | None = None
    person_id: UUID | None = None
    dissolved: bool = False


class AddGroupMember(Command):
    group_id: UUID
    person_id: UUID


class RemoveGroupMember(Command):
    group_id: UUID
    person_id: UUID


class GroupAdminRights(Command):
    rights: GroupRights


class PutGroupAdmin(GroupAdminRights):
    """Gives somebody these rights in the place of those that he had. He need not be a member."""

    group_id: UUID
    person_id: UUID


class RemoveGroupAdmin(Command):
    group_id: UUID
    person_id: UUID


class GroupMember(View):
    person_id: UUID
    person_name: str


class GroupAdmin(GroupMember):
    rights: list[GroupRight]


class GroupLine(View):
    id: UUID
    version: int
    agency_id: UUID
    name: str
    is_dissolved: bool


class GroupView(GroupLine):
    members: list[GroupMember]
    admins: list[GroupAdmin]


ADD_GROUP = command("identity.add_group", NewGroup, GroupView, "group:create")
UPDATE_GROUP = command("identity.update_group", UpdateGroup, GroupView, "group:create")
DISSOLVE_GROUP = command("identity.dissolve_group", DissolveGroup, GroupView, "group:create")
LIST_GROUPS = query("identity.list_groups", ListGroups, Page[GroupLine], "group:read")
SHOW_GROUP = query("identity.show_group", ShowGroup, GroupView, "group:read")
ADD_GROUP_MEMBER = command("identity.add_group_member", AddGroupMember, GroupView, "group:manage")
REMOVE_GROUP_MEMBER = command("identity.remove_group_member", RemoveGroupMember, GroupView, "group:manage")
PUT_GROUP_ADMIN = command("identity.put_group_admin", PutGroupAdmin, GroupView, "group:manage")
REMOVE_GROUP_ADMIN = command("identity.remove_group_admin", RemoveGroupAdmin, GroupView, "group:manage")


class AdminState(Message):
    person_id: UUID
    rights: list[GroupRight]


class GroupChanged(Event, source="identity"):
    """Full state of a group that was made, changed or dissolved."""

    group_id: UUID
    agency_id: UUID
    name: str
    member_ids: list[UUID]
    admins: list[AdminState]
    is_dissolved: bool = False
