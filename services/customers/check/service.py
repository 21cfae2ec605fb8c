"""The check by itself, its rules, and filing by those for names."""

from services.contracts import collision_rules as rules_contract
from services.contracts.base import Nothing, Page, PageQuery
from services.contracts.collision import (
    CHECK_COLLISION,
    SUGGEST_COLLISIONS,
    CheckCollision,
    CollisionCheck,
    CollisionSuggestions,
    SuggestCollisions,
)
from services.customers.check import checking, criteria, preview, refiling
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.chores import Chore, every
from services.plumbing.rpc import serves


class CheckService:
    """Asked before anything is entered."""

    @serves(CHECK_COLLISION)
    def check_collision(self, query: CheckCollision, call: Call) -> CollisionCheck:
        with call.reading_rows() as connection:
            return checking.check(connection, query, checking.viewpoint_of(call))

    @serves(SUGGEST_COLLISIONS)
    def suggest_collisions(self, query: SuggestCollisions, call: Call) -> CollisionSuggestions:
        with call.reading_rows() as connection:
            return checking.suggest(connection, query, checking.viewpoint_of(call))

    @serves(rules_contract.SHOW_COLLISION_RULES)
    def show_collision_rules(self, query: Nothing, call: Call) -> rules_contract.CollisionRulesView:
        with call.reading_rows() as connection:
            return criteria.show(connection, call.scope)

    @serves(rules_contract.SET_COLLISION_RULES)
    def set_collision_rules(self, command: rules_contract.SetCollisionRules, call: Call) -> rules_contract.CollisionRulesView:
        with call.transaction() as work:
            return criteria.set_rules(work, call, command)

    @serves(rules_contract.LIST_COLLISION_RULES)
    def list_collision_rules(self, query: PageQuery, call: Call) -> Page[rules_contract.RulesVersionView]:
        before = paging.decode_number(query.cursor)
        with call.reading_rows() as connection:
            return criteria.list_versions(connection, before, query.limit)

    @serves(rules_contract.PREVIEW_COLLISION_RULES)
    def preview_collision_rules(self, query: rules_contract.PreviewCollisionRules, call: Call) -> rules_contract.CollisionPreview:
        return preview.preview(call, query)

    @every(seconds=5)
    def file_all(self, chore: Chore) -> None:
        refiling.file_all(chore)

    @serves(rules_contract.FILE_CUSTOMERS)
    def file_customers(self, command: rules_contract.FileCustomers, call: Call) -> rules_contract.Filed:
        return refiling.file_customers(call, command)

    @serves(rules_contract.SHOW_FILING)
    def show_filing(self, query: Nothing, call: Call) -> rules_contract.FilingProgress:
        with call.reading_rows() as connection:
            return refiling.show_progress(connection)
