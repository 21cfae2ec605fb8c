"""What the plumbing promises in every service: audit, outbox, inbox."""

from collections.abc import Iterator

from ops.fsck.invariant import Difference, Differences, Invariant, Look, by_sql
from services.contracts.subscriptions import SUBSCRIPTIONS
from services.plumbing.verification import verify

# Commands are forgotten after seven days, so that a key may then come again. Both rows of a command bear the same moment, and
# what has been forgotten was older than seven days by an earlier clock than the one read here.
COMMANDS = """
    WITH remembered AS MATERIALIZED (SELECT clock() - interval '7 days' AS since),
    answered AS (SELECT actor, operation, key, answered_at FROM command, remembered WHERE answered_at >= since),
    audited AS (
        SELECT actor, operation, command_id AS key, min(at) AS at, count(*) AS times FROM audit, remembered
        WHERE result = 'done' AND at >= since GROUP BY actor, operation, command_id
    )
    SELECT concat_ws(' ', operation, key),
           CASE WHEN times > 1 THEN 'doubled' WHEN answered_at = at THEN 'wrong' ELSE 'missing' END,
           CASE WHEN times > 1 THEN concat(times, ' audit rows say that it was done')
                WHEN times IS NULL THEN 'no audit row says that it was done'
                WHEN answered_at IS NULL THEN 'it was done, and its answer is not known'
                ELSE 'answer and audit row are not of the same moment' END || concat(' (actor ', actor, ')')
    FROM answered FULL JOIN audited USING (actor, operation, key)
    WHERE times IS DISTINCT FROM 1 OR answered_at IS DISTINCT FROM at
"""
UNCHAINED = """
    SELECT audit_id, 'missing', 'the leader has not chained it' FROM audit_unchained
    WHERE %(only)s::uuid[] IS NULL OR audit_id = ANY(%(only)s)
"""
# The number of a holding serves as the version of a closed deadline, so those have gaps.
VERSIONS = """
    SELECT aggregate_id, 'missing', concat(count(*), ' events, and the last one is of version ', max(version)) FROM outbox
    WHERE name <> 'deadline_closed' GROUP BY aggregate_id HAVING count(*) <> max(version)
"""
POSITIONS = """
    SELECT position, 'missing', concat('none from ', before + 1, ' to ', position - 1)
    FROM (SELECT position, lag(position, 1, 0::bigint) OVER (ORDER BY position) AS before
          FROM outbox WHERE position IS NOT NULL) AS numbered
    WHERE position <> before + 1
"""
UNSENT = """
    SELECT id, 'missing', name || CASE WHEN position IS NULL THEN ' has no position' ELSE ' was not sent' END FROM outbox
    WHERE published_at IS NULL AND (%(only)s::uuid[] IS NULL OR id = ANY(%(only)s))
"""
TROUBLED = """
    SELECT event_id, CASE state WHEN 'parked' THEN 'wrong' ELSE 'missing' END,
           concat(handler, ' ', state, ' it after ', tries, ' tries at ', source, ' ', position, ' (', error, ')')
    FROM inbox WHERE state = %(state)s AND (%(only)s::uuid[] IS NULL OR event_id = ANY(%(only)s))
"""


def chain_of(service: str) -> Differences:
    """Names the first row of each chain alone, as everything behind it hangs on it."""

    def differences(look: Look) -> Iterator[Difference]:
        verdict = verify(look.databases.connections[service])
        look.looked_at += verdict.rows
        for broken in verdict.breaks:
            subject = f"audit row {broken.audit_id}" if broken.audit_id else f"audit of agency {broken.agency_id}"
            yield Difference(broken.audit_id or broken.agency_id, "wrong", subject, broken.reason)

    return differences


def invariants_of(service: str) -> Iterator[Invariant]:
    yield Invariant(service, "commands and audit", by_sql(service, "command", "command", COMMANDS))
    yield Invariant(service, "audit chain", chain_of(service))
    yield Invariant(service, "audit chained", by_sql(service, "audit row", "audit", UNCHAINED), is_patient=True)
    yield Invariant(service, "versions of events", by_sql(service, "aggregate", "outbox", VERSIONS))
    yield Invariant(service, "positions of events", by_sql(service, "position", "outbox", POSITIONS))
    yield Invariant(service, "events sent", by_sql(service, "event", "outbox", UNSENT), is_patient=True)
    if service in SUBSCRIPTIONS:  # what is parked waits for a person, so that it is no use to wait for it
        yield Invariant(service, "events parked", by_sql(service, "event", "inbox", TROUBLED, state="parked"))
        failed = by_sql(service, "event", "inbox", TROUBLED, state="failed")
        yield Invariant(service, "events failed", failed, is_patient=True)
