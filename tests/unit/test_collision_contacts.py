"""A contact person is the same however he is addressed, and a surname alone is nobody."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.customers.collision.contacts import contact_of

TITLE_WORDS = "先生 女士 小姐 经理 总经理 总 主任 老板 副总经理 厂长 会计 销售部经理 總經理 (先生) 13800138000"
TITLES = st.sampled_from(TITLE_WORDS.split())
GIVEN = st.text("王李明华丽芳伟国建军娜敏静强磊洋艳勇杰娟涛", min_size=2, max_size=4)


@pytest.mark.parametrize(
    "typed",
    [
        *(
            "王小明",
            "王小明先生",
            "王小明 经理",
            "王小明（总经理）",
            "王小明副总经理",
            "王小明总",
            "總經理王小明",
            "联系人：王小明",
            "采购部经理 王小明",
        ),
        *("王 小 明", "Mr.王小明", "Mr. 王小明 13800138000", "(王小明)", "王小明(销售)", "王小明女士/", "王小明總經理"),
    ],
)
def test_a_person_is_the_same_however_he_is_addressed(typed: str) -> None:
    assert contact_of(typed) == "王小明"


@pytest.mark.parametrize(
    "typed",
    ["Wang Xiaoming", "Mr. WANG XIAOMING", "ms wang-xiaoming", "Ｗａｎｇ　Ｘｉａｏｍｉｎｇ", "Wang Xiaoming, Sales Manager"],
)
def test_a_latin_name_is_one_word(typed: str) -> None:
    assert contact_of(typed) == "wangxiaoming"


@pytest.mark.parametrize(
    "typed",
    [
        *(
            "王",
            "王经理",
            "王总",
            "王先生",
            "任总经理",
            "王 小姐",
            "Mr 王",
            "小王",
            "老王",
            "王工",
            "李姐",
            "欧阳女士",
            "老欧阳",
            "诸葛工",
        ),
        *(
            "",
            " ",
            "-",
            "经理",
            "总经理",
            "采购部",
            "前台",
            "Mr.",
            "Mr. Ms.",
            "先生(销售)",
            "13800138000",
            "无",
            "没有",
            "N/A",
            "xxx",
            "x",
        ),
    ],
)
def test_what_tells_nobody_is_none(typed: str) -> None:
    assert contact_of(typed) is None


def test_what_only_looks_like_a_title_is_a_name() -> None:
    assert contact_of("Drake Mrs") == "drake"
    assert contact_of("Mister Missouri") == "missouri"
    assert contact_of("王总明") == "王总明"
    assert contact_of("李建工") == "李建工"
    assert contact_of("总明") == "总明"
    assert contact_of("欧阳明") == "欧阳明"
    assert contact_of("阿明") == "阿明"


@given(st.text() | st.text("王明总经理先生mr. s(）（xX1总工ｍİß ", max_size=30))
@settings(deadline=None)
def test_no_text_raises_and_a_contact_is_its_own_contact(text: str) -> None:
    name = contact_of(text)

    assert name is None or (len(name) > 1 and contact_of(name) == name)


@given(GIVEN, TITLES, st.sampled_from(["", " ", "　", "·"]))
@settings(deadline=None)
def test_a_title_behind_a_name_does_not_matter(name: str, title: str, joint: str) -> None:
    assert contact_of(name + joint + title) == contact_of(name) == name


@given(st.from_regex(r"[a-z]{4,8} [b-d][aeiou][a-z]{3,6}", fullmatch=True))
@settings(deadline=None)
def test_case_and_width_do_not_matter(name: str) -> None:
    wide = "".join(chr(ord(letter) + 0xFEE0) if letter != " " else "\u3000" for letter in name)

    assert contact_of(name) == contact_of(name.upper()) == contact_of(name.title()) == contact_of(wide)


def test_titles_by_the_dozen_are_read_at_once() -> None:
    assert contact_of(f"王{'总经理' * 65}小王") == f"王{'总经理' * 65}小王"
    assert contact_of(f"王小明{'总经理' * 65}") == "王小明"
