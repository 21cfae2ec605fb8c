"""More work than there are connections to the database."""

import pytest

from services.contracts.errors import DeadlinePassed
from tests.faults.probe_contract import COUNT, Count
from tests.faults.world import World, eventually, unique

POOL = 10  # connections for writing, by default


def test_a_command_whose_connection_is_free_too_late_is_not_run(world: World) -> None:
    """It was in time when it arrived; what it does after its deadline would keep those behind it waiting."""
    holders, late, next_one = [unique("holds") for _ in range(POOL)], unique("late"), unique("next")
    held = [world.begin(COUNT, Count(label=label, seconds_inside=2)) for label in holders]
    eventually(lambda: world.count("execution", holders) == POOL)

    with pytest.raises(DeadlinePassed):
        world.call(COUNT, Count(label=late), timeout=1)
    waits = world.begin(COUNT, Count(label=next_one))
    for one in [*held, waits]:
        one.result()

    assert world.runs(late) == 1, "it should have arrived in time"
    assert world.effects(late) == 0
    assert world.effects(next_one) == 1
