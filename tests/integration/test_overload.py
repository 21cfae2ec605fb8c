"""Three times what can be done: as much as before is done, in time, and the rest is sent away."""

import uuid
from pathlib import Path

import psycopg
import pytest

from bench.stand import raise_limit
from embedded.stack import Stack
from faults.overload import overload
from ops.addresses import derive
from tests.api import Headquarters
from tests.unit.gateway_stand import running_stand

PROMISED = 10.0  # seconds after which no request may be unanswered


@pytest.mark.parametrize("factor", [3, 6])
def test_a_service_of_known_speed_goes_on_at_it(tmp_path: Path, factor: float) -> None:
    """Fifty a second, whatever the machine does besides."""
    with running_stand(tmp_path) as stand, stand.gateway() as gateway:
        tokens = [f"{number:043}" for number in range(8)]
        found = overload([gateway.base], tokens, 6, factor=factor, clients=8, prefix="turns", measured=1.5)

    assert set(found.answered) == {201, 503}
    assert found.answered[503] >= 0.2 * found.sent
    assert found.without_retry_after == 0
    assert found.worst_seconds < PROMISED
    assert found.goodput >= 0.6 * found.capacity
    assert found.seconds_to_normal is not None


def test_the_whole_system_sheds_and_loses_nothing(stack: Stack, headquarters: Headquarters) -> None:
    reps = headquarters.people(4, headquarters.department()["id"])
    raise_limit(headquarters, reps)
    prefix = uuid.uuid4().hex[:12]

    found = overload(stack.gateway_urls, [str(rep.token) for rep in reps], 5, clients=12, prefix=prefix, measured=3)

    assert set(found.answered) <= {201, 503, 504}
    assert found.answered.get(504, 0) <= 0.05 * found.sent, "nearly all are in time or sent away, not kept till it is too late"
    assert found.without_retry_after == 0
    assert found.worst_seconds < PROMISED
    with psycopg.connect(derive(stack.admin_url, stack.database("customers").name)) as connection:
        rows = connection.execute("SELECT id, name FROM customer WHERE name LIKE %s", [f"%{prefix}%"]).fetchall()
    entered = {name: str(customer_id) for customer_id, name in rows}
    assert len(entered) == len(rows)
    assert {entry.name: entry.customer_id for entry in found.accepted}.items() <= entered.items()
    assert entered.keys() <= {entry.name for entry in (*found.accepted, *found.unknown)}
