"""Companies to measure with: real names out of a file, multiplied where there are too few, or made up altogether.

The same seed gives the same companies in every process. What is made up is a company of its own: no name comes twice, and no
brand with the same trade in the same city. A file is read as it is needed; memory is about 80 bytes for each of its names and
8 for each row asked for.
"""

import csv
import itertools
import lzma
import zlib
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import NamedTuple

from bench.brands import Mould, draw_brand, draw_mould, made_of
from bench.telephones import Directory
from services.customers.collision.names import CompanyName, decompose

HEADER = ["name", "province", "city"]
UNKNOWN = "N/A"
SAMPLE = 40_000  # names of a file that are taken apart; more would take seconds and teach nothing new
FEW_BRANDS = 2_000  # a file with fewer does not say how brands are spread
CHAIN = 0.002  # a brand with a larger share is a chain's (中国银行): its new companies are new branches
PHONES, FAXES = 0.70, 0.25
MOVES = 0.5
_BRANCH_ENDS = (
    "支行",
    "分理处",
    "储蓄所",
    "营业部",
    "营业所",
    "分公司",
    "支公司",
    "支局",
    "邮政所",
    "分社",
    "信用社",
    "分店",
    "店",
    "站",
)


class Place(NamedTuple):
    province: str
    city: str

    @property
    def word(self) -> str:
        """As names begin with it: a municipality's districts are all called by the municipality."""
        return self.province if self.province in ("北京", "上海", "天津", "重庆") else self.city


class Company(NamedTuple):
    """`city` is empty where it is not known."""

    name: str
    province: str
    city: str
    phone: str | None
    fax: str | None


def read_names(path: Path) -> Generator[tuple[str, str, str], None, None]:
    """Name, without what nobody sees, province and city of each row. Raises ValueError when the file has another header."""
    opened = lzma.open if path.suffix == ".xz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        if next(rows, None) != HEADER:
            raise ValueError(f"{path}: the first line has to be {','.join(HEADER)}")
        for name, province, city in rows:
            if visible := "".join(character for character in name if character.isprintable()).strip():
                yield visible, province, "" if city == UNKNOWN else city


def companies(size: int, seed: int, names: Path | None = None) -> Iterator[Company]:
    """Exactly so many: those of the file first, in its order, each name once."""
    random = Random(seed)
    directory = Directory(Random(seed + 1))
    for name, province, city in itertools.islice(_named(size, random, names), size):
        phone = directory.number(province, city) if random.random() < PHONES else None
        fax = directory.number(province, city) if random.random() < FAXES else None
        yield Company(name, province, city, phone, fax)


def _named(size: int, random: Random, names: Path | None) -> Iterator[tuple[str, str, str]]:
    seen = Seen(size)
    if names is None:
        yield from _made_up(random, seen, draw_mould, draw_brand)
        return
    sample: list[tuple[str, str, str]] = []
    with closing(read_names(names)) as rows:
        for number, row in enumerate(_each_once(rows)):
            seen.add(row[0])
            _keep_some(sample, row, number, random)
            yield row
    pattern = Pattern(sample)
    yield from _made_up(random, seen, pattern.draw_mould, pattern.draw_brand)


def _each_once(rows: Iterator[tuple[str, str, str]]) -> Iterator[tuple[str, str, str]]:
    had: set[bytes] = set()
    for row in rows:
        name = blake2b(row[0].encode(), digest_size=8).digest()
        if name not in had:
            had.add(name)
            yield row


def _keep_some(sample: list[tuple[str, str, str]], row: tuple[str, str, str], number: int, random: Random) -> None:
    """Every row has the same chance to be in the sample, however many there will be."""
    if len(sample) < SAMPLE:
        sample.append(row)
    elif (place := int(random.random() * (number + 1))) < SAMPLE:
        sample[place] = row


def _made_up(
    random: Random, seen: "Seen", mould_of: Callable[[Random], Mould], brand_of: Callable[[Random], str]
) -> Iterator[tuple[str, str, str]]:
    """Without end: a brand that keeps being there already gets another character."""
    while True:
        for attempt in itertools.count():
            mould, brand = mould_of(random), brand_of(random)
            if attempt >= 20:
                brand += made_of(random, attempt // 20)
            name = f"{mould.head}{brand}{mould.tail}"
            if seen.add(f"{mould.city}/{brand}{mould.label}") and seen.add(name):
                yield name, mould.province, mould.city
                break


class Seen:
    """Which texts there were. Never forgets one, but takes up to three of a hundred new ones for old: those are drawn anew."""

    def __init__(self, size: int) -> None:
        self.bits = bytearray(8 * size + 64)

    def add(self, text: str) -> bool:
        """Whether it is new."""
        place = zlib.crc32(text.encode()) % (8 * len(self.bits))
        bit = 1 << (place & 7)
        is_new = not self.bits[place >> 3] & bit
        self.bits[place >> 3] |= bit
        return is_new


class Pattern:
    """What a sample of real names says about how companies are called. New ones are called alike."""

    def __init__(self, sample: list[tuple[str, str, str]]) -> None:
        parts = [decompose(name, province, city or None) for name, province, city in sample]
        shares = Counter(part.brand for part in parts)
        chains = {brand for brand, count in shares.items() if len(sample) >= 1000 and count > CHAIN * len(sample)}
        self.brands = [part.brand for part in parts if 2 <= len(part.brand) <= 4 and part.brand not in chains]
        self.moulds = [
            mould
            for row, part in zip(sample, parts, strict=True)
            if (mould := _branch_mould(row, part) if part.brand in chains else _brand_mould(row, part))
        ]
        self.places = [Place(province, city) for _, province, city in sample if city]
        self.is_small = len(self.brands) < FEW_BRANDS
        self.first = [brand[0] for brand in self.brands]
        self.second = [character for brand in self.brands for character in brand[1:]]

    def draw_brand(self, random: Random) -> str:
        """As often as in the sample a brand out of it, else one of its characters; few names are mixed with brands of ours."""
        if self.is_small and (not self.brands or random.random() < 0.5):
            return draw_brand(random)
        brand = self.brands[int(random.random() * len(self.brands))]
        if random.random() < 0.5:
            return brand
        first = self.first[int(random.random() * len(self.first))]
        return first + "".join(self.second[int(random.random() * len(self.second))] for _ in brand[1:])

    def draw_mould(self, random: Random) -> Mould:
        """Half of the names that begin with nothing narrower than a city are moved to another one."""
        if not self.moulds:
            return draw_mould(random)
        mould = self.moulds[int(random.random() * len(self.moulds))]
        return self._moved(mould, random) if random.random() < MOVES else mould

    def _moved(self, mould: Mould, random: Random) -> Mould:
        if not self.places:
            return mould
        place = self.places[int(random.random() * len(self.places))]
        here = Place(mould.province, mould.city).word
        if mould.head not in ("", here, f"{here}市") or here in mould.tail:
            return mould
        if not mould.head:
            return mould._replace(province=place.province, city=place.city)
        return mould._replace(province=place.province, city=place.city, head=place.word + mould.head[len(here) :])


def _brand_mould(row: tuple[str, str, str], part: CompanyName) -> Mould | None:
    """None where the brand is not in the name as it is written."""
    name, province, city = row
    head, brand, tail = name.partition(part.brand)
    return Mould(province, city, head, tail, f"{part.trade}/{part.branch}") if brand else None


def _branch_mould(row: tuple[str, str, str], part: CompanyName) -> Mould | None:
    """中国工商银行股份有限公司上海曲阳支行 without 曲阳; None where it does not end like a branch, so that nothing can vary."""
    name, province, city = row
    end = next((end for end in _BRANCH_ENDS if name.endswith(end)), None)
    if not part.branch or end is None or len(name) < len(end) + 8:
        return None
    cut = len(name) - len(end)
    return Mould(province, city, name[: cut - 2], name[cut:], f"/{part.core}{end}")
