"""May I enter this customer, or does it belong to somebody? Cases 1 to 7 of the main job, over HTTP."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.api import Client, Headquarters, Team, brand, company, digits, expect

REFUSED = "urn:qudao:problem:customer-refused"


@pytest.fixture(scope="module")
def team(headquarters: Headquarters) -> Team:
    return headquarters.team()


@pytest.fixture(scope="module")
def rivals(headquarters: Headquarters) -> Team:
    return headquarters.team()


def hits(check: dict[str, Any]) -> dict[str, int]:
    """共有 N 个客户, by field."""
    return {field: count["hits"] for field, count in check["fields"].items() if count}


def told(check: dict[str, Any]) -> tuple[str, str | None]:
    return check["verdict"]["verdict"], check["verdict"].get("reason")


def refusal(answer: Any) -> tuple[str, list[str]]:
    """Why, and whom to ask."""
    problem = expect(409, answer)
    assert (problem["type"], problem["outcome"]) == (REFUSED, "refused")
    return problem["verdict"]["reason"], problem["verdict"].get("ask", [])


def name_of(person: Client) -> str:
    return str(person.user["display_name"])


# --- 1: a new company


def test_a_new_company_is_found_by_nothing_entered_and_then_found_by_everything(team: Team) -> None:
    own, phone, fax = brand(), digits(), digits()
    for criteria in ({"name": own}, {"phone": phone}, {"fax": fax}):
        check = team.rep.check(**criteria)
        assert (hits(check), told(check), check["hits"]) == (dict.fromkeys(criteria, 0), ("free", None), [])

    entered = expect(201, team.rep.enter(f"扬州{own}印花厂", phone=f"0514-{phone}", fax=f"0514-{fax}"))

    assert entered["outcome"] == "created"
    for criteria in ({"name": own}, {"phone": phone}, {"fax": fax}):
        [hit] = team.rep.check(**criteria)["hits"]
        assert (hit["customer_id"], hit["place"], hit["matched"]) == (entered["customer_id"], "mine", list(criteria))


def test_the_fields_are_counted_each_by_itself(team: Team) -> None:
    own, phone = brand(), digits()
    team.rep.entered(f"扬州{own}印花厂", phone=f"0514-{phone}")
    team.rep.entered(f"扬州{own}纺织厂")

    check = team.rep.check(name=own, phone=phone, fax=digits())

    assert hits(check) == {"name": 2, "phone": 1, "fax": 0}


@pytest.mark.parametrize("criteria", [{}, {"city": "扬州"}, {"province": "江苏", "city": "扬州"}])
def test_a_search_without_any_criterion_is_refused(team: Team, criteria: dict[str, str]) -> None:
    assert team.rep.request("POST", "/v1/collision-checks", criteria).status_code == 422


def test_the_name_is_taken_apart_for_the_rep_to_see(team: Team) -> None:
    own = brand(2)
    parts = team.rep.check(name=f"上海市{own}服装有限公司")["name_parts"]
    assert (parts["brand"], parts["trade"], parts["legal_form"]) == (own, "服装", "有限公司")
    assert "上海" in parts["region"]


def test_a_check_changes_nothing(team: Team) -> None:
    name = company()
    for _ in range(2):
        assert told(team.rep.check(name=name)) == ("free", None)
    assert team.rep.entered(name)


# --- the check while somebody types


def test_hits_come_while_a_name_is_typed(team: Team) -> None:
    own = brand()
    customer = team.rep.entered(f"扬州{own}印花厂")

    first, *further = [team.rep.suggest(name=f"{own}印花厂"[:length]) for length in range(1, 8)]

    assert (first["fields"], first["hits"], first["verdict"]) == ({}, [], None)
    for suggestions in further:
        assert suggestions["fields"]["name"]["hits"] >= 1
        assert customer in {hit["customer_id"] for hit in suggestions["hits"]}
    assert further[-1]["verdict"] == team.rep.check(name=f"{own}印花厂")["verdict"]


def test_a_number_counts_once_it_can_be_read(team: Team) -> None:
    own, number = brand(), digits()
    team.colleague.entered(f"扬州{own}印花厂", phone=f"0514-{number}")
    for begun in ("0", "05", "0514", "0514-"):
        assert hits(team.rep.suggest(name=own, phone=begun)) == {"name": 1}

    suggestions = team.rep.suggest(name=own, phone=f"0514-{number}")

    assert hits(suggestions) == {"name": 1, "phone": 1}
    assert told(suggestions) == ("refused", "held_by_colleague")


def test_while_somebody_types_ten_hits_are_shown_and_all_counted(team: Team) -> None:
    own = brand(3)
    for _ in range(11):
        team.rep.entered(f"扬州{brand()}{own}机械厂")

    suggestions = team.rep.suggest(name=own)

    assert (len(suggestions["hits"]), hits(suggestions)) == (10, {"name": 11})


def test_nobody_types_as_fast_as_a_flood(headquarters: Headquarters) -> None:
    """Each gateway counts for itself."""
    rep = headquarters.person()
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: rep.request("POST", "/v1/collision-checks/as-you-type", {}), range(300)))

    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert {answer.status_code for answer in answers} <= {200, 409, 429}


# --- 2: numbers


@pytest.mark.parametrize(
    ("spelling", "where"),
    [
        ("0514——{}", {}),
        ("(0514){}", {}),
        ("0514 {}", {}),
        ("{wide}", {"city": "扬州"}),
        ("+86 514 {} 转801", {}),
        ("0086514{}", {}),
    ],
)
@pytest.mark.parametrize("field", ["phone", "fax"])
def test_the_same_number_however_it_is_typed_hits_and_refuses(
    team: Team, field: str, spelling: str, where: dict[str, str]
) -> None:
    number = digits()
    team.rep.entered(phone=f"0514-{number}", city="扬州")
    typed = spelling.format(number, wide="".join(chr(ord(digit) + 0xFEE0) for digit in number))

    check = team.colleague.check(**{field: typed}, **where)

    assert (hits(check), told(check)) == ({field: 1}, ("refused", "held_by_colleague"))
    assert refusal(team.colleague.enter(company(), **{field: typed}, **where)) == ("held_by_colleague", [name_of(team.rep)])


def test_the_same_digits_in_another_city_are_listed_and_not_refused(team: Team) -> None:
    number = digits()
    team.rep.entered(phone=f"0514-{number}")

    check = team.colleague.check(phone=f"0515-{number}")

    assert (hits(check), told(check)) == ({"phone": 1}, ("free", None))
    assert [hit["effect"] for hit in check["hits"]] == ["listed"]
    assert team.colleague.entered(company("盐城"), phone=f"0515-{number}")


def test_a_fax_that_is_somebodys_phone_is_the_same_line(team: Team) -> None:
    number = digits()
    team.rep.entered(phone=f"0514-{number}")
    assert refusal(team.colleague.enter(company(), fax=f"0514-{number}"))[0] == "held_by_colleague"


# --- 3: twins


def test_what_lies_in_the_public_pool_is_claimable_and_claimed_when_asked_for(team: Team) -> None:
    name = company("上海", "服装")
    pooled = team.pooled("public", name)
    assert told(team.rep.check(name=name)) == ("claimable", None)

    unasked = expect(409, team.rep.enter(name))
    assert (unasked["type"], unasked["outcome"]) == ("urn:qudao:problem:customer-claimable", "claimable")
    assert unasked["verdict"]["customer_id"] == pooled
    asked = expect(200, team.rep.enter(name, claim=True))

    assert (asked["outcome"], asked["customer_id"]) == ("claimed", pooled)
    assert team.rep.get(f"/v1/customers/{pooled}")["owner_id"] == team.rep.user["id"]


@pytest.fixture
def twins(team: Team) -> tuple[str, str, str]:
    """上海瑞丽服装厂 in the public pool, 上海市瑞丽服装有限公司 with the colleague: the brand and both ids."""
    own = brand()
    pooled = team.pooled("public", f"上海{own}服装厂")
    held = team.pooled("agency", f"上海市{own}服装有限公司", keep_twin="两个登记")
    expect(200, team.admin.act(held, "assign", to=team.colleague.user["id"]))
    return own, pooled, held


@pytest.mark.parametrize("claim", [False, True])
def test_a_twin_in_the_pool_does_not_help_when_the_other_is_held(team: Team, twins: tuple[str, str, str], claim: bool) -> None:
    own, pooled, _ = twins
    for name in (f"上海{own}服装厂", f"上海市{own}服装有限公司", f"{own}服装"):
        assert refusal(team.rep.enter(name, claim=claim, city="上海")) == ("held_by_colleague", [name_of(team.colleague)])
    assert team.admin.get(f"/v1/customers/{pooled}")["owner_id"] is None


def test_a_twin_in_the_pool_cannot_be_claimed_by_its_id_either(team: Team, twins: tuple[str, str, str]) -> None:
    _, pooled, _ = twins
    answer = team.rep.act(pooled, "claim")
    assert answer.status_code == 409, answer.text
    assert team.admin.get(f"/v1/customers/{pooled}")["owner_id"] is None


def test_a_twin_is_kept_only_with_a_reason(team: Team) -> None:
    name = company()
    team.pooled("public", name)
    path = f"/v1/pools/{team.pools['agency']}/customers"
    assert team.admin.request("POST", path, {"name": name}).status_code == 409
    assert team.admin.post(path, {"name": name, "keep_twin": "两个登记"})["outcome"] == "created"


# --- 4: libraries and pools that are not for reps


@pytest.fixture(scope="module")
def libraries(headquarters: Headquarters) -> dict[str, str]:
    pools = headquarters.admin.pages("/v1/pools")
    return {pool["kind"]: pool["id"] for pool in pools if pool["kind"] in ("telesales", "industry")}


@pytest.mark.parametrize("kind", ["telesales", "industry"])
def test_what_another_line_of_business_holds_is_refused_with_its_own_message(
    headquarters: Headquarters, team: Team, libraries: dict[str, str], kind: str
) -> None:
    name = f"佛山市南海区里水{brand()}印刷厂"
    headquarters.admin.post(f"/v1/pools/{libraries[kind]}/customers", {"name": name})

    problem = expect(409, team.rep.enter(name))

    assert problem["verdict"]["reason"] == f"held_by_{kind}"
    assert problem["verdict"]["message"] == team.rep.check(name=name)["verdict"]["message"]


def test_every_refusal_has_a_message_of_its_own(
    headquarters: Headquarters, team: Team, rivals: Team, libraries: dict[str, str]
) -> None:
    names = [company() for _ in range(6)]
    for kind, name in zip(("telesales", "industry"), names, strict=False):
        headquarters.admin.post(f"/v1/pools/{libraries[kind]}/customers", {"name": name})
    team.pooled("agency", names[2])
    rivals.pooled("public", names[3])
    team.colleague.entered(names[4])
    rivals.rep.entered(names[5])

    messages = {expect(409, team.rep.enter(name))["verdict"]["message"] for name in names}

    assert len(messages) == 6


def test_what_lies_in_the_agency_pool_is_refused_with_the_administrator_to_ask(team: Team) -> None:
    name = company()
    team.pooled("agency", name)
    assert refusal(team.rep.enter(name)) == ("in_agency_pool", [name_of(team.admin)])
    assert refusal(team.rep.enter(name, claim=True))[0] == "in_agency_pool"


@pytest.mark.parametrize("kind", ["public", "agency"])
def test_what_lies_in_another_agencys_pool_is_refused_with_that_agency_to_ask(team: Team, rivals: Team, kind: str) -> None:
    name, agencies = company(), team.headquarters.admin.pages("/v1/agencies")
    [theirs] = [agency["name"] for agency in agencies if agency["id"] == rivals.agency_id]
    rivals.pooled(kind, name)
    assert refusal(team.rep.enter(name, claim=True)) == ("in_other_agency_pool", [theirs])


def test_a_rep_may_enter_nothing_into_a_pool(team: Team) -> None:
    for kind, pool in team.pools.items():
        answer = team.rep.request("POST", f"/v1/pools/{pool}/customers", {"name": company()})
        assert answer.status_code in (403, 404), kind


def test_an_agency_admin_enters_nothing_into_pools_of_others(team: Team, rivals: Team, libraries: dict[str, str]) -> None:
    for pool in (rivals.pools["public"], rivals.pools["agency"], *libraries.values()):
        answer = team.admin.request("POST", f"/v1/pools/{pool}/customers", {"name": company()})
        assert answer.status_code in (403, 404)


# --- 5: held by somebody else


def test_what_a_colleague_holds_is_refused_redacted_and_logged(team: Team) -> None:
    name, number = f"潍坊市{brand(2)}有限公司", digits()
    held = team.colleague.entered(name, phone=f"0536-{number}", contact_person="刘女士", address="胜利街 8 号")

    answer = team.rep.enter(name, phone=f"0536-{number}")

    assert refusal(answer) == ("held_by_colleague", [name_of(team.colleague)])
    for secret in (held, number, "刘女士", "胜利街"):
        assert secret not in answer.text
    [hit] = answer.json()["hits"]
    assert (hit["name"], hit["place"], hit["held_by"]) == (name, "colleague", name_of(team.colleague))
    assert hit["reasons"]
    assert set(hit["matched"]) == {"name", "phone"}
    for reader in (team.rep, team.supervisor, team.admin):
        [attempt] = [found for found in reader.pages("/v1/entry-attempts") if found["name"] == name]
        assert (attempt["person_id"], attempt["outcome"], attempt["reason"]) == (
            team.rep.user["id"],
            "refused",
            "held_by_colleague",
        )
        assert number not in str(attempt)


def test_what_another_agency_holds_is_refused_without_the_holders_name(team: Team, rivals: Team) -> None:
    name, number = company(), digits()
    held = rivals.rep.entered(name, phone=f"0514-{number}")

    answer = team.rep.enter(name)

    reason, asked = refusal(answer)
    assert reason == "held_by_other_agency"
    assert len(asked) == 1
    for secret in (held, number, name_of(rivals.rep), rivals.rep.user["id"]):
        assert secret not in answer.text


def test_others_attempts_are_not_everybodys_to_read(team: Team, rivals: Team) -> None:
    name = company()
    team.colleague.entered(name)
    expect(409, team.rep.enter(name))
    for stranger in (team.colleague, team.neighbour, rivals.rep, rivals.admin):
        assert name not in {found["name"] for found in stranger.pages("/v1/entry-attempts")}


def test_a_refused_entry_makes_no_customer(team: Team) -> None:
    name = company()
    team.colleague.entered(name)
    before = [line["id"] for line in team.rep.pages("/v1/customers?of=all")]
    expect(409, team.rep.enter(name))
    assert [line["id"] for line in team.rep.pages("/v1/customers?of=all")] == before
    assert hits(team.rep.check(name=name)) == {"name": 1}


# --- 6: entered twice by the same rep


def test_an_own_customer_entered_again_is_bound_and_shown_under_all_alone(team: Team) -> None:
    name = f"泰安{brand(3)}彩色印刷厂"
    first = team.rep.entered(name)

    again = expect(200, team.rep.enter(name, contact_person="赵先生"))

    assert (again["outcome"], again["customer_id"]) == ("bound_to_yours", first)
    mine = [line for line in team.rep.pages("/v1/customers") if line["name"] == name]
    assert [line["id"] for line in mine] == [first]
    everything = [line for line in team.rep.pages("/v1/customers?of=all") if line["name"] == name]
    assert sorted((line["bound_to"] or "") for line in everything) == ["", first]


def test_counts_agree_with_the_lists_of_mine_and_all(headquarters: Headquarters) -> None:
    rep = headquarters.person()
    names = [company() for _ in range(4)]
    for name in (*names, *names[:2]):
        rep.enter(name)
    counts = {of: rep.get(f"/v1/customers/count?of={of}")["count"] for of in ("mine", "all", "visible")}
    listed = {of: len(rep.pages(f"/v1/customers?of={of}", limit=1)) for of in counts}
    assert counts == listed == {"mine": 4, "all": 6, "visible": 4}


def test_another_name_under_the_phone_of_an_own_customer_is_made_only_once_it_was_seen(team: Team) -> None:
    number, other = digits(), company()
    first = team.rep.entered(phone=f"0514-{number}")
    told = expect(409, team.rep.enter(other, phone=f"0514-{number}"))
    assert told["outcome"] == "needs_confirmation"
    seen = {"seen": [hit["ref"] for hit in told["hits"]], "reason": "two firms behind one line"}
    second = expect(201, team.rep.enter(other, phone=f"0514-{number}", confirmation=seen))
    assert second["customer_id"] != first


# --- 7: other spellings


@pytest.mark.parametrize(
    "spelling",
    [
        "揚州{traditional}印花廠",
        "扬州 {own} 印花厂",
        "扬州\u3000{own}\u3000印花厂",
        "（扬州）{own}印花厂",
        "{own}印花厂（扬州）",
        "【扬州】{own}·印花厂",
        "江苏省扬州市{own}印花有限公司",
    ],
)
def test_another_spelling_is_the_same_company(team: Team, spelling: str) -> None:
    own = f"{brand(3)}龙"
    team.colleague.entered(f"扬州{own}印花厂", city="扬州")
    typed = spelling.format(own=own, traditional=own.replace("龙", "龍"))

    check = team.rep.check(name=typed, city="扬州")

    assert told(check) == ("refused", "held_by_colleague")
    assert refusal(team.rep.enter(typed, city="扬州"))[0] == "held_by_colleague"


def test_full_width_letters_and_capitals_are_the_same(team: Team) -> None:
    own = brand(3)
    team.colleague.entered(f"扬州{own}Abc印花厂")
    for typed in (f"扬州{own}ＡＢＣ印花厂", f"扬州{own}abc印花厂", f"扬州{own} A B C 印花厂"):
        assert refusal(team.rep.enter(typed))[0] == "held_by_colleague"


def test_another_brand_is_another_company(team: Team) -> None:
    first, second, third = brand(3)
    team.colleague.entered(f"上海{first}{third}服装厂")
    assert team.rep.entered(f"上海{second}{third}服装厂")


def test_the_same_name_in_another_province_is_another_company(team: Team) -> None:
    own = brand()
    team.colleague.entered(f"扬州{own}印花厂")
    answer = team.rep.enter(f"佛山{own}印花厂")
    assert answer.status_code == 201 or answer.json()["outcome"] == "needs_confirmation"
