"""Where ids come from: UUID version 7, so that rows lie in the order in which they were made."""

from collections.abc import Callable
from uuid import UUID

import uuid_utils.compat

source: Callable[[], UUID] = uuid_utils.compat.uuid7
"""Tests may put another one here."""


def new_id() -> UUID:
    return source()
