"""Agencies (代理商) and the tree of departments (部门) under each."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from services.contracts.base import Command, Event, Line, Page, PageQuery, Query, View, command, query
from services.contracts.identity import RoleKey

DepartmentKind = Literal["company", "branch", "office", "department", "team"]
"""公司, 分公司, 办事处, 部门, 小组. It says what a node is called; rights do not depend on it."""
DepartmentStatus = Literal["active", "frozen", "merged"]
Ceiling = Annotated[tuple[RoleKey, ...], Field(max_length=50)]
Version = Annotated[int, Field(ge=1)]

MOST_LEVELS = 12


# --- agencies


class AddAgency(Command):
    name: Line


class ShowAgency(Query):
    agency_id: UUID


class AgencyChanges(Command):
    """The names of the agency's departments change with its own."""

    name: Line


class UpdateAgency(AgencyChanges):
    agency_id: UUID
    expected_version: Version


class FreezeAgency(Command):
    """Lets none of its people in any more and ends their sessions. All that they hold stays."""

    agency_id: UUID


class ThawAgency(Command):
    agency_id: UUID


class AgencyView(View):
    id: UUID
    version: int
    name: str
    is_headquarters: bool
    is_frozen: bool


# --- departments


class AddDepartment(Command):
    """The system puts the agency's name in front of the department's, never twice.

    `ceiling` are the roles that its members may be granted at most, all without it.
    """

    agency_id: UUID
    name: Line
    kind: DepartmentKind = "department"
    parent_id: UUID | None = None
    ceiling: Ceiling | None = None


class ShowDepartment(Query):
    department_id: UUID


class ListDepartments(PageQuery):
    """`parent_id`: those right below it. `is_top`: those below none, or below one."""

    agency_id: UUID | None = None
    parent_id: UUID | None = None
    is_top: bool | None = None
    status: DepartmentStatus | None = None


class DepartmentChanges(Command):
    """What is given is changed, what is absent stays."""

    name: Line | None = None
    kind: DepartmentKind | None = None


class UpdateDepartment(DepartmentChanges):
    department_id: UUID
    expected_version: Version


class NewParent(Command):
    """Null for a place below no other department."""

    parent_id: UUID | None


class MoveDepartment(NewParent):
    """With all that is below it."""

    department_id: UUID


class MergeTarget(Command):
    into_id: UUID


class MergeDepartment(MergeTarget):
    """Gives its people, the departments below it and whatever else refers to it to another one of the same agency, for good."""

    department_id: UUID


class FreezeDepartment(Command):
    """It takes nobody and no department any more. Those who are in it go on as before."""

    department_id: UUID


class ThawDepartment(Command):
    department_id: UUID


class DepartmentView(View):
    id: UUID
    version: int
    agency_id: UUID
    parent_id: UUID | None
    kind: DepartmentKind
    name: str
    path: str = Field(description="Ids from the root to this department, joined by dots.")
    ceiling: list[str] | None = Field(description="The roles that its members may be granted; all when null.")
    status: DepartmentStatus
    merged_into_id: UUID | None = Field(description="Where its people are, once it is `merged`.")


class MergedDepartment(View):
    """What is left of the department, and how many now have the other one instead: people, departments below it, and what gives a
    sight of both of them from now on, which are managers, grants on its records, and scopes of roles that listed it."""

    department: DepartmentView
    people: int
    departments: int
    managers: int
    grants: int = Field(default=0, description="That are live.")
    scopes: int = Field(default=0, description="Of roles; each permission of a role has one.")


ADD_AGENCY = command("identity.add_agency", AddAgency, AgencyView, "agency:create")
LIST_AGENCIES = query("identity.list_agencies", PageQuery, Page[AgencyView], "agency:read")
SHOW_AGENCY = query("identity.show_agency", ShowAgency, AgencyView, "agency:read")
FIND_AGENCY = query("identity.find_agency", ShowAgency, AgencyView, "place:read")
"""For services, as is `FIND_DEPARTMENT`: of what they have not heard yet."""
UPDATE_AGENCY = command("identity.update_agency", UpdateAgency, AgencyView, "agency:update")
FREEZE_AGENCY = command("identity.freeze_agency", FreezeAgency, AgencyView, "agency:freeze")
THAW_AGENCY = command("identity.thaw_agency", ThawAgency, AgencyView, "agency:freeze")
ADD_DEPARTMENT = command("identity.add_department", AddDepartment, DepartmentView, "department:create")
LIST_DEPARTMENTS = query("identity.list_departments", ListDepartments, Page[DepartmentView], "department:read")
SHOW_DEPARTMENT = query("identity.show_department", ShowDepartment, DepartmentView, "department:read")
FIND_DEPARTMENT = query("identity.find_department", ShowDepartment, DepartmentView, "place:read")
UPDATE_DEPARTMENT = command("identity.update_department", UpdateDepartment, DepartmentView, "department:update")
MOVE_DEPARTMENT = command("identity.move_department", MoveDepartment, DepartmentView, "department:move")
MERGE_DEPARTMENT = command("identity.merge_department", MergeDepartment, MergedDepartment, "department:merge")
FREEZE_DEPARTMENT = command("identity.freeze_department", FreezeDepartment, DepartmentView, "department:freeze")
THAW_DEPARTMENT = command("identity.thaw_department", ThawDepartment, DepartmentView, "department:freeze")


# --- events


class AgencyAdded(Event, source="identity"):
    """Full state. `is_frozen` came later: older events stand for false."""

    agency_id: UUID
    name: str
    is_headquarters: bool
    is_frozen: bool = False


class AgencyChanged(AgencyAdded, source="identity"):
    """Full state after the change; `change` says which it was."""

    change: Literal["updated", "frozen", "thawed"]


class DepartmentAdded(Event, source="identity"):
    """Full state. `kind` and what follows `path` came later.

    `path` was right at this moment: the moves of departments above it change it without an event of its own.
    """

    department_id: UUID
    agency_id: UUID
    parent_id: UUID | None
    kind: DepartmentKind = "department"
    name: str
    path: str
    ceiling: tuple[str, ...] | None = None
    status: DepartmentStatus = "active"
    merged_into_id: UUID | None = None


class DepartmentChanged(DepartmentAdded, source="identity"):
    """Full state after the change; `change` says which it was. All below one that was `moved` have moved with it."""

    change: Literal["updated", "moved", "merged", "frozen", "thawed"]
