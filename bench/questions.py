"""What is asked of a filled registry: companies that it has, spelt otherwise or mistyped, and companies that it does not have."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from bench.companies import Company, companies, read_names
from bench.registry import Row
from bench.telephones import Directory
from demo.names import CHARACTERS
from services.customers.collision.forms import strip_form
from services.customers.collision.names import VERSION

MIX = (("other spelling", 0.4), ("typing error", 0.2), ("new", 0.4))
FORMS = ("有限公司", "有限责任公司", "厂", "公司", "经营部", "商行")
FIT = range(4, 100)
"""Characters of a name that can be asked for, mistyped or not."""
SAMPLE = 20_000  # companies of the registry that are kept in mind, to be asked for


class Question(NamedTuple):
    """`expected`: the name on file that it should find, None for a new company."""

    kind: str
    name: str
    province: str
    city: str
    phone: str | None
    fax: str | None
    expected: str | None = None

    def criteria(self) -> dict[str, str]:
        """As the API takes them."""
        given = {field: getattr(self, field) for field in ("name", "province", "city", "phone", "fax")}
        return {field: text for field, text in given.items() if text}


class Split:
    """The first companies of a source in two: those that are loaded, and some evenly out of them that are held back.

    Held back are real ones, where there is a file, as far as it reaches. Which they are is known once `loaded` was read through.
    """

    def __init__(self, size: int, held: int, seed: int, names: Path | None) -> None:
        self.size, self.seed, self.names, self.total = size, seed, names, size + held
        there = self.total if names is None else min(self.total, sum(1 for _ in read_names(names)))
        self.step, self.most = max(2, int(0.9 * there / held)), held
        self.held: list[Company] = []
        self.sample: list[Company] = []

    def loaded(self) -> Iterator[Company]:
        self.held, self.sample = [], []
        for number, company in enumerate(companies(self.total, self.seed, self.names)):
            is_fit = len(company.name) in FIT
            if is_fit and number % self.step == 1 and len(self.held) < self.most:
                self.held.append(company)
                continue
            if is_fit and number % max(1, self.total // SAMPLE) == 0:
                self.sample.append(company)
            if number - len(self.held) < self.size:
                yield company

    def rows(self) -> Iterator[Row]:
        for number, each in enumerate(self.loaded()):
            yield Row(str(number), each.name, each.province or None, each.city or None, each.phone, each.fax)


def questions(known: Sequence[Company], new: Sequence[Company], count: int, random: Random) -> list[Question]:
    """Name, place, phone and fax each. Half of those for companies on file have their numbers, the others numbers of nobody."""
    directory = Directory(random)
    asked = []
    for kind in random.choices([kind for kind, _ in MIX], [share for _, share in MIX], k=count):
        company = random.choice(new if kind == "new" else known)
        name = {"new": company.name, "other spelling": respelt(company, random), "typing error": mistyped(company.name, random)}[
            kind
        ]
        own = (company.phone, company.fax) if random.random() < 0.5 else (None, None)
        phone, fax = (number or directory.number(company.province, company.city) for number in own)
        asked.append(Question(kind, name, company.province, company.city, phone, fax, None if kind == "new" else company.name))
    return asked


def respelt(company: Company, random: Random) -> str:
    """Another legal form, or the city with or without 市, or a blank in it."""
    name, ways = company.name, []
    stem, form = strip_form(name, VERSION)
    if stem and form:
        ways.append(stem + random.choice([other for other in FORMS if other != form]))
    if company.city and name.startswith(company.city):
        rest = name[len(company.city) :]
        ways.append(company.city + (rest[1:] if rest.startswith("市") else f"市{rest}"))
    return random.choice(ways or [f"{name[:2]} {name[2:]}"])


def mistyped(name: str, random: Random) -> str:
    """A character exchanged, left out or doubled, behind the first two."""
    at = random.randrange(min(2, len(name) - 1), len(name))
    return name[:at] + random.choice((random.choice(CHARACTERS), "", name[at] * 2)) + name[at + 1 :]


def typed(names: Iterable[str]) -> Iterator[str]:
    """What stands in the field after each key stroke, from the second on."""
    for name in names:
        yield from (name[:end] for end in range(2, len(name) + 1))


def body_of(company: Company, **more: Any) -> str:
    given = {field: text for field, text in company._asdict().items() if text}
    return json.dumps(given | more, ensure_ascii=False)
