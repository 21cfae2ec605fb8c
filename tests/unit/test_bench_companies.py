"""Companies to measure with are as many as asked for, the same in every run, and look like real ones."""

import csv
import io
import itertools
import lzma
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench.companies import Company, companies, read_names
from services.customers.collision.divisions import area_code
from services.customers.collision.names import decompose
from services.customers.collision.numbers import parse
from services.customers.collision.regions import locate

ROOT = Path(__file__).resolve().parent.parent.parent
SIZE = 4000
# made up for this test
KNOWN = [
    ("扬州五环印花厂", "江苏", "扬州"),
    ("扬州市瑞丽服装有限公司", "江苏", "扬州"),
    ("上海的迪电子科技有限公司", "上海", "浦东"),
    ("艺动力彩色印刷（深圳）有限公司", "广东", "深圳"),
    ("宝应县安宜食品商行", "江苏", "N/A"),
]


@pytest.fixture(scope="module")
def made_up() -> list[Company]:
    return list(companies(SIZE, seed=1))


@pytest.fixture
def known(tmp_path: Path) -> Path:
    return written(tmp_path / "known.csv", KNOWN)


def written(path: Path, rows: list[tuple[str, str, str]]) -> Path:
    text = io.StringIO()
    csv.writer(text).writerows([("name", "province", "city"), *rows])
    content = text.getvalue().encode()
    path.write_bytes(lzma.compress(content) if path.suffix == ".xz" else content)
    return path


@pytest.mark.parametrize("name", ["known.csv", "known.csv.xz"])
def test_names_are_read_plain_or_packed(tmp_path: Path, name: str) -> None:
    assert list(read_names(written(tmp_path / name, KNOWN))) == [*KNOWN[:-1], (*KNOWN[-1][:2], "")]


def test_a_file_with_another_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("company,city\n五环,扬州\n", encoding="utf-8")

    with pytest.raises(ValueError, match="name,province,city"):
        next(read_names(path))


@pytest.mark.parametrize("size", [0, 1, 3, 500])
def test_there_are_as_many_as_asked_for(known: Path, size: int) -> None:
    assert len(list(companies(size, seed=1))) == size
    assert len(list(companies(size, seed=1, names=known))) == size


def test_no_name_comes_twice(made_up: list[Company]) -> None:
    assert len({company.name for company in made_up}) == SIZE


def test_no_two_of_a_city_have_the_same_brand_and_trade(made_up: list[Company]) -> None:
    parts = [(decompose(company.name, company.province, company.city), company) for company in made_up]
    same = Counter((part.identity, part.region.city) for part, _ in parts)

    assert sum(count - 1 for count in same.values()) <= SIZE / 1000  # a brand and a trade may be read as another such pair


def test_a_seed_gives_the_same_in_every_process_and_another_seed_others(made_up: list[Company], known: Path) -> None:
    program = f"""
import itertools, pathlib
from bench.companies import companies
for names in (None, pathlib.Path({str(known)!r})):
    print(ascii([tuple(company) for company in companies(300, seed=1, names=names)]))
"""
    told = [
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={"PYTHONHASHSEED": salt},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for salt in ("1", "2")
    ]

    assert told[0] == told[1]
    assert not {company.name for company in itertools.islice(companies(300, seed=2), 100)} & {company.name for company in made_up}


def test_large_cities_have_many_and_small_ones_some(made_up: list[Company]) -> None:
    shares = {city: count / SIZE for city, count in Counter(company.city for company in made_up).items()}

    assert 0.02 < shares["上海"] < 0.06
    assert shares["上海"] > shares["南京"] > shares["扬州"]
    assert len(shares) > 250


def test_most_are_limited_companies_and_few_brands_are_popular(made_up: list[Company]) -> None:
    parts = [decompose(company.name, company.province, company.city) for company in made_up]
    forms = Counter(part.legal_form for part in parts)
    brands = Counter(part.brand for part in parts)

    assert 0.5 < forms["有限公司"] / SIZE < 0.7
    assert 0.02 < sum(bool(part.branch) for part in parts) / SIZE < 0.12
    assert max(brands.values()) > 5
    assert sum(count == 1 for count in brands.values()) > SIZE / 4


def test_numbers_are_of_the_city_and_each_its_own(made_up: list[Company]) -> None:
    typed = [(company, text) for company in made_up for text in (company.phone, company.fax) if text]
    read = [(company, parse(text, company.city, company.province)) for company, text in typed]

    assert all(len(numbers) == 1 for _, numbers in read)
    assert all(numbers[0].area == area_code(locate(company.province, company.city)) for company, numbers in read)
    assert len({numbers[0].key for _, numbers in read}) == len(typed)
    assert 0.66 < sum(company.phone is not None for company in made_up) / SIZE < 0.74
    assert 0.21 < sum(company.fax is not None for company in made_up) / SIZE < 0.29


def test_the_names_of_a_file_come_first_and_each_once(tmp_path: Path) -> None:
    twice = written(tmp_path / "twice.csv", [*KNOWN, *KNOWN])

    found = list(companies(40, seed=1, names=twice))

    assert [company.name for company in found[: len(KNOWN)]] == [name for name, _, _ in KNOWN]
    assert len({company.name for company in found}) == 40


def test_few_names_are_multiplied_into_new_companies_like_them(known: Path) -> None:
    found = list(companies(SIZE, seed=1, names=known))
    new = [decompose(company.name, company.province, company.city or None) for company in found[len(KNOWN) :]]

    assert len({company.name for company in found}) == SIZE
    assert {company.city for company in found} == {"扬州", "浦东", "深圳", ""}
    assert {part.trade for part in new} >= {"印花", "服装", "彩色印刷"}
    assert len({part.brand for part in new}) > SIZE / 10
    assert not any(character.isdigit() for company in found for character in company.name)


def test_a_file_without_names_is_as_none(tmp_path: Path) -> None:
    assert len(list(companies(50, seed=1, names=written(tmp_path / "empty.csv", [])))) == 50
