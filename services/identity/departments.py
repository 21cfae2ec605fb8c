"""Departments: added, shown, renamed, moved, merged, frozen."""

from uuid import UUID

from services.contracts import tree as contract
from services.contracts.base import Page
from services.contracts.errors import NotFound, VersionConflict
from services.contracts.reach import Place
from services.identity import domain, granting, queries
from services.identity.access import check_scope, found, found_department, ids_of, refuse_empty, within_agency
from services.identity.appointing import abilities_in, check_ceilings_of_moved, keys_of
from services.identity.merging import follow_merger, lock_roles_that_list
from services.identity.models import Agency, Department
from services.identity.tree import add_department, department_view, merge, move, tell_department
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.rpc import serves
from services.plumbing.service import Service
from services.plumbing.work import Work


class Departments(Service):
    @serves(contract.ADD_DEPARTMENT)
    def add_department(self, command: contract.AddDepartment, call: Call) -> contract.DepartmentView:
        with call.transaction() as work:
            agency = found(queries.lock_agency(work.session, command.agency_id))
            check_scope(call, agency.id)
            parent = new_parent(work, command.parent_id, agency.id)
            ceiling = None if command.ceiling is None else keys_of(command.ceiling)
            abilities_in(work.session, ceiling or [], agency.id, named_in="ceiling")
            department = add_department(work, agency, command.name, parent, kind=command.kind, ceiling=ceiling)
            work.audit(department.id, agency_id=agency.id, new=department_view(department))
            return work.answer(department_view(department))

    @serves(contract.LIST_DEPARTMENTS)
    def list_departments(self, query: contract.ListDepartments, call: Call) -> Page[contract.DepartmentView]:
        visible, after = within_agency(call, Department.agency_id), paging.decode_id(query.cursor)
        with call.reading() as session:
            rows = queries.list_departments(session, visible, query, after, query.limit + 1)
        return paging.page(Page[contract.DepartmentView], [department_view(row) for row in rows], query.limit)

    @serves(contract.SHOW_DEPARTMENT)
    def show_department(self, query: contract.ShowDepartment, call: Call) -> contract.DepartmentView:
        with call.reading() as session:
            department = found_department(session, query.department_id)
        check_scope(call, department.agency_id)
        return department_view(department)

    @serves(contract.FIND_DEPARTMENT)
    def find_department(self, query: contract.ShowDepartment, call: Call) -> contract.DepartmentView:
        with call.reading() as session:
            return department_view(found_department(session, query.department_id))

    @serves(contract.UPDATE_DEPARTMENT)
    def update_department(self, command: contract.UpdateDepartment, call: Call) -> contract.DepartmentView:
        refuse_empty(command)
        with call.transaction() as work:
            agency, department = lock(work, call, command.department_id)
            if department.version != command.expected_version:
                raise VersionConflict(version=department.version)
            old = department_view(department)
            if command.name:
                department.name = domain.prefixed(agency.name, command.name)
            department.kind = command.kind or department.kind
            work.session.flush()
            if department_view(department) != old:
                tell_department(work, department, "updated")
            return answered(work, department, old)

    @serves(contract.MOVE_DEPARTMENT)
    def move_department(self, command: contract.MoveDepartment, call: Call) -> contract.DepartmentView:
        with call.transaction() as work:
            agency, department = lock(work, call, command.department_id)
            old = department_view(department)
            if command.parent_id != department.parent_id:
                parent = new_parent(work, command.parent_id, agency.id)
                if parent:
                    check_ceilings_of_moved(work.session, department, parent)
                move(work, department, parent)
                check_sight(call, old, department.path)
            return answered(work, department, old)

    @serves(contract.MERGE_DEPARTMENT)
    def merge_department(self, command: contract.MergeDepartment, call: Call) -> contract.MergedDepartment:
        with call.transaction() as work:
            lock_roles_that_list(work, command.department_id)
            agency, department = lock(work, call, command.department_id, command.into_id)
            old = department_view(department)
            into = new_parent(work, command.into_id, agency.id)
            assert into
            check_ceilings_of_moved(work.session, department, into)
            check_sight(call, old, into.path)
            merged = merge(work, department, into)
            merged = merged.model_copy(update=follow_merger(work, department, into))
            counts = merged.model_dump(exclude={"department"})
            new = merged.department.model_dump(mode="json") | counts
            work.audit(department.id, agency_id=agency.id, old=old.model_dump(mode="json"), new=new)
            return work.answer(merged)

    @serves(contract.FREEZE_DEPARTMENT)
    def freeze_department(self, command: contract.FreezeDepartment, call: Call) -> contract.DepartmentView:
        with call.transaction() as work:
            _, department = lock(work, call, command.department_id)
            old = department_view(department)
            if department.status == "active":
                department.status = "frozen"
                tell_department(work, department, "frozen")
            return answered(work, department, old)

    @serves(contract.THAW_DEPARTMENT)
    def thaw_department(self, command: contract.ThawDepartment, call: Call) -> contract.DepartmentView:
        with call.transaction() as work:
            _, department = lock(work, call, command.department_id)
            old = department_view(department)
            if department.status == "frozen":
                department.status = "active"
                tell_department(work, department, "thawed")
            return answered(work, department, old)


def lock(work: Work, call: Call, department_id: UUID, *others: UUID) -> tuple[Agency, Department]:
    """A department that may be changed, and its agency, whose tree nobody else changes meanwhile; the others are locked too.

    Raises NotFound, OutOfScope, DepartmentMerged.
    """
    agency_id = found_department(work.session, department_id).agency_id
    check_scope(call, agency_id)
    agency = found(queries.lock_agency(work.session, agency_id))
    queries.lock_departments(work.session, [department_id, *others])
    department = found_department(work.session, department_id)
    domain.check_is_live(status=department.status, merged_into_id=department.merged_into_id)
    return agency, department


def new_parent(work: Work, department_id: UUID | None, agency_id: UUID) -> Department | None:
    """What a department is put below, of this very agency. Raises NotFound, OutOfScope, DepartmentFrozen, DepartmentMerged."""
    if department_id is None:
        return None
    parent = found_department(work.session, department_id)
    if parent.agency_id != agency_id:
        raise NotFound(reason="the department is of another agency")
    domain.check_takes(status=parent.status, merged_into_id=parent.merged_into_id)
    return parent


def check_sight(call: Call, before: contract.DepartmentView, path: str) -> None:
    """Raises AboveYourRights when who moves a department would come to reach its people thereby."""
    places = (Place(before.agency_id, None, ids_of(each)) for each in (before.path, path))
    granting.check_sight(call.caller, call.caller.grants, *places)


def answered(work: Work, department: Department, old: contract.DepartmentView) -> contract.DepartmentView:
    view = department_view(department)
    work.audit(department.id, agency_id=department.agency_id, old=old, new=view)
    return work.answer(view)
