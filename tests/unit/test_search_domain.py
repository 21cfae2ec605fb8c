"""What customers are searched by: words, initials, digits, and the tokens by which an index finds them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.customers.search.domain import (
    DIGITS,
    WORD,
    Known,
    Words,
    facet_value,
    hashed,
    initials_of,
    number_of,
    parts_of,
    searched,
    tokens_of,
    words_of,
)

HAN = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=2, max_size=20)


@pytest.mark.parametrize(
    ("plain", "initials"), [("扬州五环", "yzwh"), ("3m胶带", "3mjd"), ("长城呢绒", "ccnr"), ("gmbh", "gmbh"), ("", "")]
)
def test_initials_are_the_first_letters_of_the_sounds(plain: str, initials: str) -> None:
    assert initials_of(plain) == initials


def test_names_people_codes_and_numbers_are_apart() -> None:
    known = Known(["扬州 五环印花厂", "扬州五环印花厂"], ["王小明"], ["0514-239 8577", "12"], ["91350100M000100Y43"])

    assert words_of(known) == (["扬州五环印花厂", "yzwhyhc"], ["王小明", "wxm"], ["91350100m000100y43"], ["05142398577"])


@given(HAN, st.data())
def test_every_part_of_a_name_has_only_tokens_of_the_name(name: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(name) - 2))
    end = data.draw(st.integers(start + 2, len(name)))
    own = set(tokens_of(words_of(Known([name])), {}))

    found = searched(name[start:end])

    assert found
    assert set(hashed(parts_of(WORD, found.word))) <= own


def test_what_nearly_all_names_have_is_no_token() -> None:
    assert tokens_of(words_of(Known(["有限公司"])), {}) == []
    assert parts_of(WORD, "公司机") == {"w司机"}


@given(st.text("0123456789", min_size=3, max_size=15), st.data())
def test_every_part_of_a_number_has_only_tokens_of_the_number(number: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(number) - 3))
    end = data.draw(st.integers(start + 3, len(number)))

    assert hashed(parts_of(DIGITS, number[start:end]))
    assert set(hashed(parts_of(DIGITS, number[start:end]))) <= set(tokens_of(words_of(Known([], numbers=[number])), {}))


def test_a_number_is_whole_when_it_can_be_read_as_one() -> None:
    assert searched("0514-23") == ("051423", "051423", ())
    assert searched("0514-2398577") == ("05142398577", "05142398577", ("2398577",))
    assert searched("五环23") == ("五环23", None, ())


@pytest.mark.parametrize("text", ["", " ", "环", "a", "((", "。。"])
def test_one_character_is_not_searched(text: str) -> None:
    assert searched(text) is None


def test_values_are_tokens_whatever_their_kind() -> None:
    facets = {"tag": ["a", "b"], "key": True, "custom.on": False, "custom.staff": 50.0, "custom.code": "050", "none": None}

    values = ["=custom.code:50", "=custom.on:false", "=custom.staff:50", "=key:true", "=tag:a", "=tag:b"]
    ranges = ["n4:c", "n8:c0", "n12:c04", "n16:c049", "n20:c0490", "n24:c04900"]
    assert tokens_of(Words([], [], [], []), facets) == hashed([*values, *(f"<custom.staff:{each}" for each in ranges)])


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e14, max_value=1e14))
def test_a_number_is_the_same_token_as_its_text(value: float) -> None:
    assert number_of(str(value)) is None or facet_value(value) == facet_value(str(value))


@pytest.mark.parametrize("text", ["nan", "inf", "١٢", "1_000", "0x10", "", " 1"])
def test_what_is_no_number(text: str) -> None:
    assert number_of(text) is None
