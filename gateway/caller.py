"""Who asks, and the ways in which a route may let him ask."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import Depends, Header, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from gateway.admission import Gates
from gateway.bodies import refuse_surplus
from gateway.captchas import Captchas
from gateway.clients import Clients
from gateway.names import TakenNames
from gateway.rpc import RpcClient
from gateway.sessions import Sessions
from gateway.tokens import Derived, OneTimeCodes
from services.contracts.base import Message, Operation
from services.contracts.errors import NotAuthenticated
from services.plumbing import failpoints
from services.plumbing.passport import Signer

In = TypeVar("In", bound=Message)
Out = TypeVar("Out", bound=Message)


@dataclass(frozen=True)
class Backend:
    """What all requests of a process share."""

    rpc: RpcClient
    gates: Gates
    signer: Signer
    sessions: Sessions
    codes: OneTimeCodes
    captchas: Captchas
    derived: Derived
    clients: Clients
    names: TakenNames

    @staticmethod
    def of(request: Request) -> "Backend":
        backend = request.app.state.backend
        assert isinstance(backend, Backend)
        return backend


@dataclass(frozen=True)
class Caller:
    """One request's way to the services: whatever it asks, all of it together ends by one deadline."""

    backend: Backend
    passport: str
    request_id: str
    command_id: str
    deadline: float
    user: UUID | None = None
    token: str | None = None

    async def ask(self, operation: Operation[In, Out], message: In) -> Out:
        """The operation's answer. Raises the errors that the operation declares, ServiceUnavailable, DeadlinePassed."""
        with self.backend.gates.place(operation):
            failpoints.reach("gateway_before_call")
            answer = await self.backend.rpc.call(
                operation,
                message,
                passport=self.passport,
                request_id=self.request_id,
                command_id=self.command_id if operation.changes else None,
                deadline=self.deadline,
            )
            failpoints.reach("gateway_after_answer")
            return answer

    @property
    def user_id(self) -> UUID:
        """Raises NotAuthenticated when the gateway asks for itself."""
        if self.user is None:
            raise NotAuthenticated()
        return self.user

    def forget_session(self) -> None:
        if self.token:
            self.backend.sessions.forget(self.token)

    @contextmanager
    def forgetting_session(self) -> Iterator[None]:
        """Around what takes the password: too many wrong ones end the session, and this gateway feels it at once."""
        try:
            yield
        finally:
            self.forget_session()


bearer = HTTPBearer(
    auto_error=False, scheme_name="session", description="The token that `POST /v1/sessions` gave, or a program's."
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,200}$",
        description="Repeat a request under the same key and it is carried out once; its first answer is given again. "
        "Keys are the user's own and of one operation; the same key with another body is refused.",
        examples=["5f0c3a52-9a0e-4d8e-8f53-0f8f4d1b9d1c"],
    ),
]


async def read_as_user(request: Request, credentials: Credentials) -> Caller:
    """Asks under the user's passport."""
    return await _as_user(request, credentials, "", changes=False)


async def write_as_user(request: Request, credentials: Credentials, idempotency_key: IdempotencyKey = None) -> Caller:
    """Changes something under the user's passport."""
    caller = await _as_user(request, credentials, idempotency_key or uuid.uuid4().hex, changes=True)
    await refuse_surplus(request)
    return caller


async def as_gateway(request: Request) -> Caller:
    """Asks for somebody who has no session yet, under the gateway's own passport."""
    return _as_gateway(request, uuid.uuid4().hex)


async def write_as_gateway(request: Request, idempotency_key: IdempotencyKey = None) -> Caller:
    return _as_gateway(request, idempotency_key or uuid.uuid4().hex)


async def _as_user(request: Request, credentials: HTTPAuthorizationCredentials | None, key: str, *, changes: bool) -> Caller:
    """Who would find no place in the service is sent away before identity is asked who he is."""
    backend = Backend.of(request)
    backend.gates.check(service_of(request), changes=changes)
    deadline = time.time() + backend.rpc.timeout
    token = credentials.credentials if credentials else None
    session = await backend.sessions.resolve(token, request.state.request_id)
    request.state.user_id = session.user.subject
    return Caller(
        backend,
        session.passport,
        request.state.request_id,
        key,
        deadline,
        session.user.user_id,
        token,
    )


def _as_gateway(request: Request, key: str) -> Caller:
    backend = Backend.of(request)
    deadline = time.time() + backend.rpc.timeout
    return Caller(backend, backend.signer.own(), request.state.request_id, key, deadline)


def service_of(request: Request) -> str:
    """Routes are tagged with the service that they ask."""
    return str(request.scope["route"].tags[0])


Reader = Annotated[Caller, Depends(read_as_user)]
Writer = Annotated[Caller, Depends(write_as_user)]
Stranger = Annotated[Caller, Depends(as_gateway)]
WritingStranger = Annotated[Caller, Depends(write_as_gateway)]
