"""The administrative divisions of China, by code, name and short name; their telephone area codes.

A municipality (北京 上海 天津 重庆) is province and city at once, and its districts are not told apart: 上海浦东 is 上海.
Sources and licences of the tables: data/NOTICE.
"""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

_DATA = Path(__file__).parent / "data"
_MUNICIPALITIES = frozenset({"11", "12", "31", "50"})
_CITIES_OF_THEIR_OWN = frozenset({"81", "82"})  # 香港 and 澳门: a place is known whole when they are named

Relation = Literal["same", "unknown", "other_town", "other_county", "other_city", "other_province"]


@dataclass(frozen=True, slots=True)
class Region:
    """A place by its division codes (GB/T 2260, six digits), as far as it is known; a town or development zone by name."""

    province: str | None = None
    city: str | None = None
    county: str | None = None
    town: str | None = None

    def filled_from(self, other: "Region") -> "Region":
        """What is missing here taken from `other`, where the two do not contradict each other."""
        if self.province is None:
            return other
        if self.city is None:
            return other if other.province == self.province else self
        return replace(self, county=other.county) if self.county is None and other.city == self.city else self


class Word(NamedTuple):
    text: str
    codes: tuple[str, ...]
    is_short: bool


class Tables(NamedTuple):
    by_name: dict[str, tuple[str, ...]]
    by_head: dict[str, list[Word]]
    """Every name and short name under its first two characters, longest first: most names begin with none of them."""
    titles: dict[str, str]
    towns: dict[str, str]
    familiar: frozenset[str]
    areas: dict[str, str]


def _lines(file: str) -> list[list[str]]:
    return [line.split(" ") for line in (_DATA / file).read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


@cache
def tables() -> Tables:
    names: dict[str, list[str]] = {}
    shorts: dict[str, list[str]] = {}
    titles: dict[str, str] = {}
    for code, name, short in _lines("divisions.txt"):
        names.setdefault(name, []).append(code)
        titles.setdefault(code, name if short == "-" else short)
        if short != "-":
            shorts.setdefault(short, []).append(code)
    words = [Word(name, tuple(codes), False) for name, codes in names.items()]
    words += [Word(short, tuple(codes), True) for short, codes in shorts.items()]
    by_head: dict[str, list[Word]] = {}
    for word in sorted(words, key=lambda word: -len(word.text)):
        by_head.setdefault(word.text[:2], []).append(word)
    by_name = {word.text: word.codes for word in reversed(words)}
    towns = {code: f" {' '.join(rest)} " for code, *rest in _lines("towns.txt")}
    familiar = frozenset(word for line in _lines("familiar.txt") for word in line)
    return Tables(by_name, by_head, titles, towns, familiar, {code: area for code, area in _lines("area_codes.txt")})


def level_of(code: str) -> Literal["province", "city", "county"]:
    if code.endswith("0000"):
        return "province"
    return "city" if code.endswith("00") else "county"


@cache
def region_of(code: str) -> Region:
    """A division with what it lies in; counties that a province runs itself (济源) count as cities."""
    province = code[:2] + "0000"
    if code[:2] in _MUNICIPALITIES | _CITIES_OF_THEIR_OWN:
        return Region(province, province, code if level_of(code) == "county" else None)
    if level_of(code) == "province":
        return Region(province)
    if level_of(code) == "city" or code[2:4] == "90":
        return Region(province, code)
    return Region(province, code[:4] + "00", code)


@cache
def counties_of(city: str | None) -> tuple[str, ...]:
    """The codes of the counties of a city, as far as their towns are known."""
    return tuple(code for code in tables().towns if city and region_of(code).city == city)


@cache
def divisions() -> dict[str, str]:
    """Every division by its code, with its whole name."""
    return {code: name for code, name, _ in _lines("divisions.txt")}


def is_division(code: str) -> bool:
    return code in divisions()


@cache
def parts_of(code: str | None) -> tuple[str, ...]:
    """The codes of what lies directly in a division, the provinces in none; counties that a province runs itself are its own."""
    if code is None:
        return tuple(each for each in divisions() if level_of(each) == "province")
    within = [each for each in divisions() if each != code and code in _path(each)]
    return tuple(each for each in within if not any(other in _path(each) for other in within if other != each))


def _path(code: str) -> tuple[str, ...]:
    """A division with what it lies in, the narrowest first."""
    region = region_of(code)
    return tuple(each for each in (region.county, region.city, region.province) if each)


def title_of(code: str) -> str:
    """What people call the place: 320000 → 江苏, 440605 → 南海."""
    return tables().titles.get(code, code)


def area_code(region: Region) -> str | None:
    """The telephone area code without its 0: 扬州 → 514."""
    if region.city is None:
        return None
    areas = tables().areas
    return areas.get(region.city) or (areas.get("460100") if region.province == "460000" else None)


@cache
def area_codes() -> frozenset[str]:
    return frozenset(tables().areas.values())


def relation(one: Region, other: Region, *, is_narrow: bool = False) -> Relation:
    """How two places stand to each other; unknown when one of them says too little to tell.

    Narrow is for names that are nothing but place and trade: there the county tells companies apart, also inside a municipality,
    and the city's own is not its county's (扬州市印花厂, 宝应县印花厂).
    """
    if one.province is None or other.province is None:
        return "unknown"
    if one.province != other.province:
        return "other_province"
    if one.city is None or other.city is None:
        return "unknown"
    if one.city != other.city:
        return "other_city"
    if one.county != other.county:
        return "other_county" if is_narrow else _across_counties(one, other)
    if one.town != other.town and (is_narrow or (one.town and other.town)):
        return "other_town"
    return "same"


def _across_counties(one: Region, other: Region) -> Relation:
    if one.city and one.city[:2] in _MUNICIPALITIES:
        return "same"
    return "other_county" if one.county and other.county else "unknown"
