"""Operations served over nameko's RPC.

    @serves(ENTER_CUSTOMER)
    def enter_customer(self, command: EnterCustomer, call: Call) -> EntryOutcome: ...

Whatever the method raises, the caller gets an answer and the process lives: declared errors cross as they are, the rest as
`InternalError` with an incident's id that stands in the log.
"""

import functools
import json
import logging
import time
import traceback
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import eventlet
from nameko import rpc as nameko_rpc
from nameko.exceptions import ContainerBeingKilled
from sqlalchemy.exc import DBAPIError

from services.contracts.base import Message, Operation
from services.contracts.errors import InternalError, InvalidRequest, NotFound, QudaoError, ServiceUnavailable
from services.plumbing import failpoints, logs, metrics
from services.plumbing.bus import BrokerAway
from services.plumbing.call import Call
from services.plumbing.consume import DrainingConsumer
from services.plumbing.database import ConnectionLost, describe, unless_of_database, wanted_until
from services.plumbing.denials import audit_denial
from services.plumbing.events import EventConsumer
from services.plumbing.topology import RPC_QUEUE_ARGUMENTS
from services.plumbing.work import AlreadyAnswered

log = logging.getLogger(__name__)

Request = TypeVar("Request", bound=Message)
Answer = TypeVar("Answer", bound=Message)
Method = Callable[[Any, Request, Call], Answer]


class PermissionNotDeclared(SystemExit):
    """A method that anybody could call keeps its service from starting."""


class RpcConsumer(nameko_rpc.RpcConsumer):  # type: ignore[misc]
    """Answers by the process's bus, and never raises: stock nameko ends the process when an answer cannot be sent."""

    consumer_cls = DrainingConsumer

    def setup(self) -> None:
        super().setup()
        self.queue.queue_arguments = RPC_QUEUE_ARGUMENTS
        self.queue.no_declare = not nameko_rpc.config["DECLARE"]

    def handle_message(self, body: Any, message: Any) -> None:
        try:
            provider = self.get_provider_for_method(message.delivery_info["routing_key"])
        except nameko_rpc.MethodNotFound:
            self.send(message, error_body(NotFound(operation=message.delivery_info["routing_key"])))
        else:
            provider.handle_message(body, message)

    def send(self, message: Any, body: bytes) -> None:
        reply_to = message.properties.get("reply_to")
        if is_reply_address(reply_to):
            try:
                runtime_of(self).bus.reply(reply_to, body, message.properties.get("correlation_id"))
            except BrokerAway:
                log.warning("answer lost, the broker is away: %s", message.delivery_info.get("routing_key"))
        self.consumer.ack_message(message)


def is_reply_address(reply_to: object) -> bool:
    """Callers are addressed by UUIDs: an answer goes to no other key, whatever a forged request says."""
    try:
        return isinstance(reply_to, str) and str(uuid.UUID(reply_to)) == reply_to
    except ValueError:
        return False


class Rpc(nameko_rpc.Rpc):  # type: ignore[misc]
    rpc_consumer = RpcConsumer()

    def handle_message(self, body: Any, message: Any) -> None:
        args = body.get("args") if isinstance(body, dict) else None
        if not isinstance(args, list) or len(args) > 1 or body.get("kwargs"):
            self.rpc_consumer.send(message, error_body(InvalidRequest(reason="one message is expected, as args[0]")))
            return
        headers = nameko_rpc.decode_from_headers(message.headers or {})
        arguments = (args[0] if args else {}, headers)
        if self.container._worker_pool.free() > 0:
            self.spawn(arguments, message)
        else:  # never block the consumer: it also sends the heartbeats
            self.container.spawn_managed_thread(functools.partial(self.spawn, arguments, message))

    def spawn(self, arguments: tuple[Any, ...], message: Any) -> None:
        try:
            self.container.spawn_worker(self, arguments, {}, handle_result=functools.partial(self.handle_result, message))
        except ContainerBeingKilled:
            self.rpc_consumer.consumer.requeue_message(message)

    def handle_result(self, message: Any, worker_ctx: Any, result: Any, exc_info: Any) -> tuple[Any, Any]:
        if exc_info is not None:
            result = error_body(internal(exc_info[1]))
        failpoints.reach("before_reply")
        self.rpc_consumer.send(message, result)
        return None, None


def serves(operation: Operation[Request, Answer]) -> Callable[[Method[Request, Answer]], Callable[..., bytes]]:
    """Makes a method the answer to an operation of the same name."""

    def decorate(method: Method[Request, Answer]) -> Callable[..., bytes]:
        if method.__name__ != operation.name:
            raise TypeError(f"{method.__name__} cannot serve {operation.route}")

        @functools.wraps(method)
        def entrypoint(self: Any, message: Any, headers: dict[str, Any]) -> bytes:
            return respond(self.plumbing, operation, functools.partial(method, self), message, headers)

        entrypoint.operation = operation  # type: ignore[attr-defined]
        return Rpc.decorator(entrypoint)  # type: ignore[no-any-return]

    return decorate


def respond(
    runtime: Any, operation: Operation[Any, Any], method: Callable[..., Message], message: Any, headers: dict[str, Any]
) -> bytes:
    """nameko's answer, as JSON."""
    logs.request_id.set(logs.clean_request_id(headers.get("request_id")))
    started = time.perf_counter()
    outcome = "done"
    try:
        return result_body(run(runtime, operation, method, message, headers))
    except QudaoError as error:
        outcome = error.slug()
        return error_body(error)
    except (Exception, SystemExit, eventlet.Timeout) as error:
        outcome = "internal-error"
        return error_body(internal(error))
    finally:
        metrics.observe_rpc(operation.route, outcome, time.perf_counter() - started)


def run(
    runtime: Any, operation: Operation[Any, Any], method: Callable[..., Message], message: Any, headers: dict[str, Any]
) -> str:
    """The answer as JSON. A lost connection is tried once more: a command that was committed is then found by its id."""
    call = Call.of(runtime, operation, headers)
    try:
        call.admit(message)
        with wanted_until(call.deadline):
            try:
                return method(call.request, call).model_dump_json()
            except ConnectionLost:
                return method(call.request, call).model_dump_json()
    except AlreadyAnswered as known:
        return known.answer
    except ConnectionLost:
        raise ServiceUnavailable(reason="database") from None
    except QudaoError as error:
        if error.is_denial:
            note_denial(call, error)
        raise


def note_denial(call: Call, error: QudaoError) -> None:
    """The denial stands even when it cannot be written down."""
    try:
        audit_denial(call, error)
        failpoints.reach("after_denial")
    except (ConnectionLost, ServiceUnavailable):
        log.error("a denial could not be audited: %s", call.operation.route)


def result_body(answer: str) -> bytes:
    return b'{"result": ' + answer.encode() + b', "error": null}'


def error_body(error: QudaoError) -> bytes:
    """As nameko's own client expects it, with nothing in it but what is declared."""
    kind = error.told_as
    value = {"exc_type": kind.__name__, "exc_path": f"{kind.__module__}.{kind.__name__}", "exc_args": [error.details]}
    return json.dumps({"result": None, "error": {**value, "value": str(error)}}, default=str).encode()


def internal(error: BaseException) -> InternalError:
    incident = uuid.uuid4().hex
    log.error("incident %s: %s", incident, describe(error), exc_info=unless_of_database(error))
    if isinstance(error, DBAPIError):
        log.error("incident %s came from %s", incident, "".join(traceback.format_tb(error.__traceback__)[-6:]))
    return InternalError(incident=incident)


def runtime_of(extension: Any) -> Any:
    from services.plumbing.provider import RUNTIME_KEY

    return nameko_rpc.config[RUNTIME_KEY]


def operations_of(service_cls: type) -> dict[str, Operation[Any, Any]]:
    """What a service class serves. Raises PermissionNotDeclared for what has none, such as nameko's own entrypoints."""
    found = {}
    for name in dir(service_cls):
        method = getattr(service_cls, name)
        entrypoints = getattr(method, "nameko_entrypoints", ())
        if all(isinstance(entrypoint, EventConsumer) for entrypoint in entrypoints):
            continue
        operation = getattr(method, "operation", None)
        if operation is None or operation.permission is None:
            raise PermissionNotDeclared(f"{service_cls.__name__}.{name} declares no permission: anybody could call it.")
        found[name] = operation
    return found
