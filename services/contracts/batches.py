"""One action on many customers, each by its own right and for itself, with a report of each."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from services.contracts.base import Command, Line, View, command
from services.contracts.customers import ReleaseReason

MOST = 200


def refuse_twice(ids: tuple[UUID, ...]) -> tuple[UUID, ...]:
    if len(set(ids)) < len(ids):
        raise ValueError("must not name a customer twice")
    return ids


Ids = Annotated[tuple[UUID, ...], Field(min_length=1, max_length=MOST), AfterValidator(refuse_twice)]


class ClaimMany(Command):
    """Takes each of them from the pool in which it lies."""

    action: Literal["claim"]
    ids: Ids


class AssignMany(Command):
    """Gives each of them, from the pool in which it lies, to a person."""

    action: Literal["assign"]
    ids: Ids
    to: UUID


class ReleaseMany(Command):
    """Gives each of them up, or takes it back from its holder."""

    action: Literal["release"]
    ids: Ids
    reason: ReleaseReason
    comment: Line | None = None
    pool_id: UUID | None = None


class MoveMany(Command):
    """Moves each of them from the pool in which it lies to another one of its agency."""

    action: Literal["move"]
    ids: Ids
    pool_id: UUID
    reason: Line | None = None


class TransferMany(Command):
    """Gives each of them from its holder to another person."""

    action: Literal["transfer"]
    ids: Ids
    to: UUID
    reason: Line | None = None


Batch = ClaimMany | AssignMany | ReleaseMany | MoveMany | TransferMany


class BatchRow(View):
    """What became of one customer. A refused one is as it was; `problem` is the type that the single command would have told."""

    id: UUID
    outcome: Literal["done", "refused"]
    problem: str | None = None
    title: str | None = None
    details: dict[str, Any] = Field(default={}, description="Further members of the problem, as of the single command.")


class BatchReport(View):
    """One row for each id, in their order."""

    done: int
    refused: int
    rows: list[BatchRow]


CLAIM_MANY = command("customers.claim_many", ClaimMany, BatchReport, "customer:claim")
ASSIGN_MANY = command("customers.assign_many", AssignMany, BatchReport, "customer:assign")
RELEASE_MANY = command("customers.release_many", ReleaseMany, BatchReport, "customer:release")
MOVE_MANY = command("customers.move_many", MoveMany, BatchReport, "pool:administer")
TRANSFER_MANY = command("customers.transfer_many", TransferMany, BatchReport, "customer:transfer")
