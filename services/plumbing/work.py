"""One transaction of a command: its effect, its answer, its audit row and its events are committed together, or none of them.

with call.transaction() as work:
    ...
    work.emit(CustomerEntered(...), aggregate_id=customer.id, version=customer.version)
    return work.answer(outcome)
"""

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Row, text
from sqlalchemy.orm import Session

from services.contracts.base import Event, Message
from services.contracts.errors import CommandInFlight, IdempotencyKeyReused
from services.plumbing import failpoints
from services.plumbing.database import session_of
from services.plumbing.ids import new_id
from services.plumbing.masking import masked
from services.plumbing.wall import agency_of

if TYPE_CHECKING:
    from services.plumbing.call import Call

Answer = TypeVar("Answer", bound=Message)


class AlreadyAnswered(Exception):
    """The same command was committed before; `answer` is what was answered then, as JSON."""

    def __init__(self, answer: str) -> None:
        super().__init__()
        self.answer = answer


class Work:
    """What a method may do inside its transaction."""

    def __init__(
        self, session: Session, now: datetime, agency_id: UUID, actor: str, request_id: str, began: str | None = None
    ) -> None:
        self.session, self.now, self.agency_id, self.actor, self.request_id = session, now, agency_id, actor, request_id
        self.began = began
        self.events: list[dict[str, Any]] = []
        self.answered: Message | None = None
        self.subject_id: UUID | None = None
        self.on_behalf_of: UUID | None = None
        self.old: dict[str, Any] | None = None
        self.new: dict[str, Any] | None = None

    def emit(self, event: Event, *, aggregate_id: UUID, version: int, agency_id: UUID | None = None) -> None:
        """Tells of a change of an aggregate whose row this transaction has locked; one event per version."""
        self.events.append(
            {
                "id": str(new_id()),
                "name": event.event_name,
                "aggregate_id": str(aggregate_id),
                "version": version,
                "agency_id": str(agency_id or self.agency_id),
                "actor": self.actor,
                "request_id": self.request_id,
                "occurred_at": self.now.isoformat(),
                "data": event.model_dump(mode="json"),
            }
        )

    def audit(
        self,
        subject_id: UUID,
        *,
        agency_id: UUID | None = None,
        on_behalf_of: UUID | None = None,
        old: Any = None,
        new: Any = None,
    ) -> None:
        """Says what the command changed, and for whom where a service acts for a person; without it the audit row holds the
        masked command."""
        self.subject_id, self.on_behalf_of, self.old, self.new = subject_id, on_behalf_of, old, new
        self.agency_id = agency_id or self.agency_id

    def answer(self, answer: Answer) -> Answer:
        """What the caller gets, and gets again when the same command comes again."""
        self.answered = answer
        return answer


@contextmanager
def command_transaction(call: "Call") -> Iterator[Work]:
    """Raises AlreadyAnswered, CommandInFlight or IdempotencyKeyReused before anything is done."""
    failpoints.reach("before_transaction")
    with session_of(call.runtime.engine, call.runtime.constraints) as session:
        with session.begin():
            now, began = claim(session, call)
            work = Work(session, now, call.caller.agency_id, call.caller.subject, call.request_id, began)
            yield work
            session.flush()
            if work.answered is None:
                raise RuntimeError(f"{call.operation.route} left its transaction without an answer")
            failpoints.reach("in_transaction")
            finish(session, call, work)
    failpoints.reach("after_commit")


CLAIM = text(
    "SELECT is_ours, now, request_hash, answer, pg_current_snapshot()::text AS began, set_config('qudao.agency', :agency, true)"
    " FROM claim_command(:actor, :operation, :key)"
)


def claim(session: Session, call: "Call") -> tuple[datetime, str]:
    """Locks the command's identity, looks for its answer and puts up the wall; the business time, and what is visible by now."""
    identity = {"actor": call.caller.subject, "operation": call.operation.route, "key": call.command_id}
    found = session.execute(CLAIM, {**identity, "agency": agency_of(call)}).one()
    if not found.is_ours:
        raise CommandInFlight()
    refuse_if_answered(found, call)
    return found.now, found.began


KNOWN = text(
    "SELECT request_hash, answer::text AS answer FROM command WHERE actor = :actor AND operation = :operation AND key = :key"
)


def answer_if_known(connection: Connection, call: "Call") -> None:
    """Raises AlreadyAnswered or IdempotencyKeyReused; without the lock, so that `claim` must follow."""
    identity = {"actor": call.caller.subject, "operation": call.operation.route, "key": call.command_id}
    if found := connection.execute(KNOWN, identity).one_or_none():
        refuse_if_answered(found, call)


def refuse_if_answered(found: Row[Any], call: "Call") -> None:
    if found.answer is not None:
        if not hmac.compare_digest(bytes(found.request_hash), request_hash(call)):
            raise IdempotencyKeyReused()
        raise AlreadyAnswered(found.answer)


def request_hash(call: "Call") -> bytes:
    """Keyed, because a request may hold a password; of what was given, because absent and null are two wishes."""
    return hmac.new(call.runtime.hash_key, call.request.model_dump_json(exclude_unset=True).encode(), hashlib.sha256).digest()


FINISH = text(
    """
    WITH answered AS (
        INSERT INTO command (actor, operation, key, request_hash, answer, answered_at)
        VALUES (:actor, :operation, :key, :request_hash, CAST(:answer AS jsonb), :now)
    ), audited AS (
        INSERT INTO audit
            (id, agency_id, at, actor, on_behalf_of, operation, command_id, request_id, result, subject_id, old, new)
        VALUES (:audit_id, :agency_id, :now, :actor, CAST(:on_behalf_of AS uuid), :operation, :key, :request_id, 'done',
                :subject_id, CAST(:old AS jsonb), CAST(:new AS jsonb))
    ), unchained AS (
        INSERT INTO audit_unchained (audit_id, agency_id) VALUES (:audit_id, :agency_id)
    ), told AS (
        INSERT INTO outbox (id, name, aggregate_id, version, agency_id, actor, request_id, occurred_at, data, began)
        SELECT id, name, aggregate_id, version, agency_id, actor, request_id, occurred_at, data, CAST(:began AS pg_snapshot)
        FROM jsonb_to_recordset(CAST(:events AS jsonb)) AS e(id uuid, name text, aggregate_id uuid, version integer,
             agency_id uuid, actor text, request_id text, occurred_at timestamptz, data jsonb)
    )
    SELECT CASE WHEN :has_events THEN pg_notify('outbox', '') END
    """
)


def finish(session: Session, call: "Call", work: Work) -> None:
    """Answer, audit row and events in one statement: one round trip instead of five."""
    assert work.answered is not None
    session.execute(
        FINISH,
        {
            "actor": work.actor,
            "operation": call.operation.route,
            "key": call.command_id,
            "request_hash": request_hash(call),
            "answer": work.answered.model_dump_json(),
            "now": work.now,
            "audit_id": new_id(),
            "agency_id": work.agency_id,
            "request_id": call.request_id,
            "subject_id": work.subject_id,
            "on_behalf_of": work.on_behalf_of,
            "old": as_json(work.old),
            "new": as_json(work.new if work.subject_id else masked(call.request)),
            "events": json.dumps(work.events),
            "began": work.began,
            "has_events": bool(work.events),
        },
    )


def as_json(value: Any) -> str | None:
    """Messages are masked; a dict is taken as it is."""
    if value is None:
        return None
    return json.dumps(masked(value) if isinstance(value, Message) else value, default=str)
