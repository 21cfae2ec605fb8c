"""A company's name comes to the same core however it was typed, and to another when it is another company's."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.customers import collision
from services.customers.collision.divisions import Region, relation, title_of
from services.customers.collision.keys import Key, fragment_of, grams, keys_of, name_keys, parse_credit_code
from services.customers.collision.names import decompose, normalise, relation_of
from services.customers.collision.regions import locate

FIVE_RINGS = "扬州五环印花厂"
CREDIT_CODE = "91350100M000100Y43"  # the example of GB 32100-2015

TRADITIONAL_PAIRS = (Path(collision.__file__).parent / "data" / "traditional.txt").read_text(encoding="utf-8").split()
TO_TRADITIONAL = {ord(pair[1]): pair[0] for pair in TRADITIONAL_PAIRS}

hanzi = st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF)
brands = st.text(hanzi, min_size=2, max_size=5) | st.sampled_from(["五环", "瑞丽", "的迪", "长安", "平安", "ABC", "Sunrise"])
places = st.sampled_from(["", "扬州", "扬州市", "江苏省扬州市", "上海浦东新区", "佛山市南海区里水", "长安", "东莞市虎门镇"])
trades = st.sampled_from(["", "服装", "印花", "彩色印刷", "精密机械"])
forms = st.sampled_from(["", "厂", "有限公司", "股份有限公司", "集团有限公司", "经营部", "有限公司上海分公司"])
names = st.builds("{}{}{}{}".format, places, brands, trades, forms)
cities = st.sampled_from([None, "扬州", "上海", "佛山", "西安市", "nowhere"])


def wide(text: str) -> str:
    return "".join(chr(ord(character) + 0xFEE0) if "!" <= character <= "~" else character for character in text)


@pytest.mark.parametrize(
    "spelling",
    [
        "揚州五環印花廠",
        "扬州 五环　印花厂",
        "扬州市五环印花厂",
        "（扬州）五环印花厂",
        "五环印花厂(扬州)",
        "扬州【五环】印花厂",
        "江苏省扬州市五环印花有限公司",
        "扬州五环·印花(集团)有限责任公司",
        "扬州五环印花厂（原扬州第二印花厂）",
    ],
)
def test_a_name_is_the_same_company_in_every_spelling(spelling: str) -> None:
    known, typed = decompose(FIVE_RINGS), decompose(spelling)

    assert typed.identity == known.identity == "五环印花"
    assert relation(typed.region, known.region) == "same"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("上海瑞丽服装厂", "上海锦丽服装厂"),
        ("扬州五环印花厂", "扬州五环服装厂"),
        ("瑞丽服装有限公司", "瑞丽服装有限公司第二分公司"),
        ("扬州五环印花厂", "扬州五环印花厂门市部"),
        ("瑞丽印染有限公司河北分公司", "瑞丽印染有限公司山西分公司"),
        ("五环银行扬州瘦西湖支行", "五环银行扬州古运河支行"),
    ],
)
def test_different_companies_stay_apart(one: str, other: str) -> None:
    assert decompose(one).identity != decompose(other).identity


def test_a_latin_name_loses_width_case_and_legal_form() -> None:
    assert decompose("ＳＵＮＲＩＳＥ Trading Co., Ltd.").core == decompose("Sunrise trading limited").core == "sunrisetrading"
    assert decompose("Cisco").core == "cisco"


@pytest.mark.parametrize(
    ("name", "brand", "trade", "legal_form"),
    [
        ("上海市瑞丽服装有限公司", "瑞丽", "服装", "有限公司"),
        ("佛山市南海区里水惠翔印刷厂", "惠翔", "印刷", "厂"),
        ("潍坊市的迪有限公司", "的迪", "", "有限公司"),
        ("泰安艺动力彩色印刷厂", "艺动力", "彩色印刷", "厂"),
        ("瑞丽服装厂有限责任公司", "瑞丽", "服装", "厂有限责任公司"),
        ("瑞丽机械维修服务部", "瑞丽", "机械维修服务", "部"),
        ("成都红鼎大酒店", "红鼎", "大酒店", ""),
        ("王丽华", "王丽华", "", ""),
        ("扬州印花厂", "", "印花", "厂"),
    ],
)
def test_the_parts_of_a_name(name: str, brand: str, trade: str, legal_form: str) -> None:
    parts = decompose(name)

    assert (parts.brand, parts.trade, parts.legal_form) == (brand, trade, legal_form)
    assert parts.core == brand + trade
    assert parts.is_generic == (not brand)


def test_region_down_to_the_town() -> None:
    region = decompose("佛山市南海区里水惠翔印刷厂").region

    assert [title_of(code) for code in (region.province, region.city, region.county) if code] == ["广东", "佛山", "南海"]
    assert region.town == "里水"


def test_a_doubtful_town_is_filed_with_and_without() -> None:
    long, short = (decompose(name, "广东", "佛山") for name in ("佛山市南海区里水惠翔印刷厂", "里水惠翔印刷厂"))

    assert name_keys(long) & name_keys(short)


@pytest.mark.parametrize(
    ("name", "city", "core"),
    [
        ("平安建材厂", "扬州", "平安建材"),
        ("平安建材厂", None, "平安建材"),
        ("长安通达机械厂", "西安", "通达机械"),
        ("长安通达机械厂", "上海", "长安通达机械"),
        ("西安长安汽车有限公司", None, "长安汽车"),  # nothing but trade would be left
        ("东方机械厂", "上海", "东方机械"),
        ("昆山达利机械厂", "苏州", "达利机械"),
        ("成都市政工程公司", "成都", "市政工程"),
        ("上海大同贸易公司", None, "大同贸易"),
    ],
)
def test_a_place_that_is_also_a_brand_needs_its_city(name: str, city: str | None, core: str) -> None:
    assert decompose(name, city=city).core == core


def test_a_municipality_does_not_tell_its_districts_apart() -> None:
    assert relation(decompose("上海浦东瑞丽服装厂").region, decompose("上海市闵行区瑞丽服装厂").region) == "same"


def test_of_names_without_brand_each_place_has_its_own() -> None:
    city, county, town = (decompose(name) for name in ("扬州市印花公司", "扬州市宝应县印花公司", "扬州市宝应县氾水镇印花公司"))

    assert city.is_generic
    assert city.core == county.core == town.core
    assert relation_of(city, decompose("扬州印花厂")) == "same"
    assert relation_of(city, county) == "other_county"
    assert relation_of(county, town) == "other_town"
    assert relation_of(decompose("重庆市渝中区印花公司"), decompose("重庆市江北区印花公司")) == "other_county"


def test_how_two_places_stand_to_each_other() -> None:
    assert relation(locate("江苏", "扬州"), locate(None, "江苏省扬州市")) == "same"
    assert relation(locate("江苏", "昆山"), locate("江苏", "常熟")) == "other_county"
    assert relation(locate("江苏", "扬州"), locate("江苏", "苏州")) == "other_city"
    assert relation(locate("吉林", "吉林"), locate("海南", "海口")) == "other_province"
    assert relation(locate("江苏", "扬州"), locate("江苏", None)) == "unknown"
    assert relation(Region(), locate("江苏", "扬州")) == "unknown"


def test_where_the_name_is_silent_the_entry_says_the_place() -> None:
    assert decompose("瑞丽服装厂", "江苏", "扬州").region == locate("江苏", "扬州")
    assert decompose("上海瑞丽服装厂", "江苏", "扬州").region == locate("上海", "上海")


def test_a_branch_is_neither_its_parent_nor_lost() -> None:
    of_bank = [decompose(name) for name in ("五环银行股份有限公司深圳市分行", "五环银行深圳分行")]

    assert of_bank[0].identity == of_bank[1].identity == "五环银行/分行"
    assert of_bank[0].region == of_bank[1].region == locate("广东", "深圳")
    assert decompose("上海银行卡服务有限公司").branch == ""
    assert decompose("五环通讯扬州分公司").core == "五环通讯"


def test_a_former_name_in_brackets_is_kept_apart() -> None:
    assert decompose("扬州五环印花厂(原扬州第二印花厂)").former == ("扬州第二印花厂",)


@pytest.mark.parametrize(
    "name", ["上海公司", "扬州", "扬州宾馆", "厂", "有限公司", "集团", "(集团)", "(上海)", "A", "上海市服装厂"]
)
def test_a_name_without_brand_keeps_a_usable_core(name: str) -> None:
    assert decompose(name).core


@given(names, cities)
@settings(deadline=None)
def test_width_case_and_blanks_never_change_the_core(name: str, city: str | None) -> None:
    core = decompose(name, city=city).identity

    assert decompose(wide(name), city=city).identity == core
    assert decompose(name.upper(), city=city).identity == core
    assert decompose(name if name.isascii() else "  ".join(name), city=city).identity == core


@given(names, cities)
@settings(deadline=None)
def test_traditional_characters_never_change_the_core(name: str, city: str | None) -> None:
    assert decompose(name.translate(TO_TRADITIONAL), city=city).identity == decompose(name, city=city).identity


def test_a_place_in_brackets_wins_over_a_place_in_front() -> None:
    assert decompose("江苏五环印花(扬州)有限公司").core == "五环印花"
    assert decompose("北京瑞丽服装(上海)有限公司").core == "北京瑞丽服装"
    assert decompose("北京瑞丽服装(上海)有限公司").region == locate("上海", "上海")


@given(brands, trades, forms, st.sampled_from(["()", "（）", "【】", "[]", "「」", "〔〕"]))
@settings(deadline=None)
def test_brackets_around_a_place_never_change_the_core(brand: str, trade: str, form: str, brackets: str) -> None:
    plain = decompose(f"扬州市{brand}{trade}{form}")
    bracketed = decompose(f"{brackets[0]}扬州市{brackets[1]}{brand}{trade}{form}")

    assert (bracketed.identity, bracketed.region) == (plain.identity, plain.region)


@given(st.text() | names)
@example("ΐ\u0345\u200dİﬁ")
@settings(deadline=None)
def test_normalising_again_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.text(), st.none() | st.text(), st.none() | st.text())
@example("((((", None, None)
@example("第分公司", "", "")
@settings(deadline=None)
def test_no_text_raises(name: str, province: str | None, city: str | None) -> None:
    parts = decompose(name, province, city)

    assert bool(parts.core) == any(map(str.isalnum, normalise(name)))
    keys_of(name, city, [name], [name], name, province)


def test_a_fragment_is_found_by_its_grams() -> None:
    name = normalise("揚州（五環）印花廠")

    assert fragment_of("五環") in name
    assert grams(fragment_of("五 环")) <= grams(name)
    assert not grams(fragment_of("六环")) <= grams(name)
    assert grams("环") == {"环"}
    assert not grams("")


def test_an_entry_is_filed_under_name_numbers_and_credit_code() -> None:
    keys = keys_of(FIVE_RINGS, "扬州", ["0514-2398577"], ["2345586"], CREDIT_CODE.lower(), "江苏")

    assert keys == {
        Key("core", "五环印花"),
        Key("core_place", "五环印花@321000"),
        Key("number", "5142398577"),
        Key("number", "5142345586"),
        Key("bare", "2398577"),
        Key("bare", "2345586"),
        Key("credit_code", CREDIT_CODE),
    }


@pytest.mark.parametrize(
    "code", ["", "91350100M000100Y44", "91350100M000100Y4", "9135O100M000100Y43", "0" * 18, "N1350100M000100Y43"]
)
def test_a_credit_code_with_a_wrong_character_is_none(code: str) -> None:
    assert parse_credit_code(code) is None
