"""Time travel: business time is SQL `clock()`, which the owner of each database can replace."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg

from embedded.stack import Stack
from services.contracts.base import SERVICES

REAL = "CREATE OR REPLACE FUNCTION clock() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE AS 'SELECT clock_timestamp()'"
LATER = REAL.replace("clock_timestamp()", "clock_timestamp() + interval ''{} seconds''")


@contextmanager
def later(stack: Stack, delay: timedelta) -> Iterator[None]:
    """Inside, every service's business time is so much later."""
    replace_clocks(stack, LATER.format(delay.total_seconds()))
    try:
        yield
    finally:
        replace_clocks(stack, REAL)


def replace_clocks(stack: Stack, definition: str) -> None:
    for service in SERVICES:
        with psycopg.connect(stack.owner_url(service)) as owner:
            owner.execute(definition)  # type: ignore[arg-type]
