"""The record of a customer: what headquarters lays down for it, its place, its people, and what of it was changed."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest

from embedded.stack import Stack
from tests.api import Client, Headquarters, Team, brand, company, digits, eventually, expect, unique


@pytest.fixture(scope="module")
def team(headquarters: Headquarters) -> Team:
    return headquarters.team()


@pytest.fixture(scope="module")
def root(headquarters: Headquarters) -> Client:
    return headquarters.admin


def slug(answer: httpx.Response) -> str:
    return str(answer.json()["type"]).removeprefix("urn:qudao:problem:")


def pointers(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 422, answer.text
    return [error["pointer"] for error in answer.json()["errors"]]


def put(who: Client, path: str, body: Any, version: int = 0) -> httpx.Response:
    return who.request("PUT", path, body, If_Match=f'"{version}"')


def patch(who: Client, customer_id: str, **changes: Any) -> httpx.Response:
    path = f"/v1/customers/{customer_id}"
    version = who.get(path)["version"]
    return who.request("PATCH", path, changes, If_Match=f'"{version}"')


def word() -> str:
    return unique("w")


# --- dictionaries


def test_dictionaries_have_sensible_entries_from_the_start(team: Team) -> None:
    for kind, some in (
        ("source", {"own": "自行开发", "web": "网上注册"}),
        ("release_reason", {"no_need": "无需求"}),
        ("visit_method", {"phone": "电话", "video": "视频会议"}),
        ("category", {"potential": "潜在客户", "vip": "VIP 客户"}),
        ("key_criterion", {"leader": "行业龙头"}),
        ("industry", {"manufacturing": "制造业"}),
    ):
        shown = team.rep.get(f"/v1/dictionaries/{kind}")
        labels = {entry["code"]: entry["label"] for entry in shown["entries"]}
        assert labels.items() >= some.items()
        assert shown["is_open"] is (kind == "industry")
        assert [entry["position"] for entry in shown["entries"]] == sorted(entry["position"] for entry in shown["entries"])


def test_headquarters_adds_changes_and_retires_what_may_be_chosen(root: Client, team: Team) -> None:
    code, path = word(), f"/v1/dictionaries/source/{word()}"
    path = f"/v1/dictionaries/source/{code}"
    assert pointers(team.rep.enter(company(), source=code)) == ["/source"]

    added = expect(200, put(root, path, {"label": "直播", "position": 3}))
    customer = team.rep.entered(source=code)
    expect(200, put(root, path, {"label": "直播间", "is_active": False}, added["version"]))

    assert pointers(team.rep.enter(company(), source=code)) == ["/source"]
    assert team.rep.get(f"/v1/customers/{customer}")["source"] == code
    shown = {entry["code"]: entry for entry in team.rep.get("/v1/dictionaries/source")["entries"]}
    assert (shown[code]["label"], shown[code]["is_active"], shown[code]["version"]) == ("直播间", False, 2)


def test_of_many_who_add_an_entry_at_once_one_is_heard(root: Client) -> None:
    path = f"/v1/dictionaries/industry/{word()}"
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda number: put(root, path, {"label": f"业 {number}"}), range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] + 5 * [412]


def test_what_the_system_enters_itself_stays_in_use(root: Client) -> None:
    for path in ("source/web", "category/potential", "release_reason/other"):
        assert pointers(put(root, f"/v1/dictionaries/{path}", {"label": "x", "is_active": False}, 1)) == ["/is_active"]


def test_only_headquarters_lays_anything_down(team: Team) -> None:
    for who in (team.rep, team.admin):
        assert put(who, f"/v1/dictionaries/source/{word()}", {"label": "x"}).status_code == 403
        assert put(who, f"/v1/custom-fields/{word()}", {"label": "x", "kind": "text"}).status_code == 403


def test_a_setting_is_told_and_audited(stack: Stack, root: Client) -> None:
    code = word()
    expect(200, put(root, f"/v1/dictionaries/industry/{code}", {"label": "纺织"}))
    with psycopg.connect(stack.owner_url("customers")) as owner:
        told = owner.execute("SELECT data->>'label' FROM outbox WHERE data->>'code' = %s", [code]).fetchall()
        audited = owner.execute("SELECT new->>'label' FROM audit WHERE new->>'code' = %s", [code]).fetchall()
    assert told == audited == [("纺织",)]


def test_an_industry_may_be_any_text(team: Team) -> None:
    customer = team.rep.entered(industry="针织印染")
    assert team.rep.get(f"/v1/customers/{customer}")["industry"] == "针织印染"


def test_a_reason_to_release_is_one_of_the_dictionary(root: Client, team: Team) -> None:
    code, customer = word(), team.rep.entered()
    assert pointers(team.rep.act(customer, "release", reason=code)) == ["/reason"]
    expect(200, put(root, f"/v1/dictionaries/release_reason/{code}", {"label": "已搬迁"}))
    expect(200, team.rep.act(customer, "release", reason=code))


# --- custom fields


def test_values_of_custom_fields_are_kept_changed_and_emptied(root: Client, team: Team) -> None:
    staff, since, tools = word(), word(), word()
    expect(200, put(root, f"/v1/custom-fields/{staff}", {"label": "员工人数", "kind": "number"}))
    expect(200, put(root, f"/v1/custom-fields/{since}", {"label": "成立日期", "kind": "date"}))
    expect(200, put(root, f"/v1/custom-fields/{tools}", {"label": "设备", "kind": "choices", "options": ["织机", "印花机"]}))
    customer = team.rep.entered(custom={staff: 120, since: "1998-05-01"})

    changed = expect(200, patch(team.rep, customer, custom={tools: ["织机"], since: None}))

    assert changed["custom"] == {staff: 120, tools: ["织机"]}
    refused = patch(team.rep, customer, custom={staff: "many", since: "yesterday", tools: ["锅"], "unheard_of": 1})
    assert set(pointers(refused)) == {f"/custom/{key}" for key in (staff, since, tools, "unheard_of")}


def test_a_required_field_is_asked_of_new_customers_only(root: Client, team: Team) -> None:
    key, old = word(), team.rep.entered()
    path = f"/v1/custom-fields/{key}"
    expect(200, put(root, path, {"label": "税号", "kind": "text", "is_required": True}))
    try:
        assert pointers(team.rep.enter(company())) == [f"/custom/{key}"]
        assert pointers(team.rep.enter(company(), custom={key: None})) == [f"/custom/{key}"]
        assert team.rep.enter(company(), custom={key: "x"}).status_code == 201
        assert patch(team.rep, old, size="200").status_code == 200
    finally:
        expect(200, put(root, path, {"label": "税号", "kind": "text"}, 1))


def test_a_field_keeps_its_kind_for_good(root: Client) -> None:
    path = f"/v1/custom-fields/{word()}"
    expect(200, put(root, path, {"label": "x", "kind": "text"}))
    assert slug(put(root, path, {"label": "x", "kind": "number"}, 1)) == "field-kind-is-kept"
    assert put(root, path, {"label": "y", "kind": "text"}).status_code == 412


@pytest.mark.parametrize(
    "body",
    [
        {"label": "x"},
        {"label": "x", "kind": "choice"},
        {"label": "x", "kind": "text", "options": ["a"]},
        {"label": "x", "kind": "choice", "options": ["a", "a"]},
        {"label": "x", "kind": "money"},
    ],
)
def test_a_field_that_makes_no_sense_is_refused(root: Client, body: Any) -> None:
    assert put(root, f"/v1/custom-fields/{word()}", body).status_code == 422


@pytest.mark.parametrize("key", ["Staff", "9a", "a-b", "a" * 41])
def test_a_key_is_a_plain_word(root: Client, key: str) -> None:
    assert put(root, f"/v1/custom-fields/{key}", {"label": "x", "kind": "text"}).status_code == 422


# --- places


def test_places_are_listed_from_the_provinces_down(team: Team) -> None:
    provinces = {place["code"]: place for place in team.rep.get("/v1/divisions")["items"]}
    cities = {place["code"]: place for place in team.rep.get("/v1/divisions?parent=320000")["items"]}
    counties = {place["code"]: place for place in team.rep.get("/v1/divisions?parent=321000")["items"]}
    assert (provinces["320000"]["name"], provinces["310000"]["has_parts"]) == ("江苏省", True)
    assert (cities["321000"]["name"], cities["321000"]["has_parts"]) == ("扬州市", True)
    assert (counties["321081"]["name"], counties["321081"]["has_parts"]) == ("仪征市", False)


@pytest.mark.parametrize(
    ("typed", "place"),
    [
        ({"division": "321081"}, ("江苏省", "扬州市", "仪征市", "321081")),
        ({"division": "321000", "city": "扬州"}, ("江苏省", "扬州", None, "321000")),
        ({"division": "310115"}, ("上海市", "上海市", "浦东新区", "310115")),
        ({"province": "江苏", "city": "扬州市"}, ("江苏", "扬州市", None, "321000")),
        ({"city": "扬州", "district": "仪征"}, (None, "扬州", "仪征", "321081")),
        ({"city": "不知道"}, (None, "不知道", None, None)),
    ],
)
def test_a_place_is_known_by_code_and_by_name(team: Team, typed: dict[str, str], place: tuple[str | None, ...]) -> None:
    shown = team.rep.get(f"/v1/customers/{team.rep.entered(name=f'{brand(5)}机械厂', **typed)}")
    assert (shown["province"], shown["city"], shown["district"], shown["division"]) == place


def test_a_place_that_is_changed_is_understood_anew(team: Team) -> None:
    customer = team.rep.entered(name=f"{brand(5)}机械厂", division="321081")
    moved = expect(200, patch(team.rep, customer, province="上海", city=None, district="浦东新区"))
    assert moved["division"] == "310115"
    back = expect(200, patch(team.rep, customer, division="320100"))
    assert (back["province"], back["city"], back["district"]) == ("江苏省", "南京市", None)


def test_a_code_that_is_none_or_lies_elsewhere_is_refused(team: Team) -> None:
    assert pointers(team.rep.enter(company(), division="999999")) == ["/division"]
    assert pointers(team.rep.enter(company(), division="321081", city="南京")) == ["/city"]
    assert pointers(team.rep.enter(company(), division="321081", province="上海")) == ["/province"]


# --- category, tags, criteria


def test_category_tags_and_criteria_are_kept(team: Team) -> None:
    tag, other = word(), word()
    criteria = ["leader", "budget"]
    customer = team.rep.entered(category="vip", tags=[tag, other, tag], is_key=True, key_criteria=criteria)
    shown = team.rep.get(f"/v1/customers/{customer}")
    assert (shown["category"], shown["tags"], shown["key_criteria"]) == ("vip", [tag, other], criteria)
    assert team.colleague.get(f"/v1/tags?start={tag[:6]}")["items"] == [tag]
    plain = expect(200, patch(team.rep, customer, is_key=False, tags=[]))
    assert (plain["key_criteria"], plain["tags"]) == ([], [])


def test_what_is_not_laid_down_is_refused_with_every_place(team: Team) -> None:
    wrong = team.rep.enter(company(), category="golden", key_criteria=["rich"], is_key=True, custom={"nothing": 1})
    assert set(pointers(wrong)) == {"/category", "/key_criteria", "/custom/nothing"}
    assert pointers(team.rep.enter(company(), key_criteria=["leader"])) == ["/key_criteria"]


# --- what was changed


def test_every_change_says_who_made_what_of_what(team: Team) -> None:
    customer = team.rep.entered(city="扬州")
    expect(200, patch(team.rep, customer, city="仪征", size="200 人"))
    expect(200, patch(team.rep, customer, tags=["老客户"]))

    newest, first = team.supervisor.get(f"/v1/customers/{customer}/changes")["items"]

    assert (first["version"], first["actor"], first["actor_name"]) == (2, team.rep.user["id"], team.rep.user["display_name"])
    assert first["fields"] == {"city": ["扬州", "仪征"], "size": [None, "200 人"], "division": ["321000", "321081"]}
    assert newest["fields"] == {"tags": [[], ["老客户"]]}
    page = team.rep.get(f"/v1/customers/{customer}/changes?limit=1")
    assert [change["version"] for change in page["items"]] == [3]
    following = team.rep.get(f"/v1/customers/{customer}/changes?limit=1&cursor={page['next_cursor']}")
    assert ([change["version"] for change in following["items"]], following["next_cursor"]) == ([2], None)


def test_the_history_is_for_those_who_see_the_customer(team: Team, headquarters: Headquarters) -> None:
    customer = team.rep.entered()
    for who in (team.neighbour, headquarters.team().admin):
        assert who.request("GET", f"/v1/customers/{customer}/changes").status_code == 404
        assert who.request("GET", f"/v1/customers/{customer}/contacts").status_code == 404


def test_nobody_rewrites_the_history(stack: Stack, team: Team) -> None:
    customer = team.rep.entered()
    expect(200, patch(team.rep, customer, size="1"))
    with psycopg.connect(stack.database_url("customers")) as app:
        app.execute("SELECT set_config('qudao.agency', '*', false)")
        for statement in (
            "UPDATE customer_change SET fields = '{}'",
            "UPDATE customer_change SET agency_id = gen_random_uuid()",
            "DELETE FROM customer_change",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(statement)  # type: ignore[arg-type]
            app.rollback()
            app.execute("SELECT set_config('qudao.agency', '*', false)")


# --- people at a customer


def contacts_of(who: Client, customer: str) -> Any:
    return who.get(f"/v1/customers/{customer}/contacts")


def add(who: Client, customer: str, **fields: Any) -> httpx.Response:
    version = contacts_of(who, customer)["version"]
    return who.request("POST", f"/v1/customers/{customer}/contacts", fields, If_Match=f'"{version}"')


def test_people_are_added_replaced_and_removed_under_the_customers_version(team: Team) -> None:
    customer = team.rep.entered()
    first = expect(200, add(team.rep, customer, name="王小明", title="经理", phone=f"138{digits()}1"))
    boss = {"name": "李总", "is_decision_maker": True, "best_time": "周二上午", "channel": "visit", "likes": "茶"}
    both = expect(200, add(team.rep, customer, **boss))
    assert [person["name"] for person in both["items"]] == ["李总", "王小明"]
    assert both["version"] == first["version"] + 1 == team.rep.get(f"/v1/customers/{customer}")["version"]

    path = f"/v1/customers/{customer}/contacts/{both['items'][1]['id']}"
    replaced = expect(200, team.rep.request("PUT", path, {"name": "王晓明"}, If_Match=f'"{both["version"]}"'))
    assert (replaced["items"][1]["name"], replaced["items"][1]["title"]) == ("王晓明", None)
    left = expect(200, team.rep.request("DELETE", path, If_Match=f'"{replaced["version"]}"'))
    assert [person["name"] for person in left["items"]] == ["李总"]
    assert team.rep.request("DELETE", path, If_Match=f'"{left["version"]}"').status_code == 404
    changes = team.rep.get(f"/v1/customers/{customer}/changes")["items"]
    assert [list(change["fields"]) for change in changes] == 4 * [["contacts"]]


def test_a_number_of_a_person_is_met_by_the_check_until_he_is_removed(team: Team) -> None:
    customer, number = team.rep.entered(), f"139{digits()}2"
    added = expect(200, add(team.rep, customer, name="赵", phone=number))
    assert team.neighbour.check(phone=number)["verdict"]["verdict"] == "refused"
    assert slug(team.neighbour.enter(company(), phone=number)) == "customer-refused"
    expect(200, patch(team.rep, customer, city="扬州"))
    assert team.neighbour.check(phone=number)["verdict"]["verdict"] == "refused"
    version = team.rep.get(f"/v1/customers/{customer}")["version"]
    path = f"/v1/customers/{customer}/contacts/{added['items'][0]['id']}"
    expect(200, team.rep.request("DELETE", path, If_Match=f'"{version}"'))
    assert team.neighbour.check(phone=number)["verdict"]["verdict"] == "free"


def test_a_person_whose_number_is_somebody_elses_customer_is_refused(team: Team) -> None:
    number = f"137{digits()}3"
    team.colleague.entered(phone=number)
    customer = team.rep.entered()
    assert slug(add(team.rep, customer, name="钱", phone=number)) == "customer-collides"
    assert contacts_of(team.rep, customer)["items"] == []
    assert pointers(add(team.rep, customer, name="钱", phone="none")) == ["/phone"]


def test_people_are_changed_by_who_may_change_the_customer_and_has_seen_it(team: Team) -> None:
    customer = team.rep.entered()
    path = f"/v1/customers/{customer}/contacts"
    assert team.rep.request("POST", path, {"name": "孙"}).status_code == 428
    assert team.rep.request("POST", path, {"name": "孙"}, If_Match='"7"').status_code == 412
    assert team.colleague.request("POST", path, {"name": "孙"}, If_Match='"1"').status_code == 404
    assert team.supervisor.request("POST", path, {"name": "孙"}, If_Match='"1"').status_code in (403, 404)


def test_of_many_who_add_people_at_once_each_version_is_heard_once(team: Team) -> None:
    customer = team.rep.entered()
    path = f"/v1/customers/{customer}/contacts"
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda number: team.rep.request("POST", path, {"name": f"甲{number}"}, If_Match='"1"'), range(8))
        )
    assert sorted(answer.status_code for answer in answers) == [200] + 7 * [412]
    assert len(contacts_of(team.rep, customer)["items"]) == 1


def test_entries_and_new_people_with_one_number_never_both_get_through(team: Team) -> None:
    for _ in range(10):
        number, customer = f"136{digits()}4", team.rep.entered()
        path = f"/v1/customers/{customer}/contacts"
        with ThreadPoolExecutor(2) as threads:
            adding = threads.submit(team.rep.request, "POST", path, {"name": "周", "phone": number}, If_Match='"1"')
            entering = threads.submit(team.colleague.enter, company(), phone=number)
            assert (adding.result().status_code, entering.result().status_code) in ((200, 409), (409, 201))


def test_people_stay_with_the_customer_when_it_changes_hands(team: Team, headquarters: Headquarters) -> None:
    customer = team.rep.entered()
    expect(200, add(team.rep, customer, name="吴"))
    rival = headquarters.team().rep
    rival.entered()
    expect(200, headquarters.admin.act(customer, "transfer", to=rival.user["id"]))
    assert [person["name"] for person in contacts_of(rival, customer)["items"]] == ["吴"]
    assert eventually(lambda: team.rep.request("GET", f"/v1/customers/{customer}").status_code == 404)
