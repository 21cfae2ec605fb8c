"""What must not matter to the collision check does not: spelling, and which of two is on file; and what is near can be found."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.contracts.collision import DEFAULT_WEIGHTS, CollisionRules, Criterion, MatchedField
from services.customers import collision
from services.customers.check.matching import compare, telling_grams
from services.customers.collision import near_keys
from services.customers.collision.evidence import Evidence, Match, effect_of, match, score_of
from services.customers.collision.keys import grams
from services.customers.collision.names import VERSION, decompose, normalise
from services.customers.collision.nearness import nearness
from services.customers.collision.parts import pack, unpack
from services.customers.collision.subject import subject_of
from services.customers.reviews.items import near_of
from tests.unit.collision_pairs import customer, is_met, meeting, weighed

TRADITIONAL_PAIRS = (Path(collision.__file__).parent / "data" / "traditional.txt").read_text(encoding="utf-8").split()
TO_TRADITIONAL = {ord(pair[1]): pair[0] for pair in TRADITIONAL_PAIRS}
CHARACTERS = "瑞丽锦环五华鑫盛达兴隆三真珍永昌晟艺动力亿金泰源恒信"
PLACES = ("", "扬州", "扬州市", "江苏省扬州市", "扬州市宝应县", "上海", "上海市浦东新区", "苏州", "佛山市南海区里水", "江苏")
TRADES = ("", "服装", "印花", "彩色印刷", "印刷", "五金", "机械", "贸易", "食品加工", "印花五金", "印花机械")
FORMS = ("厂", "有限公司", "有限责任公司", "股份有限公司", "集团有限公司", "公司", "商行", "经营部")
BRANCHES = ("", "", "", "上海分公司", "第二分公司", "扬州营业部")
BRACKETS = ("()", "（）", "【】", "[]", "「」", "〔〕")
MET_OTHERWISE = {"name_short", "branch", "name_brand"}
"""Kinds of nearness that are met by patterns, by the parent's core, or by chance: they are listed at most."""


Typed = dict[str, Any]


class Company(NamedTuple):
    place: str
    brand: str
    trade: str
    form: str
    branch: str

    def __str__(self) -> str:
        return "".join(self)


brands = st.text(CHARACTERS, min_size=2, max_size=4) | st.sampled_from(["五环", "瑞丽", "长安", "ABC", "Sunrise"])
forms = st.sampled_from(FORMS)


@st.composite
def companies(draw: st.DrawFn) -> Company:
    branch = draw(st.sampled_from(BRANCHES))
    form = "有限公司" if branch else draw(forms)
    return Company(draw(st.sampled_from(PLACES)), draw(brands), draw(st.sampled_from(TRADES)), form, branch)


@st.composite
def neighbours(draw: st.DrawFn, company: Company) -> Company:
    """The same company, or one that differs a little from it, or not so little."""
    at, character = draw(st.integers(0, len(company.brand) - 1)), draw(st.sampled_from(CHARACTERS))
    before, after = company.brand[:at], company.brand[at + 1 :]
    brand = draw(
        st.sampled_from(
            [
                *(company.brand, company.brand, company.brand),
                *(before + character + after, before + after or company.brand, before + character + company.brand[at:]),
                company.brand[::-1],
            ]
        )
    )
    return Company(
        draw(st.sampled_from([company.place, company.place, *PLACES])),
        brand,
        draw(st.sampled_from([company.trade, company.trade, f"{company.trade}加工", *TRADES])),
        company.form if company.branch else draw(forms),
        draw(st.sampled_from([company.branch, company.branch, ""])),
    )


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Company, Company]:
    company = draw(companies())
    return company, draw(neighbours(company))


def wide(text: str) -> str:
    return "".join(chr(ord(character) + 0xFEE0) if "!" <= character <= "~" else character for character in text)


def bracketed(company: Company, brackets: str) -> str:
    return str(company._replace(place=f"{brackets[0]}{company.place}{brackets[1]}" if company.place else ""))


spellings = st.sampled_from(
    [
        lambda company: wide(str(company)),
        lambda company: str(company).upper(),
        lambda company: str(company).swapcase(),
        lambda company: str(company) if company.brand.isascii() else "  ".join(str(company)),
        lambda company: f" {company} \u3000",
        lambda company: f"“{company}”。",
        lambda company: str(company._replace(brand=f"“{company.brand}”")),
        lambda company: str(company._replace(brand=f"·{company.brand}－")),
        lambda company: str(company).translate(TO_TRADITIONAL),
        *(lambda company, pair=pair: bracketed(company, pair) for pair in BRACKETS),
    ]
)
numbers = st.fixed_dictionaries(
    {},
    optional={
        "phone": st.sampled_from(["0514-2398577", "0514-2398578", "2398577", "13800138000"]),
        "fax": st.just("0514-2398577"),
    },
)


def told(found: Match) -> tuple[object, ...]:
    """What comes of it, without the words."""
    return found.effect, found.score, found.is_by_number_alone, sorted(item[:3] for item in found.evidence)


# --- spelling


@given(pairs(), spellings, numbers, numbers)
@settings(deadline=None, max_examples=200)
def test_the_spelling_of_a_name_never_changes_the_verdict(
    two: tuple[Company, Company], spell: Callable[[Company], str], ours: Typed, theirs: Typed
) -> None:
    entered, there = two
    plain = weighed(subject_of([str(entered)], **ours), customer(str(there), **theirs))

    assert told(weighed(subject_of([spell(entered)], **ours), customer(str(there), **theirs))) == told(plain)
    assert told(weighed(subject_of([str(entered)], **ours), customer(spell(there), **theirs))) == told(plain)


@given(pairs(), forms)
@settings(deadline=None, max_examples=200)
def test_the_legal_form_never_changes_the_verdict(two: tuple[Company, Company], form: str) -> None:
    entered, there = two
    assume(not entered.branch)
    plain = weighed(subject_of([str(entered)]), customer(str(there)))

    assert told(weighed(subject_of([str(entered._replace(form=form))]), customer(str(there)))) == told(plain)


# --- which of two is on file


@given(pairs(), numbers, numbers)
@settings(deadline=None, max_examples=200)
def test_it_does_not_matter_which_of_two_is_on_file(two: tuple[Company, Company], ours: Typed, theirs: Typed) -> None:
    one, other = map(str, two)
    forth = weighed(subject_of([one], **ours), customer(other, **theirs))
    back = weighed(subject_of([other], **theirs), customer(one, **ours))

    def by_name(found: Match) -> list[tuple[Criterion, int]]:
        return [(item.criterion, item.weight) for item in found.evidence if item.field == "name"]

    assert by_name(forth) == by_name(back)
    assert (forth.effect, forth.score) == (back.effect, back.score)


# --- parts


@given(companies())
@settings(deadline=None)
def test_taken_apart_and_packed_a_name_comes_back(company: Company) -> None:
    name = decompose(str(company), "江苏", "扬州")

    region, said = ([place.province, place.city, place.county, place.town] for place in (name.region, name.said))
    words = [name.brand, name.trade, name.legal_form, name.branch, name.core]

    assert unpack(pack(name)) == name
    assert unpack([name.normalised, region, said, *words, list(name.other_cores), list(name.former)]) == name


@given(companies())
@settings(deadline=None)
def test_a_normalised_name_is_the_same_company(company: Company) -> None:
    name = decompose(str(company))
    again = decompose(normalise(str(company)))

    assert (again.identity, again.region, again.brand, again.trade) == (name.identity, name.region, name.brand, name.trade)
    assert again.normalised == name.normalised


# --- fragments


@given(companies(), st.integers(0, 30), st.integers(2, 30))
@settings(deadline=None, max_examples=500)
def test_what_is_looked_up_of_a_fragment_are_pairs_of_it(company: Company, start: int, length: int) -> None:
    fragment = normalise(str(company))[start : start + length]
    assume(len(fragment) >= 2)
    looked_up = telling_grams(fragment)

    assert looked_up
    assert set(looked_up) <= grams(fragment)
    assert {len(pair) for pair in looked_up} == {2}


def test_the_rare_pairs_of_a_fragment_are_looked_up() -> None:
    assert telling_grams("台前县梦丰供销合作社生产公司") == ["丰供", "前县", "县梦", "台前", "梦丰", "社生"]
    assert telling_grams("中国农业银行股份有限公司太原有色支行") == ["原有", "国农", "有色", "色支"]
    assert telling_grams("有限公司") == ["公司", "有限", "限公"]
    assert telling_grams("上海服装") == ["上海", "服装", "海服"]


# --- what is near is met


HERE: dict[str, Any] = {"province": "江苏", "city": "扬州"}


@given(pairs())
@settings(deadline=None, max_examples=500)
def test_whoever_must_be_looked_at_is_found(two: tuple[Company, Company]) -> None:
    """The look-up asks by keys, and knows nothing of what the comparison will say: whom it does not find nobody judges."""
    one, other = (company._replace(place="扬州") for company in two)
    subject, known = subject_of([str(one)], **HERE), customer(str(other), **HERE)
    found = weighed(subject, known)

    assert found.effect == "listed" or is_met(subject, known), found.evidence


@given(pairs())
@settings(deadline=None, max_examples=500)
def test_names_that_come_near_meet_by_a_key(two: tuple[Company, Company]) -> None:
    one, other = (decompose(str(company._replace(place="扬州", branch="")), "江苏", "扬州") for company in two)
    near = nearness(one, other)
    is_met_by_brand = one.brand == other.brand and not (one.trade and other.trade)
    if near is None or near.kind in MET_OTHERWISE or is_met_by_brand:
        return

    assert near_keys.filed(one) & near_keys.wanted(other), near
    assert near_keys.filed(other) & near_keys.wanted(one), near


@given(companies())
@settings(deadline=None, max_examples=200)
def test_keys_lie_in_the_order_of_places_and_beginnings(company: Company) -> None:
    name = decompose(str(company), "江苏", "扬州")
    in_yangzhou = [key for key in near_keys.wanted(name) if key >> 43 == 321000]
    beginnings = Counter(key >> 27 for key in in_yangzhou)

    assert near_keys.filed(name) & near_keys.wanted(name) or not near_keys.filed(name)
    assert {key >> 43 for key in near_keys.wanted(name)} <= {int(name.region.city or 0), int(name.region.province or 0), 0}
    assert all(0 < key < 1 << 63 for key in near_keys.wanted(name) | near_keys.filed(name))
    assert len(in_yangzhou) < 12 or beginnings.most_common(1)[0][1] >= len(in_yangzhou) / 3


@pytest.mark.parametrize("version", [2, VERSION])
def test_each_version_meets_what_it_has_filed(version: int) -> None:
    there = subject_of(["扬州瑞丽服装辅料厂"], **HERE).names[0]
    slip = subject_of(["扬州瑞丽服装辅厂"], oldest=version, **HERE)

    assert slip.near & near_keys.filed(there, version)
    assert not near_keys.filed(there, 2) & near_keys.filed(there, VERSION)
    assert len(subject_of(["扬州瑞丽服装辅厂"], **HERE).near) < len(slip.near) or version == VERSION


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("扬州印花加工厂", "扬州印花制造厂"),
        ("扬州瑞丽国际贸易有限公司", "扬州瑞丽贸易有限公司"),
        ("扬州瑞丽信息技术加工厂", "扬州瑞丽信息技术汽车维修服务加工厂"),
        ("扬州瑞丽服装有限公司第二分公司", "扬州瑞丽有限公司第二分公司"),
        ("扬州瑞精密机械厂", "扬州瑞机械厂"),
    ],
)
def test_each_finds_the_other(one: str, other: str) -> None:
    for entered, there in ((one, other), (other, one)):
        subject, known = subject_of([entered], **HERE), customer(there, **HERE)

        assert weighed(subject, known).effect == "near"
        assert is_met(subject, known)


# --- weights, thresholds, sharers


criteria = st.sampled_from([criterion for criterion in DEFAULT_WEIGHTS if criterion != "name_fragment"])
FIELD_OF: dict[Criterion, MatchedField] = {
    **dict.fromkeys(DEFAULT_WEIGHTS, "name"),
    **dict.fromkeys(("mobile", "line", "line_unknown_area", "line_other_area"), "phone"),
    "credit_code": "credit_code",
    "contact": "contact_person",
    "website": "website",
    "mail_domain": "email",
}
weights = st.integers(0, 100)


@given(st.lists(st.tuples(criteria, weights, weights), max_size=6))
@settings(deadline=None)
def test_more_weight_is_never_less_score(hints: list[tuple[Criterion, int, int]]) -> None:
    lighter = [Evidence(criterion, min(one, other), FIELD_OF[criterion], "") for criterion, one, other in hints]
    heavier = [Evidence(criterion, max(one, other), FIELD_OF[criterion], "") for criterion, one, other in hints]

    assert 0 <= score_of(lighter) <= score_of(heavier) <= 100
    assert score_of(lighter[1:]) <= score_of(lighter)
    assert score_of(lighter) >= max((item.weight for item in lighter), default=0)


def test_independent_hints_add_up_and_two_of_one_kind_do_not() -> None:
    name, phone, fax = (Evidence("name_word", 60, field, "") for field in ("name", "phone", "fax"))

    assert score_of([name, phone]) == 84
    assert score_of([phone, fax]) == 60


def test_a_website_and_a_mail_address_of_one_domain_are_one_hint() -> None:
    website, mail = Evidence("website", 60, "website", ""), Evidence("mail_domain", 60, "email", "")

    assert score_of([website, mail]) == 60
    assert score_of([website, mail, Evidence("name_word", 60, "name", "")]) == 84


@given(st.integers(1, 101), st.integers(1, 101), st.integers(0, 100))
def test_the_thresholds_say_what_comes_of_a_score(one: int, other: int, score: int) -> None:
    rules = CollisionRules(review_at=min(one, other), refuse_at=max(one, other))

    assert effect_of(score, rules) == ("same" if score >= rules.refuse_at else "near" if score >= rules.review_at else "listed")


@given(pairs(), numbers, numbers, criteria)
@settings(deadline=None)
def test_a_criterion_without_weight_decides_nothing(
    two: tuple[Company, Company], ours: Typed, theirs: Typed, criterion: Criterion
) -> None:
    subject, known = (
        subject_of([str(two[0])], **ours),
        meeting(subject_of([str(two[0])], **ours), customer(str(two[1]), **theirs)),
    )
    rules = CollisionRules(weights={criterion: 0})
    without = match(subject, known, rules)

    assert score_of(without.evidence) == score_of(item for item in without.evidence if item.criterion != criterion)
    assert score_of(without.evidence) <= match(subject, known).score


@pytest.mark.parametrize("weight", [0, 49])
def test_a_name_that_weighs_little_is_listed_all_the_same(weight: int) -> None:
    found = match(subject_of(["扬州瑞丽服装厂"]), customer("扬州瑞丽服装有限公司"), CollisionRules(weights={"name": weight}))

    assert (found.effect, found.score, found.fields) == ("listed", weight, ["name"])


@pytest.mark.parametrize(
    ("field", "shared"),
    [("phone", "0514-2398577"), ("phone", "13800138000"), ("website", "www.ruili-group.com"), ("email", "wang@ruili-group.com")],
)
def test_what_too_many_share_stops_deciding(field: str, shared: str) -> None:
    typed: Typed = {field: shared}
    subject = subject_of([], **typed)
    sharers = [meeting(subject, customer(f"扬州{brand}机械厂", **typed)) for brand in ("瑞丽", "五环", "三真")]

    def effects(most_sharers: int | None) -> set[str]:
        return {found.effect for found in compare(subject, sharers, CollisionRules(most_sharers=most_sharers))}

    assert effects(None) == effects(3) != {"listed"}
    assert effects(2) == {"listed"}


def test_a_contact_that_too_many_share_stops_deciding_with_its_mobile() -> None:
    typed: Typed = {"phone": "13800138000", "contact_person": "王小明"}
    subject = subject_of(["扬州鸿腾印花厂"], **typed)
    sharers = [meeting(subject, customer(f"扬州{brand}机械厂", **typed)) for brand in ("瑞丽", "五环", "三真")]

    found = compare(subject, sharers, CollisionRules(most_sharers=2))

    assert {each.effect for each in found} == {"listed"}
    assert near_of(found) == []
    assert {each.effect for each in compare(subject, sharers, CollisionRules(most_sharers=3))} == {"same"}
