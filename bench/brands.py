"""Brands (字号), places, trades and legal forms as Chinese companies have them, for names of companies that do not exist."""

from bisect import bisect
from collections.abc import Callable, Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import NamedTuple, TypeVar

from services.customers import collision
from services.customers.collision.divisions import region_of, title_of

T = TypeVar("T")
_DATA = Path(collision.__file__).parent / "data"
_WORDS = Path(__file__).parent / "data" / "words.txt"


def _lines(file: Path) -> list[list[str]]:
    return [line.split() for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


def _words(kind: str) -> list[str]:
    return [word for first, *words in _lines(_WORDS) if first == kind for word in words]


_POPULAR, _FIRST, _LATER, _RARE, _POPULAR_TRADES = map(_words, ("popular", "first", "later", "rare", "trade"))
_PRODUCT = _words("product")
_PRODUCTS = dict(zip(_PRODUCT[::2], map(int, _PRODUCT[1::2]), strict=True))
_FORMS = [("有限公司", 60), ("有限责任公司", 10), ("厂", 9), ("股份有限公司", 5), ("公司", 4), ("经营部", 4), ("商行", 3)]
_FORMS += [("集团有限公司", 2), ("门市部", 1), ("总公司", 1), ("商店", 1)]
_BRANCHES = [("分公司", 50), ("营业部", 15), ("办事处", 10), ("第一分公司", 8), ("第二分公司", 7), ("分店", 5), ("经营部", 5)]
_BRANCH_SHARE = 0.08
# {near}: as people say it, {full}: with its suffix, {wide}: with its province, {county}: one of its own.
_PLACES = [("{near}", 40), ("{full}", 25), ("", 12), ("{wide}{full}", 9), ("{full}{county}", 9), ("{wide}", 5)]


class Mould(NamedTuple):
    """A name with its brand taken out: a company of that brand would be called `head` + brand + `tail`."""

    province: str
    city: str
    head: str
    tail: str
    label: str
    """Trade and branch: another company in the same city has another brand or another label."""


class City(NamedTuple):
    province: str
    city: str
    full: str
    wide: str
    counties: list[str]


def weighted(pairs: Sequence[tuple[T, float]]) -> Callable[[Random], T]:
    """Draws one by its weight."""
    values = [value for value, _ in pairs]
    sums = list(accumulate(weight for _, weight in pairs))
    total = sums[-1]
    return lambda random: values[min(bisect(sums, random.random() * total), len(values) - 1)]


_draw_form, _draw_branch, _draw_place = weighted(_FORMS), weighted(_BRANCHES), weighted(_PLACES)
_draw_popular = weighted([(brand, 1 / (rank + 8)) for rank, brand in enumerate(_POPULAR)])
_draw_length = weighted([(2, 76), (3, 13), (4, 11)])


def draw_brand(random: Random) -> str:
    """A popular one now and then, else two to four characters."""
    return _draw_popular(random) if random.random() < 0.15 else made_of(random, _draw_length(random))


def made_of(random: Random, length: int) -> str:
    """Of so many characters, a fifth of them rare ones: so some brands are still new after a million."""
    return "".join(_character(random, _LATER if place else _FIRST) for place in range(length))


def _character(random: Random, usual: Sequence[str]) -> str:
    """The earlier ones of our lists are the more frequent ones."""
    characters = _RARE if random.random() < 0.2 else usual
    return characters[int(random.random() ** 1.4 * len(characters))]


def draw_mould(random: Random) -> Mould:
    """A place by the size of its economy, a trade, a legal form; some are branches in another city."""
    city = _city_drawer()(random)
    trades = _POPULAR_TRADES if random.random() < 0.35 else _trades()
    trade = trades[int(random.random() * len(trades))]
    form, branch = _draw_form(random), ""
    if form.endswith("公司") and random.random() < _BRANCH_SHARE:
        branch = _city_drawer()(random).city + _draw_branch(random)
    return Mould(city.province, city.city, _place(random, city), f"{trade}{form}{branch}", f"{trade}/{branch}")


def _place(random: Random, city: City) -> str:
    county = city.counties[int(random.random() * len(city.counties))] if city.counties else ""
    return _draw_place(random).format(near=city.city, full=city.full, wide=city.wide, county=county)


@cache
def _trades() -> list[str]:
    return list(dict.fromkeys(word for words in _lines(_DATA / "trades.txt") for word in words))


@cache
def _city_drawer() -> Callable[[Random], City]:
    return weighted([(city, _PRODUCTS.get(city.city, 2)) for city in cities()])


@cache
def cities() -> list[City]:
    """Every city that has an area code of its own; a municipality is its own province."""
    names: dict[str, str] = {}
    counties: dict[str, list[str]] = {}
    for code, name, _ in _lines(_DATA / "divisions.txt"):
        if names.setdefault(code, name) is name and (region := region_of(code)).city and region.county:
            counties.setdefault(region.city, []).append(name)
    codes = [code for code, _ in _lines(_DATA / "area_codes.txt") if code in names]
    return [_city(code, names, counties.get(code, [])) for code in codes]


def _city(code: str, names: dict[str, str], counties: list[str]) -> City:
    province = f"{code[:2]}0000"
    return City(title_of(province), title_of(code), names[code], "" if province == code else names[province], counties)
