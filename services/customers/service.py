"""The face of customers."""

from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ColumnElement, Connection
from sqlalchemy.orm import Session

from services.contracts import collision_rules as rules_contract
from services.contracts import customers as contract
from services.contracts.base import Envelope, Nothing, Page, PageQuery
from services.contracts.collision import (
    CHECK_COLLISION,
    SUGGEST_COLLISIONS,
    CheckCollision,
    CollisionCheck,
    CollisionSuggestions,
    SuggestCollisions,
)
from services.contracts.errors import NotFound, OutOfScope, VersionConflict
from services.contracts.identity import AgencyAdded
from services.contracts.permissions import Scope
from services.contracts.reviews import (
    DECIDE_REVIEW,
    LIST_REVIEWS,
    MOVE_RACE_CURSOR,
    OPEN_RACED_REVIEW,
    SHOW_REVIEW,
    WITHDRAW_ENTRY,
    DecideReview,
    ListReviews,
    MoveRaceCursor,
    OpenRacedReview,
    ReviewLine,
    ReviewView,
    ShowReview,
    WithdrawEntry,
)
from services.contracts.rules import AllowanceSet
from services.customers import (
    checking,
    criteria,
    editing,
    entry,
    filing,
    moves,
    preview,
    queries,
    races,
    refiling,
    review_queries,
    reviews,
)
from services.customers.collision.verdict import ref_of
from services.customers.models import Customer, Pool, ReviewItem
from services.customers.ownership import Receivers, pool_of, put_allowance, state_of
from services.directory.service import DirectoryService
from services.plumbing import paging
from services.plumbing.call import Call
from services.plumbing.chores import Chore, every
from services.plumbing.database import Constraints
from services.plumbing.events import handles
from services.plumbing.rpc import serves
from services.plumbing.work import Work


class CustomersService(DirectoryService):
    name = "customers"
    constraints: ClassVar[Constraints] = {"collision_rules_pkey": VersionConflict}
    receivers = Receivers()  # of the class, as nameko makes an object for each request

    # --- the check, and entering

    @serves(CHECK_COLLISION)
    def check_collision(self, query: CheckCollision, call: Call) -> CollisionCheck:
        with call.reading_rows() as connection:
            return checking.check(connection, query, entry.viewpoint_of(call))

    @serves(SUGGEST_COLLISIONS)
    def suggest_collisions(self, query: SuggestCollisions, call: Call) -> CollisionSuggestions:
        with call.reading_rows() as connection:
            return checking.suggest(connection, query, entry.viewpoint_of(call))

    @serves(contract.ENTER_CUSTOMER)
    def enter_customer(self, command: contract.EnterCustomer, call: Call) -> contract.EntryOutcome:
        subject = entry.subject_of_fields(command, self.oldest(call))
        self.receivers.prepare(call, call.user_id)
        with call.transaction() as work:
            return entry.enter(work, call, command, subject)

    @serves(contract.ENTER_INTO_POOL)
    def enter_into_pool(self, command: contract.EnterIntoPool, call: Call) -> contract.EntryOutcome:
        subject = entry.subject_of_fields(command, self.oldest(call))
        with call.transaction() as work:
            pool = work.session.get(Pool, command.pool_id)
            if pool is None:
                raise hidden_pool(work.session, command.pool_id)
            return entry.enter_into(work, call, command, subject, pool)

    def oldest(self, call: Call) -> int:
        """The oldest version of the rules by which customers are still filed."""
        if known := filing.versions.known:
            return known
        with call.reading_rows() as connection:
            return filing.versions.look(connection)

    # --- the registry

    @serves(contract.UPDATE_CUSTOMER)
    def update_customer(self, command: contract.UpdateCustomer, call: Call) -> contract.CustomerView:
        with call.transaction() as work:
            refiling = editing.refile(work, call, command)
            customer = queries.lock_customer(work.session, command.customer_id, call.scope, call.caller)
            if customer.version != command.expected_version:
                raise VersionConflict(version=customer.version)
            old = view(queries.view_of(work.session, customer))
            editing.change(work.session, customer, command, refiling)
            new = view(queries.view_of(work.session, customer))
            event = contract.CustomerUpdated(**state_of(customer), department_id=call.caller.department_id)
            work.emit(event, aggregate_id=customer.id, version=customer.version, agency_id=customer.agency_id)
            work.audit(customer.id, agency_id=customer.agency_id, old=old, new=new)
            return work.answer(new)

    @serves(contract.SHOW_CUSTOMER)
    def show_customer(self, query: contract.ShowCustomer, call: Call) -> contract.CustomerView:
        with call.reading_rows() as connection:
            customer = queries.find_customer(connection, query.customer_id, call.scope, call.caller)
            if customer is None:
                raise queries.missing(connection, query.customer_id)
        return view(customer)

    @serves(contract.LIST_CUSTOMERS)
    def list_customers(self, query: contract.ListCustomers, call: Call) -> Page[contract.CustomerLine]:
        after = paging.decode_id(query.cursor)
        wanted = contract.CustomerFilter(of=query.of, owner_id=query.owner_id, is_key=query.is_key)
        with call.reading_rows() as connection:
            rows = queries.list_customers(connection, call.scope, call.caller, wanted, after, query.limit + 1)
        return paging.page(Page[contract.CustomerLine], [line(row) for row in rows], query.limit)

    @serves(contract.COUNT_CUSTOMERS)
    def count_customers(self, query: contract.CustomerFilter, call: Call) -> contract.Count:
        with call.reading_rows() as connection:
            return contract.Count(count=queries.count_customers(connection, call.scope, call.caller, query))

    @serves(contract.LIST_OWNERSHIP)
    def list_ownership(self, query: contract.ShowCustomer, call: Call) -> Page[contract.OwnershipView]:
        with call.reading_rows() as connection:
            if queries.find_customer(connection, query.customer_id, call.scope, call.caller) is None:
                raise queries.missing(connection, query.customer_id)
            rows = queries.list_ownership(connection, query.customer_id)
        return Page[contract.OwnershipView](items=[ownership(row) for row in rows])

    @serves(contract.LIST_ENTRY_ATTEMPTS)
    def list_entry_attempts(self, query: contract.ListEntryAttempts, call: Call) -> Page[contract.EntryAttemptView]:
        after = paging.decode_id(query.cursor)
        with call.reading_rows() as connection:
            rows = queries.list_attempts(connection, call.scope, call.caller, query.person_id, after, query.limit + 1)
        items = [contract.EntryAttemptView.model_validate(row, from_attributes=True) for row in rows]
        return paging.page(Page[contract.EntryAttemptView], items, query.limit)

    # --- the review queue

    @serves(LIST_REVIEWS)
    def list_reviews(self, query: ListReviews, call: Call) -> Page[ReviewLine]:
        after = paging.decode_id(query.cursor)
        with call.reading_rows() as connection:
            rows = review_queries.list_reviews(connection, call.scope, call.caller, query.state, after, query.limit + 1)
        return paging.page(Page[ReviewLine], [review_line(row) for row in rows], query.limit)

    @serves(SHOW_REVIEW)
    def show_review(self, query: ShowReview, call: Call) -> ReviewView:
        with call.reading() as session:
            item = review_queries.get_review(session, query.review_id, call.scope, call.caller)
            line = review_line(review_queries.line_of(session, item.id))
            shown = reviews.entry_of(session, item, call)
            hits = reviews.hits_of(session, item, entry.viewpoint_of(call))
        return ReviewView(**line.model_dump(), entry=shown, hits=hits)

    @serves(DECIDE_REVIEW)
    def decide_review(self, command: DecideReview, call: Call) -> ReviewLine:
        call.answer_again()
        with call.reading() as session:
            item = review_queries.get_review(session, command.review_id, call.scope, call.caller)
        if item.origin == "waiting" and command.decision == "different":
            self.receivers.prepare(call, item.person_id)
        with call.transaction() as work:
            return decided(work, reviews.decide(work, call, command))

    @serves(WITHDRAW_ENTRY)
    def withdraw_entry(self, command: WithdrawEntry, call: Call) -> ReviewLine:
        with call.transaction() as work:
            return decided(work, reviews.withdraw(work, call, command))

    @every(seconds=5)
    def find_raced(self, chore: Chore) -> None:
        races.find_raced(chore)

    @serves(OPEN_RACED_REVIEW)
    def open_raced_review(self, command: OpenRacedReview, call: Call) -> Nothing:
        with call.transaction() as work:
            races.open_raced(work, command)
            return work.answer(Nothing())

    @serves(MOVE_RACE_CURSOR)
    def move_race_cursor(self, command: MoveRaceCursor, call: Call) -> Nothing:
        with call.noting() as session:
            races.move_cursor(session, command.position)
        return Nothing()

    # --- who holds what

    @serves(contract.RELEASE_CUSTOMER)
    def release_customer(self, command: contract.ReleaseCustomer, call: Call) -> contract.CustomerLine:
        with call.transaction() as work:
            return moved(work, moves.release(work, call, command))

    @serves(contract.OPEN_CUSTOMER)
    def open_customer(self, command: contract.OpenCustomer, call: Call) -> contract.CustomerLine:
        with call.transaction() as work:
            return moved(work, moves.open_to_public(work, call, command.customer_id))

    @serves(contract.CLAIM_CUSTOMER)
    def claim_customer(self, command: contract.ClaimCustomer, call: Call) -> contract.CustomerView:
        self.receivers.prepare(call, call.user_id)
        with call.transaction() as work:
            customer = moves.claim(work, call, command.customer_id)
            work.audit(customer.id, agency_id=customer.agency_id, new=state_of(customer))
            return work.answer(view(queries.view_of(work.session, customer)))

    @serves(contract.ASSIGN_CUSTOMER)
    def assign_customer(self, command: contract.AssignCustomer, call: Call) -> contract.CustomerLine:
        call.answer_again()
        moves.find_receiver(call, command.to)
        self.receivers.prepare(call, command.to)
        with call.transaction() as work:
            return moved(work, moves.assign(work, call, command))

    @serves(contract.TRANSFER_CUSTOMER)
    def transfer_customer(self, command: contract.TransferCustomer, call: Call) -> contract.CustomerLine:
        call.answer_again()
        moves.find_receiver(call, command.to)
        self.receivers.prepare(call, command.to)
        with call.transaction() as work:
            return moved(work, moves.transfer(work, call, command))

    @serves(contract.TAKE_BACK)
    def take_back(self, command: contract.TakeBack, call: Call) -> contract.TakenBack:
        with call.transaction() as work:
            customer = moves.take_back(work, command)
            if customer:
                work.audit(customer.id, agency_id=customer.agency_id, new=state_of(customer))
            return work.answer(contract.TakenBack(is_done=customer is not None))

    # --- the rules of the check, and filing by those for names

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

    # --- pools

    @serves(contract.LIST_POOLS)
    def list_pools(self, query: PageQuery, call: Call) -> Page[contract.PoolView]:
        with call.reading_rows() as connection:
            rows = queries.list_pools(connection, seen_pools(call), paging.decode_id(query.cursor), query.limit + 1)
        return paging.page(Page[contract.PoolView], [pool_view(row, call) for row in rows], query.limit)

    @serves(contract.LIST_POOL_CUSTOMERS)
    def list_pool_customers(self, query: contract.ListPoolCustomers, call: Call) -> Page[contract.PooledCustomer]:
        with call.reading_rows() as connection:
            if not queries.list_pools(connection, seen_pools(call) & (Pool.id == query.pool_id), None, 1):
                raise hidden_pool(connection, query.pool_id)
            rows = queries.list_pool(connection, query.pool_id, paging.decode_id(query.cursor), query.limit + 1)
        items = [contract.PooledCustomer.model_validate(row, from_attributes=True) for row in rows]
        return paging.page(Page[contract.PooledCustomer], items, query.limit)

    # --- what others tell

    @handles(AgencyAdded)
    def make_pools(self, event: AgencyAdded, envelope: Envelope, work: Work) -> None:
        pool_of(work.session, event.agency_id, "public")
        pool_of(work.session, event.agency_id, "agency")
        if event.is_headquarters:
            pool_of(work.session, event.agency_id, "telesales")
            pool_of(work.session, event.agency_id, "industry")

    @handles(AllowanceSet)
    def follow_allowance(self, event: AllowanceSet, envelope: Envelope, work: Work) -> None:
        put_allowance(work.session, event.person_id, event.agency_id, event.limit, envelope.version)


def moved(work: Work, customer: Customer) -> contract.CustomerLine:
    work.audit(customer.id, agency_id=customer.agency_id, new=state_of(customer))
    return work.answer(line(queries.line_of(work.session, customer)))


def decided(work: Work, item: ReviewItem) -> ReviewLine:
    return work.answer(review_line(review_queries.line_of(work.session, item.id)))


def review_line(row: Any) -> ReviewLine:
    told = {name: getattr(row, name) for name in ReviewLine.model_fields}
    return ReviewLine(**told | {"same_as": ref_of(row.same_as) if row.same_as else None})


def seen_pools(call: Call) -> ColumnElement[bool]:
    """Everybody sees the public pool of his agency, who manages pools all of his agency's, headquarters every one."""
    if call.scope is Scope.ALL:
        return Pool.id.is_not(None)
    own = Pool.agency_id == call.caller.agency_id
    return own if call.caller.may("pool:manage") else own & (Pool.kind == "public")


def hidden_pool(connection: Connection | Session, pool_id: UUID) -> NotFound:
    return OutOfScope() if queries.pool_exists(connection, pool_id) else NotFound()


def pool_view(row: Any, call: Call) -> contract.PoolView:
    may_claim = row.kind == "public" and row.agency_id == call.caller.agency_id and call.caller.may("customer:claim")
    return contract.PoolView(id=row.id, agency_id=row.agency_id, kind=row.kind, name=row.name, may_claim=may_claim)


def view(row: Any) -> contract.CustomerView:
    return contract.CustomerView.model_validate(row, from_attributes=True)


def line(row: Any) -> contract.CustomerLine:
    return contract.CustomerLine.model_validate(row, from_attributes=True)


def ownership(row: Any) -> contract.OwnershipView:
    return contract.OwnershipView(
        holding=row.number,
        owner_id=row.owner_id,
        owner_name=row.owner_name,
        pool_id=row.pool_id,
        pool_kind=row.pool_kind,
        cause=row.cause,
        reason=row.reason,
        actor=row.actor,
        since=row.held_from,
        until=row.held_until,
    )
