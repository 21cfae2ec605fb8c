"""Cursors: where a list goes on, opaque to clients, without offsets that drift when rows come in."""

import base64
import binascii
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from services.contracts.base import Item, Page
from services.contracts.errors import InvalidCursor

Key = TypeVar("Key")


def encode(*key: UUID | str) -> str:
    """The sort key of the last row of a page."""
    plain = json.dumps([str(part) for part in key], ensure_ascii=False)
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def decode_id(cursor: str | None) -> UUID | None:
    """Of a list that is sorted by id. Raises InvalidCursor."""
    return _decode(cursor, UUID)


def decode_number(cursor: str | None) -> int | None:
    """Of a list that is sorted by a version, a number of nine digits at most. Raises InvalidCursor."""
    return _decode(cursor, _number)


def decode_moment_and_id(cursor: str | None) -> tuple[datetime, UUID] | None:
    """Of a list that is sorted by a moment and then by id. Raises InvalidCursor."""
    return _decode(cursor, _moment_and_id)


def decode_text_and_id(cursor: str | None) -> tuple[str, UUID] | None:
    """Of a list that is sorted by a text and then by id. Raises InvalidCursor."""
    return _decode(cursor, _text_and_id)


def decode_name_or_id(cursor: str | None) -> str | UUID | None:
    """Of a list in which things with names come before those with ids. Raises InvalidCursor."""
    return _decode(cursor, _name_or_id)


def _name_or_id(key: str) -> str | UUID:
    return key if re.fullmatch("[a-z_]{1,40}", key) else UUID(key)


def _moment_and_id(moment: str, id_: str) -> tuple[datetime, UUID]:
    return datetime.fromisoformat(moment).astimezone(UTC), UUID(id_)


def _text_and_id(text: str, id_: str) -> tuple[str, UUID]:
    """No database takes NUL or half a character."""
    if b"\0" in text.encode():
        raise ValueError
    return text, UUID(id_)


def _number(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ValueError
    return int(text)


def _decode(cursor: str | None, read: Callable[..., Key]) -> Key | None:
    if cursor is None:
        return None
    try:
        return read(*json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))))
    except (ValueError, TypeError, AttributeError, OverflowError, binascii.Error, RecursionError):
        raise InvalidCursor() from None


def page(kind: type[Page[Item]], items: list[Any], limit: int) -> Page[Item]:
    """Of a list that is sorted by id, asked for one item more than the limit to know whether it goes on."""
    more = len(items) > limit
    return kind(items=items[:limit], next_cursor=encode(items[limit - 1].id) if more else None)
