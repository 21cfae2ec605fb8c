"""Finding customers by anything that is known of them, within what one may see."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from embedded.stack import Stack
from services.contracts.fields import OWN
from services.contracts.permissions import ROLES, Scope
from services.contracts.search import CustomerFilter
from services.customers.fields.sight import Sight
from services.customers.search import queries
from services.customers.search.domain import VERSION, hashed, ranges_of
from services.plumbing import paging
from services.plumbing.passport import Caller
from services.plumbing.wall import stand_in
from tests.api import Client, Headquarters, Team, brand, company, credit_code, digits, eventually, expect, unique


@pytest.fixture(scope="module")
def team(headquarters: Headquarters) -> Team:
    return headquarters.team()


def word() -> str:
    return unique("w")


def ids(lines: Sequence[Any]) -> list[str]:
    return [line["id"] for line in lines]


def found(who: Client, **asked: Any) -> set[str]:
    """The ids of all that are found, page by page; of all that the person may see."""
    given = [(key, each) for key, value in asked.items() for each in (value if isinstance(value, list) else [value])]
    query = who.http.build_request("GET", "/v1/customers", params=[("of", "visible"), *given]).url.query.decode()
    lines = who.pages(f"/v1/customers?{query}", limit=3)
    assert len(set(ids(lines))) == len(lines)
    counted = who.get(f"/v1/customers/count?{query}")
    assert counted == {"count": len(lines), "is_more": False}
    return set(ids(lines))


# --- by what is known of it


def test_any_part_of_what_is_known_finds_it(team: Team) -> None:
    own, person, number, code = "鹤翔霁澜", "欧阳明月", digits(), credit_code()
    alias = f"{brand(4)}纺织"
    fields = {"aliases": [alias], "contact_person": person, "phone": f"0514-{number}", "credit_code": code}
    customer = team.rep.entered(f"扬州{own}印花有限公司", **fields)

    for part in (
        own,
        own[1:3],
        f"州{own}印",
        "鹤 翔",
        alias[1:5],
        "欧阳",
        "阳明月",
        "hxjl",
        "YZHX",
        "oymy",
        code,
        code.lower()[4:12],
    ):
        assert customer in found(team.rep, q=part), part
        assert customer in found(team.supervisor, q=part), part
    for part in (number, number[2:6], f"0514{number}", f"(0514) {number}"):
        assert customer in found(team.rep, q=part), part
    for part in ("鹤霁", "明欧", "澜鹤", own + "厂", "xhlj"):
        assert customer not in found(team.rep, q=part), part
        assert customer not in found(team.supervisor, q=part), part


@pytest.mark.parametrize("text", ["环", "a", "((", "。"])
def test_what_is_too_short_finds_nothing(team: Team, text: str) -> None:
    team.rep.entered()
    assert found(team.rep, q=text) == set()


@pytest.mark.parametrize("text", [".*", "%%", "[a-z]+", "\\w\\w", "n:", "'; --", "扬州|上海"])
def test_a_search_means_what_it_says(team: Team, text: str) -> None:
    team.rep.entered()
    assert found(team.rep, q=text) == set()


def test_of_a_number_that_is_shown_in_part_only_the_whole_is_searched(team: Team) -> None:
    """Figure by figure a part would give away the rest."""
    number = digits()
    customer = team.rep.entered(phone=f"0514-{number}转801")
    for part in (number[:6], f"514{number[:5]}", f"{number}801"):
        assert customer in found(team.rep, q=part)
        assert customer not in found(team.supervisor, q=part), part
    for whole in (number, f"0514-{number}", f"(0514) {number}"):
        assert customer in found(team.supervisor, q=whole), whole


def test_what_is_learned_of_a_customer_is_searched_from_then_on(team: Team) -> None:
    customer, person, alias, number = team.rep.entered(), "慕容雪", f"{brand(4)}厂", digits()
    assert customer not in found(team.rep, q=person)
    expect(
        200,
        team.rep.request("POST", f"/v1/customers/{customer}/contacts", {"name": person, "phone": number}, If_Match='"1"'),
    )
    assert customer in found(team.rep, q=person)
    assert customer in found(team.rep, q=number)
    expect(200, team.rep.request("PATCH", f"/v1/customers/{customer}", {"aliases": [alias]}, If_Match='"2"'))
    assert customer in found(team.supervisor, q=alias)
    expect(200, team.rep.request("PATCH", f"/v1/customers/{customer}", {"aliases": []}, If_Match='"3"'))
    assert customer not in found(team.supervisor, q=alias)


def test_what_was_bound_to_it_finds_it(team: Team) -> None:
    name, number, alias = company(), digits(), f"{brand(4)}厂"
    customer = team.rep.entered(name)
    expect(200, team.rep.enter(name, phone=f"0514-{number}", aliases=[alias], contact_person="司徒远"))
    for part in (number, alias, "司徒远"):
        assert customer in found(team.rep, q=part), part


# --- filters


def test_each_filter_leaves_what_it_says(headquarters: Headquarters, team: Team) -> None:
    tags, key = [word(), word()], word()
    expect(
        200, headquarters.admin.request("PUT", f"/v1/custom-fields/{key}", {"label": "人数", "kind": "number"}, If_Match='"0"')
    )
    one = team.rep.entered(
        f"{brand(5)}厂", division="321081", source="exhibition", industry="manufacturing", category="vip", tags=tags,
        is_key=True, key_criteria=["leader"], custom={key: 50},
    )  # fmt: skip
    two = team.rep.entered(f"{brand(5)}厂", division="320100", tags=tags[:1], custom={key: 120})
    both = {one, two}

    def left(**asked: Any) -> set[str]:
        mine, seen = found(team.rep, **asked) & both, found(team.supervisor, **asked) & both
        assert mine == seen
        return mine

    assert left(tag=tags[0]) == both
    assert left(tag=tags) == {one}
    for asked in ({"source": "exhibition"}, {"industry": "manufacturing"}, {"category": "vip"}, {"criterion": "leader"}):
        assert left(**asked) == {one}, asked
    assert left(is_key="true") == {one}
    assert left(is_key="false", tag=tags[0]) == {two}
    assert left(division="320000") == both
    assert left(division="321000") == left(division="321081") == {one}
    assert left(division="330000") == set()
    for condition, expected in (
        ("=50", {one}),
        ("=50.0", {one}),
        (">=50", both),
        (">=51", {two}),
        ("<=119.5", {one}),
        ("=x", set()),
    ):
        assert left(custom=f"{key}{condition}") == expected, condition
    assert left(custom=[f"{key}>=60", f"{key}<=130"], tag=tags[0]) == {two}


@pytest.mark.parametrize(
    ("kind", "value", "same", "other"),
    [
        ("text", "050", "050", "50"),
        ("boolean", False, "false", "true"),
        ("boolean", True, "true", "false"),
        ("choice", "甲", "甲", "乙"),
        ("choices", ["甲", "乙"], "乙", "丙"),
        ("date", "2024-05-01", "2024-05-01", "2024-05-02"),
    ],
)
def test_custom_fields_of_every_kind_are_filtered_by(
    headquarters: Headquarters, team: Team, kind: str, value: Any, same: str, other: str
) -> None:
    key, options = word(), {"options": ["甲", "乙", "丙"]} if kind in ("choice", "choices") else {}
    setting = {"label": "x", "kind": kind, **options}
    expect(200, headquarters.admin.request("PUT", f"/v1/custom-fields/{key}", setting, If_Match='"0"'))
    customer = team.rep.entered(custom={key: value})
    for who in (team.rep, team.supervisor):
        assert found(who, custom=f"{key}={same}") == {customer}
        assert found(who, custom=f"{key}={other}") == set()
    if kind == "date":
        assert found(team.rep, custom=[f"{key}>=2024-04-30", f"{key}<=2024-05-01"]) == {customer}
        assert found(team.supervisor, custom=f"{key}>=2024-05-02") == set()


def test_dates_leave_what_was_entered_and_held_between_them(team: Team) -> None:
    tag = word()
    first, second = team.rep.entered(tags=[tag]), team.rep.entered(tags=[tag])
    moments = [datetime.fromisoformat(team.rep.get(f"/v1/customers/{each}")["entered_at"]) for each in (first, second)]
    between, after = moments[1].isoformat(), (moments[1] + timedelta(microseconds=1)).isoformat()
    for field in ("entered", "held"):
        assert found(team.rep, tag=tag, **{f"{field}_from": between}) == {second}
        assert found(team.supervisor, tag=tag, **{f"{field}_until": between}) == {first}
        assert found(team.rep, tag=tag, **{f"{field}_from": between, f"{field}_until": after}) == {second}


@pytest.mark.parametrize(
    "query",
    [
        "custom=staff",
        "custom=Staff=1",
        "custom==1",
        "division=12",
        "entered_from=yesterday",
        "sort=phone",
        "of=everybody",
        "source=No",
        "colour=red",
        "q=",
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(team: Team, query: str) -> None:
    assert team.rep.request("GET", f"/v1/customers?{query}").status_code == 422


def test_an_agency_a_pool_and_a_holder_narrow_the_list(headquarters: Headquarters, team: Team) -> None:
    tag = word()
    pooled, held = team.pooled("agency", tags=[tag]), team.rep.entered(tags=[tag])
    assert found(team.admin, pool_id=team.pools["agency"], tag=tag) == {pooled}
    assert found(team.admin, owner_id=team.rep.user["id"], tag=tag) == {held}
    assert found(team.colleague, owner_id=team.rep.user["id"], tag=tag) == set()
    assert found(team.rep, pool_id=team.pools["agency"], tag=tag) == set()
    assert found(team.admin, agency_id=team.agency_id, tag=tag) == {pooled, held}
    assert found(headquarters.admin, agency_id=team.agency_id, tag=tag) == {pooled, held}
    assert found(headquarters.admin, agency_id=headquarters.team().agency_id, tag=tag) == set()


# --- within what one may see


def test_everybody_finds_what_he_may_see_and_nothing_else(headquarters: Headquarters, team: Team) -> None:
    tag, rival = word(), headquarters.team()
    mine, theirs = team.rep.entered(tags=[tag]), team.neighbour.entered(tags=[tag])
    pooled, others = team.pooled("public", tags=[tag]), rival.rep.entered(tags=[tag])
    auditor = headquarters.person("auditor", team.department_id)
    everything = {mine, theirs, pooled, others}
    for who, expected in (
        (team.rep, {mine}),
        (team.colleague, set()),
        (team.supervisor, {mine}),
        (team.manager, {mine}),
        (team.neighbour, {theirs}),
        (team.admin, {mine, theirs, pooled}),
        (auditor, {mine, theirs, pooled}),
        (rival.admin, {others}),
        (headquarters.admin, everything),
    ):
        assert found(who, tag=tag) == expected, who.user.get("roles")
    assert set(ids(team.rep.get(f"/v1/customers?tag={tag}")["items"])) == {mine}


def ranged(headquarters: Headquarters, kind: str) -> str:
    """The key of a new field of this kind."""
    key = word()
    expect(200, headquarters.admin.request("PUT", f"/v1/custom-fields/{key}", {"label": "x", "kind": kind}, If_Match='"0"'))
    return key


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("number", [-1_000_000, -5.5, -5, 0, 0.001, 49, 50, 51, 4_096, 4_097, 10**14]),
        ("date", ["1949-10-01", "2025-12-31", "2026-01-01", "2026-02-28", "2026-03-01", "9999-12-31"]),
    ],
)
def test_ranges_leave_what_lies_in_them(headquarters: Headquarters, team: Team, kind: str, values: list[Any]) -> None:
    key, shuffled = ranged(headquarters, kind), random.sample(values, len(values))
    customers = {team.rep.entered(custom={key: value}): value for value in shuffled}
    bounds = [random.sample(values, 2) for _ in range(6)]
    for asker in (team.rep, team.supervisor, team.admin):
        for low, high in map(sorted, bounds):
            inside = {customer for customer, value in customers.items() if low <= value <= high}
            assert found(asker, custom=[f"{key}>={low}", f"{key}<={high}"]) == inside, (low, high)
            assert found(asker, custom=f"{key}>={high}") == {each for each, value in customers.items() if value >= high}, high
            assert found(asker, custom=[f"{key}>={high}", f"{key}<={low}"]) == set()
    assert found(team.supervisor, custom=[f"{key}>={min(values)}", "x>=1", "y<=1", "z>=1", "z=1"]) == set()


def test_a_range_that_too_many_meet_is_looked_for_among_all(
    stack: Stack, headquarters: Headquarters, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, other = ranged(headquarters, "number"), ranged(headquarters, "number")
    customers = {team.rep.entered(custom={key: value, other: value % 2}) for value in range(5)}
    own, agency, department = map(UUID, (team.supervisor.user["id"], team.agency_id, team.department_id))
    caller, sight = Caller(str(own), agency, department, grants=ROLES["supervisor"]), Sight(own, OWN, OWN)
    url = make_url(stack.database_url("customers")).set(drivername="postgresql+psycopg")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")

    def left(scope: Scope, *conditions: str) -> set[str]:
        question = queries.Question(scope, caller, CustomerFilter(of="visible", custom=conditions), sight)
        with engine.connect() as connection:
            stand_in(connection, team.agency_id)
            narrowing = question.by_tokens()
            assert narrowing
            looked_up = connection.execute(narrowing.ids).all()
            assert len(looked_up) <= (narrowing.most or 0) + 1 or narrowing.most is None
            assert (narrowing.most is None) == any("=" in each.replace(">=", "").replace("<=", "") for each in conditions)
            rows = queries.list_customers(connection, question, queries.order_of("-entered"), None, 50)
            assert queries.count_customers(connection, question) == len(rows)
        return {str(row.id) for row in rows}

    for most in (queries.MOST_IN_RANGE, 4, 5, 0):
        monkeypatch.setattr(queries, "MOST_IN_RANGE", most)
        for scope in (Scope.AGENCY, Scope.DEPARTMENT):
            assert left(scope, f"{key}>=0") == customers
            assert len(left(scope, f"{key}>=0", f"{other}>=1")) == 2
            assert len(left(scope, f"{key}>=0", f"{key}<=3", f"{other}=1")) == 2
            assert left(scope, f"{key}>=3", f"{key}<=1") == set()
    engine.dispose()


def test_the_search_passes_the_wall_for_the_own_agency_alone(stack: Stack, headquarters: Headquarters, team: Team) -> None:
    tag, rival = word(), headquarters.team()
    team.rep.entered(tags=[tag])
    others = rival.rep.entered(tags=[tag])
    searched, tokens = "SELECT id::text FROM find_searched(%s, NULL, '{}', NULL, NULL) AS found(id)", hashed([f"=tag:{tag}"])
    with psycopg.connect(stack.database_url("customers")) as app:
        app.execute("SELECT set_config('qudao.agency', %s, false)", [rival.agency_id])
        assert app.execute(searched, [tokens]).fetchall() == [(others,)]
        app.execute("SELECT set_config('qudao.agency', '', false)")
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            app.execute(searched, [tokens])


# --- order, neighbours, counts


@pytest.fixture(scope="module")
def shelf(team: Team) -> tuple[str, list[str]]:
    """A tag, and its customers in the order in which they were entered; held in another one."""
    tag = word()
    made = [team.rep.entered(tags=[tag]) for _ in range(7)]
    for customer in random.sample(made, 4):
        expect(200, team.supervisor.act(customer, "transfer", to=team.colleague.user["id"]))
        expect(200, team.supervisor.act(customer, "transfer", to=team.rep.user["id"]))
    return tag, made


@pytest.mark.parametrize("limit", [1, 2, 3, 200])
def test_lists_are_in_the_order_asked_for_and_pages_neither_skip_nor_repeat(
    team: Team, shelf: tuple[str, list[str]], limit: int
) -> None:
    tag, made = shelf
    for who in (team.rep, team.supervisor, team.admin):
        for sort, field in (("entered", "entered_at"), ("held", "held_since"), ("name", "name")):
            up = who.pages(f"/v1/customers?of=visible&tag={tag}&sort={sort}", limit)
            down = who.pages(f"/v1/customers?of=visible&tag={tag}&sort=-{sort}", limit)
            assert ids(up) == ids(down)[::-1]
            assert sorted(ids(up)) == sorted(made)
            assert all(one[field] <= other[field] for one, other in pairwise(up))


def test_neighbours_are_who_stands_before_and_after(team: Team, shelf: tuple[str, list[str]]) -> None:
    tag, _ = shelf
    for who in (team.rep, team.supervisor):
        for sort in ("-entered", "held", "-name"):
            listed = ids(who.pages(f"/v1/customers?of=visible&tag={tag}&sort={sort}"))
            for at, customer in enumerate(listed):
                near = who.get(f"/v1/customers/{customer}/neighbours?of=visible&tag={tag}&sort={sort}")
                before, after = listed[at - 1] if at else None, listed[at + 1] if at + 1 < len(listed) else None
                assert near == {"previous_id": before, "next_id": after}


def test_neighbours_of_what_one_may_not_see_are_not_told(team: Team, headquarters: Headquarters, shelf: Any) -> None:
    _, made = shelf
    for who in (headquarters.team().rep, team.neighbour):
        assert who.request("GET", f"/v1/customers/{made[0]}/neighbours?of=visible").status_code == 404


def test_a_cursor_of_another_order_is_refused(team: Team, shelf: tuple[str, list[str]]) -> None:
    tag, made = shelf
    cursor = team.rep.get(f"/v1/customers?tag={tag}&limit=2")["next_cursor"]
    for given in (cursor, paging.encode("a\0b", made[0]), paging.encode("扬州", "nobody")):
        for sort in ("held", "name"):
            answer = team.rep.request("GET", f"/v1/customers?tag={tag}&sort={sort}&cursor={given}")
            assert (answer.status_code, answer.json()["type"]) == (422, "urn:qudao:problem:invalid-cursor")


def test_a_cursor_holds_the_longest_name(team: Team) -> None:
    tag = word()
    made = [team.rep.entered("𠀀" * 190 + brand(5), tags=[tag]) for _ in range(2)]
    assert set(ids(team.rep.pages(f"/v1/customers?tag={tag}&sort=name", 1))) == set(made)


# --- saved views


def save(who: Client, name: str, **more: Any) -> Any:
    return who.request("POST", "/v1/saved-views", {"name": name, "filter": {"category": "vip", "tag": ["甲"]}, **more})


def test_a_view_is_kept_changed_and_forgotten_by_who_saved_it(team: Team) -> None:
    name = word()
    saved = expect(201, save(team.rep, name, sort="held"))
    assert (saved["filter"]["category"], saved["filter"]["tag"], saved["sort"], saved["is_mine"]) == ("vip", ["甲"], "held", True)
    path, changed = f"/v1/saved-views/{saved['id']}", {"name": name, "filter": {"q": "五环"}, "is_shared": True}
    assert team.colleague.request("PUT", path, changed, If_Match='"1"').status_code == 404
    assert team.rep.request("PUT", path, changed, If_Match='"2"').status_code == 412
    assert expect(200, team.rep.request("PUT", path, changed, If_Match='"1"'))["filter"]["q"] == "五环"
    assert [view["is_mine"] for view in team.colleague.pages("/v1/saved-views") if view["id"] == saved["id"]] == [False]
    assert team.colleague.request("DELETE", path).status_code == 404
    expect(204, team.rep.request("DELETE", path))
    assert saved["id"] not in ids(team.rep.pages("/v1/saved-views"))


def test_a_name_stands_once_and_views_stay_within_the_agency(team: Team, headquarters: Headquarters) -> None:
    name = word()
    shared = expect(201, save(team.rep, name, is_shared=True))["id"]
    assert save(team.rep, name).json()["type"] == "urn:qudao:problem:name-taken"
    assert save(team.colleague, name).status_code == 201
    assert shared not in ids(headquarters.team().rep.pages("/v1/saved-views"))
    assert save(team.rep, word(), filter={"colour": "red"}).status_code == 422


# --- what was there before


def test_what_was_entered_before_there_was_a_search_is_found_by_itself(stack: Stack, team: Team) -> None:
    own = brand(4)
    customer = team.rep.entered(f"扬州{own}机械厂")
    with psycopg.connect(stack.owner_url("customers")) as owner:
        owner.execute("DELETE FROM customer_search WHERE customer_id = %s", [customer])
        owner.execute("UPDATE customer SET searchable = 0 WHERE id = %s", [customer])
    asked = f"/v1/customers?of=visible&q={own}"
    assert eventually(lambda: ids(team.supervisor.get(asked)["items"]), seconds=30) == [customer]
    with psycopg.connect(stack.owner_url("customers")) as owner:
        assert owner.execute("SELECT searchable FROM customer WHERE id = %s", [customer]).fetchone() == (VERSION,)


def test_who_has_no_tokens_of_ranges_yet_is_found_by_one_all_the_same(
    stack: Stack, headquarters: Headquarters, team: Team
) -> None:
    key = ranged(headquarters, "number")
    customer = team.rep.entered(custom={key: 50})
    with psycopg.connect(stack.owner_url("customers")) as owner:
        owner.execute("UPDATE customer_search SET tokens = '{1}' WHERE customer_id = %s", [customer])
        owner.execute("UPDATE customer SET searchable = %s WHERE id = %s", [VERSION - 1, customer])
    assert found(team.supervisor, custom=[f"{key}>=40", f"{key}<=60"]) == {customer}

    def tokens() -> set[int]:
        with psycopg.connect(stack.owner_url("customers")) as owner:
            row = owner.execute("SELECT tokens FROM customer_search WHERE customer_id = %s", [customer]).fetchone()
        assert row
        return set(row[0])

    of_range = set(hashed(ranges_of({f"custom.{key}": 50})))
    assert eventually(tokens, until=of_range.issubset, seconds=30)
    assert found(team.supervisor, custom=[f"{key}>=40", f"{key}<=60"]) == {customer}
