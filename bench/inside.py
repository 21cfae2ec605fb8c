"""Calls as a service's process answers them, without process and broker: what the service's own code takes by itself."""

import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from bench.contract import ENTER_MANY, EnterMany, ManyEntered
from services.contracts.customers import CustomerFields
from services.customers.check import filing
from services.customers.models import Pool
from services.customers.registry import bulk
from services.plumbing.call import Call
from services.plumbing.database import make_engine, make_reading_engine
from services.plumbing.passport import Caller
from services.plumbing.settings import ServiceSettings


def runtime_of(database_url: str) -> Any:
    """As much of a Runtime as a command's transaction takes."""
    settings = ServiceSettings.model_validate(
        {"service": "customers", "database_url": database_url, "amqp_uri": "", "signing_key": "", "trusted_keys_dir": Path()}
    )
    engines = {"engine": make_engine(settings), "reading_engine": make_reading_engine(settings)}
    return SimpleNamespace(**engines, constraints={}, hash_key=b"bench")


def enter_batch(runtime: Any, caller: Caller, rows: Sequence[CustomerFields], pool_id: UUID) -> list[bulk.Entered]:
    """One batch of an import, committed."""
    command = EnterMany.model_construct(rows=list(rows))
    key = uuid.uuid4().hex
    asked: dict[str, Any] = {"passport": None, "request_id": f"bench-{key}", "command_id": key, "deadline": time.time() + 60}
    call = Call(runtime, ENTER_MANY, caller=caller, request=command, **asked)
    with call.transaction() as work:
        pool = work.session.get_one(Pool, pool_id)
        entered = bulk.enter_many(work, call, rows, pool, filing.versions.oldest(work.session))
        work.answer(ManyEntered(created=sum(one.outcome == "created" for one in entered)))
    return entered
