"""What other rules of the collision check would change: customers of the registry judged again, by both.

It only reads, a few customers at a time, so that it holds no connection while it reckons; what it has when its time is up is
the answer.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, zip_longest
from typing import Any, NamedTuple, cast
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.contracts import collision_rules as contract
from services.contracts.collision import CollisionRules
from services.contracts.collision_rules import Outcome
from services.contracts.errors import ServiceUnavailable
from services.customers.check import criteria, filing, matching, onfile, sampling
from services.customers.collision.evidence import Known, Match, telling
from services.customers.collision.subject import Subject
from services.customers.collision.verdict import Viewpoint, judge
from services.customers.models import Customer
from services.plumbing.call import Call

BATCH = 20
MOST_SECONDS, SPARE = 3.5, 0.7
COUNTING = 1.2
"""Seconds that counting over the whole registry may take of it."""
MOST_EXAMPLES = 20
STRANGER = Viewpoint(UUID(int=0), UUID(int=0), may_claim=False)
OUTCOMES: tuple[Outcome, ...] = ("free", "needs_confirmation", "refused")


class Examined(NamedTuple):
    customer: Customer
    subject: Subject
    met: list[Known]


def preview(call: Call, query: contract.PreviewCollisionRules) -> contract.CollisionPreview:
    began = time.time()
    ends = min(call.deadline - SPARE, began + MOST_SECONDS)
    with call.reading_rows() as connection:
        before = criteria.in_force(connection)
        ids = sampling.draw(connection, query.sample, query.sample_size)
    registry = shared_in_registry(call, min(ends, began + COUNTING))
    tally = Tally(before.rules, query.rules)
    for examined in examine(call, ids, ends):
        tally.add(examined)
        time.sleep(0)  # other requests of this process have their turn
        if time.time() > ends:
            break
    shared = tally.most_shared() if registry is None else registry
    return contract.CollisionPreview(
        compared_with=before.version,
        sample=query.sample,
        sampled=len(ids),
        examined=tally.examined,
        is_complete=tally.examined == len(ids),
        before=outcomes(tally, 0),
        after=outcomes(tally, 1),
        transitions=transitions(tally),
        examples=tally.chosen_examples(),
        shared_keys=[sampling.shown(each, query.rules.most_sharers) for each in shared],
        shared_keys_of="sample" if registry is None else "registry",
    )


def shared_in_registry(call: Call, until: float) -> list[sampling.Shared] | None:
    """None when it could not be counted in time."""
    try:
        with call.reading_rows() as connection, sampling.hurried(connection, until):
            return sampling.count_shared(connection)
    except ServiceUnavailable:
        return None


def examine(call: Call, ids: Sequence[UUID], ends: float) -> Iterator[Examined]:
    """With whom each meets, besides itself; those that were found in time."""
    for first in range(0, len(ids), BATCH):
        if time.time() > ends:
            return
        try:
            with call.reading() as session, sampling.hurried(session, ends):
                batch = read(session, ids[first : first + BATCH])
        except ServiceUnavailable:
            return
        yield from batch


def read(session: Session, ids: Sequence[UUID]) -> list[Examined]:
    customers = {each.id: each for each in session.scalars(select(Customer).where(Customer.id.in_(ids)))}
    known = onfile.load(session, [customers[each] for each in ids])
    oldest = filing.versions.oldest(session)
    subjects = [each.subject(oldest) for each in known]
    met, _ = matching.meet(session, subjects)
    return [
        Examined(one.customer, subject, [each for each in others if each.id != one.customer.id])
        for one, subject, others in zip(known, subjects, met, strict=True)
    ]


@dataclass
class Tally:
    """What has come out so far, by the rules in force and by the proposed ones."""

    before: CollisionRules
    after: CollisionRules
    examined: int = 0
    counts: Counter[tuple[Outcome, Outcome]] = field(default_factory=Counter)
    examples: dict[tuple[Outcome, Outcome], list[contract.PreviewExample]] = field(default_factory=dict)
    sharers: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, examined: Examined) -> None:
        before = matching.compare(examined.subject, examined.met, self.before)
        after = matching.compare(examined.subject, examined.met, self.after)
        change = outcome_of(before), outcome_of(after)
        self.examined += 1
        self.counts[change] += 1
        self._count_sharers(examined.met)
        shown = self.examples.setdefault(change, [])
        if change[0] != change[1] and len(shown) < MOST_EXAMPLES:
            shown.append(example(examined.customer, before, after, change))

    def _count_sharers(self, met: Sequence[Known]) -> None:
        shared = ((key.kind, key.key, each.id) for each in met for key in each.matched if key.kind in matching.SHARED_KINDS)
        for key, others in Counter((kind, key) for kind, key, _ in set(shared)).items():
            self.sharers[key] = max(self.sharers[key], others + 1)

    def most_shared(self) -> list[sampling.Shared]:
        return [(kind, key, sharers) for (kind, key), sharers in self.sharers.most_common(sampling.MOST_SHARED)]

    def chosen_examples(self) -> list[contract.PreviewExample]:
        """Of every transition in turn."""
        turns = zip_longest(*self.examples.values())
        return list(islice((each for each in chain.from_iterable(turns) if each), MOST_EXAMPLES))


def outcome_of(matches: Sequence[Match]) -> Outcome:
    return cast(Outcome, judge(matches, STRANGER).verdict)


def example(
    customer: Customer, before: Sequence[Match], after: Sequence[Match], change: tuple[Outcome, Outcome]
) -> contract.PreviewExample:
    """With the customer on which the stricter of both outcomes hangs."""
    is_stricter = OUTCOMES.index(change[1]) > OUTCOMES.index(change[0])
    met = telling(after if is_stricter else before)[0].known
    stands = [next(each for each in matches if each.known.id == met.id) for matches in (before, after)]
    return contract.PreviewExample(
        customer_id=customer.id,
        name=customer.name,
        met_id=met.id,
        met_name=met.name,
        before=judged(stands[0], change[0]),
        after=judged(stands[1], change[1]),
    )


def judged(found: Match, outcome: Outcome) -> contract.Judged:
    reasons = [item.reason for item in found.evidence]
    return contract.Judged(outcome=outcome, effect=found.effect, score=found.score, reasons=reasons)


def transitions(tally: Tally) -> list[contract.Transition]:
    """Those that have come about, the most frequent first."""
    return [contract.Transition(before=old, after=new, count=count) for (old, new), count in tally.counts.most_common()]


def outcomes(tally: Tally, side: int) -> contract.Outcomes:
    counts: Counter[Any] = Counter()
    for change, count in tally.counts.items():
        counts[change[side]] += count
    part = {outcome: round(counts[outcome] / tally.examined, 4) if tally.examined else 0.0 for outcome in OUTCOMES}
    return contract.Outcomes(
        **{outcome: counts[outcome] for outcome in OUTCOMES},
        share_needing_confirmation=part["needs_confirmation"],
        share_refused=part["refused"],
    )
