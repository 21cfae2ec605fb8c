"""What holds inside activities."""

from collections.abc import Iterator

from ops.fsck.invariant import Invariant, by_sql
from ops.fsck.told import told
from services.contracts.activities import ContactNoteWritten

# The last note need not be the youngest: of two at the same moment, the one that takes the lock later may have begun before.
FOLLOW_UPS = """
    WITH latest AS (
        SELECT DISTINCT ON (customer_id, agency_id)
               customer_id, agency_id, holding AS noted, min(written_at) AS begun, max(written_at) AS youngest
        FROM contact_note WHERE holding IS NOT NULL AND part IS NULL
        GROUP BY customer_id, agency_id, holding ORDER BY customer_id, agency_id, holding DESC
    )
    SELECT customer_id, CASE WHEN holding IS NULL THEN 'missing' ELSE 'wrong' END,
           CASE WHEN holding IS NULL THEN 'notes were written, and nothing is known of a follow-up'
                WHEN noted > holding THEN concat('the follow-up is of holding ', holding, ', and there are notes under ', noted)
                WHEN verdict = 'met' AND first_note_at > due THEN 'the first contact was met, and its note came later'
                ELSE concat('the follow-up under holding ', holding, ' does not begin and end with its notes') END
    FROM follow_up FULL JOIN latest USING (customer_id, agency_id)
    WHERE holding IS NULL OR noted > holding
       OR first_note_at IS DISTINCT FROM CASE WHEN noted = holding THEN begun END
       OR (last_note_at IS NULL) <> (first_note_at IS NULL) OR NOT last_note_at BETWEEN first_note_at AND youngest
       OR (verdict = 'met' AND first_note_at > due)
"""

VERDICTS = """
    SELECT customer_id, CASE WHEN holding IS NULL OR version IS NULL THEN 'missing' ELSE 'wrong' END,
           CASE WHEN holding IS NULL THEN concat('the deadline of holding ', version, ' was closed, and no follow-up is known')
                WHEN version IS NULL THEN concat('no event says that the deadline of holding ', holding, ' was closed')
                ELSE concat('the verdict on holding ', holding, ' is not the one that was told on ', version) END
    FROM follow_up
    FULL JOIN (SELECT DISTINCT ON (aggregate_id, agency_id) aggregate_id AS customer_id, agency_id, version, data
               FROM outbox WHERE name = 'deadline_closed' ORDER BY aggregate_id, agency_id, version DESC) AS closed
    USING (customer_id, agency_id)
    WHERE holding IS NULL OR version > holding
       OR ((verdict IS NOT NULL OR version = holding) AND (holding, verdict, due, is_forfeited) IS DISTINCT FROM
           (version, data ->> 'verdict', (data ->> 'due')::timestamptz, (data ->> 'forfeited')::boolean))
"""


def invariants() -> Iterator[Invariant]:
    yield Invariant("activities", "notes as told", told("contact_note", ContactNoteWritten, version="1"))
    yield Invariant("activities", "follow-ups", by_sql("activities", "customer", "follow_up", FOLLOW_UPS))
    yield Invariant("activities", "verdicts as told", by_sql("activities", "customer", "follow_up", VERDICTS))
