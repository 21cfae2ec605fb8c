"""Agencies and their departments."""

from services.contracts import identity as contract
from services.contracts.base import Page, PageQuery
from services.contracts.errors import NotFound
from services.identity import queries
from services.identity.access import check_scope, found, found_department, within_agency
from services.identity.models import Agency, Department
from services.identity.people import add_agency, add_department, agency_view, department_view
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.rpc import serves
from services.plumbing.service import Service


class Places(Service):
    @serves(contract.ADD_AGENCY)
    def add_agency(self, command: contract.AddAgency, call: Call) -> contract.AgencyView:
        with call.transaction() as work:
            agency = add_agency(work, command.name, is_headquarters=False)
            work.audit(agency.id, agency_id=agency.id, new=agency_view(agency))
            return work.answer(agency_view(agency))

    @serves(contract.LIST_AGENCIES)
    def list_agencies(self, query: PageQuery, call: Call) -> Page[contract.AgencyView]:
        visible = within_agency(call, Agency.id)
        with call.reading() as session:
            rows = queries.list_agencies(session, visible, paging.decode_id(query.cursor), query.limit + 1)
        return paging.page(Page[contract.AgencyView], [agency_view(row) for row in rows], query.limit)

    @serves(contract.ADD_DEPARTMENT)
    def add_department(self, command: contract.AddDepartment, call: Call) -> contract.DepartmentView:
        with call.transaction() as work:
            agency = found(queries.find_agency(work.session, command.agency_id))
            check_scope(call, agency.id)
            parent = found_department(work.session, command.parent_id) if command.parent_id else None
            if parent and parent.agency_id != agency.id:
                raise NotFound()
            department = add_department(work, agency, command.name, parent)
            work.audit(department.id, agency_id=agency.id, new=department_view(department))
            return work.answer(department_view(department))

    @serves(contract.LIST_DEPARTMENTS)
    def list_departments(self, query: contract.ListDepartments, call: Call) -> Page[contract.DepartmentView]:
        visible = within_agency(call, Department.agency_id)
        with call.reading() as session:
            rows = queries.list_departments(session, visible, query.agency_id, paging.decode_id(query.cursor), query.limit + 1)
        return paging.page(Page[contract.DepartmentView], [department_view(row) for row in rows], query.limit)
