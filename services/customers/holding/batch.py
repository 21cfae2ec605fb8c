"""One action on many customers: each is the command that it would be alone, with its own right, transaction and key.

A row's key is made of the batch's, so that a batch that was cut short goes on where it was when it comes again: what is done
answers as it did. The report is kept once the whole is through; from then on it is the answer.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import UUID

from services.contracts import customers as contract
from services.contracts.base import Message, Nothing, Operation
from services.contracts.batches import AssignMany, Batch, BatchReport, BatchRow, ClaimMany, MoveMany, ReleaseMany, TransferMany
from services.contracts.errors import (
    CommandExpired,
    CommandInFlight,
    DeadlinePassed,
    IdempotencyKeyReused,
    NotAuthenticated,
    QudaoError,
    ServiceUnavailable,
)
from services.contracts.pools import MOVE_CUSTOMER
from services.customers.holding import acts
from services.plumbing.call import Call
from services.plumbing.rpc import run
from services.plumbing.work import AlreadyAnswered


class Act(NamedTuple):
    """The single command of which a batch consists."""

    operation: Operation[Any, Any]
    method: Callable[[Any, Call], Message]


ACTS: dict[type[Message], Act] = {
    ClaimMany: Act(contract.CLAIM_CUSTOMER, acts.claim),
    AssignMany: Act(contract.ASSIGN_CUSTOMER, acts.assign),
    ReleaseMany: Act(contract.RELEASE_CUSTOMER, acts.release),
    MoveMany: Act(MOVE_CUSTOMER, acts.move),
    TransferMany: Act(contract.TRANSFER_CUSTOMER, acts.transfer),
}
OF_THE_WAY = (ServiceUnavailable, CommandExpired, DeadlinePassed, NotAuthenticated)
"""Says nothing about the row: the batch ends here and goes on when it is repeated."""
OF_THE_BATCH = (CommandInFlight, IdempotencyKeyReused)


def carry_out(batch: Batch, call: Call) -> BatchReport:
    """Raises DeadlinePassed when not all was done in time: under the same key the rest is done."""
    call.answer_again()
    open_batch(call)
    rows = [carry_out_one(batch, customer_id, call) for customer_id in batch.ids]
    done = sum(row.outcome == "done" for row in rows)
    with call.transaction() as work:
        return work.answer(BatchReport(done=done, refused=len(rows) - done, rows=rows))


def open_batch(call: Call) -> None:
    """Keeps what was asked under this key, before anything is done: with other contents it is refused from now on."""
    with suppress(AlreadyAnswered), replace(call, command_id=f"{call.command_id}/opened").transaction() as work:
        work.answer(Nothing())


def carry_out_one(batch: Batch, customer_id: UUID, call: Call) -> BatchRow:
    """As if it had been sent alone: a denial is audited as one. Raises what is not of this row."""
    act = ACTS[type(batch)]
    message = act.operation.request.model_validate(arguments(batch) | {"customer_id": customer_id})
    headers = {
        "passport": call.passport,
        "request_id": call.request_id,
        "deadline": call.deadline,
        "command_id": f"{call.command_id}/{customer_id}",
    }
    try:
        run(call.runtime, act.operation, act.method, message, headers)
    except OF_THE_WAY as error:
        raise DeadlinePassed() from error
    except OF_THE_BATCH:
        raise
    except QudaoError as error:
        kind = error.told_as
        return BatchRow(id=customer_id, outcome="refused", problem=kind.slug(), title=error.title, details=error.details)
    return BatchRow(id=customer_id, outcome="done")


def arguments(batch: Batch) -> dict[str, Any]:
    return batch.model_dump(exclude={"action", "ids"}, exclude_unset=True)
