"""Where ids come from: UUID version 7, so that rows lie in the order in which they were made."""

from uuid import UUID

import uuid_utils.compat


def new_id() -> UUID:
    return uuid_utils.compat.uuid7()
