"""What holds inside customers."""

import json
from collections.abc import Iterator
from zlib import crc32

from ops.fsck.invariant import Invariant, by_sql, each_of
from ops.fsck.told import told
from services.contracts.customers import CustomerEntered, CustomerMoved, CustomerUpdated
from services.contracts.disputes import DisputeAnswered, DisputeDecided, DisputeOpened, DisputeWithdrawn
from services.contracts.leaving import HandoverReported
from services.contracts.members import MemberArrived, MemberSourceSet, TerritorySet
from services.contracts.team import HandoffChanged

PLACES = """
    SELECT customer.id,
           CASE WHEN owner_id IS NULL AND pool_id IS NULL THEN 'missing' WHEN owner_id IS NULL THEN 'wrong' ELSE 'doubled' END,
           CASE WHEN owner_id IS NULL AND pool_id IS NULL THEN 'neither held nor in a pool'
                WHEN owner_id IS NULL THEN 'in a pool of another agency' ELSE 'held and in a pool as well' END
    FROM customer LEFT JOIN pool ON pool.id = customer.pool_id
    WHERE (owner_id IS NULL) = (pool_id IS NULL) OR pool.agency_id <> customer.agency_id
"""

HISTORIES = """
    WITH stretch AS (
        SELECT *, lag(number, 1, 0) OVER one AS before, lead(number) OVER one AS next, lead(held_from) OVER one AS next_from
        FROM ownership WINDOW one AS (PARTITION BY customer_id ORDER BY number)
    ),
    judged AS (
        SELECT coalesce(id, customer_id) AS customer_id, number, next IS NULL AS is_last,
               id IS NULL AS is_gone,
               number <> before + 1 AS is_behind_gap,
               (number = 1) <> (cause = 'enter') AS is_odd_entry,
               next IS NOT NULL AND held_until IS DISTINCT FROM next_from AS is_loose,
               next IS NULL AND (held_until IS NOT NULL
                   OR (number, stretch.owner_id, stretch.pool_id, stretch.agency_id, held_from)
                   IS DISTINCT FROM (holding, now.owner_id, now.pool_id, now.agency_id, held_since)) AS is_not_present
        FROM stretch FULL JOIN customer AS now ON now.id = stretch.customer_id
    )
    SELECT customer_id,
           CASE WHEN number IS NULL OR is_gone OR is_behind_gap THEN 'missing' ELSE 'wrong' END,
           CASE WHEN number IS NULL THEN 'it has no history'
                WHEN is_gone THEN concat('its history has stretch ', number, ', and it is gone')
                WHEN is_behind_gap THEN concat('nothing is known of what was before stretch ', number)
                WHEN is_odd_entry THEN concat('stretch ', number, ' has the cause of another one')
                WHEN is_loose THEN concat('stretch ', number, ' does not end where the next one begins')
                ELSE concat('stretch ', number, ', its last, is not its present state') END
    FROM judged WHERE number IS NULL OR is_gone OR is_behind_gap OR is_odd_entry OR is_loose OR is_not_present
"""

STOCK = """
    SELECT coalesce(person_id, owner_id), CASE WHEN person_id IS NULL THEN 'missing' ELSE 'wrong' END,
           CASE WHEN person_id IS NULL THEN concat('no stock, and ', holds, ' are held')
                ELSE concat('counts ', held, ', and ', coalesce(holds, 0), ' are held') END
    FROM stock FULL JOIN (SELECT owner_id, count(*) AS holds FROM customer WHERE owner_id IS NOT NULL GROUP BY owner_id) AS of
    ON of.owner_id = stock.person_id
    WHERE held IS DISTINCT FROM coalesce(holds, 0)
"""

ENTERED = """
    SELECT coalesce(id, aggregate_id), CASE WHEN times > 1 THEN 'doubled' ELSE 'missing' END,
           CASE WHEN times > 1 THEN concat(times, ' events say that it was entered')
                WHEN id IS NULL THEN 'it was entered, and it is gone' ELSE 'no event says that it was entered' END
    FROM customer
    FULL JOIN (SELECT aggregate_id, count(*) AS times FROM outbox WHERE name = 'customer_entered' GROUP BY aggregate_id) AS of
    ON of.aggregate_id = customer.id
    WHERE id IS NULL OR times IS DISTINCT FROM 1
"""

FILED = """
    SELECT id, 'missing', CASE WHEN normaliser = 0 THEN 'not filed yet' WHEN NOT is_named THEN 'not filed under its own name'
                               WHEN NOT is_keyed THEN 'under no collision key' ELSE 'its names are not taken apart' END
    FROM (SELECT id, normaliser,
                 normaliser < 2 OR NOT EXISTS (
                     SELECT FROM customer_name
                     WHERE customer_id = id AND (parts = '[]' OR (normaliser > 2 AND jsonb_typeof(parts -> 0) <> 'string'))
                 ) AS is_apart,
                 EXISTS (SELECT FROM customer_name AS own
                         WHERE own.customer_id = id AND own.name = customer.name AND own.kind = 'licence') AS is_named,
                 EXISTS (SELECT FROM collision_key WHERE customer_id = id) AS is_keyed
          FROM customer WHERE %(only)s::uuid[] IS NULL OR id = ANY(%(only)s)) AS looked_up
    WHERE normaliser = 0 OR NOT is_named OR NOT is_keyed OR NOT is_apart
"""


def tokens(name: str, *values: str) -> str:
    """By value, as they are stored among those that a customer is searched by."""
    return "'" + json.dumps({value: crc32(f"={name}:{value}".encode()) - 2**31 for value in values}) + "'::jsonb"


CATEGORIES = tokens("category", "potential", "intending", "dealt", "vip")
SOURCES = tokens("source", "own", "web", "telesales", "exhibition", "referral", "advertising", "other")
"""What there is from the start; headquarters may lay down others, which are not looked at."""
SEARCHED = f"""
    SELECT id, CASE WHEN tokens IS NULL THEN 'missing' ELSE 'wrong' END,
           CASE WHEN searchable < 2 THEN 'not searchable yet' WHEN tokens IS NULL THEN 'nothing to search it by'
                ELSE 'searched by other values than it has' END
    FROM customer LEFT JOIN customer_search ON customer_id = id
    WHERE (%(only)s::uuid[] IS NULL OR id = ANY(%(only)s))
      AND (searchable < 2 OR tokens IS NULL OR customer_search.agency_id <> customer.agency_id
           OR ({CATEGORIES} ->> category)::integer <> ALL(tokens) OR ({SOURCES} ->> source)::integer <> ALL(tokens)
           OR (is_key AND ({tokens("key", "true")} ->> 'true')::integer <> ALL(tokens)))
"""  # noqa: S608 constants

CHANGES = """
    SELECT customer_id, 'wrong', concat('version ', change.version, ' was changed, and it is in version ', customer.version)
    FROM customer_change AS change JOIN customer ON customer.id = customer_id
    WHERE change.version > customer.version OR change.version < 2
"""

POOLS = """
    SELECT agency.id, 'missing', concat('it has no pool ', kind)
    FROM agency, unnest(ARRAY['public', 'agency'] || CASE WHEN is_headquarters THEN ARRAY['telesales', 'industry'] END) AS kind
    WHERE (%(only)s::uuid[] IS NULL OR agency.id = ANY(%(only)s))
      AND NOT EXISTS (SELECT FROM pool WHERE pool.agency_id = agency.id AND pool.kind = kind.kind)
"""

POOL_ROWS = """
    SELECT pool.id, 'wrong', concat('it is archived, and customer ', customer.id, ' lies in it')
    FROM pool JOIN customer ON customer.pool_id = pool.id WHERE archived_at IS NOT NULL
    UNION ALL
    SELECT pool.id, 'wrong', concat(CASE WHEN kind <> 'custom' THEN 'it is built in, and works in it: '
                                         ELSE 'somebody of another agency works in it: ' END, member.person_id)
    FROM pool JOIN pool_member AS member ON member.pool_id = pool.id LEFT JOIN person ON person.id = member.person_id
    WHERE kind <> 'custom' OR member.agency_id <> pool.agency_id OR person.agency_id <> pool.agency_id
"""

POOLS_AS_TOLD = """
    SELECT coalesce(pool.id, told.aggregate_id),
           CASE WHEN pool.id IS NULL OR pool.version > coalesce(told.version, 0) THEN 'missing' ELSE 'wrong' END,
           CASE WHEN pool.id IS NULL THEN 'it was told of, and it is gone'
                WHEN pool.version <> coalesce(told.version, 0)
                THEN concat('version ', pool.version, ', and its last event is of ', coalesce(told.version, 0))
                ELSE 'its last event says something else of its settings, or of who works in it' END
    FROM (SELECT pool.*,
                 (SELECT coalesce(jsonb_agg(person_id ORDER BY person_id), '[]') FROM pool_member
                  WHERE pool_id = pool.id AND NOT is_admin) AS members,
                 (SELECT coalesce(jsonb_agg(person_id ORDER BY person_id), '[]') FROM pool_member
                  WHERE pool_id = pool.id AND is_admin) AS admins
          FROM pool) AS pool
    FULL JOIN (SELECT DISTINCT ON (aggregate_id) aggregate_id, version, data FROM outbox
               WHERE name = 'pool_changed' ORDER BY aggregate_id, version DESC) AS told
    ON told.aggregate_id = pool.id
    WHERE pool.id IS NULL OR pool.version <> coalesce(told.version, 0)
       OR pool.version > 0
          AND (name, archived_at IS NULL, to_jsonb(hidden_fields), claim_rules, members, admins) IS DISTINCT FROM
              (data ->> 'name', data ->> 'archived_at' IS NULL, data -> 'hidden_fields', data -> 'claim_rules',
               data -> 'member_ids', data -> 'admin_ids')
"""

CLAIMS = """
    WITH claim AS (
        SELECT before.pool_id, now.owner_id AS person_id, (now.held_from AT TIME ZONE 'Asia/Shanghai')::date AS day
        FROM ownership AS now
        JOIN ownership AS before ON (before.customer_id, before.number) = (now.customer_id, now.number - 1)
        WHERE now.cause = 'claim'
    )
    SELECT coalesce(counted.person_id, made.person_id), CASE WHEN counted.day IS NULL THEN 'missing' ELSE 'wrong' END,
           CASE WHEN counted.day IS NULL THEN concat('has claimed from pool ', made.pool_id, ', and nothing is counted')
                ELSE concat('counts ', claims, ' claims from pool ', counted.pool_id, ' on ', counted.day, ', and ',
                            coalesce(on_that_day, 0), ' were made') END
    FROM pool_claims AS counted
    FULL JOIN (SELECT claim.pool_id, claim.person_id, count(*) FILTER (WHERE claim.day = counted.day) AS on_that_day
               FROM claim LEFT JOIN pool_claims AS counted USING (pool_id, person_id) GROUP BY 1, 2) AS made
    ON (made.pool_id, made.person_id) = (counted.pool_id, counted.person_id)
    WHERE claims IS DISTINCT FROM on_that_day
"""

REVIEWS = """
    SELECT item.id, 'wrong',
           CASE WHEN fields ->> 'name' <> item.name THEN 'it waits under another name than was typed'
                ELSE 'what was made of it was entered by somebody else' END
    FROM review_item AS item LEFT JOIN customer ON customer.id = item.customer_id
    WHERE fields ->> 'name' <> item.name OR (origin = 'waiting' AND entered_by <> person_id)
    UNION ALL
    SELECT item.id, 'doubled', 'another one tells of the same race'
    FROM review_item AS item
    WHERE origin = 'raced' AND EXISTS (
        SELECT FROM review_item AS other
        WHERE other.customer_id = item.customer_id AND other.origin = 'raced' AND other.seen && item.seen AND other.id < item.id)
"""

REVIEWS_AS_TOLD = """
    SELECT coalesce(item.id, told.aggregate_id),
           CASE WHEN item.id IS NULL OR item.version > coalesce(told.version, 0) THEN 'missing' ELSE 'wrong' END,
           CASE WHEN item.id IS NULL THEN 'it was told of, and it is gone'
                WHEN item.version <> coalesce(told.version, 0)
                THEN concat('version ', item.version, ', and its last event is of ', coalesce(told.version, 0))
                ELSE 'its last event says something else of its state, or of who entered and decided it' END
    FROM review_item AS item
    FULL JOIN (SELECT DISTINCT ON (aggregate_id) aggregate_id, version, data FROM outbox
               WHERE name IN ('review_opened', 'review_decided') ORDER BY aggregate_id, version DESC) AS told
    ON told.aggregate_id = item.id
    WHERE item.id IS NULL OR item.version <> coalesce(told.version, 0)
       OR item.version > 0 AND (item.state, item.person_id::text, item.decided_by::text)
          IS DISTINCT FROM (coalesce(told.data ->> 'state', 'open'), told.data ->> 'person_id', told.data ->> 'decided_by')
"""

DISPUTES = """
    SELECT id, CASE WHEN is_heard THEN 'wrong' ELSE 'missing' END,
           CASE WHEN is_heard THEN 'it was upheld, and the customer did not come to the claimant by it'
                ELSE 'what a side has said is not there' END
    FROM (
        SELECT dispute.id,
               (SELECT count(*) FROM dispute_statement WHERE dispute_id = dispute.id)
                   = CASE WHEN answered_at IS NULL THEN 1 ELSE 2 END AS is_heard,
               state <> 'upheld' OR EXISTS (
                   SELECT FROM ownership AS placed
                   WHERE (placed.customer_id, placed.number, placed.owner_id, placed.cause)
                       = (dispute.customer_id, placed_as, claimant_id, 'dispute')) AS is_placed
        FROM dispute
    ) AS judged
    WHERE NOT is_heard OR NOT is_placed
"""

AWARDED = """
    SELECT placed.customer_id, 'missing', concat('no dispute stands behind stretch ', placed.number)
    FROM ownership AS placed
    WHERE cause = 'dispute' AND NOT EXISTS (
        SELECT FROM dispute WHERE (dispute.customer_id, placed_as) = (placed.customer_id, placed.number))
"""

COLLABORATORS = """
    SELECT one.customer_id, CASE WHEN team.id IS NULL THEN 'missing' ELSE 'wrong' END,
           CASE WHEN team.id IS NULL THEN 'somebody works on it, and no event was counted'
                WHEN owner_id IS NULL THEN 'somebody works on it, and it lies in a pool'
                ELSE 'its holder is his own collaborator' END
    FROM collaborator AS one JOIN customer ON customer.id = customer_id LEFT JOIN team ON team.customer_id = one.customer_id
    WHERE team.id IS NULL OR owner_id IS NULL OR owner_id = person_id
"""

COLLABORATORS_AS_TOLD = """
    SELECT coalesce(team.customer_id, (told.data ->> 'customer_id')::uuid),
           CASE WHEN team.version = told.version THEN 'wrong' ELSE 'missing' END,
           CASE WHEN team.id IS NULL THEN 'its collaborators were told of, and are counted no more'
                WHEN team.version IS DISTINCT FROM told.version
                THEN concat('its collaborators changed ', team.version, ' times, and the last event is of ', told.version)
                ELSE 'the last event says something else of its collaborators' END
    FROM team
    FULL JOIN (SELECT DISTINCT ON (aggregate_id) aggregate_id, version, data FROM outbox
               WHERE name = 'collaborators_changed' ORDER BY aggregate_id, version DESC) AS told ON told.aggregate_id = team.id
    WHERE team.version IS DISTINCT FROM told.version
       OR ARRAY(SELECT (person_id, part, to_jsonb(rights), until)::text FROM collaborator
                WHERE customer_id = team.customer_id ORDER BY person_id)
          <> ARRAY(SELECT (person_id, part, rights, until)::text
                   FROM jsonb_to_recordset(told.data -> 'collaborators')
                        AS said(person_id uuid, part text, rights jsonb, until timestamptz) ORDER BY person_id)
"""

HANDOFFS = """
    SELECT handoff.id, CASE WHEN state = 'open' THEN 'wrong' ELSE 'missing' END,
           CASE WHEN state = 'open' THEN 'it is open, and the customer has changed hands'
                ELSE 'it was accepted, and the customer has not come to the receiver' END
    FROM handoff
    LEFT JOIN customer ON (customer.id, customer.holding, owner_id) = (customer_id, handoff.holding, from_id)
    LEFT JOIN ownership AS next ON (next.customer_id, number, next.owner_id, cause)
                                   = (handoff.customer_id, handoff.holding + 1, to_id, 'handoff')
    WHERE (state = 'open' AND customer.id IS NULL) OR (state = 'accepted' AND part <> 'support' AND next.number IS NULL)
"""


MEMBERS = """
    SELECT arrival.id, 'missing',
           CASE WHEN entered_at IS DISTINCT FROM received_at AND outcome = 'entered' THEN 'no customer was entered when it came'
                ELSE 'its customer was not given to who received it' END
    FROM member_arrival AS arrival LEFT JOIN customer ON customer.id = arrival.customer_id
    WHERE outcome = 'entered' AND entered_at IS DISTINCT FROM received_at
       OR outcome <> 'known' AND person_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM ownership AS given
        WHERE (given.customer_id, given.owner_id, given.cause) = (arrival.customer_id, arrival.person_id, 'assign')
          AND given.held_from >= arrival.received_at)
"""


LEFT = """
    SELECT handover.id, 'wrong', concat('it is done, and who has left holds ', count(*), ' customers')
    FROM handover JOIN stock USING (person_id) JOIN customer ON owner_id = person_id
    WHERE state = 'done' AND is_closed GROUP BY handover.id
"""

HANDED_OVER = """
    SELECT item.id, 'missing', CASE outcome WHEN 'handed_over' THEN 'the customer has never come to who is said to have got it'
                                            ELSE 'the customer has never come to the pool from who has left' END
    FROM handover_item AS item JOIN handover ON handover.id = handover_id
    WHERE kind = 'customer' AND outcome IN ('handed_over', 'to_pool') AND NOT EXISTS (
        SELECT FROM ownership AS given
        JOIN ownership AS before ON (before.customer_id, before.number) = (given.customer_id, given.number - 1)
        WHERE given.customer_id = item_id AND given.cause = 'leaving' AND before.owner_id = handover.person_id
          AND given.owner_id IS NOT DISTINCT FROM item.to_id)
    UNION ALL
    SELECT coalesce(receiver.id, of.handover_id), 'wrong',
           concat(coalesce(receiver.person_id, to_id), ' is counted with ', coalesce(customers, 0),
                  ', and has got ', coalesce(got, 0))
    FROM handover_receiver AS receiver
    FULL JOIN (SELECT handover_id, to_id, count(*) AS got FROM handover_item WHERE outcome = 'handed_over'
               GROUP BY handover_id, to_id) AS of
    ON (of.handover_id, to_id) = (receiver.handover_id, receiver.person_id)
    WHERE customers IS DISTINCT FROM got
    UNION ALL
    SELECT receiver.id, 'missing', concat(receiver.person_id, ' has got ', customers, ', and was told of ', told)
    FROM handover_receiver AS receiver JOIN handover ON handover.id = handover_id
    WHERE state <> 'running' AND told < customers
"""

REVEALS = """
    SELECT person_id, CASE WHEN revealed IS NULL THEN 'missing' ELSE 'wrong' END,
           concat('counts ', coalesce(revealed, 0), ' reveals on ', day, ', and ', coalesce(made, 0), ' were made')
    FROM reveal_count
    FULL JOIN (SELECT person_id, day, count(*) AS made FROM reveal WHERE is_counted GROUP BY person_id, day) AS of
    USING (person_id, day)
    WHERE revealed IS DISTINCT FROM coalesce(made, 0)
"""

REVEALS_AS_TOLD = """
    SELECT coalesce(id, aggregate_id), CASE WHEN id IS NULL OR aggregate_id IS NULL THEN 'missing' ELSE 'wrong' END,
           CASE WHEN id IS NULL THEN 'it was told of, and it is gone' WHEN aggregate_id IS NULL THEN 'no event tells of it'
                ELSE 'its event tells of another customer, person or field' END
    FROM reveal FULL JOIN (SELECT aggregate_id, data FROM outbox WHERE name = 'field_revealed') AS told ON aggregate_id = id
    WHERE id IS NULL OR aggregate_id IS NULL OR (customer_id::text, person_id::text, field)
          IS DISTINCT FROM (data ->> 'customer_id', data ->> 'person_id', data ->> 'field')
"""


def invariants() -> Iterator[Invariant]:
    def of(about: str, subject: str, counted: str, differing: str, *, is_patient: bool = False) -> Invariant:
        return Invariant("customers", about, by_sql("customers", subject, counted, differing), is_patient)

    yield of("one place", "customer", "customer", PLACES)
    yield of("histories", "customer", "ownership", HISTORIES)
    yield of("stock", "person", "stock", STOCK)
    yield of("entered once", "customer", "customer", ENTERED)
    yield Invariant("customers", "as told", told("customer", CustomerEntered, CustomerUpdated, CustomerMoved))
    yield of("filed", "customer", "customer", FILED, is_patient=True)
    yield of("searched", "customer", "customer", SEARCHED, is_patient=True)
    yield of("changes", "customer", "customer_change", CHANGES)
    yield of("reviews", "review", "review_item", REVIEWS)
    yield of("reviews as told", "review", "review_item", REVIEWS_AS_TOLD)
    disputes = by_sql("customers", "dispute", "dispute", DISPUTES)
    yield Invariant("customers", "disputes", each_of(disputes, by_sql("customers", "customer", "ownership", AWARDED)))
    disputes_told = told("dispute", DisputeOpened, DisputeAnswered, DisputeDecided, DisputeWithdrawn)
    yield Invariant("customers", "disputes as told", disputes_told)
    yield of("collaborators", "customer", "collaborator", COLLABORATORS)
    yield of("collaborators as told", "customer", "team", COLLABORATORS_AS_TOLD)
    yield of("handoffs", "handoff", "handoff", HANDOFFS)
    yield Invariant("customers", "handoffs as told", told("handoff", HandoffChanged))
    yield of("members", "member arrival", "member_arrival", MEMBERS)
    settings = (told("member_source", MemberSourceSet), told("territory", TerritorySet, key="agency_id"))
    yield Invariant("customers", "members as told", each_of(told("member_arrival", MemberArrived, version="1"), *settings))
    yield of("who has left holds nothing", "leaving", "handover", LEFT)
    yield of("handed over", "item", "handover_item", HANDED_OVER)
    yield Invariant("customers", "handovers as told", told("handover", HandoverReported))
    yield of("reveals", "person", "reveal_count", REVEALS)
    yield of("reveals as told", "reveal", "reveal", REVEALS_AS_TOLD)
    yield of("pools", "agency", "agency", POOLS, is_patient=True)
    yield of("pools and who works in them", "pool", "pool", POOL_ROWS)
    yield of("pools as told", "pool", "pool", POOLS_AS_TOLD)
    yield of("claims", "person", "pool_claims", CLAIMS)
