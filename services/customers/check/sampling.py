"""Which customers a preview looks at, which keys many share, and how long the database may take over it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from services.contracts.collision_rules import Sample, SharedKey
from services.plumbing.masking import mask

MOST_SHARED = 20
THINNED = 20
"""From so many times as many customers as are wanted a spread sample is drawn: neighbours on a page came in together."""

Shared = tuple[str, str, int]
"""Kind and key as in `collision_key`, and how many customers share it."""

SHOWN_KINDS: dict[str, Any] = {"number": "number", "site": "website", "mail": "mail_domain", "contact": "contact"}
SET_TIMEOUT = text("SELECT set_config('statement_timeout', :milliseconds, false)")
RESET_TIMEOUT = text("RESET statement_timeout")
LATEST = text("SELECT id FROM customer ORDER BY id DESC LIMIT :most")
ABOUT_ALL = text("SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = 'customer'::regclass")
SPREAD = text("SELECT id FROM customer TABLESAMPLE SYSTEM (:percent) ORDER BY random() LIMIT :most")
SHARED = text("SELECT kind, key, sharers FROM most_shared_keys(:most)")


@contextmanager
def hurried(connection: Connection | Session, until: float) -> Iterator[None]:
    """Inside it a statement that runs on after `until` (unix seconds) is ended, which comes out as ServiceUnavailable."""
    connection.execute(SET_TIMEOUT, {"milliseconds": str(max(1, round((until - time.time()) * 1000)))})
    try:
        yield
    finally:
        connection.execute(RESET_TIMEOUT)


def draw(connection: Connection, sample: Sample, most: int) -> list[UUID]:
    if sample == "latest":
        return list(connection.scalars(LATEST, {"most": most}))
    about = connection.scalar(ABOUT_ALL) or 0  # 0 where nobody has counted yet
    percent = min(100.0, 100.0 * THINNED * most / about) if about else 100.0
    return list(connection.scalars(SPREAD, {"percent": percent, "most": most}))


def count_shared(connection: Connection) -> list[Shared]:
    """Of the whole registry, the most shared first."""
    return [(row.kind, row.key, row.sharers) for row in connection.execute(SHARED, {"most": MOST_SHARED})]


def shown(shared: Shared, most_sharers: int | None) -> SharedKey:
    kind, key, sharers = shared
    is_ended = most_sharers is not None and sharers > most_sharers
    return SharedKey(kind=SHOWN_KINDS[kind], key=masked(kind, key), sharers=sharers, stops_deciding=is_ended)


def masked(kind: str, key: str) -> str:
    """Websites and domains are public; a person is told by the first character of his name."""
    if kind == "number":
        return mask(key)
    if kind == "contact":
        person, _, mobile = key.rpartition(" ")
        return f"{person[:1]}** {mask(mobile)}"
    return key
