"""Events are told in the transaction that makes the change, so the last one of a row always says what the row says."""

from ops.fsck.invariant import Differences, by_sql
from services.contracts.base import Event

# An event's fields are called like the columns: put into a copy of the row, they must leave it as it is.
TOLD = """
    SELECT coalesce(kept.{key}, told.aggregate_id),
           CASE WHEN kept.{key} IS NULL OR told.version IS NULL OR {version} > told.version THEN 'missing' ELSE 'wrong' END,
           CASE WHEN kept.{key} IS NULL THEN concat('it is gone, and event ', told.version, ' has told of it')
                WHEN told.version IS NULL THEN 'no event tells of it'
                WHEN {version} <> told.version THEN concat('version ', {version}, ', and its last event is of ', told.version)
                ELSE 'its last event says something else of ' || (
                    SELECT string_agg(said.key, ', ' ORDER BY said.key)
                    FROM jsonb_each(to_jsonb(jsonb_populate_record(kept, told.data - %(untold)s::text))) AS said
                    WHERE said.value IS DISTINCT FROM to_jsonb(kept) -> said.key) END
    FROM {table} AS kept
    FULL JOIN (SELECT DISTINCT ON (aggregate_id) aggregate_id, version, data FROM outbox WHERE name = ANY(%(names)s)
               ORDER BY aggregate_id, version DESC) AS told ON told.aggregate_id = kept.{key}
    WHERE kept.{key} IS NULL OR told.version IS NULL OR {version} <> told.version
       OR jsonb_populate_record(kept, told.data - %(untold)s::text) IS DISTINCT FROM kept
"""


def told(table: str, *events: type[Event], key: str = "id", version: str = "kept.version", untold: str = "") -> Differences:
    """Each row of `table` has events of these kinds about it, and is as the last of them says; the column `untold` may have
    changed since."""
    differing = TOLD.format(table=table, key=key, version=version)
    names = [event.event_name for event in events]
    return by_sql(events[0].event_source, table.replace("_", " "), table, differing, names=names, untold=untold)
