"""Agencies: added, shown, renamed, frozen."""

from uuid import UUID

from services.contracts import tree as contract
from services.contracts.base import Page, PageQuery
from services.contracts.errors import HeadquartersStays, VersionConflict
from services.identity import queries
from services.identity.access import check_scope, found, within_agency
from services.identity.models import Agency, Session
from services.identity.tree import add_agency, agency_view, rename_agency, tell_agency
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.rpc import serves
from services.plumbing.service import Service
from services.plumbing.work import Work


class Agencies(Service):
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

    @serves(contract.SHOW_AGENCY)
    def show_agency(self, query: contract.ShowAgency, call: Call) -> contract.AgencyView:
        with call.reading() as session:
            agency = found(queries.find_agency(session, query.agency_id))
        check_scope(call, agency.id)
        return agency_view(agency)

    @serves(contract.FIND_AGENCY)
    def find_agency(self, query: contract.ShowAgency, call: Call) -> contract.AgencyView:
        with call.reading() as session:
            return agency_view(found(queries.find_agency(session, query.agency_id)))

    @serves(contract.UPDATE_AGENCY)
    def update_agency(self, command: contract.UpdateAgency, call: Call) -> contract.AgencyView:
        with call.transaction() as work:
            agency = lock(work, call, command.agency_id)
            if agency.version != command.expected_version:
                raise VersionConflict(version=agency.version)
            old = agency_view(agency)
            if command.name != agency.name:
                rename_agency(work, agency, command.name)
            return answered(work, agency, old)

    @serves(contract.FREEZE_AGENCY)
    def freeze_agency(self, command: contract.FreezeAgency, call: Call) -> contract.AgencyView:
        """Who logs in holds the agency, so that no session of before is left."""
        with call.transaction() as work:
            agency = lock(work, call, command.agency_id, against_logins=True)
            if agency.is_headquarters:
                raise HeadquartersStays()
            old = agency_view(agency)
            if not agency.is_frozen:
                agency.is_frozen = True
                queries.end_sessions(work.session, work.now, Session.person_id.in_(queries.people_of(agency.id)))
                tell_agency(work, agency, "frozen")
            return answered(work, agency, old)

    @serves(contract.THAW_AGENCY)
    def thaw_agency(self, command: contract.ThawAgency, call: Call) -> contract.AgencyView:
        with call.transaction() as work:
            agency = lock(work, call, command.agency_id)
            old = agency_view(agency)
            if agency.is_frozen:
                agency.is_frozen = False
                tell_agency(work, agency, "thawed")
            return answered(work, agency, old)


def lock(work: Work, call: Call, agency_id: UUID, *, against_logins: bool = False) -> Agency:
    """Raises NotFound, OutOfScope."""
    agency = found(queries.lock_agency(work.session, agency_id, against_logins=against_logins))
    check_scope(call, agency.id)
    return agency


def answered(work: Work, agency: Agency, old: contract.AgencyView) -> contract.AgencyView:
    work.audit(agency.id, agency_id=agency.id, old=old, new=agency_view(agency))
    return work.answer(agency_view(agency))
