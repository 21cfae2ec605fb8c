"""Web-registered members, their sources, and territories."""

from typing import Any, TypeVar

from services.contracts import members as contract
from services.contracts.base import Page, PageQuery
from services.contracts.permissions import Scope
from services.customers.fields.sight import Sight, restrict, sight_of
from services.customers.members import arrivals, queries, sources, territories
from services.customers.members.arrivals import Member
from services.directory.service import agency_within
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.rpc import serves


class MemberService:
    """Members come in, and are received in turn."""

    @serves(contract.RECEIVE_MEMBER)
    def receive_member(self, command: contract.ReceiveMember, call: Call) -> contract.MemberReceipt:
        fields, subject = arrivals.read(command, call)
        with call.transaction() as work:
            source = queries.hold_enabled(work.session, command.source_id)
            whence = (source.agency_id, source.by_territory, source.created_by, source.id)
            arrival = arrivals.receive(work, call, Member(command, fields, subject, *whence))
            return work.answer(contract.MemberReceipt(id=arrival.id, received_at=arrival.received_at))

    @serves(contract.CREATE_MEMBER)
    def create_member(self, command: contract.MemberFields, call: Call) -> contract.MemberView:
        fields, subject = arrivals.read(command, call)
        with call.transaction() as work:
            whence = (call.caller.agency_id, call.scope is Scope.ALL, call.user_id, None)
            arrival = arrivals.receive(work, call, Member(command, fields, subject, *whence))
            work.session.flush()
            row = queries.get_member(work.session.connection(), arrival.id, call.scope, call.caller)
            return work.answer(shown(contract.MemberView, row, sight_of(work.session, call)))

    @serves(contract.LIST_MEMBERS)
    def list_members(self, query: contract.ListMembers, call: Call) -> Page[contract.MemberLine]:
        after = paging.decode_id(query.cursor)
        with call.reading_rows() as connection:
            rows = queries.list_members(connection, call.scope, call.caller, query.outcome, after, query.limit + 1)
            sight = sight_of(connection, call)
        items = [shown(contract.MemberLine, row, sight) for row in rows]
        return paging.page(Page[contract.MemberLine], items, query.limit)

    @serves(contract.SHOW_MEMBER)
    def show_member(self, query: contract.ShowMember, call: Call) -> contract.MemberView:
        with call.reading_rows() as connection:
            row = queries.get_member(connection, query.member_id, call.scope, call.caller)
            return shown(contract.MemberView, row, sight_of(connection, call))

    # --- sources

    @serves(contract.ADD_MEMBER_SOURCE)
    def add_member_source(self, command: contract.NewMemberSource, call: Call) -> contract.MemberSourceView:
        call.answer_again()
        agency_id = agency_within(call, command.agency_id)
        with call.transaction() as work:
            return work.answer(sources.add(work, call, command, agency_id))

    @serves(contract.CHANGE_MEMBER_SOURCE)
    def change_member_source(self, command: contract.ChangeMemberSource, call: Call) -> contract.MemberSourceView:
        with call.transaction() as work:
            return work.answer(sources.change(work, call, command))

    @serves(contract.ROTATE_MEMBER_SOURCE)
    def rotate_member_source(self, command: contract.RotateMemberSource, call: Call) -> contract.MemberSourceView:
        with call.transaction() as work:
            return work.answer(sources.rotate(work, call, command))

    @serves(contract.LIST_MEMBER_SOURCES)
    def list_member_sources(self, query: PageQuery, call: Call) -> Page[contract.MemberSourceView]:
        after = paging.decode_id(query.cursor)
        with call.reading_rows() as connection:
            rows = queries.list_sources(connection, call.scope, call.caller, after, query.limit + 1)
        return paging.page(Page[contract.MemberSourceView], [sources.view(row) for row in rows], query.limit)

    @serves(contract.SHOW_MEMBER_SOURCE_KEYS)
    def show_member_source_keys(self, query: contract.AskMemberSourceKeys, call: Call) -> contract.MemberSourceKeys:
        with call.reading_rows() as connection:
            return sources.keys(queries.find_keys(connection, query.source_id))

    # --- territories

    @serves(contract.SHOW_TERRITORY)
    def show_territory(self, query: contract.AskTerritory, call: Call) -> contract.TerritoryView:
        agency_within(call, query.agency_id)
        with call.reading() as session:
            return territories.show(session, query.agency_id)

    @serves(contract.SET_TERRITORY)
    def set_territory(self, command: contract.SetTerritory, call: Call) -> contract.TerritoryView:
        call.answer_again()
        agency_within(call, command.agency_id)
        with call.transaction() as work:
            return work.answer(territories.put(work, call, command))


Shown = TypeVar("Shown", bound=contract.MemberLine)


def shown(kind: type[Shown], row: Any, sight: Sight) -> Shown:
    """A member is whose it became: he sees how to reach it, others by the field policy."""
    return restrict(kind.model_validate(row, from_attributes=True), sight.of_typed(row.person_id))
