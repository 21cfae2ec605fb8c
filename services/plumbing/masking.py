"""What of a message may stand in audit rows and logs."""

from functools import cache
from typing import Any, get_args

from pydantic import BaseModel

from services.contracts.base import Personal, Sensitive


def marks_in(annotation: Any, metadata: tuple[Any, ...]) -> set[type]:
    found = {type(mark) for mark in metadata if isinstance(mark, Sensitive | Personal)}
    for part in get_args(annotation):
        found |= {type(part)} if isinstance(part, Sensitive | Personal) else marks_in(part, ())
    return found


@cache
def marks_of(message: type[BaseModel]) -> dict[str, set[type]]:
    return {name: marks_in(field.annotation, tuple(field.metadata)) for name, field in message.model_fields.items()}


def masked(message: BaseModel) -> dict[str, Any]:
    """The message as JSON without secrets, its numbers of people reduced to first and last digits."""
    marks = marks_of(type(message))
    shown = message.model_dump(mode="json", exclude={name for name, found in marks.items() if Sensitive in found})
    for name, found in marks.items():
        if Personal in found and isinstance(shown.get(name), str):
            shown[name] = mask(shown[name])
    return shown


def mask(number: str) -> str:
    """138****1234: enough to recognise, not enough to call."""
    return f"{number[:3]}****{number[-4:]}" if len(number) >= 9 else "****"
