"""The field policy, and reveals."""

from sqlalchemy import Connection

from services.contracts import fields as contract
from services.contracts.audit import AuditEntry
from services.contracts.base import Nothing, Page, PageQuery
from services.customers.fields import audited, domain, policy, queries, reveals, sight
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.clock import business_time
from services.plumbing.rpc import serves
from services.plumbing.work import AlreadyAnswered


class FieldService:
    """Which fields of a customer who sees."""

    def sift_audit(self, connection: Connection, call: Call, entries: list[AuditEntry]) -> list[AuditEntry]:
        return audited.sift(connection, call, entries)

    @serves(contract.SHOW_FIELD_POLICY)
    def show_field_policy(self, query: Nothing, call: Call) -> contract.FieldPolicyView:
        with call.reading_rows() as connection:
            return policy.show(connection)

    @serves(contract.SET_FIELD_POLICY)
    def set_field_policy(self, command: contract.SetFieldPolicy, call: Call) -> contract.FieldPolicyView:
        with call.transaction() as work:
            return policy.set_policy(work, call, command)

    @serves(contract.LIST_FIELD_POLICIES)
    def list_field_policies(self, query: PageQuery, call: Call) -> Page[contract.FieldPolicyView]:
        before = paging.decode_number(query.cursor)
        with call.reading_rows() as connection:
            return policy.list_versions(connection, before, query.limit)

    @serves(contract.SHOW_OWN_LEVELS)
    def show_own_levels(self, query: Nothing, call: Call) -> contract.OwnLevels:
        with call.reading_rows() as connection:
            return own_levels(connection, call)

    @serves(contract.REVEAL_FIELD)
    def reveal_field(self, command: contract.RevealField, call: Call) -> contract.RevealView:
        try:
            with call.transaction() as work:
                shown = reveals.reveal(work, call, command)
                work.answer(shown.model_copy(update={"value": None}))
            return shown
        except AlreadyAnswered as known:
            return reveals.again(call, contract.RevealView.model_validate_json(known.answer))

    @serves(contract.LIST_REVEALS)
    def list_reveals(self, query: contract.ListReveals, call: Call) -> Page[contract.RevealLine]:
        after = paging.decode_id(query.cursor)
        with call.reading_rows() as connection:
            rows = queries.list_reveals(connection, call.scope, call.caller, query, after, query.limit + 1)
        items = [contract.RevealLine.model_validate(row, from_attributes=True) for row in rows]
        return paging.page(Page[contract.RevealLine], items, query.limit)


def own_levels(connection: Connection, call: Call) -> contract.OwnLevels:
    version, known = policy.in_force(connection)
    seen, may_reveal = sight.sight_by(known, call), call.caller.may("field:reveal")
    today = domain.local_day(business_time(connection))
    return contract.OwnLevels(
        version=version,
        own=seen.own,
        overseen=seen.overseen,
        searchable=sorted(sight.searchable_by(seen, call)),
        reveals_a_day=domain.reveals_a_day(known, call.caller.roles) if may_reveal else 0,
        revealed_today=queries.revealed_on(connection, call.user_id, today),
    )
