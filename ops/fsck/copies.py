"""What one service keeps of another's, laid beside the original row by row."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ops.fsck.invariant import Difference, Differences, Invariant, Look, each_of
from ops.fsck.report import Kind
from services.contracts.rules import AllowanceSet
from services.contracts.subscriptions import OF_THE_DIRECTORY, SUBSCRIPTIONS
from services.rules.domain import TIME_ZONE

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Copy:
    """`original` and `kept` give the same columns in the order of their first `width`, the key: of these two, one row each.

    They refer to `%(only)s`, which compares with the first column. Columns in `optional` may be null in what is kept.
    `surplus` is the kind of a row that nobody but the copy has.
    """

    subject: str
    source: str
    original: str
    service: str
    kept: str
    columns: str
    width: int = 1
    optional: frozenset[str] = frozenset()
    surplus: Kind = "wrong"

    def differences(self, look: Look) -> Iterator[Difference]:
        values = {"names": [event.event_name for event in SUBSCRIPTIONS[self.service]], "zone": TIME_ZONE, "source": self.source}
        original = look.rows(self.source, self.original, **values)
        for there, here in side_by_side(original, look.rows(self.service, self.kept, **values), self.width):
            look.looked_at += 1
            if there != here and (said := self.compare(there, here)):
                key = (there or here or ())[: self.width]
                yield Difference(key[0], said[0], f"{self.subject} {' '.join(map(str, key))}", said[1])

    def compare(self, there: Row | None, here: Row | None) -> tuple[Kind, str] | None:
        if here is None:
            return "missing", f"{self.source} has it"
        if there is None:
            return self.surplus, f"{self.source} has it not"
        odd = [
            f"{name}{values_of(theirs, ours)}"
            for name, theirs, ours in zip(self.columns.split(), there[self.width :], here[self.width :], strict=True)
            if theirs != ours and not (ours is None and name in self.optional)
        ]
        return ("wrong", f"not as in {self.source}: {', '.join(odd)}") if odd else None


def side_by_side(left: Iterator[Row], right: Iterator[Row], width: int) -> Iterator[tuple[Row | None, Row | None]]:
    """Rows of two ordered lists with the same key together, others alone. Neither list is ever held as a whole."""
    one, other = next(left, None), next(right, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one[:width] < other[:width]):
            yield one, None
            one = next(left, None)
        elif one is None or other[:width] < one[:width]:
            yield None, other
            other = next(right, None)
        else:
            yield one, other
            one, other = next(left, None), next(right, None)


def values_of(theirs: Any, ours: Any) -> str:
    """Numbers and ids are told; words may be a company's or somebody's."""
    if any(isinstance(value, str | list) for value in (theirs, ours)):
        return ""
    return f" ({ours}, there {theirs})"


def ids(column: str) -> str:
    return f"(%(only)s::uuid[] IS NULL OR {column} = ANY(%(only)s))"


# --- who belongs where

PLACES = {
    "agency": ("name is_headquarters is_frozen version", "name, is_headquarters, is_frozen, version"),
    "department": (
        "agency_id name ancestors status merged_into_id version",
        "agency_id, name, string_to_array(path, '.')::uuid[], status, merged_into_id, version",
    ),
    "sales_group": (
        "agency_id member_ids version",
        "agency_id, CASE WHEN is_dissolved THEN '{}' ELSE member_ids END, version",
    ),
    "person": (
        "agency_id department_id other_department_ids managed_department_ids supervisor_id"
        " display_name roles abilities status version",
        "agency_id, department_id, other_department_ids, managed_department_ids, supervisor_id,"
        " display_name, roles, abilities, status, version",
    ),
}


def directory_of(service: str) -> Differences:
    def query(table: str, columns: str) -> str:
        return f"SELECT id, {columns} FROM {table} WHERE {ids('id')} ORDER BY id"  # noqa: S608 constants

    copies = [
        Copy(table, "identity", query(table, original), service, query(table, columns.replace(" ", ", ")), columns)
        for table, (columns, original) in PLACES.items()
    ]
    return each_of(*(copy.differences for copy in copies))


# --- customers

HOLDINGS = Copy(
    "customer",
    "customers",
    f"""
    SELECT id, version, customer.agency_id, customer.owner_id, name, is_key, holding, source, held_since,
           CASE WHEN began.owner_id IS NOT NULL THEN entered_by END,
           CASE WHEN began.owner_id IS NOT NULL THEN (entered_at AT TIME ZONE %(zone)s)::date END
    FROM customer LEFT JOIN ownership AS began ON began.customer_id = id AND began.number = 1 WHERE {ids("id")} ORDER BY id
    """,  # noqa: S608 constants
    "rules",
    f"""
    SELECT customer_id, version, agency_id, owner_id, name, is_key, holding, source, held_since, entered_by, entered_on
    FROM holding WHERE {ids("customer_id")} ORDER BY customer_id
    """,  # noqa: S608 constants
    "version agency_id owner_id name is_key holding source held_since entered_by entered_on",
    optional=frozenset({"held_since"}),  # older events did not say
)

# from where on a customer has been told of as a web-registered member; of a holding before that it is known at most when it ended
DEADLINES = Copy(
    "customer and holding",
    "customers",
    f"""
    SELECT customer_id, number, ownership.owner_id, held_from, held_until,
           coalesce(lead(cause) OVER (PARTITION BY customer_id ORDER BY number) = 'take_back', false)
    FROM ownership JOIN customer ON customer.id = customer_id
    WHERE source = 'web' AND {ids("customer_id")} AND number >= (
        SELECT min(coalesce((data ->> 'holding')::integer, 1)) FROM outbox
        WHERE aggregate_id = customer_id AND data ->> 'source' = 'web')
    ORDER BY customer_id, number
    """,  # noqa: S608 constants
    "rules",
    f"""
    SELECT customer_id, holding, owner_id, received_at, moved_on_at, is_taken_back
    FROM deadline WHERE received_at IS NOT NULL AND {ids("customer_id")} ORDER BY customer_id, holding
    """,  # noqa: S608 constants
    "owner_id received_at moved_on_at is_taken_back",
    width=2,
)

METHODS = Copy(
    "visit method",
    "customers",
    """
    SELECT code, is_active, version FROM dictionary_entry
    WHERE kind = 'visit_method' AND (%(only)s::text[] IS NULL OR code = ANY(%(only)s)) ORDER BY code COLLATE "C"
    """,
    "activities",
    """
    SELECT code, is_active, version FROM visit_method
    WHERE %(only)s::text[] IS NULL OR code = ANY(%(only)s) ORDER BY code COLLATE "C"
    """,
    "is_active version",
)

# --- activities

CONTACTS = Copy(
    "event",
    "activities",
    f"""
    SELECT id, agency_id, (data ->> 'author_id')::uuid, (data ->> 'customer_id')::uuid, (data ->> 'holding')::integer,
           occurred_at, (occurred_at AT TIME ZONE %(zone)s)::date, (data ->> 'is_effective')::boolean
    FROM outbox WHERE name = 'contact_note_written' AND position IS NOT NULL AND {ids("id")} ORDER BY id
    """,  # noqa: S608 constants
    "rules",
    f"""
    SELECT event_id, agency_id, person_id, customer_id, holding, written_at, day, is_effective
    FROM contact WHERE {ids("event_id")} ORDER BY event_id
    """,  # noqa: S608 constants
    "agency_id person_id customer_id holding written_at day is_effective",
    surplus="doubled",
)

VERDICTS = Copy(
    "customer and holding",
    "activities",
    f"""
    SELECT aggregate_id, version, data ->> 'verdict', (data ->> 'due')::timestamptz, (data ->> 'forfeited')::boolean
    FROM outbox WHERE name = 'deadline_closed' AND {ids("aggregate_id")} ORDER BY aggregate_id, version
    """,  # noqa: S608 constants
    "rules",
    f"""
    SELECT customer_id, holding, verdict, due_at, is_forfeited
    FROM deadline WHERE verdict IS NOT NULL AND {ids("customer_id")} ORDER BY customer_id, holding
    """,  # noqa: S608 constants
    "verdict due_at is_forfeited",
    width=2,
)

# --- leavings

# what was counted while it ran is told from time to time
LEAVINGS = Copy(
    "leaving",
    "customers",
    f"""
    SELECT id, agency_id, version, round, state, CASE WHEN state <> 'running' THEN (
               SELECT sum(number) FROM (SELECT count(*) AS number FROM handover_item WHERE handover_id = handover.id
                                        GROUP BY kind, outcome) AS counted) END
    FROM handover WHERE {ids("id")} ORDER BY id
    """,  # noqa: S608 constants
    "identity",
    f"""
    SELECT leaving_id, agency_id, version, round, state, CASE WHEN state <> 'running' THEN (
               SELECT sum((counted ->> 'number')::integer) FROM jsonb_array_elements(counts) AS counted) END
    FROM leaving_part WHERE service = 'customers' AND version > 0 AND {ids("leaving_id")} ORDER BY leaving_id
    """,  # noqa: S608 constants
    "agency_id version round state counted",
)

# --- rules

ALLOWANCES = Copy(
    "person",
    AllowanceSet.event_source,
    f'SELECT person_id, "limit", version FROM allowance WHERE {ids("person_id")} ORDER BY person_id',  # noqa: S608 constants
    "customers",
    f"SELECT person_id, allowed, allowance_version FROM stock WHERE {ids('person_id')} ORDER BY person_id",  # noqa: S608 constants
    "limit version",
)

# --- the log

TOLD = "hashtextextended(concat_ws(' ', name, aggregate_id, version, agency_id, actor, request_id, occurred_at, data), 0)::text"


def log_of(source: str) -> Differences:
    """Every event once, as it was told."""
    wanted = "(%(only)s::bigint[] IS NULL OR position = ANY(%(only)s))"
    told = f"SELECT position, id, {TOLD} FROM outbox WHERE name = ANY(%(names)s) AND position IS NOT NULL AND {wanted}"  # noqa: S608 constants
    logged = f"SELECT position, id, {TOLD} FROM log_entry WHERE source = %(source)s AND {wanted}"  # noqa: S608 constants
    by_position = " ORDER BY position"
    return Copy(
        "position", source, told + by_position, "activities", logged + by_position, "id content", surplus="doubled"
    ).differences


def invariants() -> Iterator[Invariant]:
    for service, events in SUBSCRIPTIONS.items():
        if set(OF_THE_DIRECTORY) <= set(events):
            yield Invariant(service, "directory as in identity", directory_of(service), is_patient=True)
    for about, copy in (
        ("handovers as in customers", LEAVINGS),
        ("allowances as in rules", ALLOWANCES),
        ("holdings as in customers", HOLDINGS),
        ("deadlines as in customers", DEADLINES),
        ("contacts as in activities", CONTACTS),
        ("visit methods as in customers", METHODS),
        ("verdicts as in activities", VERDICTS),
    ):
        yield Invariant(copy.service, about, copy.differences, is_patient=True)
    for source in sorted({event.event_source for event in SUBSCRIPTIONS["activities"]}):
        yield Invariant("activities", f"log as told by {source}", log_of(source), is_patient=True)
