"""Customers that are filed by an older version of the rules for names are met all the same, and filed anew by themselves."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.request import urlopen

import psycopg
import pytest
from psycopg import Connection

from embedded.stack import Stack
from services.customers.check.filing import READ_ANEW
from services.customers.check.matching import lock_of
from services.customers.collision import near_keys
from services.customers.collision.keys import grams
from services.customers.collision.names import IN_ORDER, VERSION, CompanyName
from services.customers.collision.subject import Key, Subject, names_of, subject_of
from tests.api import Client, Headquarters, Team, brand, company, digits, eventually, expect

OLD = 1


@pytest.fixture(scope="module")
def team(headquarters: Headquarters) -> Team:
    return headquarters.team()


@pytest.fixture
def owner(stack: Stack) -> Iterator[Connection[Any]]:
    with psycopg.connect(stack.owner_url("customers"), autocommit=True) as connection:
        yield connection


def put_back(owner: Connection[Any], customer_id: str, name: str, version: int = OLD) -> frozenset[Key]:
    """As a former version has filed it, the first before there were keys for what comes near; the keys."""
    names = names_of([name], None, None, version)
    near = [] if version == OLD else sorted(near_keys.filed(names[0], version))
    keys = Subject(names=names).keys
    with owner.transaction():
        owner.execute("DELETE FROM collision_key WHERE customer_id = %s AND kind IN ('core', 'brand', 'short')", [customer_id])
        for key in keys:
            file_under(owner, key, customer_id)
        parts = json.dumps([in_lists(each) for each in names])
        owner.execute("UPDATE customer_name SET near = %s, parts = %s WHERE customer_id = %s", [near, parts, customer_id])
        owner.execute("UPDATE customer SET normaliser = %s WHERE id = %s", [version, customer_id])
    return keys


def in_lists(name: CompanyName) -> list[Any]:
    """Its parts as versions before the third have written them."""
    places = [[place.province, place.city, place.county, place.town] for place in (name.region, name.said)]
    words = [name.brand, name.trade, name.legal_form, name.branch, name.core]
    return [name.normalised, *places, *words, list(name.other_cores), list(name.former)]


def file_under(owner: Connection[Any], key: Key, customer_id: str) -> None:
    owner.execute(
        "INSERT INTO collision_key (kind, key, detail, customer_id, agency_id)"
        " SELECT %s, %s, %s, id, agency_id FROM customer WHERE id = %s ON CONFLICT DO NOTHING",
        [*key, customer_id],
    )


@contextmanager
def in_work(stack: Stack, key: Key) -> Iterator[None]:
    """As if somebody were entering a company under this key."""
    with psycopg.connect(stack.owner_url("customers"), autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [lock_of(key)])
        yield


def number_key(phone: str) -> Key:
    return next(key for key in subject_of([], phone=phone).identities if key.kind == "number")


def version_of(owner: Connection[Any], customer_id: str) -> int:
    row = owner.execute("SELECT normaliser FROM customer WHERE id = %s", [customer_id]).fetchone()
    assert row
    return int(row[0])


def names_filed(owner: Connection[Any], customer_id: str) -> set[str]:
    rows = owner.execute("SELECT key FROM collision_key WHERE customer_id = %s AND kind = 'core'", [customer_id])
    return {key for (key,) in rows}


def progress(headquarters: Headquarters) -> Any:
    return headquarters.admin.get("/v1/collision-rules/filing")


def verdict(who: Client, name: str) -> str:
    return str(who.check(name=name)["verdict"]["verdict"])


def test_a_company_filed_by_an_older_version_is_refused_meanwhile_and_then_filed_anew(
    stack: Stack, headquarters: Headquarters, team: Team, owner: Connection[Any]
) -> None:
    own, phone = brand(3), f"0514-{digits()}"
    name, spelling = f"扬州{own}家俱厂", f"扬州市{own}家俱有限公司"
    held = team.rep.entered(name, phone=phone)
    with in_work(stack, number_key(phone)):
        old = put_back(owner, held, name)
        assert not old & subject_of([spelling]).wanted, "a spelling that only the older version brings together"

        eventually(lambda: {verdict(team.colleague, spelling) for _ in range(8)}, until=lambda told: told == {"refused"})
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(lambda who: who.enter(spelling), (team.colleague, team.neighbour)))

        assert [expect(409, answer)["outcome"] for answer in answers] == ["refused", "refused"]
        assert version_of(owner, held) == OLD
        waiting = progress(headquarters)
        assert (waiting["version"], waiting["oldest"]) == (VERSION, OLD)
        assert waiting["left"] >= 1
        eventually(lambda: left_to_file(stack), until=lambda left: left >= 1)

    done = eventually(lambda: progress(headquarters), until=lambda found: found["left"] == 0)

    assert (done["version"], done["oldest"]) == (VERSION, VERSION)
    assert done["filed"] >= 1
    assert version_of(owner, held) == VERSION
    assert f"{own}家具" in names_filed(owner, held)
    assert f"{own}家俱" not in names_filed(owner, held)
    assert verdict(team.colleague, spelling) == "refused"
    eventually(lambda: left_to_file(stack), until=lambda left: left == 0)


def test_who_is_filed_under_keys_in_no_order_is_met_by_what_comes_near_before_and_after(
    stack: Stack, team: Team, owner: Connection[Any]
) -> None:
    own, phone = brand(5), f"0514-{digits()}"
    name, slip = f"扬州{own}服装厂", f"扬州{own[:3]}{own[4:]}服装厂"
    held = team.rep.entered(name, phone=phone)
    with in_work(stack, number_key(phone)):
        put_back(owner, held, name, version=IN_ORDER - 1)

        eventually(lambda: {verdict(team.colleague, slip) for _ in range(8)}, until=lambda told: told == {"needs_confirmation"})
        assert version_of(owner, held) == IN_ORDER - 1

    eventually(lambda: version_of(owner, held), until=lambda version: version == VERSION)
    filed, grams = owner.execute("SELECT near, grams FROM customer_name WHERE customer_id = %s", [held]).fetchone() or ((), ())
    assert set(filed) == near_keys.filed(names_of([name], None, None)[0])
    assert grams is None
    assert verdict(team.colleague, slip) == "needs_confirmation"


def test_a_name_that_the_release_before_has_put_beside_others_is_met_and_filed_anew(
    stack: Stack, team: Team, owner: Connection[Any]
) -> None:
    phone, bound = f"0514-{digits()}", f"扬州{brand(5)}服装厂"
    held = team.rep.entered(phone=phone)
    with in_work(stack, number_key(phone)):
        [read] = names_of([bound], None, None, IN_ORDER - 1)
        near = sorted(near_keys.filed(read, IN_ORDER - 1))
        values = [bound, bound, sorted(grams(bound)), json.dumps([in_lists(read)]), near]
        owner.execute(
            "INSERT INTO customer_name (customer_id, agency_id, kind, name, normalised, grams, parts, near)"
            " SELECT id, agency_id, 'bound', %s, %s, %s, %s, %s FROM customer WHERE id = %s",
            [*values, held],
        )
        for key in subject_of([bound]).keys:
            file_under(owner, key, held)
        assert version_of(owner, held) == READ_ANEW
        eventually(lambda: verdict(team.colleague, bound), until=lambda told: told == "refused")
        assert verdict(team.rep, bound) == "yours"

    eventually(lambda: version_of(owner, held), until=lambda version: version == VERSION)
    filed = owner.execute("SELECT parts, grams FROM customer_name WHERE customer_id = %s", [held]).fetchall()
    assert len(filed) == 2
    assert all(isinstance(each, str) for parts, _ in filed for each in parts)
    assert {pairs for _, pairs in filed} == {None}


def test_a_name_that_is_bound_to_who_waits_has_them_read_anew_until_they_are_filed(
    stack: Stack, team: Team, owner: Connection[Any]
) -> None:
    own, phone = brand(5), f"0514-{digits()}"
    name, spelling = f"扬州{own}服装厂", f"扬州市{own}服装有限公司"
    held = team.rep.entered(name, phone=phone)
    with in_work(stack, number_key(phone)):
        put_back(owner, held, name, version=IN_ORDER - 1)

        assert expect(200, team.rep.enter(spelling))["outcome"] == "bound_to_yours"

        assert version_of(owner, held) == READ_ANEW
        assert {verdict(team.colleague, each) for each in (name, spelling)} == {"refused"}
    eventually(lambda: version_of(owner, held), until=lambda version: version == VERSION)
    assert {verdict(team.colleague, each) for each in (name, spelling)} == {"refused"}


def left_to_file(stack: Stack) -> float:
    """As the leader tells it to Prometheus; the others say nothing."""
    name, found = "qudao_customers_left_to_file ", 0.0
    for index in range(len(stack.processes["customers"])):
        with urlopen(f"{stack.health_url('customers', index)}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        found += sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))
    return found


def test_what_others_are_at_work_on_is_left_alone_and_the_rest_is_filed(stack: Stack, team: Team, owner: Connection[Any]) -> None:
    names, phone = [company(), company()], f"0514-{digits()}"
    busy, idle = team.rep.entered(names[0], phone=phone), team.rep.entered(names[1])
    with in_work(stack, number_key(phone)):
        for customer_id, name in ((busy, names[0]), (idle, names[1])):
            put_back(owner, customer_id, name)
        eventually(lambda: version_of(owner, idle), until=lambda version: version == VERSION)
        assert version_of(owner, busy) == OLD
    eventually(lambda: version_of(owner, busy), until=lambda version: version == VERSION)


def test_a_locked_row_is_left_alone(stack: Stack, team: Team, owner: Connection[Any]) -> None:
    name, other = company(), company()
    locked, idle = team.rep.entered(name), team.rep.entered(other)
    with psycopg.connect(stack.owner_url("customers")) as holder:
        holder.execute("UPDATE customer SET normaliser = 0 WHERE id = %s", [locked])
        holder.commit()
        holder.execute("SELECT FROM customer WHERE id = %s FOR UPDATE", [locked])
        owner.execute("UPDATE customer SET normaliser = 0 WHERE id = %s", [idle])
        eventually(lambda: version_of(owner, idle), until=lambda version: version == VERSION)
    eventually(lambda: version_of(owner, locked), until=lambda version: version == VERSION)


def test_who_is_put_back_again_is_filed_again(team: Team, owner: Connection[Any]) -> None:
    name = company()
    held = team.rep.entered(name)
    for _ in range(3):
        put_back(owner, held, name)
        eventually(lambda: version_of(owner, held), until=lambda version: version == VERSION)


def test_filing_anew_takes_nothing_from_what_is_changed_at_the_same_time(team: Team, owner: Connection[Any]) -> None:
    held = [team.rep.entered(company(), phone=f"0514-{digits()}") for _ in range(8)]
    aliases = {customer_id: company("南京", "印花") for customer_id in held}

    def change(customer_id: str) -> None:
        owner.execute("UPDATE customer SET normaliser = 0 WHERE id = %s", [customer_id])
        path = f"/v1/customers/{customer_id}"
        expect(200, team.rep.request("PATCH", path, {"aliases": [aliases[customer_id]]}, If_Match='"1"'))
        owner.execute("UPDATE customer SET normaliser = 0 WHERE id = %s", [customer_id])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(change, held))

    for customer_id in held:
        eventually(lambda own=customer_id: version_of(owner, own), until=lambda version: version == VERSION)  # type: ignore[misc]
        assert verdict(team.colleague, aliases[customer_id]) == "refused"
