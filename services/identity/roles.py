"""Roles: the built-in ones are shown, others are made, changed and archived."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, or_, true

from services.contracts import roles as contract
from services.contracts.base import Page
from services.contracts.errors import (
    AboveYourRights,
    InvalidRequest,
    ManagedDepartmentsMissing,
    RoleArchived,
    RoleInUse,
    VersionConflict,
)
from services.contracts.permissions import ROLES, Scope, abilities_of
from services.contracts.reach import Place
from services.identity import domain, granting, queries
from services.identity.access import check_scope, found, refuse_empty
from services.identity.appointing import check_ceilings_of_all
from services.identity.models import Agency, Person, Role
from services.identity.people import tell_change
from services.identity.rights import grants_of_role, scopes_of_role
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.ids import new_id
from services.plumbing.rpc import serves
from services.plumbing.service import Service
from services.plumbing.work import Work

BUILT_IN = sorted(ROLES)


class Roles(Service):
    @serves(contract.LIST_ROLES)
    def list_roles(self, query: contract.ListRoles, call: Call) -> Page[contract.RoleView]:
        after = paging.decode_name_or_id(query.cursor)
        name, role_id = (after, None) if isinstance(after, str) else (None, after)
        built_in = [] if query.archived or role_id else [built_in_view(each) for each in BUILT_IN if name is None or each > name]
        with call.reading() as session:
            rows = queries.list_roles(session, usable(call), query.archived, role_id, query.limit + 1)
        views = [*built_in, *map(role_view, rows)]
        return paging.page(Page[contract.RoleView], views[: query.limit + 1], query.limit)

    @serves(contract.SHOW_ROLE)
    def show_role(self, query: contract.ShowRole, call: Call) -> contract.RoleView:
        if isinstance(query.role, str):
            return built_in_view(query.role)
        with call.reading() as session:
            return role_view(found(queries.find_role(session, query.role)))

    @serves(contract.CREATE_ROLE)
    def create_role(self, command: contract.CreateRole, call: Call) -> contract.RoleView:
        with call.transaction() as work:
            role = add_role(work, call, command)
            work.audit(role.id, agency_id=role.agency_id, new=role_view(role))
            return work.answer(role_view(role))

    @serves(contract.UPDATE_ROLE)
    def update_role(self, command: contract.UpdateRole, call: Call) -> contract.RoleView:
        refuse_empty(command, may_be_null={"duties", "skills", "performance_standard"})
        with call.transaction() as work:
            role = lock_changeable(work, call, command.role_id)
            if role.version != command.expected_version:
                raise VersionConflict(version=role.version)
            old = role_view(role)
            change_role(work, call, role, command)
            if role_view(role) != old:
                tell_role(work, role)
            work.audit(role.id, agency_id=role.agency_id, old=old, new=role_view(role))
            return work.answer(role_view(role))

    @serves(contract.ARCHIVE_ROLE)
    def archive_role(self, command: contract.ArchiveRole, call: Call) -> contract.RoleView:
        with call.transaction() as work:
            role = lock_changeable(work, call, command.role_id)
            if queries.has_holders(work.session, role.key):
                raise RoleInUse()
            old = role_view(role)
            role.archived_at = work.now
            tell_role(work, role)
            work.audit(role.id, agency_id=role.agency_id, old=old, new=role_view(role))
            return work.answer(role_view(role))


def usable(call: Call) -> ColumnElement[bool]:
    """Those of the own agency and of headquarters; of every agency by headquarters."""
    return true() if call.scope is Scope.ALL else or_(Role.is_common, Role.agency_id == call.caller.agency_id)


def add_role(work: Work, call: Call, command: contract.CreateRole) -> Role:
    """Raises NotFound, OutOfScope, AboveYourRights, InvalidRequest, NameTaken."""
    agency_id, role_id = command.agency_id or call.caller.agency_id, new_id()
    check_scope(call, agency_id)
    agency = found(queries.find_agency(work.session, agency_id))
    contents = kept(command.grants)
    check_contents(work, call, agency, contents)
    role = Role(
        id=role_id,
        key=str(role_id),
        agency_id=agency.id,
        is_common=agency.is_headquarters,
        grants=contents,
        version=0,
        created_at=work.now,
        **command.model_dump(include={"name", "duties", "skills", "performance_standard"}),
    )
    work.session.add(role)
    tell_role(work, role)
    return role


def lock_changeable(work: Work, call: Call, role_id: UUID) -> Role:
    """Raises NotFound, OutOfScope, AboveYourRights for what the caller could not give, RoleArchived."""
    queries.lock_role_alone(work.session, str(role_id))
    role = found(queries.find_role(work.session, role_id))
    agency = found(queries.find_agency(work.session, role.agency_id))
    if not role.is_common:
        check_scope(call, role.agency_id)
    check_contents(work, call, agency, role.grants)
    if role.archived_at:
        raise RoleArchived()
    return role


def change_role(work: Work, call: Call, role: Role, command: contract.UpdateRole) -> None:
    """Raises OwnAccount for who has the role himself and would change what it grants, besides those of its parts."""
    changes = command.model_dump(include=command.model_fields_set - {"role_id", "expected_version", "grants"})
    for name, value in changes.items():
        setattr(role, name, value)
    if command.grants is None or role.grants == kept(command.grants):
        return
    role.grants = kept(command.grants)
    check_contents(work, call, found(queries.find_agency(work.session, role.agency_id)), role.grants)
    work.session.flush()
    holders = queries.lock_holders(work.session, role.key)
    for holder in holders:
        domain.check_not_oneself(call.user_id, holder.id)
    follow(work, role, holders)


def follow(work: Work, role: Role, holders: Sequence[Person]) -> None:
    """What the role makes of those who have it. Raises AboveCeiling, ManagedDepartmentsMissing."""
    check_ceilings_of_all(work.session, grants_of_role(role.grants), holders)
    custom = {key: each.grants for key, each in queries.roles_by_key(work.session, {k for h in holders for k in h.roles}).items()}
    for person in holders:
        abilities = abilities_of(scopes_of_role(key, custom) for key in person.roles)
        if "oversees" in abilities and not person.managed_department_ids:
            raise ManagedDepartmentsMissing(reason="somebody who has this role oversees no department")
        if abilities != person.abilities:
            person.abilities = list(abilities)
            tell_change(work, person, "updated")


def check_contents(work: Work, call: Call, agency: Agency, grants: Sequence[dict[str, object]]) -> None:
    """Raises AboveYourRights, and InvalidRequest for departments of other agencies."""
    if agency.is_headquarters and call.scope is not Scope.ALL:
        raise AboveYourRights(reason="roles of headquarters are given in all agencies")
    place = Place(agency.id)
    granting.check_contents(call.caller, call.caller.grants, grants_of_role(grants), place, is_common=agency.is_headquarters)
    wrong = [
        {"in": "body", "pointer": f"/grants/{at}/department_ids", "detail": "a department is not of the role's agency"}
        for at, grant in enumerate(grants)
        if (named := list(map(UUID, grant["department_ids"])))  # type: ignore[call-overload]
        and not queries.departments_of(work.session, agency.id, named).issuperset(named)
    ]
    if wrong:
        raise InvalidRequest(errors=wrong)


def kept(grants: Iterable[contract.RoleGrant]) -> list[dict[str, object]]:
    return [grant.model_dump(mode="json") for grant in grants]


def tell_role(work: Work, role: Role) -> None:
    role.version += 1
    work.session.flush()
    fields = role_view(role).model_dump(include={"agency_id", "is_common", "name", "duties", "skills", "performance_standard"})
    event = contract.RoleChanged(role_id=role.id, grants=role.grants, is_archived=role.archived_at is not None, **fields)
    work.emit(event, aggregate_id=role.id, version=role.version, agency_id=role.agency_id)


def role_view(role: Role) -> contract.RoleView:
    return contract.RoleView(
        id=role.id,
        version=role.version,
        agency_id=role.agency_id,
        is_built_in=False,
        is_common=role.is_common,
        name=role.name,
        duties=role.duties,
        skills=role.skills,
        performance_standard=role.performance_standard,
        grants=[contract.RoleGrant.model_validate(grant) for grant in role.grants],
        created_at=role.created_at,
        archived_at=role.archived_at,
    )


def built_in_view(name: str) -> contract.RoleView:
    grants = [contract.RoleGrant(permission=permission, scope=scope) for permission, scope in sorted(ROLES[name].items())]
    return contract.RoleView(
        id=name,
        version=1,
        agency_id=None,
        is_built_in=True,
        is_common=True,
        name=name,
        duties=None,
        skills=None,
        performance_standard=None,
        grants=grants,
        created_at=None,
        archived_at=None,
    )
