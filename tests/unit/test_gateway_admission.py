"""The gate against services that exist as arithmetic alone: they answer in turn, at a given pace."""

import heapq
import random
from collections import Counter

import pytest

from gateway.admission import FLOOR, START, Gate

DEADLINE = 5.0  # seconds after which nobody waits
CEILING = 250


def play(capacity: float, arrivals: list[float], servers: int = 2) -> tuple[Gate, Counter[str], list[float]]:
    """A service with so many hands that together answer `capacity` requests per second; what became of those that arrived."""
    chance = random.Random(1)
    gate, told, waits = Gate(target=1.0, ceiling=CEILING), Counter[str](), list[float]()
    hands, leaving = [0.0] * servers, list[tuple[float, int, bool]]()

    def leave_until(now: float) -> None:
        while leaving and leaving[0][0] <= now:
            at, number, is_answered = heapq.heappop(leaving)
            gate.leave(number, at, is_answered=is_answered)

    for now in arrivals:
        leave_until(now)
        if not gate.may_enter(now):
            told["refused"] += 1
            continue
        begins = max(now, heapq.heappop(hands))
        is_run = begins < now + DEADLINE  # the service, too, looks at the deadline
        ends = begins + chance.expovariate(capacity / servers) * is_run
        heapq.heappush(hands, ends)
        is_answered = ends < now + DEADLINE
        told["answered" if is_answered else "late"] += 1
        waits.append(min(ends, now + DEADLINE) - now)
        heapq.heappush(leaving, (now + waits[-1], gate.enter(now), is_answered))
    leave_until(float("inf"))
    return gate, told, waits


def arriving(rate: float, seconds: float, begin: float = 0.0) -> list[float]:
    return [begin + number / rate for number in range(round(rate * seconds))]


@pytest.mark.parametrize("capacity", [15, 25, 100, 500])
@pytest.mark.parametrize("factor", [3, 10])
def test_of_too_many_as_many_are_answered_as_can_be_and_in_time(capacity: float, factor: float) -> None:
    _, told, waits = play(capacity, arriving(capacity * factor, 20))

    assert told["answered"] >= 0.9 * 20 * capacity
    assert told["late"] <= 0.05 * told["answered"]
    assert sorted(waits)[len(waits) // 2] < 2


@pytest.mark.parametrize("capacity", [15, 25, 100, 500])
def test_what_can_be_answered_is_let_in(capacity: float) -> None:
    _, told, _ = play(capacity, arriving(capacity * 0.8, 30))

    assert told == {"answered": round(30 * capacity * 0.8)}


def test_a_crowd_that_comes_at_once_finds_places() -> None:
    _, told, _ = play(40, [0.0] * round(START * CEILING) + [60.0] * round(START * CEILING))

    assert told["refused"] == 0


def test_after_the_overload_everything_is_as_before() -> None:
    gate, _, _ = play(20, arriving(200, 10))
    assert gate.places < START * CEILING

    gate.may_enter(30.0)

    assert gate.places == START * CEILING


def test_who_waits_for_a_service_that_has_stopped_is_followed_by_few() -> None:
    """Nobody has been answered yet, late or in time."""
    gate = Gate(target=1.0, ceiling=CEILING)
    let_in = 0
    for now in arriving(20, 4.9):
        if gate.may_enter(now):
            gate.enter(now)
            let_in += 1

    assert let_in <= 2 * 20 * 1.6


def test_one_slow_answer_among_quick_ones_shuts_nobody_out() -> None:
    gate = Gate(target=1.0, ceiling=CEILING)
    slow = gate.enter(0.0)
    for now in arriving(50, 4):
        gate.leave(gate.enter(now), now + 0.01, is_answered=True)
    gate.leave(slow, 4.1, is_answered=True)

    assert gate.may_enter(4.2)
    assert gate.places >= START * CEILING


def test_refusals_by_the_service_are_no_answers() -> None:
    """They come quickly, whatever else is slow."""
    gate = Gate(target=1.0, ceiling=CEILING)
    for now in arriving(20, 4):
        if gate.may_enter(now):
            gate.enter(now)
        if gate.may_enter(now):
            gate.leave(gate.enter(now), now + 0.01, is_answered=False)

    assert gate.places < START * CEILING


def test_a_few_places_always_stay() -> None:
    gate = Gate(target=1.0, ceiling=CEILING)
    held = [gate.enter(0.0) for _ in range(FLOOR)]
    for now in arriving(2, 30, begin=2.0):
        gate.may_enter(now)
        held.append(gate.enter(now))
        gate.leave(held.pop(0), now + 0.1, is_answered=True)

    assert gate.places >= FLOOR


def test_places_become_more_when_a_crowd_is_answered_quickly() -> None:
    gate = Gate(target=1.0, ceiling=CEILING)
    begun = 0.0
    for _ in range(40):
        numbers = list[int]()
        while gate.may_enter(begun) and len(numbers) < 400:
            numbers.append(gate.enter(begun))
        for number in numbers:
            gate.leave(number, begun + 0.1, is_answered=True)
        held = gate.enter(begun + 0.1)
        gate.may_enter(begun := begun + 0.6)
        gate.leave(held, begun, is_answered=True)

    assert gate.places == CEILING
