"""Entering many companies at once into a pool: one check, one judgement and one outcome for each, in few statements for all.

What a single entry promises holds for each of them: it is checked under the same locks, told, kept for review where others come
near, and met by the next check. The audit has one row for the batch, as it has for every command.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from services.contracts import customers as contract
from services.contracts.collision import Hit, Verdict
from services.contracts.errors import InvalidRequest
from services.customers.catalogue import queries as catalogue
from services.customers.catalogue.values import Catalogue, as_given
from services.customers.check import checking, criteria, filing, matching
from services.customers.collision.evidence import Known, Match, telling
from services.customers.collision.subject import Subject, names_of
from services.customers.collision.verdict import Viewpoint, hit, judge
from services.customers.holding.ownership import place_new
from services.customers.models import Customer, EntryAttempt, Pool
from services.customers.pools import queries as pool_queries
from services.customers.registry import entry, places
from services.customers.registry.earlier import Earlier
from services.customers.reviews import items as review_items
from services.customers.search import indexing
from services.directory.models import Agency
from services.directory.queries import names_of_administrators
from services.plumbing.call import Call
from services.plumbing.ids import new_id
from services.plumbing.masking import mask
from services.plumbing.work import Work

MOST_ROWS = 500
SHOWN = 5


class Entered(NamedTuple):
    """What became of a row. `created`: a new customer; with hits others come near, and it was kept for review.

    `duplicate`: not entered, `verdict` and `hits` say why; `of_row` is the place of the earlier row of the batch that has the
    company, where it was none of the database's. `invalid`: not entered, `errors` say what cannot be read.
    """

    outcome: Literal["created", "duplicate", "invalid"]
    customer_id: UUID | None = None
    verdict: Verdict | None = None
    hits: tuple[Hit, ...] = ()
    of_row: int | None = None
    errors: Sequence[dict[str, str]] = ()

    @property
    def is_for_review(self) -> bool:
        return self.outcome == "created" and bool(self.hits)


class Judged(NamedTuple):
    """A row that could be read: what it is compared by, what it met, and what entering it comes to."""

    row: int
    fields: contract.CustomerFields
    subject: Subject
    matches: list[Match]
    verdict: Verdict
    customer: Customer | None

    @property
    def near(self) -> list[UUID]:
        return review_items.near_of(self.matches)


def enter_many(
    work: Work, call: Call, rows: Sequence[contract.CustomerFields], pool: Pool, oldest: int, reason: str = "imported"
) -> list[Entered]:
    """One outcome for each row, in their order; the caller answers. `oldest`: by whose rules customers are still filed.

    Raises PoolArchived, and ValueError for more rows than MOST_ROWS: their locks have to fit into the server's memory beside
    those of others.
    """
    if len(rows) > MOST_ROWS:
        raise ValueError(f"{len(rows)} rows, and {MOST_ROWS} are the most at once")
    pool = pool_queries.hold_to_fill(work.session, pool.id)
    entered: dict[int, Entered] = {}
    subjects: dict[int, Subject] = {}
    rows, laid_down = list(rows), Catalogue(work.session)
    for row, fields in enumerate(rows):
        try:
            rows[row] = places.placed(fields)
            laid_down.refuse_unknown(as_given(fields), is_new=True)
            subjects[row] = entry.subject_of_fields(rows[row], oldest)
        except InvalidRequest as error:
            entered[row] = Entered("invalid", errors=error.details.get("errors", ()))
    batch = Batch(work, call, pool)
    judged = batch.judge({row: rows[row] for row in subjects}, subjects)
    batch.keep(judged, reason)
    entered |= {one.row: batch.outcome(one) for one in judged}
    created = [str(one.customer.id) for one in judged if one.customer]
    work.audit(
        pool.id, agency_id=pool.agency_id, new={"entered": created, "refused": len(judged) - len(created), "reason": reason}
    )
    return [entered[row] for row in range(len(rows))]


class Batch:
    """Within one transaction."""

    def __init__(self, work: Work, call: Call, pool: Pool) -> None:
        self.work, self.call, self.pool = work, call, pool
        self.session: Session = work.session
        self.viewpoint: Viewpoint = checking.viewpoint_of(call)._replace(may_claim=False)
        self.earlier = Earlier()
        self.row_of: dict[UUID, int] = {}
        """Of the customers that this batch makes."""

    @cached_property
    def agency_name(self) -> str | None:
        agency = self.session.get(Agency, self.pool.agency_id)
        return agency.name if agency else None

    @cached_property
    def administrators(self) -> tuple[str, ...]:
        return tuple(names_of_administrators(self.session, self.viewpoint.agency_id))

    # --- deciding

    def judge(self, rows: dict[int, contract.CustomerFields], subjects: dict[int, Subject]) -> list[Judged]:
        """Each against the database and against those before it, under the locks of all of them."""
        matching.lock(self.session, *subjects.values())
        rules = criteria.in_force(self.session).rules
        met = matching.find_each(self.session, list(subjects.values()), rules)
        judged = []
        for (row, subject), matches in zip(subjects.items(), met, strict=True):
            if before := self.earlier.met_by(subject):
                matches = matching.compare(subject, [*(found.known for found in matches), *before], rules)
            verdict = judge(matches, self.viewpoint)
            customer = self.customer(rows[row], subject) if verdict.verdict in ("free", "needs_confirmation") else None
            if customer:
                self.earlier.add(self.as_known(customer, rows[row]), subject)
                self.row_of[customer.id] = row
            judged.append(Judged(row, rows[row], subject, matches, verdict, customer))
        return judged

    def customer(self, fields: contract.CustomerFields, subject: Subject) -> Customer:
        return entry.new_customer(self.work, fields, subject, by=self.call.user_id)

    def as_known(self, customer: Customer, fields: contract.CustomerFields) -> Known:
        names = [name for name, _ in filing.kinds_of(fields.name, fields.aliases)]
        return Known(
            id=customer.id,
            name=customer.name,
            names=tuple(part for name in names for part in names_of([name], fields.province, fields.city)),
            province=customer.province,
            city=customer.city,
            agency_id=self.pool.agency_id,
            agency_name=self.agency_name,
            owner_id=None,
            owner_name=None,
            pool_kind=self.pool.kind,
        )

    # --- keeping

    def keep(self, judged: Sequence[Judged], reason: str) -> None:
        created = [(one, one.customer) for one in judged if one.customer]
        if created:
            place_new(self.work, [customer for _, customer in created], self.pool)
            filed = [(customer.id, self.named(one.fields), one.subject) for one, customer in created]
            filing.file_new(self.session, self.pool.agency_id, filed)
            indexing.index_new(self.session, [(one.customer, filing.names_in(one.fields)) for one in judged if one.customer])
            catalogue.keep_tags(self.session, self.pool.agency_id, {tag for one, _ in created for tag in one.fields.tags})
        for one, customer in created:
            review_items.open_made(self.work, customer, one.near, by=self.call.user_id, origin="pool", reason=reason)
        if refused := [self.attempt(one) for one in judged if not one.customer]:
            self.session.execute(insert(EntryAttempt), refused)

    def named(self, fields: contract.CustomerFields) -> list[filing.Named]:
        return filing.placed_names(filing.kinds_of(fields.name, fields.aliases), fields)

    def attempt(self, one: Judged) -> dict[str, Any]:
        """That nothing was saved is kept and told, as of a single entry."""
        id_, fields = new_id(), one.fields
        about = {"person_id": self.call.user_id, "name": fields.name, "outcome": "refused", "reason": one.verdict.reason}
        self.work.emit(contract.EntryAttempted(attempt_id=id_, **about), aggregate_id=id_, version=1)
        return about | {
            "id": id_,
            "at": self.work.now,
            "agency_id": self.call.caller.agency_id,
            "phone": mask(fields.phone) if fields.phone else None,
            "fax": mask(fields.fax) if fields.fax else None,
            "customer_id": telling(one.matches)[0].known.id,
        }

    # --- telling

    def outcome(self, one: Judged) -> Entered:
        if one.customer and not one.near:
            return Entered("created", one.customer.id, one.verdict)
        told = telling(one.matches)
        hits = tuple(hit(found, self.viewpoint) for found in told[:SHOWN])
        if one.customer:
            return Entered("created", one.customer.id, one.verdict, hits)
        verdict = one.verdict
        if verdict.reason == "in_agency_pool":
            verdict = verdict.model_copy(update={"ask": self.administrators})
        return Entered("duplicate", None, verdict, hits, self.row_of.get(told[0].known.id))
