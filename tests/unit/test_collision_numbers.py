"""Phone and fax numbers, as they are typed, come to the same line."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.customers.collision.numbers import Number, compare, parse

YANGZHOU = Number("landline", "514", "2398577")


def only(text: str, city: str | None = None) -> Number:
    [number] = parse(text, city)
    return number


@pytest.mark.parametrize(
    "typed",
    [
        "0514-2398577",
        "0514——2398577",
        "0514–2398577",
        "0514－2398577",
        "(0514)2398577",
        "（0514）2398577",
        "[0514] 2398577",
        "0514 2398577",
        "0514.2398577",
        "05142398577",
        "0514/2398577",
        "0514-239-8577",
        "０５１４－２３９８５７７",
        "+86 514 2398577",
        "+86-0514-2398577",
        "+86(0)514-2398577",
        "0086-514-2398577",
        "86-514-2398577",
        "865142398577",
        "514-2398577",
        "电话:0514-2398577(办)",
    ],
)
def test_a_landline_is_the_same_line_however_it_is_typed(typed: str) -> None:
    assert only(typed) == YANGZHOU


@pytest.mark.parametrize(
    "typed",
    [
        "0514-2398577转801",
        "0514-2398577 轉 801",
        "0514-2398577分机801",
        "0514-2398577 ext. 801",
        "0514-2398577x801",
        "0514-2398577#801",
        "0514-2398577-801",
        "+86 514 2398577 转801",
        "(0514)2398577－801",
        "0514-2398577 总机转801",
    ],
)
def test_an_extension_is_read_and_is_the_same_line(typed: str) -> None:
    assert only(typed) == Number("landline", "514", "2398577", "801")
    assert compare(only(typed), YANGZHOU) == "same"


@pytest.mark.parametrize("city", ["扬州", "扬州市", "江苏省扬州市", "揚州"])
def test_a_missing_area_code_comes_from_the_city(city: str) -> None:
    assert only("２３９８５７７", city) == YANGZHOU


def test_seven_digits_stay_seven_and_eight_stay_eight() -> None:
    assert only("0571-22357983").local == "22357983"
    assert only("0411-2572-435").local == "2572435"
    assert only("86123456", "上海") == Number("landline", "21", "86123456")


@pytest.mark.parametrize(
    "typed",
    [
        "13800138000",
        "138-0013-8000",
        "138 0013 8000",
        "+86 13800138000",
        "8613800138000",
        "013800138000",
        "１３８００１３８０００",
    ],
)
def test_a_mobile_has_no_area(typed: str) -> None:
    assert only(typed, "扬州") == Number("mobile", None, "13800138000")
    assert only(typed).key == "13800138000"


def test_service_numbers() -> None:
    assert only("400-820-8820") == only("4008208820", "扬州") == Number("service", None, "4008208820")
    assert only("800-820-8820转12") == Number("service", None, "8008208820", "12")
    assert only("95588").kind == "service"


@pytest.mark.parametrize(
    "typed",
    [
        "0514-2398577/2345586",
        "0514-2398577、2345586",
        "0514-2398577,0514-2345586",
        "0514-2398577；2345586",
        "0514-2398577或2345586",
        "0514-2398577 2345586",
        "0514-2398577 0514-2345586",
        "电话0514-2398577 传真0514-2345586",
    ],
)
def test_several_numbers_in_one_field_share_the_area(typed: str) -> None:
    assert parse(typed) == (YANGZHOU, Number("landline", "514", "2345586"))


def test_a_short_tail_varies_the_number_before() -> None:
    assert [number.local for number in parse("0514-2398577/78")] == ["2398577", "2398578"]
    assert [number.extension for number in parse("0514-2398577转801,802")] == ["801"]


def test_the_area_affects_the_verdict_and_not_the_hit() -> None:
    suzhou, unknown = only("2398577", "苏州"), only("2398577")

    assert suzhou.bare == unknown.bare == YANGZHOU.bare == "2398577"
    assert compare(YANGZHOU, only("2398577", "扬州")) == "same"
    assert compare(YANGZHOU, suzhou) == "other_area"
    assert compare(YANGZHOU, unknown) == compare(unknown, unknown) == "unknown_area"
    assert compare(YANGZHOU, only("0514-2398578")) == "different"


def test_a_line_without_area_has_no_key() -> None:
    assert only("2398577").key is None
    assert YANGZHOU.key == "5142398577"


@pytest.mark.parametrize("typed", ["", "-", "无", "abc", "00000000", "0514", "12", "(((", "+", "转801"])
def test_what_is_no_number_is_none(typed: str) -> None:
    assert parse(typed, "扬州") == ()


def test_a_foreign_number_is_kept_as_it_is() -> None:
    assert only("+852 2345 6789") == Number("unknown", None, "85223456789")


@given(st.text() | st.text("0123456789 -()/+86转<>", max_size=60), st.none() | st.text())
@settings(deadline=None)
def test_no_text_raises(text: str, city: str | None) -> None:
    for number in parse(text, city):
        assert number.local.isascii()
        assert number.local.isdigit()
        assert compare(number, number) in ("same", "unknown_area")


@given(
    st.integers(2_000_000, 8_999_999),
    st.sampled_from(["-", "——", " ", "－", ") ", "/", ""]),
    st.sampled_from(["", "转8", "-801"]),
)
@settings(deadline=None)
def test_every_way_of_joining_area_and_number_is_the_same_line(local: int, joint: str, extension: str) -> None:
    parsed = parse(f"0514{joint}{local}{extension}")

    if len(set(str(local))) > 1:
        assert [number.key for number in parsed] == [f"514{local}"]
