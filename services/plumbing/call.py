"""A request being answered: who asks, until when, and what its method may use."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from services.contracts.base import In, Message, Nothing, Operation, Out
from services.contracts.errors import (
    CommandExpired,
    DeadlinePassed,
    InvalidRequest,
    PasswordChangeRequired,
    PermissionDenied,
    ServiceUnavailable,
    rebuild,
)
from services.contracts.reach import Reach
from services.plumbing import logs, wall
from services.plumbing.bus import BrokerAway, NoAnswer, Refused, Unroutable
from services.plumbing.database import connection_of, session_of
from services.plumbing.ids import new_id
from services.plumbing.masking import masked
from services.plumbing.passport import Caller
from services.plumbing.work import Work, answer_if_known, command_transaction

if TYPE_CHECKING:
    from services.plumbing.runtime import Runtime

MARGIN = 0.3
"""Seconds that are kept back to tell the caller, who waits until the same deadline, that somebody else did not answer."""

UNKNOWN_CALLER = Caller("nobody")
COMMAND_ID = re.compile(r"[\x21-\x7e]{1,300}")


@dataclass
class Call:
    """`deadline` is unix time in seconds; after it nobody waits for the answer any more. `message_id` is the same when the broker
    brings the same message again."""

    runtime: "Runtime"
    operation: Operation[Any, Any]
    passport: str | None
    request_id: str
    command_id: str | None
    deadline: float
    message_id: str = ""
    caller: Caller = UNKNOWN_CALLER
    request: Message = field(default_factory=Nothing)
    concerned: tuple[UUID, UUID] | None = None
    _in_transaction: bool = False

    @classmethod
    def of(cls, runtime: "Runtime", operation: Operation[Any, Any], headers: dict[str, Any]) -> "Call":
        """From the headers of nameko's message. Raises InvalidRequest when they are not ours."""
        try:
            deadline = float(headers.get("deadline") or time.time() + runtime.settings.rpc_timeout)
        except (TypeError, ValueError):
            raise InvalidRequest(reason="the header nameko.deadline is not a time") from None
        command_id = headers.get("command_id")
        if operation.changes and not (isinstance(command_id, str) and COMMAND_ID.fullmatch(command_id)):
            raise InvalidRequest(reason="a command needs the header nameko.command_id")
        return cls(
            runtime=runtime,
            operation=operation,
            passport=headers.get("passport"),
            request_id=logs.clean_request_id(headers.get("request_id")),
            command_id=command_id if operation.changes else None,
            deadline=deadline,
            message_id=message_id_in(headers),
        )

    def admit(self, message: Any) -> None:
        """Who asks, whether he may, whether it is still wanted, and what: in this order, so that a stranger learns nothing."""
        self.caller = self.runtime.verifier.verify(self.passport)
        assert self.operation.permission is not None
        if not self.caller.may(self.operation.permission):
            if self.caller.password_change_required:
                raise PasswordChangeRequired()
            raise PermissionDenied(permission=self.operation.permission)
        if not time.time() <= self.deadline:  # nor with a deadline that is no number
            raise CommandExpired()
        try:
            self.request = self.operation.request.model_validate(message)
        except ValidationError as error:
            raise InvalidRequest(errors=problems_of(error)) from None

    def answer_again(self) -> None:
        """For a command whose preconditions stand before its transaction: once carried out, they may not hold any more.

        Raises AlreadyAnswered when it was, IdempotencyKeyReused when that was another one.
        """
        with self.reading_rows() as connection:
            answer_if_known(connection, self)

    def concerns(self, subject_id: UUID, agency_id: UUID) -> None:
        """Whose audit is to have it when this is denied: a stranger's failed log-in is of the person who has that login."""
        self.concerned = subject_id, agency_id

    @property
    def scope(self) -> Reach:
        """On whose records the caller may use this operation."""
        assert self.operation.permission is not None
        return self.caller.scope(self.operation.permission)

    @property
    def user_id(self) -> UUID:
        return self.caller.user_id

    @contextmanager
    def transaction(self) -> Iterator[Work]:
        """For commands; see `services.plumbing.work`."""
        self._in_transaction = True
        try:
            with command_transaction(self) as work:
                yield work
        finally:
            self._in_transaction = False

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """For queries: a session that only reads, behind the wall of the caller's agency."""
        with session_of(self.runtime.reading_engine, {}) as session:
            wall.stand_in(session.connection(), wall.agency_of(self))
            yield session

    @contextmanager
    def reading_rows(self) -> Iterator[Connection]:
        """As `reading`, without objects: for what is asked most often."""
        with connection_of(self.runtime.reading_engine) as connection:
            wall.stand_in(connection, wall.agency_of(self))
            yield connection

    @contextmanager
    def noting(self) -> Iterator[Session]:
        """For marks that change nothing for anybody, such as when a session was last used: neither audited nor told."""
        with session_of(self.runtime.engine, {}) as session, session.begin():
            session.execute(wall.SET_FOR_TRANSACTION, {"agency": wall.agency_of(self)})
            yield session

    def ask(self, operation: Operation[In, Out], message: In) -> Out:
        """Another service's answer, under the same passport and deadline.

        Raises the declared errors of the operation, DeadlinePassed or ServiceUnavailable.
        """
        return self._ask(operation, message, self.passport or "")

    def ask_in_own_name(self, operation: Operation[In, Out], message: In) -> Out:
        """As `ask`, under the service's passport: for what services tell each other and no user may ask."""
        return self._ask(operation, message, self.runtime.signer.own())

    def _ask(self, operation: Operation[In, Out], message: In, passport: str) -> Out:
        if self._in_transaction:
            raise RuntimeError(f"{operation.route} was asked inside a transaction")
        return self.runtime.ask(
            operation,
            message,
            passport=passport,
            request_id=self.request_id,
            command_id=f"{self.command_id}/{self.operation.route}" if operation.changes else None,
            timeout=self.deadline - time.time() - MARGIN,
        )

    def shown_request(self) -> dict[str, Any]:
        return masked(self.request)


def message_id_in(headers: dict[str, Any]) -> str:
    """nameko's id of this very call; a message without one is like no other."""
    calls = headers.get("call_id_stack")
    return str(calls[-1]) if isinstance(calls, list) and calls else str(new_id())


def problems_of(error: ValidationError) -> list[dict[str, str]]:
    """Where and why, without what was sent."""
    return [
        {"pointer": "/" + "/".join(str(part) for part in problem["loc"]), "detail": problem["msg"]}
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def exchange(
    runtime: "Runtime",
    operation: Operation[In, Out],
    message: In,
    *,
    passport: str,
    request_id: str,
    command_id: str | None,
    timeout: float,
) -> Out:
    """One RPC over the bus, contract in and contract out."""
    if timeout <= 0:
        raise DeadlinePassed()
    headers = {
        "nameko.passport": passport,
        "nameko.request_id": request_id,
        "nameko.deadline": str(time.time() + timeout),
        "nameko.call_id_stack": [f"{runtime.settings.service}.{new_id()}"],
    }
    if command_id:
        headers["nameko.command_id"] = command_id
    try:
        answer = runtime.bus.request(operation.route, message.model_dump_json(exclude_unset=True).encode(), headers, timeout)
    except NoAnswer:
        raise (DeadlinePassed if operation.changes else ServiceUnavailable)(service=operation.service) from None
    except (BrokerAway, Unroutable, Refused) as error:
        raise ServiceUnavailable(service=operation.service) from error
    if failure := answer.get("error"):
        raise rebuild(failure.get("exc_type", ""), details_of(failure))
    return operation.answer.model_validate(answer["result"])


def details_of(error: dict[str, Any]) -> dict[str, Any]:
    arguments = error.get("exc_args") or [{}]
    return arguments[0] if isinstance(arguments[0], dict) else {}
