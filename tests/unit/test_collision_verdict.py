"""What an entry comes to, by the customers that it meets."""

from uuid import UUID

import pytest

from services.contracts.collision import Verdict
from services.customers.collision.evidence import Known, Match, match, telling
from services.customers.collision.names import decompose, is_nameless
from services.customers.collision.subject import Key, Subject, subject_of
from services.customers.collision.verdict import Viewpoint, hit, judge, parts_of

ME, COLLEAGUE = UUID(int=1), UUID(int=2)
OURS, THEIRS, HEADQUARTERS = UUID(int=10), UUID(int=11), UUID(int=12)
REP = Viewpoint(ME, OURS, may_claim=True)
OFFICER = Viewpoint(UUID(int=3), OURS, may_claim=False)


def known(
    name: str,
    *,
    owner: UUID | None = COLLEAGUE,
    agency: UUID = OURS,
    pool: str | None = None,
    members: set[UUID] | None = None,
    **typed: str,
) -> Known:
    """A customer as the database gives it back, met by every key that it has."""
    subject = subject_of([name], **typed)
    return Known(
        id=UUID(int=abs(hash((name, owner, pool, agency))) % 2**100),
        name=name,
        names=subject.names,
        province=typed.get("province"),
        city=typed.get("city"),
        agency_id=agency,
        agency_name={OURS: "扬州代理", THEIRS: "南京代理", HEADQUARTERS: "总部"}[agency],
        owner_id=None if pool else owner,
        owner_name=None if pool else {ME: "我", COLLEAGUE: "李四"}[owner or COLLEAGUE],
        pool_kind=pool,
        matched=subject.keys,
        pool_members=None if members is None else frozenset(members),
    )


def entering(name: str, **typed: str) -> Subject:
    return subject_of([name], **typed)


def met(subject: Subject, *customers: Known) -> list[Match]:
    """As the lookup by keys would: only with the keys that both have."""
    wanted = {(key.kind, key.key) for key in subject.wanted}
    found = []
    for each in customers:
        shared = frozenset(key for key in each.matched if (key.kind, key.key) in wanted)
        found.append(match(subject, Known(**{**vars(each), "matched": shared})))
    return [each for each in found if each.evidence]


def verdict(subject: Subject, *customers: Known, viewpoint: Viewpoint = REP) -> Verdict:
    return judge(met(subject, *customers), viewpoint)


RUILI = entering("上海瑞丽服装厂")


# --- where it is held


@pytest.mark.parametrize(
    ("pool", "agency", "reason", "asked"),
    [
        (None, OURS, "held_by_colleague", ("李四",)),
        (None, THEIRS, "held_by_other_agency", ("南京代理",)),
        ("agency", OURS, "in_agency_pool", ()),
        ("public", THEIRS, "in_other_agency_pool", ("南京代理",)),
        ("agency", THEIRS, "in_other_agency_pool", ("南京代理",)),
        ("telesales", HEADQUARTERS, "held_by_telesales", ("总部",)),
        ("industry", HEADQUARTERS, "held_by_industry", ("总部",)),
    ],
)
def test_what_somebody_else_has_is_refused_with_whom_to_ask(
    pool: str | None, agency: UUID, reason: str, asked: tuple[str, ...]
) -> None:
    told = verdict(RUILI, known("上海市瑞丽服装有限公司", pool=pool, agency=agency))
    assert (told.verdict, told.reason, told.ask, told.customer_id) == ("refused", reason, asked, None)


def test_every_refusal_has_a_message_of_its_own() -> None:
    places = [(None, OURS), (None, THEIRS), ("agency", OURS), ("public", THEIRS), ("telesales", OURS), ("industry", OURS)]
    told = [verdict(RUILI, known("上海瑞丽服装厂", pool=pool, agency=agency)) for pool, agency in places]
    assert len({each.message for each in told}) == len(places)


def test_what_lies_in_the_own_public_pool_may_be_claimed() -> None:
    pooled = known("上海瑞丽服装厂", pool="public")
    told = verdict(RUILI, pooled)
    assert (told.verdict, told.customer_id) == ("claimable", pooled.id)


def test_who_claims_nothing_is_refused_what_lies_in_the_public_pool() -> None:
    told = verdict(RUILI, known("上海瑞丽服装厂", pool="public"), viewpoint=OFFICER)
    assert (told.verdict, told.reason) == ("refused", "in_public_pool")


def test_what_lies_in_a_custom_pool_may_be_claimed_by_those_to_whom_it_is_open() -> None:
    for members in (None, {ME, COLLEAGUE}):
        pooled = known("上海瑞丽服装厂", pool="custom", members=members)
        told = verdict(RUILI, pooled)
        assert (told.verdict, told.customer_id) == ("claimable", pooled.id)
        [shown] = [hit(found, REP) for found in met(RUILI, pooled)]
        assert (shown.place, shown.customer_id) == ("custom_pool", pooled.id)


@pytest.mark.parametrize(("viewpoint", "members"), [(REP, {COLLEAGUE}), (OFFICER, None), (OFFICER, {UUID(int=3)})])
def test_a_custom_pool_that_is_not_open_counts_as_the_agencys(viewpoint: Viewpoint, members: set[UUID] | None) -> None:
    pooled = known("上海瑞丽服装厂", pool="custom", members=members)
    told = verdict(RUILI, pooled, viewpoint=viewpoint)
    assert (told.verdict, told.reason, told.customer_id) == ("refused", "in_agency_pool", None)
    [shown] = [hit(found, viewpoint) for found in met(RUILI, pooled)]
    assert (shown.place, shown.customer_id) == ("agency_pool", None)


def test_a_custom_pool_of_another_agency_is_one_like_any_other() -> None:
    told = verdict(RUILI, known("上海瑞丽服装厂", pool="custom", agency=THEIRS))
    assert (told.verdict, told.reason) == ("refused", "in_other_agency_pool")


def test_a_twin_in_the_pool_does_not_help_when_somebody_holds_the_same_company() -> None:
    told = verdict(RUILI, known("上海瑞丽服装厂", pool="public"), known("上海市瑞丽服装有限公司"))
    assert (told.verdict, told.reason) == ("refused", "held_by_colleague")


def test_ones_own_is_told_as_such_unless_somebody_else_holds_it_too() -> None:
    mine = known("上海瑞丽服装厂", owner=ME)
    assert verdict(RUILI, mine).verdict == "yours"
    assert verdict(RUILI, mine).customer_id == mine.id
    assert verdict(RUILI, mine, known("上海瑞丽服装有限公司", agency=THEIRS)).verdict == "refused"


# --- by what it is met


@pytest.mark.parametrize("name", ["上海瑞麗服裝廠", "上海市瑞丽服装有限公司", "（上海）瑞丽 服装厂", "瑞丽服装（上海）有限公司"])
def test_spellings_of_one_company_are_one_company(name: str) -> None:
    assert verdict(entering(name), known("上海瑞丽服装厂")).verdict == "refused"


@pytest.mark.parametrize("name", ["上海锦丽服装厂", "上海瑞丽印花厂", "苏州瑞丽服装厂"])
def test_another_brand_trade_or_city_is_another_company(name: str) -> None:
    assert verdict(entering(name), known("上海瑞丽服装厂")).verdict == "free"


def test_a_namesake_in_another_city_is_listed_with_the_reason() -> None:
    [found] = met(entering("苏州瑞丽服装厂"), known("上海瑞丽服装厂"))
    assert (found.effect, found.fields) == ("listed", ["name"])
    assert "another province" in found.evidence[0].reason


def test_a_namesake_in_another_county_must_be_judged_by_a_person() -> None:
    told = verdict(entering("扬州市宝应县瑞丽服装厂"), known("扬州市高邮市瑞丽服装厂"))
    assert told.verdict == "needs_confirmation"


@pytest.mark.parametrize(
    ("phone", "city", "expected"),
    [
        ("0514-2398577", None, "refused"),
        ("0514——2398577", None, "refused"),
        ("(0514)2398577", None, "refused"),
        ("２３９８５７７", "扬州", "refused"),
        ("+86 514 2398577 转801", None, "refused"),
        ("2398577", None, "needs_confirmation"),
        ("0512-2398577", None, "free"),
        ("2398577", "苏州", "free"),
    ],
)
def test_a_number_is_met_however_it_is_typed_and_its_area_decides(phone: str, city: str | None, expected: str) -> None:
    holder = known("扬州五环印花厂", phone="0514-2398577", fax="0514-2345586")
    typed = {"phone": phone} | ({"city": city} if city else {})
    matches = met(subject_of([], **typed), holder)
    assert len(matches) == 1
    assert judge(matches, REP).verdict == expected


def test_a_fax_that_is_typed_as_a_phone_is_the_same_line() -> None:
    [found] = met(subject_of([], phone="0514-2345586"), known("扬州五环印花厂", fax="0514-2345586"))
    assert (found.effect, found.fields) == ("same", ["phone"])


def test_the_same_credit_code_is_the_same_company() -> None:
    code = "91350100M000100Y43"
    [found] = met(entering("福州新名贸易有限公司", credit_code=code), known("福州旧名商行", credit_code=code))
    assert (found.effect, found.fields) == ("same", ["credit_code"])


def test_a_former_name_in_brackets_is_met() -> None:
    assert verdict(entering("上海新锦服装厂（原上海瑞丽服装厂）"), known("上海瑞丽服装厂")).verdict == "refused"


@pytest.mark.parametrize(("entered", "expected"), [("扬州香皂厂", "needs_confirmation"), ("扬州瑞丽服装厂", "refused")])
def test_a_short_name_without_a_place_does_not_stand_for_the_whole_country(entered: str, expected: str) -> None:
    """Brand and trade together are telling enough, a trade alone is not."""
    placeless = {"扬州香皂厂": "香皂厂", "扬州瑞丽服装厂": "瑞丽服装厂"}[entered]
    assert verdict(entering(entered), known(placeless)).verdict == expected


def test_another_name_under_a_number_of_ones_own_customer_is_not_bound_unseen() -> None:
    mine = known("扬州五环印花厂", owner=ME, phone="0514-2398577")
    assert verdict(entering("扬州瑞丽服装厂", phone="0514-2398577"), mine).verdict == "needs_confirmation"
    assert verdict(subject_of([], phone="0514-2398577"), mine).verdict == "yours"
    assert verdict(entering("扬州五环印花有限公司", phone="0514-2398577"), mine).verdict == "yours"


@pytest.mark.parametrize("number", ["110", "10086", "95588"])
def test_numbers_of_everybody_identify_nobody(number: str) -> None:
    assert met(entering("扬州瑞丽服装厂", phone=number), known("扬州五环印花厂", phone=number)) == []


# --- what is told


def test_hits_of_others_tell_the_name_and_the_place_and_nothing_to_reach_them_by() -> None:
    [found] = met(entering("上海瑞丽服装厂", phone="021-55556666"), known("上海瑞丽服装厂", agency=THEIRS, phone="021-55556666"))
    told = hit(found, REP)
    assert (told.customer_id, told.place, told.held_by) == (None, "other_agency", "南京代理")
    assert "55556666" not in told.model_dump_json()


def test_the_most_telling_come_first_and_reasons_are_in_words() -> None:
    same, elsewhere = known("上海市瑞丽服装有限公司"), known("苏州瑞丽服装厂")
    first, second = telling(met(RUILI, elsewhere, same))
    assert (first.known.name, second.known.name) == (same.name, elsewhere.name)
    assert first.evidence[0].reason == "same brand 瑞丽 and trade 服装, in the same place; legal form differs (厂, 有限公司)"


def test_a_name_is_shown_taken_apart() -> None:
    told = parts_of(entering("上海市瑞丽服装有限公司").names[0])
    assert (told.region, told.brand, told.trade, told.legal_form) == ("上海", "瑞丽", "服装", "有限公司")


def test_a_subject_without_anything_has_no_keys() -> None:
    assert subject_of([]).keys == frozenset()
    assert entering("上海瑞丽服装厂").keys == {Key("core", "瑞丽服装", "310000"), Key("brand", "瑞丽", "310000")}
    assert entering("瑞丽服装厂").keys == {Key("core", "瑞丽服装"), Key("brand", "瑞丽")}


@pytest.mark.parametrize(
    ("entered", "there"), [("上海瑞丽", "上海瑞丽服装厂"), ("上海瑞丽服装厂", "瑞丽有限公司"), ("瑞丽", "上海瑞丽服装厂")]
)
def test_a_name_that_leaves_out_the_trade_must_be_judged_by_a_person(entered: str, there: str) -> None:
    told = verdict(entering(entered), known(there))
    assert told.verdict == "needs_confirmation"


@pytest.mark.parametrize(("entered", "there"), [("苏州瑞丽", "上海瑞丽服装厂"), ("上海瑞丽印花厂", "上海瑞丽服装厂")])
def test_another_place_or_another_trade_is_no_shortened_name(entered: str, there: str) -> None:
    assert verdict(entering(entered), known(there)).verdict == "free"


@pytest.mark.parametrize("name", ["有限公司", "扬州", "江苏省扬州市", "厂", "……"])
def test_a_place_or_a_legal_form_alone_names_nobody(name: str) -> None:
    assert is_nameless(decompose(name))


@pytest.mark.parametrize("name", ["扬州印花厂", "王五", "3M", "360", "平安银行"])
def test_short_and_plain_names_name_somebody(name: str) -> None:
    assert not is_nameless(decompose(name))
