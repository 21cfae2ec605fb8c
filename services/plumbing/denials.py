"""Denials in the audit: each once, and a flood of them counted.

What was denied is not kept as a command's answer is, so that it may be tried again under its key. `denial` remembers that it is
in the audit already, for as long as a key is promised to mean the same request, or the broker may bring the same message again.
"""

import hashlib
import hmac
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from sqlalchemy import text

from services.contracts.base import Message
from services.contracts.errors import QudaoError
from services.plumbing.database import session_of
from services.plumbing.ids import new_id
from services.plumbing.work import request_hash

if TYPE_CHECKING:
    from services.plumbing.call import Call

SINGLY = 100
"""A minute of one actor, operation and error: what comes above is counted. Enough to see what somebody is after."""

OF_KEYS = timedelta(days=7)
OF_MESSAGES = timedelta(minutes=10)
STRANGERS = "system:gateway"
"""Who speaks for those who have not logged in: their keys are new each time, and a flood of them shall not be remembered long."""

AUDIT_DENIAL = text(
    """
    WITH known AS (
        INSERT INTO denial (digest, forget_at) VALUES (:digest, clock() + :remembered) ON CONFLICT DO NOTHING RETURNING digest
    ), counted AS (
        INSERT INTO denial_count AS c (actor, operation, refused, minute, agency_id, times)
        SELECT :actor, :operation, :refused, date_trunc('minute', clock()), :counted_for, 1 FROM known
        ON CONFLICT (actor, operation, refused, minute) DO UPDATE SET times = c.times + 1 RETURNING times
    ), audited AS (
        INSERT INTO audit (id, agency_id, at, actor, operation, command_id, request_id, result, subject_id, new)
        SELECT :audit_id, :agency_id, clock(), :actor, :operation, :key, :request_id, 'denied', CAST(:subject_id AS uuid),
               CAST(:new AS jsonb)
        FROM counted WHERE times <= :singly
    )
    INSERT INTO audit_unchained (audit_id, agency_id) SELECT :audit_id, :agency_id FROM counted WHERE times <= :singly
    """
)


def audit_denial(call: "Call", error: QudaoError) -> None:
    """In a transaction of its own: the one that was refused is rolled back."""
    subject_id, agency_id = call.concerned or (named_in(call.request), call.caller.agency_id)
    told = {"refused": error.slug(), "details": error.details, "request": call.shown_request()}
    with session_of(call.runtime.engine, {}) as session, session.begin():
        session.execute(
            AUDIT_DENIAL,
            {
                "digest": digest_of(call, error),
                "remembered": OF_KEYS if call.command_id and call.caller.subject != STRANGERS else OF_MESSAGES,
                "audit_id": new_id(),
                "agency_id": agency_id,
                "counted_for": call.caller.agency_id,
                "actor": call.caller.subject,
                "operation": call.operation.route,
                "refused": error.slug(),
                "key": call.command_id,
                "request_id": call.request_id,
                "subject_id": subject_id,
                "new": json.dumps(told, default=str),
                "singly": SINGLY,
            },
        )


def digest_of(call: "Call", error: QudaoError) -> bytes:
    """With the request: else one key for everything that somebody tries would leave one row."""
    which = [call.caller.subject, call.operation.route, call.command_id or call.message_id, error.slug()]
    return hmac.digest(call.runtime.hash_key, json.dumps(which).encode() + request_hash(call), hashlib.sha256)


def named_in(request: Message) -> UUID | None:
    """On what it was tried: the first thing that the request names by its id."""
    ids = (getattr(request, name) for name in type(request).model_fields if name.endswith("_id"))
    return next((value for value in ids if isinstance(value, UUID)), None)


# --- what the leader does

FORGET = (
    "DELETE FROM denial WHERE ctid = ANY(ARRAY(SELECT ctid FROM denial WHERE forget_at < clock() ORDER BY forget_at LIMIT 1000))"
)
# Whoever was denied in a minute has written it down well within the next one.
OVER = """
    DELETE FROM denial_count WHERE minute < clock() - interval '2 minutes'
    RETURNING actor, operation, refused, minute, agency_id, times
"""
SUM_UP = """
    WITH audited AS (
        INSERT INTO audit (id, agency_id, at, actor, operation, request_id, result, new)
        VALUES (%(id)s, %(agency_id)s, clock(), %(actor)s, %(operation)s, %(request_id)s, 'denied', %(new)s::jsonb)
    )
    INSERT INTO audit_unchained (audit_id, agency_id) VALUES (%(id)s, %(agency_id)s)
"""


def sum_up(connection: psycopg.Connection[Any]) -> None:
    """One audit row for all that were only counted in a minute that is over; the connection is the leader's."""
    connection.execute(FORGET)
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        for counted in cursor.execute(OVER).fetchall():
            if counted["times"] > SINGLY:
                told = {"refused": counted["refused"], "more": counted["times"] - SINGLY, "minute": counted["minute"].isoformat()}
                which = {name: counted[name] for name in ("agency_id", "actor", "operation")}
                id_ = new_id()
                cursor.execute(SUM_UP, {**which, "id": id_, "request_id": f"count-{id_}", "new": json.dumps(told)})
