"""Names that sound alike read alike."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.customers.collision import sounds
from services.customers.collision.sounds import sound_of
from services.customers.collision.text import compact, fold

TABLE = Path(sounds.__file__).parent / "data" / "pinyin.txt"
MADE_IN_JAPAN = "兙兡嗧桛烪瓧瓰瓱瓼甅"
"""They have no Chinese reading."""
HAN = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5, exclude_characters=MADE_IN_JAPAN), max_size=20)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("三真印花", "三珍印花"),
        ("瑞丽服装", "瑞利服装"),
        ("艺动力", "亿动力"),
        ("永昌盛", "永昌晟"),
        ("吕记", "旅记"),
        ("华夏", "华厦"),
    ],
)
def test_a_name_typed_by_ear_sounds_like_the_right_one(one: str, other: str) -> None:
    assert sound_of(one) == sound_of(other)


@pytest.mark.parametrize(
    ("one", "other"), [("西安", "先"), ("资", "支"), ("苏", "书"), ("南", "蓝"), ("林", "灵"), ("女", "努"), ("吕", "鲁")]
)
def test_other_syllables_sound_otherwise(one: str, other: str) -> None:
    assert sound_of(one) != sound_of(other)


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        ("三真彩印", "san zhen cai yin"),
        ("长城呢绒", "chang cheng ni rong"),
        ("绿女略虐", "lv nv lve nve"),
        ("lü记", "lv ji"),
        ("3m胶带b2b", "3m jiao dai b2b"),
        ("二〇一", "er ling yi"),
        ("", ""),
    ],
)
def test_how_a_text_is_read(text: str, sound: str) -> None:
    assert sound_of(text) == sound


@given(st.text() | HAN)
@settings(deadline=None)
def test_a_sound_sounds_like_itself(text: str) -> None:
    assert sound_of(sound_of(text)) == sound_of(text)


@given(HAN)
@settings(deadline=None)
def test_one_syllable_for_each_character(text: str) -> None:
    syllables = sound_of(fold(text)).split()

    assert len(syllables) == len(fold(text))
    assert all(syllable.isascii() and syllable.isalpha() for syllable in syllables)


@given(HAN, HAN)
@settings(deadline=None)
def test_a_part_sounds_as_in_the_whole(one: str, other: str) -> None:
    assert sound_of(compact(one + other)).split() == sound_of(compact(one)).split() + sound_of(compact(other)).split()


def test_the_table_has_each_character_once_and_none_that_folds_away() -> None:
    lines = [line.split(" ") for line in TABLE.read_text(encoding="utf-8").splitlines()]
    characters = "".join(listed for _, listed in lines)

    assert len(characters) == len(set(characters)) > 17_000
    assert fold(characters) == characters
    assert all(syllable.isascii() and syllable.isalpha() and syllable.islower() for syllable, _ in lines)
    assert {"a", "zuo", "lv", "lve"} < {syllable for syllable, _ in lines}
