"""Claims from pools, held to the pool's rules in the transaction that makes the change.

Somebody's claims from a pool are one row, which each of his claims locks: of many at once each is judged by those before it.
"""

from uuid import UUID

from sqlalchemy import text

from services.contracts.pools import ClaimRules
from services.customers.models import Customer, Pool
from services.customers.pools import access
from services.customers.pools.domain import Past, business_day, check_claim
from services.plumbing.work import Work

LOCK = text(
    """
    INSERT INTO pool_claims (pool_id, person_id, agency_id, day, claims)
    VALUES (:pool_id, :person_id, :agency_id, :day, 0)
    ON CONFLICT (pool_id, person_id) DO UPDATE
    SET day = excluded.day, claims = CASE WHEN pool_claims.day = excluded.day THEN pool_claims.claims ELSE 0 END
    RETURNING claims, last_at
    """
)
COUNT = text("UPDATE pool_claims SET claims = claims + 1, last_at = :now WHERE pool_id = :pool_id AND person_id = :person_id")
BEFORE = text(
    """
    SELECT max(own.held_until) FILTER (WHERE own.owner_id = :person_id AND next.cause IN ('release', 'take_back')) AS given_up_at,
           count(*) FILTER (WHERE own.owner_id IS NOT NULL AND own.cause <> 'enter') AS moves
    FROM ownership AS own LEFT JOIN ownership AS next ON (next.customer_id, next.number) = (own.customer_id, own.number + 1)
    WHERE own.customer_id = :customer_id
    """
)


def is_open(work: Work, customer: Customer, person_id: UUID) -> bool:
    """Whether a customer, whose row is locked, lies where the person may claim."""
    return access.holds(work.session, customer.pool_id, access.open_to(person_id))


def count_claim(work: Work, customer: Customer, person_id: UUID) -> None:
    """After the customer's row and before the stock's. Raises what the rules of its pool forbid, see `check_claim`; then nothing
    is counted, as nothing is when the claim fails for another reason."""
    pool = work.session.get_one(Pool, customer.pool_id)
    whose = {"pool_id": pool.id, "person_id": person_id}
    locked = work.session.execute(LOCK, whose | {"agency_id": pool.agency_id, "day": business_day(work.now)}).one()
    before = work.session.execute(BEFORE, {"customer_id": customer.id, "person_id": person_id}).one()
    past = Past(locked.claims, locked.last_at, customer.held_since, before.given_up_at, before.moves)
    check_claim(ClaimRules.model_validate(pool.claim_rules), past, work.now)
    work.session.execute(COUNT, whose | {"now": work.now})
