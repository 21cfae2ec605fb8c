"""Which place a text means, and which places a name begins with."""

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from services.customers.collision.divisions import Region, Word, counties_of, level_of, region_of, tables
from services.customers.collision.text import compact

_SUFFIXES = {
    "省": [("省", "province")],
    "地": [("地区", "city")],
    "市": [("市", "city"), ("市", "county")],
    "州": [("州", "city")],
    "盟": [("盟", "city")],
    "新": [("新区", "county")],
    "县": [("县", "county")],
    "区": [("区", "county")],
    "旗": [("旗", "county")],
}
_NOT_A_SUFFIX = frozenset({"市政", "市场", "市容", "市郊", "区域", "县域"})  # 成都市政工程 is 成都 + 市政工程
_ZONE = re.compile(
    "(?:国家级?)?(?:经济|高新|高科技|技术|产业|工业|科技|农业|出口|加工|综合|保税|民营|示范){0,5}"
    "(?:开发区|高新区|工业园区|产业园区|保税区|示范区)"
)
_TOWN = re.compile("(?:镇|街道办事处|街道|乡)")


class Step(NamedTuple):
    """How far into a name its region reaches."""

    region: Region
    end: int
    is_sure: bool
    """Whether a suffix or a city's name says that it is a place; a bare short name of a county or town may be a brand."""


@lru_cache(maxsize=4096)
def locate(province: str | None, city: str | None) -> Region:
    """The place that somebody typed or chose in the two fields; empty where it is not understood."""
    found = _best(_known(compact(province or "")), Region(), ("province",))
    return meant(compact(city or ""), region_of(found) if found else Region())


def meant(text: str, within: Region) -> Region:
    """The place that a text as a whole names (扬州, 江苏省扬州市); `within` decides between several, or is all that is known."""
    found = _best((code for code in _known(text) if _is_within(code, within)), within, ("city", "county", "province"))
    if found:
        return region_of(found).filled_from(within)
    steps = steps_into(text, within)
    return steps[-1].region.filled_from(within) if steps else within


def is_place(text: str) -> bool:
    """Whether the whole text names a place, as in the brackets of 瑞丽服装(上海)有限公司."""
    if _known(text):
        return True
    steps = steps_into(text, Region())
    return bool(steps) and steps[-1].end == len(text)


def steps_into(text: str, hint: Region, version: int = 2) -> list[Step]:
    """The places that a name begins with, from the widest to the narrowest, each with where it ends.

    `hint` is where the company says that it sits. Long names are tried before short ones. A county's short name counts only when
    its city is known from the name or the hint: 平安, 长安 and 东方 are brands far more often than places.
    """
    steps: list[Step] = []
    region, end = Region(), 0
    while step := _next_step(text, end, region, hint, version):
        region, end = step.region, step.end
        steps.append(step)
    return steps


def _next_step(text: str, start: int, region: Region, hint: Region, version: int) -> Step | None:
    step = _division(text, start, region, hint) if region.county is None else None
    if step is None and version >= 2 and region.county is None and (region.city or hint.city):
        step = _town_of_city(text, start, region, hint)
    if step or region.province is None:
        return step
    zone = _ZONE.match(text, start)
    if not zone:
        return _town(text, start, region)
    return Step(replace(region, town=region.town or zone.group()), zone.end(), is_sure=True)


def _division(text: str, start: int, region: Region, hint: Region) -> Step | None:
    for word in tables().by_head.get(text[start : start + 2], ()):
        if not text.startswith(word.text, start):
            continue
        end = start + len(word.text)
        step = _by_short_name(text, end, word, region, hint) if word.is_short else _by_name(text, end, word.codes, region, hint)
        if step:
            return step
    return None


def _by_name(text: str, end: int, codes: Iterable[str], region: Region, hint: Region) -> Step | None:
    if text[end - 1 : end + 1] in _NOT_A_SUFFIX:
        return None
    chosen = _choose(codes, region, hint)
    return Step(chosen, end, is_sure=True) if chosen else None


def _by_short_name(text: str, end: int, word: Word, region: Region, hint: Region) -> Step | None:
    """扬州, or 扬州 with a suffix of its level that an old or careless spelling gives it (萧山市, 萧山区)."""
    for suffix, level in _SUFFIXES.get(text[end : end + 1], ()):
        if text.startswith(suffix, end):
            codes = [code for code in word.codes if level_of(code) == level]
            step = _by_name(text, end + len(suffix), codes, region, hint)
            if step:
                return step
    chosen = _choose([code for code in word.codes if _is_confirmed(code, word.text, region, hint)], region, hint)
    if chosen is None or len(text) - end < 2:
        return None
    return Step(chosen, end, is_sure=chosen.county is None or word.text not in tables().familiar)


def _is_confirmed(code: str, word: str, region: Region, hint: Region) -> bool:
    """Whether a bare short name may be the place: any province, a city that is no everyday word, a county inside its city."""
    if level_of(code) == "province":
        return True
    city = region.city or hint.city
    is_familiar = word in tables().familiar
    if city and region_of(code).city == city:
        return True
    if level_of(code) == "city":
        return not is_familiar
    return not city and not is_familiar and region_of(code).province == (region.province or hint.province)


def _choose(codes: Iterable[str], region: Region, hint: Region) -> Region | None:
    """The place meant among those of one name; where several are as likely, only what was known before."""
    inside = [code for code in codes if _is_within(code, region) and region_of(code) != region]
    if not inside:
        return None
    best = inside[0] if len(inside) == 1 else _best(inside, hint, ("province", "city", "county"))
    return region_of(best) if best else region


def _best(codes: Iterable[str], hint: Region, levels: tuple[str, ...]) -> str | None:
    """The code nearest to the hint, then the first by level; none when two are as near and differ."""

    def rank(code: str) -> tuple[bool, bool, int]:
        place = region_of(code)
        is_elsewhere = hint.city is not None and place.city is not None and place.city != hint.city
        return is_elsewhere, place.province != hint.province, levels.index(level_of(code))

    wanted = sorted((code for code in codes if level_of(code) in levels), key=rank)
    if len(wanted) > 1 and rank(wanted[0]) == rank(wanted[1]) and region_of(wanted[0]).city != region_of(wanted[1]).city:
        return None
    return wanted[0] if wanted else None


def _is_within(code: str, region: Region) -> bool:
    place = region_of(code)
    return (region.province is None or place.province == region.province) and (region.city is None or place.city == region.city)


def _known(text: str) -> tuple[str, ...]:
    return tables().by_name.get(text, ())


def _town(text: str, start: int, region: Region) -> Step | None:
    """A town, only inside its county (or inside a city without counties, 东莞虎门): town names are brands as well."""
    towns = tables().towns.get(region.county or region.city or "")
    if towns is None or region.town is not None:
        return None
    for end in range(min(len(text), start + 4), start + 1, -1):
        word = text[start:end]
        suffix = _TOWN.match(text, end)
        is_listed = f" {word} " in towns
        if suffix and (is_listed or (suffix.group() == "镇" and end - start == 2)):
            return Step(replace(region, town=word), suffix.end(), is_sure=True)
        if is_listed and word not in tables().familiar and len(text) - end >= 2:
            return Step(replace(region, town=word), end, is_sure=False)
    return None


def _town_of_city(text: str, start: int, region: Region, hint: Region) -> Step | None:
    """A town that is named with its suffix and without its county, where one county alone of the city has such a town."""
    city = region.city or hint.city
    for end in range(min(len(text), start + 5), start + 1, -1):
        suffix = _TOWN.match(text, end)
        if not suffix or len(text) - suffix.end() < 2:
            continue
        counties = [county for county in counties_of(city) if f" {text[start:end]} " in tables().towns.get(county, "")]
        if len(counties) == 1:
            return Step(replace(region_of(counties[0]), town=text[start:end]), suffix.end(), is_sure=True)
    return None
