"""Nobody gets in or across: everybody asks everything of everything, and what comes of it is what `tests/matrix` expects.

`./qudao test -k matrix` runs just this. How a new address gets its row: `tests/matrix/rows`.
"""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from fastapi.routing import APIRoute

from embedded.stack import Stack
from gateway import health, routes
from services.contracts.base import Page
from services.contracts.permissions import ROLES
from tests.homes import made_home
from tests.matrix.asking import ask_all, cells, counted, deviations, prepare, wrongly_audited
from tests.matrix.facts import Databases, differences
from tests.matrix.lists import LISTS, Reader, misshown
from tests.matrix.model import DONE
from tests.matrix.protected import PROTECTED, declared, permitted, share, taken
from tests.matrix.rows import ROWS
from tests.matrix.world import CALLERS, UNHURRIED, World

LEAST = 2_000
"""Cells; reliability asks for as many."""
ROUTES = {
    f"{method} {route.path}": route
    for module in (
        *(importlib.import_module(f"gateway.routes.{found.name}") for found in pkgutil.iter_modules(routes.__path__)),
        health,
    )
    for route in module.router.routes
    if isinstance(route, APIRoute)
    for method in route.methods
}
INSIDERS = [me for me in CALLERS.values() if me.standing == "in"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One of its own, where nothing happens by itself but what events bring."""
    with Stack(made_home(tmp_path_factory, "matrix"), fast=True, env=UNHURRIED) as running:
        yield running


@pytest.fixture(scope="module")
def databases(stack: Stack) -> Iterator[Databases]:
    with Databases(stack) as opened:
        yield opened


@pytest.fixture(scope="module")
def world(stack: Stack, databases: Databases) -> Iterator[World]:
    made = World(stack, databases)
    prepare(cells(made))
    databases.settle()
    yield made
    made.root.http.close()


def test_every_address_has_a_row() -> None:
    assert {row.route for row in ROWS} == ROUTES.keys()
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_every_list_says_to_whom_its_rows_are_visible() -> None:
    pages = {
        name
        for name, route in ROUTES.items()
        if isinstance(route.response_model, type) and issubclass(route.response_model, Page)
    }
    assert {listed.route for listed in LISTS} == pages


def test_every_role_asks() -> None:
    assert {me.role for me in INSIDERS if not me.made} == ROLES.keys()
    assert any(me.made for me in INSIDERS)
    assert any(me.token for me in INSIDERS)


def test_who_may_not_is_told_so_nothing_changes_and_it_is_audited_once(world: World, databases: Databases) -> None:
    refused = [cell for cell in cells(world) if cell.expected != DONE and cell.row.permission]
    before = databases.snapshot()
    asked = ask_all(refused)
    databases.settle()
    changed = differences(before, databases.snapshot())
    assert (deviations(asked), changed, wrongly_audited(asked, databases)) == ([], [], [])


def test_who_may_is_let_and_each_change_is_audited_once(world: World, databases: Databases) -> None:
    let = [cell for cell in cells(world) if cell.expected == DONE or not cell.row.permission]
    asked = ask_all(let)
    assert (deviations(asked), wrongly_audited(asked, databases)) == ([], [])


def test_the_matrix_has_as_many_cells_as_it_should(world: World) -> None:
    assert counted(cells(world)).total() >= LEAST


@pytest.mark.parametrize("listed", LISTS, ids=lambda listed: listed.name)
def test_a_list_shows_what_one_may_see_and_all_of_it(listed, world: World, databases: Databases) -> None:  # type: ignore[no-untyped-def]
    databases.settle()
    reader = Reader(world)
    assert [wrong for me in INSIDERS for wrong in misshown(listed, me, reader)] == []


def test_no_write_takes_a_field_that_is_not_its_own(world: World, databases: Databases) -> None:
    writes = permitted(world)
    share(writes)
    databases.settle()
    before = databases.snapshot()
    taken_ones = [
        wrong
        for cell in writes
        for field in sorted(PROTECTED.keys() - declared(ROUTES[cell.row.route]))
        if (wrong := taken(cell, field))
    ]
    assert (taken_ones, differences(before, databases.snapshot())) == ([], [])
