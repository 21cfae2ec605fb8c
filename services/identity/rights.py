"""What somebody may, and by what: every source of rights is collected here, in one place.

A new source is one more `Source` in `sources_of`, from columns that `COLUMNS` reads in the same round trip.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, any_, func, or_, select

from services.contracts.permissions import OF_EVERYBODY, ROLES, Permission, Scope
from services.contracts.reach import Grants, Listed, Mixed, Reach, listing, union_of
from services.identity.models import GroupAdmin, Person, Role, RowGrant, SalesGroup


@dataclass(frozen=True)
class Source:
    """One thing that gives a person rights; `until` is its end, which each of its reaches carries as well."""

    kind: Literal["everybody", "role", "grant", "group"]
    key: str
    name: str
    grants: Grants
    until: datetime | None = None


class Facts(Protocol):
    """What rights are made of: a person's columns and `COLUMNS`."""

    @property
    def roles(self) -> Sequence[str]: ...
    @property
    def custom_roles(self) -> Sequence[dict[str, Any]]: ...
    @property
    def row_grants(self) -> Sequence[dict[str, Any]]: ...
    @property
    def groups(self) -> Sequence[dict[str, Any]]: ...


def rows_of(query: Any) -> ColumnElement[Any]:
    """As one JSON array, empty when there are none."""
    rows = query.subquery()
    whole = select(func.coalesce(func.jsonb_agg(func.to_jsonb(rows.table_valued())), func.jsonb_build_array()))
    return whole.scalar_subquery()


IS_LIVE = (RowGrant.withdrawn_at.is_(None), or_(RowGrant.until.is_(None), RowGrant.until > func.clock()))
CUSTOM_ROLES = select(Role.key, Role.name, Role.grants).where(Role.key == any_(Person.roles)).correlate(Person)
ROW_GRANTS = (
    select(RowGrant.id, RowGrant.permission, RowGrant.department_id, RowGrant.about_id, RowGrant.until)
    .where(RowGrant.person_id == Person.id, *IS_LIVE)
    .correlate(Person)
)
GROUPS = (
    select(SalesGroup.id, SalesGroup.name, GroupAdmin.rights)
    .join(GroupAdmin, GroupAdmin.group_id == SalesGroup.id)
    .where(GroupAdmin.person_id == Person.id, ~SalesGroup.is_dissolved)
    .correlate(Person)
)
COLUMNS = (
    Person.roles,
    rows_of(CUSTOM_ROLES).label("custom_roles"),
    rows_of(ROW_GRANTS).label("row_grants"),
    rows_of(GROUPS).label("groups"),
)
"""Of the table of people: every source of rights."""


def rights_of(facts: Facts) -> Grants:
    """All that somebody may, by every source."""
    return union_of(source.grants for source in sources_of(facts))


def sources_of(facts: Facts) -> list[Source]:
    return [
        Source("everybody", "everybody", "everybody", OF_EVERYBODY),
        *(Source("role", key, key, ROLES[key]) for key in facts.roles if key in ROLES),
        *(Source("role", role["key"], role["name"], grants_of_role(role["grants"])) for role in facts.custom_roles),
        *(source_of_grant(grant) for grant in facts.row_grants),
        *(Source("group", each["id"], each["name"], grants_of_group(UUID(each["id"]), each["rights"])) for each in facts.groups),
    ]


OF_GROUPS: dict[str, tuple[Permission, ...]] = {
    "see_customers": ("customer:read",),
    "see_work": ("day:read", "deadline:read", "note:read"),
}
"""Of which rights in a sales group something may be seen of its members; the others are asked for where they count."""


def grants_of_group(group_id: UUID, rights: Iterable[str]) -> Grants:
    """Of who looks after a sales group."""
    reach = Mixed(groups=frozenset({group_id}))
    return {permission: reach for right in rights for permission in OF_GROUPS.get(right, ())}


def grants_of_role(grants: Iterable[dict[str, Any]]) -> Grants:
    """Of a role that was made, as it is kept."""
    found: dict[Permission, Reach] = {}
    for grant in grants:
        scope = Scope(grant["scope"])
        is_listed = scope is Scope.LISTED
        found[grant["permission"]] = listing(map(UUID, grant["department_ids"])) if is_listed else scope
    return found


def scopes_of_role(key: str, custom: dict[str, list[dict[str, Any]]]) -> dict[Permission, Scope]:
    """Of a built-in or another role."""
    return ROLES[key] if key in ROLES else {grant["permission"]: Scope(grant["scope"]) for grant in custom[key]}


def permissions_of_roles(keys: Iterable[str], custom: dict[str, list[dict[str, Any]]]) -> dict[str, Collection[Permission]]:
    """By role; none of one that is not there any more."""
    return {key: scopes_of_role(key, custom).keys() if key in ROLES or key in custom else () for key in keys}


def source_of_grant(grant: dict[str, Any]) -> Source:
    until = datetime.fromisoformat(grant["until"]) if grant["until"] else None
    listed = frozenset({Listed(UUID(grant["department_id"] or grant["about_id"]), until)})
    reach = Mixed(departments=listed) if grant["department_id"] else Mixed(people=listed)
    return Source("grant", grant["id"], grant["permission"], {grant["permission"]: reach}, until)
