"""SQL of the collision check: which customers of any agency are met by a subject, and how each stands to it."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, CursorResult, Row, text
from sqlalchemy.orm import Session

from services.contracts.collision import CollisionRules
from services.customers.check import criteria
from services.customers.collision.divisions import divisions
from services.customers.collision.evidence import Evidence, Known, Match, match
from services.customers.collision.forms import split_branch, strip_form
from services.customers.collision.keys import fragment_of, grams
from services.customers.collision.names import READ_ALIKE, VERSION, CompanyName
from services.customers.collision.parts import unpack
from services.customers.collision.subject import Key, Subject, names_of
from services.customers.collision.trades import words_of_trades

MOST_MATCHES = 200
AT_ONCE = 100
"""Subjects of a statement: what is not in memory yet must be read from the disk before the statement's time is over."""
COUNTED, SHOWN = 1_000, 50
SHORTEST_FRAGMENT = 2
FEWEST, LOOKED_UP = 2, 7
"""Telling pairs of a fragment that are looked up; where there are fewer, characters at its end. The whole is compared."""
COMMON_WORDS = ("中国", "银行", "支行", "分行", "分公司", "集团", "中心", "供销社", "合作社", "责任", "实业")
OF_FORMS = frozenset(grams("股份有限责任公司")) | frozenset(grams("有限公司"))
HALF_TYPED = ("公", "司", "有限责任", "有限责", "有限", "有", "股份有", "股份", "股")
"""What a legal form is while it is typed, 有限公 and 股份有限责."""
SHARED_KINDS = frozenset({"number", "site", "mail", "contact"})
"""Keys that may stop deciding when too many customers share them."""

LOCK = text("SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(:keys AS bigint[])) AS key")


def lock(session: Session, *subjects: Subject) -> None:
    """Waits for everybody who is entering the same company at this moment; sorted, so that no two wait for each other."""
    locks = sorted({lock_of(key) for subject in subjects for key in subject.identities})
    session.execute(LOCK, {"keys": locks})


def lock_of(key: Key) -> int:
    digest = hashlib.blake2b(f"{key.kind} {key.key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


COLUMNS = (
    "(found).customer_id, (found).name, (found).names, (found).normaliser, (found).province, (found).city,"
    " (found).agency_id, (found).agency_name, (found).owner_id, (found).owner_name, (found).pool_kind,"
    " (found).pool_members"
)
PARAMETERS = (
    "key_subjects", "kinds", "keys", "details", "near_subjects", "near_keys", "pattern_subjects", "pattern_kinds", "starts",
    "patterns", "pattern_details", "fragment_subjects", "fragments", "most",
)  # fmt: skip
FIND = (
    f"SELECT subject, {COLUMNS}, matched, (SELECT max(version) FROM collision_rules) AS rules_version, NULL AS hits"  # noqa: S608
    f" FROM find_matches({', '.join(f'%({name})s' for name in PARAMETERS)})"
)
FIND_BY_FRAGMENT = (
    f"SELECT NULL, {COLUMNS}, NULL, NULL, hits FROM find_by_fragment(%(fragment)s, %(grams)s, %(shown)s, %(counted)s)"  # noqa: S608
)
FIND_BOTH = f"{FIND} UNION ALL {FIND_BY_FRAGMENT}"
"""In one round trip, which costs as much as either of them."""


class Found(NamedTuple):
    """`listed`: the first whose name has what was typed in it, and `hits` how many there are, one more than COUNTED at most."""

    matches: list[Match]
    listed: list[Match]
    hits: int


def find(
    connection: Session | Connection, subject: Subject, rules: CollisionRules | None = None, *, but: UUID | None = None
) -> list[Match]:
    """The customers that speak for being the subject, without the one that it is about, and how each stands to it.

    By the rules in force unless others are given.
    """
    return [found for found in find_each(connection, [subject], rules)[0] if found.known.id != but]


def search(connection: Connection, subject: Subject, name: str | None) -> Found:
    """As `find`, and beside them, where a name is searched, those that have it in theirs."""
    if not name:
        return Found(find(connection, subject), [], 0)
    fragment = fragment_of(name)
    of_fragment = {"fragment": fragment, "grams": telling_grams(fragment), "shown": SHOWN, "counted": COUNTED}
    rows = rows_of(connection, FIND_BOTH, asked_of([subject]) | of_fragment).all()
    met = [row for row in rows if row.subject is not None]
    having = [row for row in rows if row.subject is None]
    rules = criteria.of_version(connection, (met[0].rules_version or 0) if met else 0)
    evidence = (Evidence("name_fragment", 0, "name", f"its name has {name.strip()} in it"),)
    return Found(
        matches=compare(subject, [met_by(row) for row in met], rules),
        listed=[Match(known(row), evidence) for row in having],
        hits=having[0].hits if having else 0,
    )


def find_each(
    connection: Session | Connection, subjects: Sequence[Subject], rules: CollisionRules | None = None
) -> list[list[Match]]:
    """As `find`, of many subjects in few round trips."""
    met, version = meet(connection, subjects)
    rules = rules or criteria.of_version(connection, version)
    return [compare(subject, customers, rules) for subject, customers in zip(subjects, met, strict=True)]


def meet(connection: Session | Connection, subjects: Sequence[Subject]) -> tuple[list[list[Known]], int]:
    """The customers that each subject is to be compared with, and the version of the rules in force if there are any."""
    met: list[list[Known]] = [[] for _ in subjects]
    version = 0
    for first in range(0, len(subjects), AT_ONCE):
        asked = asked_of(subjects[first : first + AT_ONCE])
        for row in rows_of(connection, FIND, asked) if asked["kinds"] or asked["starts"] else ():
            met[first + row.subject].append(met_by(row))
            version = row.rules_version or 0
    return met, version


def rows_of(connection: Session | Connection, statement: str, values: dict[str, Any]) -> CursorResult[Any]:
    """As the driver takes it: preparing a statement of fourteen arrays anew each time would cost a tenth of a check."""
    plain = connection.connection() if isinstance(connection, Session) else connection
    return plain.exec_driver_sql(statement, values)


def compare(subject: Subject, customers: Sequence[Known], rules: CollisionRules) -> list[Match]:
    crowded = crowded_of(customers, rules)
    matches = (match(subject, customer, rules, crowded) for customer in customers)
    return [found for found in matches if found.evidence]


def crowded_of(customers: Sequence[Known], rules: CollisionRules) -> frozenset[tuple[str, str]]:
    if rules.most_sharers is None:
        return frozenset()
    sharers = Counter((key.kind, key.key) for customer in customers for key in customer.matched if key.kind in SHARED_KINDS)
    return frozenset(key for key, count in sharers.items() if count > rules.most_sharers)


def asked_of(subjects: Sequence[Subject]) -> dict[str, Any]:
    """The parameters of FIND: parallel arrays, each value with the place of its subject."""
    keys = [(at, *key) for at, subject in enumerate(subjects) for key in sorted(subject.wanted)]
    near = [(at, key) for at, subject in enumerate(subjects) for key in subject.near]
    patterns = [(at, pattern) for at, subject in enumerate(subjects) for pattern in subject.patterns]
    fragments = [(at, fragment) for at, subject in enumerate(subjects) for fragment in subject.fragments]
    return {
        "key_subjects": [at for at, *_ in keys],
        "kinds": [kind for _, kind, _, _ in keys],
        "keys": [key for _, _, key, _ in keys],
        "details": [detail for *_, detail in keys],
        "near_subjects": literal(at for at, _ in near),
        "near_keys": literal(key for _, key in near),
        "pattern_subjects": [at for at, _ in patterns],
        "pattern_kinds": [pattern.kind for _, pattern in patterns],
        "starts": [pattern.start for _, pattern in patterns],
        "patterns": ["%".join([pattern.start, *pattern.core, ""]) for _, pattern in patterns],  # no % or _ in what is compact
        "pattern_details": [pattern.detail for _, pattern in patterns],
        "fragment_subjects": [at for at, _ in fragments],
        "fragments": [fragment for _, fragment in fragments],
        "most": MOST_MATCHES,
    }


def literal(numbers: Iterable[int]) -> str:
    """An array as PostgreSQL writes it: a hundred numbers handed over one by one would take as long as finding them."""
    return f"{{{','.join(map(str, numbers))}}}"


def telling_grams(fragment: str) -> list[str]:
    """What of a fragment is looked up in the index: some pairs that are in no word which many names have.

    Pairs of places, trades and legal forms, which hundreds of thousands have, cost time and tell nothing; where there is nothing
    else, those at the end. The whole is compared afterwards.
    """
    stems = [stem_of(part) for part in split_branch(fragment)]
    stems = [stem for stem in stems if len(stem) >= SHORTEST_FRAGMENT] if len(stems[0]) > SHORTEST_FRAGMENT else [fragment]
    telling = set(chain.from_iterable(map(grams, stems))) - common_grams()
    if len(telling) >= FEWEST:
        return sorted(telling)[:LOOKED_UP]
    found = {gram for stem in stems for gram in grams(stem[-LOOKED_UP:])}
    return sorted(found - OF_FORMS or found)


@cache
def common_grams() -> frozenset[str]:
    """Of words of trades, provinces and cities, legal forms, and what banks and the like are full of."""
    places = (name for code, name in divisions().items() if code.endswith("00"))
    return OF_FORMS.union(*map(grams, (*words_of_trades(VERSION), *places, *COMMON_WORDS)))


def stem_of(fragment: str) -> str:
    """Without a legal form, whole or half typed."""
    stem = strip_form(fragment, VERSION)[0]
    for half in HALF_TYPED:
        stem = stem.removesuffix(half)
    return stem


def met_by(row: Row[Any]) -> Known:
    return known(row, [Key(*key) for key in row.matched])


def known(row: Row[Any], matched: Sequence[Key] = ()) -> Known:
    return Known(
        id=row.customer_id,
        name=row.name,
        names=names_taken_apart(row),
        province=row.province,
        city=row.city,
        agency_id=row.agency_id,
        agency_name=row.agency_name,
        owner_id=row.owner_id,
        owner_name=row.owner_name,
        pool_kind=row.pool_kind,
        matched=frozenset(matched),
        pool_members=None if row.pool_members is None else frozenset(row.pool_members),
    )


def names_taken_apart(row: Row[Any]) -> tuple[CompanyName, ...]:
    """As they were filed, or anew where that was by rules that read names in another way than ours."""
    if not READ_ALIKE <= row.normaliser <= VERSION or row.names is None:
        return names_of([name for name, _ in row.names or [(row.name, None)]], row.province, row.city)
    return tuple(unpack(packed) for _, parts in row.names for packed in parts)
