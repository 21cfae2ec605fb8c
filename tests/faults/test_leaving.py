"""A handover whose process is killed in the midst of it."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from services.contracts.permissions import ROLES
from services.plumbing.passport import Caller
from tests.api import company
from tests.faults.world import PERSON, World, eventually

POINTS = ["in_transaction", "after_commit"]


def colleague_of(world: World, person: Caller) -> Caller:
    colleague = Caller(
        str(uuid4()),
        agency_id=person.agency_id,
        department_id=person.department_id,
        session_id=uuid4(),
        grants=ROLES["rep"],
        display_name="Wang Wei",
    )
    with world.database("customers", "owner") as connection:
        connection.execute(PERSON, [colleague.subject, colleague.agency_id, colleague.department_id, colleague.display_name])
    return colleague


def told_of_leaving(leaving_id: str, person: Caller, receiver: Caller) -> str:
    """As identity tells of it, which is not there."""
    plan: dict[str, Any] = {"receivers": [{"person_id": receiver.subject}]}
    envelope = {
        "id": str(uuid4()),
        "source": "identity",
        "name": "leaving_changed",
        "position": 2**40 + uuid4().int % 2**20,
        "aggregate_id": leaving_id,
        "version": 1,
        "agency_id": str(person.agency_id),
        "actor": str(uuid4()),
        "request_id": "test-of-leaving",
        "occurred_at": datetime.now(UTC).isoformat(),
        "data": {
            "leaving_id": leaving_id,
            "user_id": person.subject,
            "agency_id": str(person.agency_id),
            "person_version": 2,
            "abilities": ["holds", "sells"],
            "status": "planned",
            "plan": plan,
            "round": 1,
            "ordered_by": str(uuid4()),
        },
    }
    return json.dumps(envelope)


@pytest.mark.parametrize("world", ["embedded"], indirect=True)
@pytest.mark.parametrize("point", POINTS)
def test_a_handover_whose_process_is_killed_goes_on_and_each_customer_moves_once(world: World, point: str) -> None:
    leaver = world.new_person()
    receiver = colleague_of(world, leaver)
    names = [company() for _ in range(5)]
    for name in names:
        world.enter(name, caller=leaver)
    leaving_id = str(uuid4())
    event = told_of_leaving(leaving_id, leaver, receiver)

    with world.killed_at("customers", point):
        world.publish_raw("identity.events", "leaving_changed", event, content_type="application/json", content_encoding="utf-8")

    state = "SELECT state FROM handover WHERE id = %s"
    eventually(lambda: world.value("customers", state, leaving_id), until=lambda found: found == "done")
    history = (
        "SELECT ownership.owner_id::text, cause FROM ownership JOIN customer ON id = customer_id WHERE name = %s ORDER BY number"
    )
    for name in names:
        assert world.rows("customers", history, name) == [(leaver.subject, "enter"), (receiver.subject, "leaving")]
    items = "SELECT count(*), count(DISTINCT item_id) FROM handover_item WHERE handover_id = %s AND outcome = 'handed_over'"
    assert world.rows("customers", items, leaving_id) == [(5, 5)]
    held = "SELECT held FROM stock WHERE person_id = %s"
    assert [world.value("customers", held, each.subject) for each in (leaver, receiver)] == [0, 5]
    told = "SELECT data->>'customers' FROM outbox WHERE name = 'customers_handed_over' AND data->>'to_id' = %s ORDER BY seq"
    assert world.rows("customers", told, receiver.subject)[-1] == ("5",)
