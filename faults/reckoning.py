"""The ledger against the databases: what was accepted is there once, with its command and its audit row; the rest is not."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg

from faults.ledger import OPERATIONS, Entry, Ledger
from ops.keys import SERVICES

COMMANDS = "SELECT key, operation, count(*) FROM command WHERE key LIKE %s || '-%%' GROUP BY key, operation"
AUDITED = """
    SELECT command_id, operation, count(*) FROM audit
    WHERE result = 'done' AND command_id LIKE %s || '-%%' GROUP BY command_id, operation
"""
CUSTOMERS = "SELECT name, array_agg(id::text) FROM customer WHERE name = ANY(%s) GROUP BY name"
NOTES = "SELECT content, array_agg(id::text) FROM contact_note WHERE content = ANY(%s) GROUP BY content"
TRANSFERS = "SELECT reason, array_agg(customer_id::text) FROM ownership WHERE reason = ANY(%s) GROUP BY reason"
USERS = "SELECT login, array_agg(id::text) FROM person WHERE login = ANY(%s) GROUP BY login"


@dataclass
class Reckoning:
    """What does not agree, in sentences."""

    lost: list[str] = field(default_factory=list)
    """Accepted, and not there or not in full."""
    doubled: list[str] = field(default_factory=list)
    """There more than once."""
    stray: list[str] = field(default_factory=list)
    """Refused or never answered, and there."""

    def __iadd__(self, other: "Reckoning") -> "Reckoning":
        self.lost += other.lost
        self.doubled += other.doubled
        self.stray += other.stray
        return self

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.stray)


def reckon(ledger: Ledger, urls: Mapping[str, str]) -> Reckoning:
    """For a quiet system, after the ledger was settled."""
    found = Reckoning()
    entries = ledger.entries
    records = Records(urls, ledger.prefix)
    check_marks(found, entries, "command row", records.count(COMMANDS))
    check_marks(found, entries, "audit row", records.count(AUDITED))
    check_effects(found, of_kind(entries, "note"), records.effects("activities", NOTES, keys(entries, "note")))
    check_effects(found, of_kind(entries, "transfer"), records.effects("customers", TRANSFERS, keys(entries, "transfer")))
    check_effects(found, of_kind(entries, "add_user"), records.effects("identity", USERS, keys(entries, "add_user")))
    check_companies(found, entries, records)
    return found


class Records:
    def __init__(self, urls: Mapping[str, str], prefix: str) -> None:
        self.urls, self.prefix = urls, prefix

    def rows(self, service: str, statement: str, value: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.urls[service], autocommit=True) as connection:
            return connection.execute(statement, [value]).fetchall()

    def count(self, statement: str) -> Counter[tuple[str, str]]:
        """How many rows each command of this ledger has, by key and operation."""
        found: Counter[tuple[str, str]] = Counter()
        for service in SERVICES:
            for key, operation, count in self.rows(service, statement, self.prefix):
                found[key, operation] += count
        return found

    def effects(self, service: str, statement: str, marks: list[str]) -> dict[str, list[str]]:
        """The ids of what bears each mark."""
        return {mark: ids for mark, ids in self.rows(service, statement, marks)}


def of_kind(entries: Iterable[Entry], kind: str) -> list[Entry]:
    return [entry for entry in entries if entry.kind == kind]


def keys(entries: Iterable[Entry], kind: str) -> list[str]:
    return [entry.key for entry in of_kind(entries, kind)]


def check_marks(found: Reckoning, entries: Iterable[Entry], what: str, counted: Counter[tuple[str, str]]) -> None:
    for entry in entries:
        count = counted[entry.key, OPERATIONS[entry.kind]]
        if entry.outcome == "accepted" and not count:
            found.lost.append(f"{entry.kind} {entry.key}: accepted, and has no {what}")
        if count > 1:
            found.doubled.append(f"{entry.kind} {entry.key}: {count} {what}s")


def check_effects(found: Reckoning, entries: Iterable[Entry], effects: Mapping[str, list[str]]) -> None:
    for entry in entries:
        ids = effects.get(entry.key, [])
        if entry.outcome == "accepted" and entry.answer["id"] not in ids:
            found.lost.append(f"{entry.kind} {entry.key}: accepted, and is not there")
        if entry.outcome != "accepted" and ids:
            found.stray.append(f"{entry.kind} {entry.key}: {entry.outcome}, and is there")
        if len(ids) > 1:
            found.doubled.append(f"{entry.kind} {entry.key}: there {len(ids)} times")


def check_companies(found: Reckoning, entries: Iterable[Entry], records: Records) -> None:
    """A company is entered once, whoever tries; its record is the one that was told to whoever was told `created`."""
    tries: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.kind in ("enter", "contest"):
            tries.setdefault(entry.body["name"], []).append(entry)
    there = records.effects("customers", CUSTOMERS, list(tries))
    for name, attempts in tries.items():
        ids = there.get(name, [])
        accepted = [entry.answer for entry in attempts if entry.outcome == "accepted"]
        created = sum(answer["outcome"] == "created" for answer in accepted)
        label = " and ".join(entry.key for entry in attempts)
        if len(ids) > 1 or created > 1:
            found.doubled.append(f"company of {label}: there {len(ids)} times, told to be new {created} times")
        elif {answer["customer_id"] for answer in accepted} - set(ids):
            found.lost.append(f"company of {label}: accepted, and is not there")
        elif ids and not created:
            found.stray.append(f"company of {label}: nobody was told that it was entered, and it is there")
