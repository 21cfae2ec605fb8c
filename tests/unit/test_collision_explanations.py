"""What a rep reads about a company that was met: for each criterion the exact sentence."""

from typing import Any

import pytest

from services.contracts.collision import DEFAULT_WEIGHTS
from services.customers.collision.subject import subject_of
from tests.unit.collision_pairs import customer, weighed

CODE = "91350100M000100Y43"
LINE = "0514-2398577"
HERE, NOWHERE = "扬州瑞丽服装厂", "瑞丽服装厂"  # whose number is typed
THEM = "扬州五环机械厂"

NAMES = [
    # the same
    ("扬州五环印花厂", "扬州五环印花厂", "name", "the same name"),
    (
        *("上海瑞丽服装厂", "上海市瑞丽服装有限公司", "name"),
        "same brand 瑞丽 and trade 服装, in the same place; legal form differs (厂, 有限公司)",
    ),
    ("揚州（五環）印花廠", "扬州市五环印花厂", "name", "same brand 五环 and trade 印花, in the same place"),
    ("扬州印花厂", "扬州市印花公司", "name", "same trade 印花, in the same place; legal form differs (厂, 公司)"),
    (
        "瑞丽",
        "瑞丽厂",
        "name_unsure",
        "same brand 瑞丽, and nothing says that they are in different places; legal form differs (none, 厂)",
    ),
    (
        "瑞丽服装厂",
        "上海瑞丽服装厂",
        "name",
        "same brand 瑞丽 and trade 服装, and nothing says that they are in different places",
    ),
    (
        *("扬州五环印花有限公司第二分公司", "扬州五环印花厂第二分公司", "name"),
        "same brand 五环, trade 印花 and branch 第二分公司, in the same place; legal form differs (有限公司, 厂)",
    ),
    ("上海新锦服装厂（原上海瑞丽服装厂）", "上海瑞丽服装厂", "name", "the same name (by another name of yours)"),
    (
        *("扬州市第二印花厂", "扬州五环印花厂（原扬州第二印花厂）", "name"),
        "same brand 第二 and trade 印花, in the same place (by another name of theirs)",
    ),
    # the same elsewhere
    (
        *("扬州市宝应县瑞丽服装厂", "扬州市高邮市瑞丽服装厂", "name_unsure"),
        "same brand 瑞丽 and trade 服装, but in another county of the same city",
    ),
    (
        *("佛山市南海区里水镇惠翔印刷厂", "佛山市南海区大沥镇惠翔印刷厂", "name_unsure"),
        "same brand 惠翔 and trade 印刷, but in another town",
    ),
    ("南京瑞丽服装厂", "苏州瑞丽服装厂", "name_elsewhere", "same brand 瑞丽 and trade 服装, but in another city"),
    ("苏州瑞丽服装厂", "上海瑞丽服装厂", "name_elsewhere", "same brand 瑞丽 and trade 服装, but in another province"),
    # near
    ("上海瑞丽", "上海瑞丽服装厂", "name_shortened", "same brand 瑞丽, and one of the names does not say the trade"),
    ("扬州三真印花厂", "扬州三珍印花厂", "name_sound", "sounds alike: 三真印花 and 三珍印花"),
    ("扬州三珍印花厂", "扬州三真印花厂", "name_sound", "sounds alike: 三珍印花 and 三真印花"),
    ("扬州三珍印花厂", "扬州新锦服装厂（原扬州三真印花厂）", "name_sound", "Names that sound alike (by another name of theirs)"),
    ("扬州五环机械厂", "扬州五环机诫厂", "name_spelling", "differ in one character: 五环机械 and 五环机诫"),
    ("扬州艺动力印刷厂", "扬州艺动印刷厂", "name_spelling", "one character more, 力: 艺动力印刷 and 艺动印刷"),
    ("扬州瑞丽服装厂", "扬州锦丽服装厂", "name_brand", "the brands differ in one character: 瑞丽服装 and 锦丽服装"),
    ("扬州永昌盛贸易厂", "扬州昌永盛贸易厂", "name_order", "the same characters in another order: 永昌盛贸易 and 昌永盛贸易"),
    (
        *("扬州五环印花厂", "扬州五环针织印花厂", "name_word"),
        "same brand 五环, and one trade says more than the other: 五环印花 and 五环针织印花",
    ),
    ("扬州印花厂", "扬州印花加工厂", "name_word", "the same trade but for what is done: 印花 and 印花加工"),
    (
        *("扬州艺动力天地有限公司", "扬州艺动力彩虹天地有限公司", "name_insertion"),
        "彩虹 more, the rest is the same: 艺动力天地 and 艺动力彩虹天地",
    ),
    (
        *("扬州艺动力有限公司", "扬州艺动力欢乐天地有限公司", "name_start"),
        "one begins like the other: 艺动力 and 艺动力欢乐天地",
    ),
    ("华丰", "扬州华丰欢乐天地有限公司", "name_short", "one may be short for the other: 华丰 and 华丰欢乐天地"),
    (
        *("扬州五环印花有限公司第二分公司", "扬州五环印花有限公司", "branch"),
        "one is the branch 第二分公司 of the other: 五环印花第二分公司 and 五环印花",
    ),
    (
        *("扬州五环印花有限公司纺织批发部", "扬州五环印花有限公司纺织印花批发部", "branch_word"),
        "branches of one company, and one of them says more: 五环印花纺织批发部 and 五环印花纺织印花批发部",
    ),
    (
        *("扬州市机电设备总公司", "扬州市蓝天机电设备有限公司", "name_restructured"),
        "the same trade in the same place: the one may have become the other with a new legal form: 机电设备 and 蓝天机电设备",
    ),
]
REACH = [
    (HERE, {"phone": LINE}, {"phone": "0514——2398577"}, "line", "your phone is a number of theirs"),
    (HERE, {"phone": LINE}, {"fax": "(0514) 2398577"}, "line", "your phone is a number of theirs"),
    (HERE, {"fax": LINE}, {"phone": LINE}, "line", "your fax is a number of theirs"),
    (HERE, {"phone": "2398577", "city": "扬州"}, {"phone": LINE}, "line", "your phone is a number of theirs"),
    (
        *(NOWHERE, {"phone": "2398577"}, {"phone": LINE}, "line_unknown_area"),
        "your phone has the same digits as a number of theirs, and one of the area codes is not known",
    ),
    (
        *(HERE, {"phone": "0512-2398577"}, {"phone": LINE}, "line_other_area"),
        "your phone has the same digits as a number of theirs, but another area code",
    ),
    (HERE, {"phone": "13800138000"}, {"phone": "+86 138 0013 8000"}, "mobile", "your phone is a number of theirs"),
    (
        *(HERE, {"phone": "13800138000", "contact_person": "王小明"}),
        *({"phone": "13800138000", "contact_person": "王小明经理"}, "contact", "the same person under the same mobile"),
    ),
    (
        *(HERE, {"website": "http://www.ruili-group.com/"}, {"website": "ruili-group.com"}, "website"),
        "the same website ruili-group.com",
    ),
    (
        *(HERE, {"email": "wang@ruili-group.com"}, {"email": "li@mail.ruili-group.com"}, "mail_domain"),
        "an e-mail address of the same domain ruili-group.com",
    ),
    (HERE, {"credit_code": CODE}, {"credit_code": CODE.lower()}, "credit_code", "the same credit code"),
]


@pytest.mark.parametrize(("entered", "there", "criterion", "sentence"), NAMES)
def test_what_is_said_about_two_names(entered: str, there: str, criterion: str, sentence: str) -> None:
    [found] = weighed(subject_of([entered]), customer(there)).evidence

    assert (found.criterion, found.reason) == (criterion, sentence)


@pytest.mark.parametrize(("entered", "typed", "theirs", "criterion", "sentence"), REACH)
def test_what_is_said_about_how_they_are_reached(
    entered: str, typed: dict[str, Any], theirs: dict[str, Any], criterion: str, sentence: str
) -> None:
    evidence = weighed(subject_of([entered], **typed), customer(THEM, **theirs)).evidence

    assert (criterion, sentence) in [(found.criterion, found.reason) for found in evidence]


def test_there_is_a_sentence_for_each_criterion() -> None:
    shown = {criterion for *_, criterion, _ in (*NAMES, *REACH)}

    assert shown == set(DEFAULT_WEIGHTS) - {"name_fragment"}


def test_no_sentence_tells_what_a_rep_may_not_see() -> None:
    """Of a customer of others he sees the name; another name of theirs, or how to reach them, he does not."""
    theirs = customer("扬州新锦机械厂", "扬州三真印花厂", phone=LINE, contact_person="王小明")
    told = weighed(subject_of(["扬州三珍印花厂"], phone="2398577"), theirs)

    assert told.effect == "near"
    assert not any(secret in item.reason for item in told.evidence for secret in ("三真", "0514", "王小明"))


def test_a_name_that_the_rep_may_not_see_is_not_told_by_what_it_differs_in() -> None:
    hidden = "扬州新锦餐饮有限公司（原扬州博远通机电设备有限公司）"

    [found] = weighed(subject_of(["扬州博远机电设备有限公司"]), customer(hidden)).evidence

    assert found.criterion == "name_spelling"
    assert "通" not in found.reason
