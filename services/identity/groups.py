"""Sales groups: made, shown, changed. Each change is made under the lock of the group's row, and tells all of it.

Administrators look after the groups of their agency. A group's own admin does what his rights in it say, as they stand under
the lock.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from services.contracts import groups as contract
from services.contracts.base import Page
from services.contracts.errors import GroupIsFull, NotFound, OutOfScope, UserNotActive, VersionConflict
from services.contracts.permissions import Scope
from services.contracts.reach import Grants, Place
from services.identity import domain, granting, queries
from services.identity import group_queries as rows
from services.identity.access import check_scope, found, found_person, place_of, within_agency
from services.identity.appointing import ceilings_of, receiver_at
from services.identity.models import GroupAdmin, Person, SalesGroup
from services.identity.rights import grants_of_group, rights_of
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.ids import new_id
from services.plumbing.passport import Caller
from services.plumbing.rpc import serves
from services.plumbing.service import Service
from services.plumbing.work import Work


class Groups(Service):
    @serves(contract.ADD_GROUP)
    def add_group(self, command: contract.NewGroup, call: Call) -> contract.GroupView:
        with call.transaction() as work:
            agency = found(queries.find_agency(work.session, command.agency_id or call.caller.agency_id))
            check_scope(call, agency.id)
            group = SalesGroup(
                id=new_id(),
                agency_id=agency.id,
                name=command.name,
                member_ids=[],
                is_dissolved=False,
                version=1,
                created_at=work.now,
            )
            work.session.add(group)
            return told(work, group, None)

    @serves(contract.LIST_GROUPS)
    def list_groups(self, query: contract.ListGroups, call: Call) -> Page[contract.GroupLine]:
        visible, after = within_agency(call, SalesGroup.agency_id), paging.decode_id(query.cursor)
        with call.reading() as session:
            found_rows = rows.list_groups(session, visible, query, after, query.limit + 1)
        lines = [contract.GroupLine.model_validate(row, from_attributes=True) for row in found_rows]
        return paging.page(Page[contract.GroupLine], lines, query.limit)

    @serves(contract.SHOW_GROUP)
    def show_group(self, query: contract.ShowGroup, call: Call) -> contract.GroupView:
        with call.reading() as session:
            group = found_group(session, rows.find_group(session, query.group_id), query.group_id)
            check_scope(call, group.agency_id)
            return group_view(session, group)

    @serves(contract.UPDATE_GROUP)
    def update_group(self, command: contract.UpdateGroup, call: Call) -> contract.GroupView:
        with call.transaction() as work:
            group = lock(work, call, command.group_id)
            if group.version != command.expected_version:
                raise VersionConflict(version=group.version)
            old = group_view(work.session, group)
            group.name = command.name
            return told(work, group, old)

    @serves(contract.DISSOLVE_GROUP)
    def dissolve_group(self, command: contract.DissolveGroup, call: Call) -> contract.GroupView:
        with call.transaction() as work:
            group = lock(work, call, command.group_id, is_live=False)
            old = group_view(work.session, group)
            group.is_dissolved = True
            return told(work, group, old)

    # --- members and admins

    @serves(contract.ADD_GROUP_MEMBER)
    def add_group_member(self, command: contract.AddGroupMember, call: Call) -> contract.GroupView:
        with call.transaction() as work:
            wanted = queries.lock_person(work.session, command.person_id)
            group = lock(work, call, command.group_id, right="manage_members")
            old = group_view(work.session, group)
            if command.person_id not in group.member_ids:
                person = colleague(work, group, command.person_id, wanted)
                check_sight(work, call, group, person)
                if len(group.member_ids) == contract.MOST_MEMBERS:
                    raise GroupIsFull(limit=contract.MOST_MEMBERS)
                group.member_ids = [*group.member_ids, person.id]
            return told(work, group, old)

    @serves(contract.REMOVE_GROUP_MEMBER)
    def remove_group_member(self, command: contract.RemoveGroupMember, call: Call) -> contract.GroupView:
        with call.transaction() as work:
            group = lock(work, call, command.group_id, right="manage_members")
            old = group_view(work.session, group)
            if command.person_id not in group.member_ids:
                raise NotFound()
            group.member_ids = [each for each in group.member_ids if each != command.person_id]
            return told(work, group, old)

    @serves(contract.PUT_GROUP_ADMIN)
    def put_group_admin(self, command: contract.PutGroupAdmin, call: Call) -> contract.GroupView:
        with call.transaction() as work:
            wanted = queries.lock_person(work.session, command.person_id)
            group = lock(work, call, command.group_id, right="change_rights")
            old = group_view(work.session, group)
            person = colleague(work, group, command.person_id, wanted)
            known = rows.find_admin(work.session, group.id, person.id)
            check_own_rights(work, call, group, person.id, given=command.rights, held=known.rights if known else ())
            check_given(work, call, group, person, command.rights)
            if known is None and rows.count_admins(work.session, group.id) == contract.MOST_ADMINS:
                raise GroupIsFull(limit=contract.MOST_ADMINS)
            rows.put_admin(work.session, group, person.id, list(command.rights))
            return told(work, group, old)

    @serves(contract.REMOVE_GROUP_ADMIN)
    def remove_group_admin(self, command: contract.RemoveGroupAdmin, call: Call) -> contract.GroupView:
        """Everybody may give up his own rights."""
        is_own = command.person_id == call.user_id
        with call.transaction() as work:
            group = lock(work, call, command.group_id, right=None if is_own else "change_rights")
            old = group_view(work.session, group)
            known = found(rows.find_admin(work.session, group.id, command.person_id))
            if not is_own:
                check_own_rights(work, call, group, command.person_id, given=(), held=known.rights)
            work.session.delete(known)
            return told(work, group, old)


def is_administrator(call: Call) -> bool:
    """Of groups as a whole, in his agency or in all."""
    return call.scope in (Scope.AGENCY, Scope.ALL)


def found_group(session: Session, group: SalesGroup | None, group_id: UUID) -> SalesGroup:
    """Raises NotFound, or OutOfScope for one that is behind the wall of another agency."""
    if group is None and rows.has_group(session, group_id):
        raise OutOfScope()
    return found(group)


def lock(work: Work, call: Call, group_id: UUID, *, right: contract.GroupRight | None = None, is_live: bool = True) -> SalesGroup:
    """A group that the caller may change, its own admin by this right. Raises NotFound, OutOfScope, GroupDissolved,
    RightMissing."""
    group = found_group(work.session, rows.lock_group(work.session, group_id), group_id)
    check_scope(call, group.agency_id)
    if is_live:
        domain.check_group_is_live(is_dissolved=group.is_dissolved)
    if right and not is_administrator(call):
        domain.check_group_right(right, held=own_rights(work, call, group))
    return group


def own_rights(work: Work, call: Call, group: SalesGroup) -> list[str]:
    own = rows.find_admin(work.session, group.id, call.user_id)
    return own.rights if own else []


def check_own_rights(work: Work, call: Call, group: SalesGroup, person_id: UUID, **rights: Any) -> None:
    """Of a group's own admin: he gives and takes what he has himself, and nothing to himself. Raises AboveYourRights."""
    if not is_administrator(call):
        domain.check_group_rights(own=own_rights(work, call, group), is_oneself=person_id == call.user_id, **rights)


def check_sight(work: Work, call: Call, group: SalesGroup, person: Person) -> None:
    """Raises AboveYourRights when one of the group's admins would come to see somebody whom the caller does not see himself: they
    are chosen people, so who adds somebody gives them a sight of him."""
    before = place_of(work.session, person)
    after = replace(before, groups=before.groups | {group.id})
    for admin in rows.list_admins(work.session, group.id):
        if grants_of_group(group.id, admin.rights):
            viewer, held = seen_as(work.session, admin.person_id)
            granting.check_shown(call.caller, call.caller.grants, viewer, held, before, after)


def seen_as(session: Session, person_id: UUID) -> tuple[Caller, Grants]:
    """Somebody as he asks, and all that he may."""
    person, facts = found(queries.find_person(session, person_id)), found(queries.find_facts(session, person_id))
    return receiver_at(person, person.department_id, person.other_department_ids), rights_of(facts)


def check_given(work: Work, call: Call, group: SalesGroup, person: Person, rights: Iterable[str]) -> None:
    """What these rights let somebody see. Raises AboveYourRights for an administrator who does not see it in all of the agency,
    AboveCeiling for somebody who may not see as much by any role of his departments."""
    given = grants_of_group(group.id, rights)
    if is_administrator(call):
        granting.check_contents(call.caller, call.caller.grants, given, Place(group.agency_id), is_common=False)
    departments = [person.department_id, *person.other_department_ids]
    granting.check_ceilings(given, ceilings_of(work.session, departments))


def colleague(work: Work, group: SalesGroup, person_id: UUID, row: Person | None) -> Person:
    """Somebody who may be put into a group; his row was locked before the group's, as by who leaves. Raises NotFound, OutOfScope,
    UserNotActive."""
    person = found_person(work.session, row, person_id)
    if person.agency_id != group.agency_id:
        raise NotFound(reason="the person is of another agency")
    if person.status != "active":
        raise UserNotActive(user_status=person.status)
    return person


def leave_groups(work: Work, person: Person) -> None:
    """He neither is a member of any nor looks after one any more."""
    for group in rows.lock_groups_of(work.session, person.id):
        group.member_ids = [each for each in group.member_ids if each != person.id]
        if known := rows.find_admin(work.session, group.id, person.id):
            work.session.delete(known)
        group.version += 1
        work.session.flush()
        work.emit(
            event_of(group_view(work.session, group)), aggregate_id=group.id, version=group.version, agency_id=group.agency_id
        )


def told(work: Work, group: SalesGroup, old: contract.GroupView | None) -> contract.GroupView:
    """The answer to a change of a group, or to a new one; nothing is told of a change that changed nothing."""
    work.session.flush()
    view = group_view(work.session, group)
    if old is not None and view != old:
        group.version += 1
        work.session.flush()
        view = group_view(work.session, group)
    if view != old:
        work.emit(event_of(view), aggregate_id=group.id, version=group.version, agency_id=group.agency_id)
    work.audit(group.id, agency_id=group.agency_id, old=old, new=view)
    return work.answer(view)


def event_of(view: contract.GroupView) -> contract.GroupChanged:
    return contract.GroupChanged(
        group_id=view.id,
        agency_id=view.agency_id,
        name=view.name,
        member_ids=[member.person_id for member in view.members],
        admins=[contract.AdminState(person_id=admin.person_id, rights=admin.rights) for admin in view.admins],
        is_dissolved=view.is_dissolved,
    )


def group_view(session: Session, group: SalesGroup) -> contract.GroupView:
    admins = rows.list_admins(session, group.id)
    names = rows.names_of(session, [*group.member_ids, *(admin.person_id for admin in admins)])
    return contract.GroupView(
        id=group.id,
        version=group.version,
        agency_id=group.agency_id,
        name=group.name,
        is_dissolved=group.is_dissolved,
        members=[contract.GroupMember(person_id=each, person_name=names[each]) for each in group.member_ids],
        admins=[admin_view(admin, names[admin.person_id]) for admin in admins],
    )


def admin_view(admin: GroupAdmin, name: str) -> contract.GroupAdmin:
    return contract.GroupAdmin(person_id=admin.person_id, person_name=name, rights=admin.rights)
