"""Phone and fax numbers as people type them: 0514——2398577, (0514)2398577, ２３９８５７７ of 扬州, +86 514 2398577 转801.

A general phone library is of little help: it calls seven-digit local numbers of old cards invalid and stumbles over 转801. Old
numbers stay as they were written; nothing is guessed about how a city lengthened them.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from services.customers.collision.divisions import area_code, area_codes
from services.customers.collision.regions import locate

Kind = Literal["landline", "mobile", "service", "unknown"]
Comparison = Literal["same", "other_area", "unknown_area", "different"]

_DASHES = "‐‑‒–—―−－﹘﹣ーｰ─━⸺⸻"
_DASH = str.maketrans(dict.fromkeys(_DASHES, "-"))
_EXTENSION = re.compile(
    r"(?:总机)?(?:转接?|轉接?|分机号?|分機號?|内线|內線|extension|extn?\.?|#|[x*])[\s:.\-]*(\d{1,6})",
    re.IGNORECASE | re.ASCII,
)
_PIECE = re.compile(r"(?P<number>[+\d(][\d\s().·+\-]*)(?:<(?P<extension>\d+)>)?", re.ASCII)
_DIGITS = re.compile(r"\d+", re.ASCII)
_COUNTRY = re.compile(r"\+86|0086|86")
_MOBILE = re.compile(r"0?(1[3-9]\d{9})")
_SERVICE = re.compile(r"0?([48]00\d{7})|(9[56]\d{3,6}|100\d{2}|12[1-9]\d{2}|110|119|12[02])")
_MOST_GROUPS = 8  # 00 86 0514 2398 577 801, and some blanks more
_AREA = re.compile(r"0(10|2\d|[3-9]\d\d)")


@dataclass(frozen=True, slots=True)
class Number:
    """One number. `area` without its 0, typed or taken from the city; `local` is all the digits where there is no area."""

    kind: Kind
    area: str | None
    local: str
    extension: str | None = None

    @property
    def key(self) -> str | None:
        """What two entries share when it is the same line; None for a landline whose area is not known."""
        return (self.area or "") + self.local if self.area or self.kind in ("mobile", "service") else None

    @property
    def bare(self) -> str:
        """Digits without the area: finds every hit, the area only affects the verdict."""
        return self.local


def parse(text: str, city: str | None = None, province: str | None = None) -> tuple[Number, ...]:
    """The numbers of one field, in order, each once; empty when there is none.

    A missing area code comes from the number before it in the same field (0514-2398577/2345586), else from the city. A short tail
    behind a stroke repeats the number before with its last digits changed (2398577/78).
    """
    found: list[Number] = []
    area: str | None = None
    for piece in _pieces(text):
        if len(piece.groups) == 1 and _AREA.fullmatch(piece.groups[0]):  # 0514/2398577: an area code by itself
            area = piece.groups[0][1:]
        elif found and _is_tail(piece):
            found += _varied(found[-1], piece.groups[0])
        else:
            for number in _numbers_of(piece, area):
                area = number.area or area
                found.append(number)
    home = area_code(locate(province, city))
    placed = (replace(number, area=home) if number.kind == "landline" and not number.area else number for number in found)
    return tuple(dict.fromkeys(number for number in placed if not _is_filler(number)))


def compare(one: Number, other: Number) -> Comparison:
    """Whether two numbers are one line. Extensions do not matter: behind one line sits one company."""
    if one.local != other.local:
        return "different"
    if one.area == other.area and (one.area or one.key):
        return "same"
    return "other_area" if one.area and other.area else "unknown_area"


class _Piece(NamedTuple):
    groups: list[str]
    extension: str | None
    is_international: bool


def _pieces(text: str) -> Iterator[_Piece]:
    """The field cut at whatever is no part of a number."""
    plain = unicodedata.normalize("NFKC", text.translate(_DASH)).translate(_DASH)
    plain = re.sub(r"[\s\-]+<", "<", _EXTENSION.sub(r"<\1>", plain))
    for found in _PIECE.finditer(plain):
        groups = _DIGITS.findall(found.group("number"))
        if groups:
            yield _Piece(groups, found.group("extension"), found.group().lstrip("( ").startswith("+"))


def _is_tail(piece: _Piece) -> bool:
    return len(piece.groups) == 1 and len(piece.groups[0]) <= 4 and piece.extension is None


def _varied(number: Number, tail: str) -> list[Number]:
    """The number before with its last digits changed; behind an extension the tail is another extension and adds no line."""
    if number.kind == "unknown" or number.extension is not None:
        return []
    return [replace(number, local=number.local[: -len(tail)] + tail)]


def _numbers_of(piece: _Piece, area: str | None) -> Iterator[Number]:
    if piece.is_international and not "".join(piece.groups).startswith("86"):
        yield Number("unknown", None, "".join(piece.groups), piece.extension)
        return
    for number in _split(piece.groups, piece.is_international):
        if number.kind == "landline":
            area = number.area or area
            number = replace(number, area=area)
        yield replace(number, extension=number.extension or piece.extension)


def _split(groups: list[str], is_international: bool) -> Iterator[Number]:
    """Blank-separated groups as numbers: the longest run that reads as one number, then the rest."""
    start = 0
    while start < len(groups):
        for end in range(min(len(groups), start + _MOST_GROUPS), start, -1):
            number = _read(groups[start:end], is_international)
            if number:
                yield number
                start = end
                break
        else:
            if len(groups[start]) >= 5:
                yield Number("unknown", None, groups[start])
            start += 1


def _read(groups: list[str], is_international: bool) -> Number | None:
    """One number of these groups of digits, or None when they are not one."""
    groups = _without_country(groups, is_international)
    digits = "".join(groups)
    if mobile := _whole(_MOBILE, groups):
        return Number("mobile", None, mobile.number, mobile.extension)
    is_local_first = len(groups) > 1 and len(groups[0]) in (7, 8)  # 4001234-801 is a local number and its extension
    if not is_local_first and (service := _whole(_SERVICE, groups)):
        return Number("service", None, service.number, service.extension)
    area, rest = _area(groups)
    local, extension = _local(rest)
    shortest = 5 if area else 7
    if not shortest <= len(local) <= 8 or local.startswith("0") or len(digits) > 20:
        return None
    return Number("landline", area, local, extension)


class _Whole(NamedTuple):
    number: str
    extension: str | None


def _whole(pattern: re.Pattern[str], groups: list[str]) -> _Whole | None:
    """The pattern over the first groups, what is left (one short group) being the extension."""
    for end, extension in ((len(groups), None), (len(groups) - 1, groups[-1] if groups else None)):
        found = pattern.fullmatch("".join(groups[:end])) if end > 0 else None
        if found and (extension is None or (len(extension) <= 4 and extension[0] != "0" and len(found.group()) > 8)):
            return _Whole(next(group for group in found.groups() if group), extension)
    return None


def _without_country(groups: list[str], is_international: bool) -> list[str]:
    """86, 0086 and +86 away, where what is left is long enough to be a number with its area code."""
    digits = "".join(groups)
    found = _COUNTRY.match(digits)
    if not found or not (is_international or len(digits) - found.end() >= 9):
        return groups
    rest, left = found.end(), list(groups)
    while rest and left:
        cut = min(rest, len(left[0]))
        left[0], rest = left[0][cut:], rest - cut
        if not left[0]:
            del left[0]
    if left and left[0] == "0":  # +86(0)514
        left[:2] = ["".join(left[:2])]
    return left


def _area(groups: list[str]) -> tuple[str | None, list[str]]:
    """The area code and the groups behind it. Without its 0 only a code that exists, in front of a whole local number."""
    if not groups:
        return None, groups
    digits = "".join(groups)
    typed = _AREA.match(digits)
    if typed:
        return typed.group(1), _after(groups, typed.end())
    for length in (2, 3):
        code, rest = digits[:length], _after(groups, length)
        is_apart = groups[0] == code and len(_local(rest)[0]) in (7, 8)
        if code in area_codes() and (is_apart or len(groups[0]) - length in (7, 8)) and not rest[0].startswith("0"):
            return code, rest
    return None, groups


def _after(groups: list[str], count: int) -> list[str]:
    rest = []
    for group in groups:
        if len(group) > count:
            rest.append(group[count:])
        count = max(0, count - len(group))
    return rest


def _local(groups: list[str]) -> tuple[str, str | None]:
    """The local number and the extension behind it: the first groups that make seven or eight digits are the number."""
    local = ""
    for index, group in enumerate(groups):
        local += group
        if len(local) in (7, 8) and index + 1 < len(groups):
            extension = "".join(groups[index + 1 :])
            return (local, extension) if len(extension) <= 4 and extension[0] != "0" else ("", None)
    return local, None


def _is_filler(number: Number) -> bool:
    """00000000 and the like, typed because the field was required."""
    return len(set(number.local)) == 1
