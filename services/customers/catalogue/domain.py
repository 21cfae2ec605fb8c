"""Whether values are what their field takes. Values in, what is wrong with them out."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, NamedTuple

from services.contracts.catalogue import FieldKind

DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
LONGEST_TEXT = 1_000
MOST_DIGITS = 15
"""What a number of double precision holds exactly, as JSON's readers have it."""


class Field(NamedTuple):
    """A custom field, as far as values are judged by it."""

    key: str
    kind: FieldKind
    options: tuple[str, ...] = ()
    is_required: bool = False


def problem_of(field: Field, value: Any) -> str | None:
    """What is wrong with a value, in words; None when it is right."""
    return PROBLEMS[field.kind](field, value)


def _text(field: Field, value: Any) -> str | None:
    if not isinstance(value, str) or not value.strip():
        return "must be a text"
    if "\0" in value or len(value) > LONGEST_TEXT:
        return f"must be at most {LONGEST_TEXT} characters, without NUL"
    return None


def _number(field: Field, value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return "must be a number"
    return None if abs(value) < 10**MOST_DIGITS else f"must have {MOST_DIGITS} digits at most"


def _date(field: Field, value: Any) -> str | None:
    if isinstance(value, str) and DATE.fullmatch(value):
        try:
            date.fromisoformat(value)
        except ValueError:
            pass
        else:
            return None
    return "must be a date like 2026-11-30"


def _boolean(field: Field, value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _choice(field: Field, value: Any) -> str | None:
    return None if isinstance(value, str) and value in field.options else f"must be one of: {', '.join(field.options)}"


def _choices(field: Field, value: Any) -> str | None:
    if not isinstance(value, list) or not value or len(set(map(str, value))) != len(value):
        return "must be a list of different options"
    return next((found for each in value if (found := _choice(field, each))), None)


PROBLEMS: Mapping[FieldKind, Callable[[Field, Any], str | None]] = {
    "text": _text,
    "number": _number,
    "date": _date,
    "boolean": _boolean,
    "choice": _choice,
    "choices": _choices,
}
