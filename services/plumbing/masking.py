"""What of a message may stand in audit rows and logs."""

import re
import unicodedata
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


MASK = "***"
"""Stands in whatever `mask` gives."""

_MAIL = re.compile(r"([^@\s])[^@\s]*@([^@\s]+)")
_NUMBER = re.compile(r"[+(]?\d[\d\s().+\-]*")
_COUNTRY = re.compile(r"^(?:00)?86(?=\d{9})")
_MOBILE = re.compile(r"^1[3-9]\d{9}")
_AREA = re.compile(r"^0(?:10|2\d|[3-9]\d\d)")


def mask(text: str) -> str:
    """138****1234, 0514****577, w***@d.com: enough to recognise, not enough to reach anybody.

    Of each number four digits at least are hidden. What else stands in the field (names, extensions, short tails) is left out.
    """
    plain = unicodedata.normalize("NFKC", text)
    if "@" in plain:
        return "/".join(f"{start}***@{mask_domain(domain)}" for start, domain in _MAIL.findall(plain)) or "****"
    digits = [re.sub(r"\D", "", found) for found in _NUMBER.findall(plain)]
    return "/".join(mask_digits(number) for number in digits if len(number) >= 5) or "****"


def mask_domain(domain: str) -> str:
    """Public, unless somebody has put a number in its place."""
    return domain if len(re.sub(r"\D", "", domain)) < 7 else "****"


def mask_digits(number: str) -> str:
    """An area code stays, and what stands behind a whole mobile is an extension."""
    number = _COUNTRY.sub("", number)
    if mobile := _MOBILE.match(number.removeprefix("0") if number.startswith("01") else number):
        return f"{mobile[0][:3]}****{mobile[0][-4:]}"
    area = _AREA.match(number)
    start = area[0] if area else number[:3]
    if len(number) - len(start) >= 7:
        return f"{start}****{number[-3:]}"
    return f"****{number[-3:]}" if len(number) >= 7 else "****"
