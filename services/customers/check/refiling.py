"""Filing anew those customers that are filed by an older version of the rules by which names are taken apart, or not at all.

The leader's chore asks for one batch after the other; each is a command that any replica carries out. It never waits for
anybody: customers that others are at work on are left for the next time, so that no entry stands behind more than one write.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, select, text
from sqlalchemy.orm import Session

from services.contracts import collision_rules as contract
from services.contracts.errors import CustomersInWork, InvalidRequest
from services.customers.check import filing, onfile
from services.customers.check.matching import lock_of
from services.customers.collision.names import VERSION
from services.customers.collision.subject import Subject
from services.customers.models import Customer
from services.plumbing.call import Call
from services.plumbing.chores import Chore
from services.plumbing.metrics import gauge_of_leader
from services.plumbing.work import Work

BATCH = 200
REST = 0.5
"""Of the time that a batch took: requests have the machine to themselves for a third of it."""

LEFT = gauge_of_leader("qudao_customers_left_to_file", "Customers that are filed by an older version of the rules for names")
COUNT = text("SELECT waiting_to_be_filed(:version)")
PROGRESS = text("SELECT * FROM filing_progress(:version)")
WAITING = text(
    """
    SELECT normaliser, id, version, CAST(xmin AS text) AS state FROM customer
    WHERE normaliser < :version AND (normaliser, id) > (:normaliser, :id) ORDER BY normaliser, id LIMIT :most
    """
)


def show_progress(connection: Connection) -> contract.FilingProgress:
    found = connection.execute(PROGRESS, {"version": VERSION}).one()
    oldest = VERSION if found.oldest is None else found.oldest
    return contract.FilingProgress(version=VERSION, filed=found.filed, left=found.waiting, oldest=min(oldest, VERSION))


# --- the chore


def file_all(chore: Chore) -> None:
    """Every customer that waits, once; those that were left alone have their turn when the chore comes again."""
    with chore.reading() as session:
        left = session.scalar(COUNT, {"version": VERSION}) or 0
    LEFT.set(left)
    last = {"normaliser": -1, "id": UUID(int=0)}
    while left:
        started = time.monotonic()
        with chore.reading() as session:
            rows = session.execute(WAITING, {"version": VERSION, "most": BATCH, **last}).all()
        if not rows:
            return
        left -= ask_for(chore, rows)
        LEFT.set(max(0, left))
        last = {"normaliser": rows[-1].normaliser, "id": rows[-1].id}
        time.sleep(REST * (time.monotonic() - started))


def ask_for(chore: Chore, rows: Sequence[Any]) -> int:
    """How many of them are filed now."""
    command = contract.FileCustomers(version=VERSION, customer_ids=tuple(row.id for row in rows))
    try:
        return chore.ask(contract.FILE_CUSTOMERS, command, key=key_of(rows)).filed
    except CustomersInWork:
        return 0


def key_of(rows: Sequence[Any]) -> str:
    """The same for the same customers as they are now: one that is put back later is filed again."""
    states = " ".join(f"{row.id} {row.state}" for row in rows)
    return f"file-{VERSION}-{hashlib.blake2b(states.encode(), digest_size=16).hexdigest()}"


# --- the command


class Prepared(NamedTuple):
    """All that is to be written of a customer, made before anything is locked; good as long as its `version` is the same."""

    id: UUID
    version: int
    locks: frozenset[int]
    names: list[dict[str, Any]]
    keys: list[dict[str, Any]]


def file_customers(call: Call, command: contract.FileCustomers) -> contract.Filed:
    """Raises CustomersInWork when none of those that wait could be locked: what is not kept may be asked for again."""
    if command.version != VERSION:
        raise InvalidRequest(reason=f"this release files by version {VERSION}")
    prepared = prepare(call, command.customer_ids)
    with call.transaction() as work:
        ready = lock(work.session, prepared)
        if prepared and not ready:
            raise CustomersInWork()
        if ready:
            write(work, ready)
        return work.answer(contract.Filed(filed=len(ready)))


def prepare(call: Call, ids: Sequence[UUID]) -> list[Prepared]:
    with call.reading() as session:
        query = select(Customer).where(Customer.id.in_(ids), Customer.normaliser < VERSION).order_by(Customer.id)
        known = onfile.load(session, session.scalars(query).all())
        oldest = filing.versions.oldest(session)
    return [prepared_of(each, oldest) for each in known]


def prepared_of(known: onfile.OnFile, oldest: int) -> Prepared:
    subject, own = known.subject(oldest), known.customer.id
    names = [{"customer_id": str(own), **filing.row_of(name)} for name in known.placed()]
    keys = [{"customer_id": str(own), **key._asdict()} for key in sorted(subject.keys)]
    time.sleep(0)  # other requests of this process have their turn
    return Prepared(own, known.customer.version, locks_of(subject), names, keys)


def locks_of(subject: Subject) -> frozenset[int]:
    return frozenset(lock_of(key) for key in subject.identities)


TRY_COMPANIES = text("SELECT key FROM unnest(CAST(:keys AS bigint[])) AS key WHERE pg_try_advisory_xact_lock(key)")
TRY_ROWS = text(
    """
    SELECT c.id FROM customer AS c JOIN unnest(CAST(:ids AS uuid[]), CAST(:versions AS integer[])) AS known(id, version)
        ON known.id = c.id AND known.version = c.version
    WHERE c.normaliser < :version ORDER BY c.id FOR NO KEY UPDATE OF c SKIP LOCKED
    """
)


def lock(session: Session, prepared: Sequence[Prepared]) -> list[Prepared]:
    """Those that nobody enters or changes, nor has changed meanwhile: companies first, then rows, as an entry locks."""
    wanted = sorted(frozenset().union(*(each.locks for each in prepared)))
    ours = set(session.scalars(TRY_COMPANIES, {"keys": wanted}))
    free = [each for each in prepared if each.locks <= ours]
    values = {"ids": [each.id for each in free], "versions": [each.version for each in free], "version": VERSION}
    rows = set(session.scalars(TRY_ROWS, values))
    return [each for each in free if each.id in rows]


WRITE = text(
    """
    WITH wanted AS MATERIALIZED (
        SELECT k.customer_id, c.agency_id, k.kind, k.key, k.detail
        FROM jsonb_to_recordset(CAST(:keys AS jsonb)) AS k(customer_id uuid, kind text, key text, detail text)
        JOIN customer AS c ON c.id = k.customer_id
    ), unfiled AS (
        DELETE FROM collision_key AS old WHERE old.customer_id = ANY(:ids) AND NOT EXISTS (
            SELECT FROM wanted AS new
            WHERE (new.customer_id, new.kind, new.key, new.detail) = (old.customer_id, old.kind, old.key, old.detail))
    ), filed AS (
        INSERT INTO collision_key (customer_id, agency_id, kind, key, detail)
        SELECT customer_id, agency_id, kind, key, detail FROM wanted ON CONFLICT DO NOTHING
    ), named AS (
        INSERT INTO customer_name AS old (customer_id, agency_id, name, kind, normalised, parts, near)
        SELECT n.customer_id, c.agency_id, n.name, n.kind, n.normalised, n.parts, n.near
        FROM jsonb_to_recordset(CAST(:names AS jsonb)) AS n(
            customer_id uuid, name text, kind text, normalised text, parts jsonb, near bigint[])
        JOIN customer AS c ON c.id = n.customer_id
        ON CONFLICT (customer_id, name) DO UPDATE
            SET normalised = excluded.normalised, grams = NULL, parts = excluded.parts, near = excluded.near
            WHERE (old.normalised, old.parts, old.near)
                IS DISTINCT FROM (excluded.normalised, excluded.parts, excluded.near)
    )
    UPDATE customer SET normaliser = :version WHERE id = ANY(:ids)
    """
)


def write(work: Work, ready: Sequence[Prepared]) -> None:
    """What stays the same is not touched: of most customers no key moves from one version to the next."""
    values = {
        "ids": [each.id for each in ready],
        "keys": json.dumps([key for each in ready for key in each.keys]),
        "names": json.dumps([name for each in ready for name in each.names]),
        "version": VERSION,
    }
    work.session.execute(WRITE, values)
